"""What DynamoDB takes for no key, and Python for no value, is refused by name before that."""

import json
from typing import Any

import pytest

from tests.support.deployment import Deployment
from tests.support.events import http, user
from tests.support.functions import function_of

OPERATION = "/telemarketing/operations/maes.1b4e28ba.1"
PROMISE = {"number": "11987654321", "at": "2026-03-02T15:00:00-03:00"}


@pytest.mark.parametrize(
    ("route", "query", "field"),
    [
        ("GET /conversations", {"agent": ""}, "agent"),
        ("GET /conversations", {"customer_id": ""}, "customer_id"),
        ("GET /dials", {"agent": ""}, "agent"),
        ("GET /dials", {"agent": "x" * 129}, "agent"),
        ("GET /missed-calls", {"agent": ""}, "agent"),
        ("GET /calls", {"number": "1" * 257}, "number"),
        ("GET /dashboard", {"from": "20260302"}, "from"),
        ("GET /dashboard", {"to": "1e9"}, "to"),
    ],
)
def test_a_question(deployment: Deployment, route: str, query: dict[str, str], field: str) -> None:
    request = http(route, query=query, claims=user("[supervisor]"))
    refused = deployment.ask(function_of(route), request)
    assert (refused.status, refused.body["errors"][0]["field"]) == (422, field)


@pytest.mark.parametrize(
    ("route", "body", "field"),
    [
        ("POST {}/conclude", {"outcome": ""}, "outcome"),
        ("POST {}/postpone", {"outcome": "", "at": PROMISE["at"]}, "outcome"),
        ("POST {}/no-contact", {"reason": ""}, "reason"),
        ("PATCH {}", {"action_type": ""}, "action_type"),
        ("PATCH {}", {"call_id": ""}, "call_id"),
        ("POST /callbacks", {**PROMISE, "time_zone": ["x"]}, "time_zone"),
        ("POST /callbacks", {**PROMISE, "time_zone": {}}, "time_zone"),
        ("POST /callbacks", {**PROMISE, "at": 1772452800}, "at"),
    ],
)
def test_a_body(deployment: Deployment, route: str, body: dict[str, Any], field: str) -> None:
    named = route.format("/telemarketing/operations/{operation}")
    request = http(
        named,
        path=route.format(OPERATION).partition(" ")[2],
        headers={"if-match": "*", "idempotency-key": "k1"},
        body=json.dumps(body).encode(),
        claims=user("[agent]"),
    )
    refused = deployment.ask(function_of(named), request)
    assert (refused.status, refused.body["errors"][0]["field"]) == (422, field)


def test_an_agents_name_is_no_longer_than_names_are(deployment: Deployment) -> None:
    request = http("GET /agents/{agent}", path=f"/agents/{'é' * 129}", claims=user("[agent]"))
    assert deployment.ask("ManageAgents", request).status == 422
