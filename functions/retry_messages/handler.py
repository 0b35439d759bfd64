"""Each minute sends anew the messages that WhatsApp could not take for the moment."""

from functools import cache

from aws_lambda_powertools.utilities.typing import LambdaContext

from retorno import clock
from retorno.messages.service import Outbox
from retorno.messages.service import outbox as outbox_of
from retorno.observability import with_metrics
from retorno.settings import SendMessageSettings


@cache
def outbox() -> Outbox:
    return outbox_of(SendMessageSettings.from_environment())


@with_metrics
def handler(event: dict[str, object], context: LambdaContext) -> None:
    outbox().check(clock.now())
