"""Takes what Zenvia's reports tell of the calls of the last hours: `{"hours": 2}`."""

from datetime import timedelta

from aws_lambda_powertools.utilities.typing import LambdaContext

from retorno import clock
from retorno.calls.service import call_reconciliation
from retorno.errors import Unavailable
from retorno.observability import count, with_metrics
from retorno.secrets import signing_secrets
from retorno.settings import ReconcileZenviaSettings
from retorno.telephony.providers import ZENVIA
from retorno.telephony.zenvia_reports import zenvia_reports


@with_metrics
def handler(event: dict[str, float], context: LambdaContext) -> None:
    settings = ReconcileZenviaSettings.from_environment()
    token, *_ = signing_secrets(settings.zenvia_token)
    reports = zenvia_reports(settings.zenvia_api_url, token, settings.zenvia_queues)
    now = clock.now()
    reconcile = call_reconciliation(settings, ZENVIA, reports)
    outcome = reconcile(now - timedelta(hours=event["hours"]), now)
    count("RowsReconciled", outcome.read)
    count("RowsUnreadable", outcome.unreadable)
    count("UnknownValues", outcome.unknown)
    if outcome.failures:
        raise Unavailable("; ".join(outcome.failures))
