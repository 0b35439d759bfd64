"""Puts missed callers on the lists of their queue's campaigns, and takes them off again."""

from functools import cache

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from retorno import clock
from retorno.callbacks.service import ListFilling, list_filling
from retorno.retention import expired
from retorno.settings import FillCallListSettings

processor = BatchProcessor(event_type=EventType.DynamoDBStreams)


@cache
def filling() -> ListFilling:
    return list_filling(FillCallListSettings.from_environment())


def follow(record: DynamoDBRecord) -> None:
    if not expired(record.raw_event):
        filling().follow(record.raw_event, clock.now())


def handler(event: dict[str, object], context: LambdaContext) -> PartialItemFailureResponse:
    return process_partial_response(event, follow, processor, context)
