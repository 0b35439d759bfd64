"""Whether the product kept its word in the live part, by the record of the exchange."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from local.simulate.switch import Call
from local.simulate.truth import Truth

RESERVED = frozenset({"on_offer", "dialling"})

PROMISE = "promise:"

Contact = dict[str, Any]


def account(calls: Iterable[Call], contacts: Iterable[Contact], truth: Truth) -> None:
    """What the exchange saw, told to the truth; and who is blocked, on which the exchange has its
    own word in `disagreements`.
    """
    for contact in contacts:
        for call_id in contact["misses"] if contact["state"] == "blocked" else ():
            truth.gave_up(call_id)
    for call in calls:
        if call.customer is None or not call.ended_at:
            continue
        if call.answered_by == "human" and call.talked_at:
            if call.came_in:
                truth.came_through(call.customer, call.began, call.talked_at)
            else:
                truth.rang_back(call.call_id, call.customer, call.began, call.talked_at)
        elif call.came_in:
            truth.missed(call.call_id, call.customer, call.ended_at)


def disagreements(
    calls: Sequence[Call],
    contacts: Sequence[Contact],
    operators: Sequence[dict[str, Any]],
    limit_of: Callable[[str], int],
) -> list[str]:
    """A line for each. `limit_of` says how often a contact of a list may be dialled."""
    dialled: defaultdict[str, list[Call]] = defaultdict(list)
    for call in calls:
        # Nobody rang a customer for an operator who did not pick up.
        if not call.came_in and call.reason != "operator_no_answer":
            dialled[call.number].append(call)
    return [
        *_clashes(calls),
        *_reserved(operators),
        *(
            line
            for each in contacts
            for line in _of_contact(each, dialled[each["number"]], limit_of(each["list_name"]))
        ),
        *_not_on_a_list(dialled, contacts),
    ]


def _clashes(calls: Sequence[Call]) -> Iterable[str]:
    for call in calls:
        if call.clashed:
            yield f"{call.call_id}: {call.agent} was in a call already"


def _reserved(operators: Sequence[dict[str, Any]]) -> Iterable[str]:
    for each in operators:
        if each["presence"]["state"] in RESERVED:
            yield f"{each['agent']} is still {each['presence']['state']}"


def _of_contact(contact: Contact, dials: Sequence[Call], limit: int) -> Iterable[str]:
    who = f"contact {contact['contact_id'][:8]} of {contact['list_name']}"
    if len(dials) > limit:
        yield f"{who} was dialled {len(dials)} times, and {limit} is the limit"
    if contact["attempts"] != len(dials):
        yield f"{who} was dialled {len(dials)} times, but the API says {contact['attempts']}"
    state = _state(dials, limit)
    # What else becomes of a promise that was not kept is its own.
    is_told = not contact["list_name"].startswith(PROMISE) or state == "reached"
    if contact["state"] != state and is_told:
        yield f"{who} is {state}, but the API says {contact['state']}"


def _state(dials: Sequence[Call], limit: int) -> str:
    if any(call.answered_by == "human" for call in dials):
        return "reached"
    return "blocked" if len(dials) >= limit else "waiting"


def _not_on_a_list(
    dialled: Mapping[str, Sequence[Call]], contacts: Sequence[Contact]
) -> Iterable[str]:
    listed = {contact["number"] for contact in contacts}
    for number, calls in dialled.items():
        if number not in listed:
            yield f"{calls[0].call_id} was placed to somebody on no list"
