"""Makes and drops the schedules of appointments, tells of those that are due, has them rung."""

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
from retorno.settings import FollowAssignmentsSettings
from retorno.telemarketing.appointments.service import Following, following

processor = BatchProcessor(event_type=EventType.DynamoDBStreams)


@cache
def follower() -> Following:
    return following(FollowAssignmentsSettings.from_environment())


def follow(record: DynamoDBRecord) -> None:
    follower().follow(record.raw_event, clock.now())


@with_metrics
def handler(event: dict[str, object], context: LambdaContext) -> PartialItemFailureResponse:
    return process_partial_response(event, follow, processor, context)
