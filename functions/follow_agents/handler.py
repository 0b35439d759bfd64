"""Has those look who have calls for a queue, as its agents become available."""

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
from retorno.agents.service import Availability, availability
from retorno.settings import FollowAgentsSettings

processor = BatchProcessor(event_type=EventType.DynamoDBStreams)


@cache
def agents() -> Availability:
    return availability(FollowAgentsSettings.from_environment())


def follow(record: DynamoDBRecord) -> None:
    agents().follow(record.raw_event, clock.now())


def handler(event: dict[str, object], context: LambdaContext) -> PartialItemFailureResponse:
    return process_partial_response(event, follow, processor, context)
