"""Texts that are put together with `+`, in languages where they are often statements of SQL over several lines."""

import re

from rules.facts import Binary, Expression, Literal, Span, Template

STATEMENT = re.compile(
    r"^\s*(?:select|with|update|insert\s+into|delete\s+from|merge\s+into|create\s+|alter\s+)\b", re.IGNORECASE
)


def joined_text(place: Span, values: list[Expression]) -> Expression:
    """Texts alone are one text, and a statement of SQL is a template; any other sum stays a Binary."""
    texts = [one.value for one in values if isinstance(one, Literal) and isinstance(one.value, str)]
    if len(texts) == len(values):
        return Literal(place, "".join(texts))
    if texts and isinstance(values[0], Literal) and STATEMENT.match(str(values[0].value)):
        return Template(place, tuple(merged(values)))
    made = values[0]
    for value in values[1:]:
        made = Binary(between(made.span, value.span), "+", made, value)
    return made


def merged(values: list[Expression]) -> list[Expression]:
    """Neighbouring texts as one."""
    found: list[Expression] = []
    for one in values:
        last = found[-1] if found else None
        if is_text(one) and last is not None and is_text(last):
            assert isinstance(one, Literal)
            assert isinstance(last, Literal)
            found[-1] = Literal(between(last.span, one.span), f"{last.value}{one.value}")
        else:
            found.append(one)
    return found


def is_text(one: Expression) -> bool:
    return isinstance(one, Literal) and isinstance(one.value, str)


def between(first: Span, last: Span) -> Span:
    return Span(first.line, last.end_line, first.start, last.end)
