"""Turns a file that was put into the bucket into messages of a few rows each."""

from functools import cache

from aws_lambda_powertools.utilities.data_classes import EventBridgeEvent
from aws_lambda_powertools.utilities.typing import LambdaContext

from retorno import clock
from retorno.customers.rows import VOCABULARY
from retorno.customers.transfer import KIND
from retorno.imports.service import Splitting, splitting
from retorno.settings import SplitSettings
from retorno.telemarketing.transfer.rows import VOCABULARIES


@cache
def files() -> Splitting:
    settings = SplitSettings.from_environment()
    queues = {KIND: settings.customer_rows_queue}
    queues |= dict.fromkeys(VOCABULARIES, settings.telemarketing_rows_queue)
    return splitting(queues, {KIND: VOCABULARY, **VOCABULARIES}, settings)


def handler(event: dict[str, object], context: LambdaContext) -> None:
    created = EventBridgeEvent(event).detail["object"]
    files().split(created["key"], created["etag"], clock.now())
