"""One person's data on the deployed stack: with its rights, its queue and its streams."""

from typing import Any
from urllib.parse import quote

import pytest

from retorno import clock
from tests.support.api import Api, eventually

NUMBER = "+5548987654321"
HELD = "+5548976543210"
PATH = "/personal-data/erasures"
WISH = {"number": NUMBER, "reason": "pedido 17"}


def tell(api: Api, call_id: str, stage: str, number: str = NUMBER) -> None:
    event = {
        "event_id": f"{call_id}-{stage}",
        "call_id": call_id,
        "stage": stage,
        "occurred_at": clock.now().isoformat(),
        "direction": "inbound",
        "from": number,
        "queue": "dados",
    }
    assert api.calls([event]).status == 200


def missed(api: Api) -> dict[str, Any]:
    return next(api.missed(queue="dados"), {})


@pytest.mark.parametrize("role", [None, "agent", "supervisor"])
def test_an_admin_alone_erases(api: Api, role: str | None) -> None:
    refused = api.send("POST", PATH, WISH, role, Idempotency_Key="k1")
    assert refused.status == (403 if role else 401)


def test_a_person_is_exported_and_erased(api: Api) -> None:
    customer = {"name": "Joana Prado", "phone": NUMBER}
    customer_id = api.post("/customers", customer).body["customer_id"]
    for stage in ("queued", "cancelled"):
        tell(api, "dados-1", stage)
    assert eventually(lambda: missed(api), bool)

    asked = api.send("POST", "/personal-data/exports", WISH, Idempotency_Key="k1")
    assert asked.status == 202, asked.body
    path = asked.headers["Location"]
    exported = eventually(lambda: api.get(path).body, lambda it: it["state"] == "done")
    file = api.get_file(exported["url"]).decode()
    assert ("Joana Prado" in file, "dados-1" in file) == (True, True)

    asked = api.send("POST", PATH, WISH, "admin", Idempotency_Key="k1")
    assert asked.status == 202, asked.body
    path = asked.headers["Location"]
    looked = eventually(lambda: api.get(path, role="admin").body, lambda it: it["looks"] >= 1)
    assert looked["items"]["calls"] == looked["items"]["missed_calls"] == 1, looked
    shown = eventually(
        lambda: api.get("/calls/dados-1").body, lambda it: it["number"].startswith("erased-")
    )
    assert shown["number"].startswith("erased-")
    found = eventually(lambda: missed(api), lambda it: it.get("number") != NUMBER)
    assert (found["number"], found["state"]) == (shown["number"], "open")
    assert api.get(f"/customers/{customer_id}").status == 404


def test_a_person_is_held_until_that_is_lifted(api: Api) -> None:
    for stage in ("queued", "cancelled"):
        tell(api, "dados-2", stage, HELD)
    hold = f"/personal-data/holds/{quote(HELD, safe='')}"
    assert api.put(hold, {"reason": "processo 12"}, role="admin").status == 200
    held = eventually(lambda: api.get(hold, role="admin").body, lambda it: it["looked_at"])
    assert (held["looked_at"] is None, held["lifted_at"]) == (False, None)
    wish = {**WISH, "number": HELD}
    refused = api.send("POST", PATH, wish, "admin", Idempotency_Key="k2")
    assert (refused.status, "processo 12" in refused.body["detail"]) == (409, True)

    assert api.delete(hold, role="admin").status == 204
    assert api.get(hold, role="admin").body["lifted_at"] is not None
    asked = api.send("POST", PATH, wish, "admin", Idempotency_Key="k2")
    assert asked.status == 202, asked.body
    path = asked.headers["Location"]
    looked = eventually(lambda: api.get(path, role="admin").body, lambda it: it["looks"] >= 1)
    assert (looked["state"], looked["waits_for"]) == ("running", ["holds"])
