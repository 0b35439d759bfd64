"""Takes the rows of an import: makes and changes customers, and reports each row."""

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
from retorno.customers.transfer import customer_import
from retorno.imports.service import ChunkTaking
from retorno.observability import count, with_metrics
from retorno.settings import CustomerTransferSettings

processor = BatchProcessor(event_type=EventType.SQS)


@cache
def rows() -> ChunkTaking:
    return customer_import(CustomerTransferSettings.from_environment())


def take(record: SQSRecord) -> None:
    counts = rows().take(record.body, clock.now())
    count("RowsImported", counts.done - counts.refused)
    count("RowsRefused", counts.refused)


@with_metrics
def handler(event: dict[str, object], context: LambdaContext) -> PartialItemFailureResponse:
    return process_partial_response(event, take, processor, context)
