"""The JSON bodies of accounts, Apps, installations, repositories, files and commits, as GitHub words them."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

from bot.demo.standin import diff, git
from bot.demo.standin.state import App, Installation, Person, Repository, World, stamp

SITE = "https://github.com"
# suffix of `<name>_url` in a repository, by name; the braces are URI templates and are GitHub's own.
REPOSITORY_URLS = {
    "archive": "/{archive_format}{/ref}",
    "assignees": "/assignees{/user}",
    "blobs": "/git/blobs{/sha}",
    "branches": "/branches{/branch}",
    "collaborators": "/collaborators{/collaborator}",
    "comments": "/comments{/number}",
    "commits": "/commits{/sha}",
    "compare": "/compare/{base}...{head}",
    "contents": "/contents/{+path}",
    "contributors": "/contributors",
    "deployments": "/deployments",
    "downloads": "/downloads",
    "events": "/events",
    "forks": "/forks",
    "git_commits": "/git/commits{/sha}",
    "git_refs": "/git/refs{/sha}",
    "git_tags": "/git/tags{/sha}",
    "hooks": "/hooks",
    "issue_comment": "/issues/comments{/number}",
    "issue_events": "/issues/events{/number}",
    "issues": "/issues{/number}",
    "keys": "/keys{/key_id}",
    "labels": "/labels{/name}",
    "languages": "/languages",
    "merges": "/merges",
    "milestones": "/milestones{/number}",
    "notifications": "/notifications{?since,all,participating}",
    "pulls": "/pulls{/number}",
    "releases": "/releases{/id}",
    "stargazers": "/stargazers",
    "statuses": "/statuses/{sha}",
    "subscribers": "/subscribers",
    "subscription": "/subscription",
    "tags": "/tags",
    "teams": "/teams",
    "trees": "/git/trees{/sha}",
}
USER_URLS = {
    "followers": "/followers",
    "following": "/following{/other_user}",
    "gists": "/gists{/gist_id}",
    "starred": "/starred{/owner}{/repo}",
    "subscriptions": "/subscriptions",
    "organizations": "/orgs",
    "repos": "/repos",
    "events": "/events{/privacy}",
    "received_events": "/received_events",
}


def node(kind: str, number: int) -> str:
    """A GraphQL id; opaque to clients."""
    return base64.b64encode(f"{kind}{number}".encode()).decode()


def user(world: World, person: Person) -> dict[str, Any]:
    """An account."""
    url = f"{world.api_url}/users/{quote(person.login)}"
    return {
        "login": person.login,
        "id": person.id,
        "node_id": node("User", person.id),
        "avatar_url": f"https://avatars.githubusercontent.com/u/{person.id}?v=4",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{SITE}/{quote(person.login)}",
        **{f"{name}_url": url + suffix for name, suffix in USER_URLS.items()},
        "type": person.kind,
        "site_admin": False,
    }


def app(world: World, one: App) -> dict[str, Any]:
    """A GitHub App as it stands inside check runs and deliveries."""
    return {
        "id": one.id,
        "slug": one.slug,
        "node_id": node("App", one.id),
        "owner": user(world, one.owner),
        "name": one.name or one.slug,
        "description": "",
        "external_url": "https://example.com",
        "html_url": one.html_url or f"{SITE}/apps/{one.slug}",
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.created_at),
        "permissions": one.permissions,
        "events": one.events,
    }


def installation(world: World, one: Installation) -> dict[str, Any]:
    """An installation of an App."""
    url = f"{world.api_url}/app/installations/{one.id}"
    suspended = one.suspended_at
    return {
        "id": one.id,
        "account": user(world, one.account),
        "repository_selection": "selected",
        "access_tokens_url": f"{url}/access_tokens",
        "repositories_url": f"{world.api_url}/installation/repositories",
        "html_url": f"{SITE}/organizations/{one.account.login}/settings/installations/{one.id}",
        "app_id": one.app.id,
        "app_slug": one.app.slug,
        "target_id": one.account.id,
        "target_type": one.account.kind,
        "permissions": one.permissions,
        "events": one.app.events,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.created_at),
        "single_file_name": None,
        "has_multiple_single_files": False,
        "single_file_paths": [],
        "suspended_by": user(world, one.account) if suspended else None,
        "suspended_at": stamp(suspended) if suspended else None,
    }


def repository(world: World, repo: Repository) -> dict[str, Any]:
    """A repository as it stands inside pull requests, lists and deliveries."""
    url, page = f"{world.api_url}/repos/{repo.full_name}", f"{SITE}/{repo.full_name}"
    when = stamp(repo.created_at)
    counts = ("forks", "forks_count", "open_issues", "open_issues_count", "stargazers_count", "watchers", "watchers_count")
    return {
        "id": repo.id,
        "node_id": node("Repository", repo.id),
        "name": repo.name,
        "full_name": repo.full_name,
        "private": repo.private,
        "visibility": "private" if repo.private else "public",
        "owner": user(world, repo.owner),
        "html_url": page,
        "description": None,
        "fork": False,
        "url": url,
        **{f"{name}_url": url + suffix for name, suffix in REPOSITORY_URLS.items()},
        "git_url": f"git://github.com/{repo.full_name}.git",
        "ssh_url": f"git@github.com:{repo.full_name}.git",
        "clone_url": f"{page}.git",
        "svn_url": page,
        "mirror_url": None,
        "homepage": None,
        "language": None,
        "license": None,
        "size": 0,
        **dict.fromkeys(counts, 0),
        "default_branch": repo.default_branch,
        "topics": [],
        "custom_properties": {},
        **{f"has_{name}": True for name in ("issues", "projects", "downloads", "wiki")},
        "has_pages": False,
        "has_discussions": False,
        "is_template": False,
        "allow_forking": True,
        "web_commit_signoff_required": False,
        "archived": repo.archived,
        "disabled": False,
        "pushed_at": when,
        "created_at": when,
        "updated_at": when,
    }


def full_repository(world: World, repo: Repository) -> dict[str, Any]:
    """A repository as its own address answers it."""
    return {**repository(world, repo), "subscribers_count": 0, "network_count": 0}


def changed_file(world: World, repo: Repository, file: diff.ChangedFile, head: str) -> dict[str, Any]:
    """One entry of a list of files; `patch` and `previous_filename` are left out where GitHub leaves them out."""
    path = quote(file.filename)
    body: dict[str, Any] = {
        "sha": file.sha,
        "filename": file.filename,
        "status": file.status,
        "additions": file.additions,
        "deletions": file.deletions,
        "changes": file.additions + file.deletions,
        "blob_url": f"{SITE}/{repo.full_name}/blob/{head}/{path}",
        "raw_url": f"{SITE}/{repo.full_name}/raw/{head}/{path}",
        "contents_url": f"{world.api_url}/repos/{repo.full_name}/contents/{path}?ref={head}",
    }
    if file.patch is not None:
        body["patch"] = file.patch
    if file.previous_filename is not None:
        body["previous_filename"] = file.previous_filename
    return body


def commit(world: World, repo: Repository, sha: str) -> dict[str, Any]:
    """A commit; authors are not matched with accounts."""
    one = git.commit(repo.path, sha)
    url, page = f"{world.api_url}/repos/{repo.full_name}", f"{SITE}/{repo.full_name}"
    person = {"name": one.name, "email": one.email, "date": one.date}
    return {
        "url": f"{url}/commits/{sha}",
        "sha": sha,
        "node_id": node("Commit" + sha, repo.id),
        "html_url": f"{page}/commit/{sha}",
        "comments_url": f"{url}/commits/{sha}/comments",
        "commit": {
            "url": f"{url}/git/commits/{sha}",
            "author": person,
            "committer": person,
            "message": one.message,
            "comment_count": 0,
            "tree": {"sha": one.tree, "url": f"{url}/git/trees/{one.tree}"},
        },
        "author": {},
        "committer": {},
        "parents": [
            {"sha": parent, "url": f"{url}/commits/{parent}", "html_url": f"{page}/commit/{parent}"} for parent in one.parents
        ],
    }
