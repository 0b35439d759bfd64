"""Closes calls whose end never came: those that are seen live for longer than any call lasts."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from retorno import clock
from retorno.calls.service import call_upkeep
from retorno.observability import count, with_metrics
from retorno.realtime.service import calls_seen
from retorno.settings import SweepSettings


@with_metrics
def handler(event: dict[str, object], context: LambdaContext) -> None:
    settings = SweepSettings.from_environment()
    began_before = clock.now() - settings.call_max_age
    call_ids = calls_seen(settings).begun_before(began_before)
    count("CallsClosed", call_upkeep(settings).close(call_ids, settings.call_max_age))
