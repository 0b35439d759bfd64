"""What the log says of who read or changed what."""

from collections.abc import Mapping
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.push_updates.handler import connect
from retorno.audit import masked
from retorno.errors import Unavailable
from retorno.http import Api
from retorno.users import User
from tests.support.events import Claims, http, user

ANA = user("[agent supervisor]", "ana", **{"custom:agent": "ana.souza"})


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        ("number", "+5511987654321", "••••4321"),
        ("number", "%2B55%2011%2098765-4321", "••••4321"),
        ("number", "whatsapp:BR.13491208655302741918", "••••1918"),
        ("number", "190", "••••"),
        ("call_id", "(11) 98765-4321", "••••4321"),
        ("call_id", "%2B5511987654321", "••••4321"),
        ("call_id", "1546015415.757927", "1546015415.757927"),
        ("call_id", "CA5feceb66ffc86f38d952786c6d696c79", "CA5feceb66ffc86f38d952786c6d696c79"),
        ("customer_id", "5feceb66ffc86f38", "5feceb66ffc86f38"),
        ("agent", "jo%C3%A3o", "joão"),
    ],
)
def test_numbers_are_masked_and_ids_are_not(name: str, text: str, shown: str) -> None:
    assert masked(name, text) == shown


@given(st.from_regex(r"\+?[1-9][0-9]{9,14}", fullmatch=True), st.sampled_from(["number", "q"]))
def test_no_number_is_told_whole(number: str, name: str) -> None:
    assert masked(name, number) == f"••••{number[-4:]}"


def asked(
    caplog: pytest.LogCaptureFixture,
    route: str,
    claims: Claims | None,
    path: Mapping[str, str] | None = None,
    **query: str,
) -> list[dict[str, Any]]:
    """What is put down of a request."""
    app = Api()

    @app.get("/calls/<call_id>")
    def call(call_id: str) -> None:
        raise Unavailable("the table does not answer")

    @app.get("/calls")
    def calls() -> list[str]:
        return []

    @app.get("/health")
    def health() -> list[str]:
        return []

    template = route.partition(" ")[2]
    event = http(route, path=template.format(**(path or {})), query=query, claims=claims)
    app.resolve({**event, "pathParameters": path}, None)  # type: ignore[arg-type]
    return audited(caplog)


def audited(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if record.getMessage() == "audit"]


def test_each_request_of_a_user_is_put_down(caplog: pytest.LogCaptureFixture) -> None:
    (line,) = asked(caplog, "GET /calls", ANA, number="+55 11 98765-4321", limit="5")
    told = ("user", "agent", "groups", "route", "of", "status", "request_id")
    assert {name: line[name] for name in told} == {
        "user": "ana",
        "agent": "ana.souza",
        "groups": ["agent", "supervisor"],
        "route": "GET /calls",
        "of": {"number": "••••4321"},
        "status": 200,
        "request_id": "request",
    }


@pytest.mark.parametrize(
    ("route", "claims", "status"),
    [
        ("GET /calls/{call_id}", ANA, 503),
        ("GET /calls/{call_id}", user("[]", "bia"), 403),
        ("GET /nothing/{call_id}", ANA, 403),
    ],
)
def test_so_is_what_was_refused_or_failed(
    caplog: pytest.LogCaptureFixture, route: str, claims: Claims, status: int
) -> None:
    (line,) = asked(caplog, route, claims, {"call_id": "c1"})
    assert (line["user"], line["of"], line["status"]) == (
        claims["cognito:username"],
        {"call_id": "c1"},
        status,
    )


@pytest.mark.parametrize(("route", "claims"), [("GET /health", ANA), ("GET /calls", None)])
def test_what_is_open_and_who_is_nobody_is_not(
    caplog: pytest.LogCaptureFixture, route: str, claims: Claims | None
) -> None:
    assert asked(caplog, route, claims) == []


@pytest.mark.parametrize(("groups", "status"), [("supervisor", 200), ("visitor", 403)])
def test_so_is_who_watches_live(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, groups: str, status: int
) -> None:
    """The embedded cloud keeps no log of these."""
    rita = User("rita", "rita", frozenset({groups}))
    tokens, watching = Mock(), Mock()
    tokens.return_value.read.return_value = (rita, 1_772_452_800)
    monkeypatch.setattr("functions.push_updates.handler.tokens", tokens)
    monkeypatch.setattr("functions.push_updates.handler.watching", watching)
    answer = connect({"headers": {}}, "l0SM9cOFvHcCIhw=")
    (line,) = audited(caplog)
    assert answer == {"statusCode": status}
    assert (line["user"], line["route"], line["status"]) == ("rita", "CONNECT", status)
    assert line["request_id"] == "l0SM9cOFvHcCIhw="
