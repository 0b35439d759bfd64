"""A table's stream in moto, read to its end again and again."""

from collections.abc import Iterable
from typing import Any

import boto3

from retorno.calls.model import facts_of, merge
from retorno.telephony.ports import CallEvent

Record = dict[str, Any]


class Stream:
    def __init__(self, table_name: str) -> None:
        self._table_name = table_name
        self._client = boto3.client("dynamodbstreams")
        self._read = 0

    def new_records(self) -> list[Record]:
        """Those that came since they were asked for last, oldest first."""
        arn = boto3.client("dynamodb").describe_table(TableName=self._table_name)["Table"][
            "LatestStreamArn"
        ]
        (shard,) = self._client.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        iterator = self._client.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        records: list[Record] = self._client.get_records(ShardIterator=iterator)["Records"]
        new = records[self._read :]
        self._read = len(records)
        # Which Lambda says of each.
        return [{**record, "eventSourceARN": arn} for record in new]


class Tail:
    """A stream of a table that stays, read on from where it was read to."""

    def __init__(self, table_name: str) -> None:
        self._client = boto3.client("dynamodbstreams")
        arn = boto3.client("dynamodb").describe_table(TableName=table_name)["Table"][
            "LatestStreamArn"
        ]
        (shard,) = self._client.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        self._iterator = self._client.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]

    def new_records(self) -> list[Record]:
        found = self._client.get_records(ShardIterator=self._iterator)
        self._iterator = found["NextShardIterator"]
        records: list[Record] = found["Records"]
        return records


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
