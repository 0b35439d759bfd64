"""Takes contacts off the call lists whose number comes on the do-not-call list."""

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
from retorno.callbacks.service import DoNotCallWatch, do_not_call_watch
from retorno.settings import FillCallListSettings

processor = BatchProcessor(event_type=EventType.DynamoDBStreams)


@cache
def watch() -> DoNotCallWatch:
    return do_not_call_watch(FillCallListSettings.from_environment())


def follow(record: DynamoDBRecord) -> None:
    watch().follow(record.raw_event, clock.now())


def handler(event: dict[str, object], context: LambdaContext) -> PartialItemFailureResponse:
    return process_partial_response(event, follow, processor, context)
