"""Reads payloads again that could not be read when they came: `{"provider": "asterisk"}`."""

from dataclasses import asdict

from aws_lambda_powertools.utilities.typing import LambdaContext

from retorno import clock
from retorno.calls.service import payload_replay
from retorno.settings import ReplaySettings
from retorno.telephony.providers import PROVIDERS


def handler(event: dict[str, str], context: LambdaContext) -> dict[str, int]:
    replay = payload_replay(ReplaySettings.from_environment())
    return asdict(replay(PROVIDERS[event["provider"]], clock.now()))
