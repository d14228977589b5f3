"""The bodies of deliveries about the hook, installations, repositories, pushes and the merge queue."""

from __future__ import annotations

from typing import Any

from bot.demo.standin import git, shapes
from bot.demo.standin.state import Repository, stamp
from bot.demo.standin.subject import NOWHERE, Subject, repo_of


def ping(subject: Subject) -> dict[str, Any]:
    """Sent when the hook is made; it belongs to no installation."""
    app, when = subject.app, stamp(subject.app.created_at)
    config = {"content_type": "json", "insecure_ssl": "0", "secret": "********", "url": "https://example.com/webhook"}
    url = f"{subject.world.api_url}/app/hook"
    hook = {
        "type": "App",
        "id": app.hook_id,
        "name": "web",
        "active": True,
        "app_id": app.id,
        "events": app.events,
        "config": config,
        "created_at": when,
        "updated_at": when,
        "url": f"{url}/config",
        "ping_url": f"{url}/pings",
        "deliveries_url": f"{url}/deliveries",
    }
    return {"zen": "Speak like a human.", "hook_id": app.hook_id, "hook": hook}


def merge_group(subject: Subject) -> dict[str, Any]:
    """A group of the queue: `ref` is its branch, `before` the base commit, `after` the commit to be checked."""
    repo = repo_of(subject)
    one = git.commit(repo.path, subject.after)
    person = {"name": one.name, "email": one.email}
    group = {
        "head_sha": subject.after,
        "head_ref": f"refs/heads/{subject.ref}",
        "base_sha": subject.before,
        "base_ref": f"refs/heads/{repo.default_branch}",
        "head_commit": {
            "id": one.sha,
            "tree_id": one.tree,
            "message": one.message,
            "timestamp": one.date,
            "author": person,
            "committer": person,
        },
    }
    return {"merge_group": group} if subject.action != "destroyed" else {"merge_group": group, "reason": "invalidated"}


def push(subject: Subject) -> dict[str, Any]:
    """A push: `ref` is the branch, `before` and `after` the commits."""
    world, repo = subject.world, repo_of(subject)
    page = f"{shapes.SITE}/{repo.full_name}"
    known = [] if NOWHERE in (subject.before, subject.after) else git.commits_between(repo.path, subject.before, subject.after)
    commits = [_pushed(repo, subject.before, sha) for sha in known]
    return {
        "ref": f"refs/heads/{subject.ref}",
        "before": subject.before,
        "after": subject.after,
        "base_ref": None,
        "created": subject.before == NOWHERE,
        "deleted": subject.after == NOWHERE,
        "forced": False,
        "compare": f"{page}/compare/{subject.before[:12]}...{subject.after[:12]}",
        "commits": commits,
        "head_commit": commits[-1] if commits else None,
        "pusher": {"name": subject.sender.login, "email": f"{subject.sender.login}@{world.api_url.rpartition('/')[2]}"},
    }


def _pushed(repo: Repository, before: str, sha: str) -> dict[str, Any]:
    one = git.commit(repo.path, sha)
    person = {"name": one.name, "email": one.email}
    parent = one.parents[0] if one.parents else git.EMPTY_TREE
    text = git.run(repo.path, "diff", "--no-renames", "--name-status", "-z", parent, sha).decode("utf-8", "replace")
    words = text.split("\0")
    changes = list(zip(words[::2], words[1::2], strict=False))
    return {
        "id": sha,
        "tree_id": one.tree,
        "distinct": True,
        "message": one.message,
        "timestamp": one.date,
        "url": f"{shapes.SITE}/{repo.full_name}/commit/{sha}",
        "author": person,
        "committer": person,
        "added": [path for letter, path in changes if letter == "A"],
        "removed": [path for letter, path in changes if letter == "D"],
        "modified": [path for letter, path in changes if letter in "MT"],
    }


def installation(subject: Subject) -> dict[str, Any]:
    """An installation that was made, removed, suspended or given more rights."""
    sender = shapes.user(subject.world, subject.sender)
    return {
        "installation": _installation(subject),
        "repositories": [_short(repo) for repo in subject.repositories],
        "sender": sender,
    }


def installation_repositories(subject: Subject) -> dict[str, Any]:
    """Repositories that were added to an installation or removed from it."""
    listed = [_short(repo) for repo in subject.repositories]
    return {
        "installation": _installation(subject),
        "repository_selection": "selected",
        "repositories_added": listed if subject.action == "added" else [],
        "repositories_removed": listed if subject.action == "removed" else [],
        "requester": None,
        "sender": shapes.user(subject.world, subject.sender),
    }


def _short(repo: Repository) -> dict[str, Any]:
    about = {"id": repo.id, "node_id": shapes.node("Repository", repo.id), "name": repo.name}
    return {**about, "full_name": repo.full_name, "private": repo.private}


def repository(subject: Subject) -> dict[str, Any]:
    """A repository that was renamed (the name before in `body`), archived and so on."""
    if subject.action == "renamed":
        return {"changes": {"repository": {"name": {"from": subject.body}}}}
    return {}


def _installation(subject: Subject) -> dict[str, Any]:
    if subject.installation is None:
        raise ValueError("this event needs an installation")
    return shapes.installation(subject.world, subject.installation)
