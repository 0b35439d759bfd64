"""Appointments where schedules fire, the bus tells, and many things happen at the same moment."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from local import aws
from local.stack import Stack
from retorno import clock
from retorno.agents.model import State as Presence
from retorno.agents.service import Agents
from retorno.customers.model import Customer
from retorno.customers.service import CustomerDirectory
from retorno.errors import RetornoError
from retorno.telemarketing.appointments.model import Appointment
from retorno.telemarketing.assignments.model import What, Worker
from tests.stack.conftest import configured, told_by_bus
from tests.support.api import Api, eventually
from tests.support.appointments import CAMPAIGN, LEADER, TEAM, Desk
from tests.support.exchange import serving
from tests.support.switchboard import Switchboard
from tests.support.tables import create_table

MINUTE = timedelta(minutes=1)
QUEUE = "agendados"
AGENT = "rita"
MOBILE = "+5571987650177"
ON_CUSTOMER = "/telemarketing/campaigns/verao/customers/{}"


@pytest.fixture(scope="module")
def events(stack: Stack) -> Callable[[], list[dict[str, Any]]]:
    return told_by_bus(stack, "TelemarketingContactDue")


@pytest.fixture
def switchboard(stack: Stack) -> Iterator[Switchboard]:
    with serving(Switchboard()) as switchboard:
        assert isinstance(switchboard, Switchboard)
        dialling = {"DIAL_PROVIDER": "canonical", "DIAL_URL": switchboard.url}
        with configured(stack, ["DialCallbacks"], dialling):
            yield switchboard


@pytest.fixture
def rita(api: Api) -> Iterator[None]:
    """An agent of the team, who is there."""
    register(api)
    assert api.put(f"/agents/{AGENT}/presence", {"state": "available"}).status == HTTPStatus.OK
    yield
    assert api.put(f"/agents/{AGENT}/presence", {"state": "offline"}).status == HTTPStatus.OK


def register(api: Api) -> None:
    agent = {"name": "Rita Reis", "queues": [QUEUE], "telephone": "4077"}
    # Without If-Match it is not written twice.
    done = (HTTPStatus.CREATED, HTTPStatus.PRECONDITION_REQUIRED)
    assert api.put(f"/agents/{AGENT}", agent).status in done


def customer(api: Api, name: str, **fields: str) -> str:
    """One of a campaign that dials, and of Rita's."""
    register(api)
    campaign = {
        "name": "Verão",
        "begins_on": "2020-01-01",
        "ends_on": "2099-12-31",
        "queue": QUEUE,
        "purpose": "service",
        "dialling": True,
        "caller_id": "+551140000077",
    }
    api.put("/telemarketing/campaigns/verao", campaign)
    customer_id: str = api.post("/customers", {"name": name, **fields}).body["customer_id"]
    linked = api.put(ON_CUSTOMER.format(customer_id), {"agent": AGENT})
    assert linked.status == HTTPStatus.CREATED, linked.body
    return customer_id


def schedule(api: Api, customer_id: str, at: datetime) -> dict[str, Any]:
    answer = api.put(f"{ON_CUSTOMER.format(customer_id)}/schedule", {"at": at.isoformat()})
    assert answer.status == HTTPStatus.OK, answer.body
    body: dict[str, Any] = answer.body
    return body


def schedule_names(stack: Stack) -> list[str]:
    client = aws.session().client("scheduler", endpoint_url=stack.endpoint_url)
    found = client.list_schedules(NamePrefix="telemarketing-")["Schedules"]
    return [each["Name"] for each in found]


def test_a_customer_is_due_told_of_and_rung_by_a_schedule(
    api: Api,
    stack: Stack,
    events: Callable[[], list[dict[str, Any]]],
    switchboard: Switchboard,
    rita: None,
) -> None:
    customer_id = customer(api, "Carla Nunes", mobile=MOBILE)
    at = (clock.now() + timedelta(seconds=12)).replace(microsecond=0)
    schedule(api, customer_id, at)
    name = Appointment("verao", customer_id, 1).schedule_name
    eventually(lambda: schedule_names(stack), lambda names: name in names)
    (event,) = eventually(events, bool)
    # Sooner than the check of each minute would look at it.
    assert at <= clock.now() < at + MINUTE
    assert event["detail"] | {"event_id": "", "occurred_at": ""} == {
        "version": 1,
        "event_id": "",
        "occurred_at": "",
        "campaign_id": "verao",
        "customer_id": customer_id,
        "schedule": 1,
        "scheduled_for": at.isoformat().replace("+00:00", "Z"),
        "agent": AGENT,
        "queue": QUEUE,
        "dialled": True,
    }
    first = api.get("/telemarketing/worklist", campaign="verao", state="scheduled").body["items"][0]
    assert (first["customer_id"], first["due"]) == (customer_id, True)
    (order,) = (asked.json for asked in eventually(lambda: list(switchboard.asked), bool))
    assert (order["number"], order["agent"]) == (MOBILE, AGENT)
    assert order["caller_id"] == "+551140000077"
    eventually(lambda: schedule_names(stack), lambda names: name not in names)


def test_a_time_that_is_changed_or_deleted_does_not_come(api: Api, stack: Stack) -> None:
    customer_id = customer(api, "Davi Rocha")
    at = clock.now() + 60 * MINUTE
    names = [Appointment("verao", customer_id, ordinal).schedule_name for ordinal in (1, 2)]

    def made() -> list[str]:
        return [name for name in schedule_names(stack) if name in names]

    schedule(api, customer_id, at)
    assert eventually(made, lambda found: found == names[:1])
    schedule(api, customer_id, at + MINUTE)
    assert eventually(made, lambda found: found == names[1:])
    deleted = api.send("DELETE", f"{ON_CUSTOMER.format(customer_id)}/schedule")
    assert deleted.body["state"] == "not_acted"
    assert eventually(made, lambda found: found == []) == []


def test_a_customer_whose_schedule_was_lost_is_due(api: Api, stack: Stack) -> None:
    customer_id = customer(api, "Elisa Prado")
    at = clock.now() + timedelta(seconds=20)
    schedule(api, customer_id, at)
    name = Appointment("verao", customer_id, 1).schedule_name
    eventually(lambda: schedule_names(stack), lambda names: name in names)
    client = aws.session().client("scheduler", endpoint_url=stack.endpoint_url)
    client.delete_schedule(Name=name, GroupName=stack.resources["AppointmentSchedules"])
    path = ON_CUSTOMER.format(customer_id)
    eventually(lambda: api.get(path).body, lambda seen: seen["due"])
    assert clock.now() >= at + MINUTE


# --- Many at once ---------------------------------------------------------------------------------

NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
AT = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)
THREADS = 10
ANA = Worker("ana", frozenset({TEAM}))


@pytest.fixture
def desk(dynamodb: Any, request: pytest.FixtureRequest) -> Desk:
    prefix = request.node.name.replace("[", "-").strip("]")
    tables = ("AssignmentsTable", "AssignmentHistoryTable", "SetupTable", "OperationsTable")
    named = {each: create_table(each, f"{prefix}-{each}", dynamodb) for each in tables}
    directory = SimpleNamespace(
        some=lambda ids: {each: Customer(customer_id=each, name=each) for each in ids}
    )
    presence = SimpleNamespace(since=NOW, at=lambda now: SimpleNamespace(state=Presence.AVAILABLE))
    agent = SimpleNamespace(presence=presence, agent=SimpleNamespace(queues=(TEAM,)))
    agents = SimpleNamespace(one=lambda name: agent)
    desk = Desk(named, cast(CustomerDirectory, directory), cast(Agents, agents))
    desk.set_up()
    return desk


@pytest.mark.parametrize("seed", range(3))
def test_each_time_comes_once_or_not_at_all(desk: Desk, seed: int) -> None:
    random = Random(seed)
    for number in range(12):
        collide(desk, f"customer{number}", random)


def collide(desk: Desk, customer_id: str, random: Random) -> None:
    """A time comes, several times, and is changed, deleted and acted upon at the same moment."""
    desk.link(customer_id, "ana", NOW)
    desk.schedule(customer_id, AT, NOW)
    operation = desk.operations.open(CAMPAIGN, customer_id, ANA, NOW).operation.operation_id
    planning, operations = desk.planning, desk.operations
    appointment = Appointment(CAMPAIGN, customer_id, 1)
    jobs: list[tuple[What, Callable[[], object]]] = [
        *[(What.DUE, lambda: desk.firing.fire(appointment, AT))] * 4,
        (What.SCHEDULED, lambda: desk.schedule(customer_id, AT + MINUTE, AT)),
        (
            What.SCHEDULE_DELETED,
            lambda: planning.delete_schedule(CAMPAIGN, customer_id, LEADER, AT),
        ),
        (
            What.CONCLUDED,
            lambda: operations.conclude(operation, "sem_interesse", None, ANA, NOW),
        ),
        (What.ASSIGNED, lambda: planning.transfer(CAMPAIGN, customer_id, None, LEADER, AT)),
    ]
    random.shuffle(jobs)
    done = at_once(jobs[: random.randrange(3, len(jobs))])
    found = desk.one(customer_id)
    entries = desk.assignments.history(CAMPAIGN, customer_id, 50, None).entries
    assert [entry.number for entry in entries] == list(range(found.revision, 0, -1))
    # After it was linked, scheduled and opened.
    told = [entry.what for entry in reversed(entries)][3:]
    left = [told.index(what) for what in LEAVING if what in told]
    assert told.count(What.DUE) <= 1
    assert What.DUE not in told or told.index(What.DUE) < min(left, default=len(told))
    for what in (What.SCHEDULED, What.CONCLUDED, What.ASSIGNED):
        assert told.count(what) == done.count(what)


LEAVING = (What.SCHEDULED, What.SCHEDULE_DELETED, What.CONCLUDED)


def at_once(jobs: Sequence[tuple[What, Callable[[], object]]]) -> list[What]:
    """What was done, and not refused."""
    done: list[What] = []

    def attempt(job: tuple[What, Callable[[], object]]) -> None:
        with suppress(RetornoError):
            job[1]()
            done.append(job[0])

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(attempt, jobs))
    return done
