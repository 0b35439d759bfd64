"""Takes what WhatsApp tells: messages of customers, and what became of ours."""

import hmac
from functools import cache
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.ingest_messages.schema import BODY, Challenge, Mode, NewsTaken, VerifyToken
from retorno import clock
from retorno.errors import NotAllowed
from retorno.http import Api
from retorno.messages import whatsapp
from retorno.messages.service import Inbox
from retorno.messages.service import inbox as inbox_of
from retorno.observability import with_metrics
from retorno.secrets import credential
from retorno.settings import IngestMessageSettings

app = Api()
settings = cache(IngestMessageSettings.from_environment)


@cache
def inbox() -> Inbox:
    return inbox_of(settings())


@app.get(
    "/webhooks/whatsapp",
    tags=["webhooks"],
    summary="WhatsApp asks whether this is the webhook that it was told of",
)
def verify(mode: Mode, token: VerifyToken, challenge: Challenge) -> Response[str]:
    expected = credential(settings().whatsapp_secret, "verify_token")
    if mode != "subscribe" or not hmac.compare_digest(
        expected.encode(), token.encode(errors="replace")
    ):
        raise NotAllowed("the verify token does not hold")
    return Response(HTTPStatus.OK.value, content_type="text/plain", body=challenge)


@app.post(
    "/webhooks/whatsapp",
    tags=["webhooks"],
    openapi_extensions=BODY,
    summary="Messages and statuses of WhatsApp, in any order and more than once",
)
def take() -> NewsTaken:
    signature = app.current_event.headers.get("x-hub-signature-256", "")
    secret = credential(settings().whatsapp_secret, "app_secret")
    whatsapp.verify(secret, signature, app.raw_body)
    return NewsTaken.of(inbox().take(app.raw_body, clock.now()))


@with_metrics
def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
