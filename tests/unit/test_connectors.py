"""Each way to have a caller connected, against a server that answers as its provider documents."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest
import urllib3

from retorno.errors import InvalidInput
from retorno.phone import NumberPlan
from retorno.telephony import signature
from retorno.telephony.asterisk_connecting import AsteriskConnector
from retorno.telephony.canonical_connecting import CanonicalConnector
from retorno.telephony.ports import (
    Connector,
    ConnectOrder,
    DialFailed,
    DialRefused,
    DialUncertain,
    Stage,
    WebhookRequest,
)
from retorno.telephony.providers import TWILIO
from retorno.telephony.twilio import way_on
from retorno.telephony.twilio_connecting import TwilioConnector
from tests.support.clock import StoppedClock
from tests.support.exchange import HANGS_UP, SILENCE, Answering, Exchange, serving

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
OFFER = "5feceb66ffc86f38d952786c6d696c79"
NOBODY = "http://127.0.0.1:9"
SHORT = urllib3.Timeout(connect=1, read=0.2)

ORDER = ConnectOrder(
    offer_id=OFFER,
    call_id="CA7",
    queue="vendas & cia",
    telephone="client:ana",
    agent="ana",
    ordered_at=NOW,
    webhooks_url="https://api.example.com",
)


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with serving(Exchange()) as exchange:
        yield exchange


@pytest.fixture
def at() -> StoppedClock:
    return StoppedClock(NOW)


def canonical(url: str, at: StoppedClock) -> Connector:
    return CanonicalConnector(f"{url}/orders", "a secret", at, SHORT)


def twilio(url: str, at: StoppedClock) -> Connector:
    return TwilioConnector("AC1", "a token", at, url, SHORT)


def asterisk(url: str, at: StoppedClock) -> Connector:
    return AsteriskConnector(f"{url}/ari", "retorno", "a password", "from-retorno", SHORT)


Makes = Callable[[str, StoppedClock], Connector]

TAKEN: dict[Makes, Any] = {
    canonical: {"offer_id": OFFER},
    twilio: {"sid": "CA7", "status": "in-progress"},
    asterisk: {"id": OFFER, "name": "PJSIP/ana-0000000d", "state": "Down"},
}


def order_of(makes: Makes) -> ConnectOrder:
    return replace(ORDER, telephone="ana") if makes is asterisk else ORDER


@pytest.mark.parametrize("makes", TAKEN)
class TestOrder:
    """What each answer to an order means, whoever gives it."""

    def connect(self, makes: Makes, exchange: Exchange, at: StoppedClock, *told: Answering) -> None:
        exchange.will(*told)
        try:
            makes(exchange.url, at).connect(order_of(makes))
        finally:
            assert [asked.method for asked in exchange.asked] == ["POST"], "an order is sent once"

    def test_is_taken(self, makes: Makes, exchange: Exchange, at: StoppedClock) -> None:
        self.connect(makes, exchange, at, Answering(200, TAKEN[makes]))

    @pytest.mark.parametrize("status", [302, 400, 401, 404, 410])
    def test_is_refused(
        self, makes: Makes, exchange: Exchange, at: StoppedClock, status: int
    ) -> None:
        told = {"code": 21220, "message": "Call +5511987654321 is not in-progress"}
        with pytest.raises(DialRefused) as refusal:
            self.connect(makes, exchange, at, Answering(status, told))
        assert str(refusal.value) == f"the telephone system answered {status}, code 21220"

    def test_may_be_given_again_where_there_is_too_much(
        self, makes: Makes, exchange: Exchange, at: StoppedClock
    ) -> None:
        with pytest.raises(DialFailed) as failure:
            self.connect(makes, exchange, at, Answering(429, {}, {"Retry-After": "7"}))
        assert failure.value.retry_after == 7

    @pytest.mark.parametrize(
        "answer",
        [Answering(500), Answering(502, b"<html>"), Answering(409), HANGS_UP, SILENCE],
        ids=lambda answer: f"{answer.status}-{answer.never}",
    )
    def test_leaves_open_what_is_not_known(
        self, makes: Makes, exchange: Exchange, at: StoppedClock, answer: Answering
    ) -> None:
        with pytest.raises(DialUncertain):
            self.connect(makes, exchange, at, answer)

    def test_may_be_given_again_where_nobody_listens(self, makes: Makes, at: StoppedClock) -> None:
        with pytest.raises(DialFailed, match="cannot be reached"):
            makes(NOBODY, at).connect(order_of(makes))

    @pytest.mark.parametrize(
        "answer",
        [Answering(401), Answering(429), Answering(500), Answering(200, b"<html>"), SILENCE],
        ids=lambda answer: f"{answer.status}-{answer.never}",
    )
    def test_is_not_given_up_by_a_look_that_fails(
        self, makes: Makes, exchange: Exchange, at: StoppedClock, answer: Answering
    ) -> None:
        exchange.will(answer)
        at.advance(minutes=5)
        with pytest.raises(DialUncertain):
            makes(exchange.url, at).is_connecting(order_of(makes))
        with pytest.raises(DialUncertain):
            makes(NOBODY, at).is_connecting(order_of(makes))


class TestCanonical:
    def test_signs_what_it_sends(self, exchange: Exchange, at: StoppedClock) -> None:
        exchange.will(Answering(204, b""), Answering(200, {"offer_id": OFFER}), Answering(404))
        connector = canonical(exchange.url, at)
        connector.connect(ORDER)
        assert [connector.is_connecting(ORDER) for _ in range(2)] == [True, False]
        for asked in exchange.asked:
            request = WebhookRequest(url="", headers=asked.headers, body=asked.body)
            signature.verify(request, ["a secret"], NOW)
            assert asked.path == "/orders/connections"
        assert exchange.asked[0].json == {
            "offer_id": OFFER,
            "call_id": "CA7",
            "queue": "vendas & cia",
            "telephone": "client:ana",
            "agent": "ana",
            "ordered_at": "2026-03-02T12:00:00.000000Z",
        }
        assert exchange.asked[1].query == {"offer_id": OFFER}

    def test_knows_that_503_connected_nobody(self, exchange: Exchange, at: StoppedClock) -> None:
        exchange.will(Answering(503))
        with pytest.raises(DialFailed):
            canonical(exchange.url, at).connect(ORDER)

    @pytest.mark.parametrize("told", [{}, {"offer_id": "another"}, [OFFER]])
    def test_is_not_sure_of_an_answer_about_something_else(
        self, exchange: Exchange, at: StoppedClock, told: object
    ) -> None:
        exchange.will(Answering(200, told))
        with pytest.raises(DialUncertain):
            canonical(exchange.url, at).is_connecting(ORDER)


class TestTwilio:
    @pytest.mark.parametrize(
        ("telephone", "noun", "text"),
        [
            ("client:ana", "Client", "ana"),
            ("sip:ana@pbx.example", "Sip", "sip:ana@pbx.example"),
            ("+551130001007", "Number", "+551130001007"),
        ],
    )
    def test_gives_the_call_other_twiml(
        self, exchange: Exchange, at: StoppedClock, telephone: str, noun: str, text: str
    ) -> None:
        exchange.will(Answering(200, {"sid": "CA7"}))
        twilio(exchange.url, at).connect(replace(ORDER, telephone=telephone))
        (asked,) = exchange.asked
        assert asked.path == "/2010-04-01/Accounts/AC1/Calls/CA7.json"
        assert base64.b64decode(asked.headers["authorization"].split()[1]) == b"AC1:a token"
        dial = ET.fromstring(dict(asked.form)["Twiml"])[0]  # noqa: S314
        assert dial.get("action") == (
            "https://api.example.com/webhooks/twilio/returned-calls?Queue=vendas+%26+cia"
        )
        assert (dial[0].tag, dial[0].text) == (noun, text)
        assert dial[0].get("statusCallback") == "https://api.example.com/webhooks/twilio/voice"

    @pytest.mark.parametrize("telephone", ["4007", "ana"])
    def test_refuses_a_telephone_that_twilio_cannot_ring(
        self, exchange: Exchange, at: StoppedClock, telephone: str
    ) -> None:
        with pytest.raises(DialRefused):
            twilio(exchange.url, at).connect(replace(ORDER, telephone=telephone))
        assert exchange.asked == []

    def leg(self, status: str, seconds: float = 1, to: str = "client:ana") -> dict[str, str]:
        created = format_datetime(NOW + timedelta(seconds=seconds))
        return {"sid": "CA8", "to": to, "status": status, "date_created": created}

    @pytest.mark.parametrize(
        ("statuses", "is_connecting"),
        [
            (["ringing"], True),
            (["in-progress"], True),
            (["completed"], True),
            (["no-answer"], False),
            (["busy", "failed", "canceled"], False),
            (["no-answer", "ringing"], True),
        ],
    )
    def test_knows_by_the_legs_to_the_telephone(
        self, exchange: Exchange, at: StoppedClock, statuses: list[str], is_connecting: bool
    ) -> None:
        legs = [self.leg(status) for status in statuses]
        legs += [self.leg("in-progress", to="client:bia"), self.leg("completed", seconds=-300)]
        exchange.will(Answering(200, {"calls": legs}))
        assert twilio(exchange.url, at).is_connecting(ORDER) is is_connecting
        assert exchange.asked[0].query["ParentCallSid"] == "CA7"

    def test_is_not_sure_of_a_leg_that_is_not_listed_until_it_would_be(
        self, exchange: Exchange, at: StoppedClock
    ) -> None:
        exchange.will(Answering(200, {"calls": []}), Answering(200, {"calls": []}))
        at.advance(seconds=59)
        with pytest.raises(DialUncertain):
            twilio(exchange.url, at).is_connecting(ORDER)
        at.advance(seconds=1)
        assert not twilio(exchange.url, at).is_connecting(ORDER)


class TestTwilioReturns:
    """What Twilio tells, and is told, once a telephone was not picked up, or was."""

    def asked(self, **fields: str) -> bytes:
        form = {"CallSid": "CA7", "From": "+5511987654321", "Direction": "inbound"}
        return urlencode(
            {**form, "CallStatus": "in-progress", "Queue": "vendas", **fields}
        ).encode()

    @pytest.mark.parametrize("dialled", ["no-answer", "busy", "failed", "canceled"])
    def test_the_caller_waits_on(self, dialled: str) -> None:
        payload = self.asked(DialCallStatus=dialled)
        assert way_on(payload) == "<Response><Enqueue>vendas</Enqueue></Response>"
        (event,) = TWILIO.read(payload, NumberPlan(), NOW).events
        assert (event.stage, event.queue, event.occurred_at) == (Stage.QUEUED, "vendas", NOW)

    @pytest.mark.parametrize("dialled", ["completed", "answered"])
    def test_who_talked_has_talked(self, dialled: str) -> None:
        payload = self.asked(DialCallStatus=dialled)
        assert way_on(payload) == "<Response/>"
        assert TWILIO.read(payload, NumberPlan(), NOW).events == []

    def test_a_queue_is_written_as_xml(self) -> None:
        payload = self.asked(Queue="<a> & b", DialCallStatus="busy")
        assert way_on(payload) == "<Response><Enqueue>&lt;a&gt; &amp; b</Enqueue></Response>"

    def test_a_queue_has_to_be_named(self) -> None:
        with pytest.raises(InvalidInput, match="Queue"):
            way_on(self.asked(Queue="", DialCallStatus="busy"))
        with pytest.raises(InvalidInput, match="Queue"):
            TWILIO.read(self.asked(Queue="q" * 129, DialCallStatus="busy"), NumberPlan(), NOW)


class TestAsterisk:
    def test_rings_the_telephone_on_a_channel_of_the_offers_id(
        self, exchange: Exchange, at: StoppedClock
    ) -> None:
        exchange.will(Answering(200, {"id": OFFER}))
        asterisk(exchange.url, at).connect(replace(ORDER, telephone="ana", call_id="1546015415.7"))
        (asked,) = exchange.asked
        assert asked.path == f"/ari/channels/{OFFER}"
        assert asked.query == {
            "endpoint": "PJSIP/ana",
            "extension": "connect",
            "context": "from-retorno",
            "priority": "1",
            "timeout": "25",
        }
        assert asked.json == {
            "variables": {
                "RETORNO_CALL": "1546015415.7",
                "RETORNO_QUEUE": "vendas & cia",
                "RETORNO_AGENT": "ana",
            }
        }

    @pytest.mark.parametrize("telephone", ["client:ana", "100@trunk", "+551130001007"])
    def test_rings_nothing_but_the_switchboards_own(
        self, exchange: Exchange, at: StoppedClock, telephone: str
    ) -> None:
        with pytest.raises(DialRefused):
            asterisk(exchange.url, at).connect(replace(ORDER, telephone=telephone))
        assert exchange.asked == []

    def test_knows_by_the_channel(self, exchange: Exchange, at: StoppedClock) -> None:
        exchange.will(Answering(200, {"id": OFFER, "state": "Ringing"}), Answering(404))
        connector = asterisk(exchange.url, at)
        assert [connector.is_connecting(ORDER) for _ in range(2)] == [True, False]
