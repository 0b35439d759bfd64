"""Telemarketing set up over HTTP; and by many at once, where DynamoDB is atomic."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from local import cloud
from local.stack import Stack
from retorno import clock
from retorno.dynamodb import RefusedTogether, write_together
from retorno.errors import RetornoError
from retorno.phone import NumberPlan
from retorno.telemarketing.setup.model import (
    ActionType,
    ActionTypeDraft,
    NoContactReason,
    ScriptVersion,
)
from retorno.telemarketing.setup.service import SettingUp, Setup
from retorno.telemarketing.setup.store import SetupStore
from tests.support.api import Api, eventually
from tests.support.tables import create_table

THREADS = 12
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def at_once(*jobs: Callable[[], object]) -> int:
    """How many of them were not refused."""

    def attempt(job: Callable[[], object]) -> bool:
        try:
            job()
        except (RetornoError, RefusedTogether):
            return False
        return True

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(attempt, jobs))


@pytest.fixture
def store(dynamodb: Any, request: pytest.FixtureRequest) -> SetupStore:
    name = request.node.name.replace("[", "-").strip("]")
    return SetupStore(create_table("SetupTable", name, dynamodb))


@pytest.mark.parametrize("seed", range(3))
def test_history_names_nothing_that_was_deleted(store: SetupStore, seed: int) -> None:
    """Many give a reason while others delete it: what stands in history is there, and retired."""
    setup, setting_up = Setup(store), SettingUp(store, NumberPlan())
    random = Random(seed)
    # Any item will do for one of history.
    history = ScriptVersion(version=1, script=None, since=None, by=None)

    def giving(code: str, entry: str) -> Callable[[], object]:
        def give() -> None:
            marking = setup.marking(setup.reason(code))
            write_together([store.keeping(entry, history), *marking])

        return give

    for number in range(15):
        code = f"r{number}"
        setting_up.add(NoContactReason(code=code, name="Ocupado", retry_minutes=5))
        entries = [f"history-{code}-{index}" for index in range(random.randrange(1, 6))]
        jobs: list[Callable[[], object]] = [giving(code, entry) for entry in entries]
        jobs += [partial(setting_up.remove, NoContactReason, code, None)] * 2
        random.shuffle(jobs)
        at_once(*jobs)
        found = store.get(NoContactReason, code)
        assert (found is not None) == any(store.script(entry, 1) for entry in entries)
        assert found is None or (found.used and found.retired)


def test_scripts_written_at_once_are_all_kept(store: SetupStore) -> None:
    setting_up = SettingUp(store, NumberPlan())
    setting_up.add_action_type("visita", ActionTypeDraft(name="Visita"), "leo", NOW)

    def writing(script: str, expected: int | None) -> Callable[[], object]:
        draft = ActionTypeDraft(name="Visita", script=script)
        return lambda: setting_up.change_action_type("visita", draft, expected, "leo", NOW)

    # Of those who saw the same version one wins; of those who take any all do.
    assert at_once(*(writing(f"Olá {number}", 1) for number in range(8))) == 1
    assert at_once(*(writing(f"Oi {number}", None) for number in range(6))) == 6
    found = store.get(ActionType, "visita")
    scripts = store.scripts("visita", 50).scripts
    assert found
    assert (found.version, found.script_version, found.current_script) == (8, 8, scripts[0])
    assert [script.version for script in scripts] == list(range(8, 0, -1))
    assert {script.script for script in scripts} >= {f"Oi {number}" for number in range(6)}


def test_an_operation_is_set_up_over_http(api: Api) -> None:
    today = clock.now().astimezone(ZoneInfo("America/Sao_Paulo")).date()
    base = "/telemarketing"
    visit = {"name": "Visita", "script": "Olá, {customer.first_name}, aqui é {agent.name}!"}
    assert api.put(f"{base}/action-types/visita-http", visit).status == 201
    again = {**visit, "script": "Bom dia, {customer.name}!"}
    changed = api.send("PUT", f"{base}/action-types/visita-http", again, if_match='"1"')
    assert (changed.status, changed.headers["ETag"]) == (200, '"2"')
    scripts = api.pages(f"{base}/action-types/visita-http/scripts", limit="1")
    assert [each["script"] for each in scripts] == [again["script"], visit["script"]]
    unknown = api.put(f"{base}/action-types/outra-http", {**visit, "script": "Olá, {nome}!"})
    assert (unknown.status, unknown.content_type) == (422, "application/problem+json")

    campaign = {
        "name": "Planos",
        "begins_on": today.isoformat(),
        "ends_on": (today + timedelta(days=30)).isoformat(),
        "queue": "vendas-http",
        "goal_value": "36000.00",
        "action_types": ["visita-http"],
    }
    assert api.put(f"{base}/campaigns/planos-http", campaign).status == 201
    over = campaign | {"begins_on": "2026-01-01", "ends_on": "2026-01-31"}
    assert api.put(f"{base}/campaigns/acabou-http", over).status == 201
    own = {"planos-http", "acabou-http"}
    all_of_them = {each["campaign_id"] for each in api.pages(f"{base}/campaigns", limit="1")}
    assert own <= all_of_them
    running = {each["campaign_id"] for each in api.pages(f"{base}/campaigns", running="true")}
    assert own & running == {"planos-http"}

    for path in ("action-types/visita-http", "campaigns/planos-http"):
        assert api.send("DELETE", f"{base}/{path}", role="agent", if_match="*").status == 403
        assert api.send("DELETE", f"{base}/{path}", if_match="*").status == 204
    # A campaign named the one; nobody was ever linked to the other.
    assert api.get(f"{base}/action-types/visita-http").body["retired"]
    assert api.get(f"{base}/campaigns/planos-http").status == 404


def test_an_agent_sees_where_there_are_customers(api: Api, stack: Stack) -> None:
    base = "/telemarketing/campaigns"
    (token,) = cloud.sign_in_agents(stack, ["tina"]).values()
    tina = Api(replace(stack, tokens=dict.fromkeys(stack.tokens, token)))
    registered = {"name": "Tina Prado", "queues": ["fila-tina"]}
    assert api.put("/agents/tina", registered).status == 201
    campaign = {"name": "Natal", "begins_on": "2026-01-01", "ends_on": "2099-12-31"}
    for campaign_id in ("tina-1", "tina-2"):
        draft = campaign | {"queue": "fila-tina"}
        assert api.put(f"{base}/{campaign_id}", draft).status == 201
    customer = api.post("/customers", {"name": "Diego Prado"}).body["customer_id"]
    assert tina.get(base).body["items"] == []
    link = f"{base}/tina-2/customers/{customer}"
    assert api.put(link, {"agent": "tina"}).status == 201
    seen = eventually(lambda: tina.get(base).body["items"], bool)
    assert [each["campaign_id"] for each in seen] == ["tina-2"]
    # It has a customer, and history.
    assert api.send("DELETE", f"{base}/tina-2", if_match="*").status == 204
    assert api.get(f"{base}/tina-2").body["retired"]
    assert tina.get(base).body["items"] == []


def test_outcomes_reasons_and_filters_are_kept_over_http(api: Api) -> None:
    base = "/telemarketing"
    drafts: dict[str, dict[str, Any]] = {
        "outcomes/quer_proposta": {"name": "Quer proposta", "flags": ["contact"]},
        "no-contact-reasons/em_reuniao": {"name": "Em reunião", "retry_minutes": 90},
    }
    for path, draft in drafts.items():
        assert api.put(f"{base}/{path}", draft).status == 201
        listed = api.get(f"{base}/{path.split('/')[0]}", role="agent").body["items"]
        assert draft["name"] in [each["name"] for each in listed]
        assert api.send("PUT", f"{base}/{path}", draft, if_match='"1"').body["version"] == 2
        assert api.send("DELETE", f"{base}/{path}", if_match='"1"').status == 412
        assert api.send("DELETE", f"{base}/{path}", if_match='"2"').status == 204
        assert api.get(f"{base}/{path}").status == 404
    wish = {"name": "Hoje", "criteria": {"scheduled_to": 0, "last_outcome": "em_negociacao"}}
    saved = api.post(f"{base}/filters", wish, role="agent")
    assert (saved.status, saved.body["criteria"]["scheduled_to"]) == (201, 0)
    path = saved.headers["Location"]
    assert api.get(path).status == 404
    assert saved.body in api.get(f"{base}/filters", role="agent").body["items"]
    shared = wish | {"shared": True}
    assert api.send("PUT", path, shared, role="agent", if_match="*").status == 403
    assert api.send("DELETE", path, role="agent", if_match='"1"').status == 204
