"""Call backs that are asked for: by callers in a menu, and through the API."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from retorno.menus.model import Language
from retorno.menus.words import WORDS
from tests.support.caller import Caller, End
from tests.support.clock import StoppedClock
from tests.support.deployment import Deployment
from tests.support.events import DOMAIN, Answer, http, user
from tests.support.menus import WELCOME
from tests.support.webhooks import canonical
from tests.support.webhooks import menu as menu_event

CUSTOMER = "+5511987654321"
LOJA = f"https://{DOMAIN}/webhooks/twilio/menus/loja"
SAYS = WORDS[Language.BRAZIL]


def ask(deployment: Deployment, **wish: Any) -> Answer:
    body = json.dumps(wish).encode()
    event = http("POST /callback-requests", body=body, claims=user("[agent]"))
    return deployment.ask("RequestCallbacks", event)


def tell(deployment: Deployment, clock: StoppedClock, stage: str, **facts: Any) -> None:
    at = clock.now - timedelta(seconds=facts.pop("ago", 0))
    event = {
        "event_id": stage,
        "call_id": "c1",
        "stage": stage,
        "occurred_at": at.isoformat(),
        "direction": "inbound",
        "from": CUSTOMER,
        "queue": "vendas",
        **facts,
    }
    told = {name: value for name, value in event.items() if value is not None}
    taken = deployment.ask("IngestCalls", canonical(clock.now, told))
    assert taken.body["accepted"] == 1


class TestRequest:
    def test_a_waiting_call_keeps_its_place(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        tell(deployment, clock, "queued", ago=90)
        asked = ask(deployment, call_id="c1")
        assert asked.status == 202
        assert (
            asked.body.items()
            >= {
                "number": CUSTOMER,
                "queue": "vendas",
                "state": "waiting",
                "asked_at": "2026-03-02T11:58:30Z",
            }.items()
        )

    def test_asked_twice_is_asked_once(self, deployment: Deployment, clock: StoppedClock) -> None:
        tell(deployment, clock, "queued", ago=90)
        first = ask(deployment, call_id="c1").body
        clock.advance(minutes=1)
        again = ask(deployment, number="(11) 8765-4321", queue="vendas").body
        assert again["contact_id"] == first["contact_id"]
        other = ask(deployment, number=CUSTOMER, queue="suporte").body
        assert other["contact_id"] != first["contact_id"]

    def test_a_number_will_do(self, deployment: Deployment) -> None:
        asked = ask(deployment, number="(11) 98765-4321", queue=" vendas ")
        assert asked.status == 202
        assert (
            asked.body.items()
            >= {
                "number": CUSTOMER,
                "queue": "vendas",
                "asked_at": "2026-03-02T12:00:00Z",
            }.items()
        )

    def test_a_caller_who_hung_up_is_not_lost(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        tell(deployment, clock, "queued", ago=90)
        tell(deployment, clock, "cancelled", ago=30)
        assert ask(deployment, call_id="c1").status == 202

    def test_a_withheld_number_has_to_be_said(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        tell(deployment, clock, "queued", ago=90, **{"from": "anonymous"})
        refused = ask(deployment, call_id="c1")
        assert (refused.status, refused.body["errors"]) == (
            422,
            [{"field": "number", "reason": "is required: none is known"}],
        )
        asked = ask(deployment, call_id="c1", number=CUSTOMER)
        assert asked.body["asked_at"] == "2026-03-02T11:58:30Z"

    def test_a_call_of_no_queue_needs_one(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        tell(deployment, clock, "queued", queue=None)
        assert ask(deployment, call_id="c1").body["errors"][0]["field"] == "queue"
        assert ask(deployment, call_id="c1", queue="vendas").body["queue"] == "vendas"

    def test_a_clock_that_runs_ahead_gives_no_worse_place(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        tell(deployment, clock, "queued", ago=-600)
        assert ask(deployment, call_id="c1").body["asked_at"] == "2026-03-02T12:00:00Z"

    def test_who_is_not_to_be_called_may_ask(self, deployment: Deployment) -> None:
        event = http(
            "PUT /do-not-call/{number}",
            path=f"/do-not-call/{CUSTOMER}",
            body=b'{"scope": "all"}',
            claims=user("[agent]"),
        )
        assert deployment.ask("ManageCallingRules", event).status == 200
        assert ask(deployment, number=CUSTOMER, queue="vendas").status == 202

    @pytest.mark.parametrize("then", ["answered", "completed"])
    def test_who_was_answered_is_served(
        self, deployment: Deployment, clock: StoppedClock, then: str
    ) -> None:
        tell(deployment, clock, "queued", ago=90)
        tell(deployment, clock, then, ago=30, agent="ana")
        assert ask(deployment, call_id="c1").status == 409

    def test_a_call_that_went_out_waits_in_no_queue(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        sides = {"from": "+551130001000", "to": CUSTOMER}
        tell(deployment, clock, "queued", direction="outbound_manual", **sides)
        assert ask(deployment, call_id="c1").status == 409

    @pytest.mark.parametrize(
        ("wish", "status"),
        [
            ({}, 422),
            ({"number": CUSTOMER}, 422),
            ({"queue": "vendas"}, 422),
            ({"number": "call me", "queue": "vendas"}, 422),
            ({"number": CUSTOMER, "queue": " "}, 422),
            ({"number": CUSTOMER, "queue": "v" * 129}, 422),
            ({"call_id": "a/b"}, 422),
            ({"call_id": "unknown"}, 404),
            ({"number": CUSTOMER, "queue": "vendas", "asked_at": "2020-01-01T00:00:00Z"}, 422),
        ],
    )
    def test_what_cannot_be_is_refused(
        self, deployment: Deployment, wish: dict[str, Any], status: int
    ) -> None:
        assert ask(deployment, **wish).status == status


class TestMenu:
    def call(
        self, deployment: Deployment, *keys: str, number: str = CUSTOMER
    ) -> tuple[End, Caller]:
        def fetch(url: str, form: Mapping[str, str]) -> str:
            return str(deployment.call("ServeMenus", menu_event(url, form))["body"])

        caller = Caller(fetch, {"CallSid": "CA1", "From": number, "To": "+551130001000"}, keys)
        return caller.call(LOJA), caller

    @pytest.fixture(autouse=True)
    def menu(self, deployment: Deployment) -> None:
        body = json.dumps(WELCOME).encode()
        claims = user("[supervisor]")
        event = http("PUT /menus/{menu}", path="/menus/loja", body=body, claims=claims)
        assert deployment.ask("ManageMenus", event).status == 201

    def test_a_caller_leaves_the_queue_and_keeps_the_place(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        self.call(deployment, "1")
        clock.advance(minutes=3)
        end, caller = self.call(deployment, "1", "1")
        assert (end, caller.heard[-1]) == (End.HUNG_UP, SAYS.callback_asked)
        # Asked again, it is the same contact, which keeps the better place.
        contact = ask(deployment, call_id="CA1").body
        assert contact["asked_at"] == "2026-03-02T12:00:00Z"
        assert (contact["number"], contact["queue"]) == (CUSTOMER, "vendas")

    def test_a_caller_without_a_number_types_it(self, deployment: Deployment) -> None:
        end, caller = self.call(deployment, "1", "1", "21987654321#", "1", number="anonymous")
        assert (end, caller.heard[-1]) == (End.HUNG_UP, SAYS.callback_asked)

    def test_nobody_is_told_that_it_is_noted_when_it_is_not(self, deployment: Deployment) -> None:
        deployment.lose_table("calls")
        end, caller = self.call(deployment, "1", "1")
        assert (end, caller.queue) == (End.QUEUED, "vendas")
        assert caller.heard[-1] == SAYS.callback_failed
