"""What the page sends to be audited, read and checked: pasted code, a bundle, or the files of a folder. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from bot.bundle import HEADER, BundleError, read_bundle
from bot.local_configuration import ATTRIBUTES, FILE, InForce, in_force
from bot.local_files import is_code
from config.page import PageSettings
from config.paths import matcher
from rules.change import Change, ChangedFile, NotAnalyzed
from rules.options import Options

LONGEST_PATH = 1024
MOST_LEFT_OUT = 2_000
BODY_PER_BYTE = 2
"""JSON writes quotes and line ends with two characters."""
ROOM = 1024 * 1024
"""Bytes of a request beside the code: paths, and the names of what was left out."""
ADD_CODE = "Add files of the program itself: tests, vendored and generated files are left alone."


class RefusedError(Exception):
    """What is wrong, which limit or rule says so, and what to do about it."""

    def __init__(self, status: int, what: str, do: str, wait: int | None = None) -> None:
        super().__init__(what)
        self.status, self.what, self.do, self.wait = status, what, do, wait


class SentFile(msgspec.Struct, forbid_unknown_fields=True):
    path: str
    text: str


class LeftOut(msgspec.Struct, forbid_unknown_fields=True):
    path: str
    reason: str


class Sent(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a request: `text`, with the name of the file unless it is a bundle, or the `files` of a folder."""

    text: str | None = None
    name: str = ""
    files: list[SentFile] | None = None
    left_out: list[LeftOut] = []


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be audited. `excluded` counts by reason what a configuration, or the defaults, leave alone."""

    change: Change
    settled: InForce
    excluded: Mapping[str, int]


def largest_body(page: PageSettings) -> int:
    return page.megabytes * 1024**2 * BODY_PER_BYTE + ROOM


def read_asked(body: bytes, page: PageSettings, help_url: str | None) -> Asked:
    """Raises RefusedError."""
    try:
        sent = msgspec.json.decode(body, type=Sent)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RefusedError(400, "The request is not what this page sends.", "Reload the page and try again.") from error
    pasted = sent.files is None
    files = pasted_files(sent) if pasted else {file.path: file.text for file in sent.files or ()}
    refuse_what_is_too_much(files, sent, page)
    excluded: Counter[str] = Counter()
    settled = InForce(Options(), matcher((), ()))
    if not pasted:
        settled = settings_among(files)
        files = {path: text for path, text in files.items() if is_wanted(path, settled, excluded)}
    if not files:
        what = (
            "Every file is left alone as configured." if excluded else "No file of a language that rules know is among these."
        )
        raise RefusedError(422, what, ADD_CODE)
    change = Change(
        "audit",
        tuple(ChangedFile(path, None, text) for path, text in files.items()),
        partial=True,
        not_analyzed=tuple(NotAnalyzed(one.path[:LONGEST_PATH], one.reason[:200]) for one in sent.left_out),
    )
    return Asked(change, replace(settled, options=replace(settled.options, help_url=help_url)), excluded)


def pasted_files(sent: Sent) -> dict[str, str]:
    """A text under its name, or the files of a bundle where it has none."""
    text = (sent.text or "").replace("\r\n", "\n")
    if not text.strip():
        raise RefusedError(422, "There is no code to audit.", "Paste some, or drop files or a folder onto the page.")
    if sent.name.strip():
        return {sent.name.strip(): text}
    if not any(HEADER.fullmatch(line) for line in text.split("\n")):
        raise RefusedError(
            422,
            "Neither the language of this code nor its file name is known.",
            "Choose the language or name the file; several files are headed by lines like `--- src/usage.py ---`.",
        )
    try:
        return read_bundle(text)
    except BundleError as error:
        raise RefusedError(422, f"This bundle cannot be read: {error}.", "Repair the line and audit again.") from error


def refuse_what_is_too_much(files: Mapping[str, str], sent: Sent, page: PageSettings) -> None:
    if len(files) > page.files:
        what = f"These are {len(files):,} files, and this page takes at most {page.files:,} in one audit."
        raise RefusedError(413, what, f"Choose a part of the project. {elsewhere()}")
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in files.values())
    if size > page.megabytes * 1024**2:
        raise too_large(page)
    if any(not path or len(path) > LONGEST_PATH for path in files) or len(sent.left_out) > MOST_LEFT_OUT:
        raise RefusedError(
            413, f"A path is empty or longer than {LONGEST_PATH} characters, or too many are left out.", elsewhere()
        )


def too_large(page: PageSettings) -> RefusedError:
    what = f"This is more than the {page.megabytes} MB of code that this page takes in one audit."
    return RefusedError(413, what, f"Choose a part of the project. {elsewhere()}")


def elsewhere() -> str:
    return "`meteraudit audit` on your own machine has no such limit."


def settings_among(files: Mapping[str, str]) -> InForce:
    """What the project's own configuration says, if it was sent; as on the command line, with errors the defaults hold."""
    own, attributes = files.get(FILE), files.get(ATTRIBUTES)
    return in_force(own.encode() if own is not None else None, attributes.encode() if attributes is not None else None)


def is_wanted(path: str, settled: InForce, excluded: Counter[str]) -> bool:
    if not is_code(path):
        return False
    reason = settled.excluded(path)
    excluded.update([reason] if reason is not None else [])
    return reason is None
