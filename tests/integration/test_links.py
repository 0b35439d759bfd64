"""Whose a call is: the customer of its number, or the one whom a person chose."""

import json
from datetime import timedelta
from typing import Any

import pytest

from retorno.customers.store import CustomerStore
from retorno.errors import Unavailable
from tests.support.clock import StoppedClock
from tests.support.deployment import Deployment
from tests.support.events import Answer, http, user
from tests.support.functions import function_of
from tests.support.webhooks import canonical

ANA = user("[agent]", "ana")
NUMBER = "+5511987654321"


def ask(deployment: Deployment, route: str, body: Any = None, **path: str) -> Answer:
    event = http(
        route,
        path=route.partition(" ")[2].format(**path),
        body=None if body is None else json.dumps(body).encode(),
        headers={"content-type": "application/json", "if-match": "*"},
        claims=ANA,
    )
    return deployment.ask(function_of(route), event)


def customer(deployment: Deployment, name: str, **known: object) -> str:
    made = ask(deployment, "POST /customers", {"name": name, **known})
    assert made.status == 201
    customer_id: str = made.body["customer_id"]
    return customer_id


def rings(deployment: Deployment, clock: StoppedClock, call_id: str, number: str = NUMBER) -> None:
    """A call that is missed a minute from now; time goes on."""
    said = {"call_id": call_id, "direction": "inbound", "from": number, "agent": "ana"}
    for stage in ("queued", "cancelled"):
        clock.advance(minutes=1)
        event = {**said, "event_id": stage, "stage": stage, "occurred_at": clock.now.isoformat()}
        deployment.ask("IngestCalls", canonical(clock.now, event))
    deployment.flow()


def choose(
    deployment: Deployment, clock: StoppedClock, call_id: str, customer_id: object
) -> Answer:
    clock.advance(seconds=1)
    route = "PUT /calls/{call_id}/customer"
    return ask(deployment, route, {"customer_id": customer_id}, call_id=call_id)


def shown(deployment: Deployment, call_id: str) -> tuple[str | None, list[str]]:
    """The customer's name and the candidates', which a call and its miss tell alike."""
    answers = [
        ask(deployment, "GET /calls/{call_id}", call_id=call_id).body,
        ask(deployment, "GET /missed-calls/{call_id}", call_id=call_id).body,
        *(
            item
            for route in ("GET /calls/recent", "GET /missed-calls")
            for item in ask(deployment, route).body["items"]
            if item["call_id"] == call_id
        ),
    ]
    links = [
        (
            answer["customer"] and answer["customer"]["name"],
            [candidate["name"] for candidate in answer["candidates"]],
        )
        for answer in answers
    ]
    assert len(links) == 4
    assert all(link == links[0] for link in links)
    return links[0]


def test_one_match_links_itself(deployment: Deployment, clock: StoppedClock) -> None:
    customer(
        deployment,
        "Padaria Aurora",
        branches=[{"id": "sul", "name": "Sul"}],
        contacts=[{"name": "Rosa", "branch_id": "sul", "mobile": "(11) 8765-4321"}],
    )
    rings(deployment, clock, "c1")
    assert shown(deployment, "c1") == ("Padaria Aurora", [])
    call = ask(deployment, "GET /calls/{call_id}", call_id="c1").body
    assert call["linked_by"] == "only_match"
    assert call["customer"]["places"] == [{"branch": "Sul", "contact": "Rosa", "line": "mobile"}]


def test_several_stay_candidates_until_somebody_chooses(
    deployment: Deployment, clock: StoppedClock
) -> None:
    customer(deployment, "Zilda", phone=NUMBER)
    anna = customer(deployment, "Anna", mobile=NUMBER)
    rings(deployment, clock, "c1")
    assert shown(deployment, "c1") == (None, ["Anna", "Zilda"])
    rings(deployment, clock, "c2")
    chosen = choose(deployment, clock, "c2", anna)
    assert (chosen.status, chosen.body["customer"]["name"]) == (200, "Anna")
    deployment.flow()
    rings(deployment, clock, "c3", "011 8765 4321")
    assert [shown(deployment, f"c{number}")[0] for number in (1, 2, 3)] == [None, "Anna", "Anna"]
    calls = [
        ask(deployment, "GET /calls/{call_id}", call_id=f"c{number}").body for number in (1, 2, 3)
    ]
    assert [call["linked_by"] for call in calls] == [None, "chosen", "remembered"]


def test_none_links_later_when_the_number_is_added(
    deployment: Deployment, clock: StoppedClock
) -> None:
    late = customer(deployment, "Bento")
    rings(deployment, clock, "c1")
    assert shown(deployment, "c1") == (None, [])
    route = "PUT /customers/{customer_id}"
    ask(deployment, route, {"name": "Bento", "mobile": NUMBER}, customer_id=late)
    assert shown(deployment, "c1") == ("Bento", [])
    # Who gets the number after that has none of the calls that were linked.
    clock.advance(minutes=5)
    customer(deployment, "Anna", phone=NUMBER)
    assert shown(deployment, "c1") == ("Bento", [])
    rings(deployment, clock, "c2")
    assert shown(deployment, "c2") == (None, ["Anna", "Bento"])


def test_the_link_can_be_changed(deployment: Deployment, clock: StoppedClock) -> None:
    customer(deployment, "Anna", phone=NUMBER)
    other = customer(deployment, "Zilda")
    rings(deployment, clock, "c1")
    choose(deployment, clock, "c1", other)
    deployment.flow()
    assert shown(deployment, "c1") == ("Zilda", [])
    choose(deployment, clock, "c1", None)
    deployment.flow()
    assert shown(deployment, "c1") == (None, [])
    # To have nothing to do with this call says nothing of the next.
    rings(deployment, clock, "c2")
    assert shown(deployment, "c2") == ("Anna", [])


def test_a_choice_survives_what_the_telephone_system_tells_later(
    deployment: Deployment, clock: StoppedClock
) -> None:
    zilda = customer(deployment, "Zilda")
    rings(deployment, clock, "c1")
    choose(deployment, clock, "c1", zilda)
    event = {
        "event_id": "early",
        "call_id": "c1",
        "stage": "ringing",
        "occurred_at": (clock.now - timedelta(minutes=1, seconds=30)).isoformat(),
    }
    deployment.ask("IngestCalls", canonical(clock.now, event))
    deployment.flow()
    assert shown(deployment, "c1") == ("Zilda", [])


def test_a_choice_that_was_half_written_is_made_good_by_the_same_request(
    deployment: Deployment, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer(deployment, "Anna", phone=NUMBER)
    zilda = customer(deployment, "Zilda")
    rings(deployment, clock, "c1")

    def dies(*_: object) -> None:
        raise Unavailable("out of memory")

    with monkeypatch.context() as dying:
        dying.setattr(CustomerStore, "remember", dies)
        assert choose(deployment, clock, "c1", zilda).status == 503
    deployment.flow()
    rings(deployment, clock, "c2")
    assert [shown(deployment, call_id)[0] for call_id in ("c1", "c2")] == ["Zilda", "Anna"]
    assert choose(deployment, clock, "c1", zilda).status == 200
    deployment.flow()
    assert [shown(deployment, call_id)[0] for call_id in ("c1", "c2")] == ["Zilda", "Zilda"]


@pytest.mark.parametrize("customer_id", ["nobody", "-", "", "x" * 65, 7])
def test_a_customer_that_does_not_exist_is_not_chosen(
    deployment: Deployment, clock: StoppedClock, customer_id: object
) -> None:
    rings(deployment, clock, "c1")
    refused = choose(deployment, clock, "c1", customer_id)
    assert refused.status == 422
    assert [error["field"] for error in refused.body["errors"]] == ["customer_id"]
    assert shown(deployment, "c1") == (None, [])


def test_the_choice_has_to_be_said(deployment: Deployment, clock: StoppedClock) -> None:
    rings(deployment, clock, "c1")
    refused = ask(deployment, "PUT /calls/{call_id}/customer", {}, call_id="c1")
    assert refused.status == 422


def test_a_deleted_customer_is_nobodys_any_more(
    deployment: Deployment, clock: StoppedClock
) -> None:
    customer(deployment, "Anna", phone=NUMBER)
    zilda = customer(deployment, "Zilda")
    rings(deployment, clock, "c1")
    choose(deployment, clock, "c1", zilda)
    deployment.flow()
    event = http(
        "DELETE /customers/{customer_id}",
        path=f"/customers/{zilda}",
        headers={"if-match": "*"},
        claims=user("[supervisor]"),
    )
    assert deployment.ask("ManageCustomers", event).status == 204
    assert shown(deployment, "c1") == ("Anna", [])


def test_no_call_is_nobodys(deployment: Deployment, clock: StoppedClock) -> None:
    assert choose(deployment, clock, "nowhere", None).status == 404
