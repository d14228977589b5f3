"""The names that a change touches, and the files that are read for them."""

import pytest

from bot.patch import hunks_between
from bot.touched import OF_A_KIND, touched_names
from bot.users import COMMON, USERS, complete, likely_users, mention, rare, users_of
from rules.change import ChangedFile


def changed(path: str, before: str, after: str) -> ChangedFile:
    return ChangedFile(path, before, after, hunks_between(before, after), path)


def nothing(path: str) -> str | None:
    return None


def having(*paths: str) -> dict[str, frozenset[str]]:
    return {"recordUsage": frozenset(paths)}


@pytest.mark.parametrize(
    ("path", "line", "name"),
    [
        ("usage.ts", "  await recordUsage(team, n);", "recordUsage"),
        ("usage.py", "    if check_quota(team):", "check_quota"),
        ("usage.go", "\tteam.TokensUsed += n", "TokensUsed"),
        ("usage.py", '    db.execute("UPDATE teams SET tokens_used = %s", n)', "tokens_used"),
        ("usage.ts", '  send({ event_name: "ai_tokens" });', "ai_tokens"),
        ("usage.ts", '  new Queue("usage-events");', "usage-events"),
        ("usage.ts", "  const answer = await openai.chat.completions.create(body);", "completions.create"),
    ],
)
def test_what_a_changed_line_counts_sends_checks_or_uses_is_looked_for(path: str, line: str, name: str) -> None:
    assert name in touched_names([changed(path, "billing\n", f"billing\n{line}\n")])


def test_what_a_deleted_line_counted_is_looked_for() -> None:
    assert ("tokens_used",) == touched_names([changed("billing.py", "team.tokens_used += n\n", "\n")])


@pytest.mark.parametrize(
    ("path", "head"),
    [
        ("a.py", "async def finish_answer(team):\n    # billing\n"),
        ("a.ts", "export async function finish_answer(team: Team) {\n  // billing\n"),
        ("a.ts", "export const finish_answer = async (team: Team) => {\n  // billing\n"),
        ("a.ts", "class Answers {\n  private async finish_answer(team: Team): Promise<void> {\n    // billing\n"),
        ("a.go", "func (a *Answers) finish_answer(team Team) error {\n\t// billing\n"),
        ("A.java", "class A {\n    public void finish_answer(Team team) {\n        // billing\n"),
        ("a.rb", "  def finish_answer(team)\n    # billing\n"),
        ("a.php", "  public function finish_answer(Team $team)\n  {\n    // billing\n"),
        ("A.cs", "class A\n{\n    public void finish_answer(Team team)\n    {\n        // billing\n"),
        ("a.rs", "  pub async fn finish_answer(team: Team) {\n    // billing\n"),
        ("a.kt", "  suspend fun finish_answer(team: Team) {\n    // billing\n"),
    ],
)
def test_the_function_around_a_metering_line_is_looked_for(path: str, head: str) -> None:
    assert "finish_answer" in touched_names([changed(path, head, f"{head}      recordUsage(team)\n")])


def test_counters_beside_a_changed_one_are_looked_for_after_it() -> None:
    before = "def spend(team, n):\n    team.images_used += n\n"

    assert ("minutes_used", "images_used") == touched_names([changed("a.py", before, f"{before}    team.minutes_used += n\n")])


@pytest.mark.parametrize(
    "line",
    ['import { recordUsage } from "./usage";', "// recordUsage(team) comes later", "usage(1)", "const total = sum(rows);"],
)
def test_imports_comments_and_single_words_give_no_name(line: str) -> None:
    assert () == touched_names([changed("a.ts", "billing\n", f"billing\n{line}\n")])


def test_a_file_without_a_word_of_billing_gives_no_name() -> None:
    assert () == touched_names([changed("a.ts", "\n", "const page_count = countPages(rows);\n")])


def test_a_large_change_gives_a_few_names_of_each_kind() -> None:
    lines = "".join(f"team.tokens_used_{chr(97 + n)} += recordUsageOf{chr(65 + n)}(n)\n" for n in range(20))

    assert 2 * OF_A_KIND == len(touched_names([changed("a.ts", "", lines)]))


def test_files_that_have_a_name_are_read_and_those_at_hand_are_not_read_again() -> None:
    found = having("src/a.ts", "src/b.ts", "src/c.ts")

    assert ["src/c.ts"] == users_of(found, {"src/a.ts", "src/b.ts"}, ["src/a.ts"], nothing)


@pytest.mark.parametrize("path", ["src/a.test.ts", "docs/usage.md", "src/usage.vue", "examples/usage.ts"])
def test_tests_prose_and_what_no_front_end_reads_are_not_read(path: str) -> None:
    assert [] == users_of(having(path), (), ["src/b.ts"], nothing)


def test_what_the_configuration_leaves_alone_is_not_read() -> None:
    assert [] == users_of(having("tools/usage.ts"), (), ["src/b.ts"], lambda path: "excluded by paths.exclude")


def test_the_files_that_are_read_for_names_are_bounded() -> None:
    assert USERS == len(users_of(having(*(f"src/{n}.ts" for n in range(24))), (), ["src/b.ts"], nothing))


def test_a_name_that_many_files_have_is_not_followed() -> None:
    assert {} == rare(having(*(f"src/{n}.ts" for n in range(COMMON + 1))), nothing)


def test_a_name_is_complete_where_every_file_that_has_it_is_at_hand() -> None:
    assert {"recordUsage"} == complete(rare(having("a.ts", "a.test.ts", "README.md"), nothing), ["a.ts"])


@pytest.mark.parametrize("other", ["b.ts", "b.vue", "b.yaml"])
def test_a_name_is_not_complete_where_a_file_that_has_it_is_not_read(other: str) -> None:
    assert frozenset() == complete(rare(having("a.ts", other), nothing), ["a.ts", "b.vue", "b.yaml"])


def test_without_a_search_files_are_chosen_by_the_words_of_their_paths() -> None:
    paths = ["src/shapes/area.ts", "src/billing/close.ts", "src/routes/record.ts", "src/usage/record_usage.ts"]

    likely = likely_users(paths, ["recordUsage"], ["src/chat.ts"], nothing)

    assert ["src/usage/record_usage.ts", "src/billing/close.ts", "src/routes/record.ts"] == likely


def test_without_a_name_no_file_is_guessed() -> None:
    assert [] == likely_users(["src/billing/close.ts"], (), ["src/chat.ts"], nothing)


@pytest.mark.parametrize("text", ["team.tokensUsed", "tokens_used", "TOKENS_USED", "team.TokensUsed"])
def test_a_name_is_found_however_it_is_spelled(text: str) -> None:
    assert mention(text, ["tokens_used"])
