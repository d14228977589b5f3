"""Cuts openapi.json and webhooks.json, which the stand-in is held against, out of unpacked npm packages.

Run it as `python tests/standin/extract.py <folder of @octokit/openapi> <folder of @octokit/webhooks-schemas>`, after
`npm pack @octokit/openapi @octokit/webhooks-schemas` and unpacking both. Descriptions and examples are left out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PULL = "/repos/{owner}/{repo}/pulls/{pull_number}"
OPERATIONS = (
    ("/app", "get"),
    ("/app-manifests/{code}/conversions", "post"),
    ("/app/installations", "get"),
    ("/app/installations/{installation_id}", "get"),
    ("/app/installations/{installation_id}/access_tokens", "post"),
    ("/installation/repositories", "get"),
    ("/repos/{owner}/{repo}", "get"),
    ("/repos/{owner}/{repo}/pulls", "get"),
    (PULL, "get"),
    (f"{PULL}/files", "get"),
    (f"{PULL}/reviews", "get"),
    (f"{PULL}/reviews", "post"),
    (f"{PULL}/reviews/{{review_id}}", "delete"),
    (f"{PULL}/reviews/{{review_id}}/comments", "get"),
    (f"{PULL}/comments", "get"),
    (f"{PULL}/comments", "post"),
    (f"{PULL}/comments/{{comment_id}}/replies", "post"),
    ("/repos/{owner}/{repo}/pulls/comments/{comment_id}", "get"),
    ("/repos/{owner}/{repo}/pulls/comments/{comment_id}", "patch"),
    ("/repos/{owner}/{repo}/pulls/comments/{comment_id}", "delete"),
    ("/repos/{owner}/{repo}/git/blobs/{file_sha}", "get"),
    ("/repos/{owner}/{repo}/git/trees/{tree_sha}", "get"),
    ("/repos/{owner}/{repo}/git/ref/{ref}", "get"),
    ("/repos/{owner}/{repo}/contents/{path}", "get"),
    ("/repos/{owner}/{repo}/compare/{basehead}", "get"),
    ("/repos/{owner}/{repo}/commits/{commit_sha}/pulls", "get"),
    ("/repos/{owner}/{repo}/commits/{ref}/check-runs", "get"),
    ("/repos/{owner}/{repo}/check-runs", "post"),
    ("/repos/{owner}/{repo}/check-runs/{check_run_id}", "get"),
    ("/repos/{owner}/{repo}/check-runs/{check_run_id}", "patch"),
    ("/repos/{owner}/{repo}/check-runs/{check_run_id}/annotations", "get"),
    ("/app/hook/deliveries", "get"),
    ("/app/hook/deliveries/{delivery_id}/attempts", "post"),
    ("/repos/{owner}/{repo}/issues/{issue_number}/comments", "get"),
    ("/repos/{owner}/{repo}/issues/{issue_number}/comments", "post"),
    ("/repos/{owner}/{repo}/issues/comments/{comment_id}", "get"),
    ("/repos/{owner}/{repo}/issues/comments/{comment_id}", "patch"),
    ("/repos/{owner}/{repo}/issues/comments/{comment_id}", "delete"),
    ("/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions", "post"),
    ("/repos/{owner}/{repo}/pulls/comments/{comment_id}/reactions", "post"),
    ("/repos/{owner}/{repo}/collaborators/{username}/permission", "get"),
)
EVENTS = (
    "ping",
    "pull_request",
    "merge_group",
    "check_run",
    "check_suite",
    "issue_comment",
    "pull_request_review_comment",
    "pull_request_review_thread",
    "push",
    "installation",
    "installation_repositories",
    "repository",
)
NOISE = ("description", "examples", "example", "x-github", "externalDocs", "tags", "summary", "operationId", "tsType")


def without_noise(node: Any, names: bool = False) -> Any:
    """A copy without prose; `names` says that the keys of this object are names of properties, which all stay."""
    if isinstance(node, list):
        return [without_noise(item) for item in node]
    if not isinstance(node, dict):
        return node
    below = ("properties", "schemas", "definitions", "responses", "components", "paths")
    return {key: without_noise(value, key in below) for key, value in node.items() if names or key not in NOISE}


def references(node: Any) -> Iterable[str]:
    """Every `$ref` inside a document."""
    if isinstance(node, list):
        for item in node:
            yield from references(item)
    elif isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)


def with_definitions(whole: dict[str, Any], roots: dict[str, Any], home: tuple[str, ...]) -> dict[str, Any]:
    """The definitions under `home` (a path of keys) that the roots reach, directly or not."""
    prefix = "#/" + "/".join(home) + "/"
    source = whole
    for key in home:
        source = source[key]
    kept: dict[str, Any] = {}
    waiting = list(references(roots))
    while waiting:
        name = waiting.pop().removeprefix(prefix)
        if name not in kept:
            kept[name] = without_noise(source[name])
            waiting.extend(references(kept[name]))
    return {name: kept[name] for name in sorted(kept)}


def operation(whole: dict[str, Any], path: str, method: str) -> dict[str, Any]:
    """One operation with its request body and answers, shared answers written out."""
    found = without_noise(whole["paths"][path][method])
    answers = {}
    for status, answer in found["responses"].items():
        if "$ref" in answer:
            answer = without_noise(whole["components"]["responses"][answer["$ref"].rsplit("/", 1)[1]])
        answers[status] = {"content": answer.get("content", {})}
    kept = {"responses": answers}
    if "requestBody" in found:
        kept["requestBody"] = found["requestBody"]
    return kept


def openapi(package: Path) -> dict[str, Any]:
    """The operations in use and the component schemas they need."""
    whole = json.loads((package / "generated" / "api.github.com.json").read_text(encoding="utf-8"))
    paths: dict[str, Any] = {}
    for path, method in OPERATIONS:
        paths.setdefault(path, {})[method] = operation(whole, path, method)
    schemas = with_definitions(whole, paths, ("components", "schemas"))
    return {"provenance": provenance(package), "paths": paths, "components": {"schemas": schemas}}


def webhooks(package: Path) -> dict[str, Any]:
    """The events in use and the definitions they need."""
    whole = json.loads((package / "schema.json").read_text(encoding="utf-8"))
    wanted = [name for name in whole["definitions"] if name.partition("$")[0] in EVENTS and "$" in name]
    roots = {"anyOf": [{"$ref": f"#/definitions/{name}"} for name in wanted]}
    return {"provenance": provenance(package), "definitions": with_definitions(whole, roots, ("definitions",))}


def provenance(package: Path) -> str:
    """Which package and version the extract was cut from, under which licence."""
    about = json.loads((package / "package.json").read_text(encoding="utf-8"))
    return f"Extract of npm {about['name']} {about['version']} ({about['license']} licence), cut by extract.py"


def main() -> None:
    """Writes both extracts next to this file."""
    for name, content in (("openapi.json", openapi(Path(sys.argv[1]))), ("webhooks.json", webhooks(Path(sys.argv[2])))):
        text = json.dumps(content, separators=(",", ":"), sort_keys=True)
        (HERE / name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
