"""Prints what a pull request shows after the review: comments with file and line, and the check run."""

import re
from collections.abc import Sequence

from rich.console import Console
from rich.markdown import Markdown
from rich.rule import Rule

from bot.demo.standin import CheckRun, Comment, Review

DIAGRAM = re.compile(r"^The way of [^\n]*:\n\n```mermaid\n.*?\n```\n\n?", re.MULTILINE | re.DOTALL)


def show(console: Console, run: CheckRun, reviews: Sequence[Review], comments: Sequence[Comment]) -> None:
    for review in reviews:
        console.print(Rule("Review"))
        console.print(Markdown(review.body))
    for comment in comments:
        console.print(Rule(f"{comment.path}:{lines(comment)}", align="left"))
        console.print(Markdown(without_details(comment.body)))
    console.print(Rule("Check run"))
    console.print(f"{run.name}: {run.conclusion}", style="bold", highlight=False)
    console.print(f"{run.title}\n", style="bold", highlight=False)
    console.print(Markdown(without_diagrams(run.summary or "")))


def lines(comment: Comment) -> str:
    return f"{comment.start_line}-{comment.line}" if comment.start_line else str(comment.line)


def without_diagrams(summary: str) -> str:
    """GitHub draws them; at a terminal they would be their source."""
    return DIAGRAM.sub("", summary)


def without_details(body: str) -> str:
    """The folded part of a comment is for a browser."""
    return body.partition("<details>")[0]
