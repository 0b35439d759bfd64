"""Amazon Connect: what a snapshot of a contact means, and whole calls of one or many contacts."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retorno.calls.model import Call, CallRules, derive, fold
from retorno.errors import InvalidInput
from retorno.phone import NumberPlan
from retorno.telephony.amazon_connect import AmazonConnect
from retorno.telephony.ports import AnsweredBy, Direction, Reading
from tests.support.connect import CUSTOMER, QUEUE_ID, event, record

BEGAN = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NOW = BEGAN + timedelta(hours=1)
PLAN = NumberPlan()
ANA, BIA = "aaaaaaaa-0000-4000-8000-00000000000a", "bbbbbbbb-0000-4000-8000-00000000000b"

Snapshot = dict[str, Any]


def after(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def read(snapshot: Snapshot) -> Reading:
    return AmazonConnect().read(json.dumps(snapshot).encode(), PLAN, NOW)


def calls_of(*snapshots: Snapshot) -> dict[str, Call]:
    events = [told for snapshot in snapshots for told in read(snapshot).events]
    return {
        call_id: derive(call_id, facts, CallRules(plan=PLAN))
        for call_id, facts in fold(events).items()
    }


def call_of(*snapshots: Snapshot) -> Call:
    """The one call that all snapshots tell of."""
    (call,) = calls_of(*snapshots).values()
    return call


def life(contact_id: str = "c1", **known: Any) -> list[Snapshot]:
    """All events of a contact, each with what was known by then: moments in seconds."""
    moments = {
        "INITIATED": "began",
        "CONNECTED_TO_SYSTEM": "picked_up",
        "QUEUED": "queued",
        "CONNECTED_TO_AGENT": "connected",
        "DISCONNECTED": "ended",
        "COMPLETED": "ended",
    }
    # An agent or a queue is known from its moment on, and why and whom only in the end.
    late = {"disconnectReason", "answeringMachineDetectionStatus"}
    snapshots = []
    for event_type, name in moments.items():
        if name not in known:
            continue
        told = {
            key: value
            for key, value in known.items()
            if key not in late or event_type in ("DISCONNECTED", "COMPLETED")
        }
        by_then: dict[str, Any] = {
            key: after(value)
            for key, value in told.items()
            if key in moments.values() and value <= known[name]
        }
        others = {key: value for key, value in told.items() if key not in moments.values()}
        snapshots.append(event(event_type, contact_id, **by_then, **others))
    return snapshots


def told_badly(*lives: list[Snapshot]) -> st.SearchStrategy[list[Snapshot]]:
    """Of each contact the last event, and of all others some, some twice, in any order."""
    ends = [contact[-1] for contact in lives]
    others = [snapshot for contact in lives for snapshot in contact]
    return st.lists(st.sampled_from(others), max_size=2 * len(others)).flatmap(
        lambda some: st.permutations([*ends, *some])
    )


ANSWERED = life(began=0, queued=10, connected=30, ended=90, disconnectReason="CUSTOMER_DISCONNECT")
ABANDONED = life(began=0, queued=10, ended=50, disconnectReason="CUSTOMER_DISCONNECT")
IN_MENU = life(began=0, ended=8, disconnectReason="CUSTOMER_DISCONNECT")


class TestIncomingCall:
    @given(told_badly(ANSWERED))
    def test_answered_by_an_operator(self, snapshots: list[Snapshot]) -> None:
        call = call_of(*snapshots)
        assert (call.status, call.missed, call.direction) == (
            "completed",
            False,
            Direction.INBOUND,
        )
        assert (call.started_at, call.queued_at) == (BEGAN, after(10))
        assert (call.answered_at, call.ended_at) == (after(30), after(90))
        assert (call.wait_seconds, call.talk_seconds) == (20, 60)
        assert (call.queue, call.agent) == (QUEUE_ID, ANA)
        assert (call.provider, call.end_reason) == ("amazon_connect", "customer_disconnect")
        # Events do not say who the customer is, nor that they hide it.
        assert (call.number, call.caller, call.callee) == (None, None, None)

    @given(told_badly(ABANDONED))
    def test_abandoned_in_the_queue(self, snapshots: list[Snapshot]) -> None:
        call = call_of(*snapshots)
        assert (call.status, call.missed, call.end_reason) == (
            "cancelled",
            True,
            "customer_disconnect",
        )
        assert (call.wait_seconds, call.agent, call.queue) == (40, None, QUEUE_ID)

    @given(told_badly(IN_MENU))
    def test_hung_up_in_the_menu(self, snapshots: list[Snapshot]) -> None:
        call = call_of(*snapshots)
        assert (call.status, call.missed, call.end_reason) == ("cancelled", False, "ended_in_ivr")
        assert (call.started_at, call.ended_at, call.queued_at) == (BEGAN, after(8), None)

    def test_that_the_network_ended_in_the_menu_is_missed(self) -> None:
        call = call_of(*life(began=0, ended=8, disconnectReason="TELECOM_PROBLEM"))
        assert (call.status, call.missed, call.end_reason) == ("failed", True, "telecom_problem")

    def test_that_the_network_ended_in_talk_was_answered(self) -> None:
        call = call_of(
            *life(began=0, queued=1, connected=5, ended=9, disconnectReason="TELECOM_PROBLEM")
        )
        assert (call.status, call.missed) == ("completed", False)

    def test_answered_and_ended_in_the_same_second_has_ended(self) -> None:
        call = call_of(*life(began=0, queued=10, connected=30, ended=30))
        assert (call.status, call.ended_at, call.talk_seconds) == ("completed", after(30), 0)

    def test_goes_on_until_its_end_is_told(self) -> None:
        call = call_of(*ANSWERED[:-2])
        assert (call.status, call.ended_at, call.missed) == ("answered", None, False)

    def test_from_a_browser(self) -> None:
        call = call_of(*life(began=0, queued=1, ended=5, method="WEBRTC_API"))
        assert (call.direction, call.missed) == (Direction.INBOUND, True)

    def test_whose_agent_was_never_connected_is_missed(self) -> None:
        told = event("DISCONNECTED", began=BEGAN, queued=BEGAN, ended=after(9))
        told["detail"]["agentInfo"] = {
            "agentArn": "arn:x/agent/ana",
            "connectedToAgentTimestamp": "1970-01-01T00:00:00.001Z",
        }
        call = call_of(told)
        assert (call.status, call.missed, call.agent) == ("cancelled", True, None)

    def test_of_an_early_form_tells_an_answer_without_its_moment(self) -> None:
        told = event("DISCONNECTED", began=BEGAN, queued=BEGAN, ended=after(9))
        told["detail"]["AgentInfo"] = {"AgentArn": "arn:x/agent/ana"}
        call = call_of(told)
        assert (call.status, call.missed, call.agent) == ("completed", False, "ana")


class TestOutgoingCall:
    REACHED = life(began=0, picked_up=12, connected=13, ended=72, method="OUTBOUND")
    VOICEMAIL = life(
        began=0,
        picked_up=20,
        ended=40,
        method="API",
        answeringMachineDetectionStatus="VOICEMAIL_BEEP",
    )

    @given(told_badly(REACHED))
    def test_answered_by_a_person(self, snapshots: list[Snapshot]) -> None:
        call = call_of(*snapshots)
        assert (call.direction, call.status) == (Direction.OUTBOUND_MANUAL, "completed")
        assert (call.answered_at, call.talk_seconds, call.agent) == (after(12), 60, ANA)
        assert (call.ringing_at, call.queued_at, call.queue) == (BEGAN, None, None)

    @given(told_badly(VOICEMAIL))
    def test_answered_by_a_machine(self, snapshots: list[Snapshot]) -> None:
        call = call_of(*snapshots)
        assert (call.direction, call.status) == (Direction.OUTBOUND_AUTO, "completed")
        assert (call.answered_by, call.got_through) == (AnsweredBy.VOICEMAIL, False)

    @pytest.mark.parametrize(
        ("detection", "status", "answered_by"),
        [
            ("HUMAN_ANSWERED", "completed", AnsweredBy.HUMAN),
            ("VOICEMAIL_BEEP", "completed", AnsweredBy.VOICEMAIL),
            ("VOICEMAIL_NO_BEEP", "completed", AnsweredBy.VOICEMAIL),
            ("FAX_MACHINE_DETECTED", "completed", AnsweredBy.VOICEMAIL),
            ("AMD_UNRESOLVED", "completed", None),
            ("AMD_UNRESOLVED_SILENCE", "completed", None),
            ("AMD_NOT_APPLICABLE", "completed", None),
            ("AMD_ERROR", "completed", None),
            ("AMD_UNANSWERED", "no_answer", None),
            ("SIT_TONE_BUSY", "no_answer", None),
            ("SIT_TONE_INVALID_NUMBER", "failed", None),
            ("SIT_TONE_DETECTED", "failed", None),
        ],
    )
    def test_what_was_detected(
        self, detection: str, status: str, answered_by: AnsweredBy | None
    ) -> None:
        told = event(
            "DISCONNECTED",
            method="API",
            began=BEGAN,
            picked_up=after(5),
            ended=after(30),
            disconnectReason="CUSTOMER_DISCONNECT",
            answeringMachineDetectionStatus=detection,
        )
        call = call_of(told)
        heard = [each.answered_by for each in call.evidence if each.kind == "detection"]
        assert (call.status, heard) == (status, [answered_by] if answered_by else [])
        reason = "customer_disconnect" if status == "completed" else detection.lower()
        assert call.end_reason == reason
        assert read(told).unknown == []

    @pytest.mark.parametrize(
        ("reason", "status"),
        [
            ("TELECOM_UNANSWERED", "no_answer"),
            ("TELECOM_BUSY", "no_answer"),
            ("CUSTOMER_DISCONNECT", "no_answer"),
            ("OTHER", "no_answer"),
            ("AGENT_DISCONNECT", "cancelled"),
            ("TELECOM_ORIGINATOR_CANCEL", "cancelled"),
            ("OUTBOUND_PREVIEW_DISCARDED", "cancelled"),
            ("EXPIRED", "cancelled"),
            ("TELECOM_PROBLEM", "failed"),
            ("TELECOM_NUMBER_INVALID", "failed"),
            ("OUTBOUND_DESTINATION_ENDPOINT_ERROR", "failed"),
            ("OUTBOUND_RESOURCE_ERROR", "failed"),
            ("OUTBOUND_ATTEMPT_FAILED", "failed"),
            ("OUTBOUND_SOMETHING_NEW_ERROR", "failed"),
        ],
    )
    def test_why_nobody_answered(self, reason: str, status: str) -> None:
        call = call_of(*life(began=0, ended=30, method="OUTBOUND", disconnectReason=reason))
        assert (call.status, call.end_reason) == (status, reason.lower())
        assert (call.answered_at, call.missed) == (None, False)

    def test_of_an_operator_who_still_waits_for_an_answer(self) -> None:
        told = event("INITIATED", method="OUTBOUND", began=BEGAN)
        told["detail"]["agentInfo"] = {"agentArn": "arn:x/agent/ana"}
        call = call_of(told)
        assert (call.status, call.agent, call.answered_at) == ("ringing", "ana", None)


class TestManyContacts:
    FIRST = life("c1", began=0, queued=10, connected=30, ended=60)
    SECOND = life(
        "c2",
        began=58,
        queued=60,
        connected=75,
        ended=120,
        method="TRANSFER",
        initial="c1",
        agent=BIA,
    )

    @given(told_badly(FIRST, SECOND))
    def test_a_transferred_call_is_one(self, snapshots: list[Snapshot]) -> None:
        call = call_of(*snapshots)
        assert (call.call_id, call.status, call.missed) == ("c1", "completed", False)
        assert (call.started_at, call.ended_at, call.talk_seconds) == (BEGAN, after(120), 90)
        assert (call.agent, call.queue, call.direction) == (ANA, QUEUE_ID, Direction.INBOUND)

    def test_a_transferred_call_goes_on(self) -> None:
        assert call_of(*self.FIRST).status == "completed"
        call = call_of(*self.FIRST, *self.SECOND[:2])
        assert (call.status, call.ended_at) == ("answered", None)

    def test_of_a_call_whose_begin_is_not_known_a_transfer_is_none(self) -> None:
        call = call_of(*self.SECOND)
        assert (call.call_id, call.ringing_at, call.started_at) == ("c1", None, after(60))

    @given(
        told_badly(
            TestOutgoingCall.REACHED,
            life(
                "c2", began=70, queued=72, connected=80, ended=130, method="TRANSFER", initial="c1"
            ),
        )
    )
    def test_talk_after_a_transfer_is_talk(self, snapshots: list[Snapshot]) -> None:
        call = call_of(*snapshots)
        assert (call.direction, call.status) == (Direction.OUTBOUND_MANUAL, "completed")
        assert (call.talk_seconds, call.agent) == (118, ANA)

    WAITED = life("c1", began=0, queued=10, ended=40)
    ELSEWHERE = life(
        "c2", began=40, queued=41, connected=50, ended=99, method="QUEUE_TRANSFER", initial="c1"
    )

    @given(told_badly(WAITED, ELSEWHERE))
    def test_a_caller_answered_in_the_next_queue_was_not_missed(
        self, snapshots: list[Snapshot]
    ) -> None:
        call = call_of(*snapshots)
        assert (call.call_id, call.status, call.missed) == ("c1", "completed", False)
        assert (call.wait_seconds, call.talk_seconds) == (40, 49)

    def test_a_caller_answered_in_no_queue_was_missed_once(self) -> None:
        again = life("c2", began=40, queued=41, ended=70, method="QUEUE_TRANSFER", initial="c1")
        last = life("c3", began=70, queued=71, ended=80, method="QUEUE_TRANSFER", initial="c1")
        call = call_of(*self.WAITED, *again, *last)
        assert (call.status, call.missed, call.ended_at) == ("cancelled", True, after(80))

    def test_a_callback_is_a_call_of_its_own(self) -> None:
        back = life(
            "c2",
            began=50,
            queued=50,
            picked_up=90,
            connected=80,
            ended=150,
            method="CALLBACK",
            initial="c1",
            previousContactId="c1",
        )
        calls = calls_of(*ABANDONED, *back)
        assert calls["c1"].missed
        assert (calls["c2"].direction, calls["c2"].status) == (Direction.OUTBOUND_AUTO, "completed")
        assert (calls["c2"].answered_at, calls["c2"].talk_seconds) == (after(90), 60)
        # It is an operator whom a callback waits for, and no customer waits in its queue.
        assert (calls["c2"].ringing_at, calls["c2"].queued_at) == (after(50), None)

    @pytest.mark.parametrize("method", ["MONITOR", "EXTERNAL_OUTBOUND"])
    def test_third_parties_are_no_customers(self, method: str) -> None:
        listening = life("c2", began=40, connected=41, ended=200, method=method, initial="c1")
        assert [read(snapshot).ignored for snapshot in listening] == [1] * len(listening)

    def test_who_dials_outside_without_another_call_dials_a_customer(self) -> None:
        call = call_of(*life(began=0, picked_up=5, ended=50, method="EXTERNAL_OUTBOUND"))
        assert (call.direction, call.status) == (Direction.OUTBOUND_MANUAL, "completed")


class TestContactRecord:
    def test_tells_the_whole_call_by_name(self) -> None:
        call = call_of(record(began=BEGAN, queued=after(10), connected=after(30), ended=after(90)))
        assert (call.number, call.caller, call.callee) == (CUSTOMER, CUSTOMER, "+551130001000")
        assert (call.queue, call.agent) == ("vendas", "ana.souza")
        assert (call.status, call.wait_seconds, call.talk_seconds) == ("completed", 20, 60)

    @given(
        st.permutations(
            [*ANSWERED, record(began=BEGAN, queued=after(10), connected=after(30), ended=after(90))]
        )
    )
    def test_names_what_events_know_by_id(self, snapshots: list[Snapshot]) -> None:
        call = call_of(*snapshots)
        assert (call.queue, call.agent, call.number) == ("vendas", "ana.souza", CUSTOMER)
        assert (call.answered_at, call.ended_at, call.talk_seconds) == (after(30), after(90), 60)

    @given(st.data())
    def test_that_is_older_changes_nothing(self, data: st.DataObject) -> None:
        early = record(began=BEGAN, queued=after(10), updated=after(20))
        late = record(
            began=BEGAN, queued=after(10), connected=after(30), ended=after(90), updated=after(100)
        )
        told = data.draw(st.lists(st.sampled_from([early, late])).map(lambda some: [late, *some]))
        assert call_of(*told) == call_of(late)

    @pytest.mark.parametrize("address", ["anonymous", "", None])
    def test_of_a_withheld_number_says_so(self, address: str | None) -> None:
        call = call_of(record(began=BEGAN, queued=after(1), ended=after(9), address=address))
        assert (call.number, call.caller, call.missed) == (None, "anonymous", True)

    def test_of_a_call_that_goes_out(self) -> None:
        call = call_of(record(began=BEGAN, picked_up=after(5), ended=after(50), method="OUTBOUND"))
        assert (call.number, call.caller, call.callee) == (CUSTOMER, "+551130001000", CUSTOMER)

    def test_of_a_transfer_knows_the_customer(self) -> None:
        call = call_of(record("c2", began=BEGAN, ended=after(9), method="TRANSFER", initial="c1"))
        assert (call.call_id, call.number, call.caller) == ("c1", CUSTOMER, None)


class TestForm:
    def test_with_and_without_the_envelope(self) -> None:
        assert call_of(ANSWERED[-1]["detail"]) == call_of(ANSWERED[-1])

    def test_the_case_of_keys_and_words_says_nothing(self) -> None:
        def other(node: Any) -> Any:
            if isinstance(node, dict):
                return {key[0].upper() + key[1:]: other(value) for key, value in node.items()}
            return node

        told = ANSWERED[-1]["detail"] | {"channel": "Voice"}
        assert call_of(other(told)) == call_of(ANSWERED[-1])

    @pytest.mark.parametrize(
        "told",
        [
            event("INITIATED", channel="CHAT"),
            event("QUEUED", channel="Task"),
            event("INITIATED", channel="EMAIL", method="AGENT_REPLY"),
            {"detail-type": "Amazon Connect Voice ID Event", "detail": {}},
        ],
    )
    def test_what_is_no_call_is_ignored(self, told: Snapshot) -> None:
        assert read(told) == Reading(taken=0, events=[], ignored=1)

    @pytest.mark.parametrize(
        ("told", "unknown"),
        [
            (event("PARKED", began=BEGAN), ["eventType=PARKED"]),
            (event("INITIATED", began=BEGAN, method="PIGEON"), ["initiationMethod=PIGEON"]),
            (
                event("DISCONNECTED", began=BEGAN, answeringMachineDetectionStatus="PARROT"),
                ["answeringMachineDetectionStatus=PARROT"],
            ),
            (event("DISCONNECTED", began=BEGAN, disconnectReason="NEW_WORD"), []),
            (event("AMD_DISABLED", began=BEGAN), []),
            (event("CONTACT_DATA_UPDATED", began=BEGAN), []),
        ],
    )
    def test_values_that_connect_does_not_list_are_named(
        self, told: Snapshot, unknown: list[str]
    ) -> None:
        reading = read(told)
        assert (reading.taken, list(reading.unknown)) == (1, unknown)

    def test_null_is_not_told(self) -> None:
        told = event("DISCONNECTED", began=BEGAN, ended=after(9))
        told["detail"] |= {"queueInfo": None, "agentInfo": None, "disconnectReason": None}
        assert call_of(told).end_reason == "ended_in_ivr"

    @pytest.mark.parametrize(
        ("payload", "field"),
        [
            (b"", "body"),
            (b"\xff", "body"),
            (b"[" * 100_000, "body"),
            (b"[]", "body"),
            (b"7", "body"),
            (b"{}", "contactid"),
            (b'{"detail": null}', "contact"),
            (b'{"detail": {"contactId": "a b", "channel": "VOICE"}}', "contactid"),
            (b'{"contactId": "c1", "channel": 7, "initiationMethod": "API"}', "channel"),
            (b'{"contactId": "c1", "initiationMethod": "API"}', "channel"),
            (b'{"contactId": "c1", "channel": "VOICE"}', "initiationmethod"),
            (b'{"contactId": "c1\\ud800", "channel": "VOICE"}', "contactid"),
        ],
        ids=lambda value: repr(value[:40]),
    )
    def test_that_cannot_be_read_names_the_field(self, payload: bytes, field: str) -> None:
        with pytest.raises(InvalidInput) as refusal:
            AmazonConnect().read(payload, PLAN, NOW)
        assert refusal.value.field == field

    @pytest.mark.parametrize(
        ("detail", "field"),
        [
            ({"initiationTimestamp": "yesterday"}, "initiationtimestamp"),
            ({"initiationTimestamp": "1999-12-31T23:59:59Z"}, "timestamp"),
            ({"disconnectTimestamp": "2026-03-04T12:00:00Z"}, "timestamp"),
            ({"disconnectTimestamp": "9999-12-31T23:59:59-12:00"}, "timestamp"),
            ({"queueInfo": "vendas"}, "queueinfo"),
            ({"queueInfo": {"queueArn": "q" * 129}}, "queueinfo.queuearn"),
            ({"agentInfo": {"agentArn": {}}}, "agentinfo.agentarn"),
            ({"disconnectReason": "A\nB"}, "disconnectreason"),
            ({"initialContactId": "a/b"}, "initialcontactid"),
        ],
    )
    def test_a_wrong_value_names_the_field(self, detail: Snapshot, field: str) -> None:
        told = event("DISCONNECTED")
        told["detail"] |= detail
        with pytest.raises(InvalidInput) as refusal:
            read(told)
        assert refusal.value.field == field

    @given(
        st.recursive(
            st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(
                    st.sampled_from(["detail", "contactId", "channel", "queueInfo", "queueArn"]),
                    inner,
                )
            ),
        )
    )
    def test_any_json_is_read_or_refused(self, told: Any) -> None:
        with pytest.raises(InvalidInput):
            AmazonConnect().read(json.dumps(told).encode(), PLAN, NOW)

    def test_no_refusal_shows_a_number(self) -> None:
        told = record(began=BEGAN) | {"CustomerEndpoint": {"Address": CUSTOMER * 20}}
        with pytest.raises(InvalidInput) as refusal:
            read(told)
        assert CUSTOMER not in str(refusal.value)
