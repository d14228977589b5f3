"""Which paths are left alone and why, and what marks a file as generated or minified."""

import time

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pathspec import PathSpec
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from config.paths import generated_by_attributes, matcher, pattern_problem


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("src/usage.ts", None),
        ("billing/contest.py", None),
        ("src/latest/usage.py", None),
        ("src/inspect.ts", None),
        ("migrations/0001_usage.sql", None),
        ("test_usage.py", "test"),
        ("billing/usage_test.go", "test"),
        ("src/usage.test.ts", "test"),
        ("src/usage.spec.js", "test"),
        ("tests/usage.py", "test"),
        ("src/__tests__/usage.ts", "test"),
        ("internal/testdata/usage.go", "test"),
        ("fixtures/usage.json", "test"),
        ("e2e/usage.ts", "test"),
        ("spec/usage.rb", "test"),
        ("src/test/java/UsageTest.java", "test"),
        ("vendor/stripe/client.go", "vendored"),
        ("web/node_modules/stripe/index.js", "vendored"),
        ("third_party/stripe/client.py", "vendored"),
        ("api/usage.pb.go", "generated"),
        ("api/usage_pb2.py", "generated"),
        ("src/api.gen.ts", "generated"),
        ("src/api.generated.go", "generated"),
        ("dist/index.js", "generated"),
        ("build/index.js", "generated"),
        ("web/.next/server.js", "generated"),
        ("public/app.min.js", "minified"),
        ("package-lock.json", "lock file"),
        ("services/api/go.sum", "lock file"),
        ("node_modules/stripe/package-lock.json", "lock file"),
    ],
)
def test_a_path_is_left_alone_by_default_for_its_reason(path: str, reason: str | None) -> None:
    assert matcher([], [])(path) == reason


def test_the_user_s_exclude_adds_to_the_defaults() -> None:
    reason = matcher([], ["docs/"])
    assert (reason("docs/usage.py"), reason("tests/usage.py"), reason("src/usage.py")) == (
        "excluded by paths.exclude",
        "test",
        None,
    )


def test_an_exclude_that_takes_back_reaches_the_defaults() -> None:
    assert matcher([], ["!tests/"])("tests/usage.py") is None


def test_the_last_exclude_that_matches_decides() -> None:
    reason = matcher([], ["src/*", "!src/usage.py"])
    assert (reason("src/other.py"), reason("src/usage.py")) == ("excluded by paths.exclude", None)


def test_include_limits_what_is_reviewed() -> None:
    reason = matcher(["src/**"], [])
    assert (reason("src/a/usage.py"), reason("lib/usage.py")) == (None, "not in paths.include")


@pytest.mark.parametrize(
    ("include", "path"),
    [
        ("tests/billing/**", "tests/billing/usage.py"),
        ("tests/", "tests/usage.py"),
        ("*_test.go", "billing/usage_test.go"),
        ("src/usage.test.ts", "src/usage.test.ts"),
        ("/vendor/acme/", "vendor/acme/usage.go"),
        ("dist", "dist/index.js"),
    ],
)
def test_an_include_that_names_the_reason_brings_a_default_back(include: str, path: str) -> None:
    assert matcher([include], [])(path) is None


@pytest.mark.parametrize(
    ("include", "path", "reason"),
    [
        ("src/**", "src/usage.test.ts", "test"),
        ("**", "vendor/usage.go", "vendored"),
        ("*.js", "public/app.min.js", "minified"),
        ("tests/**", "tests/node_modules/a.js", "vendored"),
    ],
)
def test_an_include_that_does_not_name_the_reason_leaves_the_default(include: str, path: str, reason: str) -> None:
    assert matcher([include], [])(path) == reason


def test_exclude_beats_include() -> None:
    assert matcher(["tests/**"], ["tests/slow/"])("tests/slow/usage.py") == "excluded by paths.exclude"


@pytest.mark.parametrize(
    "pattern", ["*.py", "**", "**/a", "a/**", "a/**/b", "/a", "!a/", "a*b*c*", "[a-z]x", r"\#a", r"a\*b", "a b", "é*"]
)
def test_a_gitignore_pattern_is_accepted(pattern: str) -> None:
    assert pattern_problem(pattern) is None


UNFIT = ["a" * 257, "\u202ea"]


@pytest.mark.parametrize(
    "pattern",
    ["", " ", "!", "/", "!/", "#a", "a****", "*a*b*c*", "a//b", "../a", "./a", "a ", "a\nb", "[a", "[z-a]", "a\\", *UNFIT],
)
def test_a_pattern_that_is_hostile_or_matches_nothing_is_refused(pattern: str) -> None:
    assert pattern_problem(pattern)


SEGMENTS = st.sampled_from(["a", "b", "ab", "*", "**", "a*", "*b", "?", "a?b", "[ab]", "*a*b*", r"\*", "a.b", "*.b", "[a-b]*"])
PATTERNS = st.builds(
    lambda lead, segments, tail: lead + "/".join(segments) + tail,
    st.sampled_from(["", "/", "!"]),
    st.lists(SEGMENTS, min_size=1, max_size=5),
    st.sampled_from(["", "/"]),
)
PATHS = st.lists(st.text("ab.*", min_size=1, max_size=4), min_size=1, max_size=6).map("/".join)


@settings(max_examples=400, deadline=None)
@given(st.lists(PATTERNS, min_size=1, max_size=3), PATHS)
def test_patterns_mean_what_pathspec_says_they_mean(patterns: list[str], path: str) -> None:
    assume(not any(pattern_problem(pattern) for pattern in patterns))
    assume(not any(part in {".", ".."} for part in path.split("/")))
    expected = PathSpec.from_lines(GitIgnoreSpecPattern, patterns, backend="simple").match_file(path)
    assert (matcher([], patterns)(path) == "excluded by paths.exclude") == expected


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("**/*a*a*a/**/*a*a*a/**/*a*a*a/b", "/".join(["a" * 30] * 100)),
        ("/".join(["**/a"] * 50) + "/b", "/".join(["a"] * 2000)),
        ("**/*a*a*ab", "/".join(["a" * 255] * 16)),
        ("a*/" * 60 + "b", "/".join(["a" * 60] * 60)),
    ],
)
def test_no_allowed_pattern_takes_long_on_a_hostile_path(pattern: str, path: str) -> None:
    reason = matcher([], [pattern])
    assert pattern_problem(pattern) is None
    start = time.process_time()
    assert reason(path) is None
    assert time.process_time() - start < 0.2


@pytest.mark.parametrize(
    ("attributes", "path", "generated"),
    [
        ("*.ts linguist-generated", "src/a.ts", True),
        ("*.ts linguist-generated=true", "src/a.ts", True),
        ("*.ts linguist-generated=false", "src/a.ts", False),
        ("*.ts -linguist-generated", "src/a.ts", False),
        ("*.ts text eol=lf linguist-generated", "src/a.ts", True),
        ("*.ts linguist-vendored", "src/a.ts", False),
        ("*.ts linguist-generated\nsrc/a.ts -linguist-generated", "src/a.ts", False),
        ("*.ts linguist-generated\nsrc/a.ts !linguist-generated", "src/a.ts", False),
        ('"a file.ts" linguist-generated', "a file.ts", True),
        ("# *.ts linguist-generated", "src/a.ts", False),
        ("api/** linguist-generated", "api/v1/a.ts", True),
        ("/a.ts linguist-generated", "src/a.ts", False),
        ("api linguist-generated", "api/a.ts", False),
        ("api/ linguist-generated", "api/a.ts", False),
        ("api/* linguist-generated", "api/v1/a.ts", False),
        ("api/* linguist-generated", "api/a.ts", True),
        ("*a*a*a*a linguist-generated", "aaaa", False),
        ("*.ts linguist-generated\r\n", "src/a.ts", True),
    ],
)
def test_linguist_generated_is_read_as_git_reads_attributes(attributes: str, path: str, generated: bool) -> None:
    assert generated_by_attributes(attributes)(path) is generated


@given(st.text(max_size=200))
def test_arbitrary_attributes_never_raise(text: str) -> None:
    generated_by_attributes(text + " linguist-generated")("src/a.ts")
