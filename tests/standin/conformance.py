"""Holds the stand-in's answers and deliveries against GitHub's own descriptions (openapi.json, webhooks.json)."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from bot.demo.standin import Delivery, Exchange

HERE = Path(__file__).parent


def nullable(node: Any) -> Any:
    """OpenAPI 3.0 written as JSON Schema: `nullable` becomes a choice with null."""
    if isinstance(node, list):
        return [nullable(item) for item in node]
    if not isinstance(node, dict):
        return node
    copy = {key: nullable(value) for key, value in node.items() if key not in ("nullable", "discriminator")}
    return or_null(copy) if node.get("nullable") is True else copy


@cache
def openapi() -> dict[str, Any]:
    """The description, corrected where GitHub answers otherwise than it says."""
    whole: dict[str, Any] = nullable(json.loads((HERE / "openapi.json").read_text(encoding="utf-8")))
    for name in ("pull-request", "pull-request-simple"):
        # Of a deleted fork GitHub sends null here; the webhook schemas say so, this description does not.
        head = whole["components"]["schemas"][name]["properties"]["head"]
        head["properties"]["repo"] = or_null(head["properties"]["repo"])
    for name in ("pull-request-review-comment", "review-comment"):
        # Of an outdated comment GitHub sends null (github.md 1.6); the webhook schemas say so.
        properties = whole["components"]["schemas"][name]["properties"]
        properties |= {key: or_null(properties[key]) for key in ("line", "position")}
    # Written out in place this list asks for accounts that are a user and an enterprise at once; one installation does not.
    content = whole["paths"]["/app/installations"]["get"]["responses"]["200"]["content"]
    content["application/json"]["schema"]["items"] = {"$ref": "#/components/schemas/installation"}
    return whole


def or_null(schema: Any) -> dict[str, Any]:
    """The schema, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


@cache
def validator_of(template: str, method: str, status: int) -> Draft202012Validator | None:
    """What validates an answer: errors that the description does not list are held against its basic error."""
    documented = {"/contents": "/contents/{path}"}
    for short, whole in documented.items():
        template = template.removesuffix(short) + whole if template.endswith(short) else template
    operation = openapi()["paths"][template.replace(":path}", "}")][method.lower()]
    content = operation["responses"].get(str(status), {}).get("content", {})
    if status < 300 and str(status) not in operation["responses"]:
        raise AssertionError(f"{method} {template} answers {status}, which GitHub does not")
    if status == 204:
        return None
    schema = content.get("application/json", {}).get("schema")
    if schema is None:
        schema = {"$ref": "#/components/schemas/basic-error"}
    return Draft202012Validator({"components": openapi()["components"], **schema})


def problems_of(exchange: Exchange) -> list[str]:
    """Where an answer differs from the description; raw bodies and ordered faults are not judged."""
    # GraphQL is not in the description.
    if exchange.faulted or exchange.template in (None, "/graphql") or isinstance(exchange.body, bytes):
        return []
    place = f"{exchange.method} {exchange.path} -> {exchange.status}"
    problems = []
    if exchange.status >= 300:
        missing = {"message", "documentation_url"} - set(exchange.body)
        problems += [f"{place}: no {name}" for name in sorted(missing)]
    validator = validator_of(exchange.template, exchange.method, exchange.status)
    if validator is not None:
        problems += [f"{place}: {error.json_path}: {error.message[:300]}" for error in validator.iter_errors(exchange.body)]
    return problems


def with_newer_events(node: Any) -> None:
    """The list of events that an App may name ends, in these schemas, before the merge queue was made."""
    if isinstance(node, list):
        for item in node:
            with_newer_events(item)
    elif isinstance(node, dict):
        names = node.get("enum")
        if isinstance(names, list) and "pull_request_review_thread" in names:
            names.append("merge_group")
        for value in node.values():
            with_newer_events(value)


@cache
def webhook_validator(event: str, action: str) -> Draft202012Validator:
    """What validates the body of one event and action."""
    whole = json.loads((HERE / "webhooks.json").read_text(encoding="utf-8"))
    with_newer_events(whole)
    return Draft202012Validator({"definitions": whole["definitions"], "$ref": f"#/definitions/{event}${action}"})


def problems_of_delivery(delivery: Delivery) -> list[str]:
    """Where a delivery differs from GitHub's webhook schemas."""
    validator = webhook_validator(delivery.event, delivery.action or "event")
    place = f"{delivery.event}.{delivery.action}"
    return [f"{place}: {error.json_path}: {error.message[:300]}" for error in validator.iter_errors(delivery.payload)]
