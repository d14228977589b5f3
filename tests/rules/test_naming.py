"""The names of stores' keys, as far as they are written out."""

import pytest

from rules.code import Code, OwnNames
from rules.languages import front_end


def keys(text: str, path: str) -> list[str]:
    lower = front_end(path)
    assert lower is not None
    return [one.name for one in Code(lower(path, text.encode()), OwnNames()).uses]


def test_a_key_is_a_template_of_what_is_filled_in() -> None:
    assert keys("async function count(id) { await redis.incr(`usage:${id}:daily`); }", "usage.ts") == ["usage:*:daily"]


@pytest.mark.parametrize(
    "text",
    [
        "let key = 'usage:';\nkey = `${key}daily`;\nasync function count() { await redis.incr(key); }",
        "let key = 'usage:';\nkey = key + 'daily';\nasync function count() { await redis.incr(key + ':x'); }",
        "function keyOf(id) { return 'usage:' + keyOf(id); }\nasync function count(id) { await redis.incr(keyOf(id)); }",
    ],
)
def test_a_key_that_is_made_of_itself_comes_to_an_end(text: str) -> None:
    assert len(keys(text, "usage.ts")) <= 1
