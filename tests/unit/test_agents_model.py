"""What wishes and calls make of presence, and of the time that passes."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retorno.agents.model import (
    HELD_STATES,
    MAX_OVER,
    Engagement,
    Hold,
    HoldKind,
    Presence,
    State,
    Stretch,
    Wish,
    asked,
    engagement_of,
    followed,
    held,
    released,
    stretches_of,
    times_of,
)
from retorno.calls.model import CallRules, derive, fold
from retorno.telephony.ports import Direction, Stage
from retorno.times import Period
from tests.support.histories import BEGINNING, History, history

WRAP_UP = timedelta(seconds=30)
AVAILABLE, OFFLINE = Wish(state=State.AVAILABLE), Wish(state=State.OFFLINE)
LUNCH, COFFEE = (Wish(state=State.PAUSED, reason=reason) for reason in ("almoço", "café"))


def at(second: float) -> datetime:
    return BEGINNING + timedelta(seconds=second)


def a_call(call_id: str, began: float, ended: float | None = None) -> Engagement:
    return Engagement("ana", call_id, at(began), None if ended is None else at(ended))


def an_offer(hold_id: str, until: float, kind: HoldKind = HoldKind.OFFER) -> Hold:
    return Hold(hold_id=hold_id, kind=kind, until=at(until))


@dataclass
class Life:
    """An agent's presence, and the stretches that were written of it."""

    presence: Presence = field(default_factory=lambda: Presence(since=BEGINNING))
    written: list[Stretch] = field(default_factory=list)

    def go(self, steps: Iterable[Presence]) -> None:
        moved = [self.presence, *steps]
        self.written += stretches_of(moved)
        self.presence = moved[-1]

    def ask(self, wish: Wish, now: float, *, at_once: bool = False) -> "Life":
        self.go([asked(self.presence, wish, at(now), at_once=at_once)])
        return self

    def follow(self, call: Engagement, now: float, wrap_up: timedelta = WRAP_UP) -> "Life":
        self.go(followed(self.presence, call, wrap_up, at(now)))
        return self

    def hold(self, hold: Hold, now: float) -> "Life":
        """As a reservation does: only who is available is held."""
        available_from = self.presence.available_from
        if available_from is not None and available_from <= at(now):
            self.go([held(self.presence, hold, at(now))])
        return self

    def release(self, hold_id: str, now: float) -> "Life":
        self.go([released(self.presence, hold_id, at(now))])
        return self

    def all(self, now: datetime) -> list[Stretch]:
        return [*self.written, *self.presence.stretches(now)]

    def told(self, now: float) -> list[tuple[str, float]]:
        return [
            (stretch.state, (stretch.end - stretch.begin).total_seconds())
            for stretch in self.all(at(now))
        ]


class TestAsked:
    def test_again_changes_nothing(self) -> None:
        life = Life().ask(LUNCH, 10)
        before = life.presence
        assert life.ask(LUNCH, 20).presence == before
        assert life.ask(COFFEE, 30).presence.since == at(30)

    def test_by_a_clock_that_lags_holds_from_the_last_change_on(self) -> None:
        life = Life().ask(AVAILABLE, 10).ask(LUNCH, 5)
        assert life.told(20) == [("offline", 10), ("paused", 10)]

    def test_during_a_call_waits_for_its_end_and_the_last_word_counts(self) -> None:
        life = Life().ask(AVAILABLE, 0).follow(a_call("c", 10), 10)
        life.ask(OFFLINE, 20).ask(LUNCH, 21)
        assert life.presence.at(at(22)).state is State.BUSY
        life.follow(a_call("c", 10, 40), 40)
        assert life.presence.available_from is None
        assert life.told(100) == [
            ("available", 10),
            ("busy", 30),
            ("wrap_up", 30),
            ("paused", 30),
        ]

    @pytest.mark.parametrize("wish", [AVAILABLE, LUNCH, OFFLINE])
    def test_ends_a_wrap_up(self, wish: Wish) -> None:
        life = Life().ask(AVAILABLE, 0).follow(a_call("c", 10, 20), 20).ask(wish, 25)
        assert life.told(30) == [("available", 10), ("busy", 10), ("wrap_up", 5), (wish.state, 5)]

    def test_at_once_takes_the_calls_for_over(self) -> None:
        life = Life().ask(AVAILABLE, 0).follow(a_call("c", 10), 10)
        life.ask(OFFLINE, 20, at_once=True).ask(AVAILABLE, 30)
        life.follow(a_call("c", 10), 31).follow(a_call("c", 10, 40), 40)
        assert life.told(50) == [
            ("available", 10),
            ("busy", 10),
            ("offline", 10),
            ("available", 20),
        ]


class TestHeld:
    def test_for_a_call_that_comes(self) -> None:
        life = Life().ask(AVAILABLE, 0).hold(an_offer("o", 30), 10).follow(a_call("c", 20), 20)
        assert life.release("o", 25).presence.calls == ("c",)
        life.follow(a_call("c", 20, 40), 40)
        assert life.told(80) == [
            ("available", 10),
            ("on_offer", 10),
            ("busy", 20),
            ("wrap_up", 30),
            ("available", 10),
        ]

    def test_and_released(self) -> None:
        life = Life().ask(AVAILABLE, 0).hold(an_offer("o", 30), 10).release("o", 15)
        assert life.told(20) == [("available", 10), ("on_offer", 5), ("available", 5)]
        assert life.presence.available_from == at(15)

    def test_until_it_ends_by_itself(self) -> None:
        life = Life().ask(AVAILABLE, 0).hold(an_offer("o", 30), 10)
        assert life.presence.available_from == at(30)
        life.release("o", 35)
        assert life.told(40) == [("available", 10), ("on_offer", 20), ("available", 10)]

    def test_outlives_a_call_of_before_that_is_told_late(self) -> None:
        life = Life().ask(AVAILABLE, 0).hold(an_offer("o", 60), 20).follow(a_call("c", 10), 22)
        assert life.presence.at(at(22)).state is State.BUSY
        life.follow(a_call("c", 10, 15), 23)
        assert life.presence.available_from == at(60)
        life.release("o", 30)
        assert life.told(40) == [
            ("available", 20),
            ("on_offer", 10),
            ("available", 10),
        ]

    def test_is_released_in_a_call_of_before(self) -> None:
        life = Life().ask(AVAILABLE, 0).hold(an_offer("o", 60), 20).follow(a_call("c", 10), 22)
        life.release("o", 25).follow(a_call("c", 10, 40), 40)
        assert life.presence.available_from == at(70)

    def test_is_not_released_by_another(self) -> None:
        life = Life().ask(AVAILABLE, 0).hold(an_offer("o", 30), 10).release("o", 15)
        life.hold(an_offer("p", 50), 20).release("o", 21)
        assert life.presence.at(at(22)).state is State.ON_OFFER

    def test_what_is_asked_meanwhile_comes_after_it(self) -> None:
        life = Life().ask(AVAILABLE, 0).hold(an_offer("o", 30), 10).ask(LUNCH, 15)
        assert life.presence.available_from is None
        life.release("o", 20)
        assert life.told(25) == [("available", 10), ("on_offer", 10), ("paused", 5)]

    def test_ends_at_once_for_who_is_sent_home(self) -> None:
        life = Life().ask(AVAILABLE, 0).hold(an_offer("o", 30), 10).ask(OFFLINE, 15, at_once=True)
        assert life.told(20) == [("available", 10), ("on_offer", 5), ("offline", 5)]


class TestFollowed:
    def test_brings_back_nobody_who_is_offline(self) -> None:
        life = Life().follow(a_call("c", 10), 10)
        assert life.presence == Presence(since=BEGINNING)

    def test_counts_a_call_that_they_came_back_in(self) -> None:
        life = Life().follow(a_call("c", 10), 10).ask(AVAILABLE, 20)
        assert life.presence.calls == ()
        life.follow(a_call("c", 10, 40), 40)
        assert life.told(50) == [("offline", 20), ("busy", 20), ("wrap_up", 10)]

    def test_an_end_of_long_ago_leaves_no_wrap_up(self) -> None:
        life = Life().ask(AVAILABLE, 0).follow(a_call("c", 10), 500)
        assert life.follow(a_call("c", 10, 20), 501).presence.available_from == at(50)
        assert life.told(600) == [
            ("available", 10),
            ("busy", 10),
            ("wrap_up", 30),
            ("available", 550),
        ]

    def test_a_call_that_was_over_before_the_present_stretch_leaves_it_as_it_is(self) -> None:
        life = Life().ask(AVAILABLE, 0).ask(LUNCH, 100)
        before = life.presence
        life.follow(a_call("c", 10), 105)
        assert life.presence.at(at(105)).state is State.BUSY
        life.follow(a_call("c", 10, 20), 106)
        assert life.presence == before.model_copy(update={"over": ("c",)})
        assert life.told(110) == [("available", 100), ("paused", 10)]

    def test_a_call_from_before_the_present_stretch_does_not_cut_it_short(self) -> None:
        life = Life().ask(AVAILABLE, 0).follow(a_call("late", 100, 110), 112)
        before = life.presence
        life.follow(a_call("early", 20, 50), 113)
        assert life.presence.available_from == before.available_from == at(140)
        assert life.presence.since == before.since

    def test_a_clock_that_runs_ahead_makes_nothing_begin_later_than_now(self) -> None:
        life = Life().ask(AVAILABLE, 0).follow(a_call("c", 500), 10)
        assert life.presence.since == at(10)
        assert life.follow(a_call("c", 500, 600), 20).presence.available_from == at(50)

    def test_remembers_so_many_calls_that_are_over(self) -> None:
        life = Life().ask(AVAILABLE, 0)
        for n in range(MAX_OVER + 5):
            life.follow(a_call(f"c{n}", n, n + 1), n + 1)
        assert life.presence.over == tuple(f"c{n}" for n in range(5, MAX_OVER + 5))

    def test_without_a_wrap_up_is_available_at_once(self) -> None:
        life = Life().ask(AVAILABLE, 0).follow(a_call("c", 10, 20), 20, wrap_up=timedelta(0))
        assert life.presence.available_from == at(20)


def engagement(told: History) -> Engagement | None:
    ((call_id, facts),) = fold(told.events).items()
    return engagement_of(derive(call_id, facts, CallRules()))


class TestEngagement:
    @pytest.mark.parametrize("direction", [Direction.INBOUND, Direction.OUTBOUND_AUTO, None])
    def test_begins_with_the_answer(self, direction: Direction | None) -> None:
        told = history("c", direction=direction, agent="ana").at(0, Stage.RINGING)
        assert engagement(told) is None
        assert engagement(told.at(5, Stage.ANSWERED)) == a_call("c", 5)
        assert engagement(told.at(9, Stage.COMPLETED)) == a_call("c", 5, 9)

    def test_of_a_call_dialled_by_hand_begins_with_it(self) -> None:
        told = history("c", direction=Direction.OUTBOUND_MANUAL, agent="ana").at(0, Stage.RINGING)
        assert engagement(told) == a_call("c", 0)
        assert engagement(told.at(9, Stage.NO_ANSWER)) == a_call("c", 0, 9)

    def test_is_nobodys_where_no_agent_is_named(self) -> None:
        assert engagement(history("c", direction=Direction.INBOUND).at(5, Stage.ANSWERED)) is None


wishes = st.sampled_from([AVAILABLE, OFFLINE, LUNCH, COFFEE])
seconds = st.integers(0, 300)
calls = st.builds(
    lambda n, began, talk: a_call(f"c{n}", began, None if talk is None else began + talk),
    st.integers(0, 5),
    seconds,
    st.none() | st.integers(-5, 60),
)
holds = st.tuples(st.sampled_from("xyz"), st.sampled_from(HoldKind), st.integers(1, 40))
wraps = st.sampled_from([timedelta(0), timedelta(seconds=7), WRAP_UP])
moves = st.lists(
    st.tuples(
        st.integers(0, 20),
        st.tuples(wishes, st.booleans())
        | st.tuples(calls, wraps)
        | st.tuples(holds, st.none())
        | st.tuples(st.sampled_from("xyz"), st.none()),
    ),
    max_size=40,
)


def lived(moves: list[tuple[int, tuple[object, object]]]) -> tuple[Life, float]:
    """A life of moves, each so many seconds after the one before, and when it is."""
    life, now = Life(), 0
    for later, (what, how) in moves:
        now += later
        if isinstance(what, Wish):
            life.ask(what, now, at_once=bool(how))
        elif isinstance(what, Engagement) and isinstance(how, timedelta):
            life.follow(what, now, how)
        elif isinstance(what, tuple):
            hold_id, kind, seconds = what
            life.hold(an_offer(hold_id, now + seconds, kind), now)
        elif isinstance(what, str):
            life.release(what, now)
    return life, now


@given(moves, seconds)
def test_time_is_told_without_gap_or_overlap(
    moves: list[tuple[int, tuple[object, object]]], later: int
) -> None:
    life, now = lived(moves)
    stretches = life.all(at(now + later))
    assert all(stretch.begin < stretch.end for stretch in stretches)
    assert all(one.end == other.begin for one, other in pairwise(stretches))
    if stretches:
        assert (stretches[0].begin, stretches[-1].end) == (BEGINNING, at(now + later))


@given(moves, seconds)
def test_a_queue_lists_who_is_available_from_when_they_are(
    moves: list[tuple[int, tuple[object, object]]], later: int
) -> None:
    life, now = lived(moves)
    moment = at(now + later)
    state, listed_from = life.presence.at(moment).state, life.presence.available_from
    assert (listed_from is not None and listed_from <= moment) == (state is State.AVAILABLE)
    if listed_from is not None and listed_from > moment:
        assert state in (State.WRAP_UP, *HELD_STATES.values())
    assert (state is State.BUSY) == bool(life.presence.calls)
    assert not (life.presence.calls and life.presence.passing)
    assert not set(life.presence.calls) & set(life.presence.over)


@given(moves, seconds, seconds, seconds)
def test_the_sums_are_a_plain_recount(
    moves: list[tuple[int, tuple[object, object]]], later: int, since: int, length: int
) -> None:
    life, now = lived(moves)
    stretches = life.all(at(now + later))
    times = times_of(stretches, Period(at(since), at(since + length)))
    states = [
        next((each for each in stretches if each.begin <= at(second) < each.end), None)
        for second in range(since, since + length)
    ]
    for state in State:
        recounted = sum(each is not None and each.state is state for each in states)
        assert times.seconds[state] == recounted
    reasons = [each.reason for each in states if each and each.state is State.PAUSED]
    assert times.paused_seconds == {reason: reasons.count(reason) for reason in set(reasons)}


@given(
    st.lists(
        st.tuples(st.integers(1, 20), wishes | st.sampled_from(["begins", "ends"])), max_size=40
    )
)
def test_what_is_told_as_it_happens_is_what_was_seen(
    moves: list[tuple[int, Wish | str]],
) -> None:
    """Each second is counted for the state that a look at that second showed."""
    life, now, in_call, seen = Life(), 0, None, []
    for number, (later, what) in enumerate(moves):
        seen += [life.presence.at(at(second)).state for second in range(now, now + later)]
        now += later
        if isinstance(what, Wish):
            life.ask(what, now)
        elif what == "begins" and in_call is None and life.presence.wish != OFFLINE:
            in_call = a_call(f"c{number}", now)
            life.follow(in_call, now)
        elif what == "ends" and in_call is not None:
            life.follow(Engagement("ana", in_call.call_id, in_call.began, at(now)), now)
            in_call = None
    times = times_of(life.all(at(now)), Period())
    assert times.seconds == {state: seen.count(state) for state in State}


@given(
    st.lists(calls, min_size=1, max_size=6, unique_by=lambda call: call.call_id),
    st.randoms(use_true_random=True),
)
def test_calls_that_are_all_over_leave_nobody_in_one(
    calls: list[Engagement], random: object
) -> None:
    """Whatever order their begins and ends are told in, and however often."""
    told = [each for call in calls for each in (call, over(call)) * 2]
    random.shuffle(told)  # type: ignore[attr-defined]
    life = Life().ask(AVAILABLE, 0)
    for each in told:
        life.follow(each, 400)
    assert life.presence.calls == ()
    assert life.presence.available_from is not None


def over(call: Engagement) -> Engagement:
    return Engagement(call.agent, call.call_id, call.began, call.ended or at(390))
