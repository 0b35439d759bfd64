"""Offers callers who wait to agents who are free, one after the other."""

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
from retorno.offers.service import Offers
from retorno.offers.service import offers as offers_of
from retorno.settings import OfferSettings
from retorno.work import WorkQueue

processor = BatchProcessor(event_type=EventType.SQS)
settings = cache(OfferSettings.from_environment)


@cache
def offers() -> Offers:
    return offers_of(settings())


@cache
def work() -> WorkQueue:
    return WorkQueue(settings().offers_queue)


def look(record: SQSRecord) -> None:
    now = clock.now()
    if message := work().read(record.body, now):
        offers().look(message, now)


def handler(event: dict[str, object], context: LambdaContext) -> PartialItemFailureResponse:
    return process_partial_response(event, look, processor, context)
