"""Customers over HTTP: kept by people, and brought as a file."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.api import Answer, Api, eventually

HEADER = "Código;Razão Social;CNPJ;Celular;Contato;Celular do contato\n"


def customer(name: str, mobile: str) -> dict[str, Any]:
    return {"name": name, "contacts": [{"name": "Maria", "mobile": mobile}]}


def names(answer: Answer) -> list[str]:
    return [each["name"] for each in answer.body["items"]]


def imported(api: Api, content: bytes) -> dict[str, Any]:
    """What the API says of a file once all its rows are done."""
    begun = api.post("/customers/imports", {"bytes": len(content)})
    assert begun.status == 201
    assert api.put_file(begun.body["upload_url"], content) == 200
    shown: dict[str, Any] = eventually(
        lambda: api.get(begun.headers["Location"]).body,
        lambda body: body["state"] in ("done", "failed"),
    )
    return shown


@pytest.mark.parametrize("written", ["(21) 98888-7777", "+5521988887777", "2188887777"])
def test_a_customer_is_found_by_a_contacts_number(api: Api, written: str) -> None:
    made = api.post("/customers", customer("Oficina", "21988887777"), role="agent")
    assert made.status == 201
    found = api.get("/customers", number=written, role="agent")
    assert names(found) == ["Oficina"]
    assert found.body["items"][0]["matches"] == [
        {"branch": None, "contact": "Maria", "line": "mobile"}
    ]
    gone = api.send("DELETE", made.headers["Location"], if_match=made.headers["ETag"])
    assert gone.status == 204
    assert names(api.get("/customers", number=written)) == []


def test_of_two_who_change_a_customer_the_second_is_told(api: Api) -> None:
    made = api.post("/customers", customer("Papelaria", "21977776666"))
    path, seen = made.headers["Location"], made.headers["ETag"]
    changed = api.send("PUT", path, customer("Papelaria A", "21977776666"), if_match=seen)
    assert (changed.status, changed.body["version"]) == (200, 2)
    late = api.send("PUT", path, customer("Papelaria B", "21977776666"), if_match=seen)
    assert (late.status, late.content_type) == (412, "application/problem+json")
    assert api.send("PUT", path, customer("Papelaria C", "21977776666")).status == 428
    shown = api.get(path)
    assert (shown.body["name"], shown.headers["ETag"]) == ("Papelaria A", '"2"')


def test_of_many_at_once_one_changes_a_customer(api: Api) -> None:
    made = api.post("/customers", {"name": "Bar"})
    path, seen = made.headers["Location"], made.headers["ETag"]
    bodies = [{"name": f"Bar {n}", "phone": f"21300010{n:02}"} for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda body: api.send("PUT", path, body, if_match=seen), bodies))
    assert sorted(answer.status for answer in answers) == [200] + [412] * 7
    (winner,) = (answer.body for answer in answers if answer.status == 200)
    found = [api.get("/customers", number=body["phone"]) for body in bodies]
    assert [name for answer in found for name in names(answer)] == [winner["name"]]


def test_two_customers_cannot_have_one_document(api: Api) -> None:
    first = {"name": "Ana", "document": "111.222.333-44"}
    assert api.post("/customers", first).status == 201
    assert api.post("/customers", {"name": "Bia", "document": "11122233344"}).status == 409


def test_a_file_is_imported_once_however_often_it_is_sent(api: Api) -> None:
    rows = [
        f"I{n};Cliente Importado {n:03};{900 + n};11 98{n:03}-5555;João;(31) 98{n:03}-4444"
        for n in range(450)
    ]
    rows[7] = ";;;11987654321;;"
    rows[8] = rows[8].replace("11 98008-5555", "a combinar")
    content = (HEADER + "\n".join(rows)).encode("cp1252")
    shown = imported(api, content)
    assert (shown["state"], shown["rows"], shown["created"], shown["refused"]) == (
        "done",
        450,
        449,
        1,
    )
    path = f"/customers/imports/{shown['import_id']}/report"
    problems = api.get(path, outcome="with_problems").body["items"]
    assert [(row["row"], row["problems"][0]["field"]) for row in problems] == [
        (9, "name"),
        (10, "mobile"),
    ]
    for written in ("11 98123-5555", "+5511981235555", "1181235555", "31 98123-4444"):
        assert "Cliente Importado 123" in names(api.get("/customers", number=written))
    assert names(api.get("/customers", name="CLIENTE importado 44"))[0] == "Cliente Importado 440"
    again = imported(api, content)
    assert (again["unchanged"], again["created"], again["updated"]) == (449, 0, 0)


def test_rows_far_apart_tell_of_one_customer(api: Api) -> None:
    """They are taken at the same time, and none is lost."""
    rows = [f"N{n};Outro {n};;;;" for n in range(1000)]
    for n in range(40):
        rows[n * 25] = f"G1;Grande;;;Contato {n};(41) 9{8000 + n}-1111"
    shown = imported(api, (HEADER + "\n".join(rows)).encode())
    assert (shown["state"], shown["created"], shown["updated"]) == ("done", 961, 39)
    (found,) = api.get("/customers", name="grande").body["items"]
    assert sorted(each["name"] for each in found["contacts"]) == sorted(
        f"Contato {n}" for n in range(40)
    )
    assert names(api.get("/customers", number="41 98039-1111")) == ["Grande"]


def test_a_file_of_another_length_than_was_said_is_refused(api: Api) -> None:
    begun = api.post("/customers/imports", {"bytes": 10})
    assert api.put_file(begun.body["upload_url"], b"nome\nAna\nBia\n") == 403


def test_an_export_comes_back_unchanged(api: Api) -> None:
    api.post("/customers", {"name": "=1+1", "phone": "+351 212 345 678"})
    begun = api.post("/customers/exports", {})
    shown = eventually(
        lambda: api.get(begun.headers["Location"]).body, lambda body: body["state"] == "done"
    )
    content = api.get_file(shown["download_url"])
    assert ";'=1+1;" in content.decode("utf-8-sig")
    again = imported(api, content)
    assert (again["state"], again["unchanged"]) == ("done", again["rows"])


def test_agents_neither_import_nor_export_nor_delete(api: Api) -> None:
    assert api.post("/customers/imports", {"bytes": 1}, role="agent").status == 403
    assert api.post("/customers/exports", {}, role="agent").status == 403
    assert api.send("DELETE", "/customers/x", role="agent", if_match="*").status == 403
