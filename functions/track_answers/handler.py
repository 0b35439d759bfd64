"""Keeps track of who answered outbound calls."""

from functools import cache

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from retorno.settings import VoicemailSettings
from retorno.voicemail.service import AnswerTracking, answer_tracking

processor = BatchProcessor(event_type=EventType.DynamoDBStreams)


@cache
def tracking() -> AnswerTracking:
    return answer_tracking(VoicemailSettings.from_environment())


def follow(record: DynamoDBRecord) -> None:
    tracking().follow(record.raw_event)


def handler(event: dict[str, object], context: LambdaContext) -> PartialItemFailureResponse:
    return process_partial_response(event, follow, processor, context)
