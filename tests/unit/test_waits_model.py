"""How long callers may wait, and what their calls say of how long they did."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from retorno.calendars import Calendar
from retorno.calls.model import CallRules, Fact, closing, derive, fold, merge
from retorno.phone import match_key
from retorno.telephony.ports import AnsweredBy, Direction, Stage
from retorno.waits.compliance import (
    LENGTHS,
    Group,
    Wanted,
    contribution_of,
    length_of,
    longest_of,
    report_of,
)
from retorno.waits.model import (
    CUSTOM,
    MAX_VERSIONS,
    DayType,
    Force,
    Limits,
    Outcome,
    PeakDay,
    Policy,
    QueuePolicy,
    Rulebook,
    Terms,
    Wait,
    Waited,
    begun,
    waited_of,
)
from retorno.waits.profiles import OF_COUNTRY, all_profiles, all_rules
from tests.support.histories import BEGINNING, History, history

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
LISBON = ZoneInfo("Europe/Lisbon")
GENERAL = "br-portaria-2014-2008/general"
FINANCIAL = "br-portaria-2014-2008/financial"
BANKS = Calendar("BR", of_banks=True)


def later(seconds: float) -> datetime:
    return BEGINNING + timedelta(seconds=seconds)


def rulebook(zone: ZoneInfo = SAO_PAULO, country: str = "BR") -> Rulebook:
    return Rulebook(all_rules(), OF_COUNTRY[country], country, zone)


def at(text: str, zone: ZoneInfo = SAO_PAULO) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


class TestProfiles:
    def test_each_country_has_a_rule_of_its_own(self) -> None:
        assert all(
            all_profiles()[rule.partition("/")[0]].country == country
            for country, rule in OF_COUNTRY.items()
        )

    def test_a_rule_is_named_after_its_profile(self) -> None:
        for profile in all_profiles().values():
            assert all(rule.id.startswith(f"{profile.id}/") for rule in profile.rules)

    def test_what_is_no_law_in_force_says_so(self) -> None:
        yardsticks = {rule.id for rule in all_rules().values() if rule.force is Force.YARDSTICK}
        assert yardsticks == {GENERAL, FINANCIAL}


class TestFinancialDays:
    """Of 2026 and 2027, with B3's calendar."""

    @pytest.mark.parametrize(
        ("day", "day_type", "seconds"),
        [
            (date(2026, 3, 3), DayType.WEEKDAY, 45),
            (date(2026, 3, 2), DayType.PEAK, 90),
            # The fifth business day of March, and of January after New Year's Day.
            (date(2026, 3, 6), DayType.PEAK, 90),
            (date(2026, 3, 7), DayType.SATURDAY, 45),
            (date(2026, 3, 8), DayType.SUNDAY, 45),
            (date(2026, 1, 8), DayType.PEAK, 90),
            (date(2026, 1, 7), DayType.WEEKDAY, 45),
            # Tiradentes is a Tuesday, Finados a Monday, Independence Day one, too.
            (date(2026, 4, 20), DayType.PEAK, 90),
            (date(2026, 4, 21), DayType.HOLIDAY, 45),
            (date(2026, 4, 22), DayType.PEAK, 90),
            (date(2026, 11, 2), DayType.HOLIDAY, 45),
            (date(2026, 11, 3), DayType.PEAK, 90),
            # The day before it is a Sunday; the Friday before is no day that precedes it.
            (date(2026, 11, 1), DayType.PEAK, 90),
            (date(2026, 10, 30), DayType.WEEKDAY, 45),
            # Over the year's end: the exchange rests on 31 December, too.
            (date(2026, 12, 30), DayType.PEAK, 90),
            (date(2026, 12, 31), DayType.HOLIDAY, 45),
            (date(2027, 1, 2), DayType.PEAK, 90),
            # Carnival is a holiday of banks, and moves the fifth business day of February 2027.
            (date(2027, 2, 8), DayType.HOLIDAY, 45),
        ],
    )
    def test_are_judged_by_their_type(self, day: date, day_type: DayType, seconds: int) -> None:
        limits = all_rules()[FINANCIAL].limits
        found = limits.type_of(day, BANKS)
        assert (found, limits.on(found)) == (day_type, seconds)

    @given(st.dates(date(2009, 1, 1), date(2040, 12, 31)))
    def test_each_month_has_one_fifth_business_day(self, day: date) -> None:
        only_fifth = Limits(seconds=1, peak_days=frozenset({PeakDay.FIFTH_BUSINESS_DAY}))
        days = [day.replace(day=number) for number in range(1, 29)]
        (fifth,) = [each for each in days if only_fifth.type_of(each, BANKS) is DayType.PEAK]
        business = [each for each in days if BANKS.nth_business_day(each)]
        assert business[4] == fifth
        assert all(each.weekday() < 5 and not BANKS.is_holiday(each) for each in business)


class TestTerms:
    @pytest.mark.parametrize(
        ("began_at", "zone", "day", "day_type"),
        [
            # Sunday to Monday, where the company is.
            (at("2026-03-01T23:59:59.999999"), SAO_PAULO, date(2026, 3, 1), DayType.SUNDAY),
            (at("2026-03-02T00:00:00"), SAO_PAULO, date(2026, 3, 2), DayType.PEAK),
            (at("2026-03-02T02:59:59", UTC), SAO_PAULO, date(2026, 3, 1), DayType.SUNDAY),  # type: ignore[arg-type]
            # Clocks go forward and back on a Sunday at one, so that Monday comes at 23:00 UTC or at
            # midnight.
            (at("2026-03-29T22:59:59", UTC), LISBON, date(2026, 3, 29), DayType.SUNDAY),  # type: ignore[arg-type]
            (at("2026-03-29T23:00:00", UTC), LISBON, date(2026, 3, 30), DayType.PEAK),  # type: ignore[arg-type]
            (at("2026-10-25T23:59:59", UTC), LISBON, date(2026, 10, 25), DayType.SUNDAY),  # type: ignore[arg-type]
            (at("2026-10-26T00:00:00", UTC), LISBON, date(2026, 10, 26), DayType.PEAK),  # type: ignore[arg-type]
        ],
    )
    def test_have_the_day_on_which_the_wait_began_where_the_company_is(
        self, began_at: datetime, zone: ZoneInfo, day: date, day_type: DayType
    ) -> None:
        terms = rulebook(zone).terms(Policy(rule=FINANCIAL), began_at)
        assert (terms.day, terms.day_type) == (day, day_type)

    def test_are_the_stacks_own_where_a_queue_has_none(self) -> None:
        terms = rulebook().terms(None, BEGINNING)
        assert terms == Terms(OF_COUNTRY["BR"], date(2026, 3, 2), DayType.WEEKDAY, None)
        assert rulebook(LISBON, "PT").terms(None, BEGINNING).limit_seconds == 60

    @pytest.mark.parametrize(
        ("more", "day", "day_type"),
        [
            ({}, "2026-07-09", DayType.WEEKDAY),
            ({"state": "SP"}, "2026-07-09", DayType.HOLIDAY),
            ({}, "2026-06-04", DayType.WEEKDAY),
            ({"optional_holidays": True}, "2026-06-04", DayType.HOLIDAY),
        ],
    )
    def test_have_the_holidays_that_the_policy_names(
        self, more: dict[str, Any], day: str, day_type: DayType
    ) -> None:
        limits = Limits(seconds=20, seconds_on={DayType.HOLIDAY: 60})
        terms = rulebook().terms(Policy(limits=limits, **more), at(f"{day}T12:00:00"))
        assert (terms.rule, terms.day_type) == (CUSTOM, day_type)
        assert terms.limit_seconds == (60 if day_type is DayType.HOLIDAY else 20)


class TestPolicy:
    @pytest.mark.parametrize(
        "draft",
        [
            {},
            {"rule": GENERAL, "limits": {"seconds": 20}},
            {"limits": {"seconds": 0}},
            {"limits": {"seconds": 3601}},
            {"limits": {"seconds": 20, "seconds_on": {"peak": 90}}},
            {"limits": {"seconds": 20, "seconds_on": {"someday": 90}}},
            {"limits": {"seconds": 20}, "state": "sp"},
            {"limits": {"seconds": 20}, "queue": "sac"},
        ],
    )
    def test_that_says_nothing_or_too_much_is_none(self, draft: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            Policy.model_validate(draft)

    def test_is_known_for_each_moment_at_which_it_was_in_force(self) -> None:
        first, second = Policy(rule=GENERAL), Policy(rule=FINANCIAL)
        timeline = QueuePolicy(queue="sac")
        for seconds, policy in [(10, first), (20, second), (30, None)]:
            timeline = timeline.changed(policy, "rita", later(seconds))
        assert [timeline.at(later(seconds)) for seconds in (9, 10, 19.9, 20, 29, 30, 99)] == [
            None,
            first,
            first,
            second,
            second,
            None,
            None,
        ]
        assert (timeline.version, timeline.in_force) == (3, None)

    def test_by_a_clock_that_is_behind_is_still_the_later_one(self) -> None:
        first, second = Policy(rule=GENERAL), Policy(rule=FINANCIAL)
        timeline = QueuePolicy(queue="sac").changed(first, "rita", later(10))
        timeline = timeline.changed(second, "rita", later(9))
        assert timeline.at(later(10)) == second

    def test_is_forgotten_at_last(self) -> None:
        timeline = QueuePolicy(queue="sac")
        for seconds in range(MAX_VERSIONS + 5):
            timeline = timeline.changed(Policy(rule=GENERAL), "rita", later(seconds))
        assert len(timeline.timeline) == MAX_VERSIONS
        assert timeline.version == MAX_VERSIONS + 5


def inbound(**facts: object) -> History:
    return history("c1", direction=Direction.INBOUND, queue="sac", **facts)


def waited(told: History, rules: CallRules | None = None) -> Waited | None:
    return waited_of(derive("c1", fold(told.events)["c1"], rules or CallRules()))


class TestWaited:
    """What a call says of its caller's wait."""

    def test_goes_on_until_somebody_answers(self) -> None:
        call = inbound().at(0, Stage.QUEUED)
        assert waited(call) == Waited("sac", "sac", BEGINNING, Outcome.WAITING, None)
        call.at(10, Stage.RINGING)
        assert waited(call) == Waited("sac", "sac", BEGINNING, Outcome.WAITING, None)
        call.at(20, Stage.ANSWERED).at(90, Stage.COMPLETED)
        assert waited(call) == Waited("sac", "sac", BEGINNING, Outcome.ANSWERED, later(20))

    def test_ends_as_the_caller_goes(self) -> None:
        call = inbound().at(0, Stage.QUEUED).at(20, Stage.CANCELLED)
        assert waited(call) == Waited("sac", "sac", BEGINNING, Outcome.LEFT, later(20))

    def test_goes_on_from_queue_to_queue(self) -> None:
        call = inbound().at(0, Stage.QUEUED)
        call.at(50, Stage.NO_ANSWER, leaves_queue=True)
        assert waited(call) == Waited("sac", "sac", BEGINNING, Outcome.LEFT, later(50))
        call.at(50, Stage.QUEUED, queue="sobra")
        assert waited(call) == Waited("sac", "sobra", BEGINNING, Outcome.WAITING, None)
        call.at(70, Stage.ANSWERED)
        assert waited(call) == Waited("sac", "sobra", BEGINNING, Outcome.ANSWERED, later(70))

    def test_with_a_voicemail_is_not_one_with_a_person(self) -> None:
        call = inbound().at(0, Stage.QUEUED)
        call.at(20, Stage.ANSWERED, answered_by=AnsweredBy.VOICEMAIL)
        assert waited(call) == Waited("sac", "sac", BEGINNING, Outcome.LEFT, later(20))

    @pytest.mark.parametrize(
        "call",
        [
            # Talked to, but nobody told since when; and answered before the caller came.
            inbound().at(0, Stage.QUEUED).at(90, Stage.COMPLETED),
            inbound().at(0, Stage.QUEUED).at(-5, Stage.ANSWERED),
        ],
    )
    def test_may_be_of_a_length_that_nobody_knows(self, call: History) -> None:
        assert waited(call) == Waited("sac", "sac", BEGINNING, Outcome.UNKNOWN, None)

    def test_of_a_call_that_was_closed_has_no_known_end(self) -> None:
        facts = fold(inbound().at(0, Stage.QUEUED).events)["c1"]
        closed = merge(facts, closing(facts, timedelta(hours=4)))
        assert Fact.CLOSED in closed
        told = waited_of(derive("c1", closed, CallRules()))
        assert told
        assert (told.outcome, told.ended_at) == (Outcome.UNKNOWN, None)

    @pytest.mark.parametrize(
        "call",
        [
            inbound().at(0, Stage.RINGING).at(9, Stage.ANSWERED),
            history("c1", queue="sac").at(0, Stage.QUEUED),
            history("c1", direction=Direction.OUTBOUND_AUTO, queue="sac").at(0, Stage.QUEUED),
            inbound(number="+551130001000").at(0, Stage.QUEUED),
        ],
    )
    def test_is_none_where_no_customer_came_into_a_queue(self, call: History) -> None:
        rules = CallRules(internal_keys=frozenset({match_key("+551130001000")}))
        assert waited(call, rules) is None


def wait_of(told: Waited, now: datetime, limit: int | None = 60) -> Wait:
    terms = Terms(CUSTOM, date(2026, 3, 2), DayType.WEEKDAY, limit)
    return begun("c1", told, terms, now).told(told, now)


WAITING = Waited("sac", "sac", BEGINNING, Outcome.WAITING, None)


class TestWait:
    @pytest.mark.parametrize(
        ("outcome", "seconds", "breached"),
        [
            (Outcome.ANSWERED, 60, False),
            (Outcome.ANSWERED, 60.000001, True),
            (Outcome.LEFT, 60, False),
            (Outcome.LEFT, 61, True),
        ],
    )
    def test_that_is_over_is_judged_by_its_own_times(
        self, outcome: Outcome, seconds: float, breached: bool
    ) -> None:
        told = Waited("sac", "sac", BEGINNING, outcome, later(seconds))
        for now in (later(61), later(90_000)):
            assert wait_of(told, now).breached is breached

    def test_is_too_long_once_an_answer_would_have_been_told(self) -> None:
        wait = wait_of(WAITING, later(1))
        assert (wait.breached, wait.next_look) == (False, later(62))
        assert not wait.told(WAITING, later(61.9)).breached
        late = wait.told(WAITING, later(62))
        assert (late.breached, late.breached_at, late.next_look) == (True, later(60), None)

    def test_that_is_told_of_late_is_not_judged_before_its_answer_can_be(self) -> None:
        wait = wait_of(WAITING, later(500))
        assert (wait.breached, wait.next_look) == (False, later(502))

    def test_without_a_limit_is_never_too_long(self) -> None:
        wait = wait_of(WAITING, later(1), limit=None)
        assert wait.next_look is None
        assert not wait.told(WAITING, later(9000)).breached

    def test_is_in_time_after_all_where_that_is_told_later(self) -> None:
        late = wait_of(WAITING, later(1)).told(WAITING, later(62))
        answered = WAITING._replace(outcome=Outcome.ANSWERED, ended_at=later(59))
        assert late.told(answered, later(70)).breached_at is None


class TestCounts:
    def counted(self, *waits: Wait) -> Any:
        rows = [
            (cell.name, amounts)
            for wait in waits
            for cell, amounts in contribution_of(wait).items()
            if cell.scope == "waits"
        ]
        return report_of(rows)

    def test_a_day(self) -> None:
        answered = WAITING._replace(outcome=Outcome.ANSWERED)
        left = WAITING._replace(outcome=Outcome.LEFT)
        report = self.counted(
            *[wait_of(answered._replace(ended_at=later(each)), later(99)) for each in (10, 30)],
            *[wait_of(each._replace(ended_at=later(80)), later(99)) for each in (answered, left)],
            wait_of(left._replace(ended_at=later(20)), later(99)),
            wait_of(WAITING._replace(outcome=Outcome.UNKNOWN), later(99)),
            wait_of(WAITING, later(1)).told(WAITING, later(62)),
            # These two wait for a verdict, and are none.
            wait_of(WAITING, later(1)),
            wait_of(WAITING, later(1)).withdrawn(),
        )
        ((group, line),) = report.groups
        assert group == Group("sac", DayType.WEEKDAY, CUSTOM, 60)
        assert line == report.total
        figures = line.figures
        assert figures.model_dump() == {
            "waits": 7,
            "answered": 3,
            "left": 2,
            "unknown": 1,
            "in_time": 2,
            "breaches": 3,
            "left_in_time": 1,
            "waited_seconds": 220,
        }
        assert (figures.share_in_time, figures.average_seconds) == (0.4, 44.0)
        assert 80 <= line.longest_seconds <= 88

    def test_waits_that_are_not_judged_have_no_share(self) -> None:
        answered = WAITING._replace(outcome=Outcome.ANSWERED, ended_at=later(300))
        total = self.counted(wait_of(answered, later(301), limit=None)).total
        assert (total.figures.answered, total.figures.in_time, total.figures.breaches) == (1, 0, 0)
        assert total.figures.share_in_time is None

    def test_queues_may_have_any_name(self) -> None:
        for queue in ("a#b", "", "2026-03-02#peak", "ação", "\U0001f4de"):
            answered = WAITING._replace(
                queue=queue or None, outcome=Outcome.ANSWERED, ended_at=later(3)
            )
            ((group, _),) = self.counted(wait_of(answered, later(4))).groups
            assert group.queue == queue

    @given(st.floats(0, 14_000))
    def test_the_longest_is_said_within_a_tenth_and_never_too_short(self, seconds: float) -> None:
        longest = longest_of(length_of(seconds))
        assert seconds <= longest <= seconds * 1.1 + 2

    def test_what_is_longer_than_all_lengths_is_as_the_last(self) -> None:
        assert length_of(10**9) == LENGTHS - 1

    def test_a_day_is_read_whole_and_alone(self) -> None:
        wanted = Wanted.asked(None, None, date(2026, 3, 2), date(2026, 3, 9))
        first, last = wanted.cells()
        answered = WAITING._replace(outcome=Outcome.ANSWERED, ended_at=later(3))
        wait = wait_of(answered, later(4))
        for day, is_in in [(1, False), (2, True), (3, False)]:
            (name,) = {
                cell.name
                for cell in contribution_of(wait.model_copy(update={"day": date(2026, 3, day)}))
            }
            assert (first.name <= name <= last.name) is is_in
