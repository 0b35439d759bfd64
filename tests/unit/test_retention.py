"""How long things are kept."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retorno.retention import expired, expiry
from tests.support.tables import template
from tools.apply_retention import TABLES

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@given(st.datetimes(datetime(1970, 1, 1), timezones=st.just(UTC)), st.integers(1, 99_999))  # noqa: DTZ001 - hypothesis adds it
def test_what_expires_does_so_its_days_later(moment: datetime, days: int) -> None:
    at = expiry(moment, days)
    assert at is not None
    assert 0 <= moment.timestamp() + timedelta(days=days).total_seconds() - at < 1


@pytest.mark.parametrize(("kept_from", "days"), [(NOON, 0), (None, 0), (None, 760)])
def test_what_is_open_or_kept_for_ever_does_not_expire(
    kept_from: datetime | None, days: int
) -> None:
    assert expiry(kept_from, days) is None


@pytest.mark.parametrize(
    ("record", "is_so"),
    [
        ({"userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"}}, True),
        ({"userIdentity": {"type": "Service", "principalId": "another.amazonaws.com"}}, False),
        ({"userIdentity": {}}, False),
        ({"userIdentity": None}, False),
        ({}, False),
    ],
)
def test_what_the_table_dropped_is_told_from_what_people_deleted(
    record: dict[str, Any], is_so: bool
) -> None:
    assert expired({"eventName": "REMOVE", **record}) is is_so


def test_the_tables_of_what_expires_drop_it() -> None:
    tables = {
        logical_id
        for logical_id, resource in template()["Resources"].items()
        if resource["Type"] == "AWS::DynamoDB::Table"
        and resource["Properties"].get("TimeToLiveSpecification", {}).get("AttributeName")
        == "expires_at"
    }
    # Their items expire from the first.
    others = {"JobsTable", "OffersTable", "MenusTable", "FeedTable"}
    assert tables == TABLES.keys() | others


def test_a_missed_call_is_kept_for_longer_than_it_may_be_won_back() -> None:
    parameters = template()["Parameters"]
    fewest = next(
        days
        for days in range(1, 1000)
        if re.fullmatch(parameters["CallsKeptDays"]["AllowedPattern"], str(days))
    )
    assert fewest > parameters["RecoveryWindowDays"]["MaxValue"]
