"""Missed customers rung back by the deployed stack, through agents who become free.

The telephone system is a server here: it takes each order, and tells of the call by webhook.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest

from local.stack import Stack
from retorno import clock
from tests.stack.conftest import configured
from tests.support.api import Api, eventually
from tests.support.exchange import Answering, Asked, Exchange, serving

AGENTS = [f"op-{number}" for number in range(5)]
CUSTOMERS = [f"+55219876540{number:02}" for number in range(25)]
TALK_SECONDS = 0.5


@dataclass
class Telephones(Exchange):
    """Each call is answered by a person, and over after a while. `together` are the agents who
    were rung in a call.
    """

    api: Api | None = None
    rung: list[str] = field(default_factory=list)
    in_call: Counter[str] = field(default_factory=Counter)
    together: list[str] = field(default_factory=list)

    def answer(self, asked: Asked) -> Answering:
        order = asked.json
        agent, call_id = order["agent"], f"tel-{order['attempt_id']}"
        if self.in_call[agent]:
            self.together.append(agent)
        self.in_call[agent] += 1
        self.rung.append(order["number"])
        threading.Thread(target=self.call, args=(call_id, agent, order["number"])).start()
        return Answering(201, {"call_id": call_id})

    def call(self, call_id: str, agent: str, number: str) -> None:
        assert self.api
        facts = {"direction": "outbound_auto", "to": number, "agent": agent}
        self.tell(call_id, "answered", answered_by="human", **facts)
        time.sleep(TALK_SECONDS)
        self.in_call[agent] -= 1
        self.tell(call_id, "completed", **facts)

    def tell(self, call_id: str, stage: str, **facts: Any) -> None:
        assert self.api
        event = {"event_id": stage, "call_id": call_id, "stage": stage, **facts}
        told = self.api.calls([{**event, "occurred_at": clock.now().isoformat()}])
        assert told.status == HTTPStatus.OK


@pytest.fixture
def telephones(stack: Stack, api: Api) -> Iterator[Telephones]:
    with serving(Telephones(api=api)) as telephones:
        assert isinstance(telephones, Telephones)
        dialling = {"DIAL_PROVIDER": "canonical", "DIAL_URL": telephones.url}
        with configured(stack, ["DialCallbacks", "WatchCallbacks"], dialling):
            yield telephones


def missed(number: str, call_id: str) -> list[dict[str, Any]]:
    ended = clock.now()
    common = {"call_id": call_id, "direction": "inbound", "from": number, "queue": "fila-a"}
    began = ended - timedelta(seconds=40)
    return [
        {**common, "event_id": "1", "stage": "queued", "occurred_at": began.isoformat()},
        {**common, "event_id": "2", "stage": "cancelled", "occurred_at": ended.isoformat()},
    ]


def everyone(contacts: list[dict[str, Any]]) -> bool:
    return len(contacts) == len(CUSTOMERS)


def test_everyone_is_rung_back_once_by_who_is_free(api: Api, telephones: Telephones) -> None:
    campaign = {"name": "Fila A", "monitored_queue": "fila-a", "callback_queue": "retornos"}
    assert api.put("/callback-campaigns/fila-a", campaign).status == HTTPStatus.CREATED
    events = [each for n, number in enumerate(CUSTOMERS) for each in missed(number, f"fa-{n}")]
    assert api.calls(events).status == HTTPStatus.OK

    def contacts(state: str) -> list[dict[str, Any]]:
        found = api.get("/callback-contacts", list_name="fila-a", state=state, limit="100")
        items: list[dict[str, Any]] = found.body["items"]
        return items

    eventually(lambda: contacts("waiting"), everyone)
    assert telephones.rung == []
    for agent in AGENTS:
        draft = {"name": agent, "queues": ["retornos"], "wrap_up_seconds": 0}
        assert api.put(f"/agents/{agent}", draft).status == HTTPStatus.CREATED
        api.put(f"/agents/{agent}/presence", {"state": "available"})
    eventually(lambda: contacts("reached"), everyone)
    assert Counter(telephones.rung) == Counter(CUSTOMERS)
    assert telephones.together == []

    def states() -> set[str]:
        return {api.get(f"/agents/{agent}").body["presence"]["state"] for agent in AGENTS}

    assert eventually(states, lambda seen: seen == {"available"}) == {"available"}
