"""What operators have at hand when an alarm goes off, as far as it takes no stack."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.functions import functions
from tools.deployed import Deployed
from tools.look_again import suits
from tools.redrive import masked
from tools.show_failures import METRIC, failures, headline


def patterns() -> Iterator[tuple[str, Any]]:
    """Those of the template's mappings, and whose they are."""
    for function, properties in functions().items():
        for event in properties.get("Events", {}).values():
            for each in event["Properties"].get("FilterCriteria", {}).get("Filters", ()):
                yield function, json.loads(each["Pattern"])


class TestFilters:
    def test_every_rule_of_the_template_is_known(self) -> None:
        found = list(patterns())
        assert found
        for _, pattern in found:
            suits({"eventName": "INSERT", "dynamodb": {"Keys": {}}}, pattern)

    @pytest.mark.parametrize(
        ("record", "follows"),
        [
            ({"dynamodb": {"Keys": {"entry": {"S": "operation#1"}}}}, True),
            ({"dynamodb": {"Keys": {"entry": {"S": "call#1"}}}}, False),
            ({"dynamodb": {"Keys": {}}}, False),
            ({}, False),
        ],
    )
    def test_a_prefix_holds_where_there_is_one(self, record: Any, follows: bool) -> None:
        pattern = {"dynamodb": {"Keys": {"entry": {"S": [{"prefix": "operation#"}]}}}}
        assert suits(record, pattern) == follows

    def test_what_is_not_there_can_be_asked_for(self) -> None:
        assert suits({}, {"userIdentity": {"type": [{"exists": False}]}})
        assert not suits(
            {"userIdentity": {"type": "Service"}}, {"userIdentity": {"type": [{"exists": False}]}}
        )

    def test_one_of_several_values_is_enough(self) -> None:
        assert suits({"role": "return"}, {"role": ["missed", "return"]})
        assert not suits({"role": "outbound"}, {"role": ["missed", {"anything-but": ["outbound"]}]})

    def test_a_rule_that_is_not_known_is_not_passed_over(self) -> None:
        with pytest.raises(LookupError, match="suffix"):
            suits({"role": "missed"}, {"role": [{"suffix": "ed"}]})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"from": "+5511944443333"}', '{"from": "+••••3333"}'),
        ("11944443333 and 33334444", "••••3333 and ••••4444"),
        ("extension 2041", "extension 2041"),
    ],
)
def test_of_a_number_the_last_digits_are_shown(text: str, shown: str) -> None:
    assert masked(text) == shown


class Logs:
    """CloudWatch Logs, which is asked for lines of one group by one pattern."""

    def __init__(self, pattern: str, events: list[dict[str, Any]]) -> None:
        self._pattern, self._events = pattern, events

    def describe_metric_filters(self, logGroupName: str) -> Any:  # noqa: N803 - botocore's own
        assert logGroupName == "logs-1"
        named = {"Audit": "audit", METRIC: self._pattern}
        return {
            "metricFilters": [
                {"filterPattern": pattern, "metricTransformations": [{"metricName": name}]}
                for name, pattern in named.items()
            ]
        }

    def get_paginator(self, operation: str) -> "Logs":
        assert operation == "filter_log_events"
        return self

    def paginate(self, **asked: Any) -> list[Any]:
        assert asked["filterPattern"] == self._pattern
        found = [each for each in self._events if each["timestamp"] >= asked["startTime"]]
        return [{"events": found[:1]}, {"events": found[1:]}]


def test_failures_are_those_that_the_alarm_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1_772_452_800)
    trace = {
        "level": "ERROR",
        "message": "not counted",
        "exception": "Traceback\n  …\nKeyError: 'x'",
    }
    events = [
        {
            "timestamp": ago,
            "logStreamName": "2026/03/02/retorno-ReadCalls-1[$LATEST]3c",
            "message": text,
        }
        for ago, text in [
            (1_772_449_100_000, '{"message": "long ago"}'),
            (1_772_452_000_000, json.dumps(trace)),
            (1_772_452_700_000, '{"level": "ERROR", "errorType": "KeyError", "errorMessage": "y"}'),
            (1_772_452_700_001, '{"type": "platform.report", "record": {"status": "timeout"}}'),
        ]
    ]
    deployed = Deployed(None, None, {"FunctionLogs": "logs-1", "ReadCalls": "retorno-ReadCalls-1"})  # type: ignore[arg-type]
    monkeypatch.setattr(Deployed, "client", lambda *_: Logs("?a ?b", events))
    assert [(function, words) for _, function, words in failures(deployed, 1)] == [
        ("ReadCalls", "not counted: KeyError: 'x'"),
        ("ReadCalls", "KeyError: y"),
        ("ReadCalls", "ended by Lambda: timeout"),
    ]


def test_a_headline_is_short() -> None:
    assert len(headline(json.dumps({"message": "x" * 5000}))) == 200
