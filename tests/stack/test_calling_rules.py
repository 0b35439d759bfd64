"""The rules for calling out, and the do-not-call list, in the deployed stack."""

from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from urllib.parse import quote

from tests.support.api import Answer, Api


def window(api: Api, number: str, purpose: str, **at: str) -> Answer:
    return api.get("/calling-windows", role="agent", number=number, purpose=purpose, **at)


def path(number: str) -> str:
    return f"/do-not-call/{quote(number, safe='')}"


def test_a_night_in_rio_waits_for_the_morning(api: Api) -> None:
    answer = window(api, "(21) 98765-4321", "telemarketing", at="2026-03-06T21:30:00Z").body
    assert (answer["allowed"], answer["state"]) == (False, "RJ")
    assert answer["next_allowed_at"] == "2026-03-09T12:00:00Z"
    assert [rule["id"] for rule in answer["rules"] if not rule["allows"]] == [
        "br-rj-7853-2018/hours"
    ]


def test_the_rules_are_told_with_their_sources(api: Api) -> None:
    profiles = api.get("/calling-profiles", role="agent").body["items"]
    assert sum(profile["on"] for profile in profiles) == 3
    assert all(rule["source"]["url"] for profile in profiles for rule in profile["rules"])


def test_a_customer_who_asks_not_to_be_called_is_not(api: Api) -> None:
    number = "+55 (31) 98765-4321"
    added = api.put(path(number), {"scope": "all", "note": "pediu ao telefone"}, role="agent")
    assert (added.status, added.body["added_by"]) == (200, api.agent)
    assert window(api, "31 8765-4321", "service").body["forbidden_by"] == [added.body]
    removal = {"origin": "customer", "reason": "autorizou de novo"}
    assert api.delete(path(number), role="agent", **removal).status == HTTPStatus.FORBIDDEN
    left = api.delete(path(number), **removal).body
    assert (left["entries"], left["removals"][0]["reason"]) == ([], "autorizou de novo")
    assert api.delete(path(number), **removal).status == HTTPStatus.NOT_FOUND
    assert window(api, number, "service").body["allowed"]


def test_a_list_is_imported_and_paged(api: Api) -> None:
    numbers = [f"+55419876501{index:02}" for index in range(30)]
    body = "\n".join(["number", *numbers, "ninguém"]).encode()
    headers = {"Content-Type": "text/csv", **api.token("supervisor")}
    imported = api.request("POST", "/do-not-call/import?origin=procon", headers, body)
    assert imported.status == HTTPStatus.OK
    assert imported.body["counts"] == {"added": 30, "refused": 1}
    listed = []
    query: dict[str, str] = {"limit": "7"}
    while True:
        page = api.get("/do-not-call", **query).body
        listed += [entry["number"] for entry in page["items"] if entry["origin"] == "procon"]
        if page["cursor"] is None:
            break
        query["cursor"] = page["cursor"]
    assert sorted(listed) == numbers


def test_whatever_is_put_at_the_same_time_is_all_kept(api: Api) -> None:
    """Eight at once say something else of one number, half of them of the same origin."""
    wanted = [
        {"origin": origin, "scope": scope, "effective_from": f"2026-03-{day:02}"}
        for day, origin in enumerate(("customer", "procon"), 1)
        for scope in ("telemarketing", "all", "telemarketing", "all")
    ]
    with ThreadPoolExecutor(len(wanted)) as threads:
        answers = list(threads.map(lambda each: api.put(path("51987654321"), each), wanted))
    assert {answer.status for answer in answers} == {200}
    entries = api.get(path("51987654321")).body["entries"]
    assert [(entry["origin"], entry["scope"], entry["effective_from"]) for entry in entries] == [
        ("customer", "all", "2026-03-01"),
        ("procon", "all", "2026-03-02"),
    ]
