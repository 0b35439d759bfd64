"""Operations of telemarketing through the API: opened, noted, ended, and their history."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.clock import StoppedClock
from tests.support.deployment import Deployment
from tests.support.events import Answer
from tests.support.exchange import serving
from tests.support.switchboard import Switchboard
from tests.support.telemarketing import CAMPAIGN, OPERATION, Office
from tests.support.webhooks import canonical

# A Monday in São Paulo, 9:30.
NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
TOMORROW = "2026-03-03T10:00:00-03:00"


@pytest.fixture
def office(deployment: Deployment, clock: StoppedClock) -> Office:
    clock.now = NOW
    office = Office(deployment, clock)
    office.campaign()
    office.agents("ana", "bia")
    return office


def test_who_opens_an_operation_sees_the_customer_and_what_was_done_before(office: Office) -> None:
    maria = office.linked("ana", city="Campinas", mobile="(11) 98765-4321")
    first = office.opened(maria)
    office.do(first, "no-contact", {"reason": "ocupado", "at": TOMORROW})
    answer = office.open(maria)
    assert answer.status == 201
    assert answer.headers["Location"] == f"/telemarketing/operations/{CAMPAIGN}.{maria}.2"
    assert answer.body["customer"]["mobile"] == "+5511987654321"
    assert [each["operation_id"] for each in answer.body["earlier"]] == [first]
    assert (answer.body["operation"]["stage"], answer.body["operation"]["conversation"]) == (
        "open",
        "",
    )


def test_opening_again_shows_what_is_open(office: Office) -> None:
    maria = office.linked("ana")
    operation = office.opened(maria)
    again = office.open(maria)
    assert (again.status, again.body["operation"]["operation_id"]) == (200, operation)
    assert len(office.history(maria)) == 2


def test_an_action_type_brings_its_script_which_is_copied_on_request(office: Office) -> None:
    maria = office.linked("ana")
    operation = office.opened(maria)
    nothing = office.do(operation, "copy-script")
    assert (nothing.status, nothing.body["detail"]) == (
        409,
        "choose an action type that has a script",
    )
    saved = office.save(operation, {"action_type": "oferta"})
    assert saved.status == 200, saved.body
    assert saved.body["script"].startswith("Olá, Maria! Aqui é ana.")
    assert saved.body["conversation"] == ""
    script = saved.body["script"]
    assert office.do(operation, "copy-script").body["conversation"] == script
    worked = f"{script}\n\nEla quer o azul."
    assert office.save(operation, {"conversation": worked}).body["conversation"] == worked
    again = office.do(operation, "copy-script").body["conversation"]
    assert again == f"{worked}\n\n{script}"


def test_every_save_stays_with_who_and_when(office: Office) -> None:
    maria = office.linked("ana")
    operation = office.opened(maria)
    office.clock.advance(minutes=1)
    office.save(operation, {"conversation": "Bom dia"})
    office.clock.advance(minutes=1)
    office.save(operation, {"conversation": "Bom dia, Maria"})
    office.do(operation, "conclude", {"outcome": "venda", "value": 129.9})
    entries = office.history(maria)
    assert [(each["what"], each["by"]) for each in entries] == [
        ("concluded", "ana"),
        ("edited", "ana"),
        ("edited", "ana"),
        ("opened", "ana"),
        ("linked", "leo"),
    ]
    assert entries[1]["changes"] == {"conversation": "Bom dia, Maria"}
    assert entries[2]["at"] == "2026-03-02T12:31:00Z"
    assert entries[0]["changes"] == {"outcome": "venda", "value": "129.9"}
    page = office.of(maria, part="/history", limit="2").body
    rest = office.of(maria, part="/history", limit="5", cursor=page["cursor"]).body
    assert [*page["items"], *rest["items"]] == entries


def test_a_save_of_what_somebody_changed_since_is_refused(office: Office) -> None:
    operation = office.opened(office.linked("ana"))
    assert office.save(operation, {"conversation": "um"}, if_match='"1"').status == 200
    stale = office.save(operation, {"conversation": "dois"}, if_match='"1"')
    assert stale.status == 412
    assert office.save(operation, {"conversation": "dois"}, if_match=None).status == 428
    assert office.shown(operation)["operation"]["conversation"] == "um"


def test_a_sale_has_a_value_and_nothing_else_has(office: Office) -> None:
    maria = office.linked("ana")
    operation = office.opened(maria)
    without = office.do(operation, "conclude", {"outcome": "venda"})
    assert (without.status, without.body["errors"][0]["field"]) == (422, "value")
    needless = office.do(operation, "conclude", {"outcome": "sem_interesse", "value": 1})
    assert (needless.status, needless.body["errors"][0]["field"]) == (422, "value")
    sold = office.do(operation, "conclude", {"outcome": "venda", "value": "1299.90"})
    assert (sold.status, sold.body["stage"], sold.body["value"]) == (200, "concluded", "1299.90")
    assert office.of(maria).body["state"] == "concluded"


def test_an_end_that_is_told_twice_is_one_and_another_is_refused(office: Office) -> None:
    maria = office.linked("ana")
    operation = office.opened(maria)
    end = {"outcome": "sem_interesse"}
    assert office.do(operation, "conclude", end).status == 200
    assert office.do(operation, "conclude", end).status == 200
    assert office.of(maria).body["operations"] == 1
    other = office.do(operation, "conclude", {"outcome": "ja_tem"})
    assert (other.status, other.body["detail"]) == (409, "the operation is concluded")
    assert office.save(operation, {"conversation": "tarde"}).status == 409
    assert office.open(maria).status == 409


def test_final_outcomes_conclude_and_others_postpone(office: Office) -> None:
    maria = office.linked("ana")
    operation = office.opened(maria)
    refused = office.do(operation, "conclude", {"outcome": "ligar_depois"})
    assert refused.body["errors"] == [
        {"field": "outcome", "reason": "is not final: postpone the operation to another time"}
    ]
    final = office.do(operation, "postpone", {"outcome": "venda", "at": TOMORROW})
    assert final.body["errors"][0]["field"] == "outcome"
    unknown = office.do(operation, "conclude", {"outcome": "nada"})
    assert (unknown.status, unknown.body["errors"][0]["field"]) == (422, "outcome")
    later = office.do(
        operation, "postpone", {"outcome": "ligar_depois", "at": TOMORROW, "note": "depois das 10"}
    )
    assert (later.body["stage"], later.body["scheduled_for"]) == (
        "postponed",
        "2026-03-03T13:00:00Z",
    )
    shown = office.of(maria).body
    assert (shown["state"], shown["due"], shown["last_outcome"]) == (
        "scheduled",
        False,
        "ligar_depois",
    )
    assert shown["schedule"]["note"] == "depois das 10"


def test_no_contact_has_a_reason_and_a_time_or_the_wait_of_the_reason(office: Office) -> None:
    maria, joana = office.linked("ana"), office.linked("ana", "Joana Lima")
    office.do(office.opened(maria), "no-contact", {"reason": "nao_atendeu"})
    shown = office.of(maria).body
    assert (shown["last_reason"], shown["last_outcome"], shown["operations"]) == (
        "nao_atendeu",
        None,
        1,
    )
    assert shown["schedule"]["at"] == "2026-03-02T14:30:00Z"
    operation = office.opened(joana)
    past = office.do(operation, "no-contact", {"reason": "ocupado", "at": "2026-03-02T09:00:00"})
    assert (past.status, past.body["errors"]) == (422, [{"field": "at", "reason": "is past"}])
    local = {"reason": "ocupado", "at": "2026-03-02T16:00:00", "time_zone": "America/Manaus"}
    assert office.do(operation, "no-contact", local).body["scheduled_for"] == "2026-03-02T20:00:00Z"
    without = office.do(operation, "no-contact", {"at": TOMORROW})
    assert without.body["errors"][0]["field"] == "reason"


def test_two_agents_on_one_customer_and_one_is_told_who_has_them(office: Office) -> None:
    maria = office.linked(None)
    operation = office.opened(maria, "ana")
    refused = office.open(maria, "bia")
    assert refused.status == 409
    assert (refused.body["held_by"], refused.body["until"]) == ("ana", "2026-03-02T13:00:00Z")
    assert "ana is working on it" in refused.body["detail"]
    assert office.save(operation, {"conversation": "x"}, who="bia").status == 403
    assert office.do(operation, "conclude", {"outcome": "ja_tem"}, who="bia").status == 403
    taken = office.of(maria, "DELETE")
    assert (taken.status, taken.body["held_by"]) == (409, "ana")


def test_who_leaves_an_operation_open_loses_the_customer_to_who_opens_another(
    office: Office,
) -> None:
    maria = office.linked(None)
    left = office.opened(maria, "ana")
    office.clock.advance(minutes=20)
    office.save(left, {"conversation": "um momento"})
    office.clock.advance(minutes=29)
    assert office.open(maria, "bia").status == 409
    office.clock.advance(minutes=2)
    office.opened(maria, "bia")
    lost = office.save(left, {"conversation": "voltei"})
    assert (lost.status, lost.body["detail"]) == (409, "the operation is released")
    assert office.shown(left)["operation"]["conversation"] == "um momento"
    assert office.history(maria)[0]["changes"] == {"left_open": 1}


def test_who_comes_back_before_anybody_took_over_goes_on(office: Office) -> None:
    maria = office.linked(None)
    left = office.opened(maria, "ana")
    office.clock.advance(hours=3)
    assert office.open(maria).body["operation"]["operation_id"] == left
    assert office.do(left, "conclude", {"outcome": "ja_tem"}).status == 200


def test_a_released_operation_counts_for_nothing(office: Office) -> None:
    maria = office.linked("ana")
    operation = office.opened(maria)
    assert office.do(operation, "release").body["stage"] == "released"
    assert office.do(operation, "release").status == 200
    shown = office.of(maria).body
    assert (shown["state"], shown["operations"], shown["held_by"]) == ("not_acted", 0, None)
    again = office.opened(maria)
    assert again.endswith(".2")
    assert office.do(again, "release", who=None).status == 200, "a supervisor closes it for others"
    assert office.do(again, "conclude", {"outcome": "ja_tem"}).status == 409


def test_another_agents_customer_is_not_to_be_opened(office: Office) -> None:
    maria = office.linked("ana")
    refused = office.open(maria, "bia")
    assert (refused.status, refused.body["detail"]) == (403, "the customer is ana's")
    office.agents("rui", queue="suporte")
    assert office.open(office.linked(None), "rui").status == 403


def test_in_a_campaign_that_does_not_run_nothing_is_opened(office: Office) -> None:
    maria = office.linked("ana")
    operation = office.opened(maria)
    office.campaign(active=False, if_match="*")
    assert office.open(office.linked("ana")).status == 409
    assert office.do(operation, "conclude", {"outcome": "ja_tem"}).status == 200


def test_who_does_not_want_calls_is_put_on_the_list(office: Office) -> None:
    maria = office.linked("ana", phone="(11) 3132-1000", mobile="(11) 98765-4321")
    operation = office.opened(maria)
    assert office.do(operation, "conclude", {"outcome": "nao_ligar"}).status == 200
    for number in ("1131321000", "11987654321"):
        listed = office.ask("GET /do-not-call/{number}", number=number).body
        assert [each["origin"] for each in listed["entries"]] == ["disposition"]


def test_what_is_wrong_is_named(office: Office) -> None:
    maria = office.linked("ana")
    operation = office.opened(maria)
    wrong = office.save(operation, {"action_type": "nada"})
    assert (wrong.status, wrong.body["errors"][0]["field"]) == (422, "action_type")
    huge = office.save(operation, {"conversation": "x" * 20_001})
    assert (huge.status, huge.body["errors"][0]["field"]) == (422, "conversation")
    unknown = office.save(operation, {"price": 1})
    assert (unknown.status, unknown.body["errors"][0]["field"]) == (422, "price")
    for gone in ("natal.nobody.1", "natal", "a.b.c", "natal.x.99999999999999999999"):
        assert office.do(gone, "release").status == 404
    assert office.open("nobody").status == 404
    assert office.open(office.customer()).status == 404


def test_operations_are_listed_by_customer_agent_and_campaign(office: Office) -> None:
    maria, joana = office.linked("ana"), office.linked(None, "Joana Lima")
    done = office.opened(maria)
    office.do(done, "no-contact", {"reason": "ocupado"})
    office.clock.advance(minutes=1)
    by_bia = office.opened(joana, "bia")

    def listed(who: str | None, **query: str) -> list[str]:
        answer = office.ask("GET /telemarketing/operations", who=who, query=query)
        assert answer.status == 200, answer.body
        return [each["operation_id"] for each in answer.body["items"]]

    assert listed(None, campaign=CAMPAIGN) == [by_bia, done]
    assert listed("ana", customer_id=joana) == [by_bia]
    assert listed("ana", agent="ana") == [done]
    answer = office.ask("GET /telemarketing/operations", who="ana", query={"agent": "bia"})
    assert answer.status == 403
    assert office.ask("GET /telemarketing/operations").status == 422
    page = office.ask("GET /telemarketing/operations", query={"campaign": CAMPAIGN, "limit": "1"})
    query = {"campaign": CAMPAIGN, "cursor": page.body["cursor"]}
    rest = office.ask("GET /telemarketing/operations", query=query)
    assert [each["operation_id"] for each in rest.body["items"]] == [done]


@pytest.fixture
def switchboard(office: Office) -> Iterator[Switchboard]:
    with serving(Switchboard()) as switchboard:
        assert isinstance(switchboard, Switchboard)
        office.deployment.configure(DIAL_PROVIDER="canonical", DIAL_URL=switchboard.url)
        yield switchboard


class TestCalls:
    def place(self, office: Office, operation: str, wish: Any = None, key: str = "k1") -> Answer:
        return office.ask(
            f"POST {OPERATION}/calls", wish or {}, "ana", key=key, operation=operation
        )

    def tell(self, office: Office, call_id: str, stage: str, **facts: Any) -> None:
        event = {
            "event_id": f"{call_id}-{stage}",
            "call_id": call_id,
            "stage": stage,
            "occurred_at": office.clock.now.isoformat(),
            **facts,
        }
        answer = office.deployment.ask("IngestCalls", canonical(office.clock.now, event))
        assert (answer.status, answer.body["refused"]) == (200, []), answer.body
        office.deployment.work()

    def test_a_call_is_placed_for_the_campaign_and_known_in_the_operation(
        self, office: Office, switchboard: Switchboard
    ) -> None:
        office.campaign(caller_id="11 3132-1000", if_match="*")
        operation = office.opened(office.linked("ana", mobile="11 98765-4321"))
        placed = self.place(office, operation)
        assert (placed.status, placed.body["number"]) == (201, "+5511987654321")
        assert self.place(office, operation).body == placed.body
        (order,) = switchboard.placed
        assert (order["caller_id"], order["agent"]) == ("+551131321000", "ana")
        call_id = placed.body["call_id"]
        assert office.shown(operation)["operation"]["call_id"] == call_id
        office.clock.advance(seconds=10)
        self.tell(office, call_id, "answered", answered_by="human")
        office.clock.advance(seconds=95)
        self.tell(office, call_id, "completed")
        shown = office.shown(operation)["operation"]
        assert (shown["talk_seconds"], shown["answered_by"]) == (95, "human")
        assert shown["answered_at"] == "2026-03-02T12:30:10Z"

    def test_the_rules_for_calling_out_hold(self, office: Office, switchboard: Switchboard) -> None:
        office.clock.now = datetime(2026, 3, 3, 1, tzinfo=UTC)
        operation = office.opened(office.linked("ana", mobile="11 98765-4321"))
        refused = self.place(office, operation)
        assert refused.status == 409
        assert refused.body["next_allowed_at"].startswith("2026-03-03T1")
        assert switchboard.placed == []

    def test_a_call_needs_an_open_operation_and_a_number(
        self, office: Office, switchboard: Switchboard
    ) -> None:
        operation = office.opened(office.linked("ana"))
        nobody = self.place(office, operation)
        assert (nobody.status, nobody.body["errors"][0]["field"]) == (422, "number")
        assert self.place(office, operation, {"number": "12"}).status == 422
        assert self.place(office, operation, {"number": "11 98765-4321"}).status == 201
        office.do(operation, "conclude", {"outcome": "ja_tem"})
        assert self.place(office, operation, key="k2").status == 409
        assert self.place(office, "natal.x.1").status == 404
        assert len(switchboard.placed) == 1

    @pytest.mark.parametrize("is_over", [False, True])
    def test_the_call_that_the_agent_is_in_with_the_customer_is_linked_by_itself(
        self, office: Office, is_over: bool
    ) -> None:
        maria = office.linked("ana", mobile="11 98765-4321")
        office.logged_in("ana")
        others = {"direction": "outbound_manual", "agent": "ana"}
        self.tell(office, "c0", "ringing", to="+5511912345678", **others)
        self.tell(office, "c0", "completed")
        operation = office.opened(maria)
        assert office.shown(operation)["operation"]["call_id"] is None
        office.clock.advance(seconds=5)
        self.tell(office, "c1", "ringing", to="+551187654321", **others)
        self.tell(office, "c1", "answered", agent="ana", answered_by="voicemail")
        if is_over:
            office.clock.advance(seconds=20)
            self.tell(office, "c1", "completed")
        office.do(operation, "no-contact", {"reason": "caixa_postal"})
        shown = office.shown(operation)["operation"]
        assert shown["call_id"] == "c1"
        if not is_over:
            assert shown["talk_seconds"] is None
            office.clock.advance(seconds=20)
            self.tell(office, "c1", "completed")
            shown = office.shown(operation)["operation"]
        assert (shown["talk_seconds"], shown["answered_by"]) == (20, "voicemail")
