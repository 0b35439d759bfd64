"""How long things are kept in the deployed stack."""

import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from retorno.calls.store import CallItem
from retorno.dynamodb import bind
from tests.support.api import Api
from tools import apply_retention
from tools.deployed import Deployed

BEGAN = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
EXPIRES = int(BEGAN.timestamp()) + 760 * 24 * 60 * 60


def test_a_call_expires_and_so_does_one_that_was_stored_before(
    api: Api, dynamodb: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    event = {"event_id": "1", "call_id": "kept-1", "stage": "queued", "direction": "inbound"}
    told = api.calls([{**event, "from": "+5511987650001", "occurred_at": BEGAN.isoformat()}])
    assert told.body["accepted"] == 1
    call = bind(CallItem, api.stack.resources["CallsTable"])
    item = call.get("kept-1")
    assert item.expires_at == EXPIRES

    item.update([call.expires_at.remove()])
    monkeypatch.setattr(sys, "argv", ["apply_retention"])
    monkeypatch.setattr(Deployed, "find", lambda stack: Deployed.embedded(api.stack))
    assert apply_retention.main() == 0
    assert call.get("kept-1").expires_at == EXPIRES
    calls, *others = capsys.readouterr().out.splitlines()
    assert calls == "CallsTable: 1 will expire, kept for 760 days; 0 stay, as they are open"
    assert len(others) == len(apply_retention.TABLES) - 1
