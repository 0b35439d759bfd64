"""Opens a record for each missed call and links the call that wins it back."""

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
from retorno.observability import with_metrics
from retorno.recovery.service import Matching, matching
from retorno.settings import RecoverySettings

processor = BatchProcessor(event_type=EventType.DynamoDBStreams)


@cache
def recoveries() -> Matching:
    return matching(RecoverySettings.from_environment())


def match(record: DynamoDBRecord) -> None:
    recoveries().match(record.raw_event, clock.now())


@with_metrics
def handler(event: dict[str, object], context: LambdaContext) -> PartialItemFailureResponse:
    return process_partial_response(event, match, processor, context)
