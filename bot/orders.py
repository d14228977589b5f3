"""Carries out what people ask for: commands in comments and buttons of the check run."""

from dataclasses import dataclass

import structlog

from bot import checks
from bot.commands import HELP, MOST_AN_HOUR, Command, may, parse, problem
from bot.configuration import configuration_at
from bot.deliveries import PullRequestJob
from bot.desk import Desk
from bot.errands import ButtonErrand, CommandErrand
from bot.explained import configuration_text, rule_text
from bot.github.errors import Forbidden, NotFound, Unanswered
from bot.memory import Decision
from bot.report.comments import read_marker
from bot.report.quoting import code_span
from bot.review import Reviewer, desk_for

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    """A command as it reached us: who gave it, where, and about which finding if it answers one."""

    command: Command
    comment_id: int
    on_line: bool
    login: str
    url: str
    top: int | None = None
    fingerprint: str | None = None


async def obey(reviewer: Reviewer, errand: CommandErrand) -> None:
    """One comment that may be a command. Running it twice does what running it once does."""
    desk = await desk_for(reviewer, PullRequestJob(errand.installation_id, errand.repository_id, errand.number))
    order = await order_in(desk, errand)
    if order is None:
        return
    if await desk.memory.count_command(desk.repository_id, desk.pull.number, order.comment_id) > MOST_AN_HOUR:
        await acknowledge(desk, order, "confused", f"At most {MOST_AN_HOUR} commands an hour and pull request.")
        return
    await react(desk, order, "eyes")
    author = desk.pull.user is not None and desk.pull.user.login == order.login
    if not may(order.command, await role_of(desk, order.login), author):
        await acknowledge(desk, order, "-1", f"{code_span(order.login)} may not do this here; `help` says who may.")
        return
    fault = problem(order.command, order.fingerprint is not None)
    if fault is not None:
        await acknowledge(desk, order, "confused", f"{fault} `/meteraudit help` lists all commands.")
        return
    answer = await carry_out(reviewer, desk, order)
    await acknowledge(desk, order, "+1", answer)


async def order_in(desk: Desk, errand: CommandErrand) -> Order | None:
    """The command as the comment says it now; None if it is gone, ours, a bot's, or no command any more."""
    talk = desk.repository.conversation
    try:
        said = await (talk.said_on_line if errand.on_line else talk.said)(errand.comment_id)
    except NotFound:
        return None
    if said.user is None or said.user.type == "Bot" or desk.ours(said) or said.performed_via_github_app is not None:
        return None
    top, fingerprint = await finding_answered(desk, getattr(said, "in_reply_to_id", None))
    command = parse(said.body, in_thread=fingerprint is not None)
    if command is None:
        return None
    return Order(command, said.id, errand.on_line, said.user.login, said.html_url, top, fingerprint)


async def finding_answered(desk: Desk, top: int | None) -> tuple[int | None, str | None]:
    """The first comment of the thread, and the finding that it is about where it is ours."""
    if top is None:
        return None, None
    try:
        first = await desk.repository.conversation.said_on_line(top)
    except NotFound:
        return None, None
    mark = read_marker(first.body) if desk.ours(first) else None
    return top, mark.fingerprint if mark else None


async def role_of(desk: Desk, login: str) -> str:
    """By permission: `author_association` hides private members."""
    try:
        found = await desk.repository.permission_of(login)
    except NotFound:
        return "none"
    return found.role_name or found.permission


async def carry_out(reviewer: Reviewer, desk: Desk, order: Order) -> str:
    """Does it; what is to be answered, empty for nothing."""
    command, target = order.command, order.command.target or order.fingerprint or ""
    if command.name == "help":
        return HELP
    if command.name == "explain":
        return rule_text(target)
    if command.name == "config":
        return configuration_text(await configuration_at(reviewer.github, desk, reviewer.public_url))
    if command.name != "rerun":
        words = await decide(desk, order, target)
        if words:
            return words
    if command.name in ("rerun", "override"):
        await checks.ask_again(desk, desk.pull.head.sha)
    await reviewer.queue(PullRequestJob(desk.installation_id, desk.repository_id, desk.pull.number))
    return ""


async def decide(desk: Desk, order: Order, target: str) -> str:
    """Keeps the decision or takes one back; the answer where there was nothing to take back."""
    memory, repository_id, number = desk.memory, desk.repository_id, desk.pull.number
    name = order.command.name
    if name in ("unignore", "resume"):
        there = await memory.undecide(
            repository_id, number, "ignore" if name == "unignore" else "pause", target if name == "unignore" else ""
        )
        return "" if there else "There was nothing to take back."
    if name == "ignore":
        one = Decision("ignore", target, order.login, order.url)
    elif name == "override":
        one = Decision("override", desk.pull.head.sha, order.login, order.url)
    else:
        one = Decision("pause", "", order.login, order.url)
    await memory.decide(repository_id, number, one)
    return ""


async def react(desk: Desk, order: Order, content: str) -> bool:
    """Whether GitHub took the reaction; a locked conversation takes none."""
    kind = next(one for one in ("eyes", "+1", "-1", "confused") if one == content)
    try:
        await desk.repository.conversation.react("pulls" if order.on_line else "issues", order.comment_id, kind)
    except (Forbidden, NotFound):
        return False
    return True


async def acknowledge(desk: Desk, order: Order, content: str, words: str) -> None:
    """A reaction, and words only if there is something to say or no reaction can be left."""
    reacted = await react(desk, order, content)
    if words or not reacted:
        await answer(desk, order.comment_id, words or "Done.", order.top if order.fingerprint else None)


async def answer(desk: Desk, about: int, words: str, top: int | None) -> None:
    """One answer to each comment: the mark says to which, and is looked for first."""
    mark = f"<!-- meteraudit:v1 re={about} -->"
    body = f"{words}\n\n{mark}"
    try:
        if await answered(desk, mark, top):
            return
        if top is not None:
            await desk.repository.reply(desk.pull.number, top, body)
        else:
            await desk.repository.conversation.comment(desk.pull.number, body)
    except Forbidden:
        log.info("answer not possible", repository_id=desk.repository_id, pull_request=desk.pull.number)
    except Unanswered:
        if not await answered(desk, mark, top):
            raise


async def answered(desk: Desk, mark: str, top: int | None) -> bool:
    if top is not None:
        said = await desk.repository.review_comments(desk.pull.number)
        return any(one.body.endswith(mark) and desk.ours(one) for one in said)
    spoken = await desk.repository.conversation.comments(desk.pull.number)
    return any(one.body.endswith(mark) and desk.ours(one) for one in spoken)


async def press(reviewer: Reviewer, errand: ButtonErrand) -> None:
    """A button of our check, for every open pull request with its head."""
    repository = reviewer.github.repository(errand.installation_id, errand.repository_id)
    for pull in await repository.pull_requests_of(errand.head_sha):
        desk = await desk_for(reviewer, PullRequestJob(errand.installation_id, errand.repository_id, pull.number))
        if errand.login is not None and not await may_press(desk, errand):
            continue
        if errand.identifier == "rerun":
            await checks.ask_again(desk, errand.head_sha)
            await reviewer.queue(PullRequestJob(errand.installation_id, errand.repository_id, pull.number))
        elif errand.identifier == "explain_config":
            found = await configuration_at(reviewer.github, desk, reviewer.public_url)
            # One answer for each head: pressing again on the same commit would say the same.
            await answer(desk, int(errand.head_sha[:12], 16), configuration_text(found), None)


async def may_press(desk: Desk, errand: ButtonErrand) -> bool:
    author = desk.pull.user is not None and desk.pull.user.login == errand.login
    command = Command("rerun" if errand.identifier == "rerun" else "config")
    return may(command, await role_of(desk, errand.login or ""), author)
