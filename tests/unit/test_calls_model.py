"""A call is a merge of facts: the laws of the merge, and what is derived from it."""

from datetime import UTC, datetime, timedelta
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retorno.calls.model import (
    NO_END_EVENT,
    Call,
    CallRules,
    Fact,
    closing,
    derive,
    erasing,
    facts_of,
    first_told,
    fold,
    merge,
    number_key_of,
    number_of,
    register,
)
from retorno.phone import NumberPlan, match_key
from retorno.telephony.ports import ENDED_IN_IVR, AnsweredBy, CallEvent, Direction, Stage
from retorno.times import FIRST
from tests.support.histories import BEGINNING, History, call_events, history

RULES = CallRules()

one_call = st.lists(call_events(st.just("c1")), min_size=1, max_size=8)


def call(events: list[CallEvent], rules: CallRules = RULES) -> Call:
    (facts,) = fold(events).values()
    return derive(events[0].call_id, facts, rules)


def inbound(**facts: object) -> History:
    known: dict[str, object] = {"direction": Direction.INBOUND, "number": "+5511987654321"}
    return history("c1", **known | facts)


class TestMerge:
    @given(one_call, one_call)
    def test_order_does_not_matter(self, one: list[CallEvent], other: list[CallEvent]) -> None:
        assert fold(one + other) == fold(other + one)

    @given(one_call, one_call, one_call)
    def test_grouping_does_not_matter(
        self, first: list[CallEvent], second: list[CallEvent], third: list[CallEvent]
    ) -> None:
        a, b, c = (fold(events)["c1"] for events in (first, second, third))
        assert merge(merge(a, b), c) == merge(a, merge(b, c))

    @given(one_call)
    def test_repetition_does_not_matter(self, events: list[CallEvent]) -> None:
        assert fold(events + events) == fold(events)

    @given(one_call, st.randoms(use_true_random=False))
    def test_shuffled_and_repeated_histories_derive_the_same_call(
        self, events: list[CallEvent], random: object
    ) -> None:
        again = events * 2
        random.shuffle(again)  # type: ignore[attr-defined]
        assert call(again) == call(events)

    def test_the_earliest_event_of_a_stage_counts(self) -> None:
        answered = call(inbound().at(9, Stage.ANSWERED).at(5, Stage.ANSWERED).events)
        assert answered.answered_at == BEGINNING + timedelta(seconds=5)

    def test_the_first_to_say_who_answered_is_right_whoever_was_rung_before(self) -> None:
        events = (
            inbound()
            .at(1, Stage.RINGING, agent="ana")
            .at(5, Stage.RINGING, agent="bia")
            .at(9, Stage.ANSWERED, agent="bia")
            .events
        )
        assert call(events).agent == "bia"
        assert call(events[:2]).agent == "ana"

    def test_calls_are_folded_apart(self) -> None:
        events = [
            *history("c1").at(1, Stage.QUEUED).events,
            *history("c2").at(2, Stage.QUEUED).events,
        ]
        assert set(fold(events)) == {"c1", "c2"}


class TestStatus:
    @pytest.mark.parametrize(
        ("stages", "status"),
        [
            ([Stage.QUEUED], Stage.QUEUED),
            ([Stage.QUEUED, Stage.RINGING], Stage.RINGING),
            ([Stage.QUEUED, Stage.RINGING, Stage.ANSWERED], Stage.ANSWERED),
            ([Stage.QUEUED, Stage.ANSWERED, Stage.COMPLETED], Stage.COMPLETED),
            ([Stage.QUEUED, Stage.CANCELLED], Stage.CANCELLED),
            ([Stage.QUEUED, Stage.NO_ANSWER], Stage.NO_ANSWER),
            ([Stage.RINGING, Stage.FAILED], Stage.FAILED),
            # The answer was lost, but a completed call had one.
            ([Stage.QUEUED, Stage.COMPLETED], Stage.COMPLETED),
            # A technical end after the answer does not take the answer back.
            ([Stage.ANSWERED, Stage.FAILED], Stage.COMPLETED),
        ],
    )
    def test_follows_from_the_stages(self, stages: list[Stage], status: Stage) -> None:
        told = inbound()
        for step, stage in enumerate(stages):
            told.at(10 * step, stage)
        assert call(told.events).status is status

    def test_seconds_are_those_of_each_stage(self) -> None:
        events = (
            inbound()
            .at(0, Stage.QUEUED)
            .at(4, Stage.RINGING)
            .at(10, Stage.ANSWERED)
            .at(130.5, Stage.COMPLETED)
            .events
        )
        answered = call(events)
        assert (answered.wait_seconds, answered.ring_seconds, answered.talk_seconds) == (
            10,
            6,
            120.5,
        )

    def test_an_abandoned_call_waited_until_its_end(self) -> None:
        abandoned = call(inbound().at(0, Stage.QUEUED).at(42, Stage.CANCELLED).events)
        assert (abandoned.wait_seconds, abandoned.talk_seconds) == (42, None)

    def test_facts_that_contradict_each_other_give_no_seconds(self) -> None:
        events = inbound().at(50, Stage.ANSWERED).at(10, Stage.COMPLETED).events
        assert call(events).talk_seconds is None

    @given(one_call)
    def test_seconds_are_never_negative(self, events: list[CallEvent]) -> None:
        derived = call(events)
        seconds = (derived.wait_seconds, derived.ring_seconds, derived.talk_seconds)
        assert all(each is None or each >= 0 for each in seconds)


class TestMissed:
    @pytest.mark.parametrize("stage", [Stage.CANCELLED, Stage.NO_ANSWER, Stage.FAILED])
    def test_an_inbound_call_that_ended_unanswered_is(self, stage: Stage) -> None:
        assert call(inbound().at(0, Stage.QUEUED).at(9, stage).events).missed

    def test_a_call_left_in_voicemail_is(self) -> None:
        events = (
            inbound(answered_by=AnsweredBy.VOICEMAIL)
            .at(0, Stage.ANSWERED)
            .at(9, Stage.COMPLETED)
            .events
        )
        assert call(events).missed

    def test_a_withheld_number_is_missed_all_the_same(self) -> None:
        assert call(inbound(number=None).at(0, Stage.QUEUED).at(9, Stage.CANCELLED).events).missed

    def test_a_call_that_goes_on_is_not(self) -> None:
        assert not call(inbound().at(0, Stage.QUEUED).events).missed

    def test_a_call_that_ended_in_the_menu_is_not(self) -> None:
        assert not call(inbound().at(9, Stage.CANCELLED, reason=ENDED_IN_IVR).events).missed

    def test_an_outbound_call_is_not(self) -> None:
        events = inbound(direction=Direction.OUTBOUND_MANUAL).at(9, Stage.NO_ANSWER).events
        assert not call(events).missed

    @pytest.mark.parametrize("own", ["11 98765-4321", "+551187654321"])
    def test_a_call_of_the_companys_own_number_is_not(self, own: str) -> None:
        number = RULES.plan.parse(own)
        assert number is not None
        rules = CallRules(internal_keys=frozenset({number.match_key}))
        assert not call(inbound().at(9, Stage.CANCELLED).events, rules).missed

    def test_a_call_of_an_extension_is_not(self) -> None:
        events = inbound(number=None, caller="1001").at(9, Stage.CANCELLED).events
        assert not call(events).missed


class TestFromQueueToQueue:
    """A caller who leaves a queue unanswered may be sent on to another."""

    def overflow(self) -> History:
        return (
            inbound()
            .at(0, Stage.QUEUED, queue="sales")
            .at(30, Stage.NO_ANSWER, leaves_queue=True)
            .at(30, Stage.QUEUED, queue="overflow")
        )

    def test_the_call_goes_on(self) -> None:
        waiting = call(self.overflow().events)
        assert (waiting.status, waiting.ended_at) == (Stage.QUEUED, None)

    def test_an_answer_there_is_the_calls_answer(self) -> None:
        events = self.overflow().at(50, Stage.ANSWERED).at(80, Stage.COMPLETED).events
        answered = call(events)
        assert not answered.missed
        assert (answered.queue, answered.wait_seconds, answered.talk_seconds) == ("sales", 50, 30)

    def test_an_abandonment_there_is_the_calls_end(self) -> None:
        abandoned = call(self.overflow().at(70, Stage.CANCELLED, reason="abandon").events)
        assert abandoned.missed
        assert (abandoned.end_reason, abandoned.wait_seconds) == ("abandon", 70)

    def test_leaving_the_last_queue_is_the_calls_end(self) -> None:
        left = call(self.overflow().at(90, Stage.NO_ANSWER, leaves_queue=True).events)
        assert left.missed
        assert left.ended_at == BEGINNING + timedelta(seconds=90)

    def test_leaving_the_only_queue_in_the_second_of_its_entry_is_the_calls_end(self) -> None:
        left = inbound().at(0, Stage.QUEUED).at(0, Stage.NO_ANSWER, leaves_queue=True)
        assert call(left.events).missed


class TestClosing:
    FOUR_HOURS = timedelta(hours=4)

    def test_a_call_that_never_ended_is_closed_by_its_own_times(self) -> None:
        facts = facts_of(inbound().at(0, Stage.QUEUED).events[0])
        closed = derive("c1", merge(facts, closing(facts, self.FOUR_HOURS)), RULES)
        assert (closed.status, closed.end_reason) == (Stage.FAILED, NO_END_EVENT)
        assert closed.ended_at == BEGINNING + self.FOUR_HOURS
        assert closed.missed

    def test_a_call_that_was_answered_is_not_missed_though_its_end_was(self) -> None:
        facts = facts_of(inbound().at(0, Stage.ANSWERED).events[0])
        closed = derive("c1", merge(facts, closing(facts, self.FOUR_HOURS)), RULES)
        assert not closed.missed
        assert closed.talk_seconds is None

    @given(st.integers(1, 100_000))
    def test_the_real_end_counts_for_more_however_late(self, seconds: int) -> None:
        facts = facts_of(inbound().at(0, Stage.QUEUED).events[0])
        end = facts_of(inbound().at(seconds, Stage.CANCELLED).events[0])
        ended = derive("c1", merge(merge(facts, closing(facts, self.FOUR_HOURS)), end), RULES)
        assert ended.status is Stage.CANCELLED
        assert ended.ended_at == BEGINNING + timedelta(seconds=seconds)

    def test_nothing_is_closed_of_which_no_time_is_known(self) -> None:
        event = CallEvent("c1", "twilio", BEGINNING, answered_by=AnsweredBy.HUMAN)
        assert closing(facts_of(event), self.FOUR_HOURS) == {}


def test_each_fact_of_an_event_is_kept_with_its_time() -> None:
    (event,) = inbound(queue="sales", agent="ana").at(0, Stage.ANSWERED).events
    facts = reduce(merge, [facts_of(event)])
    assert facts[Fact.ANSWERING_AGENT] == "2026-03-02T12:00:00.000000Z ana"
    assert facts[Fact.ANSWERED] == "2026-03-02T12:00:00.000000Z"


class TestErasing:
    PSEUDONYM = "erased-5feceb66"

    @given(st.data())
    def test_no_event_brings_the_number_back(self, data: st.DataObject) -> None:
        """Whatever is told before, after and again, in any order."""
        number = "+5511987654321"
        at = datetime(2026, 3, 2, 12, tzinfo=UTC)
        told = [
            {
                Fact.DIRECTION: register(at, "inbound"),
                Fact.NUMBER: register(
                    at + timedelta(seconds=data.draw(st.integers(-9, 9))), number
                ),
                Fact.CALLER: register(at, "(11) 98765-4321"),
                Fact.LEG_NUMBER: register(at, number),
            }
            for _ in range(3)
        ]
        known = told[0]
        erased = merge(known, erasing(known, match_key(number), self.PSEUDONYM, NumberPlan()))
        for facts in data.draw(st.permutations(told)):
            erased = merge(erased, facts)
        assert "8765" not in " ".join(erased.values())
        assert (number_of(erased), number_key_of(erased)) == (self.PSEUDONYM, self.PSEUDONYM)
        assert erasing(erased, match_key(number), self.PSEUDONYM, NumberPlan()).items() <= (
            erased.items()
        )

    def test_leaves_the_companys_own_number(self) -> None:
        at = datetime(2026, 3, 2, 12, tzinfo=UTC)
        known = {
            Fact.DIRECTION: register(at, "inbound"),
            Fact.CALLEE: register(at, "+551130304040"),
        }
        erased = erasing(known, "+551187654321", self.PSEUDONYM, NumberPlan())
        assert erased.keys() == {Fact.NUMBER, Fact.LEG_NUMBER, Fact.CALLER}


def test_a_call_is_kept_from_the_first_that_is_told_of_it() -> None:
    facts = {
        Fact.NUMBER: register(FIRST, "unknown"),
        Fact.QUEUED: register(BEGINNING),
        Fact.REVIEW: register(BEGINNING + timedelta(days=1), "human rita"),
    }
    assert first_told(facts) == BEGINNING
    assert first_told({Fact.NUMBER: register(FIRST, "unknown")}) is None
