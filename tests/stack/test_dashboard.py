"""The dashboard on the deployed stack: what happens is counted soon, and corrected."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.api import Api, eventually

QUEUE = "painel"
NUMBER = "+5521987650777"


def event(call_id: str, at: datetime, stage: str, **facts: str) -> dict[str, Any]:
    return {
        "event_id": f"{call_id}-{stage}",
        "call_id": call_id,
        "occurred_at": at.isoformat(),
        "stage": stage,
        **facts,
    }


def test_what_happens_is_counted_soon_and_corrected(api: Api) -> None:
    began = datetime.now(UTC) - timedelta(minutes=30)
    came = {"direction": "inbound", "from": NUMBER, "queue": QUEUE}
    rang = {"direction": "outbound_manual", "to": NUMBER, "queue": QUEUE, "agent": "painel-bia"}
    told = [
        event("painel-1", began, "queued", **came),
        event("painel-1", began + timedelta(seconds=40), "cancelled", **came),
        event("painel-2", began + timedelta(seconds=100), "ringing", **rang),
        event("painel-2", began + timedelta(seconds=110), "answered", **rang),
        event("painel-2", began + timedelta(seconds=115), "completed", **rang),
    ]
    assert api.calls(told).status == 200

    def figures(**query: str) -> dict[str, Any]:
        period = {"since": f"{began:%Y-%m-%d}", "to": f"{began + timedelta(days=1):%Y-%m-%d}"}
        answer = api.get("/dashboard", **period, time_zone="Etc/UTC", **query)
        assert answer.status == 200, answer.body
        body: dict[str, Any] = answer.body
        return body

    # Five seconds of talk are taken for a voicemail's, until somebody listens.
    body = eventually(
        lambda: figures(queue=QUEUE),
        lambda body: body["total"]["all_calls"] == 2 and body["total"]["missed"]["attempts"] == 1,
    )
    total = body["total"]
    assert (total["inbound"]["abandoned"], total["outbound_manual"]["by_voicemail"]) == (1, 1)
    assert (total["missed"]["open"], body["now"]["missed_open"]) == (1, 1)
    assert total["inbound"]["average_wait_to_abandon_seconds"] == 40

    verdict = {"answered_by": "human"}
    assert api.post("/voicemail-reviews/painel-2", verdict).status == 200
    body = eventually(
        lambda: figures(queue=QUEUE),
        lambda body: (
            body["total"]["missed"]["recovered"] == 1
            and body["total"]["outbound_manual"]["by_person"] == 1
        ),
    )
    assert (body["total"]["missed"]["attempts"], body["now"]["missed_open"]) == (0, 0)
    bias = figures(agent="painel-bia")["total"]
    assert (bias["outbound_manual"]["by_person"], bias["missed"]["won_back"]) == (1, 1)
    hours = figures(queue=QUEUE, group_by="hour")["items"]
    assert sum(item["all_calls"] for item in hours) == 2

    today = {"since": f"{began - timedelta(days=1):%Y-%m-%d}"}
    by_queue = api.get("/dashboard", group_by="queue", **today).body["items"]
    assert QUEUE in [item["group"] for item in by_queue]
    rows = api.get_table("/dashboard", queue=QUEUE, group_by="day", **today)
    assert sum(int(row["inbound.abandoned"]) for row in rows) == 1
    assert api.get("/dashboard", role="agent", queue=QUEUE).status == 403
    assert api.get("/dashboard", role=None).status == 401
