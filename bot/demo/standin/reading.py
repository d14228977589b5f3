"""Handlers that read Apps, installations, repositories, pull requests and comparisons."""

from __future__ import annotations

from bot.demo.standin import diff, git, shapes, shapes_pull, state
from bot.demo.standin.answer import Answer, Call, RefusalError, not_found, paged
from bot.demo.standin.state import PullRequest


def app(call: Call) -> Answer:
    """GET /app."""
    one = call.asking_app
    count = len([each for each in call.world.installations.values() if each.app is one])
    body = {**shapes.app(call.world, one), "client_id": one.client_id, "installations_count": count}
    return Answer(200, body)


def installations(call: Call) -> Answer:
    """GET /app/installations."""
    mine = [one for one in call.world.installations.values() if one.app is call.asking_app]
    return paged(call, [shapes.installation(call.world, one) for one in mine])


def installation(call: Call) -> Answer:
    """GET /app/installations/{installation_id}."""
    one = call.world.installations.get(call.number("installation_id"))
    if one is None or one.app is not call.asking_app:
        raise not_found()
    return Answer(200, shapes.installation(call.world, one))


def accessible_repositories(call: Call) -> Answer:
    """GET /installation/repositories: what the token may touch."""
    world = call.world
    ids = call.grant.repositories if call.grant else set()
    known = [world.repositories[number] for number in sorted(ids) if number in world.repositories]
    listed = paged(call, [shapes.repository(world, repo) for repo in known], "repositories")
    return Answer(200, {**listed.body, "repository_selection": "selected"}, listed.headers)


def repository(call: Call) -> Answer:
    """GET /repos/{owner}/{repo}, and GET /repositories/{id}, which the door writes as the former."""
    return Answer(200, shapes.full_repository(call.world, call.repository))


def pull_of(call: Call) -> PullRequest:
    """The pull request that the address names."""
    pull = call.world.pulls.get((call.repository.id, call.number("pull_number")))
    if pull is None:
        raise not_found()
    return pull


def pulls(call: Call) -> Answer:
    """GET /repos/{owner}/{repo}/pulls: `state`, `head` (owner:branch) and `base` filter."""
    wanted = call.query.get("state", "open")
    found = [pull for pull in call.world.pulls_of(call.repository) if wanted in ("all", pull.state)]
    if "base" in call.query:
        found = [pull for pull in found if pull.base_ref == call.query["base"]]
    if "head" in call.query:
        found = [pull for pull in found if f"{pull.head_owner.login}:{pull.head_ref}" == call.query["head"]]
    if call.query.get("direction") == "asc":
        found.reverse()
    return paged(call, [shapes_pull.pull_simple(call.world, pull) for pull in found])


def pull(call: Call) -> Answer:
    """GET /repos/{owner}/{repo}/pulls/{pull_number}; diffs as text are refused over 300 files, as GitHub does."""
    one = pull_of(call)
    if "diff" in call.accept or "patch" in call.accept:
        return _diff_text(call, one)
    return Answer(200, shapes_pull.pull_full(call.world, one))


def _diff_text(call: Call, pull: PullRequest) -> Answer:
    head = state.head(pull)
    files = state.changed(call.world, pull)
    text = git.run(pull.repo.path, "diff", "-M", state.merge_base(pull, head), head)
    if len(files) > 300 or text.count(b"\n") > 20_000:
        error = {"resource": "PullRequest", "field": "diff", "code": "too_large"}
        raise RefusalError(406, "Sorry, the diff exceeded the maximum number of files (300).", [error])
    return Answer(200, text, media_type="application/vnd.github.diff; charset=utf-8")


def files(call: Call) -> Answer:
    """GET /repos/{owner}/{repo}/pulls/{pull_number}/files: silently cut at 3,000."""
    one = pull_of(call)
    head = state.head(one)
    listed = state.changed(call.world, one)[: call.world.limits.files]
    return paged(call, [shapes.changed_file(call.world, one.repo, file, head) for file in listed])


def commit_pulls(call: Call) -> Answer:
    """GET /repos/{owner}/{repo}/commits/{commit_sha}/pulls: every open pull request that contains the commit."""
    sha = git.resolve(call.repository.path, call.parts["commit_sha"])
    if sha is None:
        raise RefusalError(422, f"No commit found for SHA: {call.parts['commit_sha']}")
    opened = (one for one in call.world.pulls_of(call.repository) if one.state == "open")
    found = [one for one in opened if sha in git.commits_between(one.repo.path, state.base(one), state.head(one))]
    return paged(call, [shapes_pull.pull_simple(call.world, one) for one in found])


def compare(call: Call) -> Answer:
    """GET /repos/{owner}/{repo}/compare/{base}...{head}: files on page 1 only, at most 300."""
    world, repo = call.world, call.repository
    left, dots, right = call.parts["basehead"].partition("...")
    base, head = git.resolve(repo.path, left), git.resolve(repo.path, right)
    if not dots or base is None or head is None:
        raise not_found()
    middle = git.merge_base(repo.path, base, head)
    if middle is None:
        raise RefusalError(404, f"No common ancestor between {left} and {right}.")
    ahead = git.commits_between(repo.path, base, head)
    behind = git.commits_between(repo.path, head, base)
    url = f"{world.api_url}/repos/{repo.full_name}/compare/{left}...{right}"
    page = f"{shapes.SITE}/{repo.full_name}/compare/{left}...{right}"
    listed = paged(call, [shapes.commit(world, repo, sha) for sha in ahead[:250]])
    body = {
        "url": url,
        "html_url": page,
        "permalink_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "base_commit": shapes.commit(world, repo, base),
        "merge_base_commit": shapes.commit(world, repo, middle),
        "status": _relation(len(ahead), len(behind)),
        "ahead_by": len(ahead),
        "behind_by": len(behind),
        "total_commits": len(ahead),
        "commits": listed.body,
    }
    changes = diff.changed_files(repo.path, middle, head, world.limits.patch_bytes)[: world.limits.compare_files]
    if call.query.get("page", "1") == "1":
        body["files"] = [shapes.changed_file(world, repo, file, head) for file in changes]
    return Answer(200, body, listed.headers)


def _relation(ahead: int, behind: int) -> str:
    if ahead and behind:
        return "diverged"
    if ahead:
        return "ahead"
    return "behind" if behind else "identical"
