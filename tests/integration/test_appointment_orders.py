"""Appointments and calls of operations in every order in which requests may come, and may die."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import pytest
from botocore.client import BaseClient

from retorno.agents.service import Agents
from retorno.callback_campaigns.service import Campaigns
from retorno.callbacks.model import Contact, State, contact_id_of
from retorno.callbacks.service import CallList, Contacts
from retorno.callbacks.store import ContactStore
from retorno.calls.model import CallRules, facts_of
from retorno.calls.service import CallReader
from retorno.calls.store import CallStore
from retorno.changes import Onlookers
from retorno.customers.model import Customer
from retorno.customers.service import CustomerDirectory
from retorno.errors import RetornoError
from retorno.events import EventBus
from retorno.phone import NumberPlan
from retorno.recovery.service import Matching, MissedCalls
from retorno.schedules import Schedules
from retorno.telemarketing.appointments.model import Appointment
from retorno.telemarketing.appointments.service import Firing, Following
from retorno.telemarketing.assignments.model import Assignment, What, Worker
from retorno.telemarketing.assignments.store import AssignmentStore
from retorno.telemarketing.operations.calls import CallTracking
from retorno.telemarketing.operations.model import Edit, Operation, edited
from retorno.telemarketing.operations.store import OperationStore
from retorno.telephony.ports import AnsweredBy, CallEvent, Direction, Stage
from retorno.work import WorkQueue
from tests.support.appointments import CAMPAIGN, LEADER, TEAM, ZONE, Desk
from tests.support.quick_dynamodb import Item, QuickDynamoDB
from tests.support.stream import Record
from tests.support.turns import Job, Table, every_order

NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
AT = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ANA, BIA = (Worker(agent, frozenset({TEAM})) for agent in ("ana", "bia"))
MARIA = Customer(customer_id="maria", name="Maria", mobile="+5511987654321")
TABLES = {
    "AssignmentsTable": "assignments",
    "AssignmentHistoryTable": "history",
    "SetupTable": "setup",
    "OperationsTable": "operations",
    "ContactsTable": "contacts",
    "CallsTable": "calls",
}


class Killed(BaseException):
    """Lambda ends the function: nothing in it catches that."""


class World:
    """Services on tables in memory; each request gives way to others, and may be the last."""

    def __init__(self) -> None:
        self.table = Table()
        self.dies_after: int | None = None
        self._dynamodb = QuickDynamoDB(TABLES, self._told)
        agents = SimpleNamespace(one=self._agent)
        directory = SimpleNamespace(some=lambda ids: {MARIA.customer_id: MARIA})
        self.desk = Desk(TABLES, cast(CustomerDirectory, directory), cast(Agents, agents))
        self.contacts = ContactStore("contacts")
        work, misses = WorkQueue("url"), cast(Matching, None)
        calls = CallList(
            self.contacts,
            Contacts(self.contacts, work, misses),
            cast(Campaigns, None),
            cast(MissedCalls, None),
            NumberPlan("BR"),
        )
        self.firing = Firing(self.desk.assignments, cast(Agents, agents))
        self.following = Following(
            self.desk.assignments,
            Schedules("appointments", "queue", "role", "dead"),
            calls,
            self.desk.setup,
            cast(CustomerDirectory, directory),
            EventBus("bus"),
            Onlookers([]),
            ZONE,
        )
        self.rules = CallRules()
        self.calls = CallStore("calls")
        self.tracking = CallTracking(
            OperationStore("operations"), CallReader(self.calls, self.rules), self.rules
        )

    def begin(self) -> None:
        """Maria is Ana's customer, and to be contacted at a time."""
        self._dynamodb = QuickDynamoDB(TABLES, self._told)
        self.records: dict[str, list[Record]] = {name: [] for name in TABLES.values()}
        self.schedules: set[str] = set()
        self.events: list[str] = []
        self.requests = 0
        self.desk.set_up()
        self.desk.link(MARIA.customer_id, None, NOW)
        self.desk.planning.transfer(CAMPAIGN, MARIA.customer_id, "ana", LEADER, NOW)
        self.desk.schedule(MARIA.customer_id, AT, NOW)

    def _agent(self, agent: str) -> Any:
        self.table.give_way()
        presence = SimpleNamespace(since=NOW, at=lambda now: SimpleNamespace(state="available"))
        return SimpleNamespace(presence=presence, agent=SimpleNamespace(queues=(TEAM,)))

    def _told(self, table: str, key: Item, old: Item | None, new: Item | None) -> None:
        images = {"OldImage": old, "NewImage": new}
        told = {name: image for name, image in images.items() if image}
        self.records[table].append({"dynamodb": {"Keys": key, **told}})

    def request(self, operation: str, asked: Mapping[str, Any]) -> Any:
        self.table.give_way()
        self.requests += 1
        if self.dies_after == self.requests - 1:
            raise Killed
        match operation:
            case "CreateSchedule":
                self.schedules.add(asked["Name"])
            case "DeleteSchedule":
                self.schedules.discard(asked["Name"])
            case "PutEvents":
                details = [json.loads(entry["Detail"]) for entry in asked["Entries"]]
                self.events += [detail["event_id"] for detail in details]
            case "SendMessage":
                pass
            case _:
                return self._dynamodb(operation, asked)
        return {"FailedEntryCount": 0}

    def dies_in(self, job: Job, requests: int) -> bool:
        """Whether a job was ended after so many of its requests, and not done by then."""
        self.dies_after = self.requests + requests
        try:
            job()
        except Killed:
            return True
        finally:
            self.dies_after = None
        return False

    # --- What is done ---------------------------------------------------------------------------

    @property
    def maria(self) -> Assignment | None:
        return self.desk.store.get(CAMPAIGN, MARIA.customer_id)

    @property
    def operation(self) -> Operation:
        return self.desk.operations.one(f"{CAMPAIGN}.{MARIA.customer_id}.1")

    def fire(self) -> None:
        self.firing.fire(Appointment(CAMPAIGN, MARIA.customer_id, 1), AT)

    def follow(self, records: Sequence[Record]) -> None:
        for record in records:
            self.following.follow(record, AT)

    def follow_all(self) -> None:
        self.follow(self.records["assignments"])

    def reschedule(self) -> None:
        self.desk.schedule(MARIA.customer_id, AT + 60 * MINUTE, AT)

    def delete(self) -> None:
        self.desk.planning.delete_schedule(CAMPAIGN, MARIA.customer_id, LEADER, AT)

    def unlink(self) -> None:
        self.desk.linking.unlink(CAMPAIGN, MARIA.customer_id, "leo", AT)

    def transfer(self) -> None:
        self.desk.planning.transfer(CAMPAIGN, MARIA.customer_id, "bia", LEADER, AT)

    def open(self) -> None:
        self.desk.operations.open(CAMPAIGN, MARIA.customer_id, ANA, AT)

    def conclude(self) -> None:
        operation = f"{CAMPAIGN}.{MARIA.customer_id}.1"
        self.desk.operations.conclude(operation, "sem_interesse", None, ANA, AT)

    # --- What must be true ----------------------------------------------------------------------

    def faults(self) -> list[str]:
        """Of the end, once all is told."""
        found = self.maria
        assert found
        faults = []
        entries = self.desk.assignments.history(CAMPAIGN, MARIA.customer_id, 50, None).entries
        if [entry.number for entry in entries] != list(range(found.revision, 0, -1)):
            faults.append("the history has gaps")
        if len(self.records["assignments"]) != found.revision:
            faults.append("a write is lost")
        if [entry.what for entry in entries].count(What.DUE) > 1:
            faults.append("it was due twice")
        schedule = found.schedule
        appointment = schedule and Appointment.of(found, schedule)
        made = {appointment.schedule_name} if appointment and not found.due else set()
        if self.schedules - made or made - self.schedules:
            faults.append(f"schedules {self.schedules}, and not {made}")
        if found.due and appointment and appointment.digest not in self.events:
            faults.append("nobody was told")
        if len(set(self.events)) > 1:
            faults.append("one appointment has several events")
        for ordinal in (1, 2):
            contact = self.contact(ordinal)
            waits = contact is not None and contact.state is State.WAITING
            is_current = found.due and schedule is not None and schedule.ordinal == ordinal
            if waits and not (is_current and found.held_by(AT) is None):
                faults.append(f"the call list has appointment {ordinal}")
            if contact and waits and contact.agent != found.shown_to:
                faults.append("another agent is to ring")
        return faults

    def contact(self, ordinal: int) -> Contact | None:
        name = Appointment(CAMPAIGN, MARIA.customer_id, ordinal).list_name
        return self.contacts.get(contact_id_of(name, ""))


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    made: list[World] = []

    def requested(client: BaseClient, operation: str, asked: Mapping[str, Any]) -> Any:
        return made[0].request(operation, asked)

    with (
        patch.object(BaseClient, "_make_api_call", requested),
        patch("retorno.telemarketing.appointments.service.count"),
    ):
        made.append(World())
        yield made[0]


def trying(job: Callable[[], object]) -> Job:
    """A refusal is an answer: what counts is what is true afterwards."""

    def tried() -> None:
        with suppress(RetornoError):
            job()

    return tried


def faults_of(world: World, make: Callable[[], Sequence[Job]]) -> list[str]:
    """What is wrong at the end of any order."""
    found = []
    for turns in every_order(world.table, make):
        world.follow_all()
        found += [f"{turns}: {fault}" for fault in world.faults()]
    return found


LEAVING = ["reschedule", "delete", "unlink", "transfer", "open", "fire"]


@pytest.mark.parametrize("other", LEAVING)
def test_fires_while_something_else_is_done(world: World, other: str) -> None:
    def jobs() -> list[Job]:
        world.begin()
        return [world.fire, trying(getattr(world, other))]

    assert faults_of(world, jobs) == []


@pytest.mark.parametrize("first", ["fire", "reschedule", "delete"])
def test_an_operation_ends_while_something_else_is_done(world: World, first: str) -> None:
    def jobs() -> list[Job]:
        world.begin()
        world.open()
        return [trying(getattr(world, first)), trying(world.conclude)]

    assert faults_of(world, jobs) == []


@pytest.mark.parametrize("other", LEAVING)
def test_is_seen_to_while_something_else_is_done(world: World, other: str) -> None:
    def jobs() -> list[Job]:
        world.begin()
        world.fire()
        told = list(world.records["assignments"])
        return [lambda: world.follow(told), trying(getattr(world, other))]

    # What is told before the change is told in its order, and each of it again.
    assert faults_of(world, jobs) == []


@pytest.mark.parametrize("is_done_first", [False, True])
@pytest.mark.parametrize("other", LEAVING)
def test_whoever_sees_to_it_may_die_at_any_request(
    world: World, other: str, is_done_first: bool
) -> None:
    for requests in range(100):
        world.begin()
        world.fire()
        do_other = trying(getattr(world, other))
        if is_done_first:
            do_other()
        has_died = world.dies_in(world.follow_all, requests)
        if not is_done_first:
            do_other()
        world.follow_all()
        assert world.faults() == []
        if not has_died:
            assert requests > 1
            return
    pytest.fail("it goes on and on")


def test_these_tests_see_what_is_written_without_a_look(world: World) -> None:
    writing = AssignmentStore.writing

    def blindly(store: AssignmentStore, after: Assignment) -> Any:
        write = writing(store, after)
        return type(write)(write.item)

    def jobs() -> list[Job]:
        world.begin()
        return [world.fire, trying(world.delete)]

    with patch.object(AssignmentStore, "writing", blindly):
        assert faults_of(world, jobs) != []


def test_these_tests_see_who_is_not_called_off(world: World) -> None:
    def jobs() -> list[Job]:
        world.begin()
        world.fire()
        told = list(world.records["assignments"])
        return [lambda: world.follow(told), trying(world.open)]

    with patch.object(CallList, "call_off"):
        assert faults_of(world, jobs) != []


# --- Calls of operations --------------------------------------------------------------------------


def told(stage: Stage, seconds: float, answered_by: AnsweredBy | None = None) -> CallEvent:
    return CallEvent(
        call_id="c1",
        provider="canonical",
        occurred_at=AT + timedelta(seconds=seconds),
        stage=stage,
        direction=Direction.OUTBOUND_MANUAL,
        number=MARIA.mobile,
        answered_by=answered_by,
    )


ANSWERED = told(Stage.ANSWERED, 10)
ENDED = told(Stage.COMPLETED, 130)
DETECTED = told(Stage.ANSWERED, 11, AnsweredBy.VOICEMAIL)


def calling(
    world: World, tracking: CallTracking, before: Sequence[CallEvent], event: CallEvent
) -> Callable[[], list[Job]]:
    """A call is linked to an operation as something is told of it."""
    store = OperationStore("operations")

    def tell() -> None:
        begun = len(world.records["calls"])
        world.calls.merge("c1", facts_of(event))
        for record in world.records["calls"][begun:]:
            tracking.follow(record)

    def jobs() -> list[Job]:
        world.begin()
        world.open()
        for each in before:
            world.calls.merge("c1", facts_of(each))
        operation, assignment = world.operation, world.maria
        step = assignment and edited(operation, assignment, Edit(call_id="c1"), None, AT)
        assert step

        def link() -> None:
            writes = [store.writing(step.operation), store.linking("c1", step.operation)]
            world.desk.assignments.write(step.change, writes)
            tracking.track("c1")

        return [link, tell]

    return jobs


def wrong_about_the_call(
    world: World, jobs: Callable[[], list[Job]], answered_by: AnsweredBy
) -> list[str]:
    found = []
    for turns in every_order(world.table, jobs):
        operation = world.operation
        known = (operation.answered_at, operation.answered_by, operation.talk_seconds)
        if known != (ANSWERED.occurred_at, answered_by, 120):
            found.append(f"{turns}: {known}")
    return found


def test_a_call_is_linked_while_it_ends(world: World) -> None:
    jobs = calling(world, world.tracking, [ANSWERED], ENDED)
    assert wrong_about_the_call(world, jobs, AnsweredBy.HUMAN) == []


def test_a_call_is_linked_while_it_turns_out_who_answered(world: World) -> None:
    jobs = calling(world, world.tracking, [ANSWERED, ENDED], DETECTED)
    assert wrong_about_the_call(world, jobs, AnsweredBy.VOICEMAIL) == []


def test_these_tests_see_a_link_that_nobody_looks_at(world: World) -> None:
    class Hasty(CallTracking):
        def track(self, call_id: str) -> None:
            pass

    hasty = Hasty(OperationStore("operations"), CallReader(world.calls, CallRules()), CallRules())
    hasty.follow = world.tracking.follow  # type: ignore[method-assign]
    jobs = calling(world, hasty, [ANSWERED], ENDED)
    assert wrong_about_the_call(world, jobs, AnsweredBy.HUMAN) != []
