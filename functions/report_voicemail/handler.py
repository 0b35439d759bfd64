"""Writes the weekly reports on voicemails; `{"week": "2026-03-02"}` writes the one of that day."""

from datetime import date

from aws_lambda_powertools.utilities.typing import LambdaContext

from retorno import clock
from retorno.settings import VoicemailSettings
from retorno.voicemail.service import voicemail_reporting


def handler(event: dict[str, str], context: LambdaContext) -> list[dict[str, object]]:
    reporting = voicemail_reporting(VoicemailSettings.from_environment())
    if week := event.get("week"):
        reports = [reporting.write(date.fromisoformat(week), clock.now())]
    else:
        reports = reporting.write_last_weeks(clock.now())
    return [report.model_dump(mode="json") for report in reports]
