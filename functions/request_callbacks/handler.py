"""Takes requests to call a customer back: the virtual queue."""

from functools import cache
from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Body
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.request_callbacks.schema import CallbackRequestView
from retorno import clock
from retorno.http import Api
from retorno.menus.virtual_queue import CallbackWish, VirtualQueue, virtual_queue
from retorno.settings import CallListSettings

app = Api()


@cache
def queue() -> VirtualQueue:
    return virtual_queue(CallListSettings.from_environment())


@app.post(
    "/callback-requests",
    tags=["callbacks"],
    summary="Asks that a customer be called back, in the place that their call has in the queue",
    status_code=202,
)
def ask(wish: Annotated[CallbackWish, Body()]) -> tuple[CallbackRequestView, int]:
    contact = queue().ask(wish, clock.now())
    return CallbackRequestView.of(contact), HTTPStatus.ACCEPTED


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
