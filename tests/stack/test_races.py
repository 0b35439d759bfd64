"""Many at once on the same call, number, agent or customer, in a DynamoDB that is atomic."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from random import Random
from threading import Lock
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

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
from retorno.dynamodb import RefusedTogether, write_together
from retorno.errors import Unavailable
from retorno.offers.model import Offer, Waiting
from retorno.offers.model import State as OfferState
from retorno.offers.store import Changed, OfferStore
from retorno.phone import NumberPlan
from retorno.recovery.model import MissedFilter, RecoveryRules
from retorno.recovery.service import Matching
from retorno.recovery.store import RecoveryStore
from retorno.telemarketing.assignments.model import LinkWish, linked
from retorno.telemarketing.assignments.store import AssignmentStore
from tests.support.histories import BEGINNING, plausible_day
from tests.support.quick_dynamodb import QuickDynamoDB
from tests.support.reference import Verdict, verdicts
from tests.support.stream import changes
from tests.support.tables import create_table

WORKERS = 32
NOW = BEGINNING + timedelta(days=2)
ALL_TABLES = ("AgentsTable", "AssignmentHistoryTable", "AssignmentsTable", "ContactsTable",
              "OffersTable")  # fmt: skip


class Race:
    """Tables of its own. Who writes together what somebody else is writing together just then is
    told so, as by DynamoDB: MiniStack lets them wait for each other. `met` says how often.
    """

    def __init__(self, name: str, dynamodb: Any) -> None:
        self.tables = {
            each: create_table(each, f"{name}-{each.lower()}", dynamodb) for each in ALL_TABLES
        }
        self.met = 0
        self._places = QuickDynamoDB(self.tables, lambda *change: None)
        self._lock = Lock()
        self._written: set[Any] = set()
        self._request = BaseClient._make_api_call  # type: ignore[attr-defined]

    def requested(self, client: BaseClient, operation: str, asked: Any) -> Any:
        if operation != "TransactWriteItems":
            return self._request(client, operation, asked)
        places = [
            self._places.touched(operation, {"TransactItems": [each]})
            for each in asked["TransactItems"]
        ]
        with self._lock:
            is_taken = [not self._written.isdisjoint(place) for place in places]
            if any(is_taken):
                self.met += 1
                codes = ("TransactionConflict" if taken else "None" for taken in is_taken)
                refusal: Any = {
                    "Error": {"Code": "TransactionCanceledException", "Message": ""},
                    "CancellationReasons": [{"Code": code} for code in codes],
                }
                raise ClientError(refusal, operation)
            self._written.update(*places)
        try:
            return self._request(client, operation, asked)
        finally:
            with self._lock:
                self._written.difference_update(*places)


@pytest.fixture
def race(
    dynamodb: Any, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Race]:
    race = Race(re.sub(r"\W+", "-", request.node.name), dynamodb)

    def requested(client: BaseClient, operation: str, asked: Any) -> Any:
        return race.requested(client, operation, asked)

    monkeypatch.setattr(BaseClient, "_make_api_call", requested)
    yield race
    assert race.met


def at_work(agents: AgentStore, count: int) -> None:
    people = Agents(agents, NumberPlan())
    for index in range(count):
        people.register(f"a{index}", AgentDraft(name="a", queues=("vendas",)), BEGINNING)
        people.ask(f"a{index}", Wish(state=State.AVAILABLE), BEGINNING)


def together(serve: Callable[[int], list[tuple[str, str]]]) -> list[tuple[str, str]]:
    with ThreadPoolExecutor(WORKERS) as pool:
        return [pair for won in pool.map(serve, range(WORKERS)) for pair in won]


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
def test_each_contact_and_each_agent_is_reserved_once(race: Race, seed: int) -> None:
    """Many workers at the same line, with as many contacts as agents."""
    agents = AgentStore(race.tables["AgentsTable"])
    contacts = ContactStore(race.tables["ContactsTable"])
    reservations = Reservations(agents)
    at_work(agents, 8)
    for index in range(8):
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
        random, won = Random(f"{seed} {worker}"), []
        for agent in sorted(reservations.idle("vendas", NOW, 8), key=lambda _: random.random()):
            contact = contacts.get(random.choice(ids))
            assert contact
            if contact.state is not ContactState.WAITING:
                continue
            name = agent.agent.agent
            held = reserved(contact, name, NOW + timedelta(seconds=worker))
            hold = Hold(hold_id=held.dial_id or "", kind=HoldKind.DIAL, until=NOW + HELD)
            log = contacts.log_of(contact.number_key).with_dial(hold.hold_id, NOW)
            with suppress(AgentTaken, ContactTaken, Unavailable):
                contacts.reserve(held, log, reservations.holding(agent, hold, NOW))
                won.append((contact.contact_id, name))
        return won

    pairs = together(serve)
    assert pairs
    assert len({contact for contact, _ in pairs}) == len({agent for _, agent in pairs})
    assert len({contact for contact, _ in pairs}) == len(pairs)
    found = [contacts.get(contact_id) for contact_id in ids]
    dialled = {(each.contact_id, each.dial_agent) for each in found if each and each.dials}
    assert dialled == set(pairs)
    held_now = [each for each in agents.get_many(f"a{n}" for n in range(8)) if each.presence.hold]
    assert {each.agent.agent for each in held_now} == {agent for _, agent in pairs}
    for contact in found:
        assert contact
        assert len(contacts.log_of(contact.number_key).dials) == contact.dials


@pytest.mark.parametrize("seed", range(2))
def test_a_number_on_two_lists_is_dialled_for_one(race: Race, seed: int) -> None:
    """Each list has a contact of its own, but a number has one log."""
    agents = AgentStore(race.tables["AgentsTable"])
    contacts = ContactStore(race.tables["ContactsTable"])
    reservations = Reservations(agents)
    at_work(agents, 8)
    seen = []
    for index in range(8):
        wanted = Wanted(
            list_name=f"queue:q{index}",
            number="+5511987650000",
            queue="vendas",
            asked_at=BEGINNING,
            due_at=BEGINNING,
        )
        seen.append(contacts.save(asked(None, wanted, BEGINNING)))
    log = contacts.log_of(seen[0].number_key)

    def serve(worker: int) -> list[tuple[str, str]]:
        contact, agent = seen[worker % 8], f"a{(worker + seed) % 8}"
        stored = reservations.one(agent, NOW)
        if stored is None:
            return []
        held = reserved(contact, agent, NOW)
        hold = Hold(hold_id=held.dial_id or "", kind=HoldKind.DIAL, until=NOW + HELD)
        with suppress(AgentTaken, ContactTaken, Unavailable):
            others = reservations.holding(stored, hold, NOW)
            contacts.reserve(held, log.with_dial(hold.hold_id, NOW), others)
            return [(contact.contact_id, agent)]
        return []

    pairs = together(serve)
    assert len(pairs) == 1
    found = [contacts.get(each.contact_id) for each in seen]
    dialled = [each for each in found if each and each.dials]
    assert [(each.contact_id, each.dial_agent) for each in dialled] == pairs
    assert [each.dial_id for each in contacts.log_of(log.number_key).dials] == [dialled[0].dial_id]


@pytest.mark.parametrize("seed", range(2))
def test_each_caller_is_offered_to_one_agent_and_each_agent_one_caller(
    race: Race, seed: int
) -> None:
    agents, offers = (
        AgentStore(race.tables["AgentsTable"]),
        OfferStore(race.tables["OffersTable"]),
    )
    reservations = Reservations(agents)
    at_work(agents, 8)
    callers = [f"c{index}" for index in range(8)]
    for call_id in callers:
        offers.save(None, Waiting(call_id=call_id, queue="vendas", since=BEGINNING))

    def serve(worker: int) -> list[tuple[str, str]]:
        random, won = Random(f"{seed} {worker}"), []
        for agent in sorted(reservations.idle("vendas", NOW, 8), key=lambda _: random.random()):
            before = offers.get(random.choice(callers))
            assert before
            if before.offer:
                continue
            name = agent.agent.agent
            offer = Offer(
                offer_id=f"{before.call_id}-{worker}",
                call_id=before.call_id,
                queue="vendas",
                agent=name,
                telephone="4001",
                ordinal=1,
                waiting_since=BEGINNING,
                offered_at=NOW,
                state=OfferState.OFFERED,
                until=NOW + HELD,
            )
            after = before.model_copy(update={"offer": offer, "offers": 1})
            with suppress(Changed, Unavailable):
                others = reservations.holding(agent, offer.hold, NOW)
                offers.save(before, after, others=others)
                won.append((before.call_id, name))
        return won

    pairs = together(serve)
    assert pairs
    assert len({call for call, _ in pairs}) == len({agent for _, agent in pairs}) == len(pairs)
    found = [each for each in map(offers.get, callers) if each]
    assert {(each.call_id, each.offer.agent) for each in found if each.offer} == set(pairs)
    on_offer = {each.call_id for each in offers.on_offer("vendas", 8, None).items}
    assert on_offer == {call for call, _ in pairs}
    assert set(offers.line("vendas", BEGINNING, 8)) == set(callers) - on_offer
    held_now = [each for each in agents.get_many(f"a{n}" for n in range(8)) if each.presence.hold]
    assert {each.agent.agent for each in held_now} == {agent for _, agent in pairs}


def test_no_change_of_a_customer_in_a_campaign_is_lost(race: Race) -> None:
    """Many give one customer to somebody else, each until it is done."""
    tables = race.tables
    store = AssignmentStore(tables["AssignmentsTable"], tables["AssignmentHistoryTable"])

    def gives(agent: str) -> None:
        while True:
            seen = store.get("natal", "maria")
            change = linked(seen, "natal", "maria", LinkWish(agent=agent), "leo", NOW)
            assert change
            with suppress(RefusedTogether, Unavailable):
                write_together(store.changing(change))
                return

    agents = [f"a{index}" for index in range(WORKERS)]
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(gives, agents))
    last, *before = store.history("natal", "maria", 100, None).entries
    given = [each.changes["agent"] for each in (last, *before)]
    assert sorted(given) == sorted(agents)
    assert [each.number for each in (last, *before)] == list(range(WORKERS, 0, -1))
    found = store.get("natal", "maria")
    assert found
    assert (found.revision, found.agent) == (WORKERS, last.changes["agent"])


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
