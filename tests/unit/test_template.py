"""Binds code and template: what the one says of the other is so."""

import inspect
import json
import re
from typing import Any, get_type_hints

import pytest

from retorno.agents import model as agents
from retorno.callbacks import model as callbacks
from retorno.calling_rules.profiles import all_profiles
from retorno.http import OPEN_ROUTES, RIGHTS, Api
from retorno.settings import Settings
from tests.support.connect import INSTANCE_ARN
from tests.support.functions import environment_of, functions, handler_of, module_of
from tests.support.tables import template
from tools import describe_api

FUNCTIONS = sorted(functions())

# What !Ref gives for any resource, here its own logical id, and for a parameter that has to be set.
RESOURCES = {
    **{name: name for name in template()["Resources"]},
    "ConnectInstanceArn": INSTANCE_ARN,
}


def settings_of(function: str) -> list[type[Settings]]:
    """The settings that the function's handler imports."""
    return [
        value
        for value in vars(module_of(function)).values()
        if inspect.isclass(value) and issubclass(value, Settings)
    ]


def routes_in_template(function: str) -> dict[str, dict[str, Any]]:
    """The function's routes, and what the template says of each."""
    events = functions()[function].get("Events", {}).values()
    return {
        f"{event['Properties']['Method']} {event['Properties']['Path']}": event["Properties"]
        for event in events
        if event["Type"] == "HttpApi"
    }


def routes_in_code(function: str) -> set[str]:
    app = getattr(module_of(function), "app", None)
    if app is None:
        return set()
    assert isinstance(app, Api)
    routes = {
        f"{method.upper()} {path}"
        for path, operations in json.loads(app.get_openapi_json_schema())["paths"].items()
        for method in operations
    }
    # The description does not describe itself.
    return routes | ({"GET /openapi.json"} if function == "DescribeApi" else set())


@pytest.mark.parametrize("function", FUNCTIONS)
class TestFunction:
    def test_its_handler_can_be_called(self, function: str) -> None:
        assert list(inspect.signature(handler_of(function)).parameters) == ["event", "context"]

    def test_its_package_is_what_is_built(self, function: str) -> None:
        package = module_of(function).__name__.removesuffix(".handler")
        assert functions()[function]["CodeUri"] == package.replace(".", "/")
        build = template()["Resources"][function]["Metadata"]["BuildProperties"]
        assert build["ParentPackages"] == package

    def test_its_environment_has_every_setting(self, function: str) -> None:
        variables = environment_of(function, RESOURCES)
        for settings in settings_of(function):
            assert {name.upper() for name in get_type_hints(settings)} <= set(variables)

    def test_its_environment_makes_good_settings(
        self, function: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, text in environment_of(function, RESOURCES).items():
            monkeypatch.setenv(name, text)
        for settings in settings_of(function):
            settings.from_environment()

    def test_its_own_variables_are_all_used(self, function: str) -> None:
        own = functions()[function].get("Environment", {}).get("Variables", {})
        used = {
            name.upper() for settings in settings_of(function) for name in get_type_hints(settings)
        }
        assert set(own) <= used

    def test_its_routes_are_those_of_its_code(self, function: str) -> None:
        assert set(routes_in_template(function)) == routes_in_code(function)

    def test_its_routes_ask_for_a_token_unless_they_are_open(self, function: str) -> None:
        for route, properties in routes_in_template(function).items():
            asks_for_none = properties.get("Auth") == {"Authorizer": "NONE"}
            assert asks_for_none == (route in OPEN_ROUTES), route


def test_every_route_has_its_rights_and_every_right_its_route() -> None:
    routes = [route for function in FUNCTIONS for route in routes_in_template(function)]
    assert sorted(routes) == sorted([*RIGHTS, *OPEN_ROUTES])


def test_only_webhooks_and_what_the_api_says_of_itself_are_open() -> None:
    assert {route for route in OPEN_ROUTES if not route.startswith("POST /webhooks/")} == {
        "GET /health",
        "GET /openapi.json",
        "GET /webhooks/whatsapp",
    }


def test_a_token_is_asked_for_by_default() -> None:
    auth = template()["Globals"]["HttpApi"]["Auth"]
    assert auth["DefaultAuthorizer"] in auth["Authorizers"]


def test_every_group_that_may_do_something_exists() -> None:
    groups = {
        resource["Properties"]["GroupName"]
        for resource in template()["Resources"].values()
        if resource["Type"] == "AWS::Cognito::UserPoolGroup"
    }
    assert groups == frozenset().union(*RIGHTS.values())


def test_no_user_takes_the_name_of_another() -> None:
    """Where an app client says nothing of attributes, its users may write them all."""
    client = template()["Resources"]["UserPoolClient"]["Properties"]
    assert "custom:agent" in client["ReadAttributes"]
    assert client["WriteAttributes"] == ["name"]


def test_every_profile_can_be_chosen_and_no_other() -> None:
    pattern = template()["Parameters"]["CallingProfiles"]["AllowedPattern"]
    names = list(all_profiles())
    for good in ("", "none", *names, ",".join(names), ", ".join(names[:2])):
        assert re.search(pattern, good), good
    for bad in ("br-law", f"{names[0]} {names[1]}", f"none,{names[0]}", f",{names[0]}", "br-"):
        assert not re.search(pattern, bad), bad


def test_the_description_of_the_api_is_up_to_date() -> None:
    written = describe_api.DOCUMENT.read_text(encoding="utf-8")
    assert written == describe_api.text(), "run `make openapi`"


def test_the_description_takes_no_name_for_another() -> None:
    schemas = describe_api.document()["components"]["schemas"]

    def states(view: str, field: str = "state") -> set[str]:
        name = schemas[view]["properties"][field]["$ref"].rpartition("/")[2]
        return set(schemas[name]["enum"])

    assert states("PresenceView") == set(agents.State)
    assert states("ContactView") == set(callbacks.State)


def test_the_description_names_who_may_call_each_route() -> None:
    document = describe_api.document()
    for route, groups in RIGHTS.items():
        method, _, path = route.partition(" ")
        operation = document["paths"][path][method.lower()]
        assert operation["security"]
        assert all(group in operation["description"] for group in groups)
