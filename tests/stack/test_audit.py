"""Who read or changed what: found in the deployed functions' log."""

import json
from typing import Any

from local import logs
from tests.support.api import Api, eventually

NUMBER = "+5511987650000"


def test_what_users_ask_for_is_found_in_the_log_and_no_number_is(api: Api) -> None:
    listed = api.put("/do-not-call/%2B5511987650000", {}, role="agent")
    assert listed.status < 300, listed.body
    assert api.get("/calls", role="agent", number=NUMBER).status == 200
    assert api.get("/calls/no-such-call").status == 404
    assert api.get("/do-not-call", role="agent").status == 403
    wanted = {
        (api.agent, "PUT /do-not-call/{number}", "••••0000", listed.status),
        (api.agent, "GET /calls", "••••0000", 200),
        ("supervisor", "GET /calls/{call_id}", "no-such-call", 404),
        (api.agent, "GET /do-not-call", None, 403),
    }

    def told() -> set[tuple[str, str, str | None, int]]:
        return {
            (line["agent"], line["route"], next(iter(line["of"].values()), None), line["status"])
            for line in audited(api)
        }

    assert eventually(told, wanted.issubset) >= wanted
    assert not any(NUMBER.removeprefix("+") in line for line in logs.read(api.stack, follow=False))


def audited(api: Api) -> list[dict[str, Any]]:
    lines = logs.read(api.stack, follow=False)
    read = (json.loads(line) for line in lines if line.startswith("{"))
    return [line for line in read if line.get("message") == "audit"]
