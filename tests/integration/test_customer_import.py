"""Files of customers: any that a spreadsheet writes, each row judged by itself, and all of it
the same when it comes twice."""

import json
from typing import Any
from unittest.mock import patch

import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError

from retorno.customers.store import CustomerStore
from retorno.errors import Unavailable
from retorno.imports.store import JobStore
from tests.integration.test_customers import ask as ask_customers
from tests.integration.test_customers import made, names
from tests.support.clock import StoppedClock
from tests.support.deployment import Deployment
from tests.support.events import sqs
from tests.support.files import (
    IMPORT,
    ask,
    begun,
    exported,
    imported,
    put,
    report,
    split,
    state,
    take,
    waiting,
)
from tests.support.requests import counted

COUNTS = ("rows", "done", "created", "updated", "unchanged", "refused", "with_problems")


def counts(shown: Any) -> dict[str, int]:
    """Those that are not zero."""
    return {name: shown[name] for name in COUNTS if shown[name]}


def customers(deployment: Deployment) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = ask_customers(deployment, "GET /customers", limit="500").body[
        "items"
    ]
    return [
        {name: value for name, value in each.items() if value and name != "version"}
        for each in items
    ]


class TestFile:
    @pytest.mark.parametrize(
        "content",
        [
            "Nome;Celular;Cidade\nJosé;11 98765-4321;São Paulo\n".encode(),
            "﻿NOME,Telemóvel,Localidade\r\nJosé,(11)98765-4321,São Paulo\r\n".encode(),
            "name\tcity\tMOBILE\nJosé\tSão Paulo\t+5511987654321".encode("cp1252"),
            '\n\n "Razão Social";"CELULAR";"cidade"\nJosé;11987654321;"São\nPaulo"'.encode(),
        ],
    )
    def test_may_be_written_as_spreadsheets_do(
        self, deployment: Deployment, content: bytes
    ) -> None:
        shown = imported(deployment, content)
        assert shown["state"] == "done", shown
        assert counts(shown) == {"rows": 1, "done": 1, "created": 1}
        (customer,) = customers(deployment)
        del customer["customer_id"]
        assert customer == {"name": "José", "mobile": "+5511987654321", "city": "São Paulo"}

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "is empty"),
            (b"\n ; \n", "is empty"),
            (b"nome;celular\n", "no row below the header"),
            (b"11987654321;Jose\n1;2\n", "no column that is the name"),
            (b"PK\x03\x04\x00\x00nome", "save it as CSV"),
            ("nome;celular\nJosé;1\n".encode("utf-16"), "save it as CSV"),
            (b"nome\nJos\x81\n", "neither UTF-8 nor Windows-1252"),
            (b'nome;cidade\nAna;Santos\n"Bia;Santos\nCaio;Santos\n', "row 3: a quote"),
            (b"nome\n" + b"x" * 200_000, "row 2: a quote is not closed, or a cell is far"),
        ],
    )
    def test_that_cannot_be_read_says_why_and_nothing_of_it_is_taken(
        self, deployment: Deployment, content: bytes, reason: str
    ) -> None:
        import_id, messages = split(deployment, content)
        shown = state(deployment, import_id)
        assert (shown["state"], messages) == ("failed", [])
        assert reason in shown["reason"]
        assert shown["finished_at"]

    def test_of_too_many_rows_is_refused(
        self, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("retorno.imports.reading.MAX_ROWS", 3)
        assert imported(deployment, b"nome\na\nb\nc\n")["state"] == "done"
        import_id, _ = split(deployment, b"nome\na\nb\nc\nd\n")
        assert "more than 3 rows" in state(deployment, import_id)["reason"]

    @pytest.mark.parametrize(("size", "status"), [(0, 422), (200 * 1024**2 + 1, 413)])
    def test_of_a_wrong_size_is_not_begun(
        self, deployment: Deployment, size: int, status: int
    ) -> None:
        path = "/customers/imports"
        problem = ask(deployment, f"POST {path}", path, {"bytes": size})
        assert (problem.status, problem.body["errors"][0]["field"]) == (status, "bytes")

    def test_names_the_columns_that_nobody_knows(self, deployment: Deployment) -> None:
        shown = imported(deployment, "nome;Aniversário;;celular\nAna;1/1;x;\n".encode())
        assert shown["ignored_columns"] == ["Aniversário"]

    def test_waits_until_it_is_there(self, deployment: Deployment) -> None:
        import_id, _ = begun(deployment, 1)
        shown = state(deployment, import_id)
        assert (shown["state"], shown["rows"], shown["created_by"]) == ("waiting", None, "ana")

    def test_that_is_told_twice_or_replaced_is_taken_once(self, deployment: Deployment) -> None:
        import_id, key = begun(deployment, 9)
        event = put(key, b"nome\nAna\n")
        deployment.call("SplitImports", event)
        deployment.call("SplitImports", event)
        first, second = waiting(deployment, "CustomerRowsQueue")
        assert first == second
        deployment.call("SplitImports", put(key, b"nome\nBia\n"))
        assert waiting(deployment, "CustomerRowsQueue") == []
        take(deployment, [first, second])
        assert counts(state(deployment, import_id)) == {"rows": 1, "done": 1, "created": 1}

    def test_that_was_replaced_before_it_was_read_fails(self, deployment: Deployment) -> None:
        import_id, key = begun(deployment, 9)
        event = put(key, b"nome\nAna\n")
        put(key, b"nome\nBia\n")
        deployment.call("SplitImports", event)
        assert "another file" in state(deployment, import_id)["reason"]

    def test_of_nobodys_import_is_left_alone(self, deployment: Deployment) -> None:
        deployment.call("SplitImports", put("imports/customers/unknown.csv", b"nome\nAna\n"))
        assert waiting(deployment, "CustomerRowsQueue") == []


class TestRow:
    def test_is_reported_with_what_was_not_taken(self, deployment: Deployment) -> None:
        content = (
            "nome;documento;celular;celular do contato;CPF\n"
            "Ana;1;ramal 9;;\n"
            ";2;11987654321;;\n"
            "\n"
            "Bia;3;11987654322;11987654323;4\n"
            "Caio;5\n"
            "Davi;6;;;;x\n"
            f"{'x' * 201};7;;;\n"
            "Eva;--;;;\n"
            f"Rui;{'8' * 2001};;;\n"
        )
        import_id, messages = split(deployment, content.encode())
        take(deployment, messages)
        rows = {row["row"]: row for row in report(deployment, import_id)}
        told = {
            number: (row["outcome"], {each["field"]: each["reason"] for each in row["problems"]})
            for number, row in rows.items()
        }
        assert told == {
            2: ("created", {"mobile": "is not a phone number"}),
            3: ("refused", {"name": "is missing"}),
            5: (
                "created",
                {
                    "document": "is told twice; the first counts",
                    "contact_mobile": "there is no contact that has it",
                },
            ),
            6: ("created", {"row": "has 2 cells where the header has 5; taken as blank"}),
            7: ("refused", {"row": "has 6 cells where the header has 5"}),
            8: ("refused", {"name": "String should have at most 200 characters"}),
            9: ("created", {"document": "has no letter and no digit"}),
            10: ("created", {"document": "is longer than 2000 characters"}),
        }
        assert rows[3]["customer_id"] is None
        assert counts(state(deployment, import_id)) == {
            "rows": 8,
            "done": 8,
            "created": 5,
            "refused": 3,
            "with_problems": 8,
        }
        assert len(customers(deployment)) == 5

    def test_is_shown_by_outcome_page_by_page(
        self, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("retorno.imports.reading.CHUNK_ROWS", 3)
        lines = ["nome;celular"] + [f"Ana {n};{'x' if n % 4 == 0 else ''}" for n in range(20)]
        lines[5] = ";11987654321"
        import_id, messages = split(deployment, "\n".join(lines).encode())
        assert len(messages) == 7
        take(deployment, list(reversed(messages)))
        for limit in ("1", "4", "500"):
            rows = report(deployment, import_id, limit=limit)
            assert [row["row"] for row in rows] == list(range(2, 22))
            refused = report(deployment, import_id, limit=limit, outcome="refused")
            assert [row["row"] for row in refused] == [6]
            problems = report(deployment, import_id, limit=limit, outcome="with_problems")
            assert [row["row"] for row in problems] == [2, 6, 10, 14, 18]
        assert report(deployment, import_id, outcome="updated") == []

    def test_merges_with_others_of_the_customer_and_erases_nothing(
        self, deployment: Deployment
    ) -> None:
        header = (
            "código;nome;cidade;etiquetas;celular;"
            "filial;telefone da filial;contato;celular do contato\n"
        )
        rows = [
            "7;Padaria;Campinas;vip, sul;11987650001;;;;",
            "7;Padaria;;;;Centro;1130001000;Ana;11987650002",
            "7;PADARIA;Santos;;;centro;;ana;11987650003",
            "7;PADARIA;;;;;;Ana;",
        ]
        shown = imported(deployment, (header + "\n".join(rows)).encode())
        assert counts(shown) == {"rows": 4, "done": 4, "created": 1, "updated": 3}
        (customer,) = customers(deployment)
        assert (customer["name"], customer["city"], customer["mobile"]) == (
            "PADARIA",
            "Santos",
            "+5511987650001",
        )
        assert customer["tags"] == ["vip", "sul"]
        (branch,) = customer["branches"]
        assert (branch["name"], branch["phone"]) == ("Centro", "+551130001000")
        assert [(each["mobile"], each["branch_id"]) for each in customer["contacts"]] == [
            ("+5511987650003", branch["id"]),
            (None, None),
        ]

    def test_of_too_many_parts_says_so(self, deployment: Deployment) -> None:
        lines = ["nome;contato;celular do contato"]
        lines += [f"Grande;Contato {n};119876500{n:02}" for n in range(41)]
        import_id, messages = split(deployment, "\n".join(lines).encode())
        take(deployment, messages)
        (row,) = report(deployment, import_id, outcome="with_problems")
        assert (row["row"], row["problems"][0]["field"]) == (42, "contact")

    def test_is_of_the_customer_that_has_its_document_or_code(self, deployment: Deployment) -> None:
        first = made(deployment, name="Ana", document="123.456.789-09")
        second = made(deployment, name="Bia", code="B7", document="2")
        content = (
            "código;nome;documento;cidade\n"
            ";Ana Maria;12345678909;Santos\n"
            "B7;Bia;;Campinas\n"
            # A customer of another code is another customer, who cannot have that document.
            "C9;Caio;2;Osasco\n"
            # One who had no code gets this one.
            "A1;Ana Maria;123456789-09;\n"
            "A1;Ana Maria;;Cotia\n"
        )
        import_id, messages = split(deployment, content.encode())
        take(deployment, messages)
        rows = report(deployment, import_id)
        assert [row["customer_id"] for row in rows[:2]] == [first, second]
        assert rows[2]["problems"] == [{"field": "document", "reason": "another customer has it"}]
        assert [row["customer_id"] for row in rows[3:]] == [first, first]
        found = {each["name"]: each for each in customers(deployment)}
        assert found["Ana Maria"]["city"] == "Cotia"
        assert found["Ana Maria"]["code"] == "A1"
        assert found["Bia"]["city"] == "Campinas"
        assert "document" not in found["Caio"]


class TestAgain:
    CONTENT = b"nome;documento;celular\nAna;1;11987650001\nBia;;11987650002\nAna Maria;1;\n"

    def test_a_file_that_is_sent_again_changes_nothing(self, deployment: Deployment) -> None:
        imported(deployment, self.CONTENT.replace(b"Ana Maria", b"Ana"))
        before = customers(deployment)
        with counted() as requests:
            again = imported(deployment, self.CONTENT.replace(b"Ana Maria", b"Ana"))
        assert counts(again) == {"rows": 3, "done": 3, "unchanged": 3}
        # The chunk is counted, but no customer is written.
        assert requests.count("TransactWriteItems") == 1
        assert customers(deployment) == before

    def test_a_chunk_that_was_written_and_not_reported_is_reported_as_it_was(
        self, deployment: Deployment
    ) -> None:
        import_id, messages = split(deployment, self.CONTENT)
        with (
            patch.object(JobStore, "finish", side_effect=Unavailable),
            pytest.raises(BatchProcessingError),
        ):
            deployment.call("ImportCustomers", sqs(*messages))
        assert counts(state(deployment, import_id)) == {"rows": 3}
        take(deployment, messages)
        take(deployment, messages)
        shown = state(deployment, import_id)
        assert counts(shown) == {"rows": 3, "done": 3, "created": 2, "updated": 1}
        outcomes = [row["outcome"] for row in report(deployment, import_id)]
        assert outcomes == ["created", "created", "updated"]

    def test_a_row_that_loses_a_race_merges_with_what_the_winner_wrote(
        self, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("retorno.imports.reading.CHUNK_ROWS", 2)
        lines = ["nome;documento;contato;celular do contato"]
        lines += [f"Ana;1;Contato {n};1198765000{n}" for n in range(4)]
        import_id, (first, second) = split(deployment, "\n".join(lines).encode())
        save_many, chunks = CustomerStore.save_many, [second]

        def late(store: CustomerStore, savings: Any, now: Any) -> Any:
            if chunks:
                take(deployment, [chunks.pop()])
            return save_many(store, savings, now)

        with patch.object(CustomerStore, "save_many", late):
            take(deployment, [first])
        shown = state(deployment, import_id)
        assert counts(shown) == {"rows": 4, "done": 4, "created": 1, "updated": 3}
        (customer,) = customers(deployment)
        assert sorted(each["name"] for each in customer["contacts"]) == [
            f"Contato {n}" for n in range(4)
        ]

    def test_a_row_whose_document_is_taken_meanwhile_is_of_who_took_it(
        self, deployment: Deployment
    ) -> None:
        import_id, messages = split(deployment, b"nome;documento;cidade\nBia;2;\nAna;1;Cotia\n")
        save_many, taken = CustomerStore.save_many, list[str]()

        def late(store: CustomerStore, savings: Any, now: Any) -> Any:
            if not taken:
                taken.append(made(deployment, name="Ana", document="1"))
            return save_many(store, savings, now)

        with patch.object(CustomerStore, "save_many", late):
            take(deployment, messages)
        told = [(row["outcome"], row["customer_id"]) for row in report(deployment, import_id)]
        assert told[0][0] == "created"
        assert told[1] == ("updated", taken[0])
        assert [each["name"] for each in customers(deployment)] == ["Ana", "Bia"]

    def test_a_message_that_cannot_be_read_comes_back(self, deployment: Deployment) -> None:
        _, messages = split(deployment, self.CONTENT)
        answer = deployment.call("ImportCustomers", sqs("poison", *messages))
        assert answer == {"batchItemFailures": [{"itemIdentifier": "0"}]}
        assert len(customers(deployment)) == 2

    def test_while_the_table_is_away_its_rows_wait(self, deployment: Deployment) -> None:
        _, messages = split(deployment, self.CONTENT)
        deployment.lose_table("customers")
        with pytest.raises(BatchProcessingError):
            deployment.call("ImportCustomers", sqs(*messages))


def test_customers_are_found_by_their_numbers_and_cost_little(deployment: Deployment) -> None:
    lines = ["código;nome;documento;celular"]
    lines += [f"C{n};Cliente {n};{n};11 98765-{n:04}" for n in range(200)]
    _, messages = split(deployment, "\n".join(lines).encode())
    with counted() as requests:
        take(deployment, messages)
    assert len(messages) == 1
    # Five items each: record, document, code, number; 25 customers a transaction.
    assert requests.count("TransactWriteItems") == 8 + 1
    assert requests.count("BatchGetItem") == 4 + 2
    assert len(requests) == 18
    for written in ("11987650042", "+55 (11) 98765-0042", "1187650042"):
        found = ask_customers(deployment, "GET /customers", number=written)
        assert names(found) == ["Cliente 42"]


class TestExport:
    def test_comes_back_as_the_same_customers(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        made(
            deployment,
            name='=Fórmula; "aspas"\n\'',
            document="-1",
            tags=["a", "b c"],
            owner="@ana",
            city="'t Hart",
            phone="1130001000",
            branches=[{"id": "x", "name": "Centro", "phone": "1130002000"}, {"name": "Vazia"}],
            contacts=[
                {"name": "Maria", "mobile": "11987654321", "branch_id": "x"},
                {"name": "Maria", "phone": "+351 212 345 678"},
            ],
        )
        made(deployment, name="'=Só nome", code="B7")
        content = exported(deployment)
        assert content.startswith("﻿código;nome;documento;".encode())
        for line in content.decode("utf-8-sig").splitlines()[1:]:
            assert not [cell for cell in line.split(";") if cell.strip('"')[:1] in tuple("=+-@")]
        before = customers(deployment)
        again = imported(deployment, content)
        assert counts(again) == {"rows": 5, "done": 5, "unchanged": 5}
        assert customers(deployment) == before
        # Into an empty table, too: the same customers.
        for each in before:
            path = f"/customers/{each['customer_id']}"
            assert ask_customers(deployment, f"DELETE {path}", if_match="*").status == 204
        imported(deployment, content)
        assert [without_ids(each) for each in customers(deployment)] == [
            without_ids(each) for each in before
        ]
        assert exported(deployment).splitlines()[1:4] == content.splitlines()[1:4]

    def test_is_one_of_an_empty_table_too(self, deployment: Deployment) -> None:
        assert exported(deployment).decode("utf-8-sig").count("\n") == 1

    def test_is_not_there_until_it_is_done(self, deployment: Deployment) -> None:
        path = "/customers/exports"
        begun = ask(deployment, f"POST {path}", path)
        assert begun.status == 201
        shown = ask(deployment, f"GET {path}/{{export_id}}", begun.headers["Location"]).body
        assert (shown["state"], shown["download_url"]) == ("waiting", None)


def without_ids(customer: dict[str, Any]) -> Any:
    text = json.dumps(customer)
    for part in customer.get("branches", []) + customer.get("contacts", []):
        text = text.replace(part["id"], part["name"])
    return {**json.loads(text), "customer_id": None}


def test_what_is_not_there_is_not_found(deployment: Deployment) -> None:
    export = "/customers/exports/{export_id}"
    for route in (IMPORT, f"{IMPORT}/report", export):
        assert (
            ask(deployment, f"GET {route}", route.format(import_id="x", export_id="x")).status
            == 404
        )
    # An import is no export.
    import_id, _ = begun(deployment, 1)
    path = export.format(export_id=import_id)
    assert ask(deployment, f"GET {export}", path).status in (200, 404)
