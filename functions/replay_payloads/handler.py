"""Reads payloads again that could not be read when they came: `{"provider": "asterisk"}`."""

from dataclasses import asdict

from aws_lambda_powertools.utilities.typing import LambdaContext

from retorno import clock
from retorno.calls.service import payload_replay
from retorno.messages import whatsapp
from retorno.messages.service import inbox
from retorno.settings import InboxSettings, ReplaySettings
from retorno.telephony.providers import PROVIDERS


def handler(event: dict[str, str], context: LambdaContext) -> dict[str, int]:
    if event["provider"] == whatsapp.NAME:
        return dict(inbox(InboxSettings.from_environment()).replay(clock.now()))
    replay = payload_replay(ReplaySettings.from_environment())
    return asdict(replay(PROVIDERS[event["provider"]], clock.now()))
