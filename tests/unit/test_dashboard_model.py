"""What things add to the dashboard's counters, and what may be asked of these."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retorno.agents.model import State as Presence
from retorno.agents.model import Stretch
from retorno.calls.model import CallRules, derive, fold
from retorno.counters.model import Amounts, Cell, Contribution, summed
from retorno.dashboard.figures import NAMES, Figures, Inbound, Operators, Outbound
from retorno.dashboard.model import Grouping, Wanted
from retorno.dashboard.sources import (
    CONTACTS,
    MISSED_NOW,
    OFFERS,
    PROMISES,
    CountingRules,
    of_call,
    of_missed_call,
    of_stretch,
)
from retorno.errors import InvalidInput
from retorno.recovery.model import MissedCall, Outcome, Part, Role, State
from retorno.settings import ServiceLevelOf
from retorno.telephony.ports import (
    ENDED_IN_IVR,
    OPERATOR_NO_ANSWER,
    AnsweredBy,
    Direction,
    Stage,
)
from tests.support.histories import BEGINNING, History, history

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
RULES = CountingRules(zone=SAO_PAULO, service_level_seconds=20, short_abandon_seconds=5)
ALL_DAY = Cell("dashboard", "day#2026-03-02")


def added(told: History) -> Contribution | None:
    (facts,) = fold(told.events).values()
    return of_call(derive("1", facts, CallRules()), RULES)


def figures(told: History) -> Figures:
    contribution = added(told)
    assert contribution is not None
    return Figures.read(contribution[ALL_DAY])


def inbound(**facts: Any) -> History:
    return history("1", direction=Direction.INBOUND, number="+5511987654321", **facts)


def outbound(**facts: Any) -> History:
    return history("1", direction=Direction.OUTBOUND_AUTO, number="+5511987654321", **facts)


def test_a_call_counts_for_all_for_its_queue_and_for_its_operator() -> None:
    told = inbound(queue="vendas", agent="ana").at(0, Stage.QUEUED).at(9, Stage.CANCELLED)
    contribution = added(told)
    assert contribution is not None
    assert set(contribution) == {
        ALL_DAY,
        Cell("dashboard", "hour#2026-03-02T12"),
        Cell("dashboard#queue#vendas", "hour#2026-03-02T12"),
        Cell("dashboard#agent#ana", "hour#2026-03-02T12"),
        Cell("dashboard#by_queue", "2026-03-02#vendas"),
        Cell("dashboard#by_agent", "2026-03-02#ana"),
    }
    assert len({tuple(sorted(amounts.items())) for amounts in contribution.values()}) == 1


def test_a_call_counts_on_the_companys_day() -> None:
    told = inbound().at(15 * 3600, Stage.QUEUED).at(15 * 3600 + 9, Stage.CANCELLED)
    contribution = added(told)
    assert contribution is not None
    assert set(contribution) == {
        Cell("dashboard", "day#2026-03-03"),
        Cell("dashboard", "hour#2026-03-03T03"),
    }


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            inbound().at(0, Stage.QUEUED).at(20, Stage.ANSWERED).at(50, Stage.COMPLETED),
            {
                **{"answered": 1, "queued": 1, "queued_answered": 1, "in_time": 1},
                **{"answered_wait_ms": 20_000, "talked": 1, "talk_ms": 30_000},
            },
        ),
        (
            inbound().at(0, Stage.QUEUED).at(20.001, Stage.ANSWERED).at(50, Stage.COMPLETED),
            {
                **{"answered": 1, "queued": 1, "queued_answered": 1},
                **{"answered_wait_ms": 20_001, "talked": 1, "talk_ms": 29_999},
            },
        ),
        (
            inbound().at(0, Stage.RINGING).at(5, Stage.ANSWERED).at(6.5, Stage.COMPLETED),
            {"answered": 1, "talked": 1, "talk_ms": 1_500},
        ),
        (
            inbound().at(0, Stage.QUEUED).at(5, Stage.CANCELLED),
            {
                **{"abandoned": 1, "short_abandons": 1, "queued": 1},
                **{"queued_abandoned": 1, "abandoned_wait_ms": 5_000},
            },
        ),
        (
            inbound().at(0, Stage.QUEUED).at(6, Stage.CANCELLED),
            {"abandoned": 1, "queued": 1, "queued_abandoned": 1, "abandoned_wait_ms": 6_000},
        ),
        (inbound().at(0, Stage.RINGING).at(5, Stage.CANCELLED), {"abandoned": 1}),
        (inbound().at(0, Stage.QUEUED).at(60, Stage.NO_ANSWER), {"no_answer": 1, "queued": 1}),
        (inbound().at(0, Stage.QUEUED).at(60, Stage.FAILED), {"failed": 1, "queued": 1}),
        (
            inbound().at(0, Stage.QUEUED).at(9, Stage.CANCELLED, reason=ENDED_IN_IVR),
            {"in_menu": 1},
        ),
        (
            inbound()
            .at(0, Stage.QUEUED)
            .at(30, Stage.ANSWERED, answered_by=AnsweredBy.VOICEMAIL)
            .at(40, Stage.COMPLETED),
            {"by_machine": 1, "queued": 1, "talked": 1, "talk_ms": 10_000},
        ),
    ],
)
def test_a_call_that_came_in_is_one_of_its_kinds(told: History, expected: dict[str, int]) -> None:
    found = figures(told).inbound
    counted = found.model_dump(exclude_defaults=True, exclude={"waits"})
    assert counted == {"calls": 1, **expected}
    assert found.waits.total == found.queued
    kinds = (found.answered, found.abandoned, found.no_answer, found.failed)
    assert sum(kinds) + found.by_machine + found.in_menu == found.calls


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            outbound().at(0, Stage.RINGING).at(5, Stage.ANSWERED).at(35, Stage.COMPLETED),
            Outbound(calls=1, answered=1, by_person=1, talked=1, talk_ms=30_000),
        ),
        (
            outbound().at(0, Stage.RINGING).at(5, Stage.ANSWERED).at(15, Stage.COMPLETED),
            Outbound(calls=1, answered=1, by_voicemail=1, talked=1, talk_ms=10_000),
        ),
        (outbound().at(0, Stage.RINGING).at(30, Stage.NO_ANSWER), Outbound(calls=1)),
        (
            outbound().at(0, Stage.RINGING).at(30, Stage.NO_ANSWER, reason=OPERATOR_NO_ANSWER),
            Outbound(operator_no_answer=1),
        ),
    ],
)
def test_a_call_that_went_out(told: History, expected: Outbound) -> None:
    assert figures(told) == Figures(outbound_auto=expected)


def test_a_call_of_no_known_direction_is_a_call() -> None:
    assert figures(history("1").at(0, Stage.FAILED)).undirected.calls == 1


def test_a_call_counts_when_it_is_over() -> None:
    assert added(inbound().at(0, Stage.QUEUED).at(5, Stage.ANSWERED)) is None


def test_the_companys_own_calls_do_not_count() -> None:
    told = history("1", direction=Direction.INBOUND, caller="4001").at(0, Stage.CANCELLED)
    assert added(told) == {}


# --- Missed calls --------------------------------------------------------------------------------


def missed(**outcome: Any) -> Contribution:
    part = Part(
        number_key="+551187654321",
        call_id="1",
        role=Role.MISSED,
        at=BEGINNING,
        queue="vendas",
        short_abandon=True,
    )
    return of_missed_call(MissedCall(part=part, outcome=Outcome(**outcome)), RULES)


def test_an_open_missed_call_stands_open_now() -> None:
    contribution = missed(attempts=2, first_attempt_seconds=100)
    assert contribution[Cell("dashboard", "now")] == {"now_missed_open": 1}
    assert contribution[Cell("dashboard#queue#vendas", "now")] == {"now_missed_open": 1}
    found = Figures.read(contribution[ALL_DAY]).missed
    assert (found.calls, found.short_abandons, found.open) == (1, 1, 1)
    assert (found.attempted, found.attempts, found.first_attempts.total) == (1, 2, 1)


def test_who_won_a_customer_back_is_told_apart_from_who_missed_them() -> None:
    contribution = missed(
        state=State.RECOVERED, recovered_by="2", recovered_by_agent="ana", recovery_seconds=600
    )
    everyone = Figures.read(contribution[ALL_DAY]).missed
    assert (everyone.recovered, everyone.won_back, everyone.recovery_rate) == (1, 1, 1)
    # The first call back reached them.
    assert everyone.first_attempts == everyone.recoveries
    anas = Figures.read(contribution[Cell("dashboard#by_agent", "2026-03-02#ana")]).missed
    assert (anas.calls, anas.won_back) == (0, 1)
    assert Cell("dashboard", "now") not in contribution


def test_every_state_counts_as_one() -> None:
    for state in State:
        found = Figures.read(missed(state=state)[ALL_DAY]).missed
        assert getattr(found, state) == 1
        assert missed(state=state).get(Cell("dashboard", "now"), {}) == (
            MISSED_NOW[state].amounts("now") if state in MISSED_NOW else {}
        )


def test_what_is_counted_has_a_name() -> None:
    counted = [
        *(Figures(offers=each).amounts() for each in OFFERS.values()),
        *(Figures(promises=each).amounts() for each in PROMISES.values()),
        *(each.amounts("now") for each in CONTACTS.values()),
        *missed(state=State.RECOVERED, recovered_by_agent="ana", recovery_seconds=1e9).values(),
    ]
    assert {name for amounts in counted for name in amounts} <= NAMES


# --- Presence ------------------------------------------------------------------------------------


def stretches(
    begin: datetime, end: datetime, state: Presence = Presence.PAUSED
) -> dict[date, Contribution]:
    return of_stretch("ana", Stretch(state, None, begin, end), RULES)


def paused_in(contribution: Contribution, scope: str = "dashboard") -> dict[str, int]:
    return {
        cell.name: amounts["operators_paused_ms"]
        for cell, amounts in contribution.items()
        if cell.scope == scope
    }


def test_time_is_split_by_hour_and_by_day() -> None:
    begin = datetime(2026, 3, 3, 1, 59, 59, 500_000, tzinfo=UTC)
    found = stretches(begin, datetime(2026, 3, 3, 3, 0, 1, tzinfo=UTC))
    assert {day: paused_in(each) for day, each in found.items()} == {
        date(2026, 3, 2): {
            "hour#2026-03-03T01": 500,
            "hour#2026-03-03T02": 3_600_000,
            "day#2026-03-02": 3_600_500,
        },
        date(2026, 3, 3): {"hour#2026-03-03T03": 1_000, "day#2026-03-03": 1_000},
    }


# In the southern summer, to which clocks change and back.
moments = st.integers(0, 150 * 86_400_000).map(
    lambda ms: datetime(2018, 10, 1, tzinfo=UTC) + timedelta(milliseconds=ms, microseconds=ms % 7)
)
zones = st.sampled_from(["America/Sao_Paulo", "Asia/Kathmandu", "Australia/Lord_Howe"])


@given(begin=moments, length=st.timedeltas(timedelta(0), timedelta(days=3)), zone=zones)
def test_no_time_is_lost_or_doubled_and_a_day_can_be_written_at_once(
    begin: datetime, length: timedelta, zone: str
) -> None:
    rules = CountingRules(ZoneInfo(zone), 20, 5)
    stretch = Stretch(Presence.BUSY, None, begin, begin + length)
    found = of_stretch("ana", stretch, rules)
    for part in found.values():
        assert len(part) < 99
    by_name = {
        prefix: sum(
            amounts["operators_busy_ms"]
            for cell, amounts in summed(found.values()).items()
            if cell.scope == "dashboard" and cell.name.startswith(prefix)
        )
        for prefix in ("hour#", "day#")
    }
    assert by_name["hour#"] == by_name["day#"]
    # Each end may lose what is not a whole millisecond.
    assert 0 <= length / timedelta(milliseconds=1) - by_name["day#"] < 2
    for day in found:
        assert begin.astimezone(rules.zone).date() <= day
        assert day <= (begin + length).astimezone(rules.zone).date()


def test_nobody_is_counted_while_offline() -> None:
    assert stretches(BEGINNING, BEGINNING + timedelta(days=9), Presence.OFFLINE) == {}


def test_every_other_state_has_its_counter() -> None:
    for state in set(Presence) - {Presence.OFFLINE}:
        (found,) = stretches(BEGINNING, BEGINNING + timedelta(seconds=1), state).values()
        assert found[ALL_DAY] == {f"operators_{state}_ms": 1000}


def test_occupancy_is_of_the_time_that_operators_are_there_for_calls() -> None:
    spent = Operators(available_ms=50, on_offer_ms=5, dialling_ms=5, busy_ms=30, wrap_up_ms=10)
    assert spent.occupancy == 0.5
    assert spent.model_copy(update={"paused_ms": 1000}).occupancy == 0.5
    assert Operators(paused_ms=1000).occupancy is None


# --- What the counts say -------------------------------------------------------------------------


def test_service_level_has_three_definitions() -> None:
    counted = Inbound(
        calls=10, answered=6, abandoned=4, queued=10, queued_answered=6, in_time=4, short_abandons=2
    )
    assert [counted.service_level_of(each) for each in ServiceLevelOf] == [0.6667, 0.4, 0.5]
    assert (counted.abandonment_rate, counted.abandonment_rate_without_short) == (0.4, 0.25)
    assert [Inbound().service_level_of(each) for each in ServiceLevelOf] == [None] * 3


# --- What may be asked ---------------------------------------------------------------------------

NOW = datetime(2026, 3, 3, 2, 0, tzinfo=UTC)


def asked(**values: Any) -> Wanted:
    given: dict[str, Any] = {
        **dict.fromkeys(("queue", "agent", "since", "until", "zone", "group_by")),
        "own_zone": SAO_PAULO,
        "now": NOW,
        **values,
    }
    return Wanted.asked(**given)


def test_today_is_the_days_of_the_zone() -> None:
    assert asked().cells == (ALL_DAY, ALL_DAY)
    lisbon = asked(zone=ZoneInfo("Europe/Lisbon"))
    assert (lisbon.first, lisbon.last) == (date(2026, 3, 3), date(2026, 3, 3))
    assert [cell.name for cell in lisbon.cells] == ["hour#2026-03-03T00", "hour#2026-03-03T23"]


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        # Clocks go back, and forward, in Lisbon; and forward at midnight in São Paulo.
        (date(2025, 10, 26), ("2025-10-25T23", "2025-10-26T23", "Europe/Lisbon", 25)),
        (date(2026, 3, 29), ("2026-03-29T00", "2026-03-29T22", "Europe/Lisbon", 23)),
        (date(2018, 11, 4), ("2018-11-04T03", "2018-11-05T01", "America/Sao_Paulo", 23)),
    ],
)
def test_a_day_on_which_clocks_change(day: date, hours: tuple[str, str, str, int]) -> None:
    first, last, zone, number = hours
    wanted = asked(since=day, until=day, zone=ZoneInfo(zone), group_by=Grouping.HOUR)
    assert [cell.name for cell in wanted.cells] == [f"hour#{first}", f"hour#{last}"]
    begin = datetime.fromisoformat(f"{first}:00+00:00")
    rows = [
        (f"hour#{(begin + timedelta(hours=each)).isoformat()[:13]}", {"inbound_calls": 1})
        for each in range(number)
    ]
    assert rows[-1][0] == f"hour#{last}"
    groups = wanted.sums(rows)
    # An hour that comes twice is two.
    assert len(groups) == number
    assert list(groups.values()) == [{"inbound_calls": 1}] * number
    assert {group[:10] for group in groups} == {day.isoformat()}


def test_days_of_another_zone_are_put_together_of_hours() -> None:
    wanted = asked(
        since=date(2026, 3, 2),
        until=date(2026, 3, 3),
        zone=ZoneInfo("Asia/Tokyo"),
        group_by=Grouping.DAY,
    )
    rows: list[tuple[str, Amounts]] = [
        ("hour#2026-03-01T15", {"inbound_calls": 1}),
        ("hour#2026-03-02T14", {"inbound_calls": 2}),
        ("hour#2026-03-02T15", {"inbound_calls": 4}),
    ]
    assert wanted.sums(rows) == {
        "2026-03-02": {"inbound_calls": 3},
        "2026-03-03": {"inbound_calls": 4},
    }


def test_names_may_hold_what_divides_names() -> None:
    wanted = asked(group_by=Grouping.QUEUE)
    assert wanted.sums([("2026-03-02#a#b", {"inbound_calls": 1})]) == {"a#b": {"inbound_calls": 1}}


def test_directions_are_told_apart_by_their_counters() -> None:
    amounts = {"inbound_calls": 1, "outbound_auto_calls": 2, "missed_calls": 3}
    assert asked(group_by=Grouping.DIRECTION).sums([("day#2026-03-02", amounts)]) == {
        "inbound": {"inbound_calls": 1},
        "outbound_auto": {"outbound_auto_calls": 2},
    }


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"queue": "vendas", "agent": "ana"}, "agent"),
        ({"queue": "vendas", "group_by": Grouping.AGENT}, "group_by"),
        ({"agent": "ana", "group_by": Grouping.QUEUE}, "group_by"),
        ({"group_by": Grouping.QUEUE, "zone": ZoneInfo("Asia/Tokyo")}, "time_zone"),
        ({"zone": ZoneInfo("Asia/Kolkata")}, "time_zone"),
        ({"own_zone": ZoneInfo("Asia/Kolkata"), "group_by": Grouping.HOUR}, "time_zone"),
        ({"since": date(2026, 3, 3), "until": date(2026, 3, 2)}, "to"),
        ({"since": date(2025, 3, 1)}, "from"),
        ({"since": date(2025, 11, 1), "group_by": Grouping.AGENT}, "from"),
        ({"since": date(2025, 11, 1), "zone": ZoneInfo("Asia/Tokyo")}, "from"),
        ({"since": date(2026, 1, 30), "group_by": Grouping.HOUR}, "from"),
        ({"since": date.min, "until": date.min, "zone": ZoneInfo("Asia/Tokyo")}, "from"),
        ({"since": date.max, "until": date.max, "zone": ZoneInfo("Asia/Tokyo")}, "from"),
    ],
)
def test_what_the_rows_do_not_say_is_refused(values: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        asked(**values)
    assert refusal.value.field == field


def test_a_company_whose_days_begin_at_half_past_has_days() -> None:
    asked(own_zone=ZoneInfo("Asia/Kolkata"), group_by=Grouping.DAY)
    asked(own_zone=ZoneInfo("Asia/Kolkata"), group_by=Grouping.QUEUE)
