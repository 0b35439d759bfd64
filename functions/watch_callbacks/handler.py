"""The dialler's net: finds what no message told of."""

from functools import cache

from aws_lambda_powertools.utilities.typing import LambdaContext

from retorno.callbacks.dialler import Dialler
from retorno.callbacks.dialler import dialler as dialler_of
from retorno.settings import DiallerSettings


@cache
def dialler() -> Dialler:
    return dialler_of(DiallerSettings.from_environment())


def handler(event: dict[str, object], context: LambdaContext) -> None:
    dialler().watch()
