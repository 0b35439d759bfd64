"""Erases, exports and holds the data of persons, as it was asked for; each day what is left."""

from functools import cache

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from retorno import clock
from retorno.personal_data.fulfilment import Fulfilment, fulfilment
from retorno.settings import FulfilPersonalDataSettings

processor = BatchProcessor(event_type=EventType.SQS)


@cache
def requests() -> Fulfilment:
    return fulfilment(FulfilPersonalDataSettings.from_environment())


def take(record: SQSRecord) -> None:
    requests().take(record.body, clock.now())


def handler(event: dict[str, object], context: LambdaContext) -> PartialItemFailureResponse | None:
    """What the queue sent, or, of the schedule that comes each day, nothing but the time."""
    if "Records" in event:
        return process_partial_response(event, take, processor, context)
    requests().resume(clock.now())
    return None
