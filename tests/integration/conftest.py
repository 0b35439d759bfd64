"""Stores on moto, on tables made from template.yaml."""

from collections.abc import Iterator

import pytest

from tests.conftest import moto
from tests.support.tables import create_table


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "sa-east-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with moto():
        yield


@pytest.fixture
def calls_table(aws: None) -> str:
    return create_table("CallsTable", "calls")


@pytest.fixture
def recoveries_table(aws: None) -> str:
    return create_table("RecoveriesTable", "recoveries")
