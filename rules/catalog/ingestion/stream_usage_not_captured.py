"""A streamed answer of a language model is charged, but the provider is not asked to say how many tokens it used.

OpenAI's chat API sends no usage in a stream unless `stream_options.include_usage` is set: code that reads `usage` then finds
nothing, and bills nothing or a guess, while the same question without streaming is billed in full. Ask for the usage, read it
from the last chunk, and book that.
"""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.edits import added_entry
from rules.facts import Call, Kind, Literal, Member, Name, Object, enclosing, fold, walk
from rules.meaning.arguments import Given, given
from rules.meaning.contexts import Context
from rules.meaning.usage.chunks import read_too_early, split_pieces
from rules.meaning.usage.emissions import leading_text
from rules.meaning.usage.requests import carried
from rules.meaning.usage.writes import usage_writes
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity, Step, Variant

ABOUT = About(
    id="MTR-116",
    title="Usage of a stream is not captured",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("E12",),
    cwe=("CWE-424",),
    iso_25010="Functional suitability / functional completeness",
    variants={"usage-read-too-early": Variant("Usage of a stream is read before it is there", Severity.HIGH, ("E2", "E12"))},
)
STREAMING = ("chat.completions.create",)
"""How the calls of the chat API end that may stream."""
ALWAYS = ("chat().createstreamed", "chat().completions().createstreaming", "chat().createstream", ".chatcompletions")
"""How those end that always stream."""
BY_PARAMETERS = ("client.chat",)
"""Those that take everything in one argument of that name, where `stream` is what takes the pieces."""
ADDRESS = re.compile(r"/chat/completions\b")
OPTIONS = ("streamoptions", "stream_options")


def check(code: Code) -> Iterator[Finding]:
    yield from unasked(code)
    for call in split_pieces(code):
        yield Finding(
            span=call.span,
            cause=call.span,
            description=(
                "Each piece of the stream is cut into lines on its own: a line that the network splits over two pieces cannot "
                "be parsed, and when it is the one with the usage, the request is free."
            ),
            remediation="Keep the last, unfinished line and put it before the next piece.",
            confidence=Confidence.LIKELY,
        )
    for call, write, name in read_too_early(code):
        yield Finding(
            span=call.span,
            cause=call.span,
            description=(
                f"`{name}` is set in a callback that runs later, and {write.title} at line {write.span.line} does not wait for "
                "it: what the last piece of the stream said is not billed."
            ),
            remediation=f"Set `{name}` before going on, or wait for what sets it where it is read.",
            confidence=Confidence.LIKELY,
            variant="usage-read-too-early",
            trace=(Step(write.span, "read here"),),
        )


def unasked(code: Code) -> Iterator[Finding]:
    """A stream that is not asked for its usage."""
    if b"include_usage" in code.facts.source or b"IncludeUsage" in code.facts.source or b"includeUsage" in code.facts.source:
        return
    for call in code.facts.calls:
        if code.context(call.scope) is Context.TEST:
            continue
        arguments = given(code.values, call)
        if not (streams(call, arguments) or streams_by_address(code, call)):
            continue
        if bills(code, call):
            yield finding(code, call, arguments.literal)


def streams(call: Call, arguments: Given) -> bool:
    """Whether a call of an SDK asks for a stream, and not for its usage."""
    asks = arguments.named.get("parameters")
    if call.folded.endswith(BY_PARAMETERS):
        names = {entry.name for entry in asks.entries} if isinstance(asks, Object) else set()
        return "stream" in names and not names & set(OPTIONS) and None not in names
    stream = arguments.named.get("stream")
    wanted = call.folded.endswith(STREAMING) and isinstance(stream, Literal) and stream.value is True
    return (wanted or call.folded.endswith(ALWAYS)) and arguments.complete and arguments.first(OPTIONS) is None


def streams_by_address(code: Code, call: Call) -> bool:
    """The same of a request that the code puts together itself: `post(".../chat/completions", {"stream": true, …})`."""
    if not any(ADDRESS.search(leading_text(argument.value)) for argument in call.arguments):
        return False
    asked_for = [
        (fold(name), value)
        for argument in call.arguments
        for name, value in carried(code, argument.value, call.scope, call.span.start)
    ]
    streamed = any(name == "stream" and isinstance(value, Literal) and value.value is True for name, value in asked_for)
    return streamed and not any(name in OPTIONS for name, _ in asked_for)


def bills(code: Code, call: Call) -> bool:
    """Whether the file books usage and knows what tokens are: a recorder, a charge, or a reading of `usage`."""
    function = enclosing(call.scope, Kind.FUNCTION)
    if function is None or not code.billing:
        return False
    inside = [write for write in usage_writes(code) if enclosing(write.scope, Kind.FUNCTION) is not None]
    return any(function.span.holds(write.span) and mentions_tokens(code, write.call) for write in inside)


def mentions_tokens(code: Code, call: Call | None) -> bool:
    if call is None:
        return False
    names = [part for argument in call.arguments for part in walk(argument.value)]
    said = {
        word
        for part in names
        for word in words(part.text if isinstance(part, Name) else part.name if isinstance(part, Member | Call) else "")
    }
    keys = {word for part in names if isinstance(part, Object) for entry in part.entries for word in words(entry.name or "")}
    return bool({"tokens", "token", "usage"} & (said | keys))


def finding(code: Code, call: Call, literal: Object | None) -> Finding:
    return Finding(
        span=call.span,
        description="This stream is not asked for its usage, so its tokens are booked as nothing or as a guess.",
        remediation=f"Set {code.facts.idioms.usage_of_stream}, read `usage` from the last chunk, and book that.",
        confidence=Confidence.LIKELY,
        fix=Fix("Ask for the usage", (edit,), safe=False) if (edit := asked(code, call, literal)) else None,
    )


def asked(code: Code, call: Call, literal: Object | None) -> Edit | None:
    if literal is None or not code.facts.idioms.stream_option or not call.span.holds(literal.span):
        return None
    return added_entry(code.facts, literal, "stream_options", code.facts.idioms.stream_option)


EXAMPLES = (
    Example(
        "typescript",
        """
import OpenAI from "openai";
import { recordUsage } from "@/lib/usage";
const openai = new OpenAI();

export async function chat(user: User, messages: Message[]) {
  const stream = await openai.chat.completions.create({  // <- finding
    model: "gpt-4o",
    messages,
    stream: true,
  });
  let text = "";
  for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? "";
  await recordUsage({ customer: user.customerId, tokens: text.length / 4 });
}
""",
    ),
    Example(
        "python",
        """
from openai import OpenAI

def chat(user, messages):
    total_tokens = 0
    stream = OpenAI().chat.completions.create(model="gpt-4o", messages=messages, stream=True)  # <- finding
    for chunk in stream:
        if getattr(chunk, "usage", None):
            total_tokens = chunk.usage.total_tokens
        yield chunk
    record_usage(user.customer_id, total_tokens)
""",
    ),
    Example(
        "typescript",
        """
import OpenAI from "openai";
import { recordUsage } from "@/lib/usage";
const openai = new OpenAI();

export async function chat(user: User, messages: Message[]) {
  const stream = await openai.chat.completions.create({
    model: "gpt-4o",
    messages,
    stream: true,
    stream_options: { include_usage: true },
  });
  for await (const chunk of stream) {
    if (chunk.usage) await recordUsage({ customer: user.customerId, tokens: chunk.usage.total_tokens });
  }
}
""",
    ),
    Example(
        "python",
        """
from openai import OpenAI

def chat(user, messages):
    answer = OpenAI().chat.completions.create(model="gpt-4o", messages=messages)
    record_usage(user.customer_id, answer.usage.total_tokens)
    return answer
""",
    ),
    Example(
        "typescript",
        """
import { recordUsage } from "../billing/usage";

export function relay(upstream: IncomingMessage, res: Response, customer: Customer) {
  let usage = { input: 0, output: 0 };
  upstream.on("data", (chunk) => {
    res.write(chunk);
    const text = chunk.toString();
    for (const line of text.split("\\n")) {  // <- finding
      if (line.startsWith("data:")) usage = JSON.parse(line.slice(5)).usage ?? usage;
    }
  });
  upstream.on("end", async () => {
    await recordUsage(customer.id, usage.input + usage.output);
    res.end();
  });
}

export function relayLater(upstream: IncomingMessage, res: Response, customer: Customer) {
  let usage = { input: 0, output: 0 };
  upstream.on("data", (chunk) => {
    res.write(chunk);
    setImmediate(() => {  // <- finding
      usage = usageIn(chunk) ?? usage;
    });
  });
  upstream.on("end", async () => {
    await recordUsage(customer.id, usage.input + usage.output);
    res.end();
  });
}
""",
    ),
    Example(
        "typescript",
        """
import { recordUsage } from "../billing/usage";

export function relay(upstream: IncomingMessage, res: Response) {
  let usage = { input: 0, output: 0 };
  upstream.on("data", (chunk) => {
    setImmediate(() => {
      usage = usageIn(chunk) ?? usage;
      res.emit("usage", usage);
    });
  });
}

export function relayAndNote(upstream: IncomingMessage, res: Response, customer: Customer) {
  let usage = { input: 0, output: 0 };
  upstream.on("data", (chunk) => {
    usage = usageIn(chunk) ?? usage;
    setImmediate(() => {
      usage = usageIn(chunk) ?? usage;
      logger.debug("usage so far", usage);
    });
  });
  upstream.on("end", async () => {
    await recordUsage(customer.id, usage.input + usage.output);
  });
}

export async function complete(answer: Completion, customer: Customer) {
  const usage = answer.usage;
  await recordUsage(customer.id, usage.input + usage.output);
}
""",
    ),
    Example(
        "typescript",
        """
import { recordUsage } from "../billing/usage";

export function relay(upstream: IncomingMessage, res: Response, customer: Customer) {
  let usage = { input: 0, output: 0 };
  let buffer = "";
  upstream.on("data", (chunk) => {
    res.write(chunk);
    buffer += chunk.toString();
    const lines = buffer.split("\\n");
    buffer = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith("data:")) usage = JSON.parse(line.slice(5)).usage ?? usage;
    }
  });
  upstream.on("end", async () => {
    await recordUsage(customer.id, usage.input + usage.output);
    res.end();
  });
}
""",
    ),
    Example(
        "python",
        """
import json
from billing import record_usage

async def relay(response, customer):
    usage = None
    async for chunk in response.content.iter_any():
        for line in chunk.decode().split("\\n"):  # <- finding
            if line.startswith("data:"):
                usage = json.loads(line[5:]).get("usage") or usage
        yield chunk
    record_usage(customer.id, usage["total_tokens"])
""",
    ),
    Example(
        "python",
        """
import json
from billing import record_usage

async def relay(response, customer):
    usage = None
    async for line in response.aiter_lines():
        if line.startswith("data:"):
            usage = json.loads(line[5:]).get("usage") or usage
        yield line
    record_usage(customer.id, usage["total_tokens"])
""",
    ),
    Example(
        "go",
        """
package relay

func stream(ctx context.Context, body io.Reader, customer string) {
	var usage Usage
	go func() {  // <- finding
		scanner := bufio.NewScanner(body)
		for scanner.Scan() {
			usage = usageIn(scanner.Text(), usage)
		}
	}()
	forward(ctx, body)
	billing.RecordUsage(ctx, customer, usage.TotalTokens)
}
""",
    ),
    Example(
        "go",
        """
package relay

func stream(ctx context.Context, body io.Reader, customer string) {
	var usage Usage
	done := make(chan struct{})
	go func() {
		defer close(done)
		scanner := bufio.NewScanner(body)
		for scanner.Scan() {
			usage = usageIn(scanner.Text(), usage)
		}
	}()
	forward(ctx, body)
	<-done
	billing.RecordUsage(ctx, customer, usage.TotalTokens)
}
""",
    ),
)
