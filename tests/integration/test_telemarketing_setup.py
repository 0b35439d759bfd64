"""Telemarketing set up through the API, and what history uses of it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from retorno.dynamodb import RefusedTogether, write_together
from retorno.errors import Conflict, InvalidInput, NotFound
from retorno.telemarketing.setup.model import Entry
from retorno.telemarketing.setup.service import Filters, Setup
from retorno.telemarketing.setup.store import MAX_FILTERS, MAX_LISTED, SetupStore
from tests.support.clock import StoppedClock
from tests.support.deployment import Deployment
from tests.support.events import Answer, Claims, http, user
from tests.support.functions import function_of
from tests.support.requests import counted
from tests.support.telemarketing import OF_CUSTOMER
from tests.support.telemarketing import Office as Team

LEADER = user("[supervisor]", "leo")
ANA = user("[agent]", "ana")
BIA = user("[agent]", "bia")
CAMPAIGN = {
    "name": "Planos de verão",
    "begins_on": "2026-03-01",
    "ends_on": "2026-03-31",
    "queue": "vendas",
}
VISIT = {"name": "Visita técnica", "script": "Olá, {customer.first_name}!"}
OUTCOME = {"name": "Quer visita", "flags": ["contact"]}
REASON = {"name": "Em reunião", "retry_minutes": 90}
# One of each kind: where it stands, and what it may be.
KINDS = [
    ("campaigns/verao", CAMPAIGN),
    ("action-types/visita", VISIT),
    ("outcomes/quer_visita", OUTCOME),
    ("no-contact-reasons/em_reuniao", REASON),
]
PARAMETERS = {"campaigns": "campaign", "filters": "filter_id"}


class Office:
    """The set-up as it is asked for over HTTP, and as other services see it."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.store = SetupStore("telemarketing-setup")
        self.setup = Setup(self.store)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        claims: Claims = LEADER,
        if_match: str | None = None,
        **query: str,
    ) -> Answer:
        """ "GET", "outcomes/venda" """
        kind, *rest = path.split("/")
        pattern = f"/telemarketing/{kind}"
        if rest:
            pattern = "/".join([pattern, f"{{{PARAMETERS.get(kind, 'code')}}}", *rest[1:]])
        route = f"{method} {pattern}"
        event = http(
            route,
            path=f"/telemarketing/{path}",
            query=query,
            headers={"if-match": if_match} if if_match else {},
            body=None if body is None else json.dumps(body).encode(),
            claims=claims,
        )
        return self.deployment.ask(function_of(route), event)

    def put(self, path: str, body: Any, if_match: str | None = None) -> Answer:
        return self.ask("PUT", path, body, if_match=if_match)

    def add(self, path: str, body: Any) -> dict[str, Any]:
        answer = self.put(path, body)
        assert answer.status == 201, answer.body
        added: dict[str, Any] = answer.body
        return added

    def shown(self, path: str) -> dict[str, Any]:
        body: dict[str, Any] = self.ask("GET", path).body
        return body

    def entry(self, path: str) -> Entry:
        kind, key = path.split("/")
        look: dict[str, Any] = {
            "campaigns": self.setup.campaign,
            "action-types": self.setup.action_type,
            "outcomes": self.setup.outcome,
            "no-contact-reasons": self.setup.reason,
        }
        entry: Entry = look[kind](key)
        return entry

    def use(self, *entries: Entry) -> None:
        """As a service does that writes history."""
        if writes := self.setup.marking(*entries):
            write_together(writes)

    def pages(self, path: str, claims: Claims, **query: str) -> Iterator[dict[str, Any]]:
        """All items of a list, page after page."""
        while True:
            page = self.ask("GET", path, claims=claims, **query).body
            yield from page["items"]
            if page["cursor"] is None:
                return
            query["cursor"] = page["cursor"]

    def campaigns(self, claims: Claims = LEADER, **query: str) -> list[str]:
        return [each["campaign_id"] for each in self.pages("campaigns", claims, **query)]


@pytest.fixture
def office(deployment: Deployment) -> Office:
    return Office(deployment)


@pytest.mark.parametrize(("path", "draft"), KINDS)
class TestEachKind:
    def test_is_shown_as_it_was_written(
        self, office: Office, path: str, draft: dict[str, Any]
    ) -> None:
        added = office.put(path, draft)
        assert (added.status, added.headers["ETag"]) == (201, '"1"')
        assert added.body.items() >= {**draft, "version": 1, "used": False}.items()
        shown = office.ask("GET", path, claims=ANA)
        assert (shown.status, shown.headers["ETag"], shown.body) == (200, '"1"', added.body)
        listed = office.shown(path.split("/", maxsplit=1)[0])["items"]
        assert added.body in listed

    def test_is_changed_by_who_saw_it_last(
        self, office: Office, path: str, draft: dict[str, Any]
    ) -> None:
        office.add(path, draft)
        changed = {**draft, "name": "Outro nome"}
        assert office.put(path, changed).status == 428
        for seen in ('"2"', '"0"', "W/1", '""'):
            assert office.put(path, changed, seen).status == 412
        written = office.put(path, changed, '"1"')
        assert (written.status, written.headers["ETag"]) == (200, '"2"')
        assert office.put(path, changed, '"1"').status == 412
        assert office.put(path, draft, "*").body["version"] == 3
        # What is shown can be sent back.
        assert office.put(path, office.shown(path), '"3"').body["name"] == draft["name"]

    def test_that_is_not_there_is_neither_shown_nor_changed(
        self, office: Office, path: str, draft: dict[str, Any]
    ) -> None:
        assert office.ask("GET", path).status == 404
        assert office.put(path, draft, '"1"').status == 404
        assert office.ask("DELETE", path, if_match="*").status == 404

    def test_that_nobody_used_is_deleted(
        self, office: Office, path: str, draft: dict[str, Any]
    ) -> None:
        office.add(path, draft)
        assert office.ask("DELETE", path).status == 428
        assert office.ask("DELETE", path, if_match='"2"').status == 412
        assert office.ask("DELETE", path, if_match='"1"').status == 204
        assert office.ask("GET", path).status == 404
        office.add(path, draft)

    def test_that_history_uses_is_retired(
        self, office: Office, path: str, draft: dict[str, Any]
    ) -> None:
        office.add(path, draft)
        office.use(office.entry(path))
        assert office.shown(path).items() >= {"used": True, "version": 1}.items()
        for _ in range(2):
            assert office.ask("DELETE", path, if_match="*").status == 204
        retired = office.shown(path)
        assert (retired["retired"], retired["used"], retired["version"]) == (True, True, 2)
        back = office.put(path, draft, '"2"').body
        assert (back["retired"], back["used"]) == (False, True)

    def test_that_was_deleted_cannot_be_used_any_more(
        self, office: Office, path: str, draft: dict[str, Any]
    ) -> None:
        office.add(path, draft)
        seen = office.entry(path)
        assert office.ask("DELETE", path, if_match="*").status == 204
        with pytest.raises(RefusedTogether):
            office.use(seen)
        with pytest.raises(NotFound):
            office.entry(path)

    def test_that_is_used_while_it_is_deleted_is_retired(
        self, office: Office, path: str, draft: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        office.add(path, draft)
        seen = office.entry(path)
        delete, interrupted = SetupStore.delete, []

        def used_just_before(store: SetupStore, entry: Entry) -> None:
            interrupted.append(entry)
            office.use(seen)
            delete(store, entry)

        monkeypatch.setattr(SetupStore, "delete", used_just_before)
        assert office.ask("DELETE", path, if_match='"1"').status == 204
        assert len(interrupted) == 1
        assert office.shown(path)["retired"]

    def test_is_marked_once_and_by_a_change_not_unmarked(
        self, office: Office, path: str, draft: dict[str, Any]
    ) -> None:
        office.add(path, draft)
        unmarked = office.entry(path)
        office.use(unmarked, unmarked)
        marked = office.entry(path)
        assert office.setup.marking(marked) == []
        # As who read it before it was marked writes it.
        office.store.save(unmarked.changed(unmarked))
        assert office.entry(path).used

    def test_agents_do_not_write(self, office: Office, path: str, draft: dict[str, Any]) -> None:
        assert office.ask("PUT", path, draft, claims=ANA).status == 403
        assert office.ask("DELETE", path, claims=ANA, if_match="*").status == 403

    def test_its_code_stands_in_an_address(
        self, office: Office, path: str, draft: dict[str, Any]
    ) -> None:
        kind = path.split("/", maxsplit=1)[0]
        for key in ("Verao", "-verao", "v" * 61, "ver%20ao", "verão"):
            assert office.put(f"{kind}/{key}", draft).status == 422, key

    def test_a_table_that_does_not_answer_is_said(
        self, office: Office, path: str, draft: dict[str, Any]
    ) -> None:
        office.deployment.lose_table("telemarketing-setup")
        assert office.ask("GET", path).status == 503
        assert office.put(path, draft).status == 503


class TestCampaigns:
    @pytest.mark.parametrize(
        ("fields", "named"),
        [
            ({"ends_on": "2026-02-28"}, "ends_on"),
            ({"queue": " "}, "queue"),
            ({"caller_id": "4007"}, "caller_id"),
            ({"goal_value": "1.001"}, "goal_value"),
            ({"action_types": ["oferta", "nunca"]}, "action_types"),
        ],
    )
    def test_what_is_wrong_is_named(
        self, office: Office, fields: dict[str, Any], named: str
    ) -> None:
        there = office.add("campaigns/outono", CAMPAIGN)
        for path, if_match in (("campaigns/verao", None), ("campaigns/outono", "*")):
            refused = office.put(path, CAMPAIGN | fields, if_match)
            assert (refused.status, refused.body["errors"][0]["field"]) == (422, named)
        assert office.shown("campaigns")["items"] == [there]

    def test_goals_and_all_else_are_kept(self, office: Office) -> None:
        whole = CAMPAIGN | {
            "goal_contacts": 1000,
            "goal_sales": 120,
            "goal_value": "36000.50",
            "purpose": "collection",
            "dialling": True,
            "caller_id": "+551131321000",
            "action_types": ["oferta", "cadastro"],
            "active": False,
        }
        office.add("campaigns/verao", whole)
        assert office.shown("campaigns/verao").items() >= whole.items()

    def test_leaders_see_all_or_those_that_run(self, office: Office) -> None:
        others: dict[str, dict[str, Any]] = {
            "amanha": {"begins_on": "2026-03-03"},
            "acabou": {"begins_on": "2026-02-01", "ends_on": "2026-03-01"},
            "parada": {"active": False},
            "retirada": {"retired": True},
            "ultimo-dia": {"ends_on": "2026-03-02"},
            "longa": {"ends_on": "2027-12-31"},
        }
        for key, fields in {"verao": {}, **others}.items():
            office.add(f"campaigns/{key}", CAMPAIGN | fields)
        assert office.campaigns() == sorted(["verao", *others])
        running = ["ultimo-dia", "verao", "longa"]
        for limit in ("1", "2", "50"):
            assert office.campaigns(limit=limit) == sorted(["verao", *others])
            assert office.campaigns(running="true", limit=limit) == running
        assert office.campaigns(ANA, running="false") == []

    def test_the_day_is_that_of_the_stack(self, office: Office, clock: StoppedClock) -> None:
        office.add("campaigns/verao", CAMPAIGN)
        # 23:59 of the 31st in São Paulo, and a minute later.
        clock.now = datetime(2026, 4, 1, 2, 59, tzinfo=UTC)
        assert office.campaigns(running="true") == ["verao"]
        clock.advance(minutes=1)
        assert office.campaigns(running="true") == []

    def test_agents_see_those_in_which_they_or_their_team_have_customers(
        self, office: Office, clock: StoppedClock
    ) -> None:
        for key, queue in {
            "abril": "vendas",
            "junho": "vendas",
            "maio": "cobranca",
            "natal": "vendas",
        }.items():
            office.add(f"campaigns/{key}", CAMPAIGN | {"queue": queue})
        team = Team(office.deployment, clock)
        team.agents("ana", "caio")
        team.agents("bia", queue="cobranca")
        customer = team.customer()

        def linked(**links: str | None) -> dict[str, list[str]]:
            """What each agent sees, once customers are linked to agents, or unlinked."""
            for campaign, agent in links.items():
                method, wish = ("DELETE", None) if agent == "" else ("PUT", {"agent": agent})
                answer = team.ask(
                    f"{method} {OF_CUSTOMER}", wish, campaign=campaign, customer_id=customer
                )
                assert answer.status < 300
            office.deployment.work()
            return {
                agent: office.campaigns(user("[agent]", agent), limit="2")
                for agent in ("ana", "bia", "caio", "nobody")
            }

        nothing: dict[str, list[str]] = {"ana": [], "bia": [], "caio": [], "nobody": []}
        assert linked() == nothing
        assert linked(junho="ana", maio="bia") == nothing | {"ana": ["junho"], "bia": ["maio"]}
        # Whoever is in the team may contact a customer who is nobody's.
        assert linked(abril=None, maio=None) == nothing | {
            "ana": ["abril", "junho"],
            "bia": ["maio"],
            "caio": ["abril"],
        }
        assert linked(abril="", junho="", maio="") == nothing
        assert office.campaigns(running="true") == ["abril", "junho", "maio", "natal"]

    def test_a_cursor_is_of_its_own_list_and_day(self, office: Office, clock: StoppedClock) -> None:
        for key in ("abril", "maio"):
            office.add(f"campaigns/{key}", CAMPAIGN)
        of_all = office.ask("GET", "campaigns", limit="1").body["cursor"]
        assert office.ask("GET", "campaigns", running="true", cursor=of_all).status == 422
        of_today = office.ask("GET", "campaigns", running="true", limit="1").body["cursor"]
        assert office.ask("GET", "campaigns", running="true", cursor=of_today).status == 200
        assert office.ask("GET", "campaigns", cursor=of_today).status == 422
        clock.advance(days=1)
        assert office.ask("GET", "campaigns", running="true", cursor=of_today).status == 422

    def test_all_are_read_one_after_the_other(self, office: Office) -> None:
        for key in ("maio", "abril"):
            office.add(f"campaigns/{key}", CAMPAIGN)
        assert [campaign.campaign_id for campaign in office.setup.campaigns()] == ["abril", "maio"]

    def test_to_run_it_has_to_run_today(self, office: Office) -> None:
        office.add("campaigns/verao", CAMPAIGN)
        campaign = office.setup.campaign("verao")
        assert office.setup.to_run("verao", campaign.ends_on) == campaign
        office.put("campaigns/verao", CAMPAIGN | {"active": False}, "*")
        with pytest.raises(Conflict):
            office.setup.to_run("verao", campaign.ends_on)
        with pytest.raises(NotFound):
            office.setup.to_run("outono", campaign.ends_on)

    def test_an_action_type_that_a_campaign_names_is_used(self, office: Office) -> None:
        office.add("action-types/visita", VISIT)
        office.add("campaigns/verao", CAMPAIGN | {"action_types": ["visita", "visita", "oferta"]})
        assert office.ask("DELETE", "action-types/visita", if_match="*").status == 204
        assert office.shown("action-types/visita")["retired"]
        # The campaign can still be changed.
        assert office.put("campaigns/verao", office.shown("campaigns/verao"), "*").status == 200

    @pytest.mark.parametrize("if_match", [None, "*"])
    def test_an_action_type_that_is_deleted_meanwhile_is_named(
        self, office: Office, monkeypatch: pytest.MonkeyPatch, if_match: str | None
    ) -> None:
        office.add("action-types/visita", VISIT)
        if if_match:
            office.add("campaigns/verao", CAMPAIGN)
        save = SetupStore.save

        def deleted_just_before(store: SetupStore, entry: Entry, others: Any = ()) -> None:
            monkeypatch.setattr(SetupStore, "save", save)
            assert office.ask("DELETE", "action-types/visita", if_match="*").status == 204
            save(store, entry, others)

        monkeypatch.setattr(SetupStore, "save", deleted_just_before)
        refused = office.put("campaigns/verao", CAMPAIGN | {"action_types": ["visita"]}, if_match)
        assert (refused.status, refused.body["errors"][0]["field"]) == (422, "action_types")


class TestActionTypes:
    def texts(self, office: Office, code: str, limit: int = 50) -> list[tuple[int, str]]:
        """Versions and scripts, page after page."""
        pages = office.pages(f"action-types/{code}/scripts", ANA, limit=str(limit))
        return [(each["version"], each["script"]) for each in pages]

    def test_another_script_is_another_version(self, office: Office, clock: StoppedClock) -> None:
        office.add("action-types/visita", VISIT)
        office.put("action-types/visita", {**VISIT, "name": "Visita"}, "*")
        clock.advance(days=1)
        for script in ("Bom dia!", None, "Boa tarde!"):
            changed = office.put("action-types/visita", {"name": "Visita", "script": script}, "*")
        assert changed.body.items() >= {"script_version": 4, "version": 5}.items()
        assert (changed.body["script_by"], changed.body["script_since"]) == (
            "leo",
            "2026-03-03T12:00:00Z",
        )
        versions = [(4, "Boa tarde!"), (3, None), (2, "Bom dia!"), (1, VISIT["script"])]
        for limit in (1, 2, 4, 50):
            assert self.texts(office, "visita", limit) == versions
        first = office.setup.script("visita", 1)
        assert (first.script, first.by, first.since) == (
            VISIT["script"],
            "leo",
            datetime(2026, 3, 2, 12, tzinfo=UTC),
        )
        assert office.setup.script("visita", 4).script == "Boa tarde!"
        with pytest.raises(NotFound):
            office.setup.script("visita", 5)

    def test_the_first_script_of_a_usual_one_is_kept(self, office: Office) -> None:
        usual = office.shown("action-types/oferta")
        assert self.texts(office, "oferta") == [(1, usual["script"])]
        assert office.setup.script("oferta", 1).script == usual["script"]
        office.put("action-types/oferta", VISIT, '"1"')
        assert self.texts(office, "oferta", 1) == [(2, VISIT["script"]), (1, usual["script"])]
        assert office.setup.script("oferta", 1).by is None

    def test_versions_of_a_code_never_come_twice(self, office: Office) -> None:
        office.add("action-types/visita", VISIT)
        office.put("action-types/visita", {**VISIT, "script": "Bom dia!"}, "*")
        assert office.ask("DELETE", "action-types/visita", if_match="*").status == 204
        assert office.ask("GET", "action-types/visita/scripts").status == 404
        assert office.add("action-types/visita", VISIT)["script_version"] == 3

    def test_a_script_with_an_unknown_placeholder_is_refused(self, office: Office) -> None:
        refused = office.put("action-types/visita", {**VISIT, "script": "Olá, {cliente}!"})
        (error,) = refused.body["errors"]
        assert (refused.status, error["field"]) == (422, "script")
        assert "{cliente}" in error["reason"]
        assert "{customer.first_name}" in error["reason"]

    def test_pages_are_bounded(self, office: Office) -> None:
        path = "action-types/oferta/scripts"
        assert office.ask("GET", path, limit="51").status == 422
        assert office.ask("GET", path, cursor="x").status == 422


class TestLists:
    @pytest.mark.parametrize(
        ("kind", "some"),
        [
            ("action-types", ["Atualização de cadastro", "Oferta por telefone", "Pós-venda"]),
            ("outcomes", ["Em negociação", "Fora do perfil", "Já comprou ou já tem"]),
            ("no-contact-reasons", ["A ligação caiu", "A pessoa não estava", "Caixa postal"]),
        ],
    )
    def test_a_new_deployment_has_the_usual_ones(
        self, office: Office, kind: str, some: list[str]
    ) -> None:
        items = office.ask("GET", kind, claims=ANA).body["items"]
        assert [item["name"] for item in items][:3] == some
        assert all(item["used"] and not item["retired"] for item in items)

    def test_usual_ones_are_changed_and_retired_but_never_deleted(self, office: Office) -> None:
        path = "outcomes/em_negociacao"
        assert office.put(path, OUTCOME).status == 428
        changed = office.put(path, OUTCOME, '"1"')
        assert (changed.status, changed.body["version"]) == (200, 2)
        assert office.put(path, OUTCOME, '"1"').status == 412
        assert office.ask("DELETE", path, if_match='"2"').status == 204
        items = office.shown("outcomes")["items"]
        (retired,) = (item for item in items if item["code"] == "em_negociacao")
        assert (retired["name"], retired["retired"]) == (OUTCOME["name"], True)
        # One that nobody changed is in no table; nothing has to be marked.
        assert office.ask("DELETE", "outcomes/venda", if_match='"1"').status == 204
        assert office.shown("outcomes/venda").items() >= {"version": 2, "retired": True}.items()
        assert office.setup.marking(office.setup.reason("ocupado")) == []

    def test_what_is_given_is_on_the_list_and_not_retired(self, office: Office) -> None:
        setup = office.setup
        giving = {
            "action_type": (setup.to_give_action_type, "action-types/oferta"),
            "outcome": (setup.to_give_outcome, "outcomes/venda"),
            "reason": (setup.to_give_reason, "no-contact-reasons/ocupado"),
        }
        for field, (give, path) in giving.items():
            code = path.split("/")[1]
            assert give(code) == office.entry(path)
            office.ask("DELETE", path, if_match="*")
            for refused in (code, "nunca"):
                with pytest.raises(InvalidInput) as error:
                    give(refused)
                assert error.value.field == field

    @pytest.mark.parametrize(
        ("path", "draft", "named"),
        [
            ("outcomes/x", {"name": "X", "flags": ["sale"]}, "flags"),
            ("outcomes/x", {"flags": []}, "name"),
            ("no-contact-reasons/x", {"name": "X"}, "retry_minutes"),
            ("no-contact-reasons/x", {"name": "X", "retry_minutes": 0}, "retry_minutes"),
            ("no-contact-reasons/x", [], "body"),
        ],
    )
    def test_what_is_wrong_is_named(
        self, office: Office, path: str, draft: Any, named: str
    ) -> None:
        refused = office.put(path, draft)
        assert (refused.status, refused.body["errors"][0]["field"]) == (422, named)

    def test_a_list_has_an_end(self, office: Office) -> None:
        path = "no-contact-reasons"
        left = MAX_LISTED - len(office.shown(path)["items"])
        reason = office.setup.reason("ocupado")
        for number in range(left):
            office.store.save(reason.model_copy(update={"code": f"r{number}"}))
        assert len(office.shown(path)["items"]) == MAX_LISTED
        assert office.put(f"{path}/mais_um", REASON).status == 409
        assert office.put(f"{path}/r0", REASON, "*").status == 200


WEEK = {"name": "Esta semana", "criteria": {"scheduled_from": 0, "scheduled_to": 7}}


class TestFilters:
    def save(self, office: Office, claims: Claims = ANA, **fields: Any) -> str:
        answer = office.ask("POST", "filters", WEEK | fields, claims)
        assert answer.status == 201, answer.body
        assert answer.headers["Location"] == f"/telemarketing/filters/{answer.body['filter_id']}"
        filter_id: str = answer.body["filter_id"]
        return filter_id

    def names(self, office: Office, claims: Claims) -> list[str]:
        items = office.ask("GET", "filters", claims=claims).body["items"]
        return [item["name"] for item in items]

    def test_is_shown_as_it_was_saved(self, office: Office) -> None:
        criteria = {
            "city": "Campinas",
            "tag": "vip",
            "last_outcome": "em_negociacao",
            "last_reason": "ocupado",
            "operations_min": 1,
            "operations_max": 4,
            "scheduled_from": -1,
            "scheduled_to": "2026-03-31",
            "linked_from": "2026-03-01",
            "linked_to": 0,
            "agent": "ana",
        }
        path = f"filters/{self.save(office, name='Quase', criteria=criteria)}"
        shown = office.ask("GET", path, claims=ANA)
        assert (shown.status, shown.headers["ETag"]) == (200, '"1"')
        assert shown.body == {
            "filter_id": path.split("/")[1],
            "name": "Quase",
            "owner": "ana",
            "shared": False,
            "criteria": criteria,
            "version": 1,
        }

    def test_own_ones_and_the_shared_are_seen_by_name(self, office: Office) -> None:
        self.save(office, name="à tarde")
        self.save(office, name="Zona sul")
        self.save(office, BIA, name="De Bia")
        self.save(office, LEADER, name="De todos", shared=True)
        self.save(office, LEADER, name="Do chefe")
        assert self.names(office, ANA) == ["à tarde", "De todos", "Zona sul"]
        assert self.names(office, BIA) == ["De Bia", "De todos"]
        assert self.names(office, LEADER) == ["De todos", "Do chefe"]

    def test_anothers_own_is_nobody_elses(self, office: Office) -> None:
        path = f"filters/{self.save(office)}"
        for claims in (BIA, LEADER):
            for if_match in ('"1"', '"9"', "*"):
                assert office.ask("GET", path, claims=claims).status == 404
                assert office.ask("PUT", path, WEEK, claims, if_match).status == 404
                assert office.ask("DELETE", path, None, claims, if_match).status == 404
        assert office.ask("GET", path, claims=ANA).body["version"] == 1

    def test_agents_use_shared_ones_and_leaders_write_them(self, office: Office) -> None:
        path = f"filters/{self.save(office, LEADER, shared=True)}"
        assert office.ask("GET", path, claims=ANA).status == 200
        for draft in (WEEK, WEEK | {"shared": True}):
            assert office.ask("PUT", path, draft, ANA, "*").status == 403
        assert office.ask("DELETE", path, None, ANA, "*").status == 403
        admin = user("[admin]", "davi")
        assert office.ask("PUT", path, WEEK | {"shared": True}, admin, '"1"').status == 200
        assert office.ask("DELETE", path, None, admin, '"2"').status == 204
        assert office.ask("GET", path).status == 404

    def test_agents_share_nothing(self, office: Office) -> None:
        shared = WEEK | {"shared": True}
        assert office.ask("POST", "filters", shared, ANA).status == 403
        path = f"filters/{self.save(office)}"
        assert office.ask("PUT", path, shared, ANA, "*").status == 403
        assert self.names(office, BIA) == []

    def test_a_leader_shares_theirs_and_takes_it_back(self, office: Office) -> None:
        path = f"filters/{self.save(office, LEADER)}"
        assert self.names(office, ANA) == []
        assert office.ask("PUT", path, WEEK | {"shared": True}, LEADER, '"1"').status == 200
        assert self.names(office, ANA) == ["Esta semana"]
        admin = user("[admin]", "davi")
        back = office.ask("PUT", path, WEEK, admin, '"2"')
        assert (back.status, back.body["owner"]) == (200, "leo")
        assert self.names(office, ANA) == self.names(office, admin) == []
        assert self.names(office, LEADER) == ["Esta semana"]

    def test_is_changed_by_who_saw_it_last(self, office: Office) -> None:
        path = f"filters/{self.save(office)}"
        assert office.ask("PUT", path, WEEK, ANA).status == 428
        assert office.ask("PUT", path, WEEK, ANA, '"2"').status == 412
        assert office.ask("PUT", path, WEEK | {"name": "Já"}, ANA, '"1"').body["version"] == 2
        assert office.ask("DELETE", path, None, ANA, '"1"').status == 412
        assert office.ask("DELETE", path, None, ANA, '"2"').status == 204
        assert self.names(office, ANA) == []

    @pytest.mark.parametrize(
        ("criteria", "named"),
        [
            ({"last_outcome": "nunca"}, "criteria.last_outcome"),
            ({"last_reason": "venda"}, "criteria.last_reason"),
            ({"scheduled_from": "hoje"}, "criteria.scheduled_from"),
            ({"scheduled_from": 400}, "criteria.scheduled_from"),
            ({"operations_min": -1}, "criteria.operations_min"),
            ({"operations_min": 3, "operations_max": 2}, "criteria"),
            (None, "criteria"),
        ],
    )
    def test_what_is_wrong_is_named(self, office: Office, criteria: Any, named: str) -> None:
        path = f"filters/{self.save(office)}"
        draft = WEEK | {"criteria": criteria}
        for refused in (
            office.ask("POST", "filters", draft, ANA),
            office.ask("PUT", path, draft, ANA, "*"),
        ):
            assert (refused.status, refused.body["errors"][0]["field"]) == (422, named)

    def test_a_user_has_so_many_and_no_more(self, office: Office) -> None:
        saved = Filters(office.store).one(self.save(office, LEADER, shared=True), "leo")
        for number in range(MAX_FILTERS - 1):
            office.store.save(saved.model_copy(update={"filter_id": str(number)}))
        assert office.ask("POST", "filters", WEEK | {"shared": True}).status == 409
        own = f"filters/{self.save(office, LEADER)}"
        assert office.ask("PUT", own, WEEK | {"shared": True}, if_match="*").status == 409
        changed = {**WEEK, "shared": True, "name": "Outro"}
        assert office.ask("PUT", "filters/0", changed, if_match="*").status == 200


class TestCosts:
    def test_what_others_ask_is_one_request(self, office: Office) -> None:
        office.add("campaigns/verao", CAMPAIGN)
        campaign = office.setup.campaign("verao")
        with counted() as requests:
            office.setup.to_run("verao", campaign.begins_on)
            office.setup.to_give_outcome("venda")
            office.setup.marking(campaign)
            office.setup.running(campaign.begins_on, 50, None)
            office.setup.outcomes()
        assert requests == ["GetItem", "GetItem", "Query", "Query"]

    def test_a_change_is_a_look_and_a_transaction(self, office: Office) -> None:
        office.add("outcomes/quer_visita", OUTCOME)
        with counted() as requests:
            office.put("outcomes/quer_visita", OUTCOME, '"1"')
        assert requests == ["GetItem", "TransactWriteItems"]
