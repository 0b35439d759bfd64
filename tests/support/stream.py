"""A table's stream in moto, read to its end again and again."""

from typing import Any

import boto3

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
        return new
