"""Retorno's own call events: each is judged by itself, and nothing a sender writes is fatal."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retorno.errors import InputTooLarge, InvalidInput
from retorno.phone import NumberPlan
from retorno.telephony.canonical import Canonical
from retorno.telephony.ports import AnsweredBy, CallEvent, Direction, Reading, Stage

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SAO_PAULO = NumberPlan(area_code="11")

CUSTOMER = "+5511987654321"
COMPANY = "+551133334444"


def entry(**changes: Any) -> dict[str, Any]:
    """A good entry with fields changed; `from_` stands for `from`."""
    good = {
        "event_id": "e1",
        "call_id": "c1",
        "stage": "queued",
        "occurred_at": "2026-03-02T11:00:00Z",
    }
    return good | {name.rstrip("_"): value for name, value in changes.items()}


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in entry().items() if name != field}


def read_body(body: bytes | str, now: datetime = NOW) -> Reading:
    return Canonical().read(body if isinstance(body, bytes) else body.encode(), SAO_PAULO, now)


def read(*entries: Any) -> Reading:
    return read_body(json.dumps({"events": entries}))


def event_of(written: dict[str, Any]) -> CallEvent:
    reading = read(written)
    assert not reading.refusals
    (event,) = reading.events
    return event


def field_refused(written: Any) -> str:
    reading = read(written)
    assert not reading.events
    assert reading.taken == 0
    (refusal,) = reading.refusals
    assert refusal.reason
    return refusal.field


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
entries = st.dictionaries(
    st.sampled_from([*entry(), "direction", "from", "to", "queue", "agent", "answered_by"]),
    json_values | st.sampled_from(["inbound", "human", "queued", CUSTOMER]),
    max_size=3,
).map(lambda changes: entry() | changes)


class TestEnvelope:
    def test_each_event_is_judged_by_itself(self) -> None:
        reading = read(entry(call_id="a"), entry(stage="lost"), entry(call_id="b"), 7)
        assert [event.call_id for event in reading.events] == ["a", "b"]
        assert reading.taken == 2
        assert [(refusal.index, refusal.field) for refusal in reading.refusals] == [
            (1, "stage"),
            (3, "event"),
        ]

    def test_what_was_refused_is_kept_alone_and_can_be_read_again(self) -> None:
        early = entry(call_id="b", occurred_at="2026-03-04T11:00:00Z", agent="José 📞")
        reading = read(entry(call_id="a"), early, None)
        again = read_body(reading.refused_payload, NOW + timedelta(days=3))
        assert [(event.call_id, event.agent) for event in again.events] == [("b", "José 📞")]
        assert [refusal.index for refusal in again.refusals] == [1]

    def test_nothing_is_kept_of_a_payload_that_was_taken_whole(self) -> None:
        assert read(entry()).refused_payload == b""

    def test_no_events_are_a_payload_too(self) -> None:
        reading = read()
        assert (reading.taken, reading.events, reading.refusals) == (0, [], [])

    def test_500_events_are_taken(self) -> None:
        assert read(*[entry()] * 500).taken == 500

    def test_501_events_are_too_many(self) -> None:
        with pytest.raises(InputTooLarge) as refusal:
            read(*[entry()] * 501)
        assert refusal.value.field == "events"

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b" ",
            b"{",
            b"{'events': []}",
            b'{"events": []} again',
            b'{"events": [\xff]}',
            b'{"events": ["\xe3"]}',
            b'{"events": [' + b"9" * 5_000 + b"]}",
            b'{"events": ' + b"[" * 100_000,
            b'{"events": ' + b'{"a":' * 100_000,
        ],
        ids=lambda body: repr(body[:20]),
    )
    def test_a_body_that_is_no_json_is_refused(self, body: bytes) -> None:
        with pytest.raises(InvalidInput) as refusal:
            read_body(body)
        assert refusal.value.field == "body"

    @pytest.mark.parametrize(
        "body",
        [
            "null",
            "[]",
            "7",
            "NaN",
            '"events"',
            "{}",
            '{"event": []}',
            '{"events": null}',
            '{"events": {}}',
            '{"events": "[]"}',
            '{"events": [], "events": 7}',
        ],
    )
    def test_a_body_without_a_list_of_events_is_refused(self, body: str) -> None:
        with pytest.raises(InvalidInput) as refusal:
            read_body(body)
        assert refusal.value.field == "events"

    def test_an_entry_nested_deeply_does_not_harm_its_neighbour(self) -> None:
        deep = "[" * 500 + "]" * 500
        reading = read_body(f'{{"events": [{deep}, {json.dumps(entry())}]}}')
        assert reading.taken == 1
        assert [refusal.index for refusal in reading.refusals] == [0]

    @given(st.lists(json_values | entries, max_size=5))
    def test_every_entry_is_taken_or_refused_and_the_refused_are_kept(
        self, written: list[Any]
    ) -> None:
        reading = read(*written)
        assert reading.taken + len(reading.refusals) == len(written)
        kept = read_body(reading.refused_payload) if reading.refusals else read()
        assert (kept.taken, len(kept.refusals)) == (0, len(reading.refusals))


class TestEntry:
    def test_tells_all_that_it_may_tell(self) -> None:
        event = event_of(
            entry(
                stage="cancelled",
                direction="inbound",
                from_="11 98765-4321",
                to="3333-4444",
                queue="vendas",
                agent="ana",
                branch="centro",
                campaign="natal",
                trunk="sip-1",
                reason="caller hung up",
                answered_by="voicemail",
            )
        )
        assert event == CallEvent(
            call_id="c1",
            provider="canonical",
            occurred_at=datetime(2026, 3, 2, 11, 0, tzinfo=UTC),
            stage=Stage.CANCELLED,
            direction=Direction.INBOUND,
            caller=CUSTOMER,
            callee=COMPANY,
            number=CUSTOMER,
            queue="vendas",
            agent="ana",
            branch="centro",
            campaign="natal",
            trunk="sip-1",
            reason="caller hung up",
            answered_by=AnsweredBy.VOICEMAIL,
        )

    def test_what_it_does_not_tell_is_none(self) -> None:
        event = event_of(entry(queue=None, agent="", branch="  ", reason=None))
        assert (event.direction, event.caller, event.callee, event.number) == (None,) * 4
        assert (event.queue, event.agent, event.branch, event.reason) == (None,) * 4
        assert event.answered_by is None

    def test_fields_that_are_not_known_are_passed_over(self) -> None:
        assert event_of(entry(colour="blue")) == event_of(entry())

    @pytest.mark.parametrize("field", ["event_id", "call_id", "stage", "occurred_at"])
    def test_names_the_field_that_is_missing_or_null(self, field: str) -> None:
        assert field_refused(without(field)) == field
        assert field_refused(entry(**{field: None})) == field

    @pytest.mark.parametrize("written", [None, 7, "c1", [], [entry()], True, float("nan")])
    def test_is_an_object(self, written: Any) -> None:
        assert field_refused(written) == "event"

    def test_the_last_of_two_fields_of_one_name_counts(self) -> None:
        doubled = json.dumps(entry()).replace("{", '{"call_id": "other", ', 1)
        (event,) = read_body(f'{{"events": [{doubled}]}}').events
        assert event.call_id == "c1"

    @pytest.mark.parametrize(
        "call_id",
        [
            "",
            "c 1",
            "c/1",
            "c%31",
            "c1\n",
            "\tc1",
            "chamada-é",
            "📞",
            "c\x001",
            "c" * 129,
            7,
            ["c1"],
            {},
        ],
    )
    @pytest.mark.parametrize("field", ["call_id", "event_id"])
    def test_refuses_an_id_that_no_system_gives(self, field: str, call_id: Any) -> None:
        assert field_refused(entry(**{field: call_id})) == field

    @pytest.mark.parametrize(
        "call_id",
        ["1546015415.757927", "CA" + "0f" * 16, "a@b:5060;tag=x", "a#b?d", "~", "c" * 128],
    )
    def test_takes_an_id_that_systems_give(self, call_id: str) -> None:
        assert event_of(entry(call_id=call_id)).call_id == call_id

    @pytest.mark.parametrize("stage", list(Stage))
    def test_takes_each_stage(self, stage: Stage) -> None:
        assert event_of(entry(stage=stage.value)).stage is stage

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("stage", "ANSWERED"),
            ("stage", "busy"),
            ("stage", ""),
            ("stage", 1),
            ("direction", "outbound"),
            ("answered_by", "machine"),
        ],
    )
    def test_refuses_a_word_that_is_not_listed(self, field: str, value: Any) -> None:
        assert field_refused(entry(**{field: value})) == field

    @pytest.mark.parametrize(
        "field", ["from", "to", "queue", "agent", "branch", "campaign", "trunk", "reason"]
    )
    @pytest.mark.parametrize("text", ["a" * 129, "a\nb", "a\x00b", "\x7f", "\ud800", 7, ["ana"]])
    def test_refuses_a_text_that_is_no_name(self, field: str, text: Any) -> None:
        assert field_refused(entry(direction="inbound", **{field: text})) == field

    def test_takes_names_in_any_script_and_trims_them(self) -> None:
        assert event_of(entry(agent="  Conceição 李 ")).agent == "Conceição 李"


class TestTime:
    @pytest.mark.parametrize(
        ("written", "at"),
        [
            ("2026-03-02T11:00:00Z", NOW - timedelta(hours=1)),
            ("2026-03-02T08:00:00-03:00", NOW - timedelta(hours=1)),
            ("2026-03-02 08:00:00.250-0300", NOW - timedelta(hours=1, milliseconds=-250)),
            ("2000-01-01T00:00:00Z", datetime(2000, 1, 1, tzinfo=UTC)),
            ("2026-03-03T12:00:00Z", NOW + timedelta(days=1)),
        ],
    )
    def test_is_read_with_its_offset(self, written: str, at: datetime) -> None:
        assert event_of(entry(occurred_at=written)).occurred_at == at

    @pytest.mark.parametrize(
        "written",
        [
            "2026-03-02T11:00:00",
            "2026-03-02",
            "11:00",
            "yesterday",
            "",
            "2026-02-30T11:00:00Z",
            "2026-03-02T24:30:00Z",
            "1999-12-31T23:59:59Z",
            "2000-01-01T00:00:00+03:00",
            "2026-03-03T12:00:01Z",
            "2036-03-02T12:00:00Z",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-14:00",
            "99999-01-01T00:00:00Z",
            True,
            [],
            float("nan"),
            float("inf"),
            10**30,
        ],
    )
    def test_is_refused_when_naive_wrong_or_far_away(self, written: Any) -> None:
        assert field_refused(entry(occurred_at=written)) == "occurred_at"


class TestParties:
    @pytest.mark.parametrize(
        ("direction", "number"),
        [("inbound", CUSTOMER), ("outbound_manual", COMPANY), ("outbound_auto", COMPANY)],
    )
    def test_the_direction_tells_which_is_the_customer(self, direction: str, number: str) -> None:
        event = event_of(entry(direction=direction, from_=CUSTOMER, to=COMPANY))
        assert event.number == number

    @pytest.mark.parametrize("field", ["from", "to"])
    def test_a_party_without_direction_is_refused(self, field: str) -> None:
        assert field_refused(entry(**{field: CUSTOMER})) == "direction"

    @pytest.mark.parametrize(
        "written",
        [
            "+55 (11) 98765-4321",
            "987654321",
            "011 98765-4321",
            "1187654321",
            "sip:+5511987654321@pbx.example.com",
            '"Maria" <11987654321>',
        ],
    )
    def test_a_number_is_read_in_any_form(self, written: str) -> None:
        event = event_of(entry(direction="inbound", from_=written))
        assert (event.caller, event.number) == (CUSTOMER, CUSTOMER)

    @pytest.mark.parametrize("written", ["anonymous", "2001", "client:ana", "sip:ana@pbx", "?"])
    def test_what_is_no_number_stays_as_written(self, written: str) -> None:
        event = event_of(entry(direction="inbound", from_=written))
        assert (event.caller, event.number) == (written, None)

    @pytest.mark.parametrize("written", ["", " ", None])
    def test_a_withheld_number_is_none(self, written: str | None) -> None:
        event = event_of(entry(direction="inbound", from_=written, to=COMPANY))
        assert (event.caller, event.callee, event.number) == (None, COMPANY, None)
