"""How messages name what the code calls: by the names that stand there, where the facts leave an ending out."""

import re
from dataclasses import replace

from rules.code import Code
from rules.rule import Finding

QUOTED = re.compile(r"`([\w.()]*\w)`")


def as_written(code: Code, finding: Finding) -> Finding:
    """C#'s `SaveAsync` and `Save` are one name in the facts; a message says the one that the file has."""
    if code.facts.language != "csharp":
        return finding
    source = code.facts.source.decode(errors="replace")
    if code.base is not None:
        source += code.base.facts.source.decode(errors="replace")

    def spelled(match: re.Match[str]) -> str:
        last = match[1].rpartition(".")[2]
        plain = re.search(rf"\b{re.escape(last)}\b", source) is not None
        return f"`{match[1]}Async`" if not plain and f"{last}Async" in source else match[0]

    return replace(
        finding,
        description=QUOTED.sub(spelled, finding.description),
        remediation=QUOTED.sub(spelled, finding.remediation),
    )
