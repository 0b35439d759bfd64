"""Tells those who look on what changed in the tables.

A batch of which some was not told comes again as a whole: to be told twice does no harm.
"""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from retorno import clock
from retorno.changes import Onlookers, announced, change_of, onlookers, table_of
from retorno.retention import news
from retorno.settings import AnnounceSettings

settings = cache(AnnounceSettings.from_environment)


@cache
def watching() -> Onlookers:
    return onlookers(settings())


def handler(event: dict[str, Any], context: LambdaContext) -> None:
    kinds = announced(settings())
    changes = (change_of(kinds[table_of(record)], record) for record in news(event))
    watching().tell(changes, clock.now())
