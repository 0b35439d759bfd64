"""Keeps track of who answered outbound calls, of which agents are in a call, and of who waits."""

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
from retorno.agents.service import AgentTracking, agent_tracking
from retorno.offers.service import LineTracking, line_tracking
from retorno.settings import FollowCallsSettings
from retorno.voicemail.service import AnswerTracking, answer_tracking

processor = BatchProcessor(event_type=EventType.DynamoDBStreams)
settings = cache(FollowCallsSettings.from_environment)


@cache
def agents() -> AgentTracking:
    return agent_tracking(settings())


@cache
def answers() -> AnswerTracking:
    return answer_tracking(settings())


@cache
def lines() -> LineTracking:
    return line_tracking(settings())


def follow(record: DynamoDBRecord) -> None:
    # Where one fails the record comes again, for all. Who is in a call is known before it is said
    # that nobody waits in it.
    try:
        agents().follow(record.raw_event, clock.now())
        lines().follow(record.raw_event, clock.now())
    finally:
        answers().follow(record.raw_event)


def handler(event: dict[str, object], context: LambdaContext) -> PartialItemFailureResponse:
    return process_partial_response(event, follow, processor, context)
