"""The client against the strict stand-in for GitHub, over real git, from the first read to the last write."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from bot.demo.standin import PERMISSIONS, App, Fault, Installation, PullRequest, Repository, StandIn, secondary_limit
from bot.github import AppCredentials, GitHub, RepositoryClient
from bot.github.drafts import Annotation, CheckOutput, CheckRunDraft, CommentDraft
from bot.github.errors import (
    BadCredentials,
    CapabilityMissing,
    Forbidden,
    InstallationGone,
    Rejected,
    RepositoryGone,
    RevisionGone,
    Unanswered,
)
from bot.patch import added_lines, parse_patch
from config.settings import read_settings
from tests.github.hostile_github import MovedClock, new_key

NAME = "MeterAudit"


class Scene:
    """One repository with one pull request, seen by the App."""

    def __init__(self, github: StandIn, folder: Path, private_key: str) -> None:
        self.github = github
        public = load_pem_private_key(private_key.encode(), None).public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        self.app: App = github.register_app(pem, webhook_secret="a long enough secret", app_id=7)
        self.repo: Repository = github.add_repository("acme/api", folder / "api.git")
        self.base = github.push(self.repo, "main", {"src/a.py": "a = 1\n", ".meteraudit.yml": "version: 1\n"})
        self.head = github.push(self.repo, "feature", {"src/a.py": "a = 1\nemit(a)\n", "a#b?.py": "Gebühr\n".encode("latin-1")})
        self.installation: Installation = github.install(self.app, [self.repo])
        self.pull: PullRequest = github.open_pull_request(self.repo, "feature")


@pytest.fixture
def scene(tmp_path: Path, private_key: str) -> Iterator[Scene]:
    with StandIn() as github:
        yield Scene(github, tmp_path, private_key)


@pytest.fixture
async def repository(scene: Scene, private_key: str, clock: MovedClock) -> AsyncIterator[RepositoryClient]:
    credentials = AppCredentials(scene.app.client_id, (private_key,))
    async with GitHub(credentials, scene.github.url, clock=clock.clock()) as github:
        yield github.repository(scene.installation.id, scene.repo.id)


async def test_a_whole_review_leaves_no_violation(scene: Scene, repository: RepositoryClient) -> None:
    pull = await repository.pull_request(scene.pull.number)
    files = await repository.files(pull.number, pull.changed_files)
    merge_base = await repository.merge_base(pull.base.sha, pull.head.sha)
    run = await repository.create_check_run(CheckRunDraft(name=NAME, head_sha=pull.head.sha, status="in_progress"))
    await repository.create_review(pull.number, pull.head.sha, "one finding", [CommentDraft("src/a.py", "lost", 2, "RIGHT")])
    output = CheckOutput("Blocked", "text", annotations=tuple(Annotation("src/a.py", 2, 2, "failure", "m") for _ in range(51)))
    await repository.update_check_run(run.id, CheckRunDraft(status="completed", conclusion="failure", output=output))
    assert (files.cut, len(files.entries), merge_base) == (False, 2, scene.base)
    assert [one.conclusion for one in await repository.check_runs(pull.head.sha, NAME)] == ["failure"]
    assert [(one.path, one.line) for one in await repository.review_comments(pull.number)] == [("src/a.py", 2)]
    assert [one.number for one in await repository.open_pull_requests()] == [pull.number]
    assert scene.github.violations == []


async def test_fetched_blobs_hold_the_added_lines_of_the_patch(scene: Scene, repository: RepositoryClient) -> None:
    for entry in (await repository.files(scene.pull.number)).entries:
        assert entry.sha is not None
        lines = (await repository.blob(entry.sha, 1000)).decode("utf-8", "replace").split("\n")
        added = added_lines(entry.patch or "")
        assert added == {number: lines[number - 1] for number in added}
        assert parse_patch(entry.patch or "")[0].added == set(added)


async def test_files_folders_and_missing_paths_are_told_apart(scene: Scene, repository: RepositoryClient) -> None:
    assert await repository.file_at("a#b?.py", scene.head) == "Gebühr\n".encode("latin-1")
    assert await repository.file_at("src", scene.head) is None
    assert await repository.file_at("none.py", scene.head) is None
    with pytest.raises(RevisionGone):
        await repository.file_at("src/a.py", "f" * 40)
    assert "src/a.py" in (await repository.tree(scene.head)).paths


async def test_comments_are_edited_answered_and_deleted(scene: Scene, repository: RepositoryClient) -> None:
    comment = await repository.create_file_comment(1, scene.head, "src/a.py", "whole file")
    await repository.update_comment(comment.id, "fixed")
    await repository.reply(1, comment.id, "Back")
    assert [one.body for one in await repository.review_comments(1)] == ["fixed", "Back"]
    await repository.delete_comment(comment.id)
    await repository.delete_comment(comment.id)
    assert comment.id not in [one.id for one in await repository.review_comments(1)]
    assert scene.github.violations == []


async def test_reads_and_writes_follow_a_rename(scene: Scene, repository: RepositoryClient) -> None:
    await repository.pull_request(1)
    scene.github.rename(scene.repo, "billing")
    await repository.create_review(1, scene.head, "after the rename")
    assert [one.body for one in await repository.reviews(1)] == ["after the rename"]
    assert await repository.name() == "acme/billing"


async def test_a_wrong_anchor_is_rejected_and_nothing_is_posted(scene: Scene, repository: RepositoryClient) -> None:
    drafts = [CommentDraft("src/a.py", "good", 2, "RIGHT"), CommentDraft("src/a.py", "bad", 99, "RIGHT")]
    with pytest.raises(Rejected) as raised:
        await repository.create_review(1, scene.head, "x", drafts)
    assert raised.value.messages
    assert scene.github.reviews(scene.repo, 1) == []


async def test_a_review_whose_answer_is_lost_has_landed_once(scene: Scene, repository: RepositoryClient) -> None:
    scene.github.faults.append(Fault("/reviews$", "POST", drop="after"))
    with pytest.raises(Unanswered):
        await repository.create_review(1, scene.head, "x")
    assert [one.body for one in await repository.reviews(1)] == ["x"]


async def test_throttling_while_posting_ends_in_one_review(
    scene: Scene, repository: RepositoryClient, clock: MovedClock
) -> None:
    scene.github.faults.append(secondary_limit("/reviews$", "POST", retry_after=3))
    await repository.create_review(1, scene.head, "x")
    assert len(scene.github.reviews(scene.repo, 1)) == 1
    assert 3 <= sum(clock.slept) <= 4


async def test_a_missing_permission_is_named_by_its_error_and_the_rest_goes_on(
    scene: Scene, repository: RepositoryClient
) -> None:
    scene.installation.permissions = {name: level for name, level in PERMISSIONS.items() if name != "checks"}
    assert (await repository.pull_request(1)).number == 1
    with pytest.raises(CapabilityMissing):
        await repository.create_check_run(CheckRunDraft(name=NAME, head_sha=scene.head, status="queued"))


async def test_an_app_that_is_uninstalled_in_the_middle_is_gone(scene: Scene, repository: RepositoryClient) -> None:
    await repository.pull_request(1)
    scene.github.uninstall(scene.installation)
    with pytest.raises(InstallationGone):
        await repository.file_at(".meteraudit.yml", scene.base)


async def test_a_suspended_installation_is_gone(scene: Scene, repository: RepositoryClient) -> None:
    await repository.pull_request(1)
    scene.github.suspend(scene.installation)
    with pytest.raises(InstallationGone):
        await repository.pull_request(1)


async def test_a_repository_taken_out_of_the_installation_is_gone(scene: Scene, repository: RepositoryClient) -> None:
    scene.installation.repositories.clear()
    with pytest.raises(RepositoryGone):
        await repository.pull_request(1)


async def test_an_archived_repository_can_be_read_and_not_written(scene: Scene, repository: RepositoryClient) -> None:
    scene.repo.archived = True
    assert (await repository.pull_request(1)).number == 1
    with pytest.raises(Forbidden):
        await repository.create_review(1, scene.head, "x")


@pytest.mark.parametrize("known", ["newest", "previous", "both"])
async def test_a_private_key_is_replaced_without_a_gap(
    scene: Scene, private_key: str, clock: MovedClock, tmp_path: Path, known: str
) -> None:
    newest = new_key()
    file = tmp_path / "keys.pem"
    file.write_text(f"{newest}\n{private_key}")
    settings = read_settings(
        {
            "METERAUDIT_GITHUB_APP_ID": str(scene.app.id),
            "METERAUDIT_GITHUB_PRIVATE_KEY_FILE": str(file),
            "METERAUDIT_WEBHOOK_SECRET": "a long enough secret",
            "METERAUDIT_STATE_DIR": str(tmp_path),
        }
    )
    public = load_pem_private_key(newest.encode(), None).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    scene.app.public_key = pem if known == "newest" else scene.app.public_key
    scene.app.more_keys = [pem] if known == "both" else []

    credentials = AppCredentials(str(settings.github_app_id), settings.github_private_keys)
    async with GitHub(credentials, scene.github.url, clock=clock.clock()) as github:
        for _ in range(2):
            pull = await github.repository(scene.installation.id, scene.repo.id).pull_request(scene.pull.number)
            await github.app(fresh=True)

    assert scene.head == pull.head.sha
    refused = [one.status for one in scene.github.exchanges].count(401)
    # The key that GitHub does not know is tried once, not before every call.
    assert (1 if known == "previous" else 0) == refused


async def test_keys_that_github_does_not_know_are_tried_once_each(scene: Scene, clock: MovedClock) -> None:
    async with GitHub(AppCredentials("7", (new_key(), new_key())), scene.github.url, clock=clock.clock()) as github:
        with pytest.raises(BadCredentials):
            await github.app()

    assert [401, 401] == [one.status for one in scene.github.exchanges]
