"""`meteraudit review` reads who uses what the change touches, by asking git."""

from pathlib import Path

import pytest

from bot import git as local_git
from bot import local_context
from bot.local import change_between, ends
from rules.change import Change
from tests.cli.conftest import Meteraudit
from tests.cli.local_repositories import commit, create, git, put

RECORDER = """def record_usage(team, tokens):
    team.tokens_used += tokens
"""
CALLER = """from lib import anything

def answer(team, question):
    record_usage(team, len(question))
"""
MODELS = """
class UsagePeriod(Base):
    __tablename__ = "usage_periods"

    id = Column(Integer, primary_key=True)
    tokens_used = Column(Integer, default=0)
    images_used = Column(Integer, default=0)
    minutes_used = Column(Integer, default=0)
"""
INVOICES = """
def close_period(db, period):
    create_invoice_item(period.customer_id, period.tokens_used * TOKEN_PRICE)
    create_invoice_item(period.customer_id, period.images_used * IMAGE_PRICE)
"""
COUNTED = """
def record_{0}(db, period_id, n):
    db.execute("UPDATE usage_periods SET {0}_used = {0}_used + %s WHERE id = %s", (n, period_id))
"""
TWO, THREE = COUNTED.format("tokens") + COUNTED.format("images"), COUNTED.format("minutes")
MINUTES = "def total(period):\n    return period.minutes_used\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    made = create(tmp_path / "project")
    commit(made, {"usage.py": RECORDER, "http/answers.py": CALLER, "http/shapes.py": "def area(a, b):\n    return a * b\n"})
    return made


def changed(repo: Path, head: str | None = "HEAD") -> Change:
    opened = local_git.open_repository(repo)
    return change_between(opened, ends(opened, "HEAD^" if head else "HEAD", head), lambda path: None).change


def test_a_caller_of_a_changed_function_is_read_and_nothing_else(project: Path) -> None:
    commit(project, {"usage.py": RECORDER.replace("+= tokens", "+= 2 * tokens")})

    assert ["http/answers.py"] == [*changed(project).context]


def test_it_is_read_for_the_working_tree_too(project: Path) -> None:
    put(project, {"usage.py": RECORDER.replace("+= tokens", "+= 2 * tokens")})

    assert ["http/answers.py"] == [*changed(project, None).context]


def test_names_that_no_file_outside_the_change_has_are_complete(project: Path) -> None:
    commit(project, {"usage.py": RECORDER.replace("+= tokens", "+= 2 * tokens")})

    assert {"tokens_used", "record_usage"} == changed(project).complete


def test_of_a_huge_repository_nothing_is_searched_and_users_are_guessed_by_their_paths(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(project, {"billing/close.py": CALLER, "usage.py": RECORDER.replace("+= tokens", "+= 2 * tokens")})
    commit(project, {"usage.py": RECORDER})
    monkeypatch.setattr(local_context, "SEARCHED", 2)

    change = changed(project)

    assert (["billing/close.py"], frozenset()) == ([*change.context], change.complete)


def test_a_commit_of_which_a_part_is_missing_is_not_taken_for_searched(project: Path) -> None:
    head = commit(project, {"usage.py": RECORDER.replace("+= tokens", "+= 2 * tokens")})
    blob = git(project, "rev-parse", "HEAD:http/answers.py")
    (project / ".git" / "objects" / blob[:2] / blob[2:]).unlink()

    assert local_git.having(local_git.open_repository(project), head, ["record_usage"]) is None


def test_a_new_counter_that_no_file_of_the_repository_reads_is_found(meteraudit: Meteraudit, tmp_path: Path) -> None:
    repo = create(tmp_path / "counting")
    commit(repo, {"app/models/usage.py": MODELS, "app/invoices.py": INVOICES, "app/recorder.py": TWO})
    commit(repo, {"app/recorder.py": TWO + THREE})

    ran = meteraudit("review", "--repo", repo, "--format", "json", "--base", "HEAD^", "--head", "HEAD")

    assert [("MTR-320", "app/recorder.py", 9, "new")] == ran.places


def test_a_new_counter_that_any_file_of_the_repository_speaks_of_is_left_alone(meteraudit: Meteraudit, tmp_path: Path) -> None:
    repo = create(tmp_path / "counting")
    commit(repo, {"app/models/usage.py": MODELS, "app/invoices.py": INVOICES, "app/recorder.py": TWO, "far/page.py": MINUTES})
    commit(repo, {"app/recorder.py": TWO + THREE})

    ran = meteraudit("review", "--repo", repo, "--format", "json", "--base", "HEAD^", "--head", "HEAD")

    assert [] == ran.places
