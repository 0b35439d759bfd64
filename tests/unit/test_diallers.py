"""Each way to have a call placed, against a server that answers as its provider documents."""

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

from retorno import connect_dialling
from retorno.calls.model import CallRules, derive, fold
from retorno.connect_dialling import ConnectDialler
from retorno.phone import NumberPlan
from retorno.telephony import signature
from retorno.telephony.asterisk_dialling import AsteriskDialler
from retorno.telephony.canonical_dialling import CanonicalDialler
from retorno.telephony.ports import (
    DialFailed,
    Dialler,
    DialOrder,
    DialRefused,
    DialUncertain,
    Direction,
    WebhookRequest,
)
from retorno.telephony.providers import ASTERISK, TWILIO
from retorno.telephony.twilio import first_words_url
from retorno.telephony.twilio_dialling import PAGE_SIZE, TwilioDialler
from retorno.telephony.zenvia_dialling import ZenviaDialler
from tests.support.clock import StoppedClock
from tests.support.connect import INSTANCE_ARN
from tests.support.exchange import HANGS_UP, SILENCE, Answering, Exchange, serving

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CUSTOMER = "+5511987654321"
COMPANY = "+551130001000"
OPERATOR = "+551130001007"
ATTEMPT = "5feceb66ffc86f38d952786c6d696c79"
NOBODY = "http://127.0.0.1:9"
SHORT = urllib3.Timeout(connect=1, read=0.2)

ORDER = DialOrder(
    attempt_id=ATTEMPT,
    number=CUSTOMER,
    telephone=OPERATOR,
    agent="ana",
    caller_id=COMPANY,
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


def canonical(url: str) -> Dialler:
    return CanonicalDialler(f"{url}/orders", "a secret", StoppedClock(NOW), SHORT)


def twilio(url: str) -> Dialler:
    return TwilioDialler("AC1", "a token", url, SHORT)


def zenvia(url: str) -> Dialler:
    return ZenviaDialler("a token", StoppedClock(NOW), url, SHORT)


def asterisk(url: str) -> Dialler:
    return AsteriskDialler(f"{url}/ari", "retorno", "a password", "from-retorno", SHORT)


Makes = Callable[[str], Dialler]

OVER_HTTP: list[Makes] = [canonical, twilio, zenvia, asterisk]
PLACED: dict[Makes, Any] = {
    canonical: {"call_id": "77"},
    twilio: {"sid": "CA77", "status": "queued"},
    zenvia: {"status": 200, "sucesso": True, "motivo": 0, "dados": {"id": 77}},
    asterisk: {"id": ATTEMPT, "name": "PJSIP/ana-0000000d", "state": "Down"},
}

CALL_IDS: dict[Makes, str] = {
    canonical: "77",
    twilio: "CA77",
    zenvia: "zenvia-77",
    asterisk: ATTEMPT,
}


def order_of(makes: Makes) -> DialOrder:
    return replace(ORDER, telephone="ana") if makes is asterisk else ORDER


@pytest.mark.parametrize("makes", OVER_HTTP)
class TestOrder:
    """What each answer to an order means, whoever gives it."""

    def dial(self, makes: Makes, exchange: Exchange, *answers: Answering) -> str:
        exchange.will(*answers)
        try:
            return makes(exchange.url).dial(order_of(makes))
        finally:
            assert [asked.method for asked in exchange.asked] == ["POST"], "an order is sent once"

    def test_gives_the_id_of_the_call(self, makes: Makes, exchange: Exchange) -> None:
        call_id = self.dial(makes, exchange, Answering(201, PLACED[makes]))
        assert call_id == CALL_IDS[makes]

    @pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 422])
    def test_is_refused_without_a_word_of_the_number(
        self, makes: Makes, exchange: Exchange, status: int
    ) -> None:
        told = {"code": 21211, "message": f"The number {CUSTOMER} is not valid", "status": status}
        headers = {"Location": f"{exchange.url}/elsewhere"}
        with pytest.raises(DialRefused) as refusal:
            self.dial(makes, exchange, Answering(status, told, headers))
        assert str(refusal.value) == f"the telephone system answered {status}, code 21211"

    @pytest.mark.parametrize(
        ("told", "seconds"),
        [
            ({"Retry-After": "7"}, 7),
            ({"Retry-After": "99999999999"}, 3600),
            ({"Retry-After": "Mon, 02 Mar 2020 12:00:00 GMT"}, 0),
            ({"Retry-After": "soon"}, None),
            ({}, None),
        ],
    )
    def test_may_be_sent_again_where_there_is_too_much(
        self, makes: Makes, exchange: Exchange, told: dict[str, str], seconds: float | None
    ) -> None:
        with pytest.raises(DialFailed) as failure:
            self.dial(makes, exchange, Answering(429, {"code": 20429}, told))
        assert failure.value.retry_after == seconds

    @pytest.mark.parametrize(
        "answer",
        [
            Answering(500, {"code": 20500}),
            Answering(502, b"<html>Bad gateway</html>"),
            Answering(504),
            Answering(408),
            Answering(409, {"message": "Channel with given unique ID already exists"}),
            Answering(200, b"<html>Hello</html>"),
            Answering(200, {}),
            Answering(200, {"call_id": None, "sid": "", "id": {}, "dados": {"id": None}}),
            Answering(200, {"call_id": "a b", "sid": "a/b", "id": "%", "dados": {"id": "\n"}}),
            Answering(200, [1]),
            Answering(200, b"[" * 100_000),
            HANGS_UP,
            SILENCE,
        ],
        ids=lambda answer: f"{answer.status}-{str(answer.body)[:12]}-{answer.never}",
    )
    def test_leaves_open_what_is_not_known(
        self, makes: Makes, exchange: Exchange, answer: Answering
    ) -> None:
        with pytest.raises(DialUncertain):
            self.dial(makes, exchange, answer)

    def test_may_be_sent_again_where_nobody_listens(self, makes: Makes, exchange: Exchange) -> None:
        with pytest.raises(DialFailed, match="cannot be reached"):
            makes(NOBODY).dial(order_of(makes))


@pytest.mark.parametrize("makes", OVER_HTTP)
class TestLook:
    @pytest.mark.parametrize(
        "answer",
        [
            Answering(401),
            Answering(429),
            Answering(500),
            Answering(200, b"<html>Hello</html>"),
            Answering(200, [1]),
            HANGS_UP,
            SILENCE,
        ],
        ids=lambda answer: f"{answer.status}-{answer.never}",
    )
    def test_takes_no_trouble_for_a_no(
        self, makes: Makes, exchange: Exchange, answer: Answering
    ) -> None:
        exchange.will(answer)
        with pytest.raises(DialUncertain):
            makes(exchange.url).find(order_of(makes))
        assert [asked.method for asked in exchange.asked] == ["GET"]

    def test_takes_nobody_for_no_no(self, makes: Makes) -> None:
        with pytest.raises(DialUncertain):
            makes(NOBODY).find(order_of(makes))


@pytest.mark.parametrize("makes", [zenvia, asterisk])
def test_whoever_runs_no_menu_calls_nobody_without_one(makes: Makes, exchange: Exchange) -> None:
    with pytest.raises(DialRefused, match="runs no menu"):
        makes(exchange.url).dial(replace(order_of(makes), menu_url="https://api.example.com/m"))
    assert exchange.asked == []


class TestCanonical:
    def verified(self, asked: Any) -> None:
        request = WebhookRequest(url="", headers=asked.headers, body=asked.body)
        signature.verify(request, ["a secret"], NOW)

    def test_signs_the_order(self, exchange: Exchange) -> None:
        exchange.will(Answering(201, {"call_id": "77"}))
        canonical(exchange.url).dial(ORDER)
        (asked,) = exchange.asked
        self.verified(asked)
        assert asked.path == "/orders"
        assert asked.json == {
            "attempt_id": ATTEMPT,
            "number": CUSTOMER,
            "telephone": OPERATOR,
            "agent": "ana",
            "caller_id": COMPANY,
            "ordered_at": "2026-03-02T12:00:00.000000Z",
            "menu_url": None,
        }

    def test_knows_that_503_placed_no_call(self, exchange: Exchange) -> None:
        exchange.will(Answering(503, {}, {"Retry-After": "5"}))
        with pytest.raises(DialFailed) as failure:
            canonical(exchange.url).dial(ORDER)
        assert failure.value.retry_after == 5

    def test_finds_by_the_attempt(self, exchange: Exchange) -> None:
        exchange.will(Answering(200, {"call_id": "77"}), Answering(404))
        assert canonical(exchange.url).find(ORDER) == "77"
        assert canonical(exchange.url).find(ORDER) is None
        assert [asked.query for asked in exchange.asked] == [{"attempt_id": ATTEMPT}] * 2
        self.verified(exchange.asked[0])


class TestTwilio:
    def test_needs_no_other_server(self, exchange: Exchange) -> None:
        exchange.will(Answering(201, {"sid": "CA77"}))
        twilio(exchange.url).dial(replace(ORDER, telephone="sip:ana@pbx.example"))
        (asked,) = exchange.asked
        assert asked.path == "/2010-04-01/Accounts/AC1/Calls.json"
        assert base64.b64decode(asked.headers["authorization"].split()[1]) == b"AC1:a token"
        form = dict(asked.form)
        tells = f"https://api.example.com/webhooks/twilio/voice?DialId={ATTEMPT}"
        assert (form["To"], form["From"]) == ("sip:ana@pbx.example", COMPANY)
        assert form["StatusCallback"] == tells
        assert [value for name, value in asked.form if name == "StatusCallbackEvent"] == [
            "initiated",
            "ringing",
            "answered",
            "completed",
        ]
        dial = ET.fromstring(form["Twiml"])[0]  # noqa: S314
        number = dial[0]
        assert (dial.get("callerId"), number.text) == (COMPANY, CUSTOMER)
        assert number.get("statusCallback") == tells
        assert number.get("url") is None

    def test_says_first_words_to_the_customer(self, exchange: Exchange) -> None:
        exchange.will(Answering(201, {"sid": "CA77"}))
        url = first_words_url("https://api.example.com", "retorno")
        twilio(exchange.url).dial(replace(ORDER, menu_url=f"{url}&a=<b>"))
        number = ET.fromstring(dict(exchange.asked[0].form)["Twiml"])[0][0]  # noqa: S314
        assert number.get("url") == (
            "https://api.example.com/webhooks/twilio/menus/retorno?use=first_words&a=<b>"
        )

    def calls(self, *calls: dict[str, Any]) -> Answering:
        return Answering(200, {"calls": list(calls), "page": 0})

    def call(self, sid: str, seconds: float = 2, **told: Any) -> dict[str, Any]:
        created = format_datetime(NOW + timedelta(seconds=seconds))
        return {"sid": sid, "direction": "outbound-api", "date_created": created} | told

    def test_finds_the_call_that_dialled_the_customer(self, exchange: Exchange) -> None:
        exchange.will(
            self.calls(
                self.call("CA9", 600),
                self.call("CA8", 20),
                self.call("CA7"),
                self.call("CA6", direction="inbound"),
                self.call("CA5", -600),
            ),
            self.calls({"to": "+5521987654321"}),
            self.calls({"to": CUSTOMER}),
        )
        assert twilio(exchange.url).find(ORDER) == "CA7"
        wanted = {"To": OPERATOR, "From": COMPANY, "PageSize": str(PAGE_SIZE)}
        assert [asked.query for asked in exchange.asked] == [
            wanted,
            {"ParentCallSid": "CA8"},
            {"ParentCallSid": "CA7"},
        ]

    def test_is_sure_of_none_where_all_called_others(self, exchange: Exchange) -> None:
        exchange.will(self.calls(self.call("CA8")), self.calls({"to": "+5521987654321"}))
        assert twilio(exchange.url).find(ORDER) is None
        exchange.will(self.calls())
        assert twilio(exchange.url).find(ORDER) is None

    @pytest.mark.parametrize("created", [None, "yesterday", 7])
    def test_is_not_sure_of_what_is_not_told(self, exchange: Exchange, created: object) -> None:
        exchange.will(self.calls(self.call("CA8", date_created=created)))
        with pytest.raises(DialUncertain):
            twilio(exchange.url).find(ORDER)

    def test_is_not_sure_while_the_operator_is_rung(self, exchange: Exchange) -> None:
        exchange.will(self.calls(self.call("CA8")), self.calls())
        with pytest.raises(DialUncertain):
            twilio(exchange.url).find(ORDER)

    def test_is_not_sure_where_there_are_more_than_it_sees(self, exchange: Exchange) -> None:
        exchange.will(self.calls(*[self.call("CA9", 600)] * PAGE_SIZE))
        with pytest.raises(DialUncertain):
            twilio(exchange.url).find(ORDER)


class TestTwilioTells:
    """What the callbacks of a placed call make of it, in whatever order they come."""

    def told(self, seconds: int, status: str, **fields: str) -> bytes:
        at = format_datetime(NOW + timedelta(seconds=seconds))
        form = {"CallSid": "CA7", "From": COMPANY, "To": OPERATOR, "Timestamp": at}
        form |= {"Direction": "outbound-api", "CallStatus": status, "DialId": ATTEMPT} | fields
        return urlencode(form).encode()

    def child(self, seconds: int, status: str, **fields: str) -> bytes:
        leg = {"CallSid": "CA8", "ParentCallSid": "CA7", "To": CUSTOMER}
        return self.told(seconds, status, **leg, Direction="outbound-dial", **fields)

    def call(self, *payloads: bytes) -> Any:
        events = [
            event for each in payloads for event in TWILIO.read(each, NumberPlan(), NOW).events
        ]
        (forwards,) = fold(events).items()
        assert fold(reversed(events)) == dict([forwards])
        return derive(*forwards, CallRules())

    def test_the_customer_answers(self) -> None:
        call = self.call(
            self.told(0, "initiated"),
            self.told(1, "ringing"),
            self.told(9, "in-progress"),
            self.child(10, "ringing"),
            self.child(20, "in-progress"),
            self.child(60, "completed", CallDuration="40"),
            self.told(61, "completed", CallDuration="52"),
        )
        assert (call.call_id, call.number, call.direction) == (
            "CA7",
            CUSTOMER,
            Direction.OUTBOUND_MANUAL,
        )
        assert (call.status, call.ring_seconds, call.talk_seconds) == ("completed", 10, 40)

    def test_the_customer_does_not(self) -> None:
        call = self.call(
            self.told(9, "in-progress"),
            self.child(10, "ringing"),
            self.child(40, "no-answer"),
            self.told(41, "completed", CallDuration="32"),
        )
        assert (call.status, call.was_answered, call.number) == ("no_answer", False, CUSTOMER)

    def test_nor_does_the_operator(self) -> None:
        call = self.call(self.told(1, "ringing"), self.told(31, "no-answer"))
        assert (call.status, call.was_answered, call.number) == ("no_answer", False, None)


class TestZenvia:
    def test_rings_the_operator_and_then_the_customer(self, exchange: Exchange) -> None:
        exchange.will(Answering(200, PLACED[zenvia]))
        zenvia(exchange.url).dial(ORDER)
        (asked,) = exchange.asked
        assert (asked.path, asked.headers["access-token"]) == ("/chamada", "a token")
        assert asked.json == {
            "numero_origem": "1130001007",
            "numero_destino": "11987654321",
            "bina_destino": "1130001000",
            "gravar_audio": False,
            "tags": ATTEMPT,
        }

    def test_leaves_the_shown_number_to_zenvia(self, exchange: Exchange) -> None:
        exchange.will(Answering(200, PLACED[zenvia]))
        zenvia(exchange.url).dial(replace(ORDER, caller_id=None, telephone="4000"))
        assert "bina_destino" not in exchange.asked[0].json
        assert exchange.asked[0].json["numero_origem"] == "4000"

    def test_says_no_with_a_good_status_too(self, exchange: Exchange) -> None:
        exchange.will(Answering(200, {"status": 200, "sucesso": False, "motivo": 3}))
        with pytest.raises(DialRefused):
            zenvia(exchange.url).dial(ORDER)

    def test_is_not_asked_for_numbers_of_other_countries(self, exchange: Exchange) -> None:
        with pytest.raises(DialRefused):
            zenvia(exchange.url).dial(replace(ORDER, number="+351912345678"))
        assert exchange.asked == []

    def test_finds_by_the_tag_on_any_page(self, exchange: Exchange) -> None:
        others: list[Any] = [{"id": 1, "tags": None}, {"id": 2, "tags": "cliente"}, "nonsense"]
        exchange.will(
            self.page(*others), self.page({"id": 77, "tags": ATTEMPT}), self.page(*others)
        )
        assert zenvia(exchange.url).find(ORDER) == "zenvia-77"
        assert exchange.asked[0].path == "/chamada/relatorio"
        assert exchange.asked[0].query["data_inicio"] == "2026-03-02T11:55:00Z"
        assert [asked.query["posicao"] for asked in exchange.asked] == ["0", "3"]

    def test_knows_of_none_after_the_last_page(self, exchange: Exchange) -> None:
        exchange.will(self.page({"id": 1, "tags": None}), self.page())
        assert zenvia(exchange.url).find(ORDER) is None

    def page(self, *rows: Any) -> Answering:
        return Answering(200, {"sucesso": True, "dados": {"relatorio": list(rows)}})


class TestAsterisk:
    def test_rings_an_endpoint_and_goes_on_in_the_dialplan(self, exchange: Exchange) -> None:
        exchange.will(Answering(200, PLACED[asterisk]))
        asterisk(exchange.url).dial(replace(ORDER, telephone="ana"))
        (asked,) = exchange.asked
        assert asked.path == f"/ari/channels/{ATTEMPT}"
        assert asked.query == {
            "endpoint": "PJSIP/ana",
            "extension": CUSTOMER,
            "context": "from-retorno",
            "priority": "1",
            "timeout": "30",
            "callerId": COMPANY,
        }
        assert base64.b64decode(asked.headers["authorization"].split()[1]) == b"retorno:a password"

    @pytest.mark.parametrize("telephone", ["0011@trunk", "Local:1", "+5511", "x" * 65])
    def test_rings_nothing_but_an_endpoint(self, exchange: Exchange, telephone: str) -> None:
        with pytest.raises(DialRefused):
            asterisk(exchange.url).dial(replace(ORDER, telephone=telephone))
        assert exchange.asked == []

    def test_knows_living_channels_alone(self, exchange: Exchange) -> None:
        exchange.will(Answering(200, PLACED[asterisk]), Answering(404))
        assert asterisk(exchange.url).find(ORDER) == ATTEMPT
        with pytest.raises(DialUncertain):
            asterisk(exchange.url).find(ORDER)

    def test_tells_of_the_call_by_what_the_dialplan_logs(self) -> None:
        """The lines that the dialplan of docs/dialling.md writes."""
        began = int(NOW.timestamp())
        lines = [
            f"{began}|{ATTEMPT}|NONE|ana|OUTDIAL|{CUSTOMER}",
            f"{began + 50}|{ATTEMPT}|NONE|ana|OUTANSWER|{CUSTOMER}|COMPLETECALLER|10|40",
        ]
        log = "".join(f"{line}\n" for line in lines).encode()
        ((call_id, facts),) = fold(ASTERISK.read(log, NumberPlan(), NOW).events).items()
        call = derive(call_id, facts, CallRules())
        assert (call.call_id, call.number, call.agent) == (ATTEMPT, CUSTOMER, "ana")
        assert (call.direction, call.ring_seconds, call.talk_seconds) == (
            Direction.OUTBOUND_MANUAL,
            10,
            40,
        )


class TestAmazonConnect:
    @pytest.fixture
    def dialler(
        self, exchange: Exchange, at: StoppedClock, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[ConnectDialler]:
        config = connect_dialling.CONFIG.merge(type(connect_dialling.CONFIG)(read_timeout=0.2))
        monkeypatch.setattr(connect_dialling, "CONFIG", config)
        monkeypatch.setenv("AWS_ENDPOINT_URL_CONNECT", exchange.url)
        connect_dialling.client.cache_clear()
        yield ConnectDialler(INSTANCE_ARN, "flow-1", at)
        connect_dialling.client.cache_clear()

    def test_runs_no_menu(self, dialler: ConnectDialler, exchange: Exchange) -> None:
        with pytest.raises(DialRefused, match="runs no menu"):
            dialler.dial(replace(ORDER, menu_url="https://api.example.com/m"))
        assert exchange.asked == []

    def test_orders_with_a_token(self, dialler: ConnectDialler, exchange: Exchange) -> None:
        exchange.will(Answering(200, {"ContactId": "c-77"}))
        assert dialler.dial(ORDER) == "c-77"
        (asked,) = exchange.asked
        assert (asked.method, asked.path) == ("PUT", "/contact/outbound-voice")
        assert asked.json == {
            "InstanceId": INSTANCE_ARN.rpartition("/")[2],
            "ContactFlowId": "flow-1",
            "DestinationPhoneNumber": CUSTOMER,
            "SourcePhoneNumber": COMPANY,
            "ClientToken": ATTEMPT,
            "Attributes": {"agent": "ana", "telephone": OPERATOR},
        }

    @pytest.mark.parametrize(
        ("status", "code", "kind"),
        [
            (403, "DestinationNotAllowedException", DialRefused),
            (403, "OutboundContactNotPermittedException", DialRefused),
            (400, "InvalidParameterException", DialRefused),
            (403, "AccessDeniedException", DialRefused),
            (429, "LimitExceededException", DialFailed),
            (429, "TooManyRequestsException", DialFailed),
            (500, "InternalServiceException", DialUncertain),
        ],
    )
    def test_says_what_each_error_means(
        self,
        dialler: ConnectDialler,
        exchange: Exchange,
        status: int,
        code: str,
        kind: type[Exception],
    ) -> None:
        exchange.will(Answering(status, {"Message": CUSTOMER}, {"x-amzn-errortype": code}))
        with pytest.raises(kind, match=f"^Amazon Connect answered {code}$"):
            dialler.dial(ORDER)
        assert len(exchange.asked) == 1

    def test_says_no_to_what_cannot_be_sent(self, dialler: ConnectDialler) -> None:
        with pytest.raises(DialRefused):
            dialler.dial(replace(ORDER, caller_id=None))

    @pytest.mark.parametrize("answer", [SILENCE, HANGS_UP, Answering(200, {})])
    def test_leaves_open_what_is_not_known(
        self, dialler: ConnectDialler, exchange: Exchange, answer: Answering
    ) -> None:
        exchange.will(answer)
        with pytest.raises(DialUncertain):
            dialler.dial(ORDER)
        assert len(exchange.asked) == 1

    def test_may_be_asked_again_where_nobody_listens(
        self, dialler: ConnectDialler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CONNECT", NOBODY)
        with pytest.raises(DialFailed):
            dialler.dial(ORDER)

    def test_may_be_ordered_again_while_the_token_lasts(
        self, dialler: ConnectDialler, at: StoppedClock
    ) -> None:
        assert dialler.find(ORDER) is None
        at.advance(days=6)
        assert dialler.find(ORDER) is None
        at.advance(days=1)
        with pytest.raises(DialUncertain):
            dialler.find(ORDER)
