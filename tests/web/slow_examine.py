"""Stands for the engine where a test needs an audit that lasts: it judges, tells, and then waits as a file says."""

import time

from rules.change import Change
from rules.engine import OnFile
from rules.engine import examine as usual
from rules.options import Options
from rules.report import Report

WAIT = "wait "


def examine(change: Change, options: Options, version: str, on_file: OnFile | None = None) -> Report:
    report = usual(change, options, version, on_file)
    for file in change.files:
        if (file.head or "").startswith(WAIT):
            time.sleep(float((file.head or "").removeprefix(WAIT)))
    return report
