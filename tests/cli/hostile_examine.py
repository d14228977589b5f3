"""Stands for the engine in the sandbox's tests: does what a file says, so that real workers really die."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

from rules.change import Change, ChangedFile, NotAnalyzed
from rules.engine import OnFile
from rules.engine import examine as usual
from rules.options import Options
from rules.report import Report

CRASH, SLEEP, SPIN, EAT, RAISE, SLOW, TOLD = "crash", "sleep", "spin", "eat", "raise", "slow", "told"


def examine(change: Change, options: Options, version: str, on_file: OnFile | None = None) -> Report:
    told = [do(file.head or "") for file in change.files]
    report = usual(change, options, version, on_file)
    heard = tuple(NotAnalyzed("heard", text) for text in told if text)
    return replace(report, not_analyzed=(*report.not_analyzed, *heard))


def only_together(change: Change, options: Options, version: str, on_file: OnFile | None = None) -> Report:
    """Dies of two files, never of one."""
    if len(change.files) > 1:
        os.kill(os.getpid(), signal.SIGSEGV)
    return usual(change, options, version, on_file)


def afterwards(change: Change, options: Options, version: str, on_file: OnFile | None = None) -> Report:
    """Judges all, telling of each, and only then does what the files say."""
    report = usual(change, options, version, on_file)
    for one in change.files:
        do(one.head or "")
    return report


def do(text: str) -> str:
    if text == CRASH:
        os.kill(os.getpid(), signal.SIGSEGV)
    elif text == SLEEP:
        time.sleep(600)
    elif text == SPIN:
        while True:
            pass
    elif text == EAT:
        held = []
        while True:
            held.append(bytes(50_000_000))
    elif text == RAISE:
        raise RecursionError
    elif text == SLOW:
        time.sleep(0.4)
    elif text == TOLD:
        return repr((sorted(os.environ), Path("/proc/self/environ").read_text()))
    return ""


def file(path: str, text: str) -> ChangedFile:
    return ChangedFile(path, None, text)
