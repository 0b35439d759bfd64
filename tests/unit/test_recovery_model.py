"""When a missed customer counts as won back."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retorno.calls.model import Call, CallRules, derive, fold
from retorno.recovery.model import (
    Dismissal,
    Outcome,
    Part,
    RecoveryRules,
    Role,
    State,
    attempts_on,
    outcome_of,
    part_of,
    percentile,
    summarise,
)
from retorno.settings import RecoveryRequires
from retorno.telephony.ports import AnsweredBy, CallEvent, Direction, Stage
from tests.support.histories import BEGINNING, call_events, history, plausible_days
from tests.support.reference import verdicts

RULES = RecoveryRules()
NOW = BEGINNING + timedelta(days=2)
ANA = "+5511987654321"

MINUTE = 60
DAY = 24 * 60 * MINUTE


def derived(events: list[CallEvent]) -> list[Call]:
    return [derive(call_id, facts, CallRules()) for call_id, facts in fold(events).items()]


def missed(call_id: str, ended: float, number: str | None = ANA) -> list[CallEvent]:
    facts = {"direction": Direction.INBOUND, "number": number, "queue": "sales"}
    told = history(call_id, **facts).at(ended - 30, Stage.QUEUED).at(ended, Stage.CANCELLED)
    return told.events


def rang_back(
    call_id: str, dialled: float, *, talk: float = 60, number: str = ANA, **facts: object
) -> list[CallEvent]:
    known = {"direction": Direction.OUTBOUND_MANUAL, "number": number, "agent": "bia", **facts}
    return (
        history(call_id, **known)
        .at(dialled, Stage.RINGING)
        .at(dialled + 10, Stage.ANSWERED)
        .at(dialled + 10 + talk, Stage.COMPLETED)
        .events
    )


def in_vain(call_id: str, dialled: float) -> list[CallEvent]:
    facts = {"direction": Direction.OUTBOUND_MANUAL, "number": ANA, "agent": "bia"}
    told = history(call_id, **facts).at(dialled, Stage.RINGING).at(dialled + 20, Stage.NO_ANSWER)
    return told.events


def came_back(call_id: str, queued: float) -> list[CallEvent]:
    facts = {"direction": Direction.INBOUND, "number": ANA, "agent": "caio"}
    told = history(call_id, **facts).at(queued, Stage.QUEUED).at(queued + 5, Stage.ANSWERED)
    return told.at(queued + 65, Stage.COMPLETED).events


def outcome(
    *calls: list[CallEvent],
    of: str = "m",
    rules: RecoveryRules = RULES,
    now: datetime = NOW,
    dismissal: Dismissal | None = None,
) -> Outcome:
    events = [event for call in calls for event in call]
    parts = [part for call in derived(events) if (part := part_of(call, rules))]
    (miss,) = (part for part in parts if part.call_id == of)
    same_number = [part for part in parts if part.number_key == miss.number_key]
    return outcome_of(miss, same_number, dismissal, rules, now)


class TestRecovered:
    def test_by_an_outbound_call_that_reached_a_person(self) -> None:
        found = outcome(missed("m", 0), rang_back("o", 10 * MINUTE))
        assert found == Outcome(
            state=State.RECOVERED,
            recovered_by="o",
            recovered_by_agent="bia",
            recovered_at=BEGINNING + timedelta(minutes=10, seconds=10),
            recovery_seconds=610,
        )

    def test_not_by_less_talk_than_a_person_takes(self) -> None:
        assert outcome(missed("m", 0), rang_back("o", 60, talk=14)).state is State.OPEN
        assert outcome(missed("m", 0), rang_back("o", 60, talk=15)).state is State.RECOVERED

    def test_not_by_a_machine_however_long_it_talked(self) -> None:
        call = rang_back("o", 60, answered_by=AnsweredBy.VOICEMAIL)
        assert outcome(missed("m", 0), call).state is State.OPEN

    def test_by_an_answer_of_which_the_provider_is_not_sure(self) -> None:
        call = rang_back("o", 60, answered_by=AnsweredBy.UNKNOWN)
        assert outcome(missed("m", 0), call).state is State.RECOVERED

    def test_not_by_a_call_that_began_before_the_miss(self) -> None:
        assert outcome(missed("m", 60), rang_back("o", 59)).state is State.OPEN
        assert outcome(missed("m", 60), rang_back("o", 60)).state is State.RECOVERED

    def test_not_by_a_call_to_somebody_else(self) -> None:
        call = rang_back("o", 60, number="+5511987654322")
        assert outcome(missed("m", 0), call).state is State.OPEN

    def test_never_where_the_number_is_withheld(self) -> None:
        assert outcome(missed("m", 0, None), rang_back("o", 60)).state is State.OPEN

    @pytest.mark.parametrize(
        ("answered", "state"), [(7 * DAY, "recovered"), (7 * DAY + 1, "expired")]
    )
    def test_only_within_the_window(self, answered: float, state: str) -> None:
        late = BEGINNING + timedelta(days=9)
        assert outcome(missed("m", 0), rang_back("o", answered - 10), now=late).state == state

    def test_all_misses_of_the_number_at_once_each_with_its_own_seconds(self) -> None:
        calls = (missed("m", 0), missed("m2", 5 * MINUTE), rang_back("o", 10 * MINUTE))
        assert outcome(*calls, of="m").recovery_seconds == 610
        assert outcome(*calls, of="m2").recovery_seconds == 310

    def test_by_the_earliest_that_reached_the_person(self) -> None:
        calls = (missed("m", 0), rang_back("late", 20 * MINUTE), rang_back("early", 10 * MINUTE))
        assert outcome(*calls).recovered_by == "early"

    def test_a_later_miss_is_a_miss_of_its_own(self) -> None:
        calls = (missed("m", 0), rang_back("o", 60), missed("again", 10 * MINUTE))
        assert outcome(*calls, of="again").state is State.OPEN
        assert outcome(*calls, of="m").state is State.RECOVERED

    @pytest.mark.parametrize(
        ("requires", "state"),
        [
            (RecoveryRequires.PERSON, State.OPEN),
            (RecoveryRequires.ANSWERED, State.OPEN),
            (RecoveryRequires.DIALLED, State.RECOVERED),
        ],
    )
    def test_by_the_dial_alone_only_where_that_counts(
        self, requires: RecoveryRequires, state: State
    ) -> None:
        rules = RecoveryRules(requires=requires)
        assert outcome(missed("m", 0), in_vain("o", 60), rules=rules).state is state

    def test_by_any_answer_where_that_counts(self) -> None:
        rules = RecoveryRules(requires=RecoveryRequires.ANSWERED)
        assert outcome(missed("m", 0), rang_back("o", 60, talk=3), rules=rules).recovered_by == "o"


class TestReturned:
    def test_by_a_later_call_of_the_customer(self) -> None:
        found = outcome(missed("m", 0), came_back("i", 60))
        assert (found.state, found.returned_by, found.recovered_by) == (State.RETURNED, "i", None)

    def test_the_earlier_of_return_and_recovery_counts(self) -> None:
        first_back = (missed("m", 0), came_back("i", 60), rang_back("o", 70))
        first_rung = (missed("m", 0), came_back("i", 80), rang_back("o", 60))
        assert outcome(*first_back).state is State.RETURNED
        assert outcome(*first_rung).state is State.RECOVERED

    def test_not_by_a_call_that_is_missed_again(self) -> None:
        assert outcome(missed("m", 0), missed("m2", 90)).state is State.OPEN


class TestAttempts:
    def test_are_the_calls_that_reached_nobody(self) -> None:
        found = outcome(missed("m", 0), in_vain("a", 60), rang_back("b", 120, talk=5))
        assert (found.state, found.attempts, found.first_attempt_seconds) == (State.OPEN, 2, 60)

    def test_end_with_the_recovery(self) -> None:
        calls = (missed("m", 0), in_vain("a", 60), rang_back("o", 120), in_vain("b", 500))
        found = outcome(*calls)
        assert (found.state, found.attempts) == (State.RECOVERED, 1)

    def test_do_not_count_while_they_ring(self) -> None:
        facts = {"direction": Direction.OUTBOUND_AUTO, "number": ANA}
        ringing = history("a", **facts).at(60, Stage.RINGING).events
        assert outcome(missed("m", 0), ringing).attempts == 0


class TestDismissed:
    DISMISSAL = Dismissal(at=BEGINNING + timedelta(hours=1), by="sofia", reason="wrong number")

    def test_by_a_person(self) -> None:
        assert outcome(missed("m", 0), dismissal=self.DISMISSAL).state is State.DISMISSED

    def test_stays_so_whatever_is_called_after(self) -> None:
        calls = (missed("m", 0), rang_back("o", 2 * 60 * MINUTE))
        assert outcome(*calls, dismissal=self.DISMISSAL).state is State.DISMISSED

    def test_yields_to_a_recovery_before_it_that_was_told_late(self) -> None:
        calls = (missed("m", 0), rang_back("o", 60))
        assert outcome(*calls, dismissal=self.DISMISSAL).state is State.RECOVERED

    def test_ends_the_attempts(self) -> None:
        calls = (missed("m", 0), in_vain("a", 60), in_vain("b", 2 * 60 * MINUTE))
        assert outcome(*calls, dismissal=self.DISMISSAL).attempts == 1


class TestPart:
    @pytest.mark.parametrize(("waited", "short"), [(5, True), (6, False)])
    def test_a_caller_who_hung_up_at_once_is_marked(self, waited: float, short: bool) -> None:
        facts = {"direction": Direction.INBOUND, "number": ANA}
        events = history("m", **facts).at(0, Stage.QUEUED).at(waited, Stage.CANCELLED).events
        part = part_of(derived(events)[0], RULES)
        assert part is not None
        assert (part.role, part.short_abandon) == (Role.MISSED, short)

    def test_a_call_in_progress_plays_none_yet(self) -> None:
        facts = {"direction": Direction.INBOUND, "number": ANA}
        assert part_of(derived(history("c", **facts).at(0, Stage.QUEUED).events)[0], RULES) is None


def check_against_the_rules(events: list[CallEvent], now: datetime) -> None:
    calls = derived(events)
    parts: list[Part] = [part for call in calls if (part := part_of(call, RULES))]
    misses = [part for part in parts if part.role is Role.MISSED]
    wanted = verdicts(calls, now)
    assert {part.call_id for part in misses} == set(wanted)
    for part in misses:
        same_number = [each for each in parts if each.number_key == part.number_key]
        found = outcome_of(part, same_number, None, RULES, now)
        verdict = wanted[part.call_id]
        assert {name: getattr(found, name) for name in vars(verdict)} == vars(verdict)
        assert len(attempts_on(part, same_number, None, RULES)) == verdict.attempts


moments_of_looking = st.sampled_from([NOW, BEGINNING + timedelta(days=9)])


@settings(max_examples=600)
@given(plausible_days, moments_of_looking)
def test_outcomes_are_those_of_the_rules_read_plainly(
    events: list[CallEvent], now: datetime
) -> None:
    check_against_the_rules(events, now)


@given(
    st.lists(call_events(st.sampled_from(["a", "b", "c", "d"])), max_size=16), moments_of_looking
)
def test_outcomes_follow_the_rules_whatever_is_told(events: list[CallEvent], now: datetime) -> None:
    check_against_the_rules(events, now)


class TestSummary:
    def test_counts_by_what_became_of_the_calls(self) -> None:
        states = [State.OPEN, State.RECOVERED, State.RECOVERED, State.RETURNED, State.EXPIRED]
        found = summarise(states, short_abandons=1, recovery_seconds=[10, 30])
        assert (found.missed, found.open, found.recovered, found.returned) == (5, 1, 2, 1)
        assert (found.expired, found.blocked, found.dismissed) == (1, 0, 0)
        assert (found.recovery_rate, found.recovery_seconds_median) == (0.4, 20)

    def test_of_nothing_has_no_rate(self) -> None:
        found = summarise([], short_abandons=0, recovery_seconds=[])
        assert (found.recovery_rate, found.recovery_seconds_p90) == (None, None)

    @pytest.mark.parametrize(
        ("values", "median", "p90"),
        [([7.0], 7, 7), ([1.0, 2.0, 3.0], 2, 2.8), ([float(n) for n in range(1, 12)], 6, 10)],
    )
    def test_percentiles_interpolate_between_ranks(
        self, values: list[float], median: float, p90: float
    ) -> None:
        assert percentile(values, 50) == pytest.approx(median)
        assert percentile(values, 90) == pytest.approx(p90)
