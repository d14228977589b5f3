"""Says which paths of a repository are left alone, and why: tests, vendored, generated and minified files, lock files.

`paths.exclude` adds to the defaults below; one of its patterns that begins with `!` takes back what the patterns before
it exclude and what the defaults exclude. `paths.include` limits the review to what it matches. It brings back a path
that the defaults exclude only where the pattern itself names the reason: `tests/billing/**` brings back the tests
there, `src/**` does not bring back `src/usage.test.ts`. `paths.exclude` beats `paths.include`.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import PathSpec
    from pathspec.pattern import RegexPattern

MAX_PATTERN = 256
MAX_STARS = 3

EXCLUDED_BY_USER = "excluded by paths.exclude"
NOT_INCLUDED = "not in paths.include"

# The order decides which of several reasons is told.
DEFAULTS: Mapping[str, tuple[str, ...]] = {
    "lock file": tuple(
        "package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml bun.lock bun.lockb deno.lock Cargo.lock "
        "poetry.lock uv.lock pdm.lock Pipfile.lock composer.lock Gemfile.lock go.sum go.work.sum flake.lock mix.lock "
        "pubspec.lock packages.lock.json gradle.lockfile Podfile.lock .terraform.lock.hcl".split()
    ),
    "vendored": tuple(
        "vendor/ vendored/ node_modules/ bower_components/ jspm_packages/ third_party/ third-party/ thirdparty/ "
        "site-packages/ .venv/ venv/ .yarn/ Godeps/ Pods/ Carthage/".split()
    ),
    "minified": ("*.min.js", "*.min.mjs", "*.min.cjs", "*.min.css", "*-min.js", "*.bundle.js"),
    "generated": tuple(
        "*.pb.go *.pb.gw.go *_pb2.py *_pb2.pyi *_pb2_grpc.py *_pb2_grpc.pyi *_pb.js *_pb.ts *_pb.d.ts *_grpc_pb.js "
        "*.pb.ts *_pb.rb *.gen.* *.generated.* *_generated.* *.g.cs *.g.dart *.Designer.cs zz_generated.* *.js.map "
        "*.css.map __generated__/ generated/ dist/ build/ .next/ .nuxt/ .output/ .svelte-kit/ .turbo/ .terraform/ "
        "__pycache__/".split()
    ),
    "test": tuple(
        "test_*.py *_test.py conftest.py tests.py *_test.go *.test.* *.spec.* *_test.rb *_spec.rb *_test.rs *_tests.rs "
        "*Test.java *Tests.java *Test.kt *Tests.kt *Test.php *Test.cs *Tests.cs test/ tests/ __tests__/ __mocks__/ "
        "testdata/ fixtures/ __fixtures__/ e2e/ spec/ cypress/".split()
    ),
}

_ATTRIBUTE_LINE = re.compile(r'(?:"((?:[^"\\]|\\.)*)"|(\S+))[ \t]+(.*)')


def matcher(include: Sequence[str], exclude: Sequence[str]) -> Callable[[str], str | None]:
    """Builds the question "why is this path left alone?": a reason, or None where it is reviewed.

    Patterns are those of `.gitignore`; paths are relative to the repository's root, with `/`. Raises ValueError for a
    pattern that `pattern_problem` refuses: the configuration has none of those.
    """
    chosen = _spec(include)
    refused = _spec(exclude)
    defaults = {reason: _spec(patterns) for reason, patterns in DEFAULTS.items()}
    named = {reason: _spec(_naming(include, spec)) for reason, spec in defaults.items()}

    def reason_to_skip(path: str) -> str | None:
        decision = refused.check_file(path).include
        if decision:
            return EXCLUDED_BY_USER
        if include and not chosen.match_file(path):
            return NOT_INCLUDED
        if decision is False:
            return None
        for reason, spec in defaults.items():
            if spec.match_file(path) and not named[reason].match_file(path):
                return reason
        return None

    return reason_to_skip


def pattern_problem(pattern: str) -> str | None:
    """Why a glob is refused, as the end of a sentence that begins with it, or None."""
    segments = pattern.removeprefix("!").split("/")
    if not pattern.strip() or not pattern.strip("!/"):
        return "names no path"
    if len(pattern) > MAX_PATTERN:
        return f"has {len(pattern)} characters; at most {MAX_PATTERN} are allowed"
    if not pattern.isprintable() or pattern != pattern.strip():
        return "has a space at an end or an invisible character"
    if pattern.startswith("#"):
        return r"is a comment in .gitignore and matches nothing: write \#"
    if "" in segments[1:-1]:
        return "has two slashes in a row and matches nothing"
    if any(segment in {".", ".."} for segment in segments):
        return "has . or .. as a folder: paths begin at the root of the repository"
    if any(segment.count("*") > MAX_STARS for segment in segments):
        return f"has more than {MAX_STARS} * between two slashes"
    try:
        _compiled(pattern)
    except ValueError as error:
        return str(error)
    return None


def generated_by_attributes(gitattributes_text: str) -> Callable[[str], bool]:
    """Reads `linguist-generated` from a `.gitattributes` at the root; the last line that matches a path decides.

    As in gitattributes(5), a pattern that names a folder does not reach the files in it. Lines whose pattern
    `pattern_problem` refuses are passed over, and so are macros: the file is then reviewed.
    """
    rules = [rule for line in gitattributes_text.splitlines() if (rule := _attribute_rule(line))]

    def generated(path: str) -> bool:
        return next((value for matches, value in reversed(rules) if matches(path)), False)

    return generated


def _spec(patterns: Iterable[str]) -> "PathSpec[RegexPattern]":
    from pathspec import PathSpec

    return PathSpec([_compiled(pattern) for pattern in patterns], backend="simple")


def _naming(include: Sequence[str], default: "PathSpec[RegexPattern]") -> list[str]:
    """The include patterns that themselves name what a default excludes; read as a path, they would be excluded."""

    def named(pattern: str) -> bool:
        path = pattern.strip("/")
        return default.match_file(path) or default.match_file(f"{path}/x")

    return [pattern for pattern in include if not pattern.startswith("!") and named(pattern)]


def _compiled(pattern: str) -> "RegexPattern":
    """A pattern of `.gitignore` as a regular expression in which nothing backtracks past a star.

    pathspec's own translation takes minutes on `**/*a*a*a/**/*a*a*a`. Here each star takes the first place where
    what follows it fits, which loses no match: everything between two stars has a fixed length.
    """
    from pathspec.pattern import RegexPattern

    negated = pattern.startswith("!")
    body = pattern[1:] if negated else pattern
    anchored = "/" in body.rstrip("/")
    inside = body.endswith("/")
    segments = _without_repeats(body.strip("/").split("/"))
    if len(segments) > 1 and segments[-1] == "**":
        segments.pop()
        inside = True
    if segments == ["**"]:
        return RegexPattern(re.compile(r"^.*/" if inside else r"^", re.DOTALL), include=not negated)
    end = "/" if inside else r"(?:/|\Z)"
    return RegexPattern(re.compile("^" + _path_expression(segments, anchored, end)), include=not negated)


def _without_repeats(segments: list[str]) -> list[str]:
    pairs = zip(segments, ["", *segments], strict=False)
    return [segment for segment, before in pairs if not segment == before == "**"]


def _path_expression(segments: list[str], anchored: bool, end: str) -> str:
    runs: list[list[str]] = [[]]
    floating = [not anchored]
    for segment in segments:
        if segment != "**":
            runs[-1].append(_segment_expression(segment))
        elif runs[-1]:
            runs.append([])
            floating.append(True)
        else:
            floating[-1] = True
    ends = ["/"] * (len(runs) - 1) + [end]
    return "".join(
        f"(?>{'(?:[^/]+/)*?' if floats else ''}{'/'.join(run)}{stop})"
        for run, floats, stop in zip(runs, floating, ends, strict=True)
    )


def _segment_expression(segment: str) -> str:
    if segment == "*":
        return "[^/]+"
    pieces = [""]
    at = 0
    while at < len(segment):
        if segment[at] == "*":
            pieces.append("")
            at += 1
        else:
            expression, at = _character(segment, at)
            pieces[-1] += expression
    if len(pieces) == 1:
        return pieces[0]
    return pieces[0] + "".join(f"(?>[^/]*?{piece})" for piece in pieces[1:-1] if piece) + "[^/]*" + pieces[-1]


def _character(segment: str, at: int) -> tuple[str, int]:
    if segment[at] == "?":
        return "[^/]", at + 1
    if segment[at] == "\\":
        if at + 1 == len(segment):
            raise ValueError(r"ends a part with a lone \ that escapes nothing")
        return re.escape(segment[at + 1]), at + 2
    if segment[at] == "[":
        return _character_class(segment, at)
    return re.escape(segment[at]), at + 1


def _character_class(segment: str, at: int) -> tuple[str, int]:
    found = re.compile(r"\[([!^]?)(\]?[^\]]*)\]").match(segment, at)
    if not found or not found[2]:
        raise ValueError("has a [ without its ]")
    if "\\" in found[2] or "[:" in found[2]:
        raise ValueError("has an escape or a named class between [ and ]: list the characters")
    items = re.compile(r"(.)-(.)|(.)", re.DOTALL).findall(found[2])
    if any(low > high for low, high, _ in items if low):
        raise ValueError("has a range between [ and ] that runs backwards")
    inside = "".join(f"{re.escape(low)}-{re.escape(high)}" if low else re.escape(one) for low, high, one in items)
    return ("(?!/)" + f"[{'^' if found[1] else ''}{inside}]"), found.end()


def _attribute_rule(line: str) -> tuple[Callable[[str], bool], bool] | None:
    found = _ATTRIBUTE_LINE.match(line.strip())
    if not found or line.lstrip().startswith(("#", "[attr]", "!")):
        return None
    value = _generated_value(found[3].split())
    pattern = found[2] or re.sub(r"\\(.)", r"\1", found[1] or "")
    if value is None or pattern.endswith("/") or pattern_problem(pattern):
        return None
    spec = _spec([pattern])
    if "/" not in pattern:
        return (lambda path: spec.match_file(path.rpartition("/")[2])), value
    if "**" in pattern.split("/"):
        return spec.match_file, value
    depth = pattern.strip("/").count("/")
    return (lambda path: path.count("/") == depth and spec.match_file(path)), value


def _generated_value(attributes: Sequence[str]) -> bool | None:
    value: bool | None = None
    for attribute in attributes:
        name, _, given = attribute.lstrip("-!").partition("=")
        if name == "linguist-generated":
            value = not attribute.startswith(("-", "!")) and given not in {"false", "0"}
    return value
