"""Stores on moto, on tables made from template.yaml."""

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from tests.conftest import MOTO, one_client, one_session
from tests.support.tables import create_table


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "sa-east-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setattr("pynamodb.connection.base.get_session", one_session)
    monkeypatch.setattr(boto3, "client", one_client)
    with mock_aws(config=MOTO):
        yield


@pytest.fixture
def calls_table(aws: None) -> str:
    return create_table("CallsTable", "calls")


@pytest.fixture
def recoveries_table(aws: None) -> str:
    return create_table("RecoveriesTable", "recoveries")
