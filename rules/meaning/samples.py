"""Code whose defects cost no customer anything: it shows, seeds, measures, traces, was put aside, or is run once by hand."""

import re

from rules.facts import Facts, Literal, walk
from rules.meaning.contexts import MAIN_CODE

FOLDERS = frozenset(
    "sample samples example examples demo demos doc docs documentation tutorial tutorials quickstart quickstarts cookbook "
    "cookbooks recipes playground playgrounds sandbox snippets notebooks seed seeds seeders seeding fixtures mock mocks "
    "__mocks__ bench benchmark benchmarks loadtest loadtests perf stories storybook scripts script hack experiments "
    "experimental prototypes debug diagnostics devtools dev-tools dev_tools".split()
)
STEM = re.compile(
    r"^(seed|seeds|seeder|demo|example|sample|benchmark|bench|playground|tutorial|quickstart|mock)$|"
    r"[._-](seed|seeds|seeder|demo|example|sample|bench|benchmark|mock|stories)$|"
    r"^(seed|demo|example|sample|benchmark|bench|mock|fix|repair|debug|diagnos\w*|test|one-?off)[._-]",
    re.I,
)
CAMEL = re.compile(
    r"(seed|mock|demo)[A-Z]|([Ff]ake|[Mm]ock|[Ss]tub|[Dd]ummy)[A-Z]\w*(Provider|Client|Gateway|Adapter|Driver|Server)\b"
)
"""`seedUsers.ts`, and what stands in for a provider: `FakeChatProvider.ts`."""
TEST_KEY = re.compile(r"^(sk|rk|pk|whsec)_test_\w{8,}|^(your|my)[-_ ]?(stripe|api|secret)[-_ ]?\w*key$|^<.*key.*>$", re.I)

COPY = re.compile(
    r"^([\w.-]*[._-])?(backups?|bak|old)/|^_?(archived?|deprecated|legacy)/|(^|/)[\w.-]*[._-](bak|old)_*/|"
    r"(\.(backup|bak|old|orig|copy)| copy( \d+)?)\.\w+$",
    re.I,
)
"""What was put aside before a change: `security-backup/` at the top, `handlers_old/`, `page.backup.tsx`. Deeper down
`app-backup/` may well be the product's own feature."""

OBSERVES = frozenset("instrumentation instrumentations instrumentor telemetry tracing otel opentelemetry posthog".split())
"""Folders and files that watch a program and bill nobody."""

SERVED_AS_IS = frozenset("static public assets vendor wwwroot webroot javascripts".split())
LIBRARY_HEAD = re.compile(
    r"\A\s*(?:[\"']use strict[\"'];\s*)?(?:/\*!?(?:(?!\*/).){0,1500}\bv?\d+\.\d+\.\d+\b(?:(?!\*/).){0,3000}\*/|"
    r"[;!(+\s]*function\s*\([^)]{0,200}\)\s*\{.{0,1500}?\bversion\b[\"']?\s*[:=]\s*[\"']v?\d+\.\d+)",
    re.S | re.I,
)
"""A version in the comment at the top, or in the first lines of a function that wraps the file."""

SCRIPT = re.compile(r"\.[cm]?js$", re.I)
BANNER = re.compile(
    r"\A\s*(?:[\"']use strict[\"'];\s*)?(?:/\*(?:(?!\*/).){0,1500}?|(?:\s*//[^\n]*\n){0,10}?\s*//[^\n]*)"
    r"(\bcopyright\b|\(c\)\s*\d{4}|©|@license|@preserve|\blicen[cs]ed? under\b|"
    r"\b(mit|bsd|apache|mpl)\b[^\n]{0,20}\blicen[cs]e)",
    re.S | re.I,
)
"""Whose it is and on what terms, in the comment at the top."""
WRAPS = re.compile(r"^[ \t]*[;!(+]+\s*(?:async\s+)?(?:function\b|\([^()\n]{0,200}\)\s*=>)", re.M)
"""A function that is called where it stands, as bundlers wrap a library."""
HEAD = 3000
BUNDLE_LINES = 300
NAMED = re.compile(r"(?:\b(?:var|let|const|function)\s+|[,(]\s*)([A-Za-z_$][\w$]*)(?=\s*[=,();])")
SHORT_NAMES = 0.6
"""Of what a bundler names anew, most is one letter or two."""


def bills_nobody(facts: Facts) -> bool:
    """By its folder or file name, or because a provider's test key is written into it."""
    if is_aside(facts.path):
        return True
    written = [argument.value for call in facts.calls for argument in call.arguments]
    written += [assign.value for assign in facts.assigns if assign.value is not None]
    return any(
        isinstance(part, Literal) and isinstance(part.value, str) and TEST_KEY.search(part.value) is not None
        for value in written
        for part in walk(value)
    )


def is_aside(path: str) -> bool:
    """By its folder or file name alone."""
    *folders, file = MAIN_CODE.sub("/", path).lower().split("/")
    if is_copy(path) or OBSERVES & {*folders, file.rpartition(".")[0]} or (folders[1:] and folders[-1] == "dev"):
        return True
    stem = file.rpartition(".")[0] or file
    return bool(CAMEL.match(path.rpartition("/")[2]) or FOLDERS & set(folders) or STEM.search(stem))


def is_copy(path: str) -> bool:
    """Whether a file lies beside the live code as it once was, so that nothing calls it."""
    return COPY.search(path) is not None


def is_library(path: str, text: str) -> bool:
    """Whether a script of a page is somebody else's: it lies with what is served as it is, and tells its own version or whose
    it is, or is one long function with the names of a bundler."""
    folders = MAIN_CODE.sub("/", path).lower().split("/")[:-1]
    if not SERVED_AS_IS & set(folders):
        return False
    return LIBRARY_HEAD.match(text) is not None or (
        SCRIPT.search(path) is not None and (BANNER.match(text) is not None or is_bundle(text))
    )


def is_bundle(text: str) -> bool:
    """Whether a file is hundreds of lines in a function that calls itself, in which names are letters."""
    if text.count("\n") < BUNDLE_LINES or WRAPS.search(text[:HEAD]) is None:
        return False
    names = NAMED.findall(text)
    return len(names) >= BUNDLE_LINES // 3 and sum(len(name) < 3 for name in names) > SHORT_NAMES * len(names)
