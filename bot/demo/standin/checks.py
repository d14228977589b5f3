"""Handlers of check runs, with what GitHub refuses about them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bot.demo.standin import git, shapes_pull
from bot.demo.standin.answer import Answer, Call, RefusalError, invalid, not_found, paged
from bot.demo.standin.shapes import SITE
from bot.demo.standin.state import CheckRun, stamp

STATUSES = ("queued", "in_progress", "completed")
CONCLUSIONS = ("action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out")
LEVELS = ("notice", "warning", "failure")
LONGEST_OUTPUT = 65_535
LONGEST_MESSAGE = 64 * 1024
MOST_ANNOTATIONS = 50
MOST_ACTIONS = 3
LONGEST_ACTION = {"label": 20, "description": 40, "identifier": 20}


def refused(words: str) -> RefusalError:
    """The form in which a malformed check run is refused."""
    return RefusalError(422, f"Invalid request.\n\n{words}")


def create(call: Call) -> Answer:
    """POST /repos/{owner}/{repo}/check-runs."""
    given, world, repo = call.given, call.world, call.repository
    name, sha = given.get("name"), given.get("head_sha")
    if not isinstance(name, str) or not name:
        raise refused('"name" wasn\'t supplied.')
    if not isinstance(sha, str) or not sha:
        raise refused('"head_sha" wasn\'t supplied.')
    if git.resolve(repo.path, sha) != sha:
        raise RefusalError(422, f"No commit found for SHA: {sha}")
    check(given)
    run = CheckRun(
        id=next(world.ids),
        repo=repo,
        app=call.asking_app,
        suite=world.suite(repo, sha, call.asking_app),
        name=name,
        head_sha=sha,
        status="queued",
        conclusion=None,
        started_at=stamp(world.clock()),
        completed_at=None,
        details_url=None,
        external_id="",
    )
    apply(call, run)
    world.checks[run.id] = run
    return Answer(201, shapes_pull.check_run(world, run))


def update(call: Call) -> Answer:
    """PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}: by the App that made it; annotations are added."""
    run = run_of(call)
    if run.app is not call.asking_app:
        raise RefusalError(
            403, f"Invalid app_id `{call.asking_app.id}` - check run can only be modified by the GitHub App that created it."
        )
    if "name" in call.given and not (isinstance(call.given["name"], str) and call.given["name"]):
        raise invalid("CheckRun", "name")
    check(call.given)
    if run.status == "completed" and (call.given.get("output") or {}).get("annotations"):
        # GitHub takes it, and shows them twice to everybody from then on.
        call.world.violations.append(f"annotations added to check run {run.id}, which is completed")
    apply(call, run)
    return Answer(200, shapes_pull.check_run(call.world, run))


def check(given: dict[str, Any]) -> None:
    """Refuses what GitHub refuses of the fields that creating and updating share."""
    status, conclusion = given.get("status"), given.get("conclusion")
    if status is not None and status not in STATUSES:
        raise refused(f"For 'properties/status', {status!r} is not a status that an App may set.")
    if conclusion is not None and conclusion not in CONCLUSIONS:
        raise refused(f"For 'properties/conclusion', {conclusion!r} is not a conclusion that an App may set.")
    if status == "completed" and conclusion is None:
        raise refused('"conclusion" wasn\'t supplied: it is required when status is completed.')
    if conclusion is not None and status not in (None, "completed"):
        raise refused('"conclusion" is only allowed when status is completed.')
    for name in ("started_at", "completed_at"):
        if given.get(name) is not None and not _is_time(given[name]):
            raise refused(f"{name!r} is not a valid date-time.")
    if given.get("details_url") is not None and not str(given["details_url"]).startswith(("http://", "https://")):
        raise invalid("CheckRun", "details_url", "custom", "details_url must use http or https scheme")
    if "output" in given:
        check_output(given["output"])
    check_actions(given.get("actions") or [])


def _is_time(text: Any) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except (TypeError, ValueError):
        return False


def check_output(output: Any) -> None:
    """Title and summary are required; texts and annotations are limited."""
    if not isinstance(output, dict):
        raise refused("For 'properties/output', it is not an object.")
    for name in ("title", "summary"):
        if not isinstance(output.get(name), str) or not output[name]:
            raise refused(f"For 'properties/output', \"{name}\" wasn't supplied.")
    for name in ("summary", "text"):
        # Counted in bytes: the description says characters, the error text says bytes, and the stricter is safe in both.
        if isinstance(output.get(name), str) and len(output[name].encode()) > LONGEST_OUTPUT:
            raise invalid("CheckRun", name, "custom", f"{name} exceeds a maximum bytesize of {LONGEST_OUTPUT}")
    annotations = output.get("annotations") or []
    if not isinstance(annotations, list):
        raise refused("For 'properties/annotations', it is not an array.")
    if len(annotations) > MOST_ANNOTATIONS:
        raise refused(f"No more than {MOST_ANNOTATIONS} items are allowed; {len(annotations)} were supplied.")
    for annotation in annotations:
        check_annotation(annotation)


def check_annotation(given: Any) -> None:
    """Required fields, levels, order of lines, columns on single lines only, sizes."""
    if not isinstance(given, dict):
        raise refused("An annotation is not an object.")
    for name, kind in (("path", str), ("start_line", int), ("end_line", int), ("annotation_level", str), ("message", str)):
        if not isinstance(given.get(name), kind):
            raise refused(f"For 'annotations', \"{name}\" wasn't supplied.")
    if given["annotation_level"] not in LEVELS:
        raise refused(f"{given['annotation_level']!r} is not an annotation level.")
    if given["start_line"] < 1 or given["end_line"] < given["start_line"]:
        raise invalid("CheckAnnotation", "end_line")
    columns = given.get("start_column") is not None or given.get("end_column") is not None
    if columns and given["start_line"] != given["end_line"]:
        raise invalid("CheckAnnotation", "start_column", "custom", "columns are only allowed on a single line")
    for name in ("title", "raw_details"):
        if not isinstance(given.get(name) or "", str):
            raise refused(f"For 'annotations', \"{name}\" is not a string.")
    if len(given.get("title") or "") > 255:
        raise invalid("CheckAnnotation", "title")
    for name in ("message", "raw_details"):
        if len((given.get(name) or "").encode()) > LONGEST_MESSAGE:
            raise invalid("CheckAnnotation", name)


def check_actions(actions: Any) -> None:
    """At most three buttons with short texts."""
    if not isinstance(actions, list) or len(actions) > MOST_ACTIONS:
        raise refused(f"No more than {MOST_ACTIONS} actions are allowed.")
    for action in actions:
        for name, longest in LONGEST_ACTION.items():
            if not isinstance(action, dict) or not isinstance(action.get(name), str) or not action[name]:
                raise refused(f"For 'actions', \"{name}\" wasn't supplied.")
            if len(action[name]) > longest:
                raise refused(f"For 'actions', {name} has more than {longest} characters.")


def apply(call: Call, run: CheckRun) -> None:
    """Takes the given fields over; a conclusion completes the run, a status before completion takes it back."""
    given, output = call.given, call.given.get("output") or {}
    for name in ("name", "details_url", "external_id", "started_at", "completed_at"):
        if given.get(name) is not None:
            setattr(run, name, given[name])
    for name in ("title", "summary", "text"):
        if name in output:
            setattr(run, name, output[name])
    run.annotations.extend(output.get("annotations") or [])
    if "actions" in given:
        run.actions = list(given["actions"])
    if given.get("conclusion") is not None:
        run.status, run.conclusion = "completed", given["conclusion"]
        run.completed_at = given.get("completed_at") or stamp(call.world.clock())
    elif given.get("status") is not None:
        run.status, run.conclusion, run.completed_at = given["status"], None, None


def run_of(call: Call) -> CheckRun:
    """The check run that the address names."""
    run = call.world.checks.get(call.number("check_run_id"))
    if run is None or run.repo is not call.repository:
        raise not_found()
    return run


def read(call: Call) -> Answer:
    """GET /repos/{owner}/{repo}/check-runs/{check_run_id}."""
    return Answer(200, shapes_pull.check_run(call.world, run_of(call)))


def annotations_of(call: Call) -> Answer:
    """GET /repos/{owner}/{repo}/check-runs/{check_run_id}/annotations."""
    run = run_of(call)
    absent = dict.fromkeys(("start_column", "end_column", "title", "raw_details"))
    page = f"{SITE}/{run.repo.full_name}/blob/{run.head_sha}"
    return paged(call, [{**absent, **one, "blob_href": f"{page}/{one['path']}"} for one in run.annotations])


def of_commit(call: Call) -> Answer:
    """GET /repos/{owner}/{repo}/commits/{ref}/check-runs: the latest of each name and suite unless `filter=all`."""
    sha = git.resolve(call.repository.path, call.parts["ref"])
    if sha is None:
        raise RefusalError(422, f"No commit found for SHA: {call.parts['ref']}")
    found = [run for run in call.world.checks.values() if run.repo is call.repository and run.head_sha == sha]
    for name in ("check_name", "app_id", "status"):
        if name in call.query:
            found = [run for run in found if call.query[name] == _filtered(run, name)]
    if call.query.get("filter", "latest") == "latest":
        found = list({(run.suite, run.name): run for run in found}.values())
    return paged(call, [shapes_pull.check_run(call.world, run) for run in reversed(found)], "check_runs")


def _filtered(run: CheckRun, name: str) -> str:
    return {"check_name": run.name, "app_id": str(run.app.id), "status": run.status}[name]
