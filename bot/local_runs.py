"""What `review` and `audit` do on this machine: read, judge, show, and answer with the exit code."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bot import git
from bot.actions import add_summary, event
from bot.audit import audit_change, bundle_change
from bot.bundle import BundleError, read_bundle
from bot.forked import in_processes
from bot.git import LocalError
from bot.local import LocalChange, change_between, ends, ends_of_event
from bot.local_configuration import InForce, at_commit, concluded, on_disk
from bot.printing import note, write
from bot.report import FORMATS
from bot.report.quoting import clipped, visible_name
from rules.change import Change
from rules.engine import OnFile, examine, own_names
from rules.options import Options
from rules.report import FileDone, Report

PASS, BLOCKED = 0, 1
BLOCKING = ("failure", "action_required")
STANDARD_INPUT = "-"

Say = Callable[[str], None]


def review(repo: Path, base: str | None, head: str | None, form: str, output: Path | None) -> int:
    """Reviews the change between two revisions, or up to the working tree. Raises LocalError."""
    with progress() as bar:
        bar.say("Reading the change")
        repository = git.open_repository(repo)
        started = event() if form == "github" and base is None and head is None else None
        between = ends_of_event(repository, started.base, started.head) if started else ends(repository, base, head)
        settled = at_commit(repository, between.configured_at)
        local = change_between(repository, between, settled.excluded)
        bar.say(f"Judging {files(len(local.change.files))}")
        # The working tree is the user's own code; a revision may be anybody's.
        judge = in_this_process if between.head is None else in_sandbox
        report, partial = judge(local.change, settled.options, bar.done)
    return show(concluded(report, settled, partial or local.partial), local, settled, form, output)


def audit(paths: Sequence[str], root: Path, form: str, output: Path | None, watched: bool = False) -> int:
    """Audits files and folders, or the bundle on standard input; with `watched`, again after each change. Raises LocalError."""
    if not root.is_dir():
        raise LocalError(f"{root} is not a folder: name the root of the project with --root.")
    if STANDARD_INPUT in paths and len(paths) > 1:
        raise LocalError("- reads the whole audit from standard input: give either it or paths.")
    if STANDARD_INPUT in paths and watched:
        raise LocalError("Standard input does not change: give --watch files or folders.")
    if not watched:
        return audit_once(paths, root, form, output)
    return audit_again(paths, root, form, output)


def audit_again(paths: Sequence[str], root: Path, form: str, output: Path | None) -> int:
    """After each change, until the user interrupts; the code is that of the last audit."""
    from bot.watching import changes

    code = PASS
    try:
        for count in changes([Path(path) for path in paths] or [root], root):
            if count:
                note(f"{files(count)} changed: auditing again.")
            try:
                code = audit_once(paths, root, form, output)
            except LocalError as error:
                if not count:
                    raise
                # A file may be gone for a moment while an editor replaces it.
                note(f"meteraudit: {error}")
            note("Watching for changes; Ctrl-C ends.")
    except KeyboardInterrupt:
        return code
    return code


def audit_once(paths: Sequence[str], root: Path, form: str, output: Path | None) -> int:
    with progress() as bar:
        settled = on_disk(root)
        if list(paths) == [STANDARD_INPUT]:
            local = bundle_change(bundle_on_standard_input())
        else:
            local = audit_change(
                [Path(path) for path in paths] or [root], root, settled.excluded, lambda path: bar.say(f"Reading {path}")
            )
        bar.say(f"Judging {files(len(local.change.files))}")
        report = examine(local.change, settled.options, version("meteraudit"), bar.done, in_processes)
    return show(concluded(report, settled, False), local, settled, form, output)


def collect(folder: Path, budget: int, output: Path | None) -> int:
    """Writes the bundle of a folder. Raises LocalError."""
    from bot.collect import collect as collected

    if not folder.is_dir():
        raise LocalError(f"{folder} is not a folder: name the one to collect from.")
    with progress() as bar:
        settled = on_disk(folder)
        names = own_names(settled.options)
        bundle = collected(folder, budget, settled.excluded, names, lambda path: bar.say(f"Reading {path}"))
    write(bundle, output)
    return PASS


def bundle_on_standard_input() -> dict[str, str]:
    try:
        return read_bundle(sys.stdin.buffer.read().decode("utf-8"))
    except UnicodeDecodeError as error:
        raise LocalError("The bundle on standard input is not UTF-8 text: write it with `meteraudit collect`.") from error
    except BundleError as error:
        raise LocalError(f"Standard input cannot be audited: {error}.") from error


def in_this_process(change: Change, options: Options, on_file: OnFile | None) -> tuple[Report, bool]:
    return examine(change, options, version("meteraudit"), on_file), False


def in_sandbox(change: Change, options: Options, on_file: OnFile | None) -> tuple[Report, bool]:
    """The report, and whether a file was left out because it made the analysis fail."""
    from bot.sandbox import Sandbox, SandboxError, Watch, incomplete

    with Sandbox(start="fork") as sandbox:
        try:
            report = sandbox.examine_safely(change, options, version("meteraudit"), Watch(on_file) if on_file else None)
        except SandboxError as error:
            raise LocalError(f"{error} Review a smaller change, or audit single files.") from error
    return report, incomplete(report)


def show(report: Report, local: LocalChange, settled: InForce, form: str, output: Path | None) -> int:
    """The report to where it was asked for, what else there is to know to standard error, and the exit code."""
    for error in settled.errors:
        note(str(error))
    if form == "text" and output is None:
        if left_alone := described(local.excluded):
            note(left_alone)
        if sys.stdout.isatty():
            on_terminal(report)
            return exit_code(report)
    write(FORMATS[form](report), output)
    if form == "github":
        add_summary(report)
    return exit_code(report)


def exit_code(report: Report) -> int:
    return BLOCKED if report.gate.conclusion in BLOCKING else PASS


def described(excluded: Mapping[str, int]) -> str | None:
    """`Left alone: 3 files (2 test, 1 vendored)`."""
    if not excluded:
        return None
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(excluded.items()))
    return f"Left alone: {files(sum(excluded.values()))} ({reasons})"


def files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"


def on_terminal(report: Report) -> None:
    from rich.console import Console

    from bot.report.terminal import print_report

    print_report(report, Console())


@dataclass(frozen=True, slots=True)
class Bar:
    """What tells of long work."""

    say: Say
    done: OnFile | None = None
    """Told of each judged file; None where nobody looks."""


@contextmanager
def progress() -> Iterator[Bar]:
    """Shows on a terminal what is going on and how far it is; says nothing in a pipe."""
    if not sys.stderr.isatty():
        yield Bar(lambda text: None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    told = TextColumn("{task.description}", markup=False)
    columns = (told, BarColumn(bar_width=20), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("", total=None)

        def say(text: str) -> None:
            shown.update(task, description=clipped(visible_name(text), 70))

        def judged(file: FileDone) -> None:
            say(f"Judged {file.path}")
            shown.update(task, completed=file.number, total=file.of)

        yield Bar(say, judged)
