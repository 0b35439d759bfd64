"""What each answer of WhatsApp's means for a message: refused, sent, or nobody knows."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import urllib3

from retorno.messages.whatsapp_http import MessageRefused, MessageUncertain, WhatsApp
from tests.support.exchange import HANGS_UP, SILENCE, Answering, Exchange, serving

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ORDER = {"messaging_product": "whatsapp", "to": "5511987654321"}
TIMEOUT = urllib3.Timeout(connect=1, read=0.2)


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with serving(Exchange()) as exchange:
        yield exchange


def send(exchange: Exchange, *answers: Answering) -> str:
    exchange.will(*answers)
    return WhatsApp(exchange.url, "4711", "a-token", TIMEOUT).send(ORDER, NOW)


def test_an_order_is_sent_with_its_token(exchange: Exchange) -> None:
    assert send(exchange, Answering(200, {"messages": [{"id": "wamid.1"}]})) == "wamid.1"
    (asked,) = exchange.asked
    assert (asked.method, asked.path, asked.json) == ("POST", "/4711/messages", ORDER)
    assert asked.headers["authorization"] == "Bearer a-token"


@pytest.mark.parametrize(
    ("answer", "code", "details"),
    [
        (Answering(400, {"error": {"code": 131056, "message": "Pair"}}), 131056, "Pair"),
        (Answering(401, {"error": {"code": 190, "message": "Expired"}}), 190, "Expired"),
        (Answering(429, {"error": {"code": 80007}}), 80007, ""),
        (Answering(500, {"error": {"code": 131000, "message": "Unknown"}}), 131000, "Unknown"),
        (Answering(503, {"error": {"code": 131016}}), 131016, ""),
        (Answering(429, b"slow down"), 131016, "WhatsApp answered 429"),
        (Answering(403, b"<html>"), None, "WhatsApp answered 403"),
        (Answering(404, []), None, "WhatsApp answered 404"),
        (Answering(400, {"error": {}}), None, ""),
    ],
)
def test_a_refusal_says_why(
    exchange: Exchange, answer: Answering, code: int | None, details: str
) -> None:
    with pytest.raises(MessageRefused) as refused:
        send(exchange, answer)
    assert (refused.value.refusal.code, refused.value.refusal.details) == (code, details)
    assert refused.value.refusal.at == NOW


@pytest.mark.parametrize(
    "answer",
    [
        SILENCE,
        HANGS_UP,
        Answering(500, b"<html>"),
        Answering(502, {}),
        Answering(408, b""),
        Answering(409, {}),
        Answering(302, {}),
        Answering(200, {}),
        Answering(200, b"{"),
        Answering(200, b"[" * 100_000),
        Answering(200, {"messages": []}),
        Answering(200, {"messages": [{"id": 7}]}),
        Answering(200, {"messages": [{"id": "x" * 513}]}),
        Answering(200, {"messages": "wamid.1"}),
    ],
)
def test_what_is_no_answer_is_not_taken_for_a_no(exchange: Exchange, answer: Answering) -> None:
    with pytest.raises(MessageUncertain):
        send(exchange, answer)
    assert len(exchange.asked) == 1


def test_what_cannot_be_reached_has_sent_nothing() -> None:
    with pytest.raises(MessageRefused) as refused:
        WhatsApp("http://127.0.0.1:1", "4711", "a-token", TIMEOUT).send(ORDER, NOW)
    assert refused.value.refusal.code == 131016
