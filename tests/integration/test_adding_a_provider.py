"""The provider that docs/providers.md adds, taken from that page and run."""

import re
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from functions.ingest_calls import handler
from retorno import http
from tests.support import events
from tests.support.clock import StoppedClock
from tests.support.deployment import WEBHOOK_SECRET, Deployment

PAGE = Path(__file__).parents[2] / "docs/providers.md"
BODY = b'{"ring": "r1", "state": "%s", "at": "2026-03-02T%s", "caller": "(11) 8765-4321"}'


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.S | re.M)


@pytest.fixture
def code(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names that the page's code can use and makes, with its route in the function."""
    monkeypatch.setattr(handler, "app", http.Api())
    code = {**vars(handler), "__name__": "campainha"}
    for block in blocks("python"):
        exec(compile(block, PAGE, "exec"), code)  # noqa: S102
    return code


@pytest.fixture
def route(monkeypatch: pytest.MonkeyPatch) -> str:
    """What the page adds to the template, taken for open."""
    (event,) = (yaml_parse(block)["Campainha"] for block in blocks("yaml"))
    assert event["Type"] == "HttpApi"
    assert event["Properties"]["Auth"] == {"Authorizer": "NONE"}
    route = f"{event['Properties']['Method']} {event['Properties']['Path']}"
    monkeypatch.setattr(http, "OPEN_ROUTES", {route})
    return route


def post(
    deployment: Deployment, code: dict[str, Any], route: str, body: bytes, secret: str
) -> events.Answer:
    headers = {"X-Campainha-Signature": code["sign"](secret, body)}
    return deployment.ask("IngestCalls", events.http(route, headers=headers, body=body))


@pytest.mark.usefixtures("clock")
def test_a_call_comes_through(
    deployment: Deployment, code: dict[str, Any], route: str, clock: StoppedClock
) -> None:
    for state, at in ((b"gone", b"08:59:30-03:00"), (b"waiting", b"08:59:00-03:00")):
        answer = post(deployment, code, route, BODY % (state, at), WEBHOOK_SECRET)
        assert (answer.status, answer.body["accepted"]) == (200, 1)
    path, anyone = "/calls/r1", events.user("[agent]")
    request = events.http("GET /calls/{call_id}", path=path, claims=anyone)
    call = deployment.ask("ReadCalls", request).body
    assert (call["number"], call["missed"], call["provider"]) == (
        "+5511987654321",
        True,
        "campainha",
    )
    assert call["wait_seconds"] == 30


@pytest.mark.parametrize(
    ("body", "secret", "status"),
    [
        (BODY % (b"gone", b"08:59:30-03:00"), "wrong", 401),
        (BODY % (b"gone", b"08:59:30"), WEBHOOK_SECRET, 422),
        (b"{", WEBHOOK_SECRET, 422),
    ],
)
def test_what_cannot_be_taken_is_refused(
    deployment: Deployment, code: dict[str, Any], route: str, body: bytes, secret: str, status: int
) -> None:
    assert post(deployment, code, route, body, secret).status == status
    assert [key.split("/")[0] for key in deployment.kept()] == ["campainha"] * (status == 422)


def test_a_state_that_nobody_knows_is_kept(
    deployment: Deployment, code: dict[str, Any], route: str
) -> None:
    body = BODY % (b"parked", b"08:59:30-03:00")
    assert post(deployment, code, route, body, WEBHOOK_SECRET).status == 200
    assert list(deployment.kept().values()) == [body]
