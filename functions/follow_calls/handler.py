"""Keeps track of who answered outbound calls and of which agents are in a call, tells the dialler
of its calls that are over, and operations of theirs, has those looked at who wait for an agent and
how long they do, and tells those who look on.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

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
from retorno.callbacks.service import DialledCalls, dialled_calls
from retorno.changes import Kind, Onlookers, change_of, onlookers
from retorno.offers.service import LineTracking, line_tracking
from retorno.retention import news
from retorno.settings import FollowCallsSettings
from retorno.telemarketing.operations.calls import CallTracking, call_tracking
from retorno.voicemail.service import AnswerTracking, answer_tracking
from retorno.waits.service import WaitTracking, wait_tracking

processor = BatchProcessor(event_type=EventType.DynamoDBStreams)
settings = cache(FollowCallsSettings.from_environment)


@cache
def agents() -> AgentTracking:
    return agent_tracking(settings())


@cache
def answers() -> AnswerTracking:
    return answer_tracking(settings())


@cache
def dialled() -> DialledCalls:
    return dialled_calls(settings())


@cache
def lines() -> LineTracking:
    return line_tracking(settings())


@cache
def watching() -> Onlookers:
    return onlookers(settings())


@cache
def operations() -> CallTracking:
    return call_tracking(settings())


@cache
def waits() -> WaitTracking:
    return wait_tracking(settings())


def follow(record: DynamoDBRecord) -> None:
    now, change = clock.now(), record.raw_event
    followers: tuple[Callable[[], None], ...] = (
        lambda: agents().follow(change, now),
        lambda: answers().follow(change),
        lambda: dialled().follow(change, now),
        lambda: operations().follow(change),
        # Who is in a call is known before it is said that nobody waits in it.
        lambda: lines().follow(change, now),
        lambda: waits().follow(change, now),
    )
    errors = []
    for each in followers:
        try:
            each()
        except Exception as error:  # noqa: BLE001 - the record comes again, for all of them
            errors.append(error)
    if errors:
        raise ExceptionGroup("the call could not be followed", errors)


def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    watching().tell((change_of(Kind.CALL, record) for record in news(event)), clock.now())
    return process_partial_response(event, follow, processor, context)
