"""Operations of another system, taken over."""

from datetime import UTC, datetime
from typing import Any

import pytest

from retorno.errors import RetornoError
from retorno.settings import HistorySettings
from retorno.telemarketing.operations.model import PastOperation
from retorno.telemarketing.operations.past import HistoryTaking, history_taking
from retorno.telemarketing.operations.store import Taken
from tests.support.clock import StoppedClock
from tests.support.deployment import Deployment
from tests.support.telemarketing import CAMPAIGN, Office

NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
MAY = datetime(2025, 5, 5, 14, tzinfo=UTC)
JUNE = datetime(2025, 6, 5, 14, tzinfo=UTC)


@pytest.fixture
def office(deployment: Deployment, clock: StoppedClock) -> Office:
    clock.now = NOW
    office = Office(deployment, clock)
    office.campaign()
    office.agents("ana")
    return office


@pytest.fixture
def taking(office: Office) -> HistoryTaking:
    tables = office.deployment.tables
    return history_taking(
        HistorySettings.of(
            {
                "telemarketing_setup_table": tables["SetupTable"],
                "assignments_table": tables["AssignmentsTable"],
                "assignment_history_table": tables["AssignmentHistoryTable"],
                "operations_table": tables["OperationsTable"],
                "country": "BR",
            }
        )
    )


def past(customer_id: str, ended_at: datetime = MAY, **fields: Any) -> PastOperation:
    return PastOperation.model_validate(
        {
            "campaign_id": CAMPAIGN,
            "customer_id": customer_id,
            "agent": "ana",
            "ended_at": ended_at,
            **(fields or {"outcome": "ja_tem"}),
        }
    )


def take(taking: HistoryTaking, *pasts: PastOperation, mark: str = "file/1") -> list[Any]:
    return taking.take(pasts, mark, "leo", NOW)


def test_whoever_was_not_in_the_campaign_is_linked(office: Office, taking: HistoryTaking) -> None:
    maria = office.customer()
    (taken,) = take(
        taking, past(maria, outcome="venda", value="12.50", conversation="Comprou dois")
    )
    assert taken == Taken(f"{CAMPAIGN}.{maria}.1", is_new=True)
    shown = office.of(maria).body
    assert (shown["state"], shown["agent"], shown["operations"], shown["concluded_at"]) == (
        "concluded",
        "ana",
        1,
        "2025-05-05T14:00:00Z",
    )
    operation = office.shown(taken.operation_id)["operation"]
    assert (operation["imported"], operation["value"], operation["conversation"]) == (
        True,
        "12.50",
        "Comprou dois",
    )
    assert [each["what"] for each in office.history(maria)] == ["imported"]


def test_told_again_it_changes_nothing(office: Office, taking: HistoryTaking) -> None:
    maria = office.customer()
    first = take(taking, past(maria))
    assert take(taking, past(maria)) == first
    (again,) = take(taking, past(maria), mark="file/2")
    assert again == Taken(first[0].operation_id, is_new=False)
    assert office.of(maria).body["operations"] == 1


@pytest.mark.parametrize("backwards", [False, True])
def test_the_latest_says_how_the_customer_is_whatever_comes_first(
    office: Office, taking: HistoryTaking, backwards: bool
) -> None:
    maria = office.customer()
    told = [past(maria), past(maria, JUNE, reason="ocupado", scheduled_for=NOW)]
    for each in reversed(told) if backwards else told:
        take(taking, each)
    shown = office.of(maria).body
    assert (shown["state"], shown["operations"], shown["last_reason"]) == (
        "scheduled",
        2,
        "ocupado",
    )
    assert shown["acted_at"] == "2025-06-05T14:00:00Z"
    office.clock.advance(minutes=2)
    office.deployment.call("KeepAppointments", {})
    assert office.of(maria).body["due"], "its time has come already"


def test_without_a_time_they_wait_without_one(office: Office, taking: HistoryTaking) -> None:
    maria = office.customer()
    take(taking, past(maria, outcome="ligar_depois"))
    assert office.of(maria).body["state"] == "not_acted"


def test_what_does_not_fit_is_refused_and_named(office: Office, taking: HistoryTaking) -> None:
    maria = office.customer()
    wrong = {
        "outcome": [past(maria, outcome="nada"), past(maria, conversation="oi")],
        "reason": [past(maria, reason="nada")],
        "action_type": [past(maria, outcome="ja_tem", action_type="nada")],
        "value": [past(maria, outcome="venda"), past(maria, outcome="ja_tem", value="1")],
        "campaign": [past(maria).model_copy(update={"campaign_id": "nada"})],
    }
    for field, pasts in wrong.items():
        for refused in take(taking, *pasts):
            assert isinstance(refused, RetornoError)
            assert getattr(refused, "field", None) == field
    assert office.of(maria).status == 404


def test_whoever_an_agent_works_on_is_left_to_them(office: Office, taking: HistoryTaking) -> None:
    maria = office.linked("ana")
    office.opened(maria)
    (refused,) = take(taking, past(maria))
    assert "ana is working on it" in str(refused)
