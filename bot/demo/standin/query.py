"""Reads a GraphQL document, without fragments and directives, and picks what it asks for out of plain values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TOKEN = re.compile(r"\s*(?:,|#[^\n]*)*\s*([{}()\[\]:!$=]|\"(?:[^\"\\]|\\.)*\"|-?\d+|[A-Za-z_]\w*)")


class QueryError(Exception):
    """A document that GitHub would not take; the text is the message of its error."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field with its arguments and what is asked of it."""

    name: str
    arguments: Mapping[str, Any]
    fields: tuple[Field, ...]


class Reader:
    """Goes through the tokens of a document."""

    def __init__(self, text: str, variables: Mapping[str, Any]) -> None:
        self.tokens = TOKEN.findall(text)
        if "".join(self.tokens) != re.sub(r"[\s,]", "", re.sub(r"#[^\n]*", "", text)):
            raise QueryError("Parse error")
        self.variables = variables
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, expected: str | None = None) -> str:
        token = self.peek()
        if not token or (expected is not None and token != expected):
            raise QueryError(f"Parse error on {token!r}, expected {expected!r}")
        self.at += 1
        return token

    def operation(self) -> tuple[Field, ...]:
        if self.peek() in ("query", "mutation"):
            self.take()
            if self.peek() not in ("{", "("):
                self.take()
            if self.peek() == "(":
                self.declarations()
        return self.selection()

    def declarations(self) -> None:
        """`($id: ID!, …)`: a variable that is not null must be given."""
        self.take("(")
        while self.peek() != ")":
            self.take("$")
            name = self.take()
            self.take(":")
            while self.peek() == "[":
                self.take()
            self.take()
            needed = False
            while self.peek() in ("!", "]"):
                needed = self.take() == "!"
            if needed and self.variables.get(name) is None:
                raise QueryError(f"Variable ${name} was provided invalid value")
        self.take(")")

    def selection(self) -> tuple[Field, ...]:
        self.take("{")
        fields = []
        while self.peek() != "}":
            name = self.take()
            arguments = self.mapping("(", ")") if self.peek() == "(" else {}
            fields.append(Field(name, arguments, self.selection() if self.peek() == "{" else ()))
        self.take("}")
        return tuple(fields)

    def mapping(self, opening: str, closing: str) -> dict[str, Any]:
        self.take(opening)
        found = {}
        while self.peek() != closing:
            name = self.take()
            self.take(":")
            found[name] = self.value()
        self.take(closing)
        return found

    def value(self) -> Any:
        if self.peek() == "{":
            return self.mapping("{", "}")
        if self.peek() == "$":
            self.take()
            return self.variables.get(self.take())
        word = self.take()
        if word.startswith('"'):
            return word[1:-1]
        if re.fullmatch(r"-?\d+", word):
            return int(word)
        return {"true": True, "false": False, "null": None}.get(word, word)


def parsed(text: str, variables: Mapping[str, Any]) -> tuple[Field, ...]:
    """The fields that a document asks for. Raises QueryError."""
    return Reader(text, variables).operation()


def picked(value: Any, field: Field) -> Any:
    """What a field asks for of a value; a callable in it is asked with the field. Raises QueryError for what is not there."""
    if callable(value):
        value = value(field)
    if isinstance(value, list):
        return [picked(one, field) for one in value]
    if not isinstance(value, dict):
        return value
    if not field.fields:
        raise QueryError(f"Field must have selections (field '{field.name}' returns an object)")
    absent = [one.name for one in field.fields if one.name not in value]
    if absent:
        raise QueryError(f"Field '{absent[0]}' doesn't exist")
    return {one.name: picked(value[one.name], one) for one in field.fields}
