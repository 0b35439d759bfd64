"""Many at once on the same call and on the same number, in a DynamoDB that is atomic."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from retorno.agents.model import AgentDraft, Hold, HoldKind, State, Wish
from retorno.agents.service import Agents, Reservations
from retorno.agents.store import AgentStore
from retorno.callbacks.model import HELD, Wanted, asked, reserved
from retorno.callbacks.model import State as ContactState
from retorno.callbacks.store import AgentTaken, ContactStore, ContactTaken
from retorno.calls.model import CallRules, derive, facts_of, fold
from retorno.calls.store import CallStore
from retorno.counters.model import Cell, Told, summed
from retorno.counters.store import Counters
from retorno.customers.model import Choice
from retorno.customers.store import CustomerStore
from retorno.phone import NumberPlan
from retorno.recovery.model import MissedFilter, RecoveryRules
from retorno.recovery.service import Matching
from retorno.recovery.store import RecoveryStore
from tests.support.histories import BEGINNING, plausible_day
from tests.support.reference import Verdict, verdicts
from tests.support.stream import changes
from tests.support.tables import create_table

WORKERS = 32
NOW = BEGINNING + timedelta(days=2)


def test_a_call_told_by_many_at_once_is_the_fold(dynamodb: Any) -> None:
    store = CallStore(create_table("CallsTable", "raced-calls", dynamodb))
    random = Random(1)
    events = [event for seed in range(12) for event in plausible_day(Random(seed), calls=4)]
    random.shuffle(events)
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(lambda event: store.merge(event.call_id, facts_of(event)), events))
    assert {call_id: store.get(call_id) for call_id in fold(events)} == fold(events)


@pytest.mark.parametrize("seed", range(5))
def test_no_recovery_is_lost_or_doubled(dynamodb: Any, seed: int) -> None:
    """Misses and the calls that answer them come at once, each call on a worker of its own."""
    store = RecoveryStore(create_table("RecoveriesTable", f"raced-recoveries-{seed}", dynamodb))
    matching = Matching(store, CallRules(), RecoveryRules())
    events = plausible_day(Random(100 + seed), calls=WORKERS)

    def follow(records: list[dict[str, Any]]) -> None:
        for record in records:
            matching.match(record, NOW)

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(follow, changes(events).values()))

    calls = [derive(call_id, facts, CallRules()) for call_id, facts in fold(events).items()]
    page = store.missed(MissedFilter(), 500, None)
    found = {
        missed.part.call_id: Verdict(
            **{name: getattr(missed.outcome, name) for name in Verdict.__dataclass_fields__}
        )
        for missed in page.items
    }
    assert found == verdicts(calls, NOW)


def test_choices_made_at_once_are_all_remembered(dynamodb: Any) -> None:
    store = CustomerStore(create_table("CustomersTable", "raced-customers", dynamodb))
    moments = [BEGINNING + timedelta(hours=hour) for hour in range(20)]
    choices = [Choice(at=moment, customer_id=f"c{moment:%H}") for moment in moments]
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(lambda choice: store.remember("+551187654321", choice), choices))
    assert sorted(store.line("+551187654321").choices, key=lambda each: each.at) == choices


@pytest.mark.parametrize("seed", range(2))
def test_each_contact_and_each_agent_is_reserved_once(dynamodb: Any, seed: int) -> None:
    """Many workers at the same line, with as many contacts as agents."""
    tables = {
        name: create_table(name, f"raced-{name.lower()}-{seed}", dynamodb)
        for name in ("ContactsTable", "AgentsTable")
    }
    agents = AgentStore(tables["AgentsTable"])
    contacts = ContactStore(tables["ContactsTable"])
    people = Agents(agents, NumberPlan())
    reservations = Reservations(agents)
    for index in range(8):
        people.register(f"a{index}", AgentDraft(name="a", queues=("vendas",)), BEGINNING)
        people.ask(f"a{index}", Wish(state=State.AVAILABLE), BEGINNING)
        wanted = Wanted(
            list_name="queue:vendas",
            number=f"+551198765000{index}",
            queue="vendas",
            asked_at=BEGINNING,
            due_at=BEGINNING,
        )
        contacts.save(asked(None, wanted, BEGINNING))
    ids = [contact_id for _, contact_id in contacts.due("queue:vendas", 0, NOW, 8)]
    assert len(ids) == 8

    def serve(worker: int) -> list[tuple[str, str]]:
        random, won = Random(worker), []
        for agent in sorted(reservations.idle("vendas", NOW, 8), key=lambda _: random.random()):
            contact = contacts.get(random.choice(ids))
            assert contact
            if contact.state is not ContactState.WAITING:
                continue
            name = agent.agent.agent
            held = reserved(contact, name, NOW + timedelta(seconds=worker))
            hold = Hold(hold_id=held.dial_id or "", kind=HoldKind.DIAL, until=NOW + HELD)
            log = contacts.log_of(contact.number_key).with_dial(hold.hold_id, NOW)
            with suppress(AgentTaken, ContactTaken):
                contacts.reserve(held, log, reservations.holding(agent, hold, NOW))
                won.append((contact.contact_id, name))
        return won

    with ThreadPoolExecutor(WORKERS) as pool:
        pairs = [pair for won in pool.map(serve, range(WORKERS)) for pair in won]

    assert pairs
    assert len({contact for contact, _ in pairs}) == len({agent for _, agent in pairs})
    assert len({contact for contact, _ in pairs}) == len(pairs)
    found = [contacts.get(contact_id) for contact_id in ids]
    dialled = {(each.contact_id, each.dial_agent) for each in found if each and each.dials}
    assert dialled == set(pairs)
    held_now = [each for each in agents.get_many(f"a{n}" for n in range(8)) if each.presence.hold]
    assert {each.agent.agent for each in held_now} == {agent for _, agent in pairs}


@pytest.mark.parametrize("seed", range(2))
def test_what_many_count_at_once_is_counted_once(dynamodb: Any, seed: int) -> None:
    """Readers of a stream, each with its own batches of the same changes, in its own order."""
    counters = Counters(
        create_table("CountersTable", f"raced-counters-{seed}", dynamodb), ["sales"]
    )
    random = Random(seed)
    cells = [Cell("all", str(number)) for number in range(6)]
    news = [
        Told(f"source-{source}", position, {each: {"sales": random.randint(1, 5)} for each in some})
        for source in range(30)
        for position in range(1, 4)
        for some in [random.sample(cells, 3)]
    ]

    def read(reader: int) -> None:
        order = Random(reader).sample(news, len(news))
        for first in range(0, len(order), 15):
            counters.count(order[first : first + 15])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(read, range(8)))
    rows = counters.rows(cells[0], cells[-1], 100)
    last = [each.contribution for each in news if each.position == 3]
    assert {Cell("all", name): amounts for name, amounts in rows} == summed(last)
