"""A table that was brought back from its backups, and what of it is put back."""

import sys
from typing import Any

import boto3
import pytest

from tests.support.deployment import Deployment
from tools import copy_back
from tools.deployed import Deployed

CALLS, AT_ONCE = 10, 3


def item(number: int, **facts: str) -> dict[str, Any]:
    texts = {"call_id": f"c{number}", "provider": "asterisk", **facts}
    return {name: {"S": text} for name, text in texts.items()}


class Accident:
    """Somebody deletes a call and spoils one; others go on."""

    def __init__(self, deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
        self.dynamodb = boto3.client("dynamodb")
        self.deployment, self._patch = deployment, monkeypatch
        for number in range(CALLS):
            self.dynamodb.put_item(TableName="calls", Item=item(number))
        self.dynamodb.restore_table_to_point_in_time(
            SourceTableName="calls", TargetTableName="calls-restored"
        )
        self.dynamodb.delete_item(TableName="calls", Key={"call_id": {"S": "c7"}})
        self.dynamodb.put_item(TableName="calls", Item=item(8, provider="spoilt"))
        self.dynamodb.put_item(TableName="calls", Item=item(9000))
        deployment.new_records()
        monkeypatch.setattr(copy_back, "AT_ONCE", AT_ONCE)
        stack = Deployed(boto3.Session(), None, {"CallsTable": "calls"})
        monkeypatch.setattr(Deployed, "find", lambda _: stack)
        monkeypatch.setattr(Deployed, "client", lambda _, name, *__: boto3.client(name))

    def copy(self, *options: str) -> int:
        arguments = ["copy_back", "CallsTable", "calls-restored", *options]
        self._patch.setattr(sys, "argv", arguments)
        return copy_back.main()

    def provider(self, call_id: str) -> str | None:
        found = self.dynamodb.get_item(TableName="calls", Key={"call_id": {"S": call_id}})
        return found["Item"]["provider"]["S"] if "Item" in found else None

    def told(self) -> list[str]:
        records = self.deployment.new_records()
        return [each["dynamodb"]["Keys"]["call_id"]["S"] for each in records]


@pytest.fixture
def accident(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Accident:
    return Accident(deployment, monkeypatch)


def test_to_look_changes_nothing(accident: Accident, capsys: pytest.CaptureFixture[str]) -> None:
    assert accident.copy("--dry") == 0
    said = capsys.readouterr().out
    assert said == f"The same: {CALLS - 2}. Different: 1. Missing: 1.\n"
    assert accident.told() == []


def test_what_is_missing_is_put_back_and_told_of(accident: Accident) -> None:
    assert accident.copy() == 0
    assert accident.told() == ["c7"]
    assert accident.provider("c8") == "spoilt"
    assert accident.provider("c9000") == "asterisk"


def test_what_comes_meanwhile_stands(accident: Accident, monkeypatch: pytest.MonkeyPatch) -> None:
    known = copy_back.Copying._known

    def late(copying: copy_back.Copying, items: Any) -> Any:
        found = known(copying, items)
        accident.dynamodb.put_item(TableName="calls", Item=item(7, provider="twilio"))
        return found

    monkeypatch.setattr(copy_back.Copying, "_known", late)
    assert accident.copy() == 0
    assert accident.provider("c7") == "twilio"


def test_a_table_that_is_not_there_is_said(
    accident: Accident, capsys: pytest.CaptureFixture[str]
) -> None:
    accident.dynamodb.delete_table(TableName="calls-restored")
    assert accident.copy() == 1
    assert "not" in capsys.readouterr().err
