"""How the benchmarks' traffic is brought to functions, held against what Lambda promises."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from benchmarks.traffic import Source

NOW = datetime(2026, 3, 2, 12, 0, 0, 100_000, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def stream(**properties: Any) -> Source:
    stream = {"Fn::GetAtt": ["CallsTable", "StreamArn"]}
    return Source("Follow", {"Type": "DynamoDB", "Properties": {"Stream": stream, **properties}})


def queue(**properties: Any) -> Source:
    queue = {"Fn::GetAtt": ["WorkQueue", "Arn"]}
    return Source("Work", {"Type": "SQS", "Properties": {"Queue": queue, **properties}})


def record(call_id: str = "c1", event: str = "INSERT") -> dict[str, Any]:
    return {"eventName": event, "dynamodb": {"Keys": {"call_id": {"S": call_id}}}}


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ('{"eventName": ["REMOVE"]}', False),
        ('{"eventName": ["REMOVE", "INSERT"]}', True),
        ('{"dynamodb": {"Keys": {"call_id": {"S": [{"prefix": "c"}]}}}}', True),
        ('{"dynamodb": {"Keys": {"call_id": {"S": [{"prefix": "d"}]}}}}', False),
        ('{"eventName": ["INSERT"], "dynamodb": {"NewImage": {"role": {"S": ["a"]}}}}', False),
    ],
)
def test_a_record_is_wanted_that_a_filter_matches(pattern: str, wanted: bool) -> None:
    nothing = {"Pattern": '{"eventName": ["MODIFY"]}'}
    source = stream(FilterCriteria={"Filters": [nothing, {"Pattern": pattern}]})
    assert source.wants(record()) is wanted
    assert stream().wants(record())


def test_a_stream_is_looked_into_four_times_a_second_and_a_queue_at_once() -> None:
    assert stream().brings_at(NOW) == NOW + timedelta(milliseconds=150)
    assert queue().brings_at(NOW) == NOW
    for source in (stream, queue):
        waits = source(MaximumBatchingWindowInSeconds=60)
        assert waits.brings_at(NOW) == source().brings_at(NOW) + MINUTE


def test_records_of_a_key_have_one_reader_and_messages_come_to_all_in_turn() -> None:
    calls = stream(ParallelizationFactor=10)
    assert calls.reader_of(record("c1")) is calls.reader_of(record("c1", "REMOVE"))
    readers = {id(calls.reader_of(record(f"c{index}"))) for index in range(100)}
    assert len(readers) == 10
    work = queue(ScalingConfig={"MaximumConcurrency": 2})
    first, second, third = (work.reader_of({}) for _ in range(3))
    assert first is third is not second


def test_a_queue_is_asked_as_messages_come_and_for_ten_at_once() -> None:
    came = Counter({NOW: 12, NOW + MINUTE: 1})
    assert queue().requests(came) == 2 + 1 + 2
    assert stream().requests(came) == 0
