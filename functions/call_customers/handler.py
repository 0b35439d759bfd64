"""Calls customers for the agents who work on them."""

from functools import cache
from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Path
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.call_customers.schema import PlacedCall
from retorno import clock
from retorno.dialling.model import Asker, DialState, Key
from retorno.http import Api, answer
from retorno.settings import DialSettings, OperationSettings
from retorno.telemarketing.assignments.service import Workers
from retorno.telemarketing.assignments.service import workers as workers_of
from retorno.telemarketing.operations.calling import Calling, CallWish
from retorno.telemarketing.operations.calling import calling as calling_of
from retorno.users import LEADERS

app = Api()
settings = cache(OperationSettings.from_environment)
dial_settings = cache(DialSettings.from_environment)


@cache
def calling() -> Calling:
    return calling_of(settings(), dial_settings())


@cache
def workers() -> Workers:
    return workers_of(settings())


@app.post(
    "/telemarketing/operations/<operation>/calls",
    tags=["telemarketing"],
    summary="Rings you and then the customer, and links the call; asked again with the same key, "
    "it is the same call",
    status_code=201,
)
def place(
    operation: Annotated[str, Path(max_length=200)],
    wish: Annotated[CallWish, Body()],
    key: Annotated[Key, Header(alias="Idempotency-Key", description="One for each call")],
) -> Response[PlacedCall]:
    user = app.user
    worker = workers().one(user.agent, leads=bool(user.groups & LEADERS))
    asker = Asker(name=user.name, agent=user.agent)
    webhooks_url = app.base_url(dial_settings().public_url)
    dial = calling().place(operation, wish, key, asker, worker, webhooks_url, clock.now())
    is_placed = dial.state is DialState.PLACED
    status = HTTPStatus.CREATED if is_placed else HTTPStatus.ACCEPTED
    return answer(PlacedCall.model_validate(dial), status)


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
