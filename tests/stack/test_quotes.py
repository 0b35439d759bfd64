"""Quotes on the deployed stack, with its rights, and decided by many at once."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from local.stack import Stack
from retorno import clock
from tests.stack.conftest import configured
from tests.support.api import Answer, Api, eventually
from tests.support.exchange import Exchange, serving

NUMBER = "+5548987651234"
QUEUE = "orcamentos"
THREADS = 8


@pytest.fixture(scope="module")
def exchange(stack: Stack) -> Iterator[Exchange]:
    with serving(Exchange()) as exchange:
        dialling = {"DIAL_PROVIDER": "canonical", "DIAL_URL": exchange.url}
        with configured(stack, ["OfferCalls", "AnswerOffers"], dialling):
            yield exchange


def tell(api: Api, call_id: str, stage: str, **facts: str) -> None:
    event = {
        "event_id": f"{call_id}-{stage}",
        "call_id": call_id,
        "stage": stage,
        "occurred_at": clock.now().isoformat(),
        "direction": "inbound",
        "from": NUMBER,
        **facts,
    }
    assert api.calls([event]).status == 200


def make(api: Api, call_id: str, key: str, **fields: str) -> Answer:
    body = {"call_id": call_id, **fields}
    return api.send("POST", "/quotes", body, "agent", Idempotency_Key=key)


def calls_of(api: Api, **query: str) -> list[str]:
    return [quote["call_id"] for quote in api.pages("/quotes", **query)]


def at_once(ask: Callable[[int], Answer]) -> list[Answer]:
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(ask, range(THREADS)))


@pytest.mark.usefixtures("exchange")
def test_a_quote_is_seen_wherever_its_customer_is(api: Api) -> None:
    tell(api, "quotes-1", "answered", queue=QUEUE, agent=api.agent)
    made = make(api, "quotes-1", "k1", value="1200", description="Plano anual")
    assert made.status == 201, made.body
    path = made.headers["Location"]
    assert api.get(path, role=None).status == 401
    customer = {"name": "Padaria Aurora", "phone": NUMBER}
    customer_id = api.post("/customers", customer).body["customer_id"]
    chosen = api.put("/calls/quotes-1/customer", {"customer_id": customer_id}, role="agent")
    assert chosen.status == 200
    assert api.get(path).body["customer"]["customer_id"] == customer_id

    shelves: tuple[dict[str, str], ...] = (
        {"customer_id": customer_id},
        {"number": "(48) 98765-1234"},
        {"agent": api.agent},
        {},
    )
    for query in shelves:
        found = eventually(lambda query=query: calls_of(api, **query), bool)  # type: ignore[misc]
        assert found == ["quotes-1"], query
    recent = api.get("/calls/recent", role="agent").body["items"]
    assert {call["call_id"]: len(call["quotes"]) for call in recent}["quotes-1"] == 1

    campaign = {"name": "Inverno", "queue": QUEUE}
    today = clock.now().date()
    days = {"begins_on": f"{today - timedelta(days=2)}", "ends_on": f"{today + timedelta(days=2)}"}
    assert api.put("/telemarketing/campaigns/inverno", campaign | days).status == 201
    of_customer = f"/telemarketing/campaigns/inverno/customers/{customer_id}"
    assert api.put(of_customer, {}).status == 201

    assert api.put(f"/queues/{QUEUE}", {"mode": "ask", "offer_seconds": 120}).status == 201
    hired = {"name": "Quitéria", "queues": [QUEUE], "telephone": "4099", "wrap_up_seconds": 0}
    assert api.put("/agents/quiteria", hired).status == 201
    assert api.put("/agents/quiteria/presence", {"state": "available"}).status == 200
    tell(api, "quotes-2", "queued", queue=QUEUE)

    def offered() -> list[Any]:
        items: list[Any] = api.get("/offers", queue=QUEUE).body["items"]
        return items

    (offer,) = eventually(offered, bool)
    brief = api.get(f"/offers/{offer['offer_id']}").body
    assert [quote["value"] for quote in brief["open_quotes"]] == ["1200.00"]
    assert [each["campaign"] for each in brief["pending_contacts"]] == ["Inverno"]

    tell(api, "quotes-2", "cancelled")
    missed = eventually(lambda: api.get("/missed-calls/quotes-2"), lambda seen: seen.status == 200)
    assert [quote["call_id"] for quote in missed.body["quotes"]] == ["quotes-1"]

    assert api.post(f"{path}/reopen", {}, role="agent").status == 403
    won = api.send("POST", f"{path}/win", None, "agent")
    assert (won.status, won.body["won_value"]) == (200, "1200.00")
    assert api.send("POST", f"{path}/reopen").body["state"] == "open"
    edited = api.send("PUT", path, {"value": "1100"}, "agent", If_Match='"4"')
    assert (edited.status, edited.body["value"]) == (200, "1100.00")
    assert api.post(f"{path}/lose", {"reason": "preço"}, role="agent").body["state"] == "lost"
    assert eventually(lambda: calls_of(api, state="lost"), bool) == ["quotes-1"]


def test_asked_for_by_many_at_once_is_one_and_is_decided_once(api: Api) -> None:
    tell(api, "quotes-3", "answered", agent=api.agent)
    answers = at_once(lambda _: make(api, "quotes-3", "same", value="10"))
    assert {answer.status for answer in answers} == {201}
    (path,) = {answer.headers["Location"] for answer in answers}

    def decide(worker: int) -> Answer:
        if worker % 2:
            return api.post(f"{path}/lose", {"reason": f"motivo {worker}"}, role="agent")
        return api.post(f"{path}/win", {"value": str(worker)}, role="agent")

    statuses = Counter(answer.status for answer in at_once(decide))
    assert statuses == {200: 1, 409: THREADS - 1}
    decided = api.get(path).body
    assert (decided["version"], decided["state"] in ("won", "lost")) == (2, True)
