"""Takes call events from telephony providers."""

from functools import cache
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.ingest_calls.schema import (
    CALL,
    EVENTS,
    FORM,
    LINES,
    CallTaken,
    EventsTaken,
    FormTaken,
    LinesTaken,
    SecretInPath,
)
from retorno.calls.service import CallIngestion, Receipt, call_ingestion
from retorno.http import Api
from retorno.observability import count, with_metrics
from retorno.secrets import signing_secrets
from retorno.settings import IngestSettings
from retorno.telephony.ports import WebhookProvider
from retorno.telephony.providers import ASTERISK, CANONICAL, TWILIO, ZENVIA, ZENVIA_DID
from retorno.telephony.twilio import RETURNS, way_on

app = Api()
settings = cache(IngestSettings.from_environment)


@cache
def ingestion() -> CallIngestion:
    return call_ingestion(settings())


@app.post(
    "/webhooks/calls",
    tags=["webhooks"],
    openapi_extensions=EVENTS,
    summary="Events of calls from any telephone system, each judged by itself",
)
def take_events() -> tuple[EventsTaken, int]:
    receipt = take(CANONICAL, settings().webhook_secret)
    return EventsTaken.of(receipt), status(receipt)


@app.post(
    "/webhooks/asterisk/queue-log",
    tags=["webhooks"],
    openapi_extensions=LINES,
    summary="Lines of Asterisk's queue_log, in any order and more than once",
)
def take_queue_log() -> tuple[LinesTaken, int]:
    receipt = take(ASTERISK, settings().webhook_secret)
    return LinesTaken.of(receipt), status(receipt)


@app.post(
    "/webhooks/twilio/voice",
    tags=["webhooks"],
    openapi_extensions=FORM,
    summary="A status callback of Twilio Voice",
)
def take_twilio() -> tuple[FormTaken, int]:
    receipt = take(TWILIO, settings().twilio_secret)
    return FormTaken.of(receipt), status(receipt)


@app.post(
    f"/webhooks/twilio/{RETURNS}",
    tags=["webhooks"],
    openapi_extensions=FORM,
    summary="Twilio asks how the call goes on of a caller who was being connected, and is told",
)
def take_returned() -> Response[str]:
    take(TWILIO, settings().twilio_secret)
    twiml = way_on(TWILIO.payload(app.webhook(settings().public_url)))
    return Response(HTTPStatus.OK.value, content_type="text/xml", body=twiml)


@app.post(
    "/webhooks/zenvia/<secret>",
    tags=["webhooks"],
    openapi_extensions=CALL,
    summary="A webhook of Zenvia Voice",
)
def take_zenvia(secret: SecretInPath) -> tuple[CallTaken, int]:
    receipt = take(ZENVIA, settings().zenvia_secret)
    return CallTaken.of(receipt), status(receipt)


@app.post(
    "/webhooks/zenvia/<secret>/did",
    tags=["webhooks"],
    openapi_extensions=CALL,
    summary="A webhook of Zenvia Voice about calls to a number (DID)",
)
def take_zenvia_did(secret: SecretInPath) -> tuple[CallTaken, int]:
    receipt = take(ZENVIA_DID, settings().zenvia_secret)
    return CallTaken.of(receipt), status(receipt)


def take(provider: WebhookProvider, secret: str) -> Receipt:
    request = app.webhook(settings().public_url)
    receipt = ingestion().take(provider, request, signing_secrets(secret))
    # What is taken is not counted: a line for each event would cost as much as its Lambda request.
    count("EventsRefused", len(receipt.reading.refusals))
    count("CallsDeferred", receipt.deferred)
    count("UnknownValues", len(receipt.reading.unknown))
    return receipt


def status(receipt: Receipt) -> int:
    return HTTPStatus.ACCEPTED if receipt.deferred else HTTPStatus.OK


@with_metrics
def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
