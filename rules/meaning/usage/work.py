"""Work that costs money each time it runs: calls of models, renderers and transcribers."""

from rules.facts import Call, Start, Use, fold
from rules.meaning.vocabulary import words

MODEL_CALLS = (
    "chat.completions.create", "completions.create", "messages.create", "messages.stream", "images.generate", "images.edit",
    "embeddings.create", "responses.create", "transcriptions.create", "speech.create", "replicate.run", "generatecontent",
    "generatecontentstream", "generatetext", "streamtext", "generateobject", "streamobject", "invokemodel", "textgeneration",
    "createchatcompletion", "createcompletion", "createimage", "createembeddings", "generateimage", "predictions.create",
    "chatcompletion", "chatcompletions", "completechat", "completechatstreaming",
)  # fmt: skip
"""Folded endings of the calls by which language and image models are used."""
OPENED = (".chat().create", ".chat().createstream", ".chat().createstreamed", ".images().create")
"""How async-openai and openai-php are called: `client.chat().create(request)`."""
WORK_VERBS = frozenset("generate render transcribe synthesize summarize summarise infer upscale".split())
NOT_WORK = frozenset(
    "id ids key keys token tokens url link report invoice pdf code hash slug name password secret csv email template page html "
    "component metadata otp uuid signature header headers sitemap nonce number types schema config pagination".split()
)


def is_model_call(call: Call) -> bool:
    """A call of a model's interface, known by its ending."""
    if call.method == "chat" and any(argument.name == "parameters" for argument in call.arguments):
        # ruby-openai: `client.chat(parameters: { model: … })`.
        return True
    name = call.folded.replace("()", "")
    return call.folded.endswith(OPENED) or any(name == ending or name.endswith("." + ending) for ending in MODEL_CALLS)


def is_work(call: Call) -> bool:
    """A model's call, or a helper named for such work whose result is awaited: `await renderVideo(prompt)`."""
    if is_model_call(call):
        return True
    said = words(call.method)
    if not said or said[0] not in WORK_VERBS or frozenset(said) & NOT_WORK or call.constructs:
        return False
    return call.start is Start.AWAITED and call.use in (Use.ASSIGNED, Use.RETURNED) and "html" not in fold(call.name)
