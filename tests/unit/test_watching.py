"""Nothing of the template runs unwatched, and the runbook knows what to do about each alarm."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.functions import functions
from tests.support.tables import template

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TOPIC = [{"Ref": "AlarmTopic"}]

DEAD = "ApproximateNumberOfMessagesVisible"

Properties = Mapping[str, Any]


def of_type(kind: str) -> dict[str, Properties]:
    return {
        name: resource.get("Properties", {})
        for name, resource in template()["Resources"].items()
        if resource["Type"] == kind
    }


ALARMS = of_type("AWS::CloudWatch::Alarm")


def metrics_of(alarm: Properties) -> Iterator[Properties]:
    yield from (
        each["MetricStat"]["Metric"] for each in alarm.get("Metrics", ()) if "MetricStat" in each
    )
    if "MetricName" in alarm:
        yield alarm


def watched(metric: str, alarms: Mapping[str, Properties] = ALARMS) -> set[str]:
    """The resources of which some alarm watches a metric."""
    return {
        name
        for alarm in alarms.values()
        for each in metrics_of(alarm)
        if each["MetricName"] == metric
        for dimension in each.get("Dimensions", ())
        for name in re.findall(r"'(?:Ref|Fn::GetAtt)': \[?'(\w+)'", str(dimension["Value"]))
    }


def consumed(kind: str) -> Iterator[tuple[str, str]]:
    """The functions that follow queues or streams, and what they follow."""
    for function, properties in functions().items():
        for event in properties.get("Events", {}).values():
            if event["Type"] == kind:
                followed = event["Properties"]["Queue" if kind == "SQS" else "Stream"]
                yield function, followed["Fn::GetAtt"][0]


QUEUES = {queue for _, queue in consumed("SQS")}
DEAD_LETTERS = of_type("AWS::SQS::Queue").keys() - QUEUES


def test_every_function_logs_where_failures_are_counted() -> None:
    (counted,) = (
        each
        for each in of_type("AWS::Logs::MetricFilter").values()
        if each["MetricTransformations"][0]["MetricName"]
        == ALARMS["FunctionsFailing"]["MetricName"]
    )
    logging = template()["Globals"]["Function"]["LoggingConfig"]
    assert (logging["LogGroup"], logging["LogFormat"]) == (counted["LogGroupName"], "JSON")
    assert not [name for name, each in functions().items() if "LoggingConfig" in each]


def test_every_stream_that_is_followed_late_is_noticed() -> None:
    assert {function for function, _ in consumed("DynamoDB")} <= watched("IteratorAge")


def test_every_queue_that_nobody_empties_is_noticed() -> None:
    assert watched("ApproximateAgeOfOldestMessage") == QUEUES


def test_every_dead_letter_is_noticed() -> None:
    assert watched(DEAD) == DEAD_LETTERS


def test_everything_that_is_given_up_is_a_dead_letter() -> None:
    for name in QUEUES:
        policy = of_type("AWS::SQS::Queue")[name]["RedrivePolicy"]
        assert policy["deadLetterTargetArn"]["Fn::GetAtt"][0] in DEAD_LETTERS
    streams = [
        event["Properties"]
        for properties in functions().values()
        for event in properties.get("Events", {}).values()
        if event["Type"] == "DynamoDB"
    ]
    for stream in streams:
        left = stream["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0]
        assert left in DEAD_LETTERS


def test_every_function_that_runs_each_minute_is_missed_when_it_does_not() -> None:
    each_minute = {
        function
        for function, properties in functions().items()
        for event in properties.get("Events", {}).values()
        if event["Properties"].get("ScheduleExpression") == "rate(1 minute)"
    }
    assert each_minute <= watched("Invocations")
    assert ALARMS["SchedulesSilent"]["TreatMissingData"] == "breaching"


def test_every_table_and_every_api_is_watched() -> None:
    (query,) = (each["Expression"] for each in ALARMS["TablesThrottled"]["Metrics"])
    assert "ThrottledRequests" in query
    assert "WHERE" not in query
    assert of_type("AWS::Serverless::HttpApi").keys() == watched("5xx")


@pytest.mark.parametrize("name", ALARMS)
class TestAlarm:
    def test_somebody_hears_of_it_and_of_its_end(self, name: str) -> None:
        assert ALARMS[name]["AlarmActions"] == ALARMS[name]["OKActions"] == TOPIC
        assert ALARMS[name]["AlarmDescription"].endswith((".", ".\n"))

    def test_it_asks_for_no_more_than_an_alarm_may(self, name: str) -> None:
        assert len(list(metrics_of(ALARMS[name]))) <= 10

    def test_its_custom_metrics_are_counted(self, name: str) -> None:
        for metric in metrics_of(ALARMS[name]):
            if metric["Namespace"] == "Retorno":
                assert is_counted(metric["MetricName"])

    def test_the_runbook_says_what_mends_it(self, name: str) -> None:
        entry = entries()[name]
        assert re.search(r"`(make|aws) \w", entry)
        assert set(re.findall(r"QUEUE=(\w+)", entry)) == watched(DEAD, {name: ALARMS[name]})


@cache
def code() -> str:
    return "".join(
        file.read_text(encoding="utf-8")
        for folder in ("functions", "layers/shared/retorno")
        for file in (ROOT / folder).rglob("*.py")
    )


def is_counted(metric: str) -> bool:
    return f'"{metric}"' in code()


class TestDashboard:
    @pytest.fixture
    def body(self) -> str:
        (dashboard,) = of_type("AWS::CloudWatch::Dashboard").values()
        body: str = dashboard["DashboardBody"]["Fn::Sub"]
        return body

    def test_what_it_names_is_always_there(self, body: str) -> None:
        for name in re.findall(r"\$\{(\w+)[.\}]", body):
            assert "Condition" not in template()["Resources"][name]

    def test_it_shows_every_alarm_that_is_always_there(self, body: str) -> None:
        always = {name for name in ALARMS if "Condition" not in template()["Resources"][name]}
        assert set(re.findall(r"\$\{(\w+)\.Arn\}", body)) == always

    def test_what_it_shows_is_counted(self, body: str) -> None:
        widgets = json.loads(re.sub(r"\$\{[^}]*\}", "x", body))["widgets"]
        shown = [
            metric[1]
            for widget in widgets
            for metric in widget["properties"].get("metrics", ())
            if metric[0] == "Retorno"
        ]
        assert [metric for metric in shown if not is_counted(metric)] == []


def entries() -> dict[str, str]:
    """What the runbook says of each alarm."""
    parts = re.split(
        r"^### (\w+)$", RUNBOOK.partition("\n## Nothing is lost")[0], flags=re.MULTILINE
    )
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_runbook_is_about_alarms_that_there_are() -> None:
    assert entries().keys() == ALARMS.keys()


def test_the_commands_of_the_runbook_are_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, flags=re.MULTILINE))
    asked = re.findall(r"\bmake ([a-z-]+)((?: [A-Z]+=\S+)*)", RUNBOOK)
    assert asked
    for target, options in asked:
        assert target in targets
        for option in re.findall(r"([A-Z]+)=", options):
            assert re.search(rf"^{option} :=", MAKEFILE, flags=re.MULTILINE), option


def test_the_runbook_names_what_there_is() -> None:
    known = {
        "FUNCTION": functions(),
        "QUEUE": DEAD_LETTERS,
        "TABLE": of_type("AWS::DynamoDB::Table"),
    }
    for kind, name in re.findall(rf"({'|'.join(known)})=(\w+)", RUNBOOK):
        assert name in known[kind]


# What is seen live, which is made anew from the other tables.
KEPT_TABLES = of_type("AWS::DynamoDB::Table").keys() - {"FeedTable"}


class TestKept:
    """What nobody may lose."""

    @pytest.mark.parametrize("name", sorted(KEPT_TABLES))
    def test_a_table_can_be_brought_back_and_not_be_dropped(self, name: str) -> None:
        table = of_type("AWS::DynamoDB::Table")[name]
        in_prod = {"Fn::If": ["IsProd", True, False]}
        assert table["DeletionProtectionEnabled"] == in_prod
        kept = table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
        assert kept == in_prod
        assert table["SSESpecification"] == {"SSEEnabled": True}

    @pytest.mark.parametrize("name", sorted([*KEPT_TABLES, *of_type("AWS::S3::Bucket")]))
    def test_it_outlives_the_stack(self, name: str) -> None:
        resource = template()["Resources"][name]
        assert resource["DeletionPolicy"] in {"Retain", "RetainExceptOnCreate"}
        assert resource["UpdateReplacePolicy"] == "Retain"

    def test_users_cannot_be_dropped(self) -> None:
        (pool,) = of_type("AWS::Cognito::UserPool").values()
        assert pool["DeletionProtection"] == {"Fn::If": ["IsProd", "ACTIVE", "INACTIVE"]}
