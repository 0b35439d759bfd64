"""The call list and the dialler through any trouble: nobody rung twice, nobody forgotten."""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import Any

import pytest

from retorno.agents.model import State as Presence
from retorno.callback_campaigns.model import Campaign, Waits
from retorno.callbacks.model import AT_REST, Contact, State, contact_id_of
from retorno.calling_rules.model import Weekday, Window
from retorno.recovery.model import UNREACHED, MissedCall
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
    hours: float = 5,
) -> Iterator[Centre]:
    random = Random(seed)
    clock.now = OPENING
    deployment.configure(CALLING_PROFILES="none", CALL_MAX_HOURS="1")
    cloud = Cloud(deployment, clock, str(seed), Trouble())
    numbers = [f"+551198{index:07}" for index in range(customers)]
    morning = Window(days=(Weekday.MONDAY,), since=time(9, 50), until=time(12, 0))
    with cloud.running():
        centre = Centre(
            cloud,
            numbers,
            [f"agent{index}" for index in range(agents)],
            [campaign("vendas"), campaign("suporte", max_attempts=2, hours=(morning,))],
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
                    centre.calls_in(call_id, number, queue, answered_by=by)
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


@pytest.mark.parametrize("seed", range(4))
def test_nobody_is_rung_twice_and_nobody_is_forgotten(
    deployment: Deployment, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    with lived(deployment, clock, monkeypatch, seed, agents=6, customers=40) as centre:
        assert centre.wrongs == []
        assert centre.cloud.dead_letters == []
        # So much went wrong, and so much was done for all that.
        assert centre.cloud.killed > 30
        assert len(centre.placed) > len(centre.numbers)
        contacts = {each.contact_id: each for each in centre.contacts()}
        assert [each for each in contacts.values() if is_forgotten(each, centre.now)] == []
        assert {each.presence.at(centre.now).state for each in centre.people()} == {
            Presence.AVAILABLE
        }
        assert [each for each in centre.missed_calls() if is_left(each, contacts)] == []


def is_forgotten(contact: Contact, now: datetime) -> bool:
    """Neither over, nor a person's, nor waiting for a time to come."""
    is_late = contact.state is State.WAITING and contact.due_at < now - timedelta(minutes=3)
    return is_late or contact.state is State.DIALLING


def is_left(missed: MissedCall, contacts: Mapping[str, Contact]) -> bool:
    """Open with nobody who will call, or over while somebody may."""
    part = missed.part
    contact = contacts.get(contact_id_of(part.queue or "", part.number_key))
    waits = (
        contact is not None
        and contact.state in {*AT_REST, State.DO_NOT_CALL}
        and part.call_id in contact.misses
    )
    return waits != (missed.outcome.state in UNREACHED)
