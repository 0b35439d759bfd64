"""Waiting times on the deployed stack: a breach is known while the caller waits."""

from datetime import datetime, timedelta
from typing import Any

from local.stack import Stack
from retorno import clock
from tests.stack.conftest import told_by_bus
from tests.support.api import Api, eventually

QUEUE = "espera"


def told(call_id: str, stage: str, at: datetime) -> dict[str, Any]:
    return {
        "event_id": f"{call_id}-{stage}",
        "call_id": call_id,
        "stage": stage,
        "occurred_at": at.isoformat(),
        "direction": "inbound",
        "from": "+5571933335555",
        "queue": QUEUE,
    }


def test_a_caller_who_waits_too_long_is_told_of_at_once(stack: Stack, api: Api) -> None:
    events = told_by_bus(stack, "WaitBreached")
    policy = {"limits": {"seconds": 4}}
    assert api.put(f"/wait-policies/{QUEUE}", policy, role="agent").status == 403
    assert api.put(f"/wait-policies/{QUEUE}", policy).status == 201
    assert api.get(f"/wait-policies/{QUEUE}", role="agent").body["limits"]["seconds"] == 4
    began_at = clock.now()
    queued = [told(call_id, "queued", began_at) for call_id in ("waits-1", "waits-2")]
    answered = told("waits-1", "answered", began_at + timedelta(seconds=1))
    assert api.calls([*queued, answered]).status == 200

    def breaches() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = api.get("/wait-breaches", queue=QUEUE).body["items"]
        return items

    (breach,) = eventually(breaches, lambda items: len(items) == 1)
    assert (breach["call_id"], breach["outcome"]) == ("waits-2", "waiting")
    (event,) = eventually(events, lambda found: len(found) == 1)
    detail = event["detail"]
    assert (detail["call_id"], detail["still_waiting"]) == ("waits-2", True)
    assert detail["limit_seconds"] == breach["limit_seconds"] == 4
    assert api.calls([told("waits-2", "answered", clock.now())]).status == 200

    def total() -> dict[str, Any]:
        today = clock.now().date()
        asked = {"since": str(today - timedelta(days=1)), "to": str(today), "queue": QUEUE}
        figures: dict[str, Any] = api.get("/wait-compliance", **asked).body["total"]
        return figures

    figures = eventually(total, lambda found: found["answered"] == 2)
    counted = {name: figures[name] for name in ("waits", "in_time", "breaches", "share_in_time")}
    assert counted == {"waits": 2, "in_time": 1, "breaches": 1, "share_in_time": 0.5}
    assert [each["outcome"] for each in breaches()] == ["answered"]
    assert api.get("/wait-compliance", role="agent").status == 403
