"""Says to Twilio what a caller hears next."""

from functools import cache
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.serve_menus.schema import (
    FORM,
    TWIML,
    MenuInPath,
    heard_in,
    position_in,
    queue_end_in,
)
from functions.serve_menus.twiml import CONTENT_TYPE, NOTHING_MORE, apology, document
from retorno import clock
from retorno.errors import InvalidInput, NotFound, Unavailable
from retorno.http import Api
from retorno.menus.model import Use
from retorno.menus.service import MenuCalls
from retorno.menus.service import menu_calls as menu_calls_of
from retorno.menus.walk import QueueEnd
from retorno.menus.words import LANGUAGES
from retorno.observability import count, logger, with_metrics
from retorno.secrets import signing_secrets
from retorno.settings import ServeMenuSettings
from retorno.telephony.providers import TWILIO

app = Api()
settings = cache(ServeMenuSettings.from_environment)


@cache
def menu_calls() -> MenuCalls:
    return menu_calls_of(settings())


@app.post(
    "/webhooks/twilio/menus/<menu>",
    tags=["webhooks"],
    openapi_extensions=FORM,
    summary="What a caller of Twilio's hears next in a menu",
    responses=TWIML,
)
def serve(menu: MenuInPath) -> Response[str]:
    request, now = app.webhook(settings().public_url), clock.now()
    TWILIO.verify(request, signing_secrets(settings().twilio_secret), now)
    heard = heard_in(request.body, settings().number_plan, now)
    at = position_in(app.current_event.query_string_parameters)
    return twiml(document(menu, menu_calls().step(menu, at, heard, now)))


def keep_the_caller(_: Exception) -> Response[str]:
    """An error would end the call. Who calls in is asked to wait, as often as it takes; whom we
    call is connected."""
    logger.exception("a caller has to wait")
    count("MenuTroubles")
    at = position_in(app.current_event.query_string_parameters)
    if at.use is Use.FIRST_WORDS or queue_end_in(app.raw_body) is QueueEnd.OVER:
        return twiml(NOTHING_MORE)
    menu = app.current_event.raw_path.rpartition("/")[2]
    return twiml(apology(menu, LANGUAGES[settings().country], at))


def twiml(text: str) -> Response[str]:
    return Response(HTTPStatus.OK.value, content_type=CONTENT_TYPE, body=text)


# A signature that does not hold is nobody's call, and is refused as ever.
app.exception_handler([InvalidInput, NotFound, Unavailable, Exception])(keep_the_caller)


@with_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
