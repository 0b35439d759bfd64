"""Ends the wait for missed calls that nobody recovered in their window."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from retorno import clock
from retorno.observability import count, with_metrics
from retorno.recovery.service import matching
from retorno.settings import RecoverySettings


@with_metrics
def handler(event: dict[str, object], context: LambdaContext) -> None:
    expired = matching(RecoverySettings.from_environment()).expire(clock.now())
    count("MissedCallsExpired", expired)
