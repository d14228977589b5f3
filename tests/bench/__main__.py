"""Prints what reviewing costs, beside the bare parse of the same files in the same run: `make bench`. It judges nothing."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import tree_sitter_go
import tree_sitter_javascript
import tree_sitter_python
import tree_sitter_typescript
from rich.console import Console
from tree_sitter import Language, Parser

from rules import catalog
from rules.code import OwnNames
from rules.judge import judge
from rules.languages import front_end
from tests.bench.corpus import Sample, corpus

REPEATS = 5
ENOUGH = 2.0
"""Seconds of processor time for one step of one file."""
COUNTS = (1, 10, 100)
JAVASCRIPT, TYPESCRIPT = tree_sitter_javascript.language, tree_sitter_typescript.language_typescript
GRAMMARS = {
    **dict.fromkeys((".js", ".jsx", ".mjs", ".cjs"), Language(JAVASCRIPT())),
    **dict.fromkeys((".ts", ".mts", ".cts"), Language(TYPESCRIPT())),
    ".tsx": Language(tree_sitter_typescript.language_tsx()),
    ".py": Language(tree_sitter_python.language()),
    ".go": Language(tree_sitter_go.language()),
}
ROW = "{:<19} {:>5} {:>7} {:>6} {:>14} {:>16}  {}"
STEPS: dict[str, Callable[[Sample], object]] = {}


def step(run: Callable[[Sample], object]) -> Callable[[Sample], object]:
    STEPS[run.__name__] = run
    return run


@step
def parse(sample: Sample) -> object:
    return Parser(GRAMMARS[Path(sample.path).suffix]).parse(sample.text.encode())


@step
def lower(sample: Sample) -> object:
    read = front_end(sample.path)
    assert read is not None
    return read(sample.path, sample.text.encode())


@step
def judged(sample: Sample) -> object:
    return judge(sample.path, sample.text, catalog.rules(), OwnNames(), sample.path)


def main() -> None:
    console = Console(width=128, highlight=False)
    folder = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
    samples = [one for one in corpus(folder) if Path(one.path).suffix in GRAMMARS]
    if not samples:
        sys.exit(f"{folder} holds no file of a language that is read.")
    console.print(f"{len(samples)} files of {folder or 'this repository, and generated ones'}, {len(catalog.rules())} rules.")
    console.print(f"Medians of up to {REPEATS} runs; ms of processor time per 1,000 lines; in brackets times the bare parse.\n")
    costs(samples, console)
    audits(samples, console)


def costs(samples: Sequence[Sample], console: Console) -> None:
    console.print(ROW.format("", "files", "lines", "parse", "lower", "whole judgement", "slowest file"))
    for title, wanted in (("in scope", True), ("out of scope", False)):
        of_kind = [one for one in samples if one.in_scope is wanted]
        for ending, chosen in by_language(of_kind):
            console.print(ROW.format(f"{title}, {ending}", *measured(chosen)))


def by_language(samples: Sequence[Sample]) -> list[tuple[str, list[Sample]]]:
    endings = sorted({Path(one.path).suffix for one in samples})
    return [(ending, [one for one in samples if Path(one.path).suffix == ending]) for ending in endings]


def measured(samples: Sequence[Sample]) -> list[str]:
    lines = sum(one.lines for one in samples)
    for run in STEPS.values():
        # What is loaded and compiled once does not count.
        run(samples[0])
    spent = {name: [cpu(run, one) for one in samples] for name, run in STEPS.items()}
    per_1000 = {name: sum(seconds) * 1e6 / lines for name, seconds in spent.items()}
    slowest = max(range(len(samples)), key=lambda at: spent["judged"][at])
    cells = [f"{per_1000['parse']:.2f}"]
    cells += [f"{per_1000[name]:.2f} ({per_1000[name] / per_1000['parse']:.1f})" for name in ("lower", "judged")]
    return [
        str(len(samples)),
        f"{lines:,}",
        *cells,
        f"{spent['judged'][slowest] * 1000:.0f} ms {Path(samples[slowest].path).name}",
    ]


def cpu(run: Callable[[Sample], object], sample: Sample) -> float:
    """Seconds of processor time, the median of REPEATS runs, or of fewer where they take longer than ENOUGH together."""
    taken: list[float] = []
    while len(taken) < REPEATS and sum(taken) < ENOUGH:
        start = time.process_time()
        run(sample)
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def audits(samples: Sequence[Sample], console: Console) -> None:
    """The whole program, from the shell's point of view, over copies of files of ordinary length that are in scope."""
    usual = [one for one in samples if one.in_scope and one.lines <= 1000] or list(samples)
    console.print("\nmeteraudit audit, the whole process")
    for count in COUNTS:
        chosen = [usual[at % len(usual)] for at in range(count)]
        with tempfile.TemporaryDirectory(prefix="meteraudit-bench-") as name:
            for at, one in enumerate(chosen):
                (Path(name) / f"file_{at}{Path(one.path).suffix}").write_text(one.text, encoding="utf-8")
            taken = [whole_process(name) for _ in range(REPEATS)]
        files = f"{count} file{'s' if count > 1 else ''}"
        lines = sum(one.lines for one in chosen)
        wall, used = (statistics.median(column) for column in zip(*taken, strict=True))
        console.print(f"{files:<12} {lines:>8,} lines: {wall:.2f} s on the wall, {used:.2f} s of processor time")


def whole_process(folder: str) -> tuple[float, float]:
    """Seconds on the wall, and of processor time, which a busy machine does not change."""
    program = Path(sys.executable).with_name("meteraudit")
    start, before = time.monotonic(), os.times()
    done = subprocess.run([program, "audit", folder, "--root", folder], capture_output=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit(done.stderr.decode())
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - start, used


if __name__ == "__main__":
    main()
