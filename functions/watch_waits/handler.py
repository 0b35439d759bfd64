"""Judges how long callers wait, as they do."""

from functools import cache

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from retorno import clock
from retorno.settings import WatchWaitsSettings
from retorno.waits.service import WaitWatch, wait_watch
from retorno.work import WorkQueue

processor = BatchProcessor(event_type=EventType.SQS)
settings = cache(WatchWaitsSettings.from_environment)


@cache
def watch() -> WaitWatch:
    return wait_watch(settings())


@cache
def work() -> WorkQueue:
    return WorkQueue(settings().waits_queue)


def look(record: SQSRecord) -> None:
    now = clock.now()
    if message := work().read(record.body, now):
        watch().look(message["call_id"], now)


def handler(event: dict[str, object], context: LambdaContext) -> PartialItemFailureResponse:
    return process_partial_response(event, look, processor, context)
