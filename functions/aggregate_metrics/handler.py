"""Brings the dashboard's counters up to what changed.

Changes are counted together, which costs less. Where that fails, and not because a table does not
answer, each is counted by itself: one that cannot be does not keep the others from it.
"""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from retorno.changes import read_change
from retorno.dashboard.service import Counting, counting
from retorno.errors import Unavailable
from retorno.observability import logger
from retorno.settings import AggregateMetricsSettings

processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


@cache
def counter() -> Counting:
    return counting(AggregateMetricsSettings.from_environment())


def look(record: SQSRecord) -> None:
    counter().look([read_change(record.body)])


def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    try:
        counter().look([read_change(record["body"]) for record in event["Records"]])
    except Unavailable:
        raise
    except Exception:  # noqa: BLE001 - it is tried again, one by one
        logger.exception("the batch is counted one by one")
        return process_partial_response(event, look, processor, context)
    return {"batchItemFailures": []}
