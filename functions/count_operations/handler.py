"""Counts how the customers of telemarketing stand, and what came of operations.

A batch that breaks off comes again, as a whole or in halves: what was counted of it counts once.
"""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from retorno.retention import news
from retorno.settings import CounterSettings
from retorno.telemarketing.statistics.service import Counting, counting


@cache
def counter() -> Counting:
    return counting(CounterSettings.from_environment())


def handler(event: dict[str, Any], context: LambdaContext) -> None:
    counter().count(news(event))
