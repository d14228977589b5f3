"""How a report reads: one module a form, each a pure function of the report."""

from collections.abc import Callable, Mapping

from rules.report import Report


def _text(report: Report) -> str:
    # rich takes a while to import and most runs of the server never need it.
    from bot.report.terminal import as_text

    return as_text(report)


def _markdown(report: Report) -> str:
    from bot.report.markdown import as_markdown

    return as_markdown(report)


def _json(report: Report) -> str:
    from bot.report.document import as_json

    return as_json(report).decode()


def _sarif(report: Report) -> str:
    from bot.report.sarif import as_sarif

    return as_sarif(report)


def _html(report: Report) -> str:
    from bot.report.html import as_html

    return as_html(report)


def _github(report: Report) -> str:
    from bot.report.workflow import as_commands

    return as_commands(report)


FORMATS: Mapping[str, Callable[[Report], str]] = {
    "text": _text,
    "markdown": _markdown,
    "json": _json,
    "sarif": _sarif,
    "html": _html,
    "github": _github,
}
"""What `--format` takes. Every text ends in a newline."""
