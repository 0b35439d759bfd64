"""Writes the call facts that the table did not take when they came."""

from functools import cache

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from retorno.calls.service import CallUpkeep, call_upkeep
from retorno.settings import CallSettings

processor = BatchProcessor(event_type=EventType.SQS)


@cache
def upkeep() -> CallUpkeep:
    return call_upkeep(CallSettings.from_environment())


def write(record: SQSRecord) -> None:
    upkeep().store_deferred(record.body)


def handler(event: dict[str, object], context: LambdaContext) -> PartialItemFailureResponse:
    return process_partial_response(event, write, processor, context)
