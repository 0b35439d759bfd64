"""What must be true of the world at rest, whatever happened on the way. Each says what is not."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from retorno.agents.model import State as Presence
from retorno.callbacks.model import AT_REST, contact_id_of, dial_id_of
from retorno.callbacks.model import State as ContactState
from retorno.calls.model import CallRules, derive, facts_of, fold
from retorno.calls.store import CallStore
from retorno.phone import NumberPlan
from retorno.promises.model import CANCELLABLE
from retorno.promises.store import PromiseStore
from retorno.recovery.model import UNREACHED
from retorno.telephony.canonical import _event
from retorno.telephony.ports import CallEvent
from tests.faults.history import LINE, World
from tests.support.quick_dynamodb import Item
from tests.support.reference import verdicts

Law = Callable[[World], Iterator[str]]

# Within which whoever looks after everything each minute has done so.
SEEN_TO_WITHIN = timedelta(minutes=5)

SAO_PAULO = ZoneInfo("America/Sao_Paulo")

# A miss that a person, or the do-not-call list, has closed.
CLOSED = ("dismissed", "blocked")


def items(world: World, table: str) -> list[Item]:
    return world.cloud.items(table)


def told_events(world: World) -> list[CallEvent]:
    return [_event(told, NumberPlan("BR"), world.now) for told in world.told]


def assignments(world: World) -> dict[str, dict[str, Any]]:
    return {
        item["customer_id"]["S"]: {"revision": 0} | json.loads(item["assignment"]["S"])
        for item in items(world, "assignments")
    }


# --- Calls and recovery ---------------------------------------------------------------------------


def a_call_is_the_fold_of_its_events(world: World) -> Iterator[str]:
    """Whatever order, repetition or death: what was told is there, and nothing is undone."""
    store = CallStore("calls")
    for call_id, facts in fold(told_events(world)).items():
        known = store.get(call_id) or {}
        for fact, written in facts.items():
            if known.get(fact) != written and not (fact in known and known[fact] < written):
                yield f"{call_id}: {fact} is {known.get(fact)}, and not {written}"


def each_miss_is_what_the_rules_say(world: World) -> Iterator[str]:
    """A miss is there exactly if the call is missed; who won it back is the earliest who did."""
    store, rules = CallStore("calls"), CallRules()
    calls = [
        derive(item["call_id"]["S"], store.get(item["call_id"]["S"]) or {}, rules)
        for item in items(world, "calls")
    ]
    expected = verdicts(calls, world.now)
    found = {missed.part.call_id: missed.outcome for missed in world.missed_calls()}
    if expected.keys() != found.keys():
        yield f"missed are {sorted(found)}, and not {sorted(expected)}"
    for call_id in expected.keys() & found.keys():
        verdict, outcome = expected[call_id], found[call_id]
        names = [
            name
            for name in ("state", "attempts", "recovered_by", "recovery_seconds", "returned_by")
            if getattr(verdict, name) != getattr(outcome, name)
        ]
        if names and outcome.state not in CLOSED:
            yield f"{call_id}: {', '.join(names)} of {outcome} are not those of {verdict}"


def to_tell_all_again_changes_nothing(world: World) -> Iterator[str]:
    before = {item["call_id"]["S"]: item for item in items(world, "calls")}
    store = CallStore("calls")
    for event in told_events(world):
        store.merge(event.call_id, facts_of(event))
    for item in items(world, "calls"):
        if before.get(item["call_id"]["S"]) != item:
            yield f"{item['call_id']['S']} is another call"


def nothing_is_given_up(world: World) -> Iterator[str]:
    yield from world.cloud.dead_letters


# --- The call list and the dialler ----------------------------------------------------------------


def nobody_is_rung_against_the_rules(world: World) -> Iterator[str]:
    """Nor twice, nor too often, nor at two desks: what the telephone system saw."""
    yield from world.wrongs


def dials_are_counted(world: World) -> Iterator[str]:
    """Each order is one that its contact counts; and attempts are no more than dials."""
    counted = set()
    for contact in world.contacts():
        before = (contact.model_copy(update={"dials": each}) for each in range(contact.dials))
        counted |= {dial_id_of(each) for each in before}
        if contact.attempts > contact.dials:
            yield f"{contact.contact_id} counts {contact.attempts} of {contact.dials} dials"
    yield from (f"{order} is not counted" for order in world.ordered if order not in counted)


def every_contact_ends_or_waits_for_a_time_to_come(world: World) -> Iterator[str]:
    """No lease that is over is left, and nobody due is forgotten."""
    for contact in world.contacts():
        until = {
            ContactState.WAITING: contact.due_at,
            ContactState.DIALLING: contact.leased_until,
        }.get(contact.state)
        if until and until < world.now - SEEN_TO_WITHIN:
            yield f"{contact.list_name} {contact.number}: {contact.state} until {until}"


def every_open_miss_is_on_a_list(world: World) -> Iterator[str]:
    """And none that is won back is."""
    contacts = {each.contact_id: each for each in world.contacts()}
    campaigns = {each.monitored_queue for each in world.campaigns}
    for missed in world.missed_calls():
        part = missed.part
        if part.queue not in campaigns:
            continue
        contact = contacts.get(contact_id_of(part.queue or "", part.number_key))
        waits = (
            contact is not None
            and contact.state in {*AT_REST, ContactState.DO_NOT_CALL}
            and part.call_id in contact.misses
        )
        if waits != (missed.outcome.state in UNREACHED):
            yield f"{part.call_id} is {missed.outcome.state}, and its contact {contact}"


def every_agent_is_free_again(world: World) -> Iterator[str]:
    """Who is still to ring somebody at the end is not."""
    dialling = {each.dial_agent for each in world.contacts() if each.state is ContactState.DIALLING}
    for stored in world.people():
        presence = stored.presence.at(world.now)
        is_free = presence.state is Presence.AVAILABLE
        if not is_free and stored.agent.agent not in dialling:
            yield f"{stored.agent.agent} is {presence.state}"


# --- Offers ---------------------------------------------------------------------------------------


def the_lines_are_as_the_callers(world: World) -> Iterator[str]:
    """Nobody is in a line who has gone, and nobody is missing who waits."""
    known = {
        item["pk"]["S"].removeprefix("call#")
        for item in items(world, "offers")
        if item["pk"]["S"].startswith("call#")
    }
    in_line = {
        item["sk"]["S"].rpartition(" ")[2]
        for item in items(world, "offers")
        if item["pk"]["S"] == f"queue#{LINE}"
    }
    if known != world.waiting or in_line != world.waiting:
        yield f"{known} and {in_line} wait, and not {world.waiting}"


def no_offer_stands_without_a_caller(world: World) -> Iterator[str]:
    for item in items(world, "offers"):
        is_offer = item["pk"]["S"].startswith("offer#")
        if is_offer and item["state"]["S"] in ("offered", "accepted"):
            yield f"{item['pk']['S']} is {item['state']['S']}"


# --- Promises -------------------------------------------------------------------------------------


def every_promise_comes_to_an_end_once(world: World) -> Iterator[str]:
    """It is kept, late, missed or taken back when its time is over; and dialled as its contact."""
    store, contacts = (
        PromiseStore("promises", SAO_PAULO),
        {each.contact_id: each for each in world.contacts()},
    )
    for promise_id in world.promised.values():
        promise = store.get(promise_id)
        if promise is None:
            yield f"{promise_id} is gone"
            continue
        if promise.state in CANCELLABLE and promise.until < world.now - SEEN_TO_WITHIN:
            yield f"{promise_id} is {promise.state} after {promise.until}"
        contact = contacts.get(promise.contact_id or "")
        if promise.dialled_at and (contact is None or not contact.first_dialled_at):
            yield f"{promise_id} was dialled, and its contact was not"
        if promise.state == "cancelled" and contact and contact.state in AT_REST:
            yield f"{promise_id} is cancelled, and still on the list"


# --- Telemarketing --------------------------------------------------------------------------------


def a_history_has_no_gaps(world: World) -> Iterator[str]:
    """Each write of an assignment is in its history, and nothing that was not written."""
    numbers: dict[str, list[int]] = {}
    for item in items(world, "assignment-history"):
        entry = json.loads(item["entry"]["S"])
        numbers.setdefault(entry["customer_id"], []).append(entry["number"])
    for assignment in assignments(world).values():
        found = sorted(numbers.get(assignment["customer_id"], []))
        if found != list(range(1, assignment["revision"] + 1)):
            yield f"{assignment['customer_id']} is at {assignment['revision']} after {found}"


def appointments_are_kept(world: World) -> Iterator[str]:
    """Each whose time has come is due, and was told of."""
    told = {(event["customer_id"], event["schedule"]) for event in world.cloud.events
            if "schedule" in event}  # fmt: skip
    for customer, assignment in assignments(world).items():
        schedule = assignment.get("schedule")
        if not schedule or moment(schedule["at"]) > world.now - SEEN_TO_WITHIN:
            continue
        if not schedule.get("fired_at"):
            yield f"{customer} was to be contacted at {schedule['at']}, and is not due"
        elif (customer, schedule["ordinal"]) not in told:
            yield f"{customer} is due, and nobody was told"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


LAWS: tuple[Law, ...] = (
    nobody_is_rung_against_the_rules,
    nothing_is_given_up,
    a_call_is_the_fold_of_its_events,
    each_miss_is_what_the_rules_say,
    dials_are_counted,
    every_contact_ends_or_waits_for_a_time_to_come,
    every_open_miss_is_on_a_list,
    every_agent_is_free_again,
    the_lines_are_as_the_callers,
    no_offer_stands_without_a_caller,
    every_promise_comes_to_an_end_once,
    a_history_has_no_gaps,
    appointments_are_kept,
    to_tell_all_again_changes_nothing,
)


def broken(world: World) -> list[str]:
    """By law: what is wrong."""
    return [f"{law.__name__}: {wrong}" for law in LAWS for wrong in law(world)]
