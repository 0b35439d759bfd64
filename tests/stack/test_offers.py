"""Callers who wait, given to operators by the deployed stack, and with many who look at once."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from local import aws
from local.stack import Stack
from retorno import clock
from retorno.agents.model import State as Presence
from retorno.errors import Conflict, NotFound
from retorno.offers.model import STANDING, State
from retorno.telephony import signature
from retorno.telephony.ports import Stage, WebhookRequest
from tests.support.api import Answer, Api, eventually
from tests.support.exchange import Answering, Asked, Exchange, serving
from tests.support.line import AVAILABLE, QUEUE, Centre

SECRET = "not-a-secret-of-anyone"
CUSTOMER = "+5571933334444"
THREADS = 16


@dataclass
class Switchboard(Exchange):
    """Verifies each order, and connects whom it is told to."""

    connected: dict[str, dict[str, Any]] = field(default_factory=dict)

    def answer(self, asked: Asked) -> Answering:
        self.asked.append(asked)
        signature.verify(WebhookRequest("", asked.headers, asked.body), [SECRET], clock.now())
        order = asked.json
        self.connected[order["offer_id"]] = order
        return Answering(201, {"offer_id": order["offer_id"]})


@pytest.fixture
def switchboard(stack: Stack) -> Iterator[Switchboard]:
    session: Any = aws.session()
    secrets = session.client("secretsmanager", endpoint_url=stack.endpoint_url)
    secrets.put_secret_value(
        SecretId=stack.resources["DialSecret"], SecretString=json.dumps({"current": SECRET})
    )
    functions = session.client("lambda", endpoint_url=stack.endpoint_url)
    names = [stack.resources[function] for function in ("OfferCalls", "AnswerOffers")]
    before = {
        name: functions.get_function_configuration(FunctionName=name)["Environment"]
        for name in names
    }
    with serving(Switchboard()) as switchboard:
        assert isinstance(switchboard, Switchboard)
        dialling = {"DIAL_PROVIDER": "canonical", "DIAL_URL": switchboard.url}
        for name, environment in before.items():
            variables = {**environment["Variables"], **dialling}
            functions.update_function_configuration(
                FunctionName=name, Environment={"Variables": variables}
            )
        yield switchboard
        for name, environment in before.items():
            functions.update_function_configuration(FunctionName=name, Environment=environment)


def told(call_id: str, stage: str, **facts: str) -> dict[str, Any]:
    return {
        "event_id": f"{call_id}-{stage}",
        "call_id": call_id,
        "stage": stage,
        "occurred_at": clock.now().isoformat(),
        "direction": "inbound",
        "from": CUSTOMER,
        **facts,
    }


def hire(api: Api, agent: str, queue: str) -> None:
    registered = {"name": agent, "queues": [queue], "telephone": "4007", "wrap_up_seconds": 0}
    if api.put(f"/agents/{agent}", registered).status == 428:
        body = json.dumps(registered).encode()
        headers = {"Content-Type": "application/json", "If-Match": "*", **api.token("supervisor")}
        assert api.request("PUT", f"/agents/{agent}", headers, body).status == 200
    assert api.put(f"/agents/{agent}/presence", {"state": "available"}).status == 200


def offered(api: Api, queue: str, to: str) -> Any:
    """The offer that an agent comes to hold."""

    def look() -> list[Any]:
        items = api.get("/offers", queue=queue).body["items"]
        return [item for item in items if item["agent"] == to]

    found = eventually(look, lambda items: len(items) == 1)
    assert len(found) == 1
    return found[0]


def answer(api: Api, offer: Any, how: str) -> Answer:
    return api.post(f"/offers/{offer['offer_id']}/{how}", {}, role="agent")


def test_a_caller_goes_from_agent_to_agent_until_one_accepts(
    api: Api, switchboard: Switchboard
) -> None:
    queue = "ofertas"
    refused = api.put(f"/queues/{queue}", {"mode": "ask"}, role="agent")
    assert refused.status == 403
    assert api.put(f"/queues/{queue}", {"mode": "ask", "offer_seconds": 5}).status == 201
    assert queue in [each["queue"] for each in api.get("/queues").body["items"]]
    hire(api, api.agent, queue)
    hire(api, "beto", queue)
    assert api.get("/offers/me", role="agent").status == 404
    missed = told("offers-0", "queued", queue=queue)
    assert api.calls([missed, told("offers-0", "cancelled")]).status == 200
    eventually(lambda: api.get("/missed-calls/offers-0"), lambda found: found.status == 200)

    assert api.calls([told("offers-1", "queued", queue=queue)]).status == 200
    first = offered(api, queue, api.agent)
    seen = api.get("/offers/me", role="agent").body
    assert (seen["offer_id"], seen["number"]) == (first["offer_id"], CUSTOMER)
    assert [call["call_id"] for call in seen["recent_calls"]] == ["offers-0"]
    assert [miss["call_id"] for miss in seen["open_missed_calls"]] == ["offers-0"]
    assert answer(api, first, "reject").body["state"] == "rejected"

    second = offered(api, queue, "beto")
    assert (second["ordinal"], second["waiting_since"]) == (2, first["waiting_since"])
    assert answer(api, second, "accept").status == 404
    # Beto says nothing. Ana has refused, and is asked again once she was something else.
    paused = eventually(
        lambda: api.get("/agents/beto").body["presence"], lambda seen: seen["state"] == "paused"
    )
    assert paused["reason"] == "Não respondeu a uma chamada"
    assert api.get("/offers/me", role="agent").status == 404
    for presence in ({"state": "paused", "reason": "café"}, {"state": "available"}):
        assert api.put("/agents/me/presence", presence, role="agent").status == 200

    third = offered(api, queue, api.agent)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: answer(api, third, "accept"), range(4)))
    assert {each.status for each in answers} <= {200, 202}
    assert answer(api, third, "accept").body["state"] == "connected"
    (order,) = switchboard.connected.values()
    assert {name: order[name] for name in ("call_id", "telephone", "agent", "queue")} == {
        "call_id": "offers-1",
        "telephone": "4007",
        "agent": api.agent,
        "queue": queue,
    }
    assert len(switchboard.asked) == 1
    late = answer(api, first, "accept")
    assert (late.status, late.body["detail"]) == (409, "você já recusou esta chamada")

    assert api.calls([told("offers-1", "answered")]).status == 200
    busy = eventually(
        lambda: api.get(f"/agents/{api.agent}").body["presence"],
        lambda seen: seen["state"] == "busy",
    )
    assert busy["calls"] == ["offers-1"]
    assert (
        eventually(lambda: api.get("/offers", queue=queue).body["items"], lambda items: items == [])
        == []
    )
    assert api.calls([told("offers-1", "completed")]).status == 200
    assert api.get(f"/offers/{third['offer_id']}").body["state"] == "connected"


def standing(centre: Centre, call_ids: list[str]) -> dict[str, str]:
    """Who has which call on offer; each agent's hold is that offer's."""
    offers = [found.offer for each in call_ids if (found := centre.store.get(each)) and found.offer]
    assert all(offer.state in STANDING for offer in offers)
    for offer in offers:
        hold = centre.presence(offer.agent).hold
        assert hold
        assert hold.hold_id == offer.offer_id
    assert len({offer.agent for offer in offers}) == len(offers)
    return {offer.call_id: offer.agent for offer in offers}


@pytest.mark.parametrize("seed", range(3))
def test_many_who_look_at_once_give_each_agent_one_call_in_the_order_of_waiting(
    dynamodb: Any, seed: int
) -> None:
    centre = Centre(f"raced-line-{seed}", dynamodb)
    centre.set_up()
    call_ids = [f"c{index:02}" for index in range(12)]
    for call_id in call_ids:
        centre.tell(call_id, Stage.QUEUED)
        centre.offers.look({"call_id": call_id}, centre.now)
        centre.now += timedelta(seconds=1)
    agents = [f"a{index}" for index in range(5)]
    centre.hire(*agents)
    messages = [{"call_id": call_id} for call_id in call_ids] + [{"queue": QUEUE}] * 12
    Random(seed).shuffle(messages)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda message: centre.offers.look(message, centre.now), messages))
    assert standing(centre, call_ids) == dict(zip(call_ids, agents, strict=False))
    assert centre.line.waiting(QUEUE, centre.now) == len(call_ids) - len(agents)


@pytest.mark.parametrize("seed", range(3))
def test_at_rest_who_is_held_has_an_offer_and_who_has_an_offer_is_held(
    dynamodb: Any, seed: int
) -> None:
    """Agents accept and refuse, callers hang up, and workers look, all at once."""
    centre = Centre(f"raced-offers-{seed}", dynamodb)
    centre.set_up()
    call_ids = [f"c{index:02}" for index in range(10)]
    for call_id in call_ids:
        centre.tell(call_id, Stage.QUEUED)
        centre.now += timedelta(seconds=1)
    agents = [f"a{index}" for index in range(4)]
    centre.hire(*agents)
    random = Random(seed)

    def looking(message: dict[str, str]) -> Callable[[], object]:
        return lambda: centre.offers.look(message, centre.now)

    def answering(agent: str, accepts: bool) -> Callable[[], object]:
        def answer() -> None:
            try:
                offer = centre.records.to(agent)
                if accepts:
                    centre.offers.accept(offer.offer_id, agent, centre.now)
                else:
                    centre.offers.reject(offer.offer_id, agent, None, centre.now)
            except (Conflict, NotFound):
                pass

        return answer

    def hanging_up(call_id: str) -> Callable[[], object]:
        def hang_up() -> None:
            centre.tell(call_id, Stage.CANCELLED)
            centre.offers.look({"call_id": call_id}, centre.now)

        return hang_up

    jobs = [looking({"call_id": call_id}) for call_id in call_ids]
    jobs += [looking({"queue": QUEUE}) for _ in range(10)]
    jobs += [answering(random.choice(agents), random.random() < 0.3) for _ in range(40)]
    gone = random.sample(call_ids, 4)
    jobs += [hanging_up(call_id) for call_id in gone]
    random.shuffle(jobs)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda job: job(), jobs))
    centre.work.messages.clear()

    held = {agent for agent in agents if (hold := centre.presence(agent).hold) and hold.hold_id}
    assert set(standing(centre, call_ids).values()) == held
    assert not {call_id for call_id in gone if centre.store.get(call_id)}
    for order in centre.switch.orders:
        offer = centre.records.one(order.offer_id, None)
        assert offer.state in (State.CONNECTED, State.WITHDRAWN)
    orders = [order.offer_id for order in centre.switch.orders]
    assert len(orders) == len(set(orders))
    for agent in agents:
        centre.people.ask(agent, AVAILABLE, centre.now)
    free = {agent for agent in agents if centre.state(agent) is Presence.AVAILABLE}
    assert free == set(agents) - held
