"""Brings what is seen live up to date with what changed, and each minute with the day's figures.

A batch of which some could not be looked at comes again as a whole: to look twice does no harm.
"""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from retorno import clock
from retorno.changes import Change, Kind, read_change
from retorno.realtime.publishing import Publishing, publishing
from retorno.settings import PublishUpdatesSettings


@cache
def publisher() -> Publishing:
    return publishing(PublishUpdatesSettings.from_environment())


def handler(event: dict[str, Any], context: LambdaContext) -> None:
    changes = [read_change(record["body"]) for record in event.get("Records", ())]
    publisher().publish(changes or [Change(Kind.DASHBOARD, {})], clock.now())
