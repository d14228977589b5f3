"""GET /rules and /rules/MTR-201: the catalogue for readers, and where the links of findings point."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from bot.highlight import coloured_lines
from bot.report.edits import diff_lines
from bot.rule_pages import LANGUAGE_NAMES
from bot.rulebook import rule_page
from bot.web.pages import page, prefix
from rules import catalog
from rules.examples import examples_of
from rules.rule import Rule, Severity
from rules.sections import TITLES


def routes() -> list[BaseRoute]:
    return [Route("/rules", index), Route("/rules/{wanted}", one)]


async def index(request: Request) -> Response:
    """All rules in one table, which the browser filters. `only` names those of one check, separated by commas."""
    only = frozenset(request.query_params.get("only", "").upper().split(",")) - {""}
    rows = [(rule, languages(rule), searched(rule)) for rule in catalog.rules() if not only or rule.about.id in only]
    return page(request, "rules.html", rows=rows, titles=TITLES, severities=[str(one) for one in Severity], only=sorted(only))


async def one(request: Request) -> Response:
    """One rule by its id, or by its name, which leads to the id: every page has one address."""
    wanted = request.path_params["wanted"]
    rule = catalog.rule(wanted) or catalog.rule(wanted.upper()) or catalog.rule(wanted.lower())
    if rule is None:
        return page(request, "no_rule.html", 404, wanted=wanted)
    if wanted != rule.about.id:
        return RedirectResponse(f"{prefix(request.app.state.settings.public_url)}/rules/{rule.about.id}", 308)
    return page(
        request,
        "rule.html",
        shown=rule_page(rule.about.id),
        titles=TITLES,
        coloured_lines=coloured_lines,
        diff_lines=diff_lines,
    )


def languages(rule: Rule) -> list[str]:
    return list(dict.fromkeys(LANGUAGE_NAMES.get(one.language, one.language) for one in examples_of(rule)))


def searched(rule: Rule) -> str:
    """The words by which a rule is found."""
    about = rule.about
    parts = (about.id, rule.name, about.title, *about.classes, *about.cwe, about.iso_25010, *languages(rule), rule.page)
    variants = (word for name, variant in about.variants.items() for word in (name, variant.title))
    return " ".join(" ".join((*parts, *variants)).lower().split())
