"""Handlers that read blobs, trees and contents."""

from __future__ import annotations

import base64
import re
from typing import Any
from urllib.parse import quote

from bot.demo.standin import git
from bot.demo.standin.answer import Answer, Call, RefusalError, not_found
from bot.demo.standin.shapes import SITE, node
from bot.demo.standin.state import Repository, World

RAW = "application/vnd.github.raw+json; charset=utf-8"
LARGEST_BLOB = 100 * 1024 * 1024
KINDS = {"blob": "file", "tree": "dir", "commit": "submodule"}


def wants_raw(call: Call) -> bool:
    """Whether the raw media type was asked for."""
    return re.search(r"vnd\.github(\.v3)?\.raw", call.accept) is not None


def blob(call: Call) -> Answer:
    """GET /repos/{owner}/{repo}/git/blobs/{file_sha}: base64 in lines of sixty characters, or raw."""
    sha, repo = call.parts["file_sha"], call.repository
    if re.fullmatch(r"[0-9a-f]{40}", sha) is None:
        raise RefusalError(422, "The sha parameter must be exactly 40 characters and contain only [0-9a-f].")
    data = git.blob(repo.path, sha)
    if data is None:
        raise not_found()
    if len(data) > LARGEST_BLOB:
        raise too_large("100 MB")
    if wants_raw(call):
        return Answer(200, data, media_type=RAW)
    body = {
        "sha": sha,
        "node_id": node("Blob" + sha, repo.id),
        "size": len(data),
        "url": f"{call.world.api_url}/repos/{repo.full_name}/git/blobs/{sha}",
        "content": in_base64(data),
        "encoding": "base64",
    }
    return Answer(200, body)


def in_base64(data: bytes) -> str:
    """Base64 as GitHub breaks it: a line feed after every sixty characters and at the end."""
    text = base64.b64encode(data).decode()
    return "".join(text[start : start + 60] + "\n" for start in range(0, len(text), 60))


def too_large(limit: str) -> RefusalError:
    """The refusal of a body over a limit."""
    error = {"resource": "Blob", "field": "data", "code": "too_large"}
    return RefusalError(403, f"This API returns blobs up to {limit} in size.", [error])


def tree(call: Call) -> Answer:
    """GET /repos/{owner}/{repo}/git/trees/{tree_sha}: any value of `recursive` descends."""
    repo, limit = call.repository, call.world.limits.tree_entries
    sha = git.tree_sha(repo.path, call.parts["tree_sha"])
    if sha is None:
        raise not_found()
    entries = git.tree(repo.path, sha, "recursive" in call.query)
    url = f"{call.world.api_url}/repos/{repo.full_name}/git"
    listed = []
    for entry in entries[:limit]:
        body: dict[str, Any] = {"path": entry.path, "mode": entry.mode, "type": entry.kind, "sha": entry.sha}
        if entry.size is not None:
            body["size"] = entry.size
        if entry.kind != "commit":
            body["url"] = f"{url}/{entry.kind}s/{entry.sha}"
        listed.append(body)
    return Answer(200, {"sha": sha, "url": f"{url}/trees/{sha}", "tree": listed, "truncated": len(entries) > limit})


def reference(call: Call) -> Answer:
    """GET /repos/{owner}/{repo}/git/ref/{ref}: `heads/main`; only whole names, as GitHub matches no parts here."""
    repo, name = call.repository, call.parts["ref"]
    sha = git.resolve(repo.path, f"refs/{name}") if name.startswith(("heads/", "tags/")) else None
    if sha is None:
        raise not_found()
    url = f"{call.world.api_url}/repos/{repo.full_name}/git"
    body = {
        "ref": f"refs/{name}",
        "node_id": f"REF_{name}",
        "url": f"{url}/refs/{name}",
        "object": {"type": "commit", "sha": sha, "url": f"{url}/commits/{sha}"},
    }
    return Answer(200, body)


def contents(call: Call) -> Answer:
    """GET /repos/{owner}/{repo}/contents/{path}?ref=: a file, a folder, a link to nowhere or a submodule."""
    repo, path = call.repository, call.parts.get("path", "").strip("/")
    name = call.query.get("ref", repo.default_branch)
    revision = git.resolve(repo.path, name)
    if revision is None:
        raise RefusalError(404, f"No commit found for the ref {name}")
    if not path:
        return _folder(call, revision, "")
    entry = find(repo, revision, path)
    if entry is None:
        raise not_found()
    if entry.mode == "120000":
        target = _followed(repo, revision, entry)
        entry = target if target is not None else entry
    if entry.kind == "tree":
        return _folder(call, revision, path)
    return _file(call, revision, entry, path)


def find(repo: Repository, revision: str, path: str) -> git.TreeEntry | None:
    """The entry at a path, found by its exact name, never by a pattern."""
    folder, _, name = path.rpartition("/")
    try:
        entries = git.tree(repo.path, f"{revision}:{folder}")
    except git.GitError:
        return None
    return next((entry for entry in entries if entry.path == name), None)


def _followed(repo: Repository, revision: str, link: git.TreeEntry) -> git.TreeEntry | None:
    """What a symbolic link points at, where it is a plain path from the root of the repository."""
    target = (git.blob(repo.path, link.sha) or b"").decode("utf-8", "replace")
    return None if target.startswith(("/", "..")) else find(repo, revision, target)


def _file(call: Call, revision: str, entry: git.TreeEntry, path: str) -> Answer:
    repo = call.repository
    body = described(call.world, repo, revision, entry, path)
    if entry.kind == "commit":
        return Answer(200, {**body, "submodule_git_url": f"{SITE}/{repo.full_name}.git"})
    data = git.blob(repo.path, entry.sha) or b""
    if wants_raw(call):
        return Answer(200, data, media_type=RAW)
    if entry.mode == "120000":
        return Answer(200, {**body, "target": data.decode("utf-8", "replace")})
    if len(data) > call.world.limits.contents_bytes:
        if "vnd.github.object" not in call.accept:
            raise too_large("1 MB")
        return Answer(200, {**body, "encoding": "none", "content": ""})
    return Answer(200, {**body, "encoding": "base64", "content": in_base64(data)})


def _folder(call: Call, revision: str, path: str) -> Answer:
    prefix = f"{path}/" if path else ""
    entries = git.tree(call.repository.path, f"{revision}:{path}")[:1000]
    return Answer(200, [described(call.world, call.repository, revision, entry, prefix + entry.path) for entry in entries])


def described(world: World, repo: Repository, revision: str, entry: git.TreeEntry, path: str) -> dict[str, Any]:
    """What is said of an entry whether its content follows or not."""
    quoted = quote(path)
    url = f"{world.api_url}/repos/{repo.full_name}/contents/{quoted}?ref={revision}"
    data = f"{world.api_url}/repos/{repo.full_name}/git/{'trees' if entry.kind == 'tree' else 'blobs'}/{entry.sha}"
    page = f"{SITE}/{repo.full_name}/{'tree' if entry.kind == 'tree' else 'blob'}/{revision}/{quoted}"
    plain = f"https://raw.githubusercontent.com/{repo.full_name}/{revision}/{quoted}"
    return {
        "type": "symlink" if entry.mode == "120000" else KINDS[entry.kind],
        "size": entry.size or 0,
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": entry.sha,
        "url": url,
        "git_url": data,
        "html_url": page,
        "download_url": plain if entry.kind == "blob" else None,
        "_links": {"self": url, "git": data, "html": page},
    }
