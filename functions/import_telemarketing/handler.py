"""Takes the rows of telemarketing files: links, and the history of a previous system."""

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
from retorno.imports.service import ChunkTaking
from retorno.observability import count, with_metrics
from retorno.settings import TelemarketingTransferSettings
from retorno.telemarketing.transfer.service import telemarketing_import

processor = BatchProcessor(event_type=EventType.SQS)


@cache
def rows() -> ChunkTaking:
    return telemarketing_import(TelemarketingTransferSettings.from_environment())


def take(record: SQSRecord) -> None:
    counts = rows().take(record.body, clock.now())
    count("RowsImported", counts.done - counts.refused)
    count("RowsRefused", counts.refused)


@with_metrics
def handler(event: dict[str, object], context: LambdaContext) -> PartialItemFailureResponse:
    return process_partial_response(event, take, processor, context)
