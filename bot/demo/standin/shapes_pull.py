"""The JSON bodies of pull requests, reviews, review comments and check runs, as GitHub words them."""

from __future__ import annotations

from typing import Any

from bot.demo.standin import git, state
from bot.demo.standin.anchors import Place, place_now
from bot.demo.standin.shapes import SITE, app, node, repository, user
from bot.demo.standin.state import CheckRun, Comment, PullRequest, Review, World, stamp

REACTIONS = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")


def pull_simple(world: World, pull: PullRequest) -> dict[str, Any]:
    """A pull request as lists hold it; `head.repo` is null for a deleted fork."""
    url, page = pull_url(world, pull), pull_page(pull)
    repo_url = f"{world.api_url}/repos/{pull.repo.full_name}"
    issue, head = f"{repo_url}/issues/{pull.number}", state.head(pull)
    urls = {
        "comments": f"{issue}/comments",
        "commits": f"{url}/commits",
        "review_comment": f"{repo_url}/pulls/comments{{/number}}",
        "review_comments": f"{url}/comments",
        "statuses": f"{repo_url}/statuses/{head}",
    }
    links = {**urls, "html": page, "issue": issue, "self": url}
    return {
        "url": url,
        "id": pull.id,
        "node_id": node("PullRequest", pull.id),
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "issue_url": issue,
        **{f"{name}_url": address for name, address in urls.items()},
        "number": pull.number,
        "state": pull.state,
        "locked": pull.locked,
        "title": pull.title,
        "user": user(world, pull.author),
        "body": pull.body,
        "labels": [label(world, pull, name) for name in pull.labels],
        "milestone": None,
        "active_lock_reason": "resolved" if pull.locked else None,
        "created_at": stamp(pull.created_at),
        "updated_at": stamp(pull.created_at),
        "closed_at": stamp(pull.closed_at) if pull.closed_at else None,
        "merged_at": stamp(pull.closed_at) if pull.closed_at and pull.merged else None,
        "merge_commit_sha": None,
        "assignee": None,
        "assignees": [],
        "requested_reviewers": [],
        "requested_teams": [],
        "head": _head(world, pull, head),
        "base": _base(world, pull),
        "_links": {name: {"href": address} for name, address in links.items()},
        "author_association": "CONTRIBUTOR",
        "auto_merge": None,
        "draft": pull.draft,
    }


def pull_full(world: World, pull: PullRequest) -> dict[str, Any]:
    """A pull request as its own address and deliveries hold it."""
    files = state.changed(world, pull)
    head = state.head(pull)
    since = git.commits_between(pull.repo.path, state.base(pull), head) if state.base(pull) != git.EMPTY_TREE else (head,)
    return {
        **pull_simple(world, pull),
        "merged": pull.merged,
        "mergeable": None,
        "rebaseable": None,
        "mergeable_state": "unknown",
        "merged_by": user(world, pull.repo.owner) if pull.merged else None,
        "comments": 0,
        "review_comments": len([one for one in world.comments.values() if one.pull is pull]),
        "maintainer_can_modify": False,
        "commits": len(since),
        "additions": sum(file.additions for file in files),
        "deletions": sum(file.deletions for file in files),
        "changed_files": len(files),
    }


def pull_url(world: World, pull: PullRequest) -> str:
    """Where the interface answers a pull request."""
    return f"{world.api_url}/repos/{pull.repo.full_name}/pulls/{pull.number}"


def pull_page(pull: PullRequest) -> str:
    """Where people see a pull request."""
    return f"{SITE}/{pull.repo.full_name}/pull/{pull.number}"


def label(world: World, pull: PullRequest, name: str) -> dict[str, Any]:
    """A label; its id is made of its name."""
    number = sum(name.encode())
    url = f"{world.api_url}/repos/{pull.repo.full_name}/labels/{name}"
    about = {"color": "ededed", "default": False, "description": ""}
    return {"id": number, "node_id": node("Label", number), "url": url, "name": name, **about}


def _head(world: World, pull: PullRequest, sha: str) -> dict[str, Any]:
    source = pull.fork or pull.repo
    return {
        "label": f"{pull.head_owner.login}:{pull.head_ref}",
        "ref": pull.head_ref,
        "sha": sha,
        "user": user(world, pull.head_owner),
        "repo": None if pull.fork_deleted else repository(world, source),
    }


def _base(world: World, pull: PullRequest) -> dict[str, Any]:
    return {
        "label": f"{pull.repo.owner.login}:{pull.base_ref}",
        "ref": pull.base_ref,
        "sha": state.base(pull),
        "user": user(world, pull.repo.owner),
        "repo": repository(world, pull.repo),
    }


def review(world: World, one: Review) -> dict[str, Any]:
    """A review; a pending one has no time."""
    page = f"{pull_page(one.pull)}#pullrequestreview-{one.id}"
    body = {
        "id": one.id,
        "node_id": node("PullRequestReview", one.id),
        "user": user(world, one.author),
        "body": one.body,
        "state": one.state,
        "html_url": page,
        "pull_request_url": pull_url(world, one.pull),
        "author_association": "NONE",
        "_links": {"html": {"href": page}, "pull_request": {"href": pull_url(world, one.pull)}},
        "commit_id": one.commit_id,
    }
    if one.submitted_at is not None:
        body["submitted_at"] = stamp(one.submitted_at)
    return body


def comment(world: World, one: Comment) -> dict[str, Any]:
    """A review comment at the head of now: `line` and `position` are null once it is outdated."""
    now: Place = place_now(world, one)
    url = f"{world.api_url}/repos/{one.pull.repo.full_name}/pulls/comments/{one.id}"
    page = f"{pull_page(one.pull)}#discussion_r{one.id}"
    body = {
        "url": url,
        "pull_request_review_id": one.review.id,
        "id": one.id,
        "node_id": node("PullRequestReviewComment", one.id),
        "diff_hunk": one.diff_hunk,
        "path": one.path,
        "position": now.position,
        "original_position": one.position if one.position is not None else 1,
        "commit_id": now.commit_id,
        "original_commit_id": one.commit_id,
        "user": user(world, one.author),
        "body": one.body,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
        "html_url": page,
        "pull_request_url": pull_url(world, one.pull),
        "author_association": "NONE",
        "_links": {"self": {"href": url}, "html": {"href": page}, "pull_request": {"href": pull_url(world, one.pull)}},
        "reactions": reactions(url, world, one.id),
        "start_line": now.start_line,
        "original_start_line": one.start_line,
        "start_side": one.start_side,
        "line": now.line,
        "original_line": one.line if one.line is not None else 1,
        "side": one.side,
        "subject_type": one.subject_type,
    }
    if one.in_reply_to is not None:
        body["in_reply_to_id"] = one.in_reply_to
    return body


def reactions(url: str, world: World, comment_id: int) -> dict[str, Any]:
    """The counts of reactions to a comment."""
    found = [one.content for one in world.reactions if one.comment == comment_id]
    return {"url": f"{url}/reactions", "total_count": len(found), **{kind: found.count(kind) for kind in REACTIONS}}


def check_run(world: World, one: CheckRun) -> dict[str, Any]:
    """A check run; `pull_requests` are those open ones of the repository itself whose head it is."""
    url = f"{world.api_url}/repos/{one.repo.full_name}/check-runs/{one.id}"
    return {
        "id": one.id,
        "name": one.name,
        "node_id": node("CheckRun", one.id),
        "head_sha": one.head_sha,
        "external_id": one.external_id,
        "url": url,
        "html_url": f"{SITE}/{one.repo.full_name}/runs/{one.id}",
        "details_url": one.details_url or f"{SITE}/apps/{one.app.slug}",
        "status": one.status,
        "conclusion": one.conclusion,
        "started_at": one.started_at,
        "completed_at": one.completed_at,
        "output": {
            "title": one.title,
            "summary": one.summary,
            "text": one.text,
            "annotations_count": len(one.annotations),
            "annotations_url": f"{url}/annotations",
        },
        "check_suite": {"id": one.suite},
        "app": app(world, one.app),
        "pull_requests": pulls_at(world, one),
    }


def pulls_at(world: World, one: CheckRun) -> list[dict[str, Any]]:
    """The short form of open pull requests at the commit of a check run; those of forks are not listed."""
    found = []
    for pull in world.pulls_of(one.repo):
        if pull.state == "open" and pull.head_owner is pull.repo.owner and state.head(pull) == one.head_sha:
            short = {"id": one.repo.id, "url": f"{world.api_url}/repos/{one.repo.full_name}", "name": one.repo.name}
            tip = {"ref": pull.head_ref, "sha": one.head_sha, "repo": short}
            base = {"ref": pull.base_ref, "sha": state.base(pull), "repo": short}
            about = {"url": pull_url(world, pull), "id": pull.id, "number": pull.number}
            found.append({**about, "head": tip, "base": base})
    return found
