"""What an assignment and an operation add to the statistics, and what these say."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from retorno.counters.model import Amounts, Cell, summed
from retorno.errors import InvalidInput
from retorno.telemarketing.assignments.model import Assignment, Schedule, State
from retorno.telemarketing.operations.model import Operation, Stage
from retorno.telemarketing.setup.model import OutcomeFlag
from retorno.telemarketing.statistics.model import (
    Figures,
    Gauges,
    Grouping,
    Wanted,
    ended,
    standing,
    told_of_assignment,
    told_of_operation,
    total_of,
)
from retorno.telephony.ports import AnsweredBy

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TODAY = date(2026, 3, 2)


def assignment(**values: Any) -> Assignment:
    given: dict[str, Any] = {"agent": "ana", "revision": 3, **values}
    return Assignment(
        campaign_id="natal", customer_id="c1", linked_at=NOW, linked_by="bia", **given
    )


def operation(**values: Any) -> Operation:
    given: dict[str, Any] = {
        "agent": "ana",
        "stage": Stage.CONCLUDED,
        "started_at": NOW,
        "saved_at": NOW,
        "ended_at": NOW + timedelta(minutes=6),
        "revision": 3,
        **values,
    }
    return Operation(campaign_id="natal", customer_id="c1", ordinal=1, **given)


def schedule(fired_at: datetime | None, *, to_team: bool = False) -> Schedule:
    return Schedule(ordinal=1, at=NOW, by="ana", fired_at=fired_at, to_team=to_team)


@pytest.mark.parametrize(
    ("values", "gauges"),
    [
        ({}, {"linked": 1, "not_acted": 1}),
        ({"operations": 2}, {"linked": 1, "not_acted": 1, "acted": 1}),
        (
            {"state": State.SCHEDULED, "schedule": schedule(None), "operations": 1},
            {"linked": 1, "scheduled": 1, "acted": 1},
        ),
        (
            {"state": State.SCHEDULED, "schedule": schedule(NOW)},
            {"linked": 1, "scheduled": 1, "overdue": 1},
        ),
        (
            {"state": State.SCHEDULED, "schedule": schedule(NOW, to_team=True)},
            {"linked": 1, "scheduled": 1, "overdue": 1, "to_team": 1},
        ),
        (
            {"state": State.SCHEDULED, "schedule": schedule(NOW, to_team=True), "agent": None},
            {"linked": 1, "scheduled": 1, "overdue": 1},
        ),
        ({"state": State.CONCLUDED, "operations": 1}, {"linked": 1, "concluded": 1, "acted": 1}),
    ],
)
def test_a_customer_adds_to_the_gauges(values: dict[str, Any], gauges: dict[str, int]) -> None:
    added = standing(assignment(**values)).contribution
    assert added[total_of(None, None)] == gauges
    assert {tuple(amounts.items()) for amounts in added.values()} == {tuple(gauges.items())}


def test_a_customer_is_in_each_scope_and_in_each_of_its_groups() -> None:
    assert set(standing(assignment()).contribution) == {
        Cell("telemarketing", "total#now#"),
        Cell("telemarketing", "campaign#now#natal"),
        Cell("telemarketing", "agent#now#ana"),
        Cell("telemarketing#campaign#natal", "total#now#"),
        Cell("telemarketing#campaign#natal", "agent#now#ana"),
        Cell("telemarketing#agent#ana", "total#now#"),
        Cell("telemarketing#agent#ana", "campaign#now#natal"),
        Cell("telemarketing#campaign#natal#agent#ana", "total#now#"),
    }


def test_a_customer_of_the_team_is_nobodys() -> None:
    added = standing(assignment(agent=None)).contribution
    assert Cell("telemarketing", "agent#now#") in added
    assert total_of("natal", "") in added


def test_who_was_unlinked_adds_nothing() -> None:
    assert standing(assignment(state=State.UNLINKED)).contribution == {}


def figures(**values: Any) -> Amounts:
    added = ended(operation(**values), SAO_PAULO).contribution
    return added[Cell("telemarketing", "total#2026-03-02#")]


SPOKE = frozenset({OutcomeFlag.CONTACT})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {
                "outcome": "venda",
                "flags": frozenset({OutcomeFlag.CONTACT, OutcomeFlag.SALE, OutcomeFlag.FINAL}),
                "value": Decimal("1234.5"),
            },
            {"concluded": 1, "contacts": 1, "sales": 1, "sales_cents": 123450},
        ),
        (
            {"outcome": "recusa", "flags": SPOKE | {OutcomeFlag.NOT_INTERESTED}},
            {"concluded": 1, "contacts": 1, "not_interested": 1},
        ),
        (
            {"outcome": "nao-ligar", "flags": frozenset({OutcomeFlag.DO_NOT_CALL})},
            {"concluded": 1, "do_not_call": 1},
        ),
        (
            {"stage": Stage.POSTPONED, "outcome": "pensando", "flags": SPOKE},
            {"scheduled": 1, "contacts": 1},
        ),
        ({"stage": Stage.NO_CONTACT, "reason": "ocupado"}, {"scheduled": 1, "no_contacts": 1}),
        (
            {"call_id": "1", "answered_by": AnsweredBy.HUMAN, "talk_seconds": 61.4},
            {"concluded": 1, "calls": 1, "answered_by_person": 1, "talk_seconds": 61},
        ),
        (
            {"call_id": "1", "answered_by": AnsweredBy.VOICEMAIL, "talk_seconds": 5.6},
            {"concluded": 1, "calls": 1, "talk_seconds": 6},
        ),
    ],
)
def test_an_operation_adds_to_the_figures(values: dict[str, Any], expected: dict[str, int]) -> None:
    assert figures(**values) == {"attempts": 1, "timed": 1, "handling_seconds": 360, **expected}


@pytest.mark.parametrize("stage", [Stage.OPEN, Stage.RELEASED])
def test_an_operation_without_a_result_adds_nothing(stage: Stage) -> None:
    assert ended(operation(stage=stage), SAO_PAULO).contribution == {}


def test_an_operation_of_the_past_has_no_handling() -> None:
    assert figures(imported=True) == {"attempts": 1, "concluded": 1}


def test_an_operation_counts_on_the_day_of_its_end_in_the_companys_time_zone() -> None:
    # An hour before midnight in São Paulo.
    late = operation(ended_at=datetime(2026, 3, 3, 2, 0, tzinfo=UTC))
    assert Cell("telemarketing", "total#2026-03-02#") in ended(late, SAO_PAULO).contribution
    lisbon = ZoneInfo("Europe/Lisbon")
    assert Cell("telemarketing", "total#2026-03-03#") in ended(late, lisbon).contribution


def test_an_operation_is_in_each_scope_and_in_each_of_its_groups() -> None:
    added = ended(operation(outcome="venda", action_type="oferta"), SAO_PAULO).contribution
    scopes = {cell.scope for cell in added}
    assert scopes == {
        "telemarketing",
        "telemarketing#campaign#natal",
        "telemarketing#agent#ana",
        "telemarketing#campaign#natal#agent#ana",
    }
    assert {cell.name for cell in added if cell.scope == "telemarketing"} == {
        "total#2026-03-02#",
        "campaign#2026-03-02#natal",
        "agent#2026-03-02#ana",
        "outcome#2026-03-02#venda",
        "action_type#2026-03-02#oferta",
    }
    assert {
        cell.name for cell in added if cell.scope == "telemarketing#campaign#natal#agent#ana"
    } == {
        "total#2026-03-02#",
        "outcome#2026-03-02#venda",
        "action_type#2026-03-02#oferta",
    }


def test_only_a_change_of_what_is_counted_is_told() -> None:
    held = assignment(revision=4)
    assert told_of_assignment(assignment(), held) is None
    given = told_of_assignment(held, assignment(agent="bia", revision=5))
    assert given
    assert total_of("natal", "bia") in given.contribution
    assert total_of("natal", "ana") not in given.contribution
    opened = operation(stage=Stage.OPEN, revision=1)
    assert told_of_operation(None, opened, SAO_PAULO) is None
    assert told_of_operation(opened, operation(), SAO_PAULO)


def test_what_is_deleted_adds_nothing_and_comes_later() -> None:
    linked = told_of_assignment(None, assignment())
    deleted = told_of_assignment(assignment(), None)
    assert linked
    assert deleted
    assert deleted.contribution == {}
    assert deleted.position > linked.position
    assert told_of_operation(operation(), None, SAO_PAULO)


def test_rates_have_each_its_denominator() -> None:
    some = Figures(
        attempts=8,
        contacts=3,
        sales=1,
        sales_cents=9_990,
        timed=6,
        calls=4,
        handling_seconds=7200,
    )
    assert some.sales_value == Decimal("99.90")
    assert some.contact_rate == 0.375
    assert some.conversion == 0.3333
    assert some.conversion_of_attempts == 0.125
    assert some.attempts_per_contact == 2.6667
    assert some.attempts_per_hour == 3
    assert some.calls_per_hour == 2


def test_nothing_is_divided_by_nothing() -> None:
    none = Figures()
    assert none.sales_value == 0
    rates = (
        none.contact_rate,
        none.conversion,
        none.conversion_of_attempts,
        none.attempts_per_contact,
        none.attempts_per_hour,
        none.calls_per_hour,
    )
    assert set(rates) == {None}


def wanted(group_by: Grouping | None = None, **values: Any) -> Wanted:
    given: dict[str, Any] = {"campaign": None, "agent": None, "since": None, "until": None}
    return Wanted.asked(**{**given, **values}, group_by=group_by, today=TODAY)


def test_it_is_of_today_where_no_day_is_said() -> None:
    assert (wanted().first, wanted().last) == (TODAY, TODAY)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"since": date(2026, 3, 3)}, "to"),
        ({"since": date(2026, 3, 1), "until": date(2026, 2, 28)}, "to"),
        ({"since": date(2025, 3, 1)}, "from"),
        ({"since": date(2025, 3, 1), "group_by": Grouping.DAY}, "from"),
        ({"since": date(2025, 11, 30), "group_by": Grouping.AGENT}, "from"),
        ({"since": date.min, "until": date.max}, "from"),
    ],
)
def test_a_period_that_cannot_be_read_is_refused(values: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        wanted(**values)
    assert refused.value.field == field


def test_the_longest_periods_are_read() -> None:
    wanted(since=TODAY - timedelta(days=365))
    wanted(Grouping.AGENT, since=TODAY - timedelta(days=91))
    # The only group of its scope is kept as its total.
    wanted(Grouping.AGENT, agent="ana", since=TODAY - timedelta(days=365))


@pytest.mark.parametrize("group_by", [None, *Grouping])
@pytest.mark.parametrize("campaign", [None, "natal"])
@pytest.mark.parametrize("agent", [None, "a#b: c"])
def test_what_is_counted_is_found_again(
    group_by: Grouping | None, campaign: str | None, agent: str | None
) -> None:
    """Also of an agent whose name is made like a key."""
    done = operation(agent="a#b: c", outcome="venda", action_type="oferta")
    added = summed(
        [ended(done, SAO_PAULO).contribution, standing(assignment(agent="a#b: c")).contribution]
    )
    asked = wanted(group_by, campaign=campaign, agent=agent)

    def read(first: Cell, last: Cell) -> dict[str, dict[str, int]]:
        rows = [
            (cell.name, amounts)
            for cell, amounts in added.items()
            if cell.scope == first.scope and first.name <= cell.name <= last.name
        ]
        return {name: dict(amounts) for name, amounts in asked.sums(rows).items()}

    group = {
        None: "",
        Grouping.CAMPAIGN: "natal",
        Grouping.AGENT: "a#b: c",
        Grouping.OUTCOME: "venda",
        Grouping.ACTION_TYPE: "oferta",
        Grouping.DAY: "2026-03-02",
    }[group_by]
    expected = {"attempts": 1, "concluded": 1, "timed": 1, "handling_seconds": 360}
    assert read(*asked.figures()) == {group: expected}
    if asked.has_gauges:
        assert read(*asked.gauges()) == {
            group: dict(Gauges(linked=1, not_acted=1).model_dump(exclude_defaults=True))
        }
