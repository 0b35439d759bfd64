"""Asterisk's queue_log: what each line tells, and what becomes of whole calls."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retorno.calls.model import Call, CallRules, Fact, Facts, derive, fold
from retorno.errors import InputTooLarge
from retorno.phone import NumberPlan
from retorno.telephony.asterisk import Asterisk
from retorno.telephony.ports import Direction, Reading, Stage

BEGAN = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NOW = BEGAN + timedelta(hours=1)
PLAN = NumberPlan(area_code="11")
RULES = CallRules(plan=PLAN)

CUSTOMER = "+5511987654321"
COMPANY = "+551133334444"


def line(
    at: int, event: str, *data: object, call: str = "c1", queue: str = "vendas", agent: str = "NONE"
) -> str:
    """A line of the log, `at` seconds after the beginning."""
    epoch = int(BEGAN.timestamp()) + at
    return "|".join(str(field) for field in (epoch, call, queue, agent, event, *data))


def log(*lines: str) -> bytes:
    return "".join(f"{each}\n" for each in lines).encode()


def read(body: bytes, now: datetime = NOW) -> Reading:
    return Asterisk().read(body, PLAN, now)


def facts_of(*bodies: bytes) -> dict[str, Facts]:
    return fold(event for body in bodies for event in read(body).events)


def calls_of(*bodies: bytes) -> dict[str, Call]:
    return {call_id: derive(call_id, facts, RULES) for call_id, facts in facts_of(*bodies).items()}


def call_of(*lines: str) -> Call:
    (call,) = calls_of(log(*lines)).values()
    return call


def seconds(call: Call) -> tuple[float | None, float | None, float | None]:
    return (call.wait_seconds, call.ring_seconds, call.talk_seconds)


def after(at: float) -> datetime:
    return BEGAN + timedelta(seconds=at)


ENTERED = line(0, "ENTERQUEUE", "", "11987654321", 1)
CONNECTED = line(40, "CONNECT", 40, "1772452830.2", 10, agent="Ana")
DIALLED = line(0, "OUTDIAL", "11987654321", queue="NONE", agent="Ana")

BUSY_LOG = log(
    line(0, "DID", "1133334444"),
    ENTERED,
    line(30, "RINGNOANSWER", 15000, agent="Bia"),
    CONNECTED,
    line(160, "COMPLETECALLER", 40, 120, 1, agent="Ana"),
    line(0, "CONFIGRELOAD", call="NONE", queue="NONE"),
    line(5, "ENTERQUEUE", "", "21999990001", 2, call="c2"),
    line(65, "EXITWITHTIMEOUT", 1, 2, 60, call="c2"),
    line(65, "ENTERQUEUE", "", "21999990001", 1, call="c2", queue="suporte"),
    line(95, "ABANDON", 1, 1, 30, call="c2", queue="suporte"),
    line(100, "OUTDIAL", "21999990001", call="c3", queue="NONE", agent="Bia"),
    line(130, "OUTCANCEL", "21999990001", "", 30, call="c3", queue="NONE", agent="Bia"),
    line(200, "OUTDIAL", "21999990001", call="c4", queue="NONE", agent="Bia"),
    line(
        300,
        "OUTANSWER",
        "21999990001",
        "COMPLETEAGENT",
        20,
        80,
        call="c4",
        queue="NONE",
        agent="Bia",
    ),
)


class TestQueueCall:
    def test_answered_call_from_its_entry_to_its_end(self) -> None:
        call = call_of(
            line(0, "DID", "1133334444"),
            ENTERED,
            CONNECTED,
            line(160, "COMPLETEAGENT", 40, 120, 1, agent="Ana"),
        )
        assert (call.status, call.end_reason, call.missed) == ("completed", "completeagent", False)
        assert (call.provider, call.direction) == ("asterisk", Direction.INBOUND)
        assert (call.caller, call.callee, call.number) == (CUSTOMER, COMPANY, CUSTOMER)
        assert (call.queue, call.agent) == ("vendas", "Ana")
        assert (call.queued_at, call.ringing_at) == (BEGAN, after(30))
        assert (call.answered_at, call.ended_at) == (after(40), after(160))
        assert seconds(call) == (40, 10, 120)

    @pytest.mark.parametrize(
        ("event", "data"),
        [
            ("COMPLETEAGENT", (40, 120, 1)),
            ("COMPLETECALLER", (40, 120, 1)),
            ("TRANSFER", ("2001", "ramais", 40, 120, 1)),
            ("BLINDTRANSFER", ("2001", "ramais", 40, 120, 1)),
            ("ATTENDEDTRANSFER", ("BRIDGE", "b1", 40, 120, 1)),
        ],
    )
    def test_ends_after_an_answer_are_completed(self, event: str, data: tuple[object, ...]) -> None:
        call = call_of(ENTERED, CONNECTED, line(160, event, *data, agent="Ana"))
        assert (call.status, call.end_reason, call.missed) == (
            "completed",
            event.lower(),
            False,
        )
        assert seconds(call) == (40, 10, 120)

    @pytest.mark.parametrize(
        ("event", "data", "status"),
        [
            ("ABANDON", (1, 1, 25), Stage.CANCELLED),
            ("EXITWITHKEY", (9, 1, 1, 25), Stage.CANCELLED),
            ("EXITWITHTIMEOUT", (1, 1, 25), Stage.NO_ANSWER),
            ("EXITEMPTY", (1, 1, 25), Stage.NO_ANSWER),
            ("JOINEMPTY", (), Stage.FAILED),
            ("FULL", (), Stage.FAILED),
            ("CLOSED", (), Stage.FAILED),
            ("SYSCOMPAT", (), Stage.FAILED),
        ],
    )
    def test_ends_without_an_answer_are_missed(
        self, event: str, data: tuple[object, ...], status: Stage
    ) -> None:
        call = call_of(ENTERED, line(25, event, *data))
        assert (call.status, call.end_reason, call.missed) == (status, event.lower(), True)
        assert seconds(call) == (25, None, None)

    @pytest.mark.parametrize(
        ("event", "data"),
        [
            ("ABANDON", (1, 1, 25)),
            ("EXITWITHKEY", (9, 1, 1, 25)),
            ("EXITWITHTIMEOUT", (1, 1, 25)),
            ("EXITEMPTY", (1, 1, 25)),
        ],
    )
    def test_only_an_entry_tells_when_the_caller_entered(
        self, event: str, data: tuple[object, ...]
    ) -> None:
        call = call_of(line(25, event, *data))
        assert (call.queued_at, call.wait_seconds, call.missed) == (None, None, True)

    def test_a_connection_tells_of_the_ring_before_it(self) -> None:
        call = call_of(CONNECTED)
        assert (call.queued_at, call.ringing_at, call.answered_at) == (None, after(30), after(40))
        assert (call.status, call.agent) == ("answered", "Ana")

    def test_a_completion_tells_of_the_answer_before_it(self) -> None:
        call = call_of(line(160, "COMPLETECALLER", 40, 120, 1, agent="Ana"))
        assert (call.queued_at, call.answered_at, call.ended_at) == (None, after(40), after(160))
        assert (call.status, call.agent, call.missed) == ("completed", "Ana", False)

    def test_a_completion_names_who_answered_and_not_who_was_rung_before(self) -> None:
        rang = line(30, "RINGNOANSWER", 15000, agent="Bia")
        completed = line(160, "COMPLETECALLER", 40, 120, 1, agent="Ana")
        assert call_of(ENTERED, rang, completed).agent == "Ana"

    @pytest.mark.parametrize("event", ["RINGNOANSWER", "RINGCANCELED"])
    def test_a_ring_is_in_milliseconds_and_no_end(self, event: str) -> None:
        call = call_of(ENTERED, line(30, event, 14500, agent="Bia"))
        assert (call.status, call.ringing_at, call.ended_at) == ("ringing", after(15.5), None)

    def test_who_was_rung_in_vain_is_named_until_another_answers(self) -> None:
        rang = line(30, "RINGNOANSWER", 15000, agent="Bia")
        abandoned = call_of(ENTERED, rang, line(35, "ABANDON", 1, 1, 35))
        assert (abandoned.agent, abandoned.missed) == ("Bia", True)
        assert call_of(ENTERED, rang, CONNECTED).agent == "Ana"

    def test_a_caller_who_still_waits_is_queued(self) -> None:
        call = call_of(ENTERED)
        assert (call.status, call.ended_at, call.missed) == ("queued", None, False)

    @pytest.mark.parametrize(
        ("written", "caller", "number", "missed"),
        [
            ("11987654321", CUSTOMER, CUSTOMER, True),
            ("1187654321", CUSTOMER, CUSTOMER, True),
            ("987654321", CUSTOMER, CUSTOMER, True),
            ("0 15 11 98765-4321", CUSTOMER, CUSTOMER, True),
            ('"Maria" <5511987654321>', CUSTOMER, CUSTOMER, True),
            ("sip:+5511987654321@203.0.113.7", CUSTOMER, CUSTOMER, True),
            ("anonymous", "anonymous", None, True),
            ("", None, None, True),
            ("2001", "2001", None, False),
        ],
    )
    def test_the_callers_number_in_any_form(
        self, written: str, caller: str | None, number: str | None, missed: bool
    ) -> None:
        call = call_of(line(0, "ENTERQUEUE", "", written, 1), line(9, "ABANDON", 1, 1, 9))
        assert (call.caller, call.number, call.missed) == (caller, number, missed)


class TestFromQueueToQueue:
    LEFT = line(60, "EXITWITHTIMEOUT", 1, 1, 60)
    ENTERED_NEXT = line(60, "ENTERQUEUE", "", "11987654321", 1, queue="suporte")

    def test_a_caller_who_goes_on_in_the_same_second_still_waits(self) -> None:
        call = call_of(ENTERED, self.LEFT, self.ENTERED_NEXT)
        assert (call.status, call.ended_at, call.missed) == ("queued", None, False)

    def test_a_caller_who_leaves_in_the_second_of_the_entry_is_missed(self) -> None:
        assert call_of(ENTERED, line(0, "EXITEMPTY", 1, 1, 0)).missed

    def test_answered_in_the_next_queue_is_not_missed(self) -> None:
        call = call_of(
            ENTERED,
            self.LEFT,
            self.ENTERED_NEXT,
            line(80, "CONNECT", 20, "1772452870.3", 5, queue="suporte", agent="Ana"),
            line(110, "COMPLETEAGENT", 20, 30, 1, queue="suporte", agent="Ana"),
        )
        assert (call.status, call.agent, call.missed) == ("completed", "Ana", False)
        assert seconds(call) == (80, 5, 30)

    def test_abandoned_in_the_next_queue_is_missed_there(self) -> None:
        call = call_of(
            ENTERED, self.LEFT, self.ENTERED_NEXT, line(90, "ABANDON", 1, 1, 30, queue="suporte")
        )
        assert (call.status, call.ended_at, call.missed) == ("cancelled", after(90), True)
        assert call.wait_seconds == 90

    def test_left_by_the_next_queue_too_is_missed_when_that_ends(self) -> None:
        call = call_of(
            ENTERED,
            self.LEFT,
            self.ENTERED_NEXT,
            line(100, "EXITWITHTIMEOUT", 1, 1, 40, queue="suporte"),
        )
        assert (call.status, call.ended_at, call.missed) == ("no_answer", after(100), True)

    @pytest.mark.parametrize("event", ["JOINEMPTY", "FULL", "CLOSED"])
    def test_a_queue_that_lets_nobody_in_is_left_for_another(self, event: str) -> None:
        turned_away = line(0, event, queue="noite")
        assert call_of(turned_away).missed
        call = call_of(turned_away, line(1, "ENTERQUEUE", "", "11987654321", 1))
        assert (call.status, call.missed) == ("queued", False)

    def test_a_key_may_lead_to_another_queue(self) -> None:
        pressed = line(60, "EXITWITHKEY", 2, 1, 1, 60)
        assert call_of(ENTERED, pressed).missed
        assert not call_of(ENTERED, pressed, self.ENTERED_NEXT).missed


class TestOutgoingCall:
    def test_dialled(self) -> None:
        call = call_of(DIALLED)
        assert (call.status, call.ringing_at) == ("ringing", BEGAN)
        assert (call.direction, call.agent, call.queue) == (
            Direction.OUTBOUND_MANUAL,
            "Ana",
            None,
        )
        assert (call.callee, call.number) == (CUSTOMER, CUSTOMER)

    @pytest.mark.parametrize("ended_by", ["COMPLETEAGENT", "COMPLETECALLER"])
    @pytest.mark.parametrize("before", [(), (DIALLED,)])
    def test_answered_is_told_at_the_end(self, before: tuple[str, ...], ended_by: str) -> None:
        told = line(100, "OUTANSWER", "11987654321", ended_by, 20, 80, queue="NONE", agent="Ana")
        call = call_of(*before, told)
        assert (call.status, call.end_reason) == ("completed", ended_by.lower())
        assert (call.ringing_at, call.answered_at, call.ended_at) == (BEGAN, after(20), after(100))
        assert (call.ring_seconds, call.talk_seconds) == (20, 80)
        assert (call.number, call.agent) == (CUSTOMER, "Ana")

    @pytest.mark.parametrize(
        ("event", "data", "status"),
        [
            ("OUTCANCEL", ("11987654321", "", 30), Stage.CANCELLED),
            ("OUTNOANSWER", ("11987654321", "", 30), Stage.NO_ANSWER),
            ("OUTBUSY", ("11987654321", "", 30), Stage.NO_ANSWER),
            ("OUTCONGESTION", ("11987654321",), Stage.FAILED),
            ("OUTCHANUNAVAIL", ("11987654321",), Stage.FAILED),
        ],
    )
    def test_not_answered(self, event: str, data: tuple[object, ...], status: Stage) -> None:
        call = call_of(DIALLED, line(30, event, *data, queue="NONE", agent="Ana"))
        assert (call.status, call.end_reason) == (status, event.lower())
        assert (call.number, call.ring_seconds, call.talk_seconds) == (CUSTOMER, 30, None)
        assert not call.missed

    def test_a_call_that_no_operator_dialled_is_automatic(self) -> None:
        call = call_of(line(0, "OUTDIAL", "11987654321", queue="NONE"))
        assert (call.direction, call.agent) == (Direction.OUTBOUND_AUTO, None)

    def test_an_extension_is_no_customer(self) -> None:
        call = call_of(line(0, "OUTDIAL", "2001", queue="NONE", agent="Ana"))
        assert (call.callee, call.number, call.internal) == ("2001", None, True)


class TestOddLines:
    @pytest.mark.parametrize(
        "event",
        [
            "QUEUESTART",
            "CONFIGRELOAD",
            "ADDMEMBER",
            "REMOVEMEMBER",
            "AGENTLOGIN",
            "AGENTCALLBACKLOGIN",
            "PAUSE",
            "UNPAUSE",
            "PAUSEREASON",
            "INFO",
            "SOMETHINGNEW",
        ],
    )
    def test_configuration_and_presence_are_passed_over(self, event: str) -> None:
        reading = read(log(line(0, event, "almoço", agent="Ana")))
        assert (reading.events, reading.ignored, reading.refusals) == ([], 1, [])

    @pytest.mark.parametrize("nobody", ["NONE", "REALTIME", "MANAGER"])
    def test_a_line_of_no_call_is_passed_over(self, nobody: str) -> None:
        reading = read(log(line(0, "ABANDON", 1, 1, 5, call=nobody), ENTERED))
        assert [event.call_id for event in reading.events] == ["c1"]
        assert (reading.taken, reading.ignored, reading.refusals) == (1, 1, [])

    @pytest.mark.parametrize("nobody", ["NONE", "REALTIME", "MANAGER", ""])
    def test_nobody_is_no_operator_and_no_queue(self, nobody: str) -> None:
        call = call_of(line(0, "ENTERQUEUE", "", "11987654321", 1, queue=nobody, agent=nobody))
        assert (call.queue, call.agent) == (None, None)

    def test_blank_lines_are_passed_over(self) -> None:
        reading = read(b"\n \r\n" + log(ENTERED) + b"\n\n")
        assert (reading.taken, reading.ignored, reading.refusals) == (1, 4, [])

    @pytest.mark.parametrize("body", [b"", b"\n", b"\r\n"])
    def test_a_log_may_be_empty(self, body: bytes) -> None:
        reading = read(body)
        assert (reading.taken, reading.events, reading.refusals) == (0, [], [])

    def test_lines_may_end_as_on_windows(self) -> None:
        assert calls_of(BUSY_LOG.replace(b"\n", b"\r\n")) == calls_of(BUSY_LOG)

    def test_names_may_be_in_latin_1(self) -> None:
        connected = line(40, "CONNECT", 40, "1772452830.2", 10, agent="João da Conceição")
        assert calls_of(f"{connected}\n".encode("latin-1"))["c1"].agent == "João da Conceição"

    def test_each_line_has_its_own_encoding(self) -> None:
        utf_8 = line(40, "CONNECT", 40, "1", 10, agent="João")
        latin_1 = line(40, "CONNECT", 40, "1", 10, call="c2", agent="José")
        calls = calls_of(f"{utf_8}\n".encode() + f"{latin_1}\n".encode("latin-1"))
        assert (calls["c1"].agent, calls["c2"].agent) == ("João", "José")

    def test_names_may_be_long(self) -> None:
        call = call_of(line(40, "CONNECT", 40, "1", 10, queue="q" * 128, agent="é" * 128))
        assert (call.queue, call.agent) == ("q" * 128, "é" * 128)

    def test_names_keep_their_spaces_and_accents(self) -> None:
        assert call_of(line(40, "CONNECT", 40, "1", 10, agent="Bia Ávila")).agent == "Bia Ávila"

    @pytest.mark.parametrize(
        "garbage",
        [
            "hello",
            "|||||",
            "1772452800|c1|vendas|NONE",
            "1772452800|c1|vendas|NONE|",
            "1772452800|c1|vendas|NONE|abandon|1|1|5",
            "1772452800|c 1|vendas|NONE|ABANDON|1|1|5",
            "1772452800|c/1|vendas|NONE|ABANDON|1|1|5",
            "1772452800|c%31|vendas|NONE|ABANDON|1|1|5",
            "1772452800||vendas|NONE|ABANDON|1|1|5",
            "1772452800|" + "c" * 129 + "|vendas|NONE|ABANDON|1|1|5",
            "1772452800123|c1|vendas|NONE|ABANDON|1|1|5",
            "177245280|c1|vendas|NONE|ABANDON|1|1|5",
            "-177245280|c1|vendas|NONE|ABANDON|1|1|5",
            "0946684799|c1|vendas|NONE|ABANDON|1|1|5",
            "1872452800|c1|vendas|NONE|ABANDON|1|1|5",
            "2026-03-02 12:00:00|c1|vendas|NONE|ABANDON|1|1|5",
            line(0, "ENTERQUEUE", "", "1" * 2_000, 1),
            line(0, "ABANDON", 1, 1, 5, queue="q" * 129),
            line(0, "CONNECT", 40, "1", 10, agent="é" * 129),
            "\x00\x01\x02",
        ],
        ids=lambda garbage: repr(garbage[:40]),
    )
    def test_garbage_is_refused_and_the_rest_is_read(self, garbage: str) -> None:
        reading = read(log(ENTERED, garbage, CONNECTED))
        assert calls_of(log(ENTERED, garbage, CONNECTED)) == calls_of(log(ENTERED, CONNECTED))
        (refusal,) = reading.refusals
        assert (refusal.index, refusal.field) == (1, "line")
        assert (reading.taken, reading.refused_payload.decode()) == (2, f"{garbage}\n")

    def test_what_was_refused_can_be_read_again(self) -> None:
        early = line(40, "ABANDON", 1, 1, 40, call="c2")
        reading = read(log(early, ENTERED, "hello"), now=BEGAN - timedelta(days=2))
        assert len(reading.refusals) == 3
        again = read(reading.refused_payload)
        assert {event.call_id for event in again.events} == {"c1", "c2"}
        assert [refusal.index for refusal in again.refusals] == [2]

    @pytest.mark.parametrize("told", [DIALLED, line(5, "FULL")])
    def test_a_line_that_was_refused_is_no_less_whole(self, told: str) -> None:
        early = BEGAN - timedelta(days=2)
        assert read(log(told), now=early).refused_payload == log(told)
        # Whereas what was cut stays cut.
        assert read(told.encode(), now=early).refused_payload == told.encode()

    def test_data_that_is_missing_or_no_number_tells_nothing(self) -> None:
        for data in [(), ("",), ("x", "y", "z"), ("-1", "-1", "-1"), ("9" * 30,) * 3]:
            call = call_of(line(40, "CONNECT", *data, agent="Ana"))
            assert (call.queued_at, call.ringing_at, call.answered_at) == (None, None, after(40))

    def test_more_lines_than_one_post_may_hold_are_refused(self) -> None:
        assert read(log(*[ENTERED] * 10_000)).taken == 10_000
        with pytest.raises(InputTooLarge):
            read(log(*[ENTERED] * 10_001))

    @given(
        st.sampled_from(["ENTERQUEUE", "CONNECT", "COMPLETEAGENT", "ABANDON", "RINGNOANSWER"])
        | st.sampled_from(["OUTDIAL", "OUTANSWER", "OUTCANCEL", "TRANSFER", "DID"]),
        st.lists(st.text() | st.integers().map(str), max_size=6),
    )
    def test_any_data_can_be_read(self, event: str, data: list[str]) -> None:
        call_ids = {event.call_id for event in read(log(line(0, event, *data))).events}
        assert call_ids <= {"c1"}

    @given(st.binary(max_size=200))
    def test_any_bytes_can_be_read(self, body: bytes) -> None:
        assert read(body).taken == 0


class TestDisorder:
    @given(st.permutations(BUSY_LOG.decode().splitlines()))
    def test_any_order_of_the_lines_tells_the_same(self, shuffled: list[str]) -> None:
        assert facts_of(log(*shuffled)) == facts_of(BUSY_LOG)

    @given(st.lists(st.sampled_from(BUSY_LOG.decode().splitlines()), max_size=20))
    def test_lines_told_again_tell_nothing_new(self, again: list[str]) -> None:
        assert facts_of(BUSY_LOG, log(*again)) == facts_of(BUSY_LOG)

    def test_a_log_in_posts_of_any_size_tells_the_same(self) -> None:
        lines = BUSY_LOG.decode().splitlines()
        for size in range(1, len(lines)):
            posts = [log(*lines[at : at + size]) for at in range(0, len(lines), size)]
            random.Random(size).shuffle(posts)
            assert facts_of(*posts) == facts_of(BUSY_LOG)


class TestCutLog:
    def test_the_beginning_of_a_line_is_no_line(self) -> None:
        for end in range(1, ENTERED.index("ENTERQUEUE") + len("ENTERQUEUE")):
            reading = read(log(CONNECTED) + ENTERED[:end].encode())
            assert (reading.taken, [refusal.index for refusal in reading.refusals]) == (1, [1])

    def test_the_end_of_a_line_is_no_line(self) -> None:
        for begin in range(1, len(ENTERED)):
            reading = read(f"{ENTERED[begin:]}\n".encode() + log(CONNECTED))
            assert (reading.taken, [refusal.index for refusal in reading.refusals]) == (1, [0])

    @pytest.mark.parametrize(
        "told",
        [
            DIALLED,
            line(0, "ENTERQUEUE", "", "11987654321", 1),
            line(30, "OUTCANCEL", "11987654321", "", 30, queue="NONE", agent="Ana"),
        ],
    )
    def test_half_a_number_is_never_taken_for_a_number(self, told: str) -> None:
        for end in range(len(told) + 1):
            for call in calls_of(told[:end].encode()).values():
                assert call.number in (None, CUSTOMER)
                assert {call.caller, call.callee} <= {None, CUSTOMER}

    @pytest.mark.parametrize("ended_by", ["COMPLETEAGENT", "COMPLETECALLER"])
    def test_half_a_line_leaves_no_trace_when_it_is_told_whole(self, ended_by: str) -> None:
        told = line(100, "OUTANSWER", "11987654321", ended_by, 20, 80, queue="NONE", agent="Ana")
        whole = facts_of(log(told))
        for end in range(len(told)):
            assert facts_of(told[:end].encode(), log(told)) == whole, told[:end]

    def test_a_letter_may_be_cut_in_two(self) -> None:
        queue_log = log(
            line(0, "OUTDIAL", "11987654321", queue="NONE", agent="João"),
            line(30, "OUTCANCEL", "11987654321", "", 30, call="c2", queue="NONE", agent="José"),
        )
        cut = queue_log.index("é".encode()) + 1
        assert facts_of(queue_log[:cut], queue_log[cut:], queue_log) == facts_of(queue_log)

    def test_a_letter_cut_in_two_does_not_spoil_those_before_it(self) -> None:
        told = line(0, "OUTDIAL", '"José" <11987654321>', queue="NONE", agent="João")
        cut = told.encode().index("é".encode()) + 1
        (facts,) = facts_of(told.encode()[:cut]).values()
        assert facts[Fact.ASSIGNED_AGENT].endswith(" João")

    def test_a_log_cut_anywhere_and_then_told_whole_tells_the_same(self) -> None:
        whole = facts_of(BUSY_LOG)
        for cut in range(len(BUSY_LOG) + 1):
            assert facts_of(BUSY_LOG[:cut], BUSY_LOG[cut:], BUSY_LOG) == whole, cut
