"""Customers through the API: kept whole, found by name and by number."""

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.support.clock import StoppedClock
from tests.support.deployment import Deployment
from tests.support.events import Answer, http, user
from tests.support.requests import counted

MARIA = {
    "name": "Padaria São João",
    "document": "12.345.678/0001-95",
    "tags": ["vip"],
    "owner": "ana",
    "city": "Campinas",
    "phone": "(19) 3232-1000",
    "branches": [{"id": "centro", "name": "Centro", "phone": "(19) 3232-2000"}],
    "contacts": [{"name": "Maria", "mobile": "(19) 98765-4321", "branch_id": "centro"}],
}


def ask(
    deployment: Deployment,
    route: str,
    body: Any = None,
    groups: str = "[supervisor]",
    if_match: str | None = None,
    **query: str,
) -> Answer:
    method, _, path = route.partition(" ")
    _, customers, *rest = path.split("/")
    pattern = f"/{customers}/{{customer_id}}" if rest else path
    event = http(
        f"{method} {pattern}",
        path=path,
        query=query,
        headers={"if-match": if_match} if if_match else {},
        body=None if body is None else json.dumps(body).encode(),
        claims=user(groups),
    )
    return deployment.ask("ManageCustomers", event)


def made(deployment: Deployment, **fields: Any) -> str:
    answer = ask(deployment, "POST /customers", {"name": "Fulano", **fields})
    assert answer.status == 201, answer.body
    customer_id: str = answer.body["customer_id"]
    return customer_id


def names(answer: Answer) -> list[str]:
    return [item["name"] for item in answer.body["items"]]


def all_names(deployment: Deployment, **query: str) -> list[str]:
    """Page after page."""
    found: list[str] = []
    while True:
        page = ask(deployment, "GET /customers", **query)
        found += names(page)
        if page.body["cursor"] is None:
            return found
        query["cursor"] = page.body["cursor"]


class TestOne:
    def test_is_shown_as_it_was_made_with_numbers_in_one_form(self, deployment: Deployment) -> None:
        answer = ask(deployment, "POST /customers", MARIA)
        customer_id = answer.body["customer_id"]
        assert (answer.status, answer.headers["Location"]) == (201, f"/customers/{customer_id}")
        shown = ask(deployment, f"GET /customers/{customer_id}")
        assert (shown.status, shown.headers["ETag"], shown.body) == (200, '"1"', answer.body)
        assert shown.body["phone"] == "+551932321000"
        (contact,) = shown.body["contacts"]
        assert (contact["mobile"], contact["branch_id"]) == ("+5519987654321", "centro")
        assert {name: shown.body[name] for name in ("document", "tags", "owner", "city")} == {
            name: MARIA[name] for name in ("document", "tags", "owner", "city")
        }

    def test_that_is_not_there_is_not_found(self, deployment: Deployment) -> None:
        for route in ("GET", "PUT", "DELETE"):
            body = MARIA if route == "PUT" else None
            assert ask(deployment, f"{route} /customers/x", body, if_match="*").status == 404

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"name": " "}, "name"),
            ({"name": "\ud800"}, "name"),
            ({"name": "x" * 201}, "name"),
            ({"phone": "ramal 12"}, "phone"),
            ({"document": "--"}, "document"),
            ({"tags": ["x"] * 31}, "tags"),
            ({"branches": [{"name": "A"}, {"name": "á", "phone": "123"}]}, "branches.1.phone"),
            ({"branches": [{"name": "A"}, {"name": "á"}]}, "branches.1.name"),
            ({"branches": [{"name": "A", "id": "a/b"}]}, "branches.0.id"),
            ({"contacts": [{"name": "Bia", "mobile": "nenhum"}]}, "contacts.0.mobile"),
            ({"contacts": [{"name": "Bia", "branch_id": "x"}]}, "contacts.0.branch_id"),
            (
                {"contacts": [{"name": "Bia", "id": "1"}, {"name": "Ana", "id": "1"}]},
                "contacts.1.id",
            ),
            ({"contacts": [{"name": str(each)} for each in range(41)]}, "contacts"),
            (
                {
                    "contacts": [
                        {"name": str(n), "phone": f"113000{n:04}", "mobile": f"1198765{n:04}"}
                        for n in range(24)
                    ]
                },
                "contacts",
            ),
        ],
    )
    def test_is_refused_by_the_field_that_is_wrong(
        self, deployment: Deployment, fields: dict[str, Any], field: str
    ) -> None:
        problem = ask(deployment, "POST /customers", {"name": "Fulano", **fields})
        assert (problem.status, problem.body["errors"][0]["field"]) == (422, field)
        assert ask(deployment, "GET /customers").body["items"] == []

    def test_may_be_as_large_as_is_allowed_and_change_all_of_it_at_once(
        self, deployment: Deployment
    ) -> None:
        def contacts(area_code: int) -> list[dict[str, str]]:
            return [
                {"name": f"{area_code} {n}", "mobile": f"{area_code}98765{n:04}"} for n in range(40)
            ] + []

        def body(area_code: int) -> dict[str, Any]:
            branches = [{"name": str(n), "phone": f"{area_code}300010{n:02}"} for n in range(7)]
            numbers = {"branches": branches, "contacts": contacts(area_code)}
            return {"name": "Grande", "document": str(area_code), "code": str(area_code), **numbers}

        customer_id = made(deployment, **body(11))
        answer = ask(deployment, f"PUT /customers/{customer_id}", body(21), if_match='"1"')
        assert answer.status == 200
        assert names(ask(deployment, "GET /customers", number="11987650039")) == []
        assert names(ask(deployment, "GET /customers", number="21987650039")) == ["Grande"]

    def test_keeps_its_document_to_itself_in_any_written_form(self, deployment: Deployment) -> None:
        first = made(deployment, document="123.456.789-09", code="A")
        for taken in ({"document": "12345678909"}, {"code": "A"}):
            problem = ask(deployment, "POST /customers", {"name": "Outro", **taken})
            assert problem.status == 409
        assert names(ask(deployment, "GET /customers")) == ["Fulano"]
        ask(deployment, f"PUT /customers/{first}", {"name": "Fulano"}, if_match="*")
        made(deployment, document="12345678909", code="A")

    def test_is_replaced_only_by_who_saw_its_last_version(self, deployment: Deployment) -> None:
        path = f"/customers/{made(deployment, city='Santos')}"
        changed = ask(deployment, f"PUT {path}", {"name": "Beltrano"}, if_match='"1"')
        assert (changed.status, changed.headers["ETag"], changed.body["city"]) == (200, '"2"', None)
        for if_match, status in [('"1"', 412), ("2", 412), ('W/"2"', 412), (None, 428), ("*", 200)]:
            answer = ask(deployment, f"PUT {path}", {"name": "Sicrano"}, if_match=if_match)
            assert answer.status == status
        assert ask(deployment, f"GET {path}").body["name"] == "Sicrano"

    def test_is_deleted_with_all_that_leads_to_it(self, deployment: Deployment) -> None:
        path = f"/customers/{made(deployment, document='1', phone='1130001000')}"
        assert ask(deployment, f"DELETE {path}", groups="[agent]", if_match="*").status == 403
        assert ask(deployment, f"DELETE {path}").status == 428
        assert ask(deployment, f"DELETE {path}", if_match='"7"').status == 412
        assert ask(deployment, f"DELETE {path}", if_match='"1"').status == 204
        assert ask(deployment, f"GET {path}").status == 404
        assert names(ask(deployment, "GET /customers", number="1130001000")) == []
        made(deployment, document="1")

    def test_while_the_table_is_away_is_a_problem_of_ours(self, deployment: Deployment) -> None:
        deployment.lose_table("customers")
        assert ask(deployment, "POST /customers", MARIA).status == 503
        assert ask(deployment, "GET /customers/x").status == 503


class TestByNumber:
    @pytest.mark.parametrize("written", ["(19) 98765-4321", "+5519987654321", "1987654321"])
    def test_says_where_the_number_stands_however_it_is_written(
        self, deployment: Deployment, written: str
    ) -> None:
        made(deployment, **MARIA)
        made(deployment, name="Outro", phone="1130001000")
        with counted() as requests:
            answer = ask(deployment, "GET /customers", number=written)
        assert requests == ["Query", "BatchGetItem"]
        (found,) = answer.body["items"]
        assert found["name"] == "Padaria São João"
        assert found["matches"] == [{"branch": "Centro", "contact": "Maria", "line": "mobile"}]

    def test_finds_all_who_share_it_page_by_page(self, deployment: Deployment) -> None:
        for n in range(5):
            made(deployment, name=f"Cliente {n}", mobile="11987654321")
        found = all_names(deployment, number="11987654321", limit="2")
        assert sorted(found) == [f"Cliente {n}" for n in range(5)]

    def test_of_no_number_is_refused(self, deployment: Deployment) -> None:
        problem = ask(deployment, "GET /customers", number="ninguém")
        assert (problem.status, problem.body["errors"][0]["field"]) == (422, "number")


class TestByName:
    def test_finds_beginnings_accents_and_case_aside(self, deployment: Deployment) -> None:
        for name in ("José  da Silva", "JOSEFA", "João", "Ana", "´"):
            made(deployment, name=name)
        assert names(ask(deployment, "GET /customers", name="jose")) == ["José da Silva", "JOSEFA"]
        assert names(ask(deployment, "GET /customers", name="JOSÉ DA S")) == ["José da Silva"]
        assert names(ask(deployment, "GET /customers", name="´")) == ["´"]

    def test_pages_hold_every_customer_once_in_the_order_of_names(
        self, deployment: Deployment
    ) -> None:
        longest = [letter * 200 for letter in ("ﷺ", "𐐀")]
        expected = ["1ª Via", "Árvore", *(f"Cliente {n}" for n in range(4)), "𝔘" * 200]
        for name in [*reversed(expected), *longest]:
            made(deployment, name=name)
        for limit in ("1", "3", "9", "500"):
            found = all_names(deployment, limit=limit)
            assert found[:7] == expected
            assert sorted(found[7:]) == sorted(longest)
        assert all_names(deployment, limit="3", name="cliente") == expected[2:6]

    def test_a_cursor_of_another_list_is_refused(self, deployment: Deployment) -> None:
        made(deployment)
        made(deployment)
        cursor = ask(deployment, "GET /customers", limit="1").body["cursor"]
        assert ask(deployment, "GET /customers", name="f", cursor=cursor).status == 422


def test_a_number_keeps_its_beginning_while_it_stays(
    deployment: Deployment, clock: StoppedClock
) -> None:
    first = made(deployment, name="Primeiro", mobile="11987654321")
    clock.advance(hours=1)
    made(deployment, name="Segundo", mobile="11987654321")
    clock.now += timedelta(hours=1)
    changed = {"name": "Primeiro mudado", "phone": "1187654321"}
    ask(deployment, f"PUT /customers/{first}", changed, if_match="*")
    found = names(ask(deployment, "GET /customers", number="11987654321"))
    assert found == ["Primeiro mudado", "Segundo"]
