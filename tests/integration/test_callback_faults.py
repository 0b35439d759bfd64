"""The call list and the dialler through any trouble: nobody rung twice, nobody forgotten."""

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import Any

import os
import pytest

from retorno.callback_campaigns.model import Campaign, Waits
from retorno.calling_rules.model import Window
from tests.support.clock import StoppedClock
from tests.support.deployment import Deployment
from tests.support.simulated_centre import Centre
from tests.support.simulated_cloud import Cloud, Trouble

# A Monday in São Paulo, 9:30.
OPENING = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
WAITS = Waits(busy=5, no_answer=12, voicemail=15, failed=4)


def campaign(campaign_id: str, **fields: Any) -> Campaign:
    return Campaign(
        campaign_id=campaign_id,
        name=campaign_id,
        monitored_queue=campaign_id,
        callback_queue="retorno",
        waits=WAITS,
        min_gap_minutes=4,
        **fields,
    )


@contextmanager
def lived(
    deployment: Deployment,
    clock: StoppedClock,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
    *,
    agents: int,
    customers: int,
    hours: float = 6,
    trouble: Trouble = Trouble(),
) -> Iterator[Centre]:
    random = Random(seed)
    clock.now = OPENING
    deployment.configure(CALLING_PROFILES="none", DIAL_PROVIDER="canonical")
    cloud = Cloud(deployment, clock, random, trouble)
    numbers = [f"+551198{index:07}" for index in range(customers)]
    week = ("monday", "tuesday", "wednesday", "thursday", "friday")
    hours_of_support = Window(days=week, since=time(9, 50), until=time(12, 0))  # type: ignore[arg-type]
    with cloud.running():
        centre = Centre(
            cloud,
            numbers,
            [f"agent{index}" for index in range(agents)],
            [campaign("vendas"), campaign("suporte", max_attempts=2, hours=(hours_of_support,))],
            frozenset(random.sample(numbers, max(1, customers // 50))),
        )
        monkeypatch.setattr("retorno.dialling.service.dialler", lambda settings: centre)
        monkeypatch.setattr("retorno.callbacks.dialler.ThreadPoolExecutor", OneAtATime)
        centre.opens()
        history(centre, random)
        cloud.every(60, lambda: random.random() < 0.9 and cloud.call("WatchCallbacks", {}))
        cloud.every(3600, lambda: cloud.call("SweepCalls", {}))
        cloud.every(3600, lambda: cloud.call("ExpireMissedCalls", {}))
        cloud.run(OPENING + timedelta(hours=hours))
        yield centre


def history(centre: Centre, random: Random) -> None:
    """Customers hang up, ring again, are answered, ask for a call or for none; agents rest."""
    cloud = centre.cloud
    for index, number in enumerate(centre.numbers):
        for again in range(random.choice([1, 1, 1, 2, 3])):
            queue = random.choice(["vendas", "vendas", "suporte"])
            at = random.uniform(0, 4000)
            answered = "x" if again and random.random() < 0.4 else ""
            cloud.after(
                at,
                lambda call_id=f"in-{index}-{again}", number=number, queue=queue, by=answered: (  # type: ignore[misc]
                    centre.misses(call_id, number, queue, answered_by=by)
                ),
            )
        chance = random.random()
        if chance < 0.05:
            cloud.after(random.uniform(0, 4000), lambda number=number: centre.forbids(number))  # type: ignore[misc]
        elif chance < 0.15:
            list_name, queue = random.choice(
                [("queue:retorno", "retorno"), ("promise:1", "retorno"), ("queue:vendas", "vendas")]
            )
            wanted = {
                "list_name": list_name,
                "number": number,
                "queue": queue,
                "agent": random.choice([None, random.choice(centre.agents)]),
                "until": random.choice([None, OPENING + timedelta(hours=2)]),
                "due_at": OPENING + timedelta(seconds=random.uniform(0, 4000)),
                "asked_at": OPENING,
            }
            cloud.after(random.uniform(0, 3000), lambda wanted=wanted: centre.wants(**wanted))  # type: ignore[misc]
    for agent in centre.agents:
        for _ in range(3):
            cloud.after(random.uniform(300, 8000), lambda agent=agent: centre.rests(agent))  # type: ignore[misc]


class OneAtATime:
    """Instead of threads, so that a seed repeats."""

    def __init__(self, workers: int) -> None: ...

    def __enter__(self) -> "OneAtATime":
        return self

    def __exit__(self, *error: object) -> None: ...

    def submit(self, do: Any, item: Any) -> Any:
        placed = Future[None]()
        placed.set_result(do(item))
        return placed


@pytest.mark.parametrize("seed", range(int(os.environ.get("SEEDS", 2))))
def test_sim(
    deployment: Deployment, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    a, c, h = (int(x) for x in os.environ.get("SIZE", "6,40,6").split(","))
    with lived(deployment, clock, monkeypatch, seed, agents=a, customers=c, hours=h) as centre:
        report(centre, seed)


def report(centre, seed):
    from retorno.agents.service import agents
    from retorno.recovery.model import State as MissState
    from retorno.recovery.store import RecoveryStore
    from retorno.recovery.model import MissedFilter
    from retorno.settings import AgentSettings
    cloud = centre.cloud
    now = centre.now
    print("\nSTATES", seed, {k: v for k, v in centre.states().items() if v}, "placed", len(centre.placed), "ordered", len(centre.ordered), "killed", cloud.killed, "requests", cloud.requests, "dead", cloud.dead_letters)
    for wrong in centre.wrongs:
        print("WRONG", seed, wrong)
    found = centre.contacts()
    for each in found:
        if each.state.value == "dialling" or (each.state.value == "waiting" and each.due_at <= now):
            print("LEFT", seed, each.list_name, each.state, each.reason, each.due_at, each.attempts, each.leased_until)
    for agent in centre.agents:
        stored = agents(AgentSettings.from_environment()).one(agent)
        if stored.presence.at(now).state != "available" or stored.presence.hold:
            print("AGENT", seed, agent, stored.presence.at(now).state, stored.presence.hold, stored.presence.calls)
    page = RecoveryStore("recoveries").missed(MissedFilter(), 5000, None)
    from retorno.callbacks.model import contact_id_of
    by_id = {each.contact_id: each for each in found}
    for miss in page.items:
        contact = by_id.get(contact_id_of(miss.part.queue, miss.part.number_key))
        is_open = miss.outcome.state in ("open", "blocked")
        if contact is None:
            print("MISS", seed, miss.part.call_id, miss.outcome.state, "no contact")
        elif is_open != (contact.state in ("waiting", "dialling", "blocked", "do_not_call") and miss.part.call_id in contact.misses):
            print("MISS", seed, miss.part.call_id, miss.outcome.state, contact.state, contact.reason, contact.result, contact.misses, contact.closed, contact.closed_as, miss.part.at.time(), contact.dialled_at and contact.dialled_at.time())
    assert 0
