"""Handlers that write the same tables, two at a time, in every order that makes a difference."""

import os
from typing import Any

import pytest

from tests.faults.conditions import broken, sites
from tests.faults.crossing import Crossing
from tests.faults.steps import NAMES, Desk, steps
from tests.support.functions import functions

# Without anybody's wish, so many orders of each pair, and a fourth of the pairs.
ALL = bool(os.environ.get("FAULT_SEEDS"))
MOST_ORDERS = None if ALL else 20
SHARE = 1 if ALL else 4
MOST_OF_LONG_ONES = 200

WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem"})

# Functions that write and are in no pair here, and where what they cross with is tried instead.
ELSEWHERE = {
    "StoreDeferredCalls": "merges events as IngestCalls does, with the same one request",
    "IngestConnectContacts": "merges events as IngestCalls does",
    "ReplayPayloads": "merges events and messages as those who took them the first time",
    "ReconcileZenvia": "merges events as IngestCalls does",
    "ReviewVoicemail": "amends calls as AnnotateCalls does",
    "CallCustomers": "places calls as PlaceCalls does, and links them as RunOperations does",
    "ServeMenus": "asks for calls, and forbids them, as those who are asked for it over HTTP",
    "IngestMessages": "tests/integration/test_messages_at_random.py",
    "SendMessages": "tests/integration/test_messages_at_random.py",
    "RetryMessages": "tests/integration/test_messages_at_random.py",
    "FollowDoNotCall": "follows each number that is forbidden here",
    "ManageDispositions": "puts whole items, and the last one counts",
    "ReportVoicemail": "writes a report anew, and nobody else does",
    "ImportCustomers": "writes customers as ManageCustomers does; its page of a job is its own",
    "ManageCustomerFiles": "begins jobs, each with an id of its own",
    "SplitImports": "tests/integration/test_customer_import.py",
    "ExportCustomers": "tests/integration/test_customer_import.py",
    "ManageTelemarketingFiles": "begins jobs, each with an id of its own",
    "ImportTelemarketing": "tests/integration/test_telemarketing_files.py",
    "RunTelemarketingJobs": "tests/integration/test_telemarketing_files.py",
    "ExportTelemarketing": "tests/integration/test_telemarketing_files.py",
    "ManagePersonalData": "tests/integration/test_personal_data.py",
    "FulfilPersonalData": "tests/integration/test_personal_data.py",
    "AnswerOffers": "tests/integration/test_offers_at_random.py, and the histories here",
    "ManageOutcomes": "tests/integration/test_telemarketing_setup.py",
    "ManageWorklistFilters": "tests/integration/test_telemarketing_setup.py",
    "CountOperations": "tests/stack/test_races.py, on a DynamoDB that is atomic",
    "AggregateMetrics": "tests/stack/test_races.py, on a DynamoDB that is atomic",
    "ManageMenus": "tests/integration/test_menus.py",
    "WatchWaits": "tests/integration/test_waits_at_random.py",
    "PublishUpdates": "tests/integration/test_live_orders.py",
    "PushUpdates": "tests/integration/test_live_orders.py",
}


# Said twice by one person at one moment, it is one wish, and both are told that it is done.
SAME = frozenset({"a waiting limit is set"})

# Two handlers that go wrong together where the condition of a site is broken.
CONTROLS = {
    "customers.store.CustomerStore.delete": ("a customer is deleted", "a customer is deleted"),
    "promises.store.PromiseStore.save": ("a promise is moved", "a promise is due"),
    "quotes.store.QuoteStore.save": ("a quote is won", "a quote is lost"),
    "telemarketing.assignments.store.AssignmentStore.writing": (
        "a customer is given",
        "an appointment is moved",
    ),
    "telemarketing.setup.store.SetupStore.save": ("a campaign is changed", "a campaign is changed"),
    "agents.store.AgentStore._saving": ("the list is dialled", "a waiting call is looked at"),
    "customers.store.CustomerStore._writes": ("a customer is changed", "a customer is changed"),
    "offers.store.OfferStore.save": ("a waiting call is looked at", "a waiting call is looked at"),
}


def differences(desk: Desk, start: Any, one: str, other: str, most: int | None) -> list[str]:
    made: Crossing = desk.crossing
    known = steps(desk)
    return list(made.differences([known[one], known[other]], start, most))


def writers() -> set[str]:
    """The functions that may write a table, as the template says."""
    return {
        name
        for name, properties in functions().items()
        for policy in properties.get("Policies", ())
        for statement in policy["Statement"]
        if WRITES & {each.partition(":")[2] for each in actions(statement)}
    }


def actions(statement: dict[str, Any]) -> list[str]:
    asked = statement.get("Action", [])
    return [asked] if isinstance(asked, str) else asked


def test_each_function_that_writes_is_crossed_with_the_others(desk: Desk) -> None:
    crossed = {step.function for step in steps(desk).values()}
    assert writers() - crossed == ELSEWHERE.keys() & writers()
    assert ELSEWHERE.keys() <= writers() - crossed


@pytest.mark.parametrize("one", NAMES)
def test_two_at_once_are_as_one_after_the_other(desk: Desk, start: Any, one: str) -> None:
    number = NAMES.index(one)
    others = NAMES[number + (one in SAME) :: 1 if ALL else SHARE]
    wrong = {
        other: found
        for other in others
        if (found := differences(desk, start, one, other, MOST_ORDERS or MOST_OF_LONG_ONES))
    }
    told = [f"1: {one}\n2: {other}\n{found[0]}" for other, found in wrong.items()]
    if told:
        pytest.fail("\n\n".join(told), pytrace=False)


@pytest.mark.parametrize("name", CONTROLS)
def test_a_broken_condition_is_seen(desk: Desk, start: Any, name: str) -> None:
    """Or the crossings would prove nothing. All of the conditions: test_conditions.py."""
    one, other = CONTROLS[name]
    with broken(sites()[name]):
        found = desk.crossing.differences(
            [steps(desk)[one], steps(desk)[other]], start, MOST_OF_LONG_ONES
        )
        order = next(found).splitlines()
    assert {line[:2] for line in order if line[0] in "12"} == {"1 ", "2 "}
    assert any(line.startswith("refused: ") for line in order)
