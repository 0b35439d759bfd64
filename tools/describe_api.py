"""Writes the API's one OpenAPI document, from the routes of all functions."""

import json
import sys
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler.openapi.merge import OpenAPIMerge

from retorno.http import JSON, PROBLEM, RIGHTS, Api
from retorno.telephony.canonical import CanonicalEvent

FUNCTIONS = Path(__file__).parents[1] / "functions"
DOCUMENT = FUNCTIONS / "describe_api" / "openapi.json"

# Errors in a form that `retorno.http` does not use.
POWERTOOLS_ERRORS = ("HTTPValidationError", "ValidationError", "ResponseValidationError")

# What they are asked for need not be there, though no path names it.
OF_WHAT_MAY_BE_MISSING = {"GET /telemarketing/worklist"}

REFUSALS = {
    HTTPStatus.UNAUTHORIZED: "No token or signature, or one that does not hold",
    HTTPStatus.FORBIDDEN: "Not for the groups of the user",
    HTTPStatus.NOT_FOUND: "There is no such thing",
    HTTPStatus.CONFLICT: "Its state does not allow it",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "More than is taken at once",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is not application/json",
    HTTPStatus.PRECONDITION_FAILED: "It was changed since the version that If-Match names",
    HTTPStatus.PRECONDITION_REQUIRED: "If-Match does not say which version was seen",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Something in the request cannot be so",
    HTTPStatus.SERVICE_UNAVAILABLE: "Nothing was done; try again",
}

PROBLEM_PLACE = "#/components/schemas/Problem"
PROBLEM_SCHEMA = {
    "title": "Problem",
    "description": "A problem document of RFC 9457",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "reason"],
                "properties": {"field": {"type": "string"}, "reason": {"type": "string"}},
            },
        },
    },
}

# API Gateway's own answer to a token that does not hold.
GATEWAY_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["message"],
    "properties": {"message": {"type": "string"}},
}


def document() -> dict[str, Any]:
    merge = OpenAPIMerge(
        title="Retorno",
        version="0.1.0",
        description="Finds the customers whose calls were missed, and who won them back.",
        on_conflict="error",
    )
    for each in _told_apart(_apps()):
        merge.add_schema(each)
    described: dict[str, Any] = json.loads(json.dumps(merge.get_openapi_schema()))
    schemas = described["components"]["schemas"]
    for name in POWERTOOLS_ERRORS:
        schemas.pop(name, None)
    schemas |= {"Problem": PROBLEM_SCHEMA, **_event()}
    described["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    }
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            _tell_of_errors_and_rights(operation, f"{method.upper()} {path}")
    return described


def _apps() -> dict[str, Api]:
    """By their functions' names."""
    handlers = sorted(FUNCTIONS.glob("*/handler.py"))
    names = [handler.parent.name for handler in handlers]
    modules = {name: import_module(f"functions.{name}.handler") for name in names}
    return {name: module.app for name, module in modules.items() if hasattr(module, "app")}


def _told_apart(apps: dict[str, Api]) -> list[dict[str, Any]]:
    """What each function describes. A name that means one thing here and another there (an agent's
    `State`, a contact's) is led by its function's: the merge would take one for the other.
    """
    described = {name: json.loads(app.get_openapi_json_schema()) for name, app in apps.items()}
    while ambiguous := _ambiguous(described.values()):
        described = {name: _led(name, each, ambiguous) for name, each in described.items()}
    return list(described.values())


def _ambiguous(described: Iterable[dict[str, Any]]) -> set[str]:
    meanings: dict[str, set[str]] = {}
    for each in described:
        for name, meaning in each["components"]["schemas"].items():
            meanings.setdefault(name, set()).add(json.dumps(meaning, sort_keys=True))
    return {name for name, found in meanings.items() if len(found) > 1}


def _led(function: str, described: dict[str, Any], ambiguous: set[str]) -> dict[str, Any]:
    leading = "".join(word.title() for word in function.split("_"))
    text = json.dumps(described)
    for name in ambiguous:
        text = text.replace(f'/schemas/{name}"', f'/schemas/{leading}{name}"')
    led: dict[str, Any] = json.loads(text)
    led["components"]["schemas"] = {
        f"{leading}{name}" if name in ambiguous else name: meaning
        for name, meaning in led["components"]["schemas"].items()
    }
    return led


def _event() -> dict[str, Any]:
    """What the webhook of calls takes, by names of its own: its `Stage` is no operation's."""
    event = CanonicalEvent.model_json_schema(ref_template="#/components/schemas/Event{model}")
    meanings = {f"Event{name}": meaning for name, meaning in event.pop("$defs").items()}
    return {"Event": event, **meanings}


def _tell_of_errors_and_rights(operation: dict[str, Any], route: str) -> None:
    # Powertools describes what functions return, and of this nothing is sent.
    operation["responses"].get("204", {}).pop("content", None)
    if route in RIGHTS:
        operation["security"] = [{"token": []}]
        operation["description"] = f"For {', '.join(sorted(RIGHTS[route]))}."
    for status in _refusals(operation, route):
        content: dict[str, Any] = {PROBLEM: {"schema": {"$ref": PROBLEM_PLACE}}}
        if status is HTTPStatus.UNAUTHORIZED and route in RIGHTS:
            content[JSON] = {"schema": GATEWAY_SCHEMA}
        operation["responses"][str(status.value)] = {
            "description": REFUSALS[status],
            "content": content,
        }


def _refusals(operation: dict[str, Any], route: str) -> Iterator[HTTPStatus]:
    """What a route may answer beside its own: to some more than they ever do, and never less."""
    yield from (HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE)
    if route in RIGHTS:
        yield from (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
    elif route.startswith("POST"):
        yield from (HTTPStatus.UNAUTHORIZED, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    if route == "GET /webhooks/whatsapp":
        yield from (HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT)
    if not route.startswith("GET"):
        yield HTTPStatus.CONFLICT
    if "{" in route or "/me" in route or route in OF_WHAT_MAY_BE_MISSING or _changes(route):
        yield HTTPStatus.NOT_FOUND
    if _changes(route) and "requestBody" in operation:
        yield HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        if JSON in operation["requestBody"]["content"]:
            yield HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    for parameter in operation.get("parameters", ()):
        if parameter["name"] == "if-match":
            parameter["required"] = _is_of_what_is_there(route)
            yield from (HTTPStatus.PRECONDITION_FAILED, HTTPStatus.PRECONDITION_REQUIRED)


def _changes(route: str) -> bool:
    return route in RIGHTS and not route.startswith("GET")


def _is_of_what_is_there(route: str) -> bool:
    """PUT makes what is not there, but where POST does."""
    method, _, path = route.partition(" ")
    return method != "PUT" or f"POST {path.rpartition('/')[0]}" in RIGHTS


def text() -> str:
    return json.dumps(document(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(text(), encoding="utf-8")
    sys.stdout.write(f"Wrote {DOCUMENT.relative_to(Path.cwd())}\n")
