"""Has customers be due as the schedules of appointments fire, and looks after all each minute."""

from functools import cache

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.keep_appointments import schema
from retorno import clock
from retorno.observability import with_metrics
from retorno.settings import KeepAppointmentsSettings
from retorno.telemarketing.appointments.service import Firing, firing

processor = BatchProcessor(event_type=EventType.SQS)


@cache
def keeper() -> Firing:
    return firing(KeepAppointmentsSettings.from_environment())


def fire(record: SQSRecord) -> None:
    fired = schema.Firing.model_validate_json(record.body)
    keeper().fire(fired.appointment(), clock.now())


@with_metrics
def handler(event: dict[str, object], context: LambdaContext) -> PartialItemFailureResponse | None:
    """What schedules sent, or, of the one that comes each minute, nothing but the time."""
    if "Records" in event:
        return process_partial_response(event, fire, processor, context)
    keeper().check(clock.now())
    return None
