"""Presence on the deployed stack, and with many who change it at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from random import Random
from typing import Any

import pytest

from retorno.agents.model import AgentDraft, State, Wish, engagement_of
from retorno.agents.service import Agents, AgentTracking
from retorno.agents.store import AgentStore
from retorno.calls.model import CallRules, derive, fold
from retorno.phone import NumberPlan
from tests.support.api import Api, eventually
from tests.support.histories import BEGINNING, plausible_day
from tests.support.stream import changes
from tests.support.tables import create_table

THREADS = 16
QUEUES = ("sales", "support")
WISHES = (
    Wish(state=State.AVAILABLE),
    Wish(state=State.PAUSED, reason="almoço"),
    Wish(state=State.PAUSED, reason="café"),
)


# One thing that is done while others are.
Job = Callable[[], object]


def told(call_id: str, stage: str, agent: str) -> dict[str, Any]:
    return {
        "event_id": f"{call_id}-{stage}",
        "call_id": call_id,
        "stage": stage,
        "occurred_at": datetime.now(UTC).isoformat(),
        "direction": "inbound",
        "from": "+5511955550000",
        "agent": agent,
    }


def test_an_operator_says_what_they_are(api: Api) -> None:
    registered = {"name": "Ana Souza"}
    assert api.put(f"/agents/{api.agent}", registered).status == 201
    assert api.put(f"/agents/{api.agent}", registered, role="agent").status == 403
    available = {"state": "available"}
    assert api.put("/agents/me/presence", available, role="agent").body["agent"] == api.agent
    assert api.get("/agents/me", role="agent").body["presence"]["state"] == "available"
    assert api.get("/agents/me/times", role="agent").body["seconds"]["available"] > 0
    assert api.put("/agents/me/presence", available, role="admin").status == 404
    assert api.delete(f"/agents/{api.agent}").status == 428


def test_an_operator_is_found_idle_and_then_in_a_call(api: Api) -> None:
    registered = {"name": "Lia Prado", "queues": ["presenças"], "wrap_up_seconds": 0}
    assert api.put("/agents/lia", registered).status == 201
    assert api.put("/agents/lia/presence", {"state": "available"}).status == 200

    def idle() -> list[str]:
        found = api.get("/agents", role="agent", queue="presenças", state="available").body
        return [agent["agent"] for agent in found["items"]]

    assert idle() == ["lia"]
    api.calls([told("presence-1", "answered", "lia")])
    assert eventually(idle, lambda found: found == []) == []
    assert api.get("/agents/lia", role="agent").body["presence"]["calls"] == ["presence-1"]
    api.put("/agents/lia/presence", {"state": "paused", "reason": "almoço"})
    api.calls([told("presence-1", "completed", "lia")])
    shown = eventually(
        lambda: api.get("/agents/lia").body["presence"], lambda seen: seen["state"] == "paused"
    )
    assert (shown["state"], shown["reason"], idle()) == ("paused", "almoço", [])
    assert api.get("/agents/lia/times").body["seconds"]["busy"] > 0
    assert [
        agent["agent"] for agent in api.pages("/agents", queue="presenças", state="paused")
    ] == ["lia"]


@pytest.mark.parametrize("seed", range(3))
def test_at_rest_the_queues_list_just_those_who_are_available(dynamodb: Any, seed: int) -> None:
    """Calls begin and end, each on a worker of its own, while agents and leaders say otherwise."""
    table = create_table("AgentsTable", f"raced-agents-{seed}", dynamodb)
    store = AgentStore(table)
    people = Agents(store, NumberPlan("BR"))
    calls = AgentTracking(store, CallRules(), timedelta(seconds=20), timedelta(days=1))
    ticks = count(700)

    def now() -> datetime:
        return BEGINNING + timedelta(seconds=next(ticks))

    for agent in ("ana", "bia"):
        people.register(agent, AgentDraft(name=agent, queues=QUEUES), BEGINNING)
        people.ask(agent, WISHES[0], BEGINNING)
    random = Random(seed)
    events = plausible_day(random, calls=3 * THREADS)

    def following(records: list[dict[str, Any]]) -> Job:
        def follow() -> None:
            for record in records:
                calls.follow(record, now())

        return follow

    def asking(agent: str, wish: Wish) -> Job:
        return lambda: people.ask(agent, wish, now())

    def moving(agent: str, queue: str) -> Job:
        return lambda: people.change(agent, AgentDraft(name=agent, queues=(queue,)), None)

    jobs = [following(records) for records in changes(events).values()]
    for _ in range(40):
        jobs.append(asking(random.choice(("ana", "bia")), random.choice(WISHES)))
    for agent in ("ana", "bia"):
        jobs.append(moving(agent, random.choice(QUEUES)))
    random.shuffle(jobs)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda job: job(), jobs))

    items = dynamodb.scan(TableName=table, ConsistentRead=True)["Items"]
    listed = {(item["pk"]["S"], item["sk"]["S"]) for item in items if "listed" not in item}
    places = {each for each in listed if each[0].startswith("queue#")}
    expected = set()
    ended = now()
    for agent in ("ana", "bia"):
        stored = people.one(agent)
        if stored.presence.available_from:
            stamp = f"{stored.presence.available_from:%Y-%m-%dT%H:%M:%S.%fZ}"
            expected |= {(f"queue#{queue}", f"{stamp} {agent}") for queue in stored.agent.queues}
        found = list(store.stretches(agent, BEGINNING, ended))[::-1]
        found += stored.presence.stretches(ended)
        assert all(one.end == other.begin for one, other in pairwise(found))
        assert (found[0].begin, found[-1].end) == (BEGINNING, ended)
        assert set(stored.presence.calls) == {
            call_id
            for call_id, facts in fold(events).items()
            if (part := engagement_of(derive(call_id, facts, CallRules())))
            and part.agent == agent
            and part.ended is None
        }
    assert places == expected
