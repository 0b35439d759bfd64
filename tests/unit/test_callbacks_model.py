"""A contact's life, step by step: each told once, twice, late, or by those taken for dead."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retorno.callback_campaigns.model import Campaign, Pace, Result, Waits
from retorno.callbacks.model import (
    AT_REST,
    OPEN,
    Contact,
    Day,
    LoggedDial,
    Miss,
    NumberLog,
    State,
    Wanted,
    asked,
    called_off,
    closed,
    contact_id_of,
    ended,
    freed,
    joined,
    known_to_recovery,
    limit_of,
    line_of_agent,
    line_of_queue,
    not_placed,
    not_rung,
    placed,
    postponed,
    refused,
    reserved,
    watched,
    withdrawn,
)
from retorno.calling_rules.model import Purpose

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NUMBER = "+5511987654321"
CAMPAIGN = Campaign(
    campaign_id="vendas", name="Vendas", monitored_queue="vendas", callback_queue="retorno"
)


def at(minute: float) -> datetime:
    return NOW + timedelta(minutes=minute)


def miss(call_id: str = "in-1", minute: float = 0) -> Miss:
    return Miss(call_id=call_id, number=NUMBER, missed_at=at(minute))


def waiting(*misses: Miss) -> Contact:
    contact = None
    for each in misses or (miss(),):
        contact = joined(contact, each, CAMPAIGN, at(1))
    assert contact
    return contact


def dialled(contact: Contact, minute: float = 2) -> Contact:
    held = reserved(contact, "ana", at(minute))
    return placed(held, held.dial_id or "", f"out-{held.dials}", at(minute), at(minute))


def over(contact: Contact, result: Result, minute: float = 3, pace: Pace = CAMPAIGN) -> Contact:
    return ended(contact, contact.dial_id or "", result, at(minute), pace, at(minute))


def asking(minute: float = 0, **fields: object) -> Wanted:
    known = {"list_name": "queue:vendas", "number": NUMBER, "queue": "vendas"}
    return Wanted(asked_at=at(minute), due_at=at(minute), **{**known, **fields})


def off_the_list(contact: Contact, moment: datetime) -> Contact:
    return called_off(contact, State.CANCELLED, "cancelled", moment)


class TestJoining:
    def test_who_is_missed_oftener_stands_higher(self) -> None:
        ranks = [waiting(*(miss(f"in-{n}") for n in range(count))).rank for count in (1, 2, 3, 4)]
        assert ranks == [3, 2, 1, 1]

    def test_who_asks_stands_highest_and_keeps_the_earlier_place(self) -> None:
        contact = asked(waiting(miss(minute=-5)), asking(10), at(10))
        assert (contact.rank, contact.asked_at, contact.due_at) == (0, at(-5), at(-5))

    def test_a_miss_during_the_call_is_not_won_back_by_it(self) -> None:
        contact = joined(dialled(waiting()), miss("in-2", 2.5), CAMPAIGN, at(2.6))
        after = over(contact, Result.HUMAN)
        assert (after.state, after.reason, after.attempts) == (State.WAITING, "missed", 0)

    def test_a_miss_before_the_call_that_is_told_during_it_is(self) -> None:
        contact = joined(dialled(waiting()), miss("in-2", 1.5), CAMPAIGN, at(2.6))
        assert over(contact, Result.HUMAN).state is State.REACHED

    def test_a_new_miss_begins_anew_and_one_that_opens_again_does_not(self) -> None:
        reached = closed(over(dialled(waiting()), Result.HUMAN), "in-1", State.REACHED, at(4))
        assert joined(reached, miss("in-2", 9), CAMPAIGN, at(9)).attempts == 0
        again = joined(reached, miss("in-1"), CAMPAIGN, at(9))
        assert (again.state, again.attempts, again.due_at) == (State.WAITING, 1, at(9 + 120))

    def test_a_miss_that_is_open_though_its_customer_was_reached_waits_again(self) -> None:
        reached = over(dialled(waiting()), Result.HUMAN)
        again = joined(reached, miss("in-1"), CAMPAIGN, at(9))
        assert (again.state, again.attempts, again.misses) == (State.WAITING, 1, ("in-1",))

    @pytest.mark.parametrize("state", [State.DO_NOT_CALL, State.DISMISSED, State.CANCELLED])
    def test_an_open_miss_that_is_told_again_brings_back_nobody_who_was_taken_off(
        self, state: State
    ) -> None:
        gone = withdrawn(waiting(), state, "x", at(2))
        assert joined(gone, miss("in-1"), CAMPAIGN, at(9)) == gone

    def test_whoever_asks_during_a_call_that_reaches_nobody_waits(self) -> None:
        ringing = closed(dialled(waiting()), "in-1", State.RETURNED, at(2.5))
        assert over(ringing, Result.NO_ANSWER).state is State.RETURNED
        assert over(asked(ringing, asking(2.6), at(2.6)), Result.NO_ANSWER).state is State.WAITING

    def test_a_miss_outlasts_the_time_until_when_somebody_asked(self) -> None:
        wanted = asking(list_name="vendas", until=at(30))
        assert joined(asked(None, wanted, NOW), miss(), CAMPAIGN, at(1)).until is None

    def test_to_be_told_again_of_who_asked_gives_no_more_attempts(self) -> None:
        wanted = asking(call_id="in-7", max_attempts=1)
        blocked = over(dialled(asked(None, wanted, NOW)), Result.BUSY)
        assert blocked.state is State.BLOCKED
        assert asked(blocked, wanted, at(5)) == blocked
        assert asked(blocked, asking(5, call_id="in-8"), at(5)).state is State.WAITING


class TestAppointment:
    LIST = "telemarketing:natal:maria:1"

    def made(self, **fields: object) -> Contact:
        known = {"list_name": self.LIST, "max_attempts": 1}
        return asked(None, asking(0, **{**known, **fields}), at(0))

    def test_waits_for_its_agent_or_in_its_queue(self) -> None:
        assert self.made(agent="ana").line == line_of_agent("ana")
        assert self.made().line == line_of_queue("vendas")

    def test_is_known_by_its_list_whatever_the_number(self) -> None:
        assert contact_id_of(self.LIST, "+551187654321") == self.made().contact_id
        other = self.made(list_name="telemarketing:natal:maria:2")
        assert other.contact_id != self.made().contact_id

    @pytest.mark.parametrize(
        "left",
        [
            lambda contact: contact,
            dialled,
            lambda contact: over(dialled(contact), Result.HUMAN),
            lambda contact: over(dialled(contact), Result.BUSY),
            lambda contact: off_the_list(contact, at(2)),
            lambda contact: off_the_list(dialled(contact), at(3)),
        ],
    )
    def test_told_again_it_stays_as_it_is(self, left: Callable[[Contact], Contact]) -> None:
        contact = left(self.made())
        again = asking(9, list_name=self.LIST, number="+5511912345678")
        assert asked(contact, again, at(9)) == contact

    def test_nobody_is_dialled_for_one_that_is_called_off(self) -> None:
        for contact in (self.made(), over(dialled(self.made()), Result.BUSY)):
            assert off_the_list(contact, at(4)).state is State.CANCELLED

    @pytest.mark.parametrize(
        ("end", "state"),
        [
            (lambda contact: over(contact, Result.HUMAN), State.REACHED),
            (lambda contact: over(contact, Result.NO_ANSWER), State.CANCELLED),
            (lambda contact: not_rung(contact, contact.dial_id or "", at(3)), State.CANCELLED),
        ],
    )
    def test_a_call_that_goes_on_as_it_is_called_off_is_the_last(
        self, end: Callable[[Contact], Contact], state: State
    ) -> None:
        dialling = off_the_list(dialled(self.made(max_attempts=3)), at(3))
        assert dialling.state is State.DIALLING
        assert end(dialling).state is state

    def test_a_call_that_was_not_placed_as_it_was_called_off_is_not_tried_again(self) -> None:
        held = off_the_list(reserved(self.made(), "ana", at(2)), at(2))
        assert not_placed(held, held.dial_id or "", "x", None, at(3)).state is State.CANCELLED

    def test_one_that_is_over_stays_so(self) -> None:
        reached = over(dialled(self.made(max_attempts=3)), Result.HUMAN)
        off = off_the_list(reached, at(5))
        assert (off.state, off_the_list(off, at(6))) == (State.REACHED, off)
        # Its agent notes a voicemail.
        assert over(off, Result.VOICEMAIL, 6).state is State.CANCELLED
        assert over(reached, Result.VOICEMAIL, 6).state is State.WAITING


class TestWantingNoCalls:
    def said(self, contact: Contact, minute: float) -> Contact:
        return called_off(contact, State.DO_NOT_CALL, "customer", at(minute))

    def test_leaves_the_list(self) -> None:
        contact = self.said(waiting(), 3)
        assert (contact.state, contact.reason) == (State.DO_NOT_CALL, "customer")

    def test_during_a_call_leaves_it_after_the_call(self) -> None:
        contact = self.said(dialled(waiting(miss(), miss("in-2"))), 3)
        one_is_over = closed(contact, "in-1", State.DISMISSED, at(4))
        assert over(one_is_over, Result.NO_ANSWER).state is State.DO_NOT_CALL

    def test_does_not_count_against_who_is_reached(self) -> None:
        contact = joined(dialled(waiting()), miss("in-2", 3), CAMPAIGN, at(3))
        assert over(self.said(contact, 4), Result.HUMAN, 5).state is State.REACHED
        assert over(contact, Result.HUMAN, 5).state is State.WAITING

    def test_after_a_call_that_was_a_voicemails_leaves_it(self) -> None:
        reached = self.said(over(dialled(waiting()), Result.HUMAN), 4)
        assert over(reached, Result.VOICEMAIL, 5).state is State.DO_NOT_CALL


class TestDialling:
    def test_the_last_attempt_blocks(self) -> None:
        contact = waiting()
        for _ in range(3):
            contact = over(dialled(contact), Result.NO_ANSWER)
        assert (contact.state, contact.reason, contact.attempts) == (State.BLOCKED, "attempts", 3)
        assert freed(contact, at(9)).attempts == 0

    def test_what_was_not_placed_is_tried_later_and_later(self) -> None:
        contact, waits = waiting(), []
        for _ in range(8):
            held = reserved(contact, "ana", at(2))
            contact = not_placed(held, held.dial_id or "", "busy", None, at(2))
            waits.append((contact.due_at - at(2)).total_seconds())
        assert waits == [30, 60, 120, 240, 480, 900, 900, 900]
        assert (contact.attempts, contact.dials) == (0, 8)

    def test_a_reached_person_who_proves_a_voicemail_is_called_again(self) -> None:
        reached = over(dialled(waiting()), Result.HUMAN)
        again = over(reached, Result.VOICEMAIL, 5)
        assert (again.state, again.attempts, again.due_at) == (State.WAITING, 1, at(5 + 120))
        assert over(again, Result.HUMAN, 6).state is State.REACHED

    def test_who_waits_again_by_then_was_still_reached_by_no_person(self) -> None:
        """The miss is told to be open again before the call is told to have been a voicemail."""
        reached = closed(over(dialled(waiting()), Result.HUMAN), "in-1", State.REACHED, at(4))
        again = joined(reached, miss(), CAMPAIGN, at(5))
        told = over(again, Result.VOICEMAIL, 6)
        assert (told.state, told.result) == (State.WAITING, Result.VOICEMAIL)
        assert (told.due_at, told.attempts) == (again.due_at, again.attempts)

    def test_what_turns_out_of_a_call_before_a_new_beginning_changes_nothing(self) -> None:
        reached = closed(over(dialled(waiting()), Result.HUMAN), "in-1", State.REACHED, at(4))
        anew = joined(reached, miss("in-2", 9), CAMPAIGN, at(9))
        assert over(anew, Result.VOICEMAIL, 10) == anew

    def test_waits_are_those_of_the_result(self) -> None:
        pace = Pace(waits=Waits(busy=1, no_answer=2, voicemail=3, failed=4))
        due = [
            (over(dialled(waiting()), result, 3, pace).due_at - at(3)) / timedelta(minutes=1)
            for result in (Result.BUSY, Result.NO_ANSWER, Result.VOICEMAIL, Result.FAILED)
        ]
        assert due == [1, 2, 3, 4]


Step = Callable[[Contact, str, datetime], Contact]

OF_A_DIAL: dict[str, Step] = {
    "placed": lambda it, dial, now: placed(it, dial, "out", now, now),
    "watched": lambda it, dial, now: watched(it, dial, now, now),
    "not placed": lambda it, dial, now: not_placed(it, dial, "503", None, now),
    "refused": lambda it, dial, now: refused(it, dial, "no number", now),
    **{
        result.value: lambda it, dial, now, result=result: ended(  # type: ignore[misc]
            it, dial, result, now, CAMPAIGN, now
        )
        for result in Result
    },
}
OTHERS: dict[str, Step] = {
    "missed": lambda it, _, now: joined(
        it, Miss(call_id="in-1", number=NUMBER, missed_at=NOW), CAMPAIGN, now
    ),
    "missed again": lambda it, _, now: joined(
        it, Miss(call_id="in-2", number=NUMBER, missed_at=now), CAMPAIGN, now
    ),
    "won back": lambda it, _, now: closed(it, "in-1", State.REACHED, now),
    "returned": lambda it, _, now: closed(it, "in-2", State.RETURNED, now),
    "dismissed": lambda it, _, now: withdrawn(it, State.DISMISSED, "dismissed", now),
    "freed": lambda it, _, now: freed(it, now),
    "put off": lambda it, _, now: postponed(it, now, "gap", now),
    "asked": lambda it, _, now: asked(it, asking(call_id="in-3"), now),
    "known": lambda it, _, now: known_to_recovery(it),
    "called off": lambda it, _, now: off_the_list(it, now),
}


@given(st.lists(st.sampled_from(["reserve", *OF_A_DIAL, *OTHERS]), max_size=40), st.randoms())
def test_whatever_is_told_in_any_order_the_limit_holds(steps: list[str], random: Random) -> None:
    contact, dials = waiting(), [""]
    for minute, step in enumerate(steps):
        before, now = contact, at(minute + 2)
        if step == "reserve":
            if contact.state is State.WAITING and contact.attempts < contact.limit(CAMPAIGN):
                contact = reserved(contact, "ana", now)
                dials.append(contact.dial_id or "")
                assert dials.count(contact.dial_id or "") == 1
        else:
            dial_id = random.choice(dials)
            take = {**OF_A_DIAL, **OTHERS}[step]
            contact = take(contact, dial_id, now)
            assert take(contact, dial_id, now) == contact, "told twice it is told once"
            if step in OF_A_DIAL and dial_id != before.dial_id:
                assert contact == before, "a stale dial changes nothing"
        assert 0 <= contact.attempts <= min(contact.limit(CAMPAIGN), contact.dials)
        is_waiting, is_dialling = contact.state is State.WAITING, contact.state is State.DIALLING
        is_looked_after = is_dialling or not (is_waiting or contact.recovery_knows)
        assert is_looked_after == (contact.leased_until is not None)
        assert not (set(contact.misses) & set(contact.closed))
        if contact.state in AT_REST:
            assert contact.closed_as is None
        if before.state is State.DIALLING and contact.state is not State.DIALLING:
            assert step in OF_A_DIAL, "only what became of the dial ends it"
        if before.state not in OPEN and contact.state in OPEN:
            assert step not in (
                "won back",
                "returned",
                "put off",
                "freed",
                "dismissed",
                "known",
                "called off",
            )


moments = st.integers(-60 * 40, 60 * 40).map(at)


@given(
    st.lists(moments, max_size=6),
    st.lists(moments, max_size=6),
    st.lists(moments, max_size=6),
    st.integers(1, 6),
    st.integers(1, 600),
)
def test_limits_are_those_read_plainly(
    logged: list[datetime],
    by_lists: list[datetime],
    by_people: list[datetime],
    a_day: int,
    gap: int,
) -> None:
    log = NumberLog(
        number_key="k", dials=tuple(LoggedDial(dial_id=str(n), at=t) for n, t in enumerate(logged))
    )
    day = Day(at(-12 * 60), at(12 * 60))
    pace = Pace(max_calls_a_day=a_day, min_gap_minutes=gap)
    found = limit_of(log, by_lists, by_people, day, pace, NOW)

    def today(moments: list[datetime]) -> int:
        return len([each for each in moments if day.begins <= each < day.ends])

    known = [*logged, *by_lists, *by_people]
    if today(by_people) + max(today(logged), today(by_lists)) >= a_day:
        assert found
        assert (found.reason, found.until) == ("calls_a_day", day.ends)
    elif any(each + timedelta(minutes=gap) > NOW for each in known):
        assert found
        assert (found.reason, found.until) == ("gap", max(known) + timedelta(minutes=gap))
    else:
        assert found is None


def test_a_log_forgets_what_is_long_past_and_what_was_no_call() -> None:
    log = NumberLog(number_key="k").with_dial("old", NOW).with_dial("new", at(60 * 51))
    assert [each.dial_id for each in log.dials] == ["new"]
    assert log.without("new").dials == ()
    assert log.without("another") == log


def test_purpose_of_who_asks_is_theirs() -> None:
    assert asked(None, asking(), NOW).purpose is Purpose.REQUESTED_CALLBACK
