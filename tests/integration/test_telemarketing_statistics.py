"""Statistics from what the tables' streams tell, read as clients do."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from retorno.counters.store import Counters
from retorno.dynamodb import write_together
from retorno.telemarketing.assignments.model import (
    Assignment,
    LinkWish,
    Time,
    fired,
    linked,
    unlinked,
)
from retorno.telemarketing.assignments.store import AssignmentStore
from retorno.telemarketing.operations.model import (
    Conclusion,
    Operation,
    Step,
    concluded,
    opened,
    without_contact,
)
from retorno.telemarketing.operations.store import OperationStore
from retorno.telemarketing.setup.model import NoContactReason, Outcome, OutcomeFlag
from retorno.telemarketing.statistics import service
from retorno.telemarketing.statistics.model import TEAM, Gauges
from retorno.telemarketing.statistics.service import NAMES, Statistics
from retorno.telephony.ports import AnsweredBy
from tests.support.clock import StoppedClock
from tests.support.deployment import Deployment
from tests.support.events import Answer, http, user

ROUTE = "GET /telemarketing/statistics"
SUPERVISOR = user("[supervisor]", "rita")
ANA = user("[agent]", "ana")

SOLD = Outcome(
    code="venda",
    name="Venda",
    flags=frozenset({OutcomeFlag.CONTACT, OutcomeFlag.SALE, OutcomeFlag.FINAL}),
)
BUSY = NoContactReason(code="ocupado", name="Ocupado", retry_minutes=15)


@dataclass
class Desk:
    """Writes as the services do, and has what the streams tell counted."""

    deployment: Deployment
    clock: StoppedClock

    def __post_init__(self) -> None:
        tables = self.deployment.tables
        self.assignments = AssignmentStore(
            tables["AssignmentsTable"], tables["AssignmentHistoryTable"]
        )
        self.operations = OperationStore(tables["OperationsTable"])

    def link(self, customer: str, agent: str | None = "ana", campaign: str = "natal") -> Assignment:
        before = self.assignments.get(campaign, customer)
        change = linked(before, campaign, customer, LinkWish(agent=agent), "rita", self.clock.now)
        assert change
        write_together(self.assignments.changing(change))
        return change.after

    def open(self, assignment: Assignment, agent: str = "ana") -> tuple[Operation, Assignment]:
        return self._write(opened(assignment, agent, self.clock.now))

    def sell(self, assignment: Assignment, value: str, agent: str = "ana") -> Operation:
        """After six minutes."""
        operation, held = self.open(assignment, agent)
        self.clock.advance(minutes=6)
        conclusion = Conclusion(outcome=SOLD, value=Decimal(value))
        return self._write(concluded(operation, held, conclusion, self.clock.now))[0]

    def miss(self, assignment: Assignment, agent: str = "ana") -> Assignment:
        """After two minutes, to be tried again tomorrow."""
        operation, held = self.open(assignment, agent)
        self.clock.advance(minutes=2)
        again = Time(at=self.clock.now + timedelta(days=1))
        return self._write(without_contact(operation, held, BUSY, again, self.clock.now))[1]

    def _write(self, step: Step) -> tuple[Operation, Assignment]:
        writes = self.assignments.changing(step.change)
        write_together([*writes, self.operations.writing(step.operation)])
        return step.operation, step.change.after

    def ask(self, claims: Any = SUPERVISOR, **query: str) -> Answer:
        self.deployment.work()
        named = {"from" if name == "since" else name: value for name, value in query.items()}
        return self.deployment.ask("ReadTelemarketing", http(ROUTE, query=named, claims=claims))

    def groups(self, **query: str) -> dict[str | None, dict[str, Any]]:
        answer = self.ask(**query)
        assert answer.status == 200, answer.body
        return {item["group"]: item for item in answer.body["items"]}


@pytest.fixture
def desk(deployment: Deployment, clock: StoppedClock) -> Desk:
    return Desk(deployment, clock)


def test_nothing_is_counted_yet(desk: Desk) -> None:
    body = desk.ask(campaign="natal").body
    assert (body["from"], body["to"], body["group_by"]) == ("2026-03-02", "2026-03-02", None)
    assert body["items"] == []
    assert body["total"] == {
        "now": Gauges().model_dump(),
        **dict.fromkeys(
            [
                *["attempts", "concluded", "scheduled", "contacts", "no_contacts", "sales"],
                *["not_interested", "do_not_call", "calls", "answered_by_person", "talk_seconds"],
                *["timed", "handling_seconds"],
            ],
            0,
        ),
        "sales_value": "0.00",
        **dict.fromkeys(
            [
                *["contact_rate", "conversion", "conversion_of_attempts", "attempts_per_contact"],
                *["attempts_per_hour", "calls_per_hour"],
            ]
        ),
    }


def test_a_day_of_two_agents(desk: Desk) -> None:
    desk.sell(desk.link("c1"), "1234.50")
    desk.miss(desk.link("c2"))
    desk.miss(desk.link("c3", agent="bia", campaign="pascoa"), agent="bia")
    desk.link("c4", agent=None)

    total = desk.ask(group_by="campaign").body["total"]
    assert total["now"] == {
        "linked": 4,
        "not_acted": 1,
        "scheduled": 2,
        "concluded": 1,
        "acted": 3,
        "overdue": 0,
        "to_team": 0,
    }
    assert total["attempts"] == 3
    assert total["sales_value"] == "1234.50"
    assert total["contact_rate"] == 0.3333
    assert total["attempts_per_hour"] == 18

    by_campaign = desk.groups(group_by="campaign")
    assert {name: item["attempts"] for name, item in by_campaign.items()} == {
        "natal": 2,
        "pascoa": 1,
    }
    assert by_campaign["natal"]["now"]["linked"] == 3
    by_agent = desk.groups(group_by="agent", campaign="natal")
    assert {name: item["now"]["linked"] for name, item in by_agent.items()} == {None: 1, "ana": 2}
    assert by_agent[None]["attempts"] == 0
    by_outcome = desk.groups(group_by="outcome")
    assert {name: item["attempts"] for name, item in by_outcome.items()} == {None: 2, "venda": 1}
    assert by_outcome["venda"]["now"] is None
    assert list(desk.groups(group_by="agent", agent="bia")) == ["bia"]
    assert list(desk.groups(group_by="action_type")) == [None]


def test_days_are_the_companys(desk: Desk) -> None:
    desk.sell(desk.link("c1"), "10")
    # 23:57 in São Paulo: it ends on the next day.
    desk.clock.now = datetime(2026, 3, 3, 2, 57, tzinfo=UTC)
    desk.sell(desk.link("c2"), "20")
    by_day = desk.groups(group_by="day", since="2026-03-01", to="2026-03-31")
    assert {day: item["sales_value"] for day, item in by_day.items()} == {
        "2026-03-02": "10.00",
        "2026-03-03": "20.00",
    }
    assert desk.ask(since="2026-03-03", to="2026-03-04").body["total"]["sales"] == 1


def test_what_is_corrected_later_is_counted_anew(desk: Desk) -> None:
    sold = desk.sell(desk.link("c1"), "10")
    assert desk.ask().body["total"]["calls"] == 0
    told = {"call_id": "1", "answered_by": AnsweredBy.HUMAN, "talk_seconds": 90.0}
    corrected = sold.model_copy(update={**told, "revision": sold.revision + 1})
    desk.operations.save(corrected)
    total = desk.ask().body["total"]
    assert (total["calls"], total["answered_by_person"], total["talk_seconds"]) == (1, 1, 90)
    assert (total["attempts"], total["calls_per_hour"]) == (1, 10)


def test_a_customer_who_moves_on_is_counted_where_they_are(desk: Desk) -> None:
    desk.link("c1")
    desk.link("c1", agent="bia")
    by_agent = desk.groups(group_by="agent")
    assert list(by_agent) == ["bia"]
    missed = desk.miss(desk.link("c1", agent="ana"))
    due = fired(missed, to_team=True, now=desk.clock.now)
    write_together(desk.assignments.changing(due))
    assert desk.groups(group_by="agent")["ana"]["now"]["overdue"] == 1
    write_together(desk.assignments.changing(unlinked(due.after, "rita", desk.clock.now)))
    total = desk.ask().body["total"]
    assert total["now"] == Gauges().model_dump()
    assert total["attempts"] == 1
    assert desk.link("c1").operations == 0
    assert desk.ask().body["total"]["now"]["acted"] == 0


def test_what_is_deleted_is_taken_off(desk: Desk) -> None:
    desk.sell(desk.link("c1"), "10")
    desk.deployment.work()
    desk.assignments._item("natal", "c1").delete()
    desk.operations._item("natal#c1", "operation#000001").delete()
    total = desk.ask(group_by="agent").body
    assert total["total"]["attempts"] == total["total"]["now"]["linked"] == 0
    assert total["items"] == []


def test_records_that_come_again_count_once(desk: Desk) -> None:
    deployment = desk.deployment
    for customer in ("c1", "c2"):
        desk.miss(desk.link(customer))
    records = [*deployment._assignments.new_records(), *deployment._operations.new_records()]
    for batch in (records, records[:5], records[3:], records):
        assert deployment.call("CountOperations", {"Records": batch}) is None
    assert desk.ask().body["total"]["attempts"] == 2
    assert desk.ask().body["total"]["now"]["scheduled"] == 2


def test_agents_see_their_own(desk: Desk) -> None:
    desk.sell(desk.link("c1"), "10")
    desk.miss(desk.link("c2", agent="bia"), agent="bia")
    for query in ({}, {"agent": "ana"}):
        body = desk.ask(ANA, **query).body
        assert (body["agent"], body["total"]["attempts"]) == ("ana", 1)
        assert body["total"]["now"]["linked"] == 1
    assert desk.ask(ANA, agent="bia").status == 403
    assert [item["group"] for item in desk.ask(ANA, group_by="agent").body["items"]] == ["ana"]
    assert desk.ask(user("[]")).status == 403


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"since": "2026-03-03"}, "to"),
        ({"since": "2024-01-01"}, "from"),
        ({"since": "2025-06-01", "group_by": "outcome"}, "from"),
        ({"since": "today"}, "from"),
        ({"group_by": "weather"}, "group_by"),
        ({"campaign": "Natal#"}, "campaign"),
        ({"agent": ""}, "agent"),
        ({"agent": "a" * 200}, "agent"),
    ],
)
def test_what_cannot_be_asked_is_refused(desk: Desk, query: dict[str, str], field: str) -> None:
    refused = desk.ask(**query)
    assert refused.status == 422
    assert [error["field"] for error in refused.body["errors"]] == [field]


def test_too_many_groups_are_refused_and_not_cut_off(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ana", "bia", "caio"):
        desk.link(name, agent=name)
    monkeypatch.setattr(service, "MAX_ROWS", 3)
    assert len(desk.groups(group_by="agent")) == 3
    monkeypatch.setattr(service, "MAX_ROWS", 2)
    refused = desk.ask(group_by="agent")
    assert refused.status == 422
    assert refused.body["errors"][0]["field"] == "group_by"


def test_a_worklist_shows_how_many_there_are(desk: Desk) -> None:
    desk.link("c1")
    desk.miss(desk.link("c2"))
    desk.link("c3", agent=None)
    desk.deployment.work()
    statistics = Statistics(Counters("counters", NAMES))
    assert statistics.gauges("natal", "ana") == Gauges(linked=2, not_acted=1, scheduled=1, acted=1)
    assert statistics.gauges("natal", TEAM) == Gauges(linked=1, not_acted=1)
    assert statistics.gauges("natal", None).linked == 3
    assert statistics.gauges("pascoa", "ana") == Gauges()


def test_campaigns_are_known_by_whose_customers_they_have(desk: Desk) -> None:
    desk.link("c1", campaign="a")
    desk.link("c2", campaign="b", agent=None)
    gone = unlinked(desk.link("c3", campaign="c"), "rita", desk.clock.now)
    write_together(desk.assignments.changing(gone))
    # Its time comes while Ana is away.
    missed = desk.miss(desk.link("c4", campaign="d"))
    write_together(desk.assignments.changing(fired(missed, to_team=True, now=desk.clock.now)))
    desk.link("c5", campaign="e", agent="bia")
    desk.deployment.work()
    statistics = Statistics(Counters("counters", NAMES))
    every = ["e", "d", "c", "b", "a", "z"]
    assert statistics.has_customers(every, "ana") == {"a", "d"}
    assert statistics.has_customers(every, None) == {"b", "d"}
    assert statistics.has_customers(["c", "d"], "bia") == set()
    assert statistics.has_customers([], "ana") == set()


def test_while_the_table_is_away_nothing_is_lost(desk: Desk) -> None:
    desk.link("c1")
    records = desk.deployment._assignments.new_records()
    desk.deployment.lose_table("counters")
    with pytest.raises(Exception, match="the table does not answer"):
        desk.deployment.call("CountOperations", {"Records": records})
    assert desk.ask().status == 503
