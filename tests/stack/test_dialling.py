"""A missed customer called back by Retorno itself, in the deployed stack.

The telephone system is a server here: it takes the order, and tells of the call by webhook.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest

from local import aws
from local.stack import Stack
from retorno import clock
from retorno.telephony import signature
from retorno.telephony.ports import WebhookRequest
from tests.stack.conftest import configured
from tests.support.api import Answer, Api, eventually
from tests.support.exchange import Answering, Asked, Exchange, serving

SECRET = "not-a-secret-of-anyone"
CUSTOMER = "+5571987654321"


@dataclass
class Switchboard(Exchange):
    """Verifies each order, and knows each attempt as one call."""

    calls: dict[str, dict[str, Any]] = field(default_factory=dict)

    def answer(self, asked: Asked) -> Answering:
        self.asked.append(asked)
        signature.verify(WebhookRequest("", asked.headers, asked.body), [SECRET], clock.now())
        order = asked.json
        self.calls[order["attempt_id"]] = order
        return Answering(201, {"call_id": f"sb-{order['attempt_id']}"})


@pytest.fixture
def switchboard(stack: Stack) -> Iterator[Switchboard]:
    session: Any = aws.session()
    secrets = session.client("secretsmanager", endpoint_url=stack.endpoint_url)
    secrets.put_secret_value(
        SecretId=stack.resources["DialSecret"], SecretString=json.dumps({"current": SECRET})
    )
    with serving(Switchboard()) as switchboard:
        assert isinstance(switchboard, Switchboard)
        dialling = {"DIAL_PROVIDER": "canonical", "DIAL_URL": switchboard.url}
        with configured(stack, ["PlaceCalls"], dialling):
            yield switchboard


def dial(api: Api, wish: dict[str, str], key: str) -> Answer:
    headers = {"Content-Type": "application/json", "Idempotency-Key": key, **api.token("agent")}
    return api.request("POST", "/dials", headers, json.dumps(wish).encode())


def missed(api: Api, call_id: str, ended: datetime) -> None:
    common = {"call_id": call_id, "direction": "inbound", "from": CUSTOMER, "to": "+551130001000"}
    began = ended - timedelta(seconds=40)
    events = [
        {**common, "event_id": "1", "stage": "queued", "occurred_at": began.isoformat()},
        {**common, "event_id": "2", "stage": "cancelled", "occurred_at": ended.isoformat()},
    ]
    assert api.calls(events).status == HTTPStatus.OK


def test_without_a_telephone_system_it_says_so(api: Api) -> None:
    problem = dial(api, {"number": CUSTOMER}, "nothing")
    assert problem.status == HTTPStatus.CONFLICT
    assert "docs/dialling.md" in problem.body["detail"]


def test_a_missed_customer_is_won_back(api: Api, switchboard: Switchboard) -> None:
    missed(api, "dialled-back", clock.now() - timedelta(minutes=2))
    wish = {"missed_call_id": "dialled-back", "telephone": "+551130001007"}
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: dial(api, wish, "one"), range(8)))
    assert {answer.status for answer in answers} <= {HTTPStatus.CREATED, HTTPStatus.ACCEPTED}
    placed = dial(api, wish, "one").body
    assert placed["state"] == "placed"
    (order,) = (asked.json for asked in switchboard.asked)
    assert (order["number"], order["telephone"]) == (CUSTOMER, "+551130001007")
    assert api.get(f"/calls/{placed['call_id']}").body["agent"] == api.agent
    began = clock.now()
    told = {"event_id": "1", "call_id": placed["call_id"]}
    for stage, seconds in (("answered", 5), ("completed", 65)):
        at = (began + timedelta(seconds=seconds)).isoformat()
        assert api.calls([{**told, "stage": stage, "occurred_at": at}]).status == HTTPStatus.OK
    detail = eventually(
        lambda: api.get("/missed-calls/dialled-back"),
        lambda answer: answer.status == HTTPStatus.OK and answer.body["state"] == "recovered",
    ).body
    assert (detail["recovered_by"], detail["recovered_by_agent"]) == (placed["call_id"], api.agent)
    listed = api.get("/dials", role="agent").body["items"]
    assert placed in listed
    assert api.get(f"/dials/{placed['dial_id']}").body == placed


def test_a_rule_is_kept(api: Api, switchboard: Switchboard) -> None:
    number = "+5571912345678"
    assert api.put(f"/do-not-call/{number[1:]}", {"scope": "all"}).status == HTTPStatus.OK
    problem = dial(api, {"number": number, "telephone": "4000"}, "two")
    assert (problem.status, problem.body["rules"][0]["id"]) == (409, "do-not-call/customer")
    assert switchboard.asked == []
