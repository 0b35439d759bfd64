"""Brings promises onto the call list when their time is near, and looks after all each minute."""

from functools import cache

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.keep_promises.schema import Firing
from retorno import clock
from retorno.observability import with_metrics
from retorno.promises.service import Keeping, keeping
from retorno.settings import KeepPromisesSettings

processor = BatchProcessor(event_type=EventType.SQS)


@cache
def keeper() -> Keeping:
    return keeping(KeepPromisesSettings.from_environment())


def fire(record: SQSRecord) -> None:
    firing = Firing.model_validate_json(record.body)
    keeper().fire(firing.promise_id, firing.version, clock.now())


@with_metrics
def handler(event: dict[str, object], context: LambdaContext) -> PartialItemFailureResponse | None:
    """What schedules sent, or, of the one that comes each minute, nothing but the time."""
    if "Records" in event:
        return process_partial_response(event, fire, processor, context)
    keeper().check(clock.now())
    return None
