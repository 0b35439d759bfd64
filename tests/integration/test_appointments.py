"""Appointments on moto: their schedules, and what follows as they fire."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient

from retorno.agents.service import Agents
from retorno.agents.store import AgentStore
from retorno.callbacks.model import Contact, State, contact_id_of
from retorno.callbacks.store import ContactStore
from retorno.customers.service import CustomerDirectory
from retorno.customers.store import CustomerStore
from retorno.phone import NumberPlan
from retorno.telemarketing.appointments.model import Appointment
from retorno.telemarketing.assignments.model import Assignment, What, Worker
from tests.support.appointments import CAMPAIGN, LEADER, Desk
from tests.support.clock import StoppedClock
from tests.support.deployment import APPOINTMENTS, EVENT_BUS, Deployment
from tests.support.events import http, sqs, user
from tests.support.requests import counted
from tests.support.stream import Stream

# A Monday in São Paulo, 9:30.
NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
AT = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MOBILE, PHONE = "+5511987654321", "+551133334444"
ANA = Worker("ana", frozenset({"vendas"}))


class Office:
    """A campaign and its team, and all that keeps its appointments."""

    def __init__(self, deployment: Deployment, clock: StoppedClock) -> None:
        self.deployment = deployment
        self.clock = clock
        self.events: list[dict[str, Any]] = []
        tables = deployment.tables
        directory = CustomerDirectory(CustomerStore(tables["CustomersTable"]))
        agents = Agents(AgentStore(tables["AgentsTable"]), NumberPlan("BR"))
        self.desk = Desk(tables, directory, agents)
        self._contacts = ContactStore(tables["ContactsTable"])
        self._changes = Stream(tables["AssignmentsTable"])

    def ask(self, function: str, route: str, path: str, **body: Any) -> Any:
        seen = {"if-match": "*"} if route.startswith("DELETE") else {}
        event = http(
            route,
            path=path,
            headers={"content-type": "application/json", **seen},
            body=json.dumps(body).encode(),
            claims=user("[supervisor]", "leo"),
        )
        answer = self.deployment.ask(function, event)
        assert 200 <= answer.status < 300, answer.body
        return answer.body

    def is_now(self, agent: str, state: str, **fields: str) -> None:
        route = "PUT /agents/{agent}/presence"
        self.ask("ManageAgents", route, f"/agents/{agent}/presence", state=state, **fields)

    def customer(self, agent: str | None = "ana", **fields: Any) -> str:
        made = self.ask("ManageCustomers", "POST /customers", "/customers", name="Maria", **fields)
        customer_id: str = made["customer_id"]
        self.desk.link(customer_id, agent, NOW)
        return customer_id

    def schedule(self, customer_id: str, at: datetime = AT, **fields: Any) -> Assignment:
        assignment = self.desk.schedule(customer_id, at, self.clock.now, **fields)
        self.follow()
        return assignment

    def follow(self) -> None:
        """Has whoever follows the assignments told of what changed."""
        if records := self._changes.new_records():
            answer = self.deployment.call("FollowAssignments", {"Records": records})
            assert answer == {"batchItemFailures": []}

    def fire(self, assignment: Assignment) -> None:
        """As its schedule does at its time."""
        assert assignment.schedule
        self.clock.now = max(self.clock.now, assignment.schedule.at)
        body = json.dumps(Appointment.of(assignment, assignment.schedule).message)
        assert self.deployment.call("KeepAppointments", sqs(body)) == {"batchItemFailures": []}
        self.follow()

    def check(self) -> None:
        self.deployment.call("KeepAppointments", {"source": "aws.scheduler"})
        self.follow()

    def due(self, customer_id: str, **fields: Any) -> Assignment:
        """A customer whose time has come."""
        self.fire(self.schedule(customer_id, **fields))
        return self.desk.one(customer_id)

    def contact(self, customer_id: str) -> Contact | None:
        name = Appointment(CAMPAIGN, customer_id, 1).list_name
        return self._contacts.get(contact_id_of(name, ""))


@pytest.fixture
def office(deployment: Deployment, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch) -> Office:
    clock.now = NOW
    office = Office(deployment, clock)
    office.desk.set_up(caller_id="+551140000000")
    office.ask("ManageAgents", "PUT /agents/{agent}", "/agents/ana", name="Ana", queues=["vendas"])
    office.is_now("ana", "available")
    make_api_call = BaseClient._make_api_call  # type: ignore[attr-defined]

    def telling(client: BaseClient, operation: str, parameters: Any) -> Any:
        if operation == "PutEvents":
            (entry,) = parameters["Entries"]
            assert (entry["EventBusName"], entry["Source"]) == (EVENT_BUS, "retorno")
            office.events.append({"type": entry["DetailType"], **json.loads(entry["Detail"])})
        return make_api_call(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", telling)
    return office


@pytest.fixture
def maria(office: Office) -> str:
    """Ana's customer."""
    return office.customer(mobile=MOBILE, phone=PHONE)


def schedules() -> dict[str, dict[str, Any]]:
    client = boto3.client("scheduler")
    found = client.list_schedules(GroupName=APPOINTMENTS)["Schedules"]
    return {
        each["Name"]: dict(client.get_schedule(GroupName=APPOINTMENTS, Name=each["Name"]))
        for each in found
    }


class TestSchedule:
    def test_is_made_for_the_time_and_replaced_with_it_and_goes_with_it(
        self, office: Office, maria: str
    ) -> None:
        office.schedule(maria)
        ((name, schedule),) = schedules().items()
        assert name == Appointment(CAMPAIGN, maria, 1).schedule_name
        assert schedule["ScheduleExpression"] == "at(2026-03-02T18:00:00)"
        assert schedule["ActionAfterCompletion"] == "DELETE"
        message = {"campaign_id": CAMPAIGN, "customer_id": maria, "ordinal": "1"}
        assert json.loads(schedule["Target"]["Input"]) == message
        office.schedule(maria, AT + 60 * MINUTE)
        assert list(schedules()) == [Appointment(CAMPAIGN, maria, 2).schedule_name]
        office.desk.planning.delete_schedule(CAMPAIGN, maria, LEADER, NOW)
        office.follow()
        assert schedules() == {}

    def test_is_not_made_for_a_time_that_is_past_by_then(self, office: Office, maria: str) -> None:
        office.desk.schedule(maria, AT, NOW)
        office.clock.now = AT
        office.follow()
        assert schedules() == {}


class TestDue:
    def test_stands_first_is_told_of_and_rung(self, office: Office, maria: str) -> None:
        assignment = office.due(maria)
        assert assignment.place.startswith("0 ")
        found = office.contact(maria)
        assert found
        assert (found.number, found.agent, found.queue) == (MOBILE, "ana", "vendas")
        assert (found.purpose, found.caller_id) == ("telemarketing", "+551140000000")
        assert (found.max_attempts, found.due_at, found.until) == (1, AT, AT + 30 * MINUTE)
        assert (found.asked_at, found.note) == (assignment.linked_at, "Quer o plano anual")
        assert office.events == [
            {
                "type": "TelemarketingContactDue",
                "version": 1,
                "event_id": Appointment(CAMPAIGN, maria, 1).digest,
                "occurred_at": "2026-03-02T18:00:00Z",
                "campaign_id": CAMPAIGN,
                "customer_id": maria,
                "schedule": 1,
                "scheduled_for": "2026-03-02T18:00:00Z",
                "agent": "ana",
                "queue": "vendas",
                "dialled": True,
            }
        ]

    def test_is_due_once_however_often_it_fires(self, office: Office, maria: str) -> None:
        assignment = office.due(maria)
        office.fire(assignment)
        office.clock.advance(minutes=5)
        office.check()
        assert office.desk.one(maria) == assignment
        assert len(office.events) == 1
        entries = office.desk.assignments.history(CAMPAIGN, maria, 10, None).entries
        assert [entry.what for entry in entries] == [What.DUE, What.SCHEDULED, What.LINKED]

    @pytest.mark.parametrize(
        "presence", [{"state": "paused", "reason": "Almoço"}, {"state": "offline"}]
    )
    def test_is_the_teams_where_its_agent_is_away(
        self, office: Office, maria: str, presence: dict[str, str]
    ) -> None:
        office.is_now("ana", **presence)
        assert office.due(maria).shown_to is None
        found = office.contact(maria)
        assert found
        assert found.line == "queue:vendas"
        assert office.events[0]["agent"] is None

    def test_is_the_teams_where_its_agent_is_no_more(self, office: Office, maria: str) -> None:
        office.ask("ManageAgents", "DELETE /agents/{agent}", "/agents/ana")
        assert office.due(maria).shown_to is None

    def test_is_not_rung_once_the_customer_is_deleted(self, office: Office, maria: str) -> None:
        office.ask("ManageCustomers", "DELETE /customers/{customer_id}", f"/customers/{maria}")
        assert office.due(maria, phone="+5511911112222").due
        assert office.contact(maria) is None

    @pytest.mark.parametrize(
        ("at", "is_listed", "state", "reason"),
        [
            (AT, True, State.DO_NOT_CALL, "customer"),
            # On a Sunday nobody may be called to sell them something.
            (datetime(2026, 3, 8, 15, 0, tzinfo=UTC), False, State.WAITING, "br-telecom-code"),
        ],
    )
    def test_is_not_rung_against_the_rules(
        self, office: Office, at: datetime, is_listed: bool, state: State, reason: str
    ) -> None:
        number = "+5511987654321"
        if is_listed:
            path = f"/do-not-call/{number}"
            office.ask("ManageCallingRules", "PUT /do-not-call/{number}", path, scope="all")
        customer_id = office.customer(mobile=number)
        office.due(customer_id, at=at)
        office.deployment.work()
        found = office.contact(customer_id)
        assert found
        assert (found.state, found.dials) == (state, 0)
        assert found.reason.startswith(reason)

    def test_is_rung_no_more_once_it_is_in_hand(self, office: Office, maria: str) -> None:
        office.due(maria)
        office.desk.operations.open(CAMPAIGN, maria, ANA, AT)
        office.follow()
        found = office.contact(maria)
        assert found
        assert found.state is State.CANCELLED

    def test_costs(self, office: Office, maria: str) -> None:
        assignment = office.schedule(maria)
        assert assignment.schedule
        office.clock.now = AT
        body = json.dumps(Appointment.of(assignment, assignment.schedule).message)
        with counted() as requests:
            office.deployment.call("KeepAppointments", sqs(body))
        assert requests == ["GetItem", "GetItem", "TransactWriteItems"]
        with counted() as requests:
            office.follow()
        assert requests == [
            "SendMessageBatch",
            "GetItem",
            "GetItem",
            "BatchGetItem",
            "GetItem",
            "UpdateItem",
            "SendMessage",
            "PutEvents",
        ]


class TestNet:
    def test_finds_who_is_due_though_no_schedule_fired(self, office: Office, maria: str) -> None:
        office.schedule(maria)
        office.clock.now = AT + timedelta(seconds=59)
        office.check()
        assert not office.desk.one(maria).due
        office.clock.now = AT + MINUTE
        office.check()
        assert office.desk.one(maria).due
        assert office.contact(maria)
        assert len(office.events) == 1

    def test_has_nobody_rung_who_was_to_be_long_ago(self, office: Office, maria: str) -> None:
        office.schedule(maria)
        office.clock.now = AT + 31 * MINUTE
        office.check()
        assert office.desk.one(maria).due
        assert office.contact(maria) is None
        assert office.events[0]["dialled"] is False
