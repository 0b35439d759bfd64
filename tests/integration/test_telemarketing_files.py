"""Many customers at once: linked by file and by filter, moved from agent to agent, told twice and
broken off; each row judged by itself."""

from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError

from retorno.dynamodb import write_together
from retorno.errors import Unavailable
from retorno.imports.store import JobStore
from retorno.telemarketing.assignments.model import Assignment, Hold, State
from retorno.telemarketing.assignments.store import AssignmentStore
from tests.integration.test_agents import register
from tests.integration.test_customers import made
from tests.support import files
from tests.support.clock import StoppedClock
from tests.support.deployment import Deployment
from tests.support.events import sqs
from tests.support.files import waiting
from tests.support.requests import counted
from tests.support.telemarketing_files import (
    EXPORTS,
    HISTORY,
    LINK_JOBS,
    LINKS,
    MOVES,
    ask,
    begun,
    campaign,
    done,
    exported,
    imported,
    report,
    run,
    split,
    take,
)

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def centre(deployment: Deployment) -> Deployment:
    """A campaign, and a team of two; Rui is of another."""
    campaign(deployment)
    register(deployment, "ana", "bia", queues=["vendas"])
    register(deployment, "rui", queues=["suporte"])
    return deployment


def store() -> AssignmentStore:
    return AssignmentStore("assignments", "assignment-history")


def assignments(campaign_id: str = "natal") -> dict[str, Assignment]:
    page, _ = store().of_campaign(campaign_id, 1000, None)
    return {each.customer_id: each for each in page}


def portfolio(campaign_id: str = "natal") -> dict[str, str | None]:
    """Whose customer each is, of those who are linked."""
    return {
        each.customer_id: each.agent
        for each in assignments(campaign_id).values()
        if each.state is not State.UNLINKED
    }


def outcomes(rows: list[dict[str, Any]]) -> list[str]:
    return [row["outcome"] for row in rows]


def problems(rows: list[dict[str, Any]]) -> dict[int, dict[str, str]]:
    return {
        row["row"]: {each["field"]: each["reason"] for each in row["problems"]}
        for row in rows
        if row["problems"]
    }


COUNTS = ("rows", "done", "created", "updated", "unchanged", "refused", "with_problems")


def counts(shown: Any) -> dict[str, int]:
    """Those that are not zero."""
    return {name: shown[name] for name in COUNTS if shown.get(name)}


class TestLinkRows:
    def test_name_their_customer_by_code_document_number_or_id(self, centre: Deployment) -> None:
        by_code = made(centre, code="C1")
        by_document = made(centre, document="123.456.789-09")
        by_phone = made(centre, mobile="11987654321")
        by_id, by_id_as_code = made(centre), made(centre)
        content = (
            "Código;CPF;Telefone;customer_id;Atendente;Prioridade\n"
            "C1;;;;ana;9\n"
            ";12345678909;;;bia;\n"
            ";;(11) 98765-4321;;equipe;0\n"
            f";;;{by_id};;\n"
            # As exports of customers write it, who have no code.
            f"{by_id_as_code.upper()};;;;;\n"
        )
        shown, rows = imported(centre, LINKS, content, campaign="natal")
        assert (shown["state"], shown["campaign"]) == ("done", "natal")
        assert counts(shown) == {"rows": 5, "done": 5, "created": 5}
        assert [row["customer_id"] for row in rows] == [
            by_code, by_document, by_phone, by_id, by_id_as_code
        ]  # fmt: skip
        found = assignments()
        assert [(found[each].agent, found[each].priority) for each in (by_code, by_phone)] == [
            ("ana", 9),
            (None, 0),
        ]
        assert portfolio()[by_document] == "bia"
        assert {each.linked_by for each in found.values()} == {"ana"}

    def test_say_why_they_are_refused_and_others_are_taken(self, centre: Deployment) -> None:
        for name in ("Ana", "Ana Maria"):
            made(centre, name=name, phone="1132321000")
        good = made(centre, code="C1")
        content = (
            "código;telefone;atendente;prioridade;ação\n"
            ";11 3232-1000;ana;;\n"
            ";11 3232-9999;ana;;\n"
            ";ramal 9;ana;;\n"
            "C9;;ana;;\n"
            ";;ana;;\n"
            "C1;;rui;;\n"
            "C1;;caio;;\n"
            "C1;;;11;\n"
            "C1;;;;talvez\n"
            "C1;;ana;;;x\n"
            "00000000-0000-0000-0000-000000000000;;;;\n"
            "00000000-0000-0000-0000-000000000000;;;;desvincular\n"
            "C1;;ana;;vincular\n"
        )
        shown, rows = imported(centre, LINKS, content, campaign="natal")
        assert counts(shown)["refused"] == 12
        assert outcomes(rows)[-1] == "created"
        assert portfolio() == {good: "ana"}
        assert problems(rows) == {
            2: {"phone": "is of 2 customers: say a code"},
            3: {"phone": "is no customer's"},
            4: {"phone": "is not a phone number"},
            5: {"code": "is no customer's"},
            6: {"customer": "is named by none of code, document, phone and customer_id"},
            7: {"agent": "is not of the queue vendas, the campaign's team"},
            8: {"agent": "is not registered"},
            9: {"priority": "is no priority from 0 to 9"},
            10: {"action": "is neither vincular nor desvincular"},
            11: {"row": "has 6 cells where the header has 5"},
            12: {"row": "there is no such customer"},
            13: {"row": "the customer was never in this campaign"},
        }

    def test_set_what_they_say_and_leave_the_rest(self, centre: Deployment) -> None:
        made(centre, code="C1")
        header = "código;atendente;prioridade;ação\n"
        for cells, outcome, agent, priority in (
            ("C1;ana;7;", "created", "ana", 7),
            ("C1;;;", "unchanged", "ana", 7),
            ("C1;;3;", "updated", "ana", 3),
            ("C1;bia;;", "updated", "bia", 3),
            ("C1;Equipe;;link", "updated", None, 3),
        ):
            _, rows = imported(centre, LINKS, header + cells, campaign="natal")
            (found,) = assignments().values()
            assert (outcomes(rows), found.agent, found.priority) == ([outcome], agent, priority)
        _, rows = imported(centre, LINKS, f"{header}C1;;;Desvincular", campaign="natal")
        assert (outcomes(rows), portfolio()) == (["updated"], {})
        _, rows = imported(centre, LINKS, f"{header}C1;;;remover", campaign="natal")
        assert outcomes(rows) == ["unchanged"]

    def test_of_one_customer_are_taken_in_their_order(self, centre: Deployment) -> None:
        made(centre, code="C1"), made(centre, code="C2")
        content = "código;atendente;ação\nC1;ana;\nC2;ana;\nC1;bia;\nC1;;unlink\nC1;ana;\n"
        _, rows = imported(centre, LINKS, content, campaign="natal")
        assert outcomes(rows) == ["created", "created", "updated", "updated", "created"]
        assert set(portfolio().values()) == {"ana"}

    def test_do_not_take_a_customer_from_who_is_working_on_them(self, centre: Deployment) -> None:
        made(centre, code="C1")
        imported(centre, LINKS, "código;atendente\nC1;ana\n", campaign="natal")
        hold(centre, "ana")
        _, rows = imported(centre, LINKS, "código;atendente\nC1;bia\n", campaign="natal")
        assert problems(rows)[2]["row"].startswith("ana is working on it, until")

    def test_ask_for_a_column_that_names_the_customer(self, centre: Deployment) -> None:
        path, messages = split(centre, LINKS, b"nome;atendente\nAna;ana\n", campaign="natal")
        assert messages == []
        shown = ask(centre, f"GET {path}").body
        assert shown["state"] == "failed"
        assert "customer_id or code or document or phone" in shown["reason"]

    def test_of_a_campaign_that_is_not_there_are_not_begun(self, centre: Deployment) -> None:
        answer = ask(centre, f"POST {LINKS}", {"bytes": 1, "campaign": "pascoa"})
        assert (answer.status, answer.body["errors"][0]["field"]) == (422, "campaign")


def hold(centre: Deployment, agent: str) -> None:
    """Has an agent work on the only customer of the campaign."""
    (found,) = assignments().values()
    held = found.model_copy(
        update={
            "hold": Hold(agent=agent, until=NOON + timedelta(minutes=30)),
            "revision": found.revision + 1,
        }
    )
    write_together([store().writing(held)])


class TestAgain:
    CONTENT = b"codigo;atendente\nC1;ana\nC2;bia\nC1;bia\nC3;\n"

    @pytest.fixture(autouse=True)
    def customers(self, centre: Deployment) -> None:
        for code in ("C1", "C2", "C3"):
            made(centre, code=code)
        imported(centre, LINKS, "codigo\nC3\n", campaign="natal")

    def test_a_chunk_that_comes_twice_is_taken_once(self, centre: Deployment) -> None:
        path, messages = split(centre, LINKS, self.CONTENT, campaign="natal")
        take(centre, messages)
        before = assignments()
        take(centre, messages)
        assert assignments() == before
        shown = ask(centre, f"GET {path}").body
        assert counts(shown) == {"rows": 4, "done": 4, "created": 2, "updated": 1, "unchanged": 1}

    def test_a_chunk_that_was_written_and_not_reported_is_reported_as_it_was(
        self, centre: Deployment
    ) -> None:
        path, messages = split(centre, LINKS, self.CONTENT, campaign="natal")
        with (
            patch.object(JobStore, "finish", side_effect=Unavailable),
            pytest.raises(BatchProcessingError),
        ):
            centre.call("ImportTelemarketing", sqs(*messages))
        assert counts(ask(centre, f"GET {path}").body) == {"rows": 4}
        before = portfolio()
        take(centre, messages)
        assert portfolio() == before
        rows = report(centre, path)
        # What a row did that another row of the same customer followed is not known any more.
        assert outcomes(rows) == ["updated", "created", "updated", "unchanged"]

    def test_a_chunk_that_breaks_off_in_the_middle_goes_on(
        self, centre: Deployment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("retorno.telemarketing.assignments.service.LINKED_TOGETHER", 1)
        content = b"codigo;atendente\nC1;ana\nC2;bia\n"
        path, messages = split(centre, LINKS, content, campaign="natal")
        changing, calls = AssignmentStore.changing, list[int]()

        def break_off(self: AssignmentStore, change: Any) -> Any:
            calls.append(1)
            if len(calls) == 2:
                raise Unavailable("the table does not answer")
            return changing(self, change)

        with (
            patch.object(AssignmentStore, "changing", break_off),
            pytest.raises(BatchProcessingError),
        ):
            centre.call("ImportTelemarketing", sqs(*messages))
        assert len(portfolio()) == 2
        take(centre, messages)
        assert counts(ask(centre, f"GET {path}").body) == {"rows": 2, "done": 2, "created": 2}
        assert sorted(map(str, portfolio().values())) == ["None", "ana", "bia"]

    def test_rows_of_no_import_are_left_alone(self, centre: Deployment) -> None:
        _, (message,) = split(centre, LINKS, self.CONTENT, campaign="natal")
        before = assignments()
        take(centre, [message.replace('"import_id":"', '"import_id":"x')])
        assert assignments() == before


def test_two_hundred_rows_cost_little(centre: Deployment) -> None:
    lines = [f"C{n};Cliente {n};119876{n:05}" for n in range(200)]
    files.imported(centre, ("código;nome;celular\n" + "\n".join(lines)).encode())
    rows = "código;atendente\n" + "\n".join(f"C{n};ana" for n in range(200))
    _, messages = split(centre, LINKS, rows.encode(), campaign="natal")
    with counted() as requests:
        take(centre, messages)
    # 49 customers a transaction, of two items each; and the chunk's.
    assert requests.count("TransactWriteItems") == 5 + 1
    assert len(requests) <= 20, requests


class TestLinkingByFilter:
    @pytest.fixture(autouse=True)
    def customers(self, centre: Deployment) -> None:
        for number, (city, tags, owner) in enumerate(
            [
                ("Campinas", ["vip"], "ana"),
                ("CAMPINAS", ["sul", "Vip"], "bia"),
                ("Campinas", [], None),
                ("Santos", ["vip"], "rui"),
                (None, ["vip"], "c" * 200),
            ]
        ):
            made(
                centre,
                name=f"Cliente {number}",
                code=f"C{number}",
                city=city,
                tags=tags,
                owner=owner,
            )
        made(centre, name="Ávila", code="A1", city="Campinas")

    def test_takes_whoever_suits(self, centre: Deployment) -> None:
        cases: list[tuple[dict[str, str], int]] = [
            ({}, 6),
            ({"city": "campinas"}, 4),
            ({"tag": "VIP"}, 4),
            ({"city": "Campinas", "tag": "vip"}, 2),
            ({"owner": "Ana"}, 1),
            ({"name": "cliente"}, 5),
            ({"name": "avi", "city": "Campinas"}, 1),
            ({"city": "Osasco"}, 0),
        ]
        for number, (wanted, count) in enumerate(cases):
            name = f"natal-{number}"
            campaign(centre, name)
            shown, rows = done(centre, LINK_JOBS, {"campaign": name, "filter": wanted})
            assert (shown["state"], shown["created"], len(rows)) == ("done", count, count), wanted
            assert list(portfolio(name).values()) == [None] * count

    def test_shares_out_in_turn_those_who_were_not_linked(
        self, centre: Deployment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("retorno.telemarketing.transfer.service.PAGE", 2)
        imported(centre, LINKS, "código;prioridade\nC1;9\nC3;\n", campaign="natal")
        asked = {"campaign": "natal", "filter": {}, "agents": ["ana", "bia"], "priority": 2}
        shown, rows = done(centre, LINK_JOBS, asked)
        assert counts(shown) == {"done": 6, "created": 4, "unchanged": 2}
        assert [row["row"] for row in rows] == [1, 2, 3, 4, 5, 6]
        given = [each for each in portfolio().values() if each]
        assert sorted(given) == ["ana", "ana", "bia", "bia"]
        by_customer = [portfolio()[row["customer_id"]] for row in rows]
        assert by_customer == ["ana", "bia", None, "ana", None, "bia"]
        assert sorted(each.priority for each in assignments().values()) == [2, 2, 2, 2, 5, 9]
        again, _ = done(centre, LINK_JOBS, asked)
        assert counts(again) == {"done": 6, "unchanged": 6}

    def test_gives_each_to_who_looks_after_them(self, centre: Deployment) -> None:
        asked = {"campaign": "natal", "filter": {}, "to_owner": True}
        shown, rows = done(centre, LINK_JOBS, asked)
        assert counts(shown) == {"done": 6, "created": 4, "refused": 2}
        assert sorted(map(str, portfolio().values())) == ["None", "None", "ana", "bia"]
        assert {reason for each in problems(rows).values() for reason in each.values()} == {
            "is not of the queue vendas, the campaign's team",
            "is not registered",
        }
        path = f"{LINK_JOBS}/{shown['job_id']}"
        assert len(report(centre, path, outcome="refused", limit="1")) == 2

    def test_says_at_once_what_is_wrong(self, centre: Deployment) -> None:
        cases: list[tuple[dict[str, Any], str]] = [
            ({"campaign": "pascoa"}, "campaign"),
            ({"agents": ["ana", "rui"]}, "agents.1"),
            ({"agents": ["caio"]}, "agents.0"),
            ({"filter": None}, "filter"),
            ({"filter": {"state": "SP"}}, "filter.state"),
            ({"agents": ["ana"], "to_owner": True}, "body"),
            ({"priority": 10}, "priority"),
        ]
        for wrong, field in cases:
            asked = {"campaign": "natal", "filter": {}, **wrong}
            answer = ask(centre, f"POST {LINK_JOBS}", asked)
            assert (answer.status, answer.body["errors"][0]["field"]) == (422, field), wrong

    def test_a_page_that_breaks_off_is_reported_as_it_was(
        self, centre: Deployment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("retorno.telemarketing.transfer.service.PAGE", 4)
        asked = {"campaign": "natal", "filter": {}, "agents": ["ana", "bia"]}
        path, messages = begun(centre, LINK_JOBS, asked)
        with (
            patch.object(JobStore, "finish_page", side_effect=Unavailable),
            pytest.raises(BatchProcessingError),
        ):
            centre.call("RunTelemarketingJobs", sqs(*messages))
        written = portfolio()
        assert len(written) == 4
        run(centre, messages)
        assert written.items() <= portfolio().items()
        shown = ask(centre, f"GET {path}").body
        assert (shown["state"], counts(shown)) == ("done", {"done": 6, "created": 6})
        run(centre, messages)
        assert ask(centre, f"GET {path}").body == shown

    def test_goes_on_where_a_run_has_to_end(
        self, centre: Deployment, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("retorno.telemarketing.transfer.service.PAGE", 1)
        path, messages = begun(centre, LINK_JOBS, {"campaign": "natal", "filter": {}})
        finish, runs = JobStore.finish_page, list[str]()

        def slowly(*arguments: Any) -> bool:
            clock.advance(seconds=15)
            return finish(*arguments)

        with patch.object(JobStore, "finish_page", slowly):
            while messages:
                runs += messages
                centre.call("RunTelemarketingJobs", sqs(*messages))
                messages = waiting(centre, "TelemarketingJobsQueue")
        assert len(runs) > 2
        assert ask(centre, f"GET {path}").body["created"] == 6

    def test_of_two_who_do_one_page_the_second_leaves_it(self, centre: Deployment) -> None:
        path, messages = begun(centre, LINK_JOBS, {"campaign": "natal", "filter": {}})
        finish, others = JobStore.finish_page, [messages]

        def late(*arguments: Any) -> bool:
            if others:
                run(centre, others.pop())
            return finish(*arguments)

        with patch.object(JobStore, "finish_page", late):
            run(centre, messages)
        shown = ask(centre, f"GET {path}").body
        assert (shown["state"], counts(shown)) == ("done", {"done": 6, "created": 6})
        assert outcomes(report(centre, path)) == ["created"] * 6


class TestMove:
    @pytest.fixture(autouse=True)
    def customers(self, centre: Deployment) -> None:
        campaign(centre, "verao")
        campaign(centre, "outono", active=False)
        for number in range(5):
            made(centre, code=f"C{number}")
        rows = "código;atendente\n" + "\n".join(
            f"C{number};{agent}" for number, agent in enumerate(["ana", "ana", "ana", "bia", ""])
        )
        for name in ("natal", "verao", "outono"):
            imported(centre, LINKS, rows, campaign=name)

    def test_gives_an_agents_customers_to_another(
        self, centre: Deployment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("retorno.telemarketing.assignments.service.MOVED_AT_ONCE", 2)
        asked = {"campaign": "natal", "from_agent": "ana", "to_agent": "bia"}
        shown, rows = done(centre, MOVES, asked)
        assert (shown["state"], counts(shown)) == ("done", {"done": 3, "updated": 3})
        assert sorted(map(str, portfolio().values())) == ["None", "bia", "bia", "bia", "bia"]
        assert {row["customer_id"] for row in rows} < portfolio().keys()
        assert list(portfolio("verao").values()).count("ana") == 3

    def test_of_all_campaigns_is_of_those_that_run_today(self, centre: Deployment) -> None:
        shown, _ = done(centre, MOVES, {"from_agent": "ana", "to_agent": None})
        assert shown["campaigns"] == ["natal", "verao"]
        assert counts(shown) == {"done": 6, "updated": 6}
        assert "ana" not in [*portfolio().values(), *portfolio("verao").values()]
        assert list(portfolio("outono").values()).count("ana") == 3

    def test_leaves_those_of_other_states(self, centre: Deployment) -> None:
        asked = {"from_agent": "ana", "to_agent": "bia", "states": ["concluded", "scheduled"]}
        shown, rows = done(centre, MOVES, asked)
        assert (shown["state"], counts(shown), rows) == ("done", {}, [])

    def test_says_whom_the_other_cannot_have(self, centre: Deployment) -> None:
        shown, rows = done(centre, MOVES, {"from_agent": "ana", "to_agent": "rui"})
        assert counts(shown) == {"done": 6, "refused": 6}
        assert problems(rows)[1] == {"agent": "is not of the queue vendas, the campaign's team"}

    def test_a_page_that_breaks_off_is_reported_as_it_was(self, centre: Deployment) -> None:
        asked = {"campaign": "natal", "from_agent": "ana", "to_agent": "bia"}
        path, messages = begun(centre, MOVES, asked)
        with (
            patch.object(JobStore, "finish_page", side_effect=Unavailable),
            pytest.raises(BatchProcessingError),
        ):
            centre.call("RunTelemarketingJobs", sqs(*messages))
        run(centre, messages)
        assert counts(ask(centre, f"GET {path}").body) == {"done": 3, "updated": 3}
        assert outcomes(report(centre, path)) == ["updated"] * 3

    def test_says_at_once_what_is_wrong(self, centre: Deployment) -> None:
        cases: list[tuple[dict[str, Any], str]] = [
            ({}, "to_agent"),
            ({"to_agent": "ana"}, "body"),
            ({"to_agent": "caio"}, "to_agent"),
            ({"to_agent": "rui", "campaign": "natal"}, "to_agent"),
            ({"to_agent": None, "campaign": "pascoa"}, "campaign"),
            ({"to_agent": "bia", "states": []}, "states"),
            ({"to_agent": "bia", "states": ["unlinked"]}, "body"),
        ]
        for wrong, field in cases:
            answer = ask(centre, f"POST {MOVES}", {"from_agent": "ana", **wrong})
            assert (answer.status, answer.body["errors"][0]["field"]) == (422, field), wrong


HISTORY_HEADER = (
    "campanha;código;atendente;quando;tipo de ação;retorno;motivo;conversa;valor;agendado para\n"
)


class TestHistory:
    @pytest.fixture(autouse=True)
    def customers(self, centre: Deployment) -> list[str]:
        return [made(centre, code=f"C{number}", name=f"Cliente {number}") for number in range(3)]

    ROWS = (
        "Natal;C0;ana;01/03/2026 10:00;oferta;;Ninguém atendeu;;;02/03/2026 16:00\n"
        "natal;C0;bia;01/03/2026 11:30;Oferta por telefone;Venda realizada;;Dois;R$ 1.234,50;\n"
        "natal;C1;maria (saiu);2026-02-27;;em_negociacao;;;;03/03/2026 09:00\n"
        "natal;C2;ana;28/02/2026 09:00;;;ocupado;;;\n"
    )

    def test_leaves_each_customer_as_their_last_operation_did(
        self, centre: Deployment, customers: list[str]
    ) -> None:
        shown, rows = imported(centre, HISTORY, HISTORY_HEADER + self.ROWS)
        assert (shown["state"], counts(shown)) == ("done", {"rows": 4, "done": 4, "created": 4})
        assert [row["customer_id"] for row in rows] == [customers[each] for each in (0, 0, 1, 2)]
        first, second, third = (assignments()[each] for each in customers)
        assert (first.state, first.last_outcome, first.last_agent, first.operations) == (
            State.CONCLUDED,
            "venda",
            "bia",
            2,
        )
        assert second.schedule
        assert (second.state, second.schedule.at.hour) == (State.SCHEDULED, 12)
        assert (third.state, third.last_reason) == (State.NOT_ACTED, "ocupado")

    def test_that_comes_again_changes_nothing(self, centre: Deployment) -> None:
        path, messages = split(centre, HISTORY, (HISTORY_HEADER + self.ROWS).encode())
        with (
            patch.object(JobStore, "finish", side_effect=Unavailable),
            pytest.raises(BatchProcessingError),
        ):
            centre.call("ImportTelemarketing", sqs(*messages))
        before = assignments()
        take(centre, messages)
        assert assignments() == before
        assert outcomes(report(centre, path)) == ["created"] * 4
        again, _ = imported(centre, HISTORY, HISTORY_HEADER + self.ROWS)
        assert (counts(again)["unchanged"], assignments()) == (4, before)

    def test_is_refused_row_by_row(self, centre: Deployment) -> None:
        rows = (
            "pascoa;C0;ana;01/03/2026 10:00;;venda;;;10;\n"
            "natal;C9;ana;01/03/2026 10:00;;venda;;;10;\n"
            "natal;C0;ana;01/03/2026 10:00;brinde;venda;;;10;\n"
            "natal;C0;ana;01/03/2026 10:00;;vendeu;;;10;\n"
            "natal;C0;ana;01/03/2026 10:00;;venda;;;;\n"
            "natal;C0;ana;01/03/2026 10:00;;;ocupado;;10;\n"
            "natal;C0;ana;01/04/2026 10:00;;;ocupado;;;\n"
            f"natal;C0;ana;01/03/2026 10:00;;;ocupado;{'x' * 20_001};;\n"
            f"natal;C0;ana;01/03/2026 10:00;;;ocupado;{'x' * 20_000};;\n"
            f"natal;C0;ana;2026-03-01 10:00;;;Ocupado;{'x' * 20_000};;\n"
        )
        _, found = imported(centre, HISTORY, HISTORY_HEADER + rows)
        assert outcomes(found) == ["refused"] * 7 + ["created"] * 2 + ["unchanged"]
        assert problems(found) == {
            2: {"campaign": "is not known"},
            3: {"code": "is no customer's"},
            4: {"action_type": "is not known"},
            5: {"outcome": "is not known"},
            6: {"value": "is required of a sale"},
            7: {"value": "is of a sale, and this is none"},
            8: {"at": "is in the future"},
            9: {"conversation": "is longer than 20000 characters"},
        }

    def test_goes_out_and_comes_back(self, centre: Deployment) -> None:
        imported(centre, HISTORY, HISTORY_HEADER + self.ROWS.replace("Dois", "=1+1"))
        content = exported(centre, {"what": "operations", "campaign": "natal"})
        assert content.startswith("\ufeffcampanha;código;cliente;documento;atendente;".encode())
        lines = content.decode("utf-8-sig").splitlines()
        assert len(lines) == 5
        sale = "natal;C0;Cliente 0;;bia;01/03/2026 11:30:00;oferta;venda;;'=1+1;1234,50;;"
        assert lines[4].startswith(sale)
        again, _ = imported(centre, HISTORY, content.decode("utf-8-sig"))
        assert counts(again) == {"rows": 4, "done": 4, "unchanged": 4}
        campaign(centre, "verao")
        moved = content.decode("utf-8-sig").replace("\nnatal;", "\nverao;")
        shown, _ = imported(centre, HISTORY, moved)
        assert counts(shown) == {"rows": 4, "done": 4, "created": 4}

    def test_of_a_campaign_and_a_period_goes_out(self, centre: Deployment) -> None:
        campaign(centre, "verao")
        imported(centre, HISTORY, HISTORY_HEADER + self.ROWS)
        imported(centre, LINKS, "código;atendente\nC0;ana\n", campaign="verao")
        for asked, operations, entries in (
            ({}, 4, 5),
            ({"campaign": "natal"}, 4, 4),
            ({"campaign": "verao"}, 0, 1),
            ({"from": "2026-02-28", "to": "2026-02-28"}, 1, 0),
            ({"from": "2026-03-01"}, 2, 5),
            ({"to": "2026-02-27"}, 1, 0),
        ):
            for what, count in (("operations", operations), ("history", entries)):
                lines = exported(centre, {"what": what, **asked}).decode("utf-8-sig").splitlines()
                assert len(lines) - 1 == count, (what, asked)
        lines = exported(centre, {"what": "history", "campaign": "verao"}).decode().splitlines()
        assert lines[1].startswith("verao;C0;Cliente 0;;1;02/03/2026 09:00:00;ana;linked;;")

    def test_is_not_written_for_what_is_not_there(self, centre: Deployment) -> None:
        cases: list[tuple[dict[str, Any], str]] = [
            ({}, "what"),
            ({"what": "calls"}, "what"),
            ({"what": "history", "campaign": "pascoa"}, "campaign"),
            ({"what": "history", "from": "2026-03-02", "to": "2026-03-01"}, "to"),
            ({"what": "history", "from": "ontem"}, "from"),
        ]
        for wrong, field in cases:
            answer = ask(centre, f"POST {EXPORTS}", wrong)
            assert (answer.status, answer.body["errors"][0]["field"]) == (422, field), wrong


def test_a_job_is_found_as_what_it_is_alone(centre: Deployment) -> None:
    path, _ = split(centre, HISTORY, b"x")
    job_id = path.rpartition("/")[2]
    assert ask(centre, f"GET {path}").status == 200
    for jobs in (LINKS, LINK_JOBS, MOVES, EXPORTS):
        assert ask(centre, f"GET {jobs}/{job_id}").status == 404
        if jobs != EXPORTS:
            assert ask(centre, f"GET {jobs}/{job_id}/report").status == 404


def test_agents_may_begin_and_see_none_of_it(centre: Deployment) -> None:
    for jobs in (LINKS, HISTORY, LINK_JOBS, MOVES, EXPORTS):
        assert ask(centre, f"POST {jobs}", {}, groups="[agent]").status == 403
        assert ask(centre, f"GET {jobs}/x", groups="[agent]").status == 403
