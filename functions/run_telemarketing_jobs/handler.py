"""Links customers by filter, and moves portfolios, page by page."""

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
from retorno.imports.service import TaskRunning
from retorno.settings import TelemarketingJobSettings
from retorno.telemarketing.transfer.service import telemarketing_jobs

processor = BatchProcessor(event_type=EventType.SQS)


@cache
def jobs() -> TaskRunning:
    return telemarketing_jobs(TelemarketingJobSettings.from_environment())


def run(record: SQSRecord) -> None:
    jobs().run(record.body, clock.now)


def handler(event: dict[str, object], context: LambdaContext) -> PartialItemFailureResponse:
    return process_partial_response(event, run, processor, context)
