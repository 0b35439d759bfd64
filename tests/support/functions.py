"""The template's functions: what Lambda would call, and with which environment."""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

from tests.support.tables import template

API_URL = "https://api.example.com"

Handler = Callable[[dict[str, Any], object], Any]


def functions() -> dict[str, dict[str, Any]]:
    """The properties of each function, by its logical id."""
    return {
        logical_id: resource["Properties"]
        for logical_id, resource in template()["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


def module_of(logical_id: str) -> ModuleType:
    return import_module(functions()[logical_id]["Handler"].rpartition(".")[0])


def handler_of(logical_id: str) -> Handler:
    handler: Handler = getattr(
        module_of(logical_id), functions()[logical_id]["Handler"].rpartition(".")[2]
    )
    return handler


def function_of(route: str) -> str:
    """The logical id of the function that answers a route, such as "GET /calls/{call_id}"."""
    for logical_id, properties in functions().items():
        for event in properties.get("Events", {}).values():
            asked = event["Properties"]
            if event["Type"] == "HttpApi" and f"{asked['Method']} {asked['Path']}" == route:
                return logical_id
    raise LookupError(route)


def followers() -> dict[str, list[str]]:
    """Which functions follow the stream of each table, all by their logical ids."""
    return _sources("DynamoDB", "Stream")


def consumers() -> dict[str, str]:
    """Which function takes the messages of each queue, all by their logical ids."""
    return {queue: names[0] for queue, names in _sources("SQS", "Queue").items()}


def _sources(kind: str, source: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for logical_id, properties in functions().items():
        for event in properties.get("Events", {}).values():
            if event["Type"] == kind:
                name, _ = event["Properties"][source]["Fn::GetAtt"]
                found.setdefault(name, []).append(logical_id)
    return found


def environment_of(logical_id: str, resources: dict[str, str]) -> dict[str, str]:
    """The function's variables; `resources` says what `!Ref` gives for each that they name,
    and as "Queue.Arn" what `!GetAtt` does.

    Parameters have their defaults.
    """
    defaults = {
        name: str(parameter["Default"]) for name, parameter in template()["Parameters"].items()
    }
    known = defaults | resources
    everyones = template()["Globals"]["Function"]["Environment"]["Variables"]
    own = functions()[logical_id].get("Environment", {}).get("Variables", {})
    return {name: _told(value, known) for name, value in {**everyones, **own}.items()}


def _told(value: object, known: dict[str, str]) -> str:
    """What is put together of other things is the API's own address."""
    match value:
        case {"Ref": name}:
            return known[name]
        case {"Fn::GetAtt": [name, "Arn"]}:
            return f"arn:aws:any:sa-east-1:123456789012:{name}"
        case dict():
            return API_URL
    return str(value)
