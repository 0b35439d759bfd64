"""Takes contact events and contact records of Amazon Connect."""

import base64
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.typing import LambdaContext

from retorno.calls.service import ContactIngestion, contact_ingestion
from retorno.connect import ConnectContacts
from retorno.observability import count, with_metrics
from retorno.settings import ConnectSettings
from retorno.telephony.providers import AMAZON_CONNECT


@cache
def ingestion() -> ContactIngestion:
    settings = ConnectSettings.from_environment()
    lookup = ConnectContacts(settings.connect_instance_arn)
    return contact_ingestion(settings, AMAZON_CONNECT, lookup)


def entry(record: dict[str, Any]) -> tuple[str, bytes]:
    """The id and the payload of what the queue or the stream brings."""
    if "kinesis" in record:
        return record["kinesis"]["sequenceNumber"], base64.b64decode(record["kinesis"]["data"])
    return record["messageId"], record["body"].encode()


@with_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """All of a batch is dealt with at once, so that a call is written once and asked for once."""
    ids, payloads = zip(*map(entry, event["Records"]), strict=True)
    taken = ingestion().take(payloads)
    count("EventsTaken", sum(reading.taken for reading in taken.readings))
    count("EventsIgnored", sum(reading.ignored for reading in taken.readings))
    count("EventsRefused", sum(len(reading.refusals) for reading in taken.readings))
    count("UnknownValues", sum(len(reading.unknown) for reading in taken.readings))
    count("NumbersNotFound", taken.numberless)
    return {"batchItemFailures": [{"itemIdentifier": ids[index]} for index in taken.again]}
