"""From a change to its report: one pure function, the middle of the program."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from rules import catalog
from rules.change import Change, ChangedFile, NotAnalyzed
from rules.code import Code, OwnNames
from rules.copies import said_once
from rules.facts import fold
from rules.ignores import Ignore, ignores, silences
from rules.judge import Around, Judged, Said, judge
from rules.options import Options
from rules.project import Before, Project
from rules.report import FileDone, Report, Reported, State, Subject, Suppressed, Tool
from rules.reporting import Lines, reported
from rules.rule import Rule
from rules.scope import touched
from rules.score import score
from rules.sections import checks, sections, seen_of, summary
from rules.siblings import with_siblings
from rules.together import together
from rules.trace import meters_of
from rules.verdict import gate, gravity, with_shown

SCHEMA = "meteraudit/report/1"

OnFile = Callable[[FileDone], None]
Work = Callable[[ChangedFile], "FileResult"]
Each = Callable[[Work, Sequence[ChangedFile]], Iterable["FileResult"]]
"""Does the work for every file and gives the results in their order; another than the usual may do so in several processes."""


@dataclass(frozen=True, slots=True, eq=False)
class FileResult:
    """What one file contributed."""

    judged: Judged
    findings: tuple[Reported, ...]
    fixed: tuple[str, ...]
    suppressed: tuple[Suppressed, ...]
    touched: frozenset[str]
    not_analyzed: tuple[NotAnalyzed, ...]
    judged_path: str | None = None
    """Of a file that was judged, not only looked at."""


def one_after_another(work: Work, files: Sequence[ChangedFile]) -> Iterable[FileResult]:
    return map(work, files)


def examine(
    change: Change, options: Options, version: str, on_file: OnFile | None = None, each: Each = one_after_another
) -> Report:
    """The report of a change. Pure: the same input gives the same report. `on_file` is told of each file once it is judged."""
    rules = tuple(rule for rule in catalog.rules() if options.rules.get(rule.about.id) != "off")
    names = own_names(options)
    ends = projects(change, names)
    results: list[FileResult] = []
    if each is not one_after_another:
        # What all files share is worked out before the work is divided.
        ends[1].prepare()
    work = partial(examine_file, change=change, options=options, rules=rules, names=names, ends=ends)
    for number, (file, result) in enumerate(zip(change.files, each(work, change.files), strict=True), 1):
        results.append(with_code(result, ends[1]))
        if on_file is not None:
            on_file(FileDone(file.path, number, len(change.files), result.findings, result.not_analyzed))
    judged = frozenset(result.judged.code.facts.path for result in results if result.judged.code is not None)
    found = with_siblings((one for result in results for one in result.findings), ends[1].trace.graph, judged)
    if ends[1].whole:
        found = said_once(found, ends[1])
    findings = with_shown(found, options) if change.mode == "review" else all_in_summary(found)
    new = tuple(finding for finding in findings if finding.state != "existing")
    parts = frozenset().union(*(result.touched for result in results))
    codes = tuple(result.judged.code for result in results if result.judged.code is not None)
    # The answers speak of the code as it is, whatever a change brought and whatever was there before.
    seen = seen_of(codes, findings, ends[1])
    told = summary(seen, new)
    graded = score(new, parts) if told.applies else None
    return Report(
        schema=SCHEMA,
        tool=Tool("meteraudit", version, len(catalog.rules())),
        mode=change.mode,
        subject=Subject(change.repository, change.pull_request, change.base, change.head),
        summary=told,
        findings=findings,
        fixed=tuple(one for result in results for one in result.fixed),
        sections=sections(seen, parts | {finding.section for finding in new}),
        meters=meters_of(ends[1].trace, judged),
        score=graded,
        checks=checks(seen),
        actions=tuple(one.fingerprint for one in new if one.severity in ("critical", "high") and one.confidence != "possible"),
        suppressed=tuple(one for result in results for one in result.suppressed),
        not_analyzed=(*change.not_analyzed, *(one for result in results for one in result.not_analyzed)),
        gate=gate(findings, graded, options, change.mode),
    )


def with_code(result: FileResult, project: Project) -> FileResult:
    """A result that came from another process has left the code behind: the same file is at hand here."""
    if result.judged_path is None or result.judged.code is not None:
        return result
    return replace(result, judged=replace(result.judged, code=project.code_at(result.judged_path)))


def sent(result: FileResult) -> FileResult:
    """A result as it goes to another process: without code, which is at hand there, and without what is told by now."""
    return replace(result, judged=Judged(None, reason=result.judged.reason, failed=result.judged.failed))


def own_names(options: Options) -> OwnNames:
    return OwnNames(
        *(frozenset(map(fold, names)) for names in (options.names.emit, options.names.aggregate, options.names.limit))
    )


def all_in_summary(findings: list[Reported]) -> tuple[Reported, ...]:
    return tuple(replace(finding, shown="summary") for finding in sorted(findings, key=gravity))


def projects(change: Change, names: OwnNames) -> tuple[Project, Project]:
    """The project at the base and at the head: what did not change is context of both."""
    base = {file.base_path or file.path: file.base for file in change.files if file.base is not None}
    head = {file.path: file.head for file in change.files if file.head is not None}
    complete = frozenset(map(fold, change.complete))
    shared: dict[str, tuple[str, Code | None]] = {}
    texts = {**change.context, **change.base_context, **base}
    was = Project(texts, names, False, complete, dict.fromkeys(base, Before()), shared=shared)
    before = {
        file.path: Before(was if file.base is not None else None, file.base_path or file.path, file.deleted)
        for file in change.files
        if file.head is not None
    }
    whole = change.mode == "audit" and not change.partial
    return was, Project({**change.context, **head}, names, whole, complete, before, change.rest, change.sought, shared)


def examine_file(
    file: ChangedFile,
    change: Change,
    options: Options,
    rules: tuple[Rule, ...],
    names: OwnNames,
    ends: tuple[Project, Project],
) -> FileResult:
    """Judges a file at the head and, in a review, at the base, and compares."""
    identity = file.base_path or file.path
    base = (
        judge(identity, file.base, rules, names, identity, Around(elsewhere=ends[0])) if file.base is not None else Judged(None)
    )
    around = Around(base.code, file.deleted, ends[1])
    head = judge(file.path, file.head, rules, names, identity, around) if file.head is not None else Judged(None)
    before = Counter(said.fingerprint for said in base.said)
    marks = ignores(file.head or "")
    kept, silenced = parted(head.said, marks)
    texts = (Lines(file.head or ""), Lines(file.base or ""))
    every = [reported(said, file, texts, state(said, before, change), options) for said in kept]
    findings = together(kept, every, head.code)
    after = {said.fingerprint for said in head.said}
    lines_touched = None if change.mode == "audit" else file.added
    return FileResult(
        head,
        findings,
        tuple(one for one in before if one not in after) if head.reason is None else (),
        tuple(suppressions(file.path, silenced, marks)),
        sections_touched(head, base, file, lines_touched),
        tuple(unread(file.path, head)),
        file.path if head.code is not None else None,
    )


def sections_touched(head: Judged, base: Judged, file: ChangedFile, lines: frozenset[int] | None) -> frozenset[str]:
    """By the lines that the change adds, and by those that it takes away."""
    found = touched(head.code, lines) if head.code is not None else frozenset()
    return found | touched(base.code, file.deleted) if base.code is not None and lines is not None else found


def state(said: Said, before: Counter[str], change: Change) -> State:
    return "existing" if change.mode == "review" and before[said.fingerprint] else "new"


def parted(said: tuple[Said, ...], marks: tuple[Ignore, ...]) -> tuple[list[Said], list[tuple[Said, Ignore]]]:
    """What stays, and what an ignore comment with a reason silences."""
    kept: list[Said] = []
    silenced: list[tuple[Said, Ignore]] = []
    for one in said:
        span = one.finding.span
        # A line that is gone has no comment beside it: the reason stands where the guarded write is.
        first, last = (span.line, span.end_line) if not one.finding.at_base or one.finding.cause is None else lines_of(one)
        mark = next((m for m in marks if silences(m, one.rule.about.id, one.rule.name, first, last)), None)
        if mark is None:
            kept.append(one)
        else:
            silenced.append((one, mark))
    return kept, silenced


def lines_of(said: Said) -> tuple[int, int]:
    cause = said.finding.cause or said.finding.span
    return cause.line, cause.end_line


def suppressions(path: str, silenced: list[tuple[Said, Ignore]], marks: tuple[Ignore, ...]) -> Iterator[Suppressed]:
    for said, mark in silenced:
        yield Suppressed(said.fingerprint, mark.reason, path, mark.line)
    for mark in marks:
        if not mark.reason:
            yield Suppressed(None, None, path, mark.line)


def unread(path: str, judged: Judged) -> Iterator[NotAnalyzed]:
    if judged.reason is not None:
        yield NotAnalyzed(path, judged.reason)
    for rule in judged.failed:
        yield NotAnalyzed(path, f"{rule} could not finish on it")
    if judged.code is not None and judged.code.facts.broken:
        lines = sorted({span.line for span in judged.code.facts.broken})
        yield NotAnalyzed(path, f"does not parse at line {', '.join(map(str, lines[:5]))}; the rest was judged")
