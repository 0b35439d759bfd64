"""The telemarketing operation as its users know it, over HTTP; and many agents at once."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from local.stack import Stack
from retorno.customers.model import Customer
from retorno.customers.service import CustomerDirectory, CustomerFinding
from retorno.errors import Conflict, HeldByAnother
from retorno.telemarketing.assignments.model import Assignment, LinkWish, Worker, linked
from retorno.telemarketing.assignments.service import Assignments
from retorno.telemarketing.assignments.store import AssignmentStore
from retorno.telemarketing.assignments.worklist import Worklists
from retorno.telemarketing.operations.service import CallsOfAgents, Operations
from retorno.telemarketing.operations.store import OperationStore
from retorno.telemarketing.setup.model import Campaign
from retorno.telemarketing.setup.service import Filters, Setup
from retorno.telemarketing.setup.store import SetupStore
from tests.stack.conftest import configured
from tests.support.api import Answer, Api, eventually
from tests.support.exchange import serving
from tests.support.switchboard import Switchboard
from tests.support.tables import create_table

TM = "/telemarketing"
CAMPAIGN = f"{TM}/campaigns/maes"
NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
ZONE = ZoneInfo("America/Sao_Paulo")
AGENTS = 24


def registered(api: Api, agent: str, queue: str) -> None:
    """Whatever other tests made of them."""
    draft = {"name": agent, "queues": [queue], "wrap_up_seconds": 0}
    answer = api.put(f"/agents/{agent}", draft)
    if answer.status == 428:
        answer = api.send("PUT", f"/agents/{agent}", draft, if_match="*")
    assert answer.status in (200, 201), answer.body


def test_the_operation_as_its_users_know_it(api: Api) -> None:  # noqa: PLR0915 - one story
    """Each step is a sentence of what such a system does."""
    today = datetime.now(ZONE).date()
    campaign = {
        "name": "Dia das Mães",
        "begins_on": str(today - timedelta(days=1)),
        "ends_on": str(today + timedelta(days=30)),
        "queue": "vendas",
    }
    assert api.put(CAMPAIGN, campaign).status == 201
    registered(api, api.agent, "vendas")
    away = {"state": "paused", "reason": "almoço"}
    assert api.put("/agents/me/presence", away, "agent").status == 200

    def listed(state: str, role: str = "agent") -> list[str]:
        page = api.get(f"{TM}/worklist", role, campaign="maes", state=state).body
        return [row["customer_id"] for row in page["items"]]

    def post(path: str, body: Any = None, role: str = "agent") -> Answer:
        return api.post(f"{TM}/{path}", body, role)

    # A customer is linked to the campaign and to an agent, who sees them among those not acted on.
    draft = {"name": "Maria Souza", "city": "Campinas", "mobile": "19 98765-4321"}
    maria = api.post("/customers", draft).body["customer_id"]
    of_maria = f"{CAMPAIGN}/customers/{maria}"
    assert api.put(of_maria, {"agent": api.agent}).status == 201
    assert api.put(of_maria, {"agent": api.agent}, role="agent").status == 403
    running = eventually(lambda: api.get(f"{TM}/campaigns", "agent").body["items"], bool)
    assert [each["campaign_id"] for each in running] == ["maes"]
    assert eventually(lambda: listed("not_acted"), lambda seen: maria in seen) == [maria]

    # The next customer is hers, and whoever else opens an operation is told who has them.
    assert post("worklist/next", {"campaign": "maes"}).body["customer_id"] == maria
    wish = {"campaign": "maes", "customer_id": maria}
    held = post("operations", wish, role="admin")
    assert (held.status, held.body["held_by"]) == (409, api.agent)
    opened = post("operations", wish)
    assert opened.status == 201, opened.body
    assert opened.body["customer"]["city"] == "Campinas"
    operation = f"operations/{opened.body['operation']['operation_id']}"

    # The action type brings its script, which is copied to the conversation and worked on there.
    chosen = api.send(
        "PATCH", f"{TM}/{operation}", {"action_type": "oferta"}, "agent", if_match='"1"'
    )
    assert chosen.status == 200, chosen.body
    assert chosen.body["script"].startswith("Olá, Maria!")
    copied = post(f"{operation}/copy-script").body
    assert copied["conversation"] == chosen.body["script"]
    noted = f"{copied['conversation']}\n\nLigar à tarde."
    saved = api.send("PATCH", f"{TM}/{operation}", {"conversation": noted}, "agent", if_match='"3"')
    assert (saved.status, saved.body["version"]) == (200, 4)

    # There was no contact, for a reason, and it is scheduled; then rescheduled, deleted, and set.
    at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert post(f"{operation}/no-contact", {"at": at}).status == 422
    tried = post(f"{operation}/no-contact", {"reason": "nao_atendeu", "at": at})
    assert (tried.status, tried.body["stage"]) == (200, "no_contact")
    assert eventually(lambda: listed("scheduled"), bool) == [maria]
    later = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    rescheduled = api.put(f"{of_maria}/schedule", {"at": later}, "agent")
    assert (rescheduled.status, rescheduled.body["state"]) == (200, "scheduled")
    deleted = api.delete(f"{of_maria}/schedule", "agent")
    assert (deleted.status, deleted.body["state"]) == (200, "not_acted")
    soon = (datetime.now(UTC) + timedelta(seconds=4)).isoformat()
    assert api.put(f"{of_maria}/schedule", {"at": soon}, "agent").status == 200

    # At its time she is due; her agent is away, so anyone of the team may act.
    due = eventually(lambda: api.get(of_maria).body, lambda seen: seen["due"])
    assert (due["due"], due["schedule"]["to_team"], due["agent"]) == (True, True, api.agent)

    # Then she buys.
    again = post("operations", wish)
    assert [each["reason"] for each in again.body["earlier"]] == ["nao_atendeu"]
    operation = f"operations/{again.body['operation']['operation_id']}"
    sold = post(f"{operation}/conclude", {"outcome": "venda", "value": "129.90"})
    assert (sold.status, sold.body["value"]) == (200, "129.90")
    assert eventually(lambda: listed("concluded"), bool) == [maria]
    assert maria not in listed("not_acted") + listed("scheduled")

    # All of it is in the history, and in the statistics.
    told = [each["what"] for each in api.get(f"{of_maria}/history").body["items"]]
    assert told == [
        "concluded",
        "opened",
        "due",
        "scheduled",
        "schedule_deleted",
        "scheduled",
        "no_contact",
        "edited",
        "edited",
        "edited",
        "opened",
        "linked",
    ]
    query = {"campaign": "maes", "group_by": "agent"}
    seen = eventually(
        lambda: api.get(f"{TM}/statistics", **query).body, lambda seen: seen["total"]["sales"] == 1
    )
    total, (ana,) = seen["total"], seen["items"]
    assert (ana["group"], ana["attempts"], ana["sales_value"]) == (api.agent, 2, "129.90")
    assert (total["contact_rate"], total["conversion"]) == (0.5, 1)
    counts = api.get(f"{TM}/worklist", campaign="maes", state="concluded").body["counts"]
    assert counts == {"not_acted": 0, "scheduled": 0, "concluded": 1}


@pytest.fixture
def switchboard(stack: Stack) -> Iterator[Switchboard]:
    with serving(Switchboard()) as switchboard:
        assert isinstance(switchboard, Switchboard)
        dialling = {"DIAL_PROVIDER": "canonical", "DIAL_URL": switchboard.url}
        # At whatever hour the tests run.
        rules = {"CALLING_PROFILES": ""}
        with configured(stack, ["CallCustomers"], dialling | rules):
            yield switchboard


def test_a_call_is_placed_in_an_operation_and_the_customer_wants_no_more(
    api: Api, switchboard: Switchboard
) -> None:
    today = datetime.now(ZONE).date()
    campaign = {
        "name": "Pesquisa",
        "begins_on": str(today - timedelta(days=1)),
        "ends_on": str(today + timedelta(days=1)),
        "queue": "vendas",
        "purpose": "service",
    }
    assert api.put(f"{TM}/campaigns/pesquisa", campaign).status == 201
    registered(api, api.agent, "vendas")
    draft = {"name": "Joana Lima", "mobile": "71 98765-0077"}
    joana = api.post("/customers", draft).body["customer_id"]
    assert api.put(f"{TM}/campaigns/pesquisa/customers/{joana}", {}).status == 201
    wish = {"campaign": "pesquisa", "customer_id": joana}
    operation_id = api.post(f"{TM}/operations", wish, "agent").body["operation"]["operation_id"]
    operation = f"{TM}/operations/{operation_id}"

    placed = api.send("POST", f"{operation}/calls", {}, "agent", idempotency_key="joana-1")
    assert (placed.status, placed.body["number"]) == (201, "+5571987650077"), placed.body
    call_id = placed.body["call_id"]
    answered = datetime.now(UTC) - timedelta(seconds=50)
    told = [("answered", answered), ("completed", answered + timedelta(seconds=42))]
    events = [
        {"call_id": call_id, "event_id": stage, "stage": stage, "occurred_at": at.isoformat()}
        for stage, at in told
    ]
    assert api.calls(events).status == 200
    seen = eventually(
        lambda: api.get(operation, "agent").body["operation"],
        lambda seen: seen["talk_seconds"] is not None,
    )
    assert (seen["call_id"], seen["talk_seconds"]) == (call_id, 42)

    assert api.post(f"{operation}/conclude", {"outcome": "nao_ligar"}, "agent").status == 200
    listed = api.get("/do-not-call/71987650077").body
    assert [entry["origin"] for entry in listed["entries"]] == ["disposition"]


class Floor:
    """The services in this process, on tables of the embedded cloud."""

    def __init__(self, name: str, dynamodb: Any, customers: int) -> None:
        def table(logical_id: str) -> str:
            return create_table(logical_id, f"{name}-{logical_id}", dynamodb)

        self.store = AssignmentStore(table("AssignmentsTable"), table("AssignmentHistoryTable"))
        setup_store = SetupStore(table("SetupTable"))
        setup_store.save(
            Campaign(
                campaign_id="maes",
                name="Mães",
                begins_on=NOW.date(),
                ends_on=NOW.date(),
                queue="vendas",
            )
        )
        setup = Setup(setup_store)
        people = {
            f"c{number:03}": Customer(customer_id=f"c{number:03}", name=f"C{number}")
            for number in range(customers)
        }
        directory = cast(
            CustomerDirectory,
            SimpleNamespace(some=lambda ids: {each: people[each] for each in ids}),
        )
        self.assignments = Assignments(self.store)
        self.worklists = Worklists(
            self.store,
            setup,
            Filters(setup_store),
            directory,
            cast(CustomerFinding, SimpleNamespace()),
            ZONE,
        )
        self.operations = Operations(
            OperationStore(table("OperationsTable")),
            self.assignments,
            setup,
            directory,
            cast(CallsOfAgents, SimpleNamespace(with_customer=lambda *_: None)),
            lambda _call_id: None,
            lambda *_: None,
            ZONE,
        )
        for customer_id in people:
            self.link(customer_id)

    def link(self, customer_id: str) -> None:
        change = linked(None, "maes", customer_id, LinkWish(), "leo", NOW)
        assert change
        self.assignments.write(change)


def at_once(do: Callable[[Worker], Any]) -> list[Any]:
    """What comes of many agents who do the same at the same moment."""
    workers = [Worker(f"agent-{number}", frozenset({"vendas"})) for number in range(AGENTS)]
    with ThreadPoolExecutor(AGENTS) as pool:
        return list(pool.map(do, workers))


@pytest.fixture
def floor(dynamodb: Any, request: pytest.FixtureRequest) -> Floor:
    return Floor(request.node.name, dynamodb, AGENTS * 2)


def test_many_agents_at_once_are_each_handed_another_customer(floor: Floor) -> None:
    def next_of(worker: Worker) -> str | None:
        listed = floor.worklists.next("maes", worker, NOW)
        return listed.assignment.customer_id if listed else None

    first = at_once(next_of)
    assert None not in first
    assert set(Counter(first).values()) == {1}
    assert at_once(next_of) == first, "asked again, each gets the same"


def test_many_agents_open_one_customer_and_all_but_one_are_told_who_has_them(
    floor: Floor,
) -> None:
    def opened_by(worker: Worker) -> str:
        try:
            return floor.operations.open("maes", "c000", worker, NOW).operation.agent
        except HeldByAnother as refusal:
            return refusal.agent

    (holder,) = set(at_once(opened_by))
    assignment = floor.assignments.one("maes", "c000")
    assert (assignment.held_by(NOW), assignment.opened, assignment.revision) == (holder, 1, 2)


def test_ends_told_at_once_are_one_end(floor: Floor) -> None:
    worker = Worker("ana", frozenset({"vendas"}))
    operation_id = floor.operations.open("maes", "c000", worker, NOW).operation.operation_id

    def end(other: Worker) -> str:
        number = int(other.agent.partition("-")[2])
        try:
            if number % 2:
                return floor.operations.conclude(operation_id, "ja_tem", None, worker, NOW).stage
            return floor.operations.no_contact(operation_id, "ocupado", None, worker, NOW).stage
        except Conflict:
            return "refused"

    ends = Counter(at_once(end))
    after: Assignment = floor.assignments.one("maes", "c000")
    assert ends.total() == AGENTS
    assert after.operations == 1
    assert set(ends) - {"refused"} == {floor.operations.one(operation_id).stage}
    entries = floor.store.history("maes", "c000", 100, None).entries
    assert [entry.number for entry in entries] == [3, 2, 1]
