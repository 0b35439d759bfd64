"""What must be true of the world at rest, whatever happened on the way. Each says what is not."""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import boto3

from retorno.agents.model import State as Presence
from retorno.callbacks.model import AT_REST, contact_id_of, dial_id_of
from retorno.callbacks.model import State as ContactState
from retorno.callbacks.service import pace_of
from retorno.calls.model import CallRules, agent_of, derive, fold, number_key_of, started_at
from retorno.calls.store import CallStore
from retorno.changes import Change, Kind
from retorno.phone import NumberPlan
from retorno.promises.model import CANCELLABLE
from retorno.promises.store import PromiseStore
from retorno.realtime.model import Key
from retorno.realtime.store import FeedStore
from retorno.recovery.model import UNREACHED
from retorno.recovery.model import State as MissState
from retorno.telephony.canonical import _event
from retorno.telephony.ports import CallEvent
from retorno.times import stamp
from tests.faults.history import LINE, World
from tests.support.deployment import CONTEXT
from tests.support.events import sqs
from tests.support.functions import handler_of
from tests.support.quick_dynamodb import Item
from tests.support.reference import verdicts
from tests.support.simulated_cloud import COUNTING
from tests.support.webhooks import canonical

Law = Callable[[World], Iterator[str]]

# Within which whoever looks after everything each minute has done so.
SEEN_TO_WITHIN = timedelta(minutes=5)

SAO_PAULO = ZoneInfo("America/Sao_Paulo")

# Long due.
FIRST = "2026-03-02T12:00:00.000000Z"

# What all else follows from, and the keys of it.
STAYING = {
    "calls": ("call_id",),
    "recoveries": ("number_key", "call_id"),
    "contacts": ("contact_id",),
    "promises": ("promise_id",),
    "assignments": ("campaign_id", "customer_id"),
    "assignment-history": ("contact", "number"),
    "operations": ("contact", "entry"),
    "offers": ("pk", "sk"),
    "agents": ("pk", "sk"),
}
AT = re.compile(r'"at": "[^"]*"')
UNTOLD = frozenset({"revision", "call_revision"})

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


def a_call_is_listed_as_what_it_is(world: World) -> Iterator[str]:
    """What the indexes go by is what its facts say."""
    for item in items(world, "calls"):
        facts = CallStore("calls").get(item["call_id"]["S"]) or {}
        began = started_at(facts)
        listed = {
            "started_at": stamp(began) if began else None,
            "number_key": number_key_of(facts),
            "agent": agent_of(facts),
        }
        for name, value in listed.items():
            found = item.get(name, {}).get("S")
            if found != value:
                yield f"{item['call_id']['S']}: {name} is {found}, and not {value}"


def nothing_is_given_up(world: World) -> Iterator[str]:
    yield from world.cloud.dead_letters


# --- The call list and the dialler ----------------------------------------------------------------


def nobody_is_rung_against_the_rules(world: World) -> Iterator[str]:
    """Nor twice, nor too often, nor at two desks: what the telephone system saw."""
    yield from world.wrongs


def dials_are_counted(world: World) -> Iterator[str]:
    """Each order is one that its contact counts; and attempts are no more than dials, nor than
    allowed."""
    campaigns = {each.campaign_id: each for each in world.campaigns}
    counted = set()
    for contact in world.contacts():
        before = (contact.model_copy(update={"dials": each}) for each in range(contact.dials))
        counted |= {dial_id_of(each) for each in before}
        if contact.attempts > contact.dials:
            yield f"{contact.contact_id} counts {contact.attempts} of {contact.dials} dials"
        if contact.attempts > (limit := contact.limit(pace_of(contact, campaigns))):
            yield f"{contact.contact_id} counts {contact.attempts} attempts of {limit}"
    yield from (f"{order} is not counted" for order in world.ordered if order not in counted)


def every_contact_ends_or_waits_for_a_time_to_come(world: World) -> Iterator[str]:
    """No lease that is over is left, and nobody due is forgotten."""
    for contact in world.contacts():
        until = {
            ContactState.WAITING: contact.due_at,
            ContactState.DIALLING: contact.leased_until,
            ContactState.BLOCKED: contact.leased_until,
        }.get(contact.state)
        if until and until < world.now - SEEN_TO_WITHIN:
            yield f"{contact.list_name} {contact.number}: {contact.state} until {until}"


def every_open_miss_is_on_a_list(world: World) -> Iterator[str]:
    """And none that is won back is; the one is blocked where the other is."""
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
        is_blocked = waits and contact is not None and contact.state is ContactState.BLOCKED
        if is_blocked != (missed.outcome.state is MissState.BLOCKED):
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


# --- All of it ------------------------------------------------------------------------------------

# What the dashboard counts: by table what it is of, and its key attributes.
COUNTED = {
    "calls": (Kind.CALL, ("call_id",)),
    "recoveries": (Kind.MISSED_CALL, ("number_key", "call_id")),
    "agents": (Kind.STRETCH, ("pk", "sk")),
    "offers": (Kind.OFFER, ("pk", "sk")),
    "contacts": (Kind.CONTACT, ("contact_id",)),
    "promises": (Kind.PROMISE, ("promise_id",)),
}
MESSAGES_AT_ONCE = 100


def rows(world: World) -> dict[tuple[str, str], dict[str, str]]:
    """The counters of each row that are not zero."""
    found = {
        (item["scope"]["S"], item["cell"]["S"]): {
            name: value["N"] for name, value in item.items() if value.get("N", "0") != "0"
        }
        for item in items(world, "counters")
        if not item["scope"]["S"].startswith("ledger#")
    }
    return {place: row for place, row in found.items() if row}


def the_counters_are_as_recounted(world: World) -> Iterator[str]:
    """What was counted on the way is what is counted now, of everything and once."""
    counted = rows(world)
    empty(world, "counters", "scope", "cell")
    for name in ("assignments", "operations"):
        records = [{"dynamodb": {"NewImage": item}} for item in items(world, name)]
        handler_of("CountOperations")({"Records": records}, CONTEXT)
    look_at_all(world, "AggregateMetrics", COUNTED)
    recounted = rows(world)
    for place in sorted(counted.keys() | recounted.keys()):
        found, expected = counted.get(place, {}), recounted.get(place, {})
        for name in sorted(found.keys() | expected.keys()):
            if found.get(name) != expected.get(name):
                yield f"{place}: {name} is {found.get(name)}, and not {expected.get(name)}"


# What is seen live: by table what it is of, and its key attributes.
SEEN = {
    "calls": (Kind.CALL, ("call_id",)),
    "recoveries": (Kind.MISSED_CALL, ("number_key", "call_id")),
    "agents": (Kind.AGENT, ("pk", "sk")),
    "offers": (Kind.OFFER, ("pk", "sk")),
    "promises": (Kind.PROMISE, ("promise_id",)),
    "assignments": (Kind.ASSIGNMENT, ("campaign_id", "customer_id")),
}


def what_is_seen_live_is_what_is_there(world: World) -> Iterator[str]:
    """Who comes now is shown what one who looked at everything now would see."""
    shown = there()
    empty(world, "feed", "pk", "sk")
    look_at_all(world, "PublishUpdates", SEEN)
    for thing, view in there().items():
        if (seen := shown.pop(thing, "nothing")) != view:
            yield f"{thing} is seen as {seen}, and not as {view}"
    yield from (f"{thing} is seen, and is not there" for thing in shown)


def there() -> dict[Key, Any]:
    """But for agents, of whom is shown what they were, and until when."""
    return {
        entry.key: None if entry.kind == Kind.AGENT else entry.view
        for entry in FeedStore("feed").present()
    }


def empty(world: World, table: str, *names: str) -> None:
    """`names` are those of its key."""
    dynamodb: Any = boto3.client("dynamodb")
    for item in items(world, table):
        dynamodb.delete_item(TableName=table, Key={name: item[name] for name in names})


def look_at_all(
    world: World, function: str, kinds: Mapping[str, tuple[Kind, tuple[str, ...]]]
) -> None:
    """Has a function look at all items of some tables."""
    messages = [
        json.dumps({**Change(kind, {name: item[name]["S"] for name in keys}).message, "at": FIRST})
        for name, (kind, keys) in kinds.items()
        for item in items(world, name)
    ]
    for first in range(0, len(messages), MESSAGES_AT_ONCE):
        event = sqs(*messages[first : first + MESSAGES_AT_ONCE])
        handler_of(function)(event, CONTEXT)


def to_bring_all_again_changes_nothing(world: World) -> Iterator[str]:
    """All events that were told, and all that streams and queues brought."""
    before = {table: kept(world, table) for table in STAYING}
    for told in world.told:
        handler_of("IngestCalls")(dict(canonical(world.now, told)), CONTEXT)
    for function, event in brought(world):
        handler_of(function)(dict(event), CONTEXT)
    for table, known in before.items():
        found = kept(world, table)
        for key in known.keys() | found.keys():
            one, other = known.get(key, {}), found.get(key, {})
            for name in sorted(one.keys() | other.keys()):
                if one.get(name) != other.get(name):
                    yield f"{table} {key}: {name} was {one.get(name)}, and is {other.get(name)}"


def brought(world: World) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Without who counts; and of the messages that only say when to look, which are many, one."""
    seen = set()
    for function, event in world.cloud.brought:
        if function in COUNTING:
            continue
        bodies = [record.get("body") for record in event["Records"]]
        said = AT.sub("", f"{function} {bodies}")
        if None in bodies or said not in seen:
            yield function, event
        seen.add(said)


def kept(world: World, table: str) -> dict[tuple[str, ...], Item]:
    """By key, without what only counts writes."""
    names = STAYING[table]
    return {
        tuple(item[name]["S"] for name in names): {
            name: value for name, value in item.items() if name not in UNTOLD
        }
        for item in items(world, table)
    }


LAWS: tuple[Law, ...] = (
    nobody_is_rung_against_the_rules,
    nothing_is_given_up,
    a_call_is_the_fold_of_its_events,
    a_call_is_listed_as_what_it_is,
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
    the_counters_are_as_recounted,
    what_is_seen_live_is_what_is_there,
    # These write: they come last.
    to_bring_all_again_changes_nothing,
)


def broken(world: World, names: Collection[str] | None = None) -> list[str]:
    """By law: what is wrong. None asks all of them."""
    asked = [law for law in LAWS if names is None or law.__name__ in names]
    return [f"{law.__name__}: {wrong}" for law in asked for wrong in law(world)]
