"""Closes calls whose end never came."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from retorno import clock
from retorno.calls.service import call_upkeep
from retorno.observability import count, with_metrics
from retorno.settings import SweepSettings


@with_metrics
def handler(event: dict[str, object], context: LambdaContext) -> None:
    settings = SweepSettings.from_environment()
    count("CallsClosed", call_upkeep(settings).sweep(clock.now(), settings.call_max_age))
