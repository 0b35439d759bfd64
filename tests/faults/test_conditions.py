"""Each condition on which a store writes: without it something goes wrong, and a scenario sees it.

A scenario prepares, says who writes at once, and then what must hold, whatever the order of their
requests.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pytest

import retorno.agents.store as agents
import retorno.customers.store as customers
import retorno.menus.store as menus
import retorno.messages.store as messages
import retorno.offers.store as offers
import retorno.realtime.store as feeds
import retorno.waits.store as waits
from retorno.agents.model import Hold, HoldKind
from retorno.agents.service import Reservations
from retorno.callback_campaigns.store import CampaignStore
from retorno.callbacks.model import contact_id_of
from retorno.callbacks.store import AgentTaken, ContactStore, ContactTaken
from retorno.calling_rules.model import Entry as ForbiddenNumber
from retorno.calling_rules.model import Origin, Purpose, Record, Scope
from retorno.calling_rules.store import DoNotCallStore, Key
from retorno.calls.model import CallRules, Fact, Note, facts_of, merge
from retorno.calls.store import CallStore, NoteStore
from retorno.counters.model import Cell, Told
from retorno.counters.store import Counters
from retorno.customers.model import Choice
from retorno.dialling.model import Dial
from retorno.dialling.store import DialStore
from retorno.dynamodb import Refused, RefusedTogether, bind, write_together
from retorno.errors import Conflict
from retorno.imports.model import Chunk, Counts, Page
from retorno.imports.store import JobStore
from retorno.menus.model import StoredMenu, Tree
from retorno.messages.model import Conversation, Message, MessageDirection
from retorno.offers.model import Queue, Waiting
from retorno.personal_data.model import Hold as HoldOfData
from retorno.personal_data.model import Kind, Request
from retorno.personal_data.store import PersonalDataStore
from retorno.promises.store import PromiseStore
from retorno.quotes.model import QuoteId
from retorno.quotes.store import QuoteStore
from retorno.realtime.model import Entry, Head
from retorno.recovery.model import Part, RecoveryRules, Role
from retorno.recovery.service import Matching
from retorno.recovery.store import PartItem, RecoveryStore
from retorno.retention import hold, release
from retorno.telemarketing.assignments.store import AssignmentStore
from retorno.telemarketing.operations.model import OperationId, PastOperation
from retorno.telemarketing.operations.store import OperationStore
from retorno.telemarketing.setup.store import SetupStore
from retorno.telephony.ports import Direction, Stage
from retorno.times import stamp
from retorno.voicemail.model import Answer
from retorno.voicemail.store import AnswerStore
from retorno.waits.model import DayType, QueuePolicy, Version, Wait
from tests.faults.conditions import broken, sites
from tests.faults.steps import NATAL, Desk
from tests.support.histories import BEGINNING, history
from tests.support.menus import WELCOME
from tests.support.quick_dynamodb import Item
from tests.support.turns import Job, every_order_that_matters

Scenario = Callable[[Desk], Iterator[Sequence[Job]]]

# By the name of a site: the scenario that goes red where its condition is broken.
CONTROLS: dict[str, Scenario] = {}

# What tells whoever read too early that they did.
REFUSALS = (
    Refused,
    RefusedTogether,
    Conflict,
    ContactTaken,
    AgentTaken,
    *(store.Changed for store in (agents, customers, menus, messages, offers, feeds, waits)),
)

NOBODYS = "+5511977776666"
KEY = "+551177776666"
PSEUDONYM = "erased-1"
SOON, LATER = (BEGINNING + timedelta(minutes=each) for each in (1, 2))


def breaks(*names: str) -> Callable[[Scenario], Scenario]:
    def named(scenario: Scenario) -> Scenario:
        CONTROLS.update(dict.fromkeys(names, scenario))
        return scenario

    return named


def wrong(scenario: Scenario, desk: Desk, start: Any) -> str | None:
    """What does not hold in the first such order."""
    crossing = desk.crossing
    played: Iterator[Any] = iter(())

    def make() -> list[Job]:
        nonlocal played
        crossing.restore(start)
        played = scenario(desk)
        return [crossing.by(number, do) for number, do in enumerate(next(played))]

    for turns in every_order_that_matters(crossing.table, make):
        try:
            next(played, None)
        except AssertionError as error:
            return f"in the order {turns}: {error}"
    return None


def one_wins(*writes: Job) -> Iterator[Sequence[Job]]:
    """Of those who read the same the first writes, and the others are told."""
    done: list[bool] = []

    def tried(write: Job) -> Job:
        def do() -> None:
            try:
                write()
            except REFUSALS:
                done.append(False)
            else:
                done.append(True)

        return do

    yield [tried(write) for write in writes]
    assert done == [True, *(False for _ in writes[1:])]


def insisting(do: Job) -> Job:
    """Whoever was refused looks again."""

    def done() -> None:
        while True:
            try:
                do()
            except REFUSALS:
                continue
            return

    return done


# --- Calls ----------------------------------------------------------------------------------------


def call_events() -> Mapping[str, Any]:
    told = history("c", direction=Direction.INBOUND, number=NOBODYS)
    told.at(0, Stage.QUEUED, queue="vendas").at(5, Stage.CANCELLED, leaves_queue=True)
    told.at(6, Stage.QUEUED, queue="suporte").at(30, Stage.ANSWERED, agent="ana")
    return {
        name: facts_of(event)
        for name, event in zip(("queued", "left", "again", "answered"), told.events, strict=True)
    }


def told_at_once(desk: Desk, *names: str, before: Sequence[str] = ()) -> Iterator[Sequence[Job]]:
    store, events = CallStore("calls"), call_events()
    for name in before:
        store.merge("c", events[name])
    yield [lambda name=name: store.merge("c", events[name]) for name in names]  # type: ignore[misc]
    for name in (*before, *names):
        store.merge("whole", events[name])
    found, whole = (calls(desk, call_id) for call_id in ("c", "whole"))
    assert found == whole


def calls(desk: Desk, call_id: str) -> list[Item]:
    """With what its indexes have of it."""
    return [
        {name: value for name, value in item.items() if name not in ("call_id", "revision")}
        for item in desk.crossing.dynamodb.items("calls")
        if item["call_id"]["S"] == call_id
    ]


@breaks("calls.store.CallStore._in_order")
def what_is_told_in_any_order_is_one_call(desk: Desk) -> Iterator[Sequence[Job]]:
    yield from told_at_once(desk, "queued", "answered", "left")


@breaks("calls.store.CallStore.merge")
def whoever_writes_a_call_whole_writes_over_nothing(desk: Desk) -> Iterator[Sequence[Job]]:
    yield from told_at_once(desk, "left", "queued")


@breaks("calls.store.CallStore._merge_into")
def what_comes_too_late_is_merged_into_what_is_there(desk: Desk) -> Iterator[Sequence[Job]]:
    yield from told_at_once(desk, "queued", "answered", before=["left"])


@breaks("calls.store.CallStore.amend")
def to_amend_a_call_undoes_nothing(desk: Desk) -> Iterator[Sequence[Job]]:
    store, events = CallStore("calls"), call_events()
    review = {Fact.REVIEW: "2026-03-02T13:00:00.000000Z human"}

    def amends() -> None:
        store.amend("c", lambda _: review)

    store.merge("c", events["answered"])
    yield [amends, lambda: store.merge("c", events["queued"])]
    assert store.get("c") == {**merge(events["answered"], events["queued"]), **review}
    assert [each["started_at"]["S"] for each in calls(desk, "c")] == [stamp(BEGINNING)]


@breaks("calls.store.NoteStore.add")
def a_note_is_written_once(desk: Desk) -> Iterator[Sequence[Job]]:
    store, given = NoteStore("notes"), []

    def adds(at: datetime) -> Job:
        return lambda: given.append(store.add(Note(call_id="c", text="Ligar", by="ana", at=at)))

    yield [adds(SOON), adds(LATER)]
    assert given[0] == given[1]
    assert list(store.of_call("c", 10)) == given[:1]


# --- Recovery -------------------------------------------------------------------------------------


def part(call_id: str, role: Role, at: float, **facts: Any) -> Part:
    moment = BEGINNING + timedelta(seconds=at)
    return Part(number_key=KEY, call_id=call_id, role=role, at=moment, number=NOBODYS, **facts)


def parts(store: RecoveryStore, number_key: str = KEY) -> dict[str, Part]:
    return {each.part.call_id: each.part for each in store.of_number(number_key)}


def a_miss(queue: str = "vendas") -> Part:
    return part("m", Role.MISSED, 0, queue=queue)


@breaks("recovery.store.RecoveryStore.put")
def what_is_told_late_of_a_part_changes_nothing(desk: Desk) -> Iterator[Sequence[Job]]:
    store = RecoveryStore("recoveries")
    yield [lambda: store.put(a_miss("old"), 1), lambda: store.put(a_miss("new"), 2)]
    assert parts(store)["m"].queue == "new"


@breaks("recovery.store.RecoveryStore.remove")
def what_is_told_late_removes_nothing(desk: Desk) -> Iterator[Sequence[Job]]:
    store = RecoveryStore("recoveries")
    yield [lambda: store.remove(KEY, "m", 1), lambda: store.put(a_miss(), 2)]
    assert "m" in parts(store)


@breaks("recovery.store.RecoveryStore._save")
def nothing_is_decided_of_what_is_no_miss_any_more(desk: Desk) -> Iterator[Sequence[Job]]:
    store = RecoveryStore("recoveries")
    matching = Matching(store, CallRules(), RecoveryRules())
    store.put(a_miss(), 1)
    back = part("o", Role.OUTBOUND, 60, reached_at=LATER)
    store.put(back, 1)
    yield [lambda: matching.settle(KEY, [back], LATER), lambda: store.remove(KEY, "m", 2)]
    assert stored(desk) == ["o"]


def stored(desk: Desk) -> list[str]:
    """The calls of which there is anything."""
    items = desk.crossing.dynamodb.items("recoveries")
    return [item["call_id"]["S"] for item in items if item["number_key"]["S"] == KEY]


def renaming(role: Role, number_key: str) -> Iterator[Sequence[Job]]:
    """While what is newer of a part is written under one key or the other."""
    store = RecoveryStore("recoveries")
    old, new = (part("o", role, 60, queue=each) for each in ("old", "new"))
    store.put(old, 1)
    put = new.model_copy(update={"number_key": number_key})

    def renames() -> None:
        list(store.rename(KEY, PSEUDONYM))

    yield [renames, lambda: store.put(put, 2)]
    found = [*parts(store).values(), *parts(store, PSEUDONYM).values()]
    assert "new" in {each.queue for each in found}


@breaks("recovery.store.RecoveryStore._copy")
def to_rename_a_call_undoes_nothing_that_is_there(desk: Desk) -> Iterator[Sequence[Job]]:
    yield from renaming(Role.OUTBOUND, PSEUDONYM)


@breaks("recovery.store.RecoveryStore._move 2")
def to_rename_a_miss_undoes_nothing_that_is_there(desk: Desk) -> Iterator[Sequence[Job]]:
    yield from renaming(Role.MISSED, PSEUDONYM)


@breaks("recovery.store.RecoveryStore._move")
def to_rename_a_call_loses_nothing_of_it(desk: Desk) -> Iterator[Sequence[Job]]:
    yield from renaming(Role.OUTBOUND, KEY)


def to_rename_a_miss_loses_nothing_of_it(desk: Desk) -> Iterator[Sequence[Job]]:
    yield from renaming(Role.MISSED, KEY)


def who_reached_the_customer_first_won_them_back(desk: Desk) -> Iterator[Sequence[Job]]:
    """Though another call, which began before, was told of before."""
    store = RecoveryStore("recoveries")
    matching = Matching(store, CallRules(), RecoveryRules())
    store.put(a_miss(), 1)
    reached = {each: BEGINNING + timedelta(seconds=each) for each in (70, 90)}
    slow = part("o", Role.OUTBOUND, 50, reached_at=reached[90])
    quick = part("p", Role.OUTBOUND, 60, reached_at=reached[70])
    store.put(slow, 1)
    matching.settle(KEY, [slow], LATER)

    def tells() -> None:
        store.put(quick, 1)
        matching.settle(KEY, [quick], LATER)

    yield [tells]
    (missed,) = (each for each in store.of_number(KEY) if each.part.role is Role.MISSED)
    assert missed.outcome.recovered_by == "p"


# --- The call list and the dialler ----------------------------------------------------------------


def holding(desk: Desk, agent: str) -> list[Any]:
    now = desk.crossing.clock.now
    found = Reservations(agents.AgentStore("agents")).one(agent, now)
    assert found
    lease = Hold(hold_id=f"of-{agent}", kind=HoldKind.OFFER, until=now + timedelta(minutes=1))
    return Reservations(agents.AgentStore("agents")).holding(found, lease, now)


@breaks("callbacks.store.ContactStore.reserve")
def nobody_is_rung_whose_contact_was_closed_meanwhile(desk: Desk) -> Iterator[Sequence[Job]]:
    store = ContactStore("contacts")
    contact = store.get(desk.contact)
    assert contact
    log, of_ana = store.log_of(contact.number_key), holding(desk, "ana")
    closed = contact.model_copy(update={"note": "não ligar"})
    yield from one_wins(lambda: store.reserve(contact, log, of_ana), lambda: store.save(closed))


@breaks("callbacks.store.ContactStore.reserve 2")
def a_number_on_two_lists_is_rung_once(desk: Desk) -> Iterator[Sequence[Job]]:
    store = ContactStore("contacts")
    contact = store.get(desk.contact)
    assert contact
    other = contact.model_copy(update={"contact_id": contact_id_of("outra", KEY), "revision": 0})
    log = store.log_of(contact.number_key)
    of_ana, of_bia = holding(desk, "ana"), holding(desk, "bia")
    yield from one_wins(
        lambda: store.reserve(contact, log, of_ana), lambda: store.reserve(other, log, of_bia)
    )


@breaks("callbacks.store.ContactStore.save")
def a_contact_is_written_by_whoever_read_it_last(desk: Desk) -> Iterator[Sequence[Job]]:
    store = ContactStore("contacts")
    contact = store.get(desk.contact)
    assert contact
    other = contact.model_copy(update={"note": "outra"})
    yield from one_wins(lambda: store.save(contact), lambda: store.save(other))


@breaks("callbacks.store.ContactStore.save_log")
def no_dial_of_a_number_is_forgotten(desk: Desk) -> Iterator[Sequence[Job]]:
    store = ContactStore("contacts")

    def logs(dial_id: str) -> Job:
        return insisting(lambda: store.save_log(store.log_of(KEY).with_dial(dial_id, SOON)))

    yield [logs("one"), logs("other")]
    assert {each.dial_id for each in store.log_of(KEY).dials} == {"one", "other"}


@breaks("callbacks.store.ContactStore.delete_log")
def a_log_is_forgotten_once(desk: Desk) -> Iterator[Sequence[Job]]:
    store, said = ContactStore("contacts"), []
    store.save_log(store.log_of(KEY).with_dial("one", SOON))
    yield [lambda: said.append(store.delete_log(KEY)) for _ in range(2)]
    assert sorted(said) == [False, True]


@breaks("callbacks.store.ContactStore.rest")
def the_longest_rest_counts(desk: Desk) -> Iterator[Sequence[Job]]:
    store = ContactStore("contacts")
    yield [lambda: store.rest(LATER), lambda: store.rest(SOON)]
    assert store.resting_until() == LATER


@breaks("callback_campaigns.store.CampaignStore.save")
def a_campaign_is_changed_as_it_was_seen(desk: Desk) -> Iterator[Sequence[Job]]:
    store = CampaignStore("callback-campaigns")
    seen = store.get("vendas")
    assert seen
    new = seen.model_copy(update={"version": seen.version + 1})
    yield from one_wins(lambda: store.save(new), lambda: store.save(new))


@breaks("callback_campaigns.store.CampaignStore.delete")
def a_campaign_is_deleted_as_it_was_seen(desk: Desk) -> Iterator[Sequence[Job]]:
    store = CampaignStore("callback-campaigns")
    seen = store.get("vendas")
    assert seen
    new = seen.model_copy(update={"version": seen.version + 1})
    yield from one_wins(lambda: store.save(new), lambda: store.delete(seen))


@breaks("dialling.store.DialStore.save")
def a_call_is_ordered_by_one(desk: Desk) -> Iterator[Sequence[Job]]:
    store = DialStore("dials")
    dial = Dial(
        dial_id="d",
        wish_digest="d",
        number=NOBODYS,
        purpose=Purpose.REQUESTED_CALLBACK,
        telephone="ana",
        agent="ana",
        asked_by="ana",
        missed_call_id=None,
        asked_at=SOON,
        ordered_at=SOON,
    )
    yield from one_wins(
        *(
            lambda owner=owner: store.save(dial.model_copy(update={"owner": owner}))
            for owner in ("one", "other")
        )
    )


@breaks("calling_rules.store.DoNotCallStore.save")
def what_is_said_of_a_number_is_said_once(desk: Desk) -> Iterator[Sequence[Job]]:
    store = DoNotCallStore("do-not-call")
    entry = ForbiddenNumber(
        number=NOBODYS,
        number_key=KEY,
        origin=Origin.CUSTOMER,
        scope=Scope.ALL,
        effective_from=date(2026, 3, 2),
        added_at=SOON,
        added_by="leo",
        said_at=SOON,
    )
    found = store.get_many([Key(KEY, Origin.CUSTOMER)])[0]
    changes = [(found, Record(entry=entry))]
    yield from one_wins(lambda: store.save(changes), lambda: store.save(changes))


# --- Agents and offers ----------------------------------------------------------------------------


@breaks("agents.store.AgentStore._saving")
def of_two_who_found_an_agent_idle_one_holds_them(desk: Desk) -> Iterator[Sequence[Job]]:
    of_ana = holding(desk, "ana")
    yield from one_wins(lambda: write_together(of_ana), lambda: write_together(of_ana))


@breaks("agents.store.AgentStore.delete")
def nobody_is_deleted_who_was_held_meanwhile(desk: Desk) -> Iterator[Sequence[Job]]:
    store = agents.AgentStore("agents")
    seen, of_ana = store.get("ana"), holding(desk, "ana")
    assert seen
    yield from one_wins(lambda: store.delete(seen, []), lambda: write_together(of_ana))


def waiting() -> tuple[offers.OfferStore, Waiting]:
    store = offers.OfferStore("offers")
    new = Waiting(call_id="c", queue="sac", since=SOON)
    store.save(None, new)
    return store, new.model_copy(update={"revision": 1})


@breaks("offers.store.OfferStore.save")
def a_waiting_call_is_written_as_it_was_seen(desk: Desk) -> Iterator[Sequence[Job]]:
    store, seen = waiting()
    yield from one_wins(lambda: store.save(seen, seen), lambda: store.save(seen, seen))


@breaks("offers.store.OfferStore.remove")
def nobody_leaves_the_line_who_was_offered_meanwhile(desk: Desk) -> Iterator[Sequence[Job]]:
    store, seen = waiting()
    yield from one_wins(lambda: store.save(seen, seen), lambda: store.remove(seen, None))


@breaks("offers.store.OfferStore.save_queue")
def a_queue_is_set_up_as_it_was_seen(desk: Desk) -> Iterator[Sequence[Job]]:
    store = offers.OfferStore("offers")
    queues = [Queue(queue="nova", offer_seconds=each, version=1) for each in (10, 20)]
    yield from one_wins(*(lambda queue=queue: store.save_queue(queue, 0) for queue in queues))


# --- Promises, waits, quotes, messages ------------------------------------------------------------


@breaks("promises.store.PromiseStore.save")
def a_promise_is_written_as_it_was_seen(desk: Desk) -> Iterator[Sequence[Job]]:
    store = PromiseStore("promises", ZoneInfo("America/Sao_Paulo"))
    seen = store.get(desk.promise)
    assert seen
    yield from one_wins(lambda: store.save(seen), lambda: store.save(seen.scheduled()))


@breaks("waits.store.WaitStore.save")
def a_wait_is_written_as_it_was_seen(desk: Desk) -> Iterator[Sequence[Job]]:
    store = waits.WaitStore("waits")
    wait = Wait(
        call_id="c",
        queue="sac",
        last_queue="sac",
        began_at=SOON,
        rule="sac",
        day=SOON.date(),
        day_type=DayType.WEEKDAY,
        limit_seconds=30,
        due_at=LATER,
    )
    yield from one_wins(lambda: store.save(wait), lambda: store.save(wait))


@breaks("waits.store.PolicyStore.save")
def a_waiting_limit_is_set_as_it_was_seen(desk: Desk) -> Iterator[Sequence[Job]]:
    store = waits.PolicyStore("wait-policies")
    none = Version(policy=None, since=SOON, set_by="leo")
    policies = [QueuePolicy(queue="nova", version=1, timeline=each) for each in ((), (none,))]
    yield from one_wins(*(lambda policy=policy: store.save(policy) for policy in policies))


@breaks("quotes.store.QuoteStore.save")
def a_quote_is_decided_once(desk: Desk) -> Iterator[Sequence[Job]]:
    store = QuoteStore("quotes")
    seen = store.get(QuoteId.read(desk.quote))
    assert seen
    new = seen.model_copy(update={"version": seen.version + 1})
    yield from one_wins(lambda: store.save(new), lambda: store.save(new))


def a_message(conversation: str = KEY, message_id: str = "m", **facts: Any) -> Message:
    return Message(
        message_id=message_id,
        conversation=conversation,
        direction=MessageDirection.INBOUND,
        at=SOON,
        type="text",
        **facts,
    )


@breaks("messages.store.MessageStore.add")
def a_message_is_of_one_conversation(desk: Desk) -> Iterator[Sequence[Job]]:
    store = messages.MessageStore("messages")
    yield from one_wins(
        *(
            lambda of=of: store.add(Conversation(conversation=of), a_message(of))
            for of in ("one", "other")
        )
    )


@breaks("messages.store.MessageStore._record")
def a_conversation_is_written_as_it_was_seen(desk: Desk) -> Iterator[Sequence[Job]]:
    store = messages.MessageStore("messages")
    new = Conversation(conversation=KEY)
    yield from one_wins(
        *(lambda name=name: store.add(new, a_message(message_id=name)) for name in ("one", "other"))
    )


@breaks("messages.store.MessageStore._update")
def a_message_is_written_as_it_was_seen(desk: Desk) -> Iterator[Sequence[Job]]:
    store = messages.MessageStore("messages")
    seen = store.add(Conversation(conversation=KEY), a_message())
    yield from one_wins(lambda: store.save(seen, None), lambda: store.save(seen, None))


@breaks("messages.store.MessageStore.save")
def a_message_is_written_with_its_conversation_as_both_were_seen(
    desk: Desk,
) -> Iterator[Sequence[Job]]:
    store = messages.MessageStore("messages")
    new = Conversation(conversation=KEY)
    seen = store.add(new, a_message())
    written = new.model_copy(update={"revision": 1})
    yield from one_wins(lambda: store.save(seen, None), lambda: store.save(seen, written))


@breaks("messages.store.MessageStore.forget")
def no_conversation_is_forgotten_to_which_a_message_came(desk: Desk) -> Iterator[Sequence[Job]]:
    store = messages.MessageStore("messages")
    new = Conversation(conversation=KEY)
    store.add(new, a_message())
    seen = new.model_copy(update={"revision": 1})
    yield from one_wins(
        lambda: store.forget(seen), lambda: store.add(seen, a_message(message_id="n", ordinal=1))
    )


# --- Customers and menus --------------------------------------------------------------------------


def maria(desk: Desk) -> tuple[customers.CustomerStore, Any]:
    store = customers.CustomerStore("customers")
    found = store.get(desk.customers[0])
    assert found
    return store, found


def saving(store: customers.CustomerStore, before: Any, **changes: Any) -> Job:
    customer = before.customer.model_copy(update=changes)
    return lambda: store.save(customers.Saving(customer, before), SOON)


@breaks("customers.store.CustomerStore._writes")
def a_customer_is_changed_as_they_were_seen(desk: Desk) -> Iterator[Sequence[Job]]:
    store, seen = maria(desk)
    yield from one_wins(saving(store, seen, name="Ana"), saving(store, seen, name="Bia"))


@breaks("customers.store.CustomerStore.delete")
def a_customer_is_deleted_as_they_were_seen(desk: Desk) -> Iterator[Sequence[Job]]:
    store, seen = maria(desk)
    yield from one_wins(saving(store, seen, name="Ana"), lambda: store.delete(seen))


@breaks("customers.store.CustomerStore._writes 2")
def a_code_is_one_customers(desk: Desk) -> Iterator[Sequence[Job]]:
    store, seen = maria(desk)
    other = store.get(desk.customers[1])
    assert other
    yield from one_wins(saving(store, seen, code="7"), saving(store, other, code="7"))


@breaks("customers.store.CustomerStore.remember")
def each_choice_is_remembered(desk: Desk) -> Iterator[Sequence[Job]]:
    store, _ = maria(desk)
    choices = [Choice(at=at, customer_id=at.isoformat()[14:16]) for at in (SOON, LATER)]
    yield [lambda choice=choice: store.remember(KEY, choice) for choice in choices]  # type: ignore[misc]
    assert set(store.line(KEY).choices) == set(choices)


@breaks("customers.store.CustomerStore.forget_choices")
def choices_are_forgotten_once(desk: Desk) -> Iterator[Sequence[Job]]:
    store, said = maria(desk)[0], []
    store.remember(KEY, Choice(at=SOON, customer_id="c"))
    yield [lambda: said.append(store.forget_choices(KEY)) for _ in range(2)]
    assert sorted(said) == [False, True]


def a_menu(version: int) -> StoredMenu:
    tree = Tree.model_validate(WELCOME)
    return StoredMenu(menu="ola", version=version, tree=tree, changed_at=SOON, changed_by="leo")


@breaks("menus.store.MenuStore.save")
def a_menu_is_made_once(desk: Desk) -> Iterator[Sequence[Job]]:
    store = menus.MenuStore("menus")
    yield from one_wins(lambda: store.save(None, a_menu(1)), lambda: store.save(None, a_menu(1)))


@breaks("menus.store.MenuStore.retire", "menus.store.MenuStore._retirement")
def a_menu_is_replaced_or_retired(desk: Desk) -> Iterator[Sequence[Job]]:
    store = menus.MenuStore("menus")
    store.save(None, a_menu(1))
    yield from one_wins(
        lambda: store.save(a_menu(1), a_menu(2)), lambda: store.retire(a_menu(1), SOON)
    )


# --- Telemarketing --------------------------------------------------------------------------------


@breaks("telemarketing.assignments.store.AssignmentStore.writing")
def an_assignment_is_written_as_it_was_seen(desk: Desk) -> Iterator[Sequence[Job]]:
    store = AssignmentStore("assignments", "assignment-history")
    seen = store.get(NATAL, desk.customers[0])
    assert seen
    new = store.writing(seen.model_copy(update={"revision": seen.revision + 1}))
    yield from one_wins(lambda: write_together([new]), lambda: write_together([new]))


@breaks("telemarketing.operations.store.OperationStore.writing")
def an_operation_is_written_as_it_was_seen(desk: Desk) -> Iterator[Sequence[Job]]:
    store = OperationStore("operations")
    seen = store.get(OperationId.read(desk.operation))
    assert seen
    new = seen.model_copy(update={"revision": seen.revision + 1})
    yield from one_wins(lambda: store.save(new), lambda: store.save(new))


@breaks("telemarketing.operations.store.OperationStore.taking")
def a_past_operation_is_taken_over_once(desk: Desk) -> Iterator[Sequence[Job]]:
    store = OperationStore("operations")
    seen = store.get(OperationId.read(desk.operation))
    assert seen
    past = PastOperation(
        campaign_id=NATAL, customer_id=desk.customers[0], agent="ana", ended_at=SOON
    )
    takes = [store.taking(past, seen, mark) for mark in ("one", "other")]
    yield from one_wins(*(lambda take=take: write_together([take]) for take in takes))


def campaign(store: SetupStore) -> Any:
    return next(iter(store.every_campaign()))


@breaks("telemarketing.setup.store.SetupStore.save")
def an_entry_is_changed_as_it_was_seen(desk: Desk) -> Iterator[Sequence[Job]]:
    store = SetupStore("telemarketing-setup")
    seen = campaign(store)
    new = seen.model_copy(update={"version": seen.version + 1})
    yield from one_wins(lambda: store.save(new), lambda: store.save(new))


@breaks(
    "telemarketing.setup.store.SetupStore.delete", "telemarketing.setup.store.SetupStore.marking"
)
def nothing_that_is_used_is_deleted(desk: Desk) -> Iterator[Sequence[Job]]:
    store = SetupStore("telemarketing-setup")
    seen = campaign(store).model_copy(update={"campaign_id": "nova", "version": 1, "used": False})
    store.save(seen)
    marks = store.marking(seen)
    yield from one_wins(lambda: write_together([marks]), lambda: store.delete(seen))


# --- Counters, jobs, the feed ---------------------------------------------------------------------

ROW = Cell("vendas", "2026-03-02")


@breaks("counters.store.Counters._write")
def what_is_told_twice_is_counted_once(desk: Desk) -> Iterator[Sequence[Job]]:
    counters = Counters("counters", ["calls"])
    told = [Told("c", position, {ROW: {"calls": position}}) for position in (1, 2, 2)]
    yield [lambda each=each: counters.count([each]) for each in told]  # type: ignore[misc]
    assert counters.row(ROW) == {"calls": 2}


def job() -> JobStore:
    store = JobStore("jobs")
    store.add("j", "customers", "ana", SOON)
    return store


@breaks("imports.store.JobStore.finish")
def the_rows_of_a_chunk_are_counted_once(desk: Desk) -> Iterator[Sequence[Job]]:
    store, chunk = job(), Chunk(import_id="j", number=1, rows=())
    yield [lambda: store.finish(chunk, Counts(done=3), SOON) for _ in range(2)]
    found = store.get_import("j")
    assert found
    assert found.counts.done == 3


@breaks("imports.store.JobStore.finish 2")
def a_job_that_is_gone_stays_gone(desk: Desk) -> Iterator[Sequence[Job]]:
    store, chunk = JobStore("jobs"), Chunk(import_id="gone", number=1, rows=())
    yield [lambda: store.finish(chunk, Counts(done=3), SOON)]
    assert desk.crossing.dynamodb.items("jobs") == []


@breaks("imports.store.JobStore.finish_page")
def a_page_is_counted_once(desk: Desk) -> Iterator[Sequence[Job]]:
    store, said = job(), []
    store.start_task("j")
    task = store.get_task("j")
    assert task
    page = Page(reports=(), next_position={"at": "1"})
    yield [lambda: said.append(store.finish_page(task, page, SOON)) for _ in range(2)]
    assert sorted(said) == [False, True]


@breaks("imports.store.JobStore._update")
def an_import_is_of_one_file(desk: Desk) -> Iterator[Sequence[Job]]:
    store, said = job(), []
    yield [
        lambda etag=etag: said.append(store.begin("j", etag, SOON))  # type: ignore[misc]
        for etag in ("one", "other")
    ]
    assert sorted(said) == [False, True]


@breaks("realtime.store.FeedStore.write")
def no_change_has_the_number_of_another(desk: Desk) -> Iterator[Sequence[Job]]:
    store = feeds.FeedStore("feed")
    before = store.head() or Head()
    yield from one_wins(*[lambda: store.write(before, before.after(1, SOON), [], SOON)] * 2)


@breaks("realtime.store.FeedStore._rewrite")
def what_one_takes_out_of_the_log_another_does_not_put_back(
    desk: Desk,
) -> Iterator[Sequence[Job]]:
    """Two persons are erased whose calls ended at the same moment."""
    store = feeds.FeedStore("feed")
    before = store.head() or Head()
    log = [
        Entry(kind="call", thing_id=name, seq=seq, present=False, view={"number": name})
        for seq, name in enumerate((NOBODYS, KEY), start=before.seq + 1)
    ]
    store.write(before, before.after(len(log), SOON), log, SOON)

    def without(name: str) -> None:
        def rewritten(entry: Entry) -> Entry | None:
            return None if entry.thing_id == name else entry

        while not all(store.rewrite_log(rewritten)):
            pass

    yield [lambda: without(NOBODYS), lambda: without(KEY)]
    assert list(store.log(before.seq)) == []


# --- Answers, erasure, retention ------------------------------------------------------------------


def an_answer(agent: str) -> Answer:
    return Answer(
        call_id="c",
        answered_at=SOON,
        number=NOBODYS,
        agent=agent,
        campaign=None,
        carrier="tim",
        talk_seconds=3,
    )


def answers(desk: Desk) -> list[str]:
    return [item["agent"]["S"] for item in desk.crossing.dynamodb.items("answers")]


@breaks("voicemail.store.AnswerStore.put")
def what_is_told_late_of_an_answer_changes_nothing(desk: Desk) -> Iterator[Sequence[Job]]:
    store = AnswerStore("answers")
    yield [lambda: store.put(an_answer("old"), 11), lambda: store.put(an_answer("new"), 12)]
    assert answers(desk) == ["new"]


@breaks("voicemail.store.AnswerStore.remove")
def what_is_told_late_removes_no_answer(desk: Desk) -> Iterator[Sequence[Job]]:
    store = AnswerStore("answers")
    yield [lambda: store.remove(an_answer("new"), 11), lambda: store.put(an_answer("new"), 12)]
    assert answers(desk) == ["new"]


@breaks("personal_data.store.PersonalDataStore._save")
def a_request_is_written_as_it_was_seen(desk: Desk) -> Iterator[Sequence[Job]]:
    store = PersonalDataStore("personal-data")
    request = Request(
        request_id="r",
        kind=Kind.ERASURE,
        known_as="4321",
        reason="pedido",
        asked_at=SOON,
        asked_by="leo",
        person=None,
    )
    other = request.model_copy(update={"reason": "outro pedido"})
    yield from one_wins(lambda: store.save(request), lambda: store.save(other))


@breaks("personal_data.store.PersonalDataStore.forget_hold")
def a_hold_placed_anew_is_not_forgotten(desk: Desk) -> Iterator[Sequence[Job]]:
    store = PersonalDataStore("personal-data")
    lifted = store.save_hold(
        HoldOfData(
            number="+5511987654321",
            reason="processo 4",
            placed_at=SOON,
            placed_by="leo",
            lifted_at=SOON,
        )
    )
    anew = lifted.model_copy(update={"lifted_at": None})
    yield from one_wins(lambda: store.forget_hold(lifted), lambda: store.save_hold(anew))


def a_kept_part() -> tuple[RecoveryStore, Any]:
    """As those read it who look through a table."""
    store = RecoveryStore("recoveries")
    store.put(a_miss(), 1)
    return store, bind(PartItem, "recoveries").get(KEY, "m", consistent_read=True)


@breaks("retention.hold")
def to_hold_what_is_gone_does_not_bring_it_back(desk: Desk) -> Iterator[Sequence[Job]]:
    store, item = a_kept_part()
    yield [lambda: hold(item), lambda: store.remove(KEY, "m", 2)]
    assert stored(desk) == []


@breaks("retention.release")
def to_release_what_is_gone_does_not_bring_it_back(desk: Desk) -> Iterator[Sequence[Job]]:
    store, item = a_kept_part()
    yield [lambda: release(item, 1, SOON), lambda: store.remove(KEY, "m", 2)]
    assert stored(desk) == []


# --- All of them ----------------------------------------------------------------------------------

SCENARIOS = [
    *dict.fromkeys(CONTROLS.values()),
    to_rename_a_miss_loses_nothing_of_it,
    who_reached_the_customer_first_won_them_back,
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.__name__)
def test_it_holds(desk: Desk, start: Any, scenario: Scenario) -> None:
    assert wrong(scenario, desk, start) is None


def test_each_condition_has_a_control() -> None:
    assert CONTROLS.keys() == sites().keys()


@pytest.mark.parametrize("name", CONTROLS)
def test_without_the_condition_it_does_not(desk: Desk, start: Any, name: str) -> None:
    with broken(sites()[name]):
        assert wrong(CONTROLS[name], desk, start)


def test_to_look_back_one_call_too_few_does_not(desk: Desk, start: Any) -> None:
    """One that was reached later, though it began before, may still lose what it won."""

    def began_before(part: Part, moment: datetime) -> bool:
        return part.reached_at is not None and part.at < moment

    with patch.object(Part, "ended_all_before", began_before):
        assert wrong(who_reached_the_customer_first_won_them_back, desk, start)
