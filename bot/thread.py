"""What to do with the comments on a pull request: pure, from what was found and what stands there to a list of steps.

One finding has at most one comment, for as long as the pull request lives. It is posted once, left alone while the finding
is there, struck through when it is gone and brought back when it returns. What a human did to it stands: a comment that was
deleted or resolved is not said again. Absence of analysis is no absence of the finding.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bot.memory import Remembered
from bot.report.comments import heading_of, is_retired, retired_body


@dataclass(frozen=True, slots=True)
class Existing:
    """A comment of ours as it stands on GitHub. `thread_id` is None where the threads could not be read."""

    comment_id: int
    node_id: str
    fingerprint: str
    rule: str
    path: str
    body: str
    place: tuple[int | None, int | None, str | None]
    """Start line, line and side now; the line is None once it is outdated."""
    thread_id: str | None = None
    hidden: bool = False
    resolved: bool = False
    resolved_by_human: bool = False
    resolvable: bool = False
    replied: bool = False
    """By somebody else."""
    announced: tuple[str, ...] = ()
    """What we have answered in the thread."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What the review found out."""

    head: str
    present: frozenset[str]
    """Fingerprints of all findings at the head, new or not, that count."""
    silenced: Mapping[str, str]
    """Those that are there and do not count: why, as a sentence."""
    fate: Callable[[str, str], str | None]
    """(path, rule) -> what became of a finding that is not there, as a sentence; None where it was not looked at."""
    wanted: tuple[str, ...]
    """Fingerprints that are to have a comment, in order."""
    body: Callable[[str, tuple[int | None, int | None, str | None]], str]
    """(fingerprint, place) -> the text of its comment at that place."""
    can_hide: bool = True


@dataclass(frozen=True, slots=True)
class Post:
    """A new comment."""

    fingerprint: str


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Other words for a comment that stands."""

    comment: Existing
    body: str


@dataclass(frozen=True, slots=True)
class Retire:
    """Strike through, then hide and resolve as far as it is allowed. `body` is None where it is already struck through."""

    comment: Existing
    body: str | None
    acknowledged: bool = False


@dataclass(frozen=True, slots=True)
class Restore:
    """Bring a retired comment back. `reply` is None where it has been said."""

    comment: Existing
    body: str
    reply: str | None


@dataclass(frozen=True, slots=True)
class Remove:
    """A second comment on the same finding, which nobody answered."""

    comment: Existing


Step = Post | Rewrite | Retire | Restore | Remove


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in order, and what became known on the way."""

    steps: tuple[Step, ...]
    learned: Mapping[str, Remembered]
    standing: frozenset[str]
    """Findings that have a live comment already."""
    quiet: Mapping[str, str]
    """Findings that a human put away: `acknowledged` or `dismissed`."""


def plan(now: Situation, comments: Iterable[Existing], remembered: Mapping[str, Remembered]) -> Plan:
    """The steps that make the comments say what is so, and nothing twice."""
    first, steps = without_doubles(comments)
    learned = {**what_humans_did(first, remembered), **rebuilt(first, remembered)}
    known = {**remembered, **learned}
    for one in first.values():
        step = step_for(one, now, known.get(one.fingerprint))
        if step is not None:
            steps.append(step)
    quiet = {print_: one.state for print_, one in known.items() if one.state in ("acknowledged", "dismissed")}
    new = [print_ for print_ in now.wanted if print_ not in first and print_ not in quiet]
    standing = frozenset(first) & now.present - quiet.keys()
    return Plan((*steps, *map(Post, new)), learned, standing, quiet)


def without_doubles(comments: Iterable[Existing]) -> tuple[dict[str, Existing], list[Step]]:
    """The oldest comment of each finding. A write whose answer was lost may have landed late, beside its repetition."""
    first: dict[str, Existing] = {}
    steps: list[Step] = []
    for one in sorted(comments, key=lambda one: one.comment_id):
        if one.fingerprint not in first:
            first[one.fingerprint] = one
        elif not one.replied:
            steps.append(Remove(one))
    return first, steps


def what_humans_did(first: Mapping[str, Existing], remembered: Mapping[str, Remembered]) -> dict[str, Remembered]:
    """Comments that were deleted, and threads that were resolved or opened again, since we last looked."""
    learned = {}
    for print_, known in remembered.items():
        if known.state == "shown" and print_ not in first:
            learned[print_] = Remembered(known.comment_id, "dismissed")
    for print_, one in first.items():
        state = remembered[print_].state if print_ in remembered else None
        if one.thread_id is None or is_retired(one.body):
            continue
        if one.resolved_by_human and state != "acknowledged":
            learned[print_] = Remembered(one.comment_id, "acknowledged")
        elif not one.resolved and state == "acknowledged":
            learned[print_] = Remembered(one.comment_id, "shown")
    return learned


def rebuilt(first: Mapping[str, Existing], remembered: Mapping[str, Remembered]) -> dict[str, Remembered]:
    """Comments that the database does not know: it was lost, or we died before we wrote them down."""
    return {
        print_: Remembered(one.comment_id, "shown")
        for print_, one in first.items()
        if print_ not in remembered and not is_retired(one.body) and not one.resolved_by_human
    }


def step_for(one: Existing, now: Situation, known: Remembered | None) -> Step | None:
    """What a comment that stands there needs."""
    acknowledged = known is not None and known.state == "acknowledged"
    if one.fingerprint in now.present:
        if acknowledged:
            return None
        return restored(one, now) if is_retired(one.body) else reworded(one, now)
    fate = now.silenced.get(one.fingerprint) or now.fate(one.path, one.rule)
    if fate is None:
        return None
    if not is_retired(one.body):
        return Retire(one, retired_body(one.body, fate), acknowledged)
    done = one.hidden or not now.can_hide or (known is not None and known.state != "shown")
    return None if done else Retire(one, None, acknowledged)


def reworded(one: Existing, now: Situation) -> Rewrite | None:
    """Only where severity or title changed: nobody reads a comment twice for another comma."""
    body = now.body(one.fingerprint, one.place)
    return Rewrite(one, body) if heading_of(body) != heading_of(one.body) else None


def restored(one: Existing, now: Situation) -> Restore:
    reply = f"Back in {now.head[:7]}."
    return Restore(one, now.body(one.fingerprint, one.place), None if reply in one.announced else reply)
