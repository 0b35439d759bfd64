"""A table's stream in moto, read on from where it was read to."""

from collections.abc import Iterable
from typing import Any

import boto3
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends

from retorno.calls.model import facts_of, merge
from retorno.telephony.ports import CallEvent

Record = dict[str, Any]


class Stream:
    """Reads what moto keeps: tests look so often that requests would take most of their time."""

    def __init__(self, table_name: str) -> None:
        self._table_name = table_name
        self._read = 0

    def new_records(self) -> list[Record]:
        """Those that came since they were asked for last, oldest first."""
        region = boto3.client("dynamodb").meta.region_name
        table = dynamodb_backends[DEFAULT_ACCOUNT_ID][region].get_table(self._table_name)
        assert table.stream_shard
        new = table.stream_shard.items[self._read :]
        self._read += len(new)
        arn = f"{table.table_arn}/stream/{table.latest_stream_label}"
        # Which Lambda says of each.
        return [{**each.to_json(), "eventSourceARN": arn} for each in new]


def changes(events: Iterable[CallEvent]) -> dict[str, list[Record]]:
    """The records that the stream brings of each call, one an event."""
    records: dict[str, list[Record]] = {}
    images: dict[str, dict[str, Any]] = {}
    for event in events:
        of_call = records.setdefault(event.call_id, [])
        before = images.get(event.call_id)
        known = {name: value["S"] for name, value in (before or {}).items() if "S" in value}
        known.pop("call_id", None)
        facts = merge(known, facts_of(event))  # type: ignore[arg-type]
        image: dict[str, Any] = {str(fact): {"S": written} for fact, written in facts.items()}
        image |= {"call_id": {"S": event.call_id}, "revision": {"N": str(len(of_call) + 1)}}
        of_call.append(
            {"dynamodb": {"NewImage": image, **({"OldImage": before} if before else {})}}
        )
        images[event.call_id] = image
    return records
