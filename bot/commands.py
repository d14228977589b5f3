"""The commands that people write in a pull request: what counts as one, what it means, who may give it. Pure."""

import re
from dataclasses import dataclass
from typing import Literal

Name = Literal["help", "rerun", "config", "explain", "ignore", "unignore", "pause", "resume", "override"]

FIRST_LINES = 5
LONGEST_COMMENT = 65_536
MOST_AN_HOUR = 10
HELP = """\
| Command | Does | Who |
| --- | --- | --- |
| `help` | shows this | anybody |
| `rerun` | reviews the newest commit again | author, write |
| `config` | shows the configuration in force and where it comes from | author, write |
| `explain <rule>` | says what a rule is about | author, write |
| `ignore <rule or fingerprint> reason: …` | takes a finding out of the verdict, here only | write |
| `unignore <rule or fingerprint>` | takes that back | write |
| `pause`, `resume` | leaves this pull request alone, or not | write |
| `override reason: …` | lets this commit pass in spite of its findings | maintain, admin |

A line begins with `/meteraudit` or with the App's name after an at sign. \
In a thread of ours, `ignore reason: …` is about its finding."""

_CALL = re.compile(r"[ \t]{0,3}(?:@meteraudit|/meteraudit)(?:[ \t]+|$)(?P<rest>.*)", re.IGNORECASE)
_BARE = re.compile(r"[ \t]{0,3}(?P<rest>(?:un)?ignore\b.*)", re.IGNORECASE)
_FENCE = re.compile(r"[ \t]{0,3}(`{3,}|~{3,})")
_NAMES: tuple[Name, ...] = ("help", "rerun", "config", "explain", "ignore", "unignore", "pause", "resume", "override")
_REASON = re.compile(r"\breason:[ \t]*(?P<reason>.*)", re.IGNORECASE)
_STARTERS: tuple[Name, ...] = ("help", "rerun", "explain", "config")
WRITE = frozenset({"write", "maintain", "admin"})
MAINTAIN = frozenset({"maintain", "admin"})


@dataclass(frozen=True, slots=True)
class Command:
    """`name` is None for a call that is no command of ours. `reasoned` says whether a reason was given; it is not kept."""

    name: Name | None
    target: str = ""
    reasoned: bool = False


def is_command(body: str, in_thread: bool) -> bool:
    """Whether a comment may hold a command. `in_thread`: a bare `ignore` in answer to a finding counts, too."""
    return parse(body, in_thread) is not None


def parse(body: str, in_thread: bool = False) -> Command | None:
    """The first command in the first five lines that are neither quoted nor code; None where there is none."""
    fence = ""
    for line in body[:LONGEST_COMMENT].replace("\r\n", "\n").split("\n")[:FIRST_LINES]:
        mark = _FENCE.match(line)
        if fence:
            fence = "" if mark and mark[1].startswith(fence) else fence
            continue
        if mark:
            fence = mark[1]
            continue
        if line.startswith(("    ", "\t", ">")) or line.lstrip().startswith(">"):
            continue
        found = _CALL.fullmatch(line) or (_BARE.fullmatch(line) if in_thread else None)
        if found is not None:
            return _command(found["rest"].strip())
    return None


def _command(text: str) -> Command:
    word, _, rest = text.partition(" ")
    name = next((one for one in _NAMES if one == word.lower()), None)
    if name is None:
        return Command(None)
    reason = _REASON.search(rest)
    target = (rest[: reason.start()] if reason else rest).strip().strip("`").split(" ")[0]
    return Command(name, target[:100], reason is not None and bool(reason["reason"].strip()))


def problem(command: Command, in_thread: bool) -> str | None:
    """What is missing for the command to be carried out, as a sentence; None if it is whole."""
    if command.name is None:
        return "This is no command."
    if command.name in ("ignore", "override") and not command.reasoned:
        return f"`{command.name}` needs a reason: write `reason:` and one sentence."
    if command.name in ("explain", "ignore", "unignore") and not command.target and not in_thread:
        return f"`{command.name}` needs the rule or the fingerprint that it is about."
    return None


def may(command: Command, role: str, is_author: bool) -> bool:
    """Whether somebody with that role in the repository may give the command."""
    if command.name in (None, "help"):
        return True
    if command.name == "override":
        return role in MAINTAIN
    return role in WRITE or (is_author and command.name in _STARTERS)
