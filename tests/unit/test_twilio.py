"""Twilio Voice: its signature, what each status of each leg means, and whole calls of many legs."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retorno.calls.model import Call, CallRules, derive, fold
from retorno.errors import InvalidInput, NotAuthenticated
from retorno.phone import NumberPlan
from retorno.telephony.ports import AnsweredBy, Direction, Reading, WebhookRequest
from retorno.telephony.twilio import Twilio

BEGAN = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NOW = BEGAN + timedelta(hours=1)
PLAN = NumberPlan()

CUSTOMER = "+5511987654321"
COMPANY = "+551133334444"
MOBILE = "+5511912345678"

Form = dict[str, str]

# --- The legs that Twilio tells of ----------------------------------------------------------------

CALLER: Form = {"CallSid": "CA1", "Direction": "inbound", "From": CUSTOMER, "To": COMPANY}
CLIENT: Form = {"CallSid": "CA2", "Direction": "inbound", "From": "client:ana", "To": ""}
CLIENT_DIALS: Form = {
    "CallSid": "CA2-leg",
    "ParentCallSid": "CA2",
    "Direction": "outbound-dial",
    "From": "client:ana",
    "To": CUSTOMER,
}
AUTOMATIC: Form = {"CallSid": "CA3", "Direction": "outbound-api", "From": COMPANY, "To": CUSTOMER}
MANUAL: Form = {"CallSid": "CA4", "Direction": "outbound-dial", "From": COMPANY, "To": CUSTOMER}


RINGS_MOBILE: Form = {
    "CallSid": "CA1-mobile",
    "ParentCallSid": "CA1",
    "Direction": "outbound-dial",
    "From": COMPANY,
    "To": MOBILE,
}


def operator_leg(operator: str) -> Form:
    return {
        "CallSid": f"CA1-{operator}",
        "ParentCallSid": "CA1",
        "Direction": "outbound-dial",
        "From": CUSTOMER,
        "To": f"client:{operator}",
    }


def told(leg: Form, at: int, status: str, **fields: str) -> Form:
    """A status callback, `at` seconds after the beginning."""
    timestamp = format_datetime(BEGAN + timedelta(seconds=at))
    return {**leg, "CallStatus": status, "Timestamp": timestamp, **fields}


def read(form: Form) -> Reading:
    return Twilio().read(urlencode(form).encode(), PLAN, NOW)


def call_of(*forms: Form) -> Call:
    """The one call that all forms tell of."""
    ((call_id, facts),) = fold(event for form in forms for event in read(form).events).items()
    return derive(call_id, facts, CallRules(plan=PLAN))


def after(at: float) -> datetime:
    return BEGAN + timedelta(seconds=at)


def in_any_order(*forms: Form) -> st.SearchStrategy[list[Form]]:
    """All of the forms, some of them twice."""
    again = st.lists(st.sampled_from(forms), max_size=3)
    return again.flatmap(lambda twice: st.permutations([*forms, *twice]))


class TestSignature:
    URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
    TOKEN = "12345"
    PARAMETERS = (
        "CallSid=CA1234567890ABCDE&Caller=%2B12349013030&Digits=1234"
        "&From=%2B12349013030&To=%2B18005551212"
    )
    # The example of https://www.twilio.com/docs/usage/security#validating-requests
    PUBLISHED = "0/KCTR6DLpKmkAf8muzZqo1nDgQ="

    def verify(self, signature: str, url: str = URL, body: str = PARAMETERS) -> None:
        request = WebhookRequest(url, {"x-twilio-signature": signature}, body.encode())
        Twilio().verify(request, ["another", self.TOKEN], NOW)

    def test_the_published_example_is_taken(self) -> None:
        self.verify(self.PUBLISHED)

    # These signatures are of `RequestValidator` in Twilio's own package, 9.13.0.
    @pytest.mark.parametrize(
        ("signature", "url", "body"),
        [
            (
                "qERtAmzS12GPa6TT11iKcG/MY9A=",
                "https://mycompany.com:1234/myapp.php?foo=1&bar=2",
                PARAMETERS,
            ),
            ("Ypq+VXPywuZieSsITFOUZpGRDLQ=", "https://mycompany.com/myapp.php", PARAMETERS),
            (
                "8SzZmIQzW5BYHxknUlfz52dLGPo=",
                URL,
                "Digits=2&Digits=1&CallSid=CA1234567890ABCDE&Digits=2",
            ),
            ("jWI9eSVl/p6tg7sBmyyL7KS1XaU=", URL, "CallSid=CA1&Digits="),
            (
                "k2AFFdZBEDArkwaTN6r9GuGqqUg=",
                "https://mycompany.com/a",
                "CallSid=CA1&CallerName=Jos%C3%A9+%26+Cia",
            ),
            ("DXyZE1s4gPECATQwskI0TpNWaMk=", "https://mycompany.com/a", "b=1&A=2&a=3&B=4"),
        ],
        ids=["port", "no query", "repeated", "empty", "accents", "case"],
    )
    def test_ports_queries_and_odd_fields(self, signature: str, url: str, body: str) -> None:
        self.verify(signature, url, body)

    @pytest.mark.parametrize(
        ("url", "body"),
        [
            ("http://mycompany.com/myapp.php?foo=1&bar=2", PARAMETERS),
            ("https://mycompany.com/myapp.php?bar=2&foo=1", PARAMETERS),
            ("https://mycompany.com/myapp.php", PARAMETERS),
            (URL, PARAMETERS.replace("1234&", "1235&")),
            (URL, PARAMETERS + "&More=1"),
            (URL, ""),
        ],
    )
    def test_another_address_or_body_is_refused(self, url: str, body: str) -> None:
        with pytest.raises(NotAuthenticated):
            self.verify(self.PUBLISHED, url, body)

    @pytest.mark.parametrize(
        "signature",
        ["", PUBLISHED[:-1], PUBLISHED.lower(), PUBLISHED + "=", "ação", "📞" * 28, "\ud800"],
    )
    def test_another_signature_is_refused(self, signature: str) -> None:
        with pytest.raises(NotAuthenticated, match="X-Twilio-Signature"):
            self.verify(signature)

    def test_another_token_is_refused(self) -> None:
        headers = {"x-twilio-signature": self.PUBLISHED}
        request = WebhookRequest(self.URL, headers, self.PARAMETERS.encode())
        for tokens in ([], ["54321"]):
            with pytest.raises(NotAuthenticated):
                Twilio().verify(request, tokens, NOW)


class TestStatus:
    @pytest.mark.parametrize(
        ("status", "caller", "client", "carried"),
        [
            ("queued", "queued", "queued", "queued"),
            ("initiated", "queued", "queued", "queued"),
            ("ringing", "ringing", "ringing", "ringing"),
            # Only the leg that reaches a person tells of an answer.
            ("in-progress", "queued", "ringing", "answered"),
            ("completed", "cancelled", "no_answer", "completed"),
            ("busy", "no_answer", "no_answer", "no_answer"),
            ("no-answer", "no_answer", "no_answer", "no_answer"),
            ("canceled", "cancelled", "cancelled", "cancelled"),
            ("failed", "failed", "failed", "failed"),
        ],
    )
    def test_means_what_the_leg_makes_of_it(
        self, status: str, caller: str, client: str, carried: str
    ) -> None:
        assert call_of(told(CALLER, 0, status)).status == caller
        assert call_of(told(CLIENT, 0, status)).status == client
        for leg in (AUTOMATIC, MANUAL, CLIENT_DIALS):
            assert call_of(told(leg, 0, status)).status == carried

    @pytest.mark.parametrize(
        ("status", "call_status"),
        [
            ("queued", "queued"),
            ("initiated", "ringing"),
            ("ringing", "ringing"),
            ("in-progress", "answered"),
            ("completed", "queued"),
            ("busy", "queued"),
            ("no-answer", "queued"),
            ("canceled", "queued"),
            ("failed", "queued"),
        ],
    )
    def test_of_an_operators_leg_never_ends_the_callers_call(
        self, status: str, call_status: str
    ) -> None:
        call = call_of(told(operator_leg("ana"), 0, status))
        assert (call.call_id, call.status, call.ended_at) == ("CA1", call_status, None)
        assert call.agent == "ana"

    @pytest.mark.parametrize("status", ["no-answer", "busy", "failed", "canceled"])
    def test_is_kept_as_the_reason_of_the_end(self, status: str) -> None:
        assert call_of(told(AUTOMATIC, 0, status)).end_reason == status

    @given(st.text(), st.sampled_from([CALLER, CLIENT, CLIENT_DIALS, AUTOMATIC, {"CallSid": "CA"}]))
    def test_that_is_not_known_tells_no_stage(self, status: str, leg: Form) -> None:
        call = call_of(told(leg, 0, f"new-{status}"))
        assert (call.status, call.started_at) == ("queued", None)

    @pytest.mark.parametrize("direction", ["", "trunking-originating", "outbound-", "Inbound"])
    def test_is_read_whatever_the_direction(self, direction: str) -> None:
        call = call_of(told({**AUTOMATIC, "Direction": direction}, 0, "no-answer"))
        assert (call.status, call.missed) == ("no_answer", False)


class TestParties:
    @pytest.mark.parametrize(
        ("leg", "direction", "agent"),
        [
            (CALLER, Direction.INBOUND, None),
            (CLIENT_DIALS, Direction.OUTBOUND_MANUAL, "ana"),
            (MANUAL, Direction.OUTBOUND_MANUAL, None),
            (AUTOMATIC, Direction.OUTBOUND_AUTO, None),
        ],
    )
    def test_the_customer_and_the_operator(
        self, leg: Form, direction: Direction, agent: str | None
    ) -> None:
        call = call_of(told(leg, 0, "ringing"))
        assert (call.direction, call.number, call.agent) == (direction, CUSTOMER, agent)

    def test_a_leg_that_rings_a_phone_says_whom_but_not_who_that_is(self) -> None:
        (event,) = read(told(RINGS_MOBILE, 0, "ringing")).events
        assert (event.leg_number, event.number, event.agent) == (MOBILE, None, None)

    def test_an_operators_leg_says_nothing_of_the_customer(self) -> None:
        call = call_of(told(operator_leg("ana"), 0, "ringing"))
        assert (call.direction, call.number, call.caller, call.callee) == (None,) * 4

    @pytest.mark.parametrize(
        ("written", "number"),
        [
            ("+551187654321", CUSTOMER),
            ("sip:+5511987654321@example.sip.twilio.com", CUSTOMER),
            ("+266696687", None),
            ("Anonymous", None),
            ("", None),
            (" ", None),
            ("sip:ana@example.sip.twilio.com", None),
        ],
    )
    def test_the_callers_number_in_any_form(self, written: str, number: str | None) -> None:
        assert call_of(told({**CALLER, "From": written}, 0, "ringing")).number == number

    @pytest.mark.parametrize("written", ["", " "])
    def test_a_blank_caller_is_none(self, written: str) -> None:
        assert call_of(told({**CALLER, "From": written}, 0, "ringing")).caller is None


class TestIncomingCall:
    ENTERS = (
        told(CALLER, 0, "ringing"),
        told(CALLER, 1, "in-progress"),
    )
    ANA_DOES_NOT_ANSWER = (
        told(operator_leg("ana"), 10, "initiated"),
        told(operator_leg("ana"), 11, "ringing"),
        told(operator_leg("ana"), 25, "no-answer"),
    )
    BIA_ANSWERS = (
        told(operator_leg("bia"), 26, "ringing"),
        told(operator_leg("bia"), 30, "in-progress"),
        told(operator_leg("bia"), 90, "completed", CallDuration="60"),
    )
    ENDS = (told(CALLER, 91, "completed", CallDuration="90"),)

    @given(in_any_order(*ENTERS, *ANA_DOES_NOT_ANSWER, *BIA_ANSWERS, *ENDS))
    def test_answered_by_an_operator(self, forms: list[Form]) -> None:
        call = call_of(*forms)
        assert (call.call_id, call.status, call.missed) == ("CA1", "completed", False)
        assert (call.direction, call.number, call.agent) == (Direction.INBOUND, CUSTOMER, "bia")
        assert (call.queued_at, call.answered_at, call.ended_at) == (after(1), after(30), after(91))
        assert (call.wait_seconds, call.talk_seconds) == (29, 61)

    @given(in_any_order(*ENTERS, *ANA_DOES_NOT_ANSWER, *ENDS))
    def test_answered_by_nobody(self, forms: list[Form]) -> None:
        call = call_of(*forms)
        assert (call.status, call.missed, call.agent) == ("cancelled", True, "ana")
        assert (call.answered_at, call.ended_at, call.wait_seconds) == (None, after(91), 90)

    @given(in_any_order(*ENTERS, told(operator_leg("ana"), 10, "in-progress")))
    def test_still_in_talk(self, forms: list[Form]) -> None:
        call = call_of(*forms)
        assert (call.status, call.ended_at, call.missed) == ("answered", None, False)

    def test_an_answer_that_was_lost_is_known_from_the_talk(self) -> None:
        leg_ended = told(operator_leg("ana"), 90, "completed", CallDuration="60")
        call = call_of(*self.ENTERS, leg_ended, *self.ENDS)
        assert (call.status, call.answered_at, call.missed) == ("completed", after(30), False)

    def test_an_answer_that_was_lost_still_names_who_answered(self) -> None:
        leg_ended = told(operator_leg("bia"), 90, "completed", CallDuration="60")
        call = call_of(*self.ENTERS, *self.ANA_DOES_NOT_ANSWER, leg_ended, *self.ENDS)
        assert (call.agent, call.answered_at) == ("bia", after(30))

    @pytest.mark.parametrize(("caller", "number"), [(CUSTOMER, CUSTOMER), ("Anonymous", None)])
    def test_answered_on_an_operators_mobile(self, caller: str, number: str | None) -> None:
        call = call_of(
            told(CALLER | {"From": caller}, 0, "in-progress"),
            told(RINGS_MOBILE, 10, "ringing"),
            told(RINGS_MOBILE, 30, "in-progress"),
            told(RINGS_MOBILE, 90, "completed", CallDuration="60"),
            told(CALLER | {"From": caller}, 91, "completed", CallDuration="91"),
        )
        assert (call.call_id, call.status, call.missed) == ("CA1", "completed", False)
        assert (call.direction, call.number, call.agent) == (Direction.INBOUND, number, None)
        assert (call.answered_at, call.talk_seconds) == (after(30), 61)

    @pytest.mark.parametrize("talk", ["0", "", "x", "-5", "1e3"])
    def test_a_leg_that_never_talked_is_no_answer(self, talk: str) -> None:
        leg_ended = told(operator_leg("ana"), 90, "completed", CallDuration=talk)
        assert call_of(*self.ENTERS, leg_ended, *self.ENDS).missed


class TestClientsCall:
    DIALS = (
        told(CLIENT, 0, "ringing"),
        told(CLIENT, 0, "in-progress"),
        told(CLIENT_DIALS, 1, "initiated"),
        told(CLIENT_DIALS, 3, "ringing"),
    )

    @given(
        in_any_order(
            *DIALS,
            told(CLIENT_DIALS, 12, "in-progress"),
            told(CLIENT_DIALS, 72, "completed", CallDuration="60"),
            told(CLIENT, 73, "completed", CallDuration="73"),
        )
    )
    def test_answered_by_the_customer(self, forms: list[Form]) -> None:
        call = call_of(*forms)
        assert (call.call_id, call.status, call.agent) == ("CA2", "completed", "ana")
        assert (call.direction, call.number) == (Direction.OUTBOUND_MANUAL, CUSTOMER)
        assert (call.answered_at, call.ended_at, call.talk_seconds) == (after(12), after(72), 60)

    # <Dial callerId="…"> shows the customer the company's number, and not the client.
    CALLER_ID = CLIENT_DIALS | {"From": COMPANY}

    @given(
        in_any_order(
            told(CLIENT, 0, "in-progress"),
            told(CALLER_ID, 3, "ringing"),
            told(CALLER_ID, 12, "in-progress"),
            told(CALLER_ID, 72, "completed", CallDuration="60"),
            told(CLIENT, 73, "completed", CallDuration="73"),
        )
    )
    def test_answered_by_the_customer_who_sees_the_company(self, forms: list[Form]) -> None:
        call = call_of(*forms)
        assert (call.call_id, call.status, call.agent) == ("CA2", "completed", "ana")
        assert (call.direction, call.number) == (Direction.OUTBOUND_MANUAL, CUSTOMER)
        assert (call.answered_at, call.ended_at) == (after(12), after(73))

    @given(
        in_any_order(
            *DIALS,
            told(CLIENT_DIALS, 30, "busy"),
            told(CLIENT, 31, "completed", CallDuration="31"),
        )
    )
    def test_not_answered_by_the_customer(self, forms: list[Form]) -> None:
        call = call_of(*forms)
        assert (call.status, call.end_reason, call.missed) == ("no_answer", "busy", False)
        assert (call.number, call.answered_at, call.talk_seconds) == (CUSTOMER, None, None)


class TestAutomaticCall:
    @given(
        in_any_order(
            told(AUTOMATIC, 0, "queued"),
            told(AUTOMATIC, 1, "initiated"),
            told(AUTOMATIC, 4, "ringing"),
            # The answer itself is lost.
            told(AUTOMATIC, 60, "completed", CallDuration="48", AnsweredBy="human"),
        )
    )
    def test_an_answer_that_was_lost_is_known_from_the_talk(self, forms: list[Form]) -> None:
        call = call_of(*forms)
        assert (call.status, call.answered_by) == ("completed", AnsweredBy.HUMAN)
        assert (call.answered_at, call.talk_seconds) == (after(12), 48)

    @pytest.mark.parametrize(
        ("detected", "answered_by"),
        [
            ("human", AnsweredBy.HUMAN),
            ("machine_start", AnsweredBy.VOICEMAIL),
            ("machine_end_beep", AnsweredBy.VOICEMAIL),
            ("machine_end_silence", AnsweredBy.VOICEMAIL),
            ("machine_end_other", AnsweredBy.VOICEMAIL),
            ("fax", AnsweredBy.VOICEMAIL),
            ("unknown", AnsweredBy.UNKNOWN),
            ("something_new", AnsweredBy.UNKNOWN),
            ("", AnsweredBy.UNKNOWN),
        ],
    )
    def test_who_answered_may_be_told_apart_without_number_or_time(
        self, detected: str, answered_by: AnsweredBy
    ) -> None:
        detection = {
            "CallSid": "CA3",
            "AccountSid": "AC1",
            "AnsweredBy": detected,
            "MachineDetectionDuration": "2300",
        }
        answered = [told(AUTOMATIC, 0, "ringing"), told(AUTOMATIC, 9, "in-progress")]
        for forms in ([*answered, detection], [detection, *answered]):
            call = call_of(*forms)
            assert (call.status, call.answered_by) == ("answered", answered_by)
            assert (call.number, call.started_at) == (CUSTOMER, BEGAN)

    def test_a_detection_alone_is_no_answer(self) -> None:
        call = call_of({"CallSid": "CA3", "AnsweredBy": "human"})
        assert (call.status, call.answered_at, call.direction) == ("queued", None, None)


class TestForm:
    @pytest.mark.parametrize(
        ("body", "field"),
        [
            (b"", "CallSid"),
            (b"CallStatus=ringing", "CallSid"),
            (b"CallSid=", "CallSid"),
            (b"CallSid=a+b", "CallSid"),
            (b"CallSid=a/b", "CallSid"),
            (b"CallSid=a%25b", "CallSid"),
            (b"CallSid=%F0%9F%93%9E", "CallSid"),
            (b"CallSid=" + b"A" * 129, "CallSid"),
            (b"CallSid=CA1&ParentCallSid=a+b", "ParentCallSid"),
            (b"CallSid=CA1&From=client:" + b"a" * 122, "From"),
            (b"CallSid=CA1&To=client:" + b"a" * 500_000, "To"),
            (b"CallSid=CA1&Timestamp=yesterday", "Timestamp"),
            (b"CallSid=CA1&Timestamp=2026-03-02T12:00:00Z", "Timestamp"),
            (b"CallSid=CA1&Timestamp=Mon, 02 Mar 2026 25:00:00 %2B0000", "Timestamp"),
            (b"CallSid=CA1&Timestamp=Mon, 02 Mar 2026 12:00:00 %2B" + b"9" * 20, "Timestamp"),
            (b"CallSid=CA1&Timestamp=Fri, 31 Dec 1999 23:59:59 %2B0000", "Timestamp"),
            (b"CallSid=CA1&Timestamp=Wed, 04 Mar 2026 12:00:00 %2B0000", "Timestamp"),
            (b"CallSid=CA1&CallerName=Jos\xe9", "body"),
            (b"CallSid=CA1&CallerName=Jos%E9", "body"),
            (b"CallSid=CA1" + b"&a=1" * 200, "body"),
            (b'{"CallSid": "CA1"}', "CallSid"),
        ],
        ids=lambda value: repr(value[:60]),
    )
    def test_that_cannot_be_read_names_the_field(self, body: bytes, field: str) -> None:
        with pytest.raises(InvalidInput) as refusal:
            Twilio().read(body, PLAN, NOW)
        assert refusal.value.field == field

    @given(st.binary())
    def test_any_bytes_are_read_or_refused(self, body: bytes) -> None:
        with pytest.raises(InvalidInput):
            Twilio().read(body, PLAN, NOW)

    def test_names_may_be_long(self) -> None:
        name = "a" * 121
        call = call_of(told(CLIENT | {"From": f"client:{name}"}, 0, "ringing"))
        assert call.agent == name

    @pytest.mark.parametrize(
        ("form", "unknown"),
        [
            ({"CallStatus": "completed", "AnsweredBy": "machine_start"}, []),
            ({"CallStatus": "", "AnsweredBy": ""}, []),
            ({"CallStatus": "on-hold"}, ["CallStatus=on-hold"]),
            (
                {"CallStatus": "parked", "AnsweredBy": "parrot"},
                ["CallStatus=parked", "AnsweredBy=parrot"],
            ),
        ],
    )
    def test_values_that_twilio_does_not_list_are_named(
        self, form: Form, unknown: list[str]
    ) -> None:
        reading = read({"CallSid": "CA1", **form})
        assert (reading.taken, list(reading.unknown)) == (1, unknown)

    @pytest.mark.parametrize(
        ("query", "call_id"),
        [("", "CA2"), ("?ParentCallSid=CA1", "CA1"), ("?ParentCallSid=CA1&CallSid=CA9", "CA1")],
    )
    def test_is_completed_by_the_address_and_never_contradicted(
        self, query: str, call_id: str
    ) -> None:
        url = f"https://api.example.com/webhooks/twilio/voice{query}"
        request = WebhookRequest(url, {}, b"CallSid=CA2&AnsweredBy=human")
        (event,) = Twilio().read(Twilio().payload(request), PLAN, NOW).events
        assert (event.call_id, event.answered_by) == (call_id, AnsweredBy.HUMAN)

    def test_is_one_entry_whatever_it_tells(self) -> None:
        reading = read(told(AUTOMATIC, 60, "completed", CallDuration="48"))
        assert (reading.taken, reading.ignored, reading.refusals) == (1, 0, ())

    @pytest.mark.parametrize(
        "timestamp",
        [
            "Mon, 02 Mar 2026 12:00:00 +0000",
            "Mon, 02 Mar 2026 09:00:00 -0300",
            "Mon, 02 Mar 2026 12:00:00 GMT",
            "Mon, 02 Mar 2026 12:00:00",
            "2 Mar 2026 12:00:00 -0000",
        ],
    )
    def test_times_are_utc_unless_they_say_otherwise(self, timestamp: str) -> None:
        call = call_of({**AUTOMATIC, "CallStatus": "ringing", "Timestamp": timestamp})
        assert call.ringing_at == BEGAN

    def test_without_a_time_it_happened_when_it_arrived(self) -> None:
        assert call_of({**AUTOMATIC, "CallStatus": "ringing"}).ringing_at == NOW
