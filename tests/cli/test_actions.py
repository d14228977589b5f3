"""A review as a step of GitHub Actions, over the files that the runner gives a step."""

import json
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.cli.conftest import Meteraudit
from tests.cli.local_repositories import UNKEYED, commit, git

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def pull(repo: Path) -> dict[str, str]:
    """A pull request whose base went on after it was opened: the two heads, and the merge that Actions checks out."""
    git(repo, "checkout", "--quiet", "-b", "feature")
    head = commit(repo, {"usage.py": UNKEYED})
    git(repo, "checkout", "--quiet", "main")
    base = commit(repo, {"other.py": UNKEYED})
    git(repo, "checkout", "--quiet", "--detach")
    git(repo, "merge", "--quiet", "--no-edit", "feature")
    return {"base": base, "head": head}


def step(folder: Path, payload: object) -> dict[str, str]:
    """The environment of a step, without what the tests' own runner may have set."""
    path = folder / "event.json"
    path.write_text(json.dumps(payload))
    return {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": str(path), "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}


def of_pull(pull: dict[str, str]) -> dict[str, object]:
    return {"pull_request": {"base": {"sha": pull["base"]}, "head": {"sha": pull["head"]}}}


def test_a_step_reviews_the_head_of_the_pull_request_and_not_the_merge(
    meteraudit: Meteraudit, repo: Path, pull: dict[str, str], tmp_path: Path
) -> None:
    done = meteraudit("review", "--repo", repo, "--format", "github", environ=step(tmp_path, of_pull(pull)))

    assert 1 == done.code
    assert ["usage.py"] == re.findall(r"(?m)^::error file=([^,]*),", done.out)


def test_the_summary_of_the_step_is_the_whole_report(
    meteraudit: Meteraudit, repo: Path, pull: dict[str, str], tmp_path: Path
) -> None:
    meteraudit("review", "--repo", repo, "--format", "github", environ=step(tmp_path, of_pull(pull)))

    assert "Prioritized Action List" in (tmp_path / "summary.md").read_text()


@pytest.mark.parametrize("kind", ["merge_group", "push"])
def test_a_merge_group_and_a_push_name_their_ends_too(
    meteraudit: Meteraudit, repo: Path, pull: dict[str, str], tmp_path: Path, kind: str
) -> None:
    group = {"merge_group": {"base_sha": pull["base"], "head_sha": pull["head"]}}
    payload = group if kind == "merge_group" else {"before": pull["base"], "after": pull["head"]}

    done = meteraudit("review", "--repo", repo, "--format", "github", environ=step(tmp_path, payload))

    assert ["usage.py"] == re.findall(r"(?m)^::error file=([^,]*),", done.out)


def test_the_configuration_is_that_of_the_base_and_not_of_the_pull_request(
    meteraudit: Meteraudit, repo: Path, tmp_path: Path
) -> None:
    base = git(repo, "rev-parse", "HEAD")
    head = commit(repo, {"usage.py": UNKEYED, ".meteraudit.yml": "version: 1\nmode: advisory\n"})

    done = meteraudit(
        "review", "--repo", repo, "--format", "github", environ=step(tmp_path, of_pull({"base": base, "head": head}))
    )

    assert 1 == done.code


def test_a_shallow_clone_is_told_what_to_fetch(meteraudit: Meteraudit, repo: Path, tmp_path: Path) -> None:
    base = git(repo, "rev-parse", "HEAD")

    done = meteraudit(
        "review", "--repo", repo, "--format", "github", environ=step(tmp_path, of_pull({"base": base, "head": "ab" * 20}))
    )

    assert 2 == done.code
    assert "fetch-depth: 0" in done.err


def test_an_event_that_cannot_be_read_is_an_error_and_no_pass(meteraudit: Meteraudit, repo: Path, tmp_path: Path) -> None:
    environ = step(tmp_path, {})
    (tmp_path / "event.json").write_text("{")

    done = meteraudit("review", "--repo", repo, "--format", "github", environ=environ)

    assert 2 == done.code
    assert "GITHUB_EVENT_PATH" in done.err


def test_an_event_about_no_change_leaves_the_ends_to_the_repository(meteraudit: Meteraudit, repo: Path, tmp_path: Path) -> None:
    commit(repo, {"other.md": "text\n"})

    done = meteraudit("review", "--repo", repo, "--format", "github", environ=step(tmp_path, {"schedule": "17 4 * * *"}))

    assert 0 == done.code


def test_the_action_runs_the_program_that_it_installs() -> None:
    action = YAML(typ="safe", pure=True).load((ROOT / "deploy" / "action.yml").read_text())
    install, run = action["runs"]["steps"]

    assert "composite" == action["runs"]["using"]
    assert '"$GITHUB_ACTION_PATH/.."' in install["run"]
    assert "review --repo" in run["run"]
    assert "--format github" in run["run"]
    assert (ROOT / "deploy" / "..").resolve() == ROOT


def test_the_hook_for_pre_commit_runs_the_review_without_file_names(meteraudit: Meteraudit, repo: Path) -> None:
    (hook,) = YAML(typ="safe", pure=True).load((ROOT / ".pre-commit-hooks.yaml").read_text())
    (repo / "usage.py").write_text(UNKEYED, encoding="utf-8")

    done = meteraudit(*hook["entry"].split()[1:], folder=repo)

    assert "meteraudit" == hook["entry"].split()[0]
    assert (False, "python") == (hook["pass_filenames"], hook["language"])
    assert 1 == done.code
