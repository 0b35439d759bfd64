"""Whom to contact: links, lists in their order, filters, searches, and the next customer."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.clock import StoppedClock
from tests.support.deployment import Deployment
from tests.support.telemarketing import CAMPAIGN, Office

# A Monday in São Paulo, 9:30.
NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)


@pytest.fixture
def office(deployment: Deployment, clock: StoppedClock) -> Office:
    clock.now = NOW
    office = Office(deployment, clock)
    office.campaign()
    office.agents("ana", "bia")
    return office


def due(office: Office, customer_id: str, at: str) -> None:
    """Schedules a customer, and lets the time come."""
    assert office.of(customer_id, "PUT", "/schedule", {"at": at}).status == 200
    office.clock.now = datetime.fromisoformat(at)
    office.clock.advance(minutes=2)
    office.deployment.call("KeepAppointments", {})


class TestLinking:
    def test_a_customer_is_linked_once_and_given_to_another(self, office: Office) -> None:
        maria = office.customer()
        wish = {"agent": "ana", "priority": 7}
        first = office.of(maria, "PUT", body=wish)
        path = f"/telemarketing/campaigns/{CAMPAIGN}/customers/{maria}"
        assert (first.status, first.headers["Location"]) == (201, path)
        assert (first.body["state"], first.body["linked_by"]) == ("not_acted", "leo")
        assert office.of(maria, "PUT", body=wish).status == 200
        assert office.link(maria, "bia")["priority"] == 7
        assert [each["what"] for each in office.history(maria)] == ["assigned", "linked"]

    def test_who_is_unlinked_is_in_no_list_and_may_come_back(self, office: Office) -> None:
        maria = office.linked("ana")
        office.do(office.opened(maria), "no-contact", {"reason": "ocupado"})
        assert office.of(maria, "DELETE").status == 204
        assert office.of(maria, "DELETE").status == 204
        assert office.of(maria).status == 404
        assert office.listed(state="scheduled") == office.listed() == []
        again = office.link(maria, "ana")
        assert (again["state"], again["operations"], again["schedule"]) == ("not_acted", 0, None)
        assert [each["what"] for each in office.history(maria)] == [
            "linked",
            "unlinked",
            "no_contact",
            "opened",
            "linked",
        ]

    def test_what_is_wrong_is_named(self, office: Office) -> None:
        maria = office.customer()
        office.agents("rui", queue="suporte")
        for agent, reason in (
            ("rui", "is not of the queue vendas, the campaign's team"),
            ("eva", "is not registered"),
        ):
            refused = office.of(maria, "PUT", body={"agent": agent})
            assert refused.body["errors"] == [{"field": "agent", "reason": reason}]
        assert office.of(maria, "PUT", body={"priority": 10}).status == 422
        assert office.of("nobody", "PUT", body={}).status == 404
        assert office.of("nobody", "DELETE").status == 404
        assert office.of(maria, "PUT", body={}, who="ana").status == 403

    def test_an_agent_gives_their_customer_to_another(self, office: Office) -> None:
        maria = office.linked("ana")
        given = office.of(maria, "POST", "/transfer", {"agent": "bia"}, who="ana")
        assert given.body["agent"] == "bia"
        refused = office.of(maria, "POST", "/transfer", {"agent": "ana"}, who="ana")
        assert refused.status == 403
        office.opened(maria, "bia")
        held = office.of(maria, "POST", "/transfer", {"agent": None}, who="bia")
        assert (held.status, held.body["held_by"]) == (409, "bia")

    def test_the_campaigns_of_a_customer_are_known(self, office: Office) -> None:
        maria = office.linked("ana")
        office.campaign("verao", name="Verão")
        route = "PUT /telemarketing/campaigns/{campaign}/customers/{customer_id}"
        office.ask(route, {}, campaign="verao", customer_id=maria)
        answer = office.ask("GET /telemarketing/customers/{customer_id}", customer_id=maria)
        found = {each["campaign_id"]: each["agent"] for each in answer.body["items"]}
        assert found == {CAMPAIGN: "ana", "verao": None}

    def test_a_concluded_customer_is_reopened_by_a_leader(self, office: Office) -> None:
        maria = office.linked("ana")
        office.do(office.opened(maria), "conclude", {"outcome": "ja_tem"})
        assert office.of(maria, "POST", "/reopen", who="ana").status == 403
        assert office.of(maria, "POST", "/reopen").body["state"] == "not_acted"
        assert office.of(maria, "POST", "/reopen").status == 409
        assert office.open(maria).status == 201


class TestSchedules:
    def test_a_schedule_is_changed_and_deleted(self, office: Office) -> None:
        maria = office.linked("ana")
        first = {"at": "2026-03-03T10:00:00-03:00"}
        assert office.of(maria, "PUT", "/schedule", first, who="ana").body["state"] == "scheduled"
        second = {"at": "2026-03-04T10:00:00", "note": "no celular", "phone": "11 98765-4321"}
        shown = office.of(maria, "PUT", "/schedule", second, who="ana").body["schedule"]
        assert (shown["at"], shown["phone"]) == ("2026-03-04T13:00:00Z", "+5511987654321")
        assert office.history(maria)[0]["changes"]["instead_of"] == "2026-03-03T13:00:00.000000Z"
        deleted = office.of(maria, "DELETE", "/schedule", who="ana").body
        assert (deleted["state"], deleted["schedule"]) == ("not_acted", None)
        assert office.of(maria, "DELETE", "/schedule", who="ana").status == 200
        assert len(office.history(maria)) == 4

    def test_who_may_not_act_does_not_schedule(self, office: Office) -> None:
        maria = office.linked("ana")
        later = {"at": "2026-03-03T10:00:00-03:00"}
        assert office.of(maria, "PUT", "/schedule", later, who="bia").status == 403
        office.opened(maria)
        held = office.of(maria, "DELETE", "/schedule", who="ana")
        assert held.status == 200, "nothing is scheduled, so nothing is held up"
        office.do(f"{CAMPAIGN}.{maria}.1", "conclude", {"outcome": "ja_tem"})
        assert office.of(maria, "PUT", "/schedule", later, who="ana").status == 409

    def test_what_is_wrong_is_named(self, office: Office) -> None:
        maria = office.linked("ana")
        for wrong, field in (
            ({}, "at"),
            ({"at": "amanhã"}, "at"),
            ({"at": "2026-03-02T09:29:00-03:00"}, "at"),
            ({"at": "2028-03-02T09:29:00-03:00"}, "at"),
            ({"at": "2026-03-03T10:00:00", "time_zone": "Marte"}, "time_zone"),
            ({"at": "2026-03-03T10:00:00", "phone": "12"}, "phone"),
        ):
            answer = office.of(maria, "PUT", "/schedule", wrong)
            assert (answer.status, answer.body["errors"][0]["field"]) == (422, field)


class TestLists:
    def test_each_customer_is_in_one_list_and_counted_there(self, office: Office) -> None:
        waits, later, sold = (office.linked("ana", name) for name in ("Ana", "Bia", "Caio"))
        office.do(office.opened(later), "no-contact", {"reason": "ocupado"})
        office.do(office.opened(sold), "conclude", {"outcome": "venda", "value": 10})
        office.deployment.work()
        assert office.listed() == [waits]
        assert office.listed(state="scheduled") == [later]
        assert office.listed(state="concluded") == [sold]
        counts = {"not_acted": 1, "scheduled": 1, "concluded": 1}
        assert office.worklist().body["counts"] == counts
        assert office.worklist(None).body["counts"] == counts
        assert set(office.worklist("bia").body["counts"].values()) == {0}

    def test_who_is_due_comes_first_then_by_priority_then_the_oldest(self, office: Office) -> None:
        late, high, urgent = (office.linked("ana", name) for name in ("A", "B", "C"))
        office.link(high, "ana", priority=8)
        for customer_id in (late, high, urgent):
            office.of(customer_id, "PUT", "/schedule", {"at": "2026-03-02T10:00:00"})
        office.of(late, "PUT", "/schedule", {"at": "2026-03-02T09:45:00"})
        tomorrow = office.linked("ana", "D")
        office.of(tomorrow, "PUT", "/schedule", {"at": "2026-03-03T10:00:00"})
        office.clock.advance(hours=1)
        office.deployment.call("KeepAppointments", {})
        listed = office.worklist(state="scheduled").body["items"]
        assert [(each["customer_id"], each["due"]) for each in listed] == [
            (high, True),
            (late, True),
            (urgent, True),
            (tomorrow, False),
        ]

    def test_pages_follow_each_other_without_gap_or_repetition(self, office: Office) -> None:
        linked = []
        for number in range(7):
            office.clock.advance(seconds=1)
            linked.append(office.linked("ana" if number % 2 else None, f"C{number}"))
        seen: list[str] = []
        query: dict[str, str] = {"limit": "3"}
        while True:
            page = office.worklist(**query).body
            seen += [each["customer_id"] for each in page["items"]]
            if page["cursor"] is None:
                break
            query["cursor"] = page["cursor"]
        assert seen == linked
        foreign = office.worklist(None, cursor=query["cursor"])
        assert (foreign.status, foreign.body["errors"][0]["field"]) == (422, "cursor")

    def test_those_concluded_last_come_first(self, office: Office) -> None:
        first, second = office.linked("ana", "A"), office.linked("ana", "B")
        for customer_id in (first, second):
            office.clock.advance(seconds=1)
            office.do(office.opened(customer_id), "conclude", {"outcome": "ja_tem"})
        assert office.listed(state="concluded") == [second, first]
        page = office.worklist(state="concluded", limit="1").body
        rest = office.listed(state="concluded", cursor=page["cursor"])
        assert rest == [first]

    def test_an_agent_sees_their_own_and_the_teams_and_a_leader_all(self, office: Office) -> None:
        own, team, other = (office.linked(agent) for agent in ("ana", None, "bia"))
        office.agents("rui", queue="suporte")
        assert set(office.listed("ana")) == {own, team}
        assert office.listed("rui") == []
        assert set(office.listed(None)) == {own, team, other}
        assert office.listed(None, agent="bia") == [other]
        assert office.worklist("ana", agent="bia").status == 403

    def test_in_a_campaign_that_does_not_run_an_agent_sees_nothing(self, office: Office) -> None:
        maria = office.linked("ana")
        office.clock.now = datetime(2026, 4, 1, 12, tzinfo=UTC)
        assert office.worklist("ana").status == 409
        assert office.listed(None) == [maria]
        assert office.ask("GET /telemarketing/worklist", query={"campaign": "nada"}).status == 404

    def test_saved_filters_take_those_who_suit_them(self, office: Office) -> None:
        near = office.linked("ana", "Ana", city="São Paulo", tags=["vip"])
        office.clock.advance(seconds=1)
        far = office.linked("ana", "Bia", city="Manaus", tags=["vip", "novo"])
        tried = office.linked("ana", "Caio", city="sao paulo")
        office.do(office.opened(tried), "no-contact", {"reason": "ocupado"})

        def saved(**criteria: Any) -> str:
            draft = {"name": "Meu filtro", "criteria": criteria}
            answer = office.ask("POST /telemarketing/filters", draft, "ana")
            assert answer.status == 201, answer.body
            filter_id: str = answer.body["filter_id"]
            return filter_id

        def listed(state: str = "not_acted", **criteria: Any) -> list[str]:
            return office.listed(state=state, filter=saved(**criteria))

        assert listed(city="SAO PAULO") == [near]
        assert listed(tag="vip") == [near, far]
        assert listed(tag="vip", city="Manaus") == [far]
        assert listed("scheduled", operations_min=1) == [tried]
        assert listed("scheduled", operations_min=2) == []
        assert listed("scheduled", last_reason="ocupado", operations_max=1) == [tried]
        assert listed("scheduled", last_outcome="ligar_depois") == []
        assert listed("scheduled", scheduled_from=0, scheduled_to=0) == [tried]
        assert listed("scheduled", scheduled_from=1) == []
        assert listed("scheduled", scheduled_to="2026-03-01") == []
        assert listed(linked_from="2026-03-02", linked_to=0) == [near, far]
        assert listed(linked_to=-1) == []
        mine = saved(tag="novo")
        assert office.worklist("bia", filter=mine).status == 404

    def test_customers_are_searched_by_what_is_known_of_them(self, office: Office) -> None:
        maria = office.linked(
            "ana", "Maria Souza", code="C-17", document="123.456.789-09", mobile="11 98765-4321"
        )
        office.linked("bia", "Maria Lima")
        office.customer("Maria Alves")
        for text in ("mári", "(11) 8765-4321", "C-17", "12345678909"):
            assert office.listed("ana", search=text) == [maria], text
        assert len(office.listed(None, search="maria")) == 2
        assert office.listed(None, search="Souza") == []
        assert office.worklist("ana", search="").status == 422

    def test_customers_who_were_deleted_are_shown_as_such(self, office: Office) -> None:
        maria = office.linked("ana")
        route = "DELETE /customers/{customer_id}"
        assert office.ask(route, if_match="*", customer_id=maria).status == 204
        (row,) = office.worklist().body["items"]
        assert (row["customer_id"], row["customer"]) == (maria, None)
        assert office.next().status == 204
        assert office.open(maria).status == 404


class TestNext:
    def test_each_agent_gets_another_customer(self, office: Office) -> None:
        first = office.linked(None, "A")
        office.clock.advance(seconds=1)
        second = office.linked(None, "B")
        assert office.next("ana").body["customer_id"] == first
        assert office.next("ana").body["customer_id"] == first, "asked again, it is the same"
        assert office.next("bia").body["customer_id"] == second
        office.agents("eva")
        assert office.next("eva").status == 204
        held = office.open(first, "bia")
        assert (held.status, held.body["held_by"]) == (409, "ana")
        assert office.open(first, "ana").status == 201

    def test_who_was_handed_out_and_not_opened_is_handed_out_again(self, office: Office) -> None:
        maria = office.linked(None)
        office.next("ana")
        office.clock.advance(minutes=4)
        assert office.next("bia").status == 204
        office.clock.advance(minutes=2)
        assert office.next("bia").body["customer_id"] == maria

    def test_who_is_due_is_handed_out_first_and_who_is_not_due_never(self, office: Office) -> None:
        waits, scheduled = office.linked("ana", "A"), office.linked(None, "B")
        office.of(scheduled, "PUT", "/schedule", {"at": "2026-03-02T10:00:00"})
        assert office.next().body["customer_id"] == waits
        office.clock.advance(hours=1)
        office.deployment.call("KeepAppointments", {})
        assert office.next().body["customer_id"] == scheduled
        office.do(office.opened(scheduled), "conclude", {"outcome": "ja_tem"})
        assert office.next().body["customer_id"] == waits

    def test_an_operation_that_was_left_is_taken_over(self, office: Office) -> None:
        maria = office.linked(None)
        left = office.opened(maria, "ana")
        office.clock.advance(minutes=31)
        assert office.next("bia").body["customer_id"] == maria
        lost = office.save(left, {"conversation": "voltei"})
        assert (lost.status, lost.body["held_by"]) == (409, "bia")
        office.opened(maria, "bia")
        assert office.shown(left)["operation"]["stage"] == "released"

    def test_a_due_customer_of_an_agent_who_is_away_is_the_teams(self, office: Office) -> None:
        maria = office.linked("ana")
        due(office, maria, "2026-03-02T13:00:00+00:00")
        shown = office.of(maria).body
        assert (shown["agent"], shown["schedule"]["to_team"]) == ("ana", True)
        assert office.listed("bia", state="scheduled") == [maria]
        assert office.listed("ana", state="scheduled") == [maria]
        assert office.next("bia").body["customer_id"] == maria
        operation = office.opened(maria, "bia")
        office.do(operation, "no-contact", {"reason": "ocupado"}, "bia")
        shown = office.of(maria).body
        assert (shown["agent"], shown["last_agent"], shown["schedule"]["to_team"]) == (
            "ana",
            "bia",
            False,
        )
