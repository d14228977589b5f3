"""How messages name what the code calls: by the names that stand there, where the facts leave something out."""

import re
from dataclasses import replace

from rules.code import Code
from rules.idioms import Idioms
from rules.rule import Finding

QUOTED = re.compile(r"`([A-Za-z_][\w.()]*\w(?:\(\)|[?!])?)`")
OWN = ("this", "self")
JOINT = r"\s*(\?\.|!!\.|&\.|::|\?->|->|\.)\s*"
ARGUMENTS = r"\((?:[^()]|\([^()]*\))*\)"


def as_written(code: Code, finding: Finding) -> Finding:
    """`$this->client->save` is `this.client.save` in PHP's facts, `SaveAsync` is `Save` in C#'s: a message undoes that."""
    if not code.facts.idioms.respelled:
        return finding
    source = code.facts.source.decode(errors="replace")
    if code.base is not None:
        source += code.base.facts.source.decode(errors="replace")

    def respelled(text: str) -> str:
        return QUOTED.sub(lambda match: f"`{spelled(code.facts.idioms, source, match[1])}`", text)

    return replace(
        finding,
        description=respelled(finding.description),
        remediation=respelled(finding.remediation),
        trace=tuple(replace(step, note=respelled(step.note)) for step in finding.trace),
    )


def spelled(idioms: Idioms, source: str, name: str) -> str:
    """A name of the facts as the source spells it; unchanged where the source does not have it."""
    parts = name.split(".")
    if len(parts) == 1:
        return alone(idioms, source, name)
    for dropped in range(len(parts)):
        tail = parts[dropped:]
        if len(tail) == 1 and (dropped > 1 or parts[0] not in OWN):
            break
        if (found := standing(idioms, source, tail)) is not None:
            return found
    return name


def alone(idioms: Idioms, source: str, name: str) -> str:
    """A name without a path: variables may have a sign before them, as in PHP, and calls an `Async` at the end, as in C#."""
    if re.search(rf"(?<![\w$]){re.escape(name)}(?!\w)", source):
        return name
    signed, ended = idioms.sign + name, name + idioms.ending
    if idioms.sign and re.search(rf"{re.escape(signed)}(?!\w)", source):
        return signed
    return ended if ended in source else name


def standing(idioms: Idioms, source: str, parts: list[str]) -> str | None:
    """The first place where these parts follow each other, without what is between parentheses."""
    ending = f"({idioms.ending})?"
    pattern = JOINT.join(re.escape(part.removesuffix("()")) + ARGUMENTS * part.endswith("()") for part in parts)
    for sign in ("[@$]+", ""):
        found = re.search(rf"(?<![\w@$])({sign}){pattern}{ending}(?!\w)", source)
        if found is not None:
            sign, *joints, last = found.groups(default="")
            return sign + "".join(part + joint for part, joint in zip(parts, [*joints, last], strict=True))
    return None
