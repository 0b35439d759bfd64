"""Calls people back, as agents become free and contacts become due, and settles what is over."""

from functools import cache

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from retorno.callbacks.dialler import Dialler
from retorno.callbacks.dialler import dialler as dialler_of
from retorno.observability import count, with_metrics
from retorno.settings import DiallerSettings

processor = BatchProcessor(event_type=EventType.SQS)


@cache
def dialler() -> Dialler:
    return dialler_of(DiallerSettings.from_environment())


def serve(record: SQSRecord) -> None:
    count("CallbacksDialled", dialler().serve(record.body))


@with_metrics
def handler(event: dict[str, object], context: LambdaContext) -> PartialItemFailureResponse:
    return process_partial_response(event, serve, processor, context)
