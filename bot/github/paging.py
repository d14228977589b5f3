"""Walks the pages of a list along GitHub's Link header."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from bot.github import answers
from bot.github.errors import Unexpected
from bot.github.transport import Answer, Request

T = TypeVar("T")

PER_PAGE = 100
MAX_PAGES = 100


async def pages(first: Answer, send: Callable[[Request], Awaitable[Answer]], page: type[T], operation: str) -> AsyncIterator[T]:
    """The decoded pages, beginning with an answer in hand. Raises Unexpected rather than stop silently at MAX_PAGES."""
    answer = first
    for _ in range(MAX_PAGES):
        yield answers.decoded(answer, page, operation)
        following = answers.next_page(answer)
        if following is None:
            return
        answer = await send(Request("GET", following, operation))
    raise Unexpected(operation, detail=f"more than {MAX_PAGES} pages")
