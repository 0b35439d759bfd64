"""Writes all customers into a file."""

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
from retorno.customers.transfer import KIND, customer_export
from retorno.imports.service import exports
from retorno.settings import CustomerTransferSettings

processor = BatchProcessor(event_type=EventType.SQS)


@cache
def settings() -> CustomerTransferSettings:
    return CustomerTransferSettings.from_environment()


def write(record: SQSRecord) -> None:
    exports((KIND,), settings()).make(record.body, customer_export(settings()), clock.now)


def handler(event: dict[str, object], context: LambdaContext) -> PartialItemFailureResponse:
    return process_partial_response(event, write, processor, context)
