"""Statistics on the deployed stack, as the tables' streams bring them about."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.api import Api, eventually

CAMPAIGN = "estatistica"


def test_what_is_done_is_counted_soon(api: Api) -> None:
    today = datetime.now(UTC).date()
    campaign = {
        "name": "Estatística",
        "begins_on": (today - timedelta(days=1)).isoformat(),
        "ends_on": (today + timedelta(days=1)).isoformat(),
        "queue": "vendas",
    }
    assert api.put(f"/telemarketing/campaigns/{CAMPAIGN}", campaign).status == 201
    customers = [api.post("/customers", {"name": f"Cliente {n}"}).body["customer_id"] for n in "12"]
    for customer in customers:
        path = f"/telemarketing/campaigns/{CAMPAIGN}/customers/{customer}"
        assert api.put(path, {"agent": None}).status == 201
    wish = {"campaign": CAMPAIGN, "customer_id": customers[0]}
    opened = api.post("/telemarketing/operations", wish).body["operation"]
    path = f"/telemarketing/operations/{opened['operation_id']}"
    assert api.post(f"{path}/conclude", {"outcome": "venda", "value": "99.90"}).status == 200

    def statistics() -> dict[str, Any]:
        since, until = campaign["begins_on"], campaign["ends_on"]
        asked = {"campaign": CAMPAIGN, "since": since, "to": until, "group_by": "outcome"}
        body: dict[str, Any] = api.get("/telemarketing/statistics", **asked).body
        return body

    body = eventually(statistics, lambda body: body["total"]["now"]["acted"] == 1)
    body = eventually(statistics, lambda body: body["total"]["sales"] == 1)
    now = {"linked": 2, "not_acted": 1, "scheduled": 0, "concluded": 1, "acted": 1}
    assert body["total"]["now"] == {**now, "overdue": 0, "to_team": 0}
    (sold,) = body["items"]
    assert (sold["group"], sold["attempts"], sold["sales_value"]) == ("venda", 1, "99.90")
    counts = api.get("/telemarketing/worklist", campaign=CAMPAIGN).body["counts"]
    assert counts == {"not_acted": 1, "scheduled": 0, "concluded": 1}
    own = api.get("/telemarketing/statistics", role="agent", campaign=CAMPAIGN).body
    assert (own["agent"], own["total"]["attempts"]) == (api.agent, 0)
    assert api.get("/telemarketing/statistics", role="agent", agent="leo").status == 403
