"""The Python front end, one truth at a time."""

from rules.languages.python import lower


def texts(source: str) -> list[str]:
    return [comment.text for comment in lower("code.py", source.encode()).comments]


def test_a_comment_that_opens_a_block_is_read() -> None:
    assert ["0 means unlimited"] == texts("def f(limit):\n    # 0 means unlimited\n    return limit\n")


def test_comments_come_once_each_and_in_source_order() -> None:
    source = "# one\nx = f(  # two\n    1,\n)\nif x:\n    # three\n    pass\n"

    assert ["one", "two", "three"] == texts(source)
