"""Agents through the API: set up by leaders, present as they say and as their calls tell."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError

from retorno.agents.store import AgentStore
from tests.support.clock import StoppedClock
from tests.support.deployment import Deployment
from tests.support.events import Answer, http, user
from tests.support.functions import function_of
from tests.support.requests import counted
from tests.support.webhooks import canonical

ANA = {
    "name": "Ana Souza",
    "queues": ["vendas", "suporte"],
    "skills": ["inglês"],
    "telephone": "(11) 98765-4321",
    "wrap_up_seconds": 20,
}
PAUSED = {"state": "paused", "reason": "almoço"}


def ask(
    deployment: Deployment,
    route: str,
    body: Any = None,
    groups: str = "[supervisor]",
    if_match: str | None = None,
    **query: str,
) -> Answer:
    """Asks as ana. `since` stands for "from", which Python keeps for itself."""
    method, _, path = route.partition(" ")
    pattern = path
    if not path.startswith("/agents/me") or method == "DELETE":
        parts = path.split("/")
        pattern = "/".join(["", "agents", "{agent}", *parts[3:]]) if len(parts) > 2 else path
    asked = {"from" if name == "since" else name: text for name, text in query.items()}
    event = http(
        f"{method} {pattern}",
        path=path,
        query=asked,
        headers={"if-match": if_match} if if_match else {},
        body=None if body is None else json.dumps(body).encode(),
        claims=user(groups),
    )
    return deployment.ask(function_of(f"{method} {pattern}"), event)


def register(deployment: Deployment, *agents: str, **fields: Any) -> None:
    for agent in agents:
        draft = {"name": agent.title(), **fields}
        assert ask(deployment, f"PUT /agents/{quote(agent)}", draft).status == 201


def becomes(deployment: Deployment, agent: str, state: str, reason: str | None = None) -> Answer:
    wish = {"state": state, "reason": reason}
    answer = ask(deployment, f"PUT /agents/{quote(agent)}/presence", wish)
    assert answer.status == 200
    return answer


def tell(
    deployment: Deployment, clock: StoppedClock, call_id: str, stage: str, **facts: Any
) -> None:
    """A call's event of now, or so many seconds `ago`, followed at once."""
    at = clock.now - timedelta(seconds=facts.pop("ago", 0))
    event = {
        "event_id": f"{call_id}-{stage}-{at:%H%M%S}",
        "call_id": call_id,
        "stage": stage,
        "occurred_at": at.isoformat(),
        "direction": "inbound",
        "from": "+5511912345678",
        "agent": "ana",
        **facts,
    }
    taken = deployment.ask("IngestCalls", canonical(clock.now, event))
    assert taken.body["accepted"] == 1
    deployment.flow()


def presence(deployment: Deployment, agent: str = "ana") -> dict[str, Any]:
    shown: dict[str, Any] = ask(deployment, f"GET /agents/{quote(agent)}").body["presence"]
    return shown


def state(deployment: Deployment, agent: str = "ana") -> str:
    return str(presence(deployment, agent)["state"])


def idle(deployment: Deployment, queue: str = "vendas") -> list[str]:
    """Who is available to a queue, asked for one by one."""
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        query = {"queue": queue, "state": "available", "limit": "1", **cursor}
        page = ask(deployment, "GET /agents", **query).body
        found += [item["agent"] for item in page["items"]]
        if page["cursor"] is None:
            return found
        cursor = {"cursor": page["cursor"]}


def seconds(deployment: Deployment, agent: str = "ana", **query: str) -> dict[str, float]:
    times = ask(deployment, f"GET /agents/{agent}/times", **query)
    assert times.status == 200
    return {state: spent for state, spent in times.body["seconds"].items() if spent}


class TestSetUp:
    def test_registers_an_agent_who_is_offline(self, deployment: Deployment) -> None:
        made = ask(deployment, "PUT /agents/ana", ANA)
        assert (made.status, made.headers["ETag"]) == (201, '"1"')
        assert made.body == ANA | {
            "agent": "ana",
            "telephone": "+5511987654321",
            "revision": 1,
            "version": 1,
            "presence": {
                "state": "offline",
                "reason": None,
                "since": "2026-03-02T12:00:00Z",
                "until": None,
                "next_state": None,
                "next_reason": None,
                "calls": [],
            },
        }
        assert ask(deployment, "GET /agents/me", groups="[agent]").body == made.body

    def test_is_changed_by_who_saw_it_as_it_is(self, deployment: Deployment) -> None:
        register(deployment, "ana", queues=["vendas"])
        becomes(deployment, "ana", "available")
        # What an agent does meanwhile is no change of who they are.
        for if_match, status in [(None, 428), ('"2"', 412), ('"1"', 200), ("*", 200)]:
            answer = ask(deployment, "PUT /agents/ana", {"name": "Ana"}, if_match=if_match)
            assert answer.status == status
        assert (answer.body["version"], answer.body["queues"]) == (3, [])
        assert ask(deployment, "PUT /agents/bia", ANA, if_match='"1"').status == 404

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("name", " "),
            ("name", None),
            ("queues", [""]),
            ("queues", [str(n) for n in range(41)]),
            ("queues", "vendas"),
            ("skills", ["x" * 129]),
            ("telephone", "nowhere"),
            ("telephone", "client:ana maria"),
            ("telephone", "(1001)"),
            ("wrap_up_seconds", -1),
            ("wrap_up_seconds", 3601),
            ("name", "\ud800"),
        ],
    )
    def test_names_the_field_that_cannot_be_so(
        self, deployment: Deployment, field: str, value: Any
    ) -> None:
        problem = ask(deployment, "PUT /agents/ana", ANA | {field: value})
        assert problem.status == 422
        assert problem.body["errors"][0]["field"].startswith(field)

    @pytest.mark.parametrize("name", ["me", "SIP/1001", " ana", "a%b", "x" * 129, "a\nb", "ana "])
    def test_refuses_a_name_that_no_path_can_hold(self, deployment: Deployment, name: str) -> None:
        event = http(
            "PUT /agents/{agent}",
            path=f"/agents/{quote(name, safe='')}",
            body=json.dumps(ANA).encode(),
            claims=user("[admin]"),
        )
        problem = deployment.ask("ManageAgents", event)
        assert (problem.status, problem.body["errors"][0]["field"]) == (422, "agent")

    @pytest.mark.parametrize("telephone", ["1001", "client:ana", "+351912345678", None])
    def test_takes_whatever_a_provider_rings(
        self, deployment: Deployment, telephone: str | None
    ) -> None:
        made = ask(deployment, "PUT /agents/ana", ANA | {"telephone": telephone})
        assert made.body["telephone"] == telephone

    @pytest.mark.parametrize("name", ["João", "Agent 2001", "client:ana", "ana@centro"])
    def test_takes_names_that_telephone_systems_give(
        self, deployment: Deployment, name: str
    ) -> None:
        register(deployment, name, queues=["vendas"])
        becomes(deployment, name, "available")
        assert idle(deployment) == [name]
        assert ask(deployment, f"GET /agents/{quote(name)}").body["agent"] == name

    def test_moves_an_available_agent_to_other_queues(self, deployment: Deployment) -> None:
        register(deployment, "ana", queues=["vendas", "suporte"])
        becomes(deployment, "ana", "available")
        moved = {"name": "Ana", "queues": ["suporte", "financeiro"]}
        assert ask(deployment, "PUT /agents/ana", moved, if_match="*").status == 200
        found = {queue: idle(deployment, queue) for queue in ("vendas", "suporte", "financeiro")}
        assert found == {"vendas": [], "suporte": ["ana"], "financeiro": ["ana"]}

    def test_is_for_leaders(self, deployment: Deployment) -> None:
        register(deployment, "bia")
        for route, body in [
            ("PUT /agents/bia", ANA),
            ("DELETE /agents/bia", None),
            ("PUT /agents/bia/presence", PAUSED),
            ("GET /agents/bia/times", None),
        ]:
            assert ask(deployment, route, body, groups="[agent]", if_match="*").status == 403
        assert ask(deployment, "GET /agents/bia", groups="[agent]").status == 200

    def test_while_the_table_is_away_is_a_problem_of_ours(self, deployment: Deployment) -> None:
        deployment.lose_table("agents")
        for route, body in [
            ("GET /agents", None),
            ("GET /agents/ana", None),
            ("PUT /agents/ana", ANA),
            ("PUT /agents/me/presence", PAUSED),
        ]:
            assert ask(deployment, route, body).status == 503


class TestRemoval:
    def test_waits_for_the_end_of_a_call(self, deployment: Deployment, clock: StoppedClock) -> None:
        register(deployment, "ana", queues=["vendas"])
        becomes(deployment, "ana", "available")
        tell(deployment, clock, "c1", "answered")
        assert ask(deployment, "DELETE /agents/ana").status == 428
        assert ask(deployment, "DELETE /agents/ana", if_match='"2"').status == 412
        problem = ask(deployment, "DELETE /agents/ana", if_match="*")
        assert (problem.status, problem.body["detail"]) == (
            409,
            "the agent is in a call; remove them when it is over",
        )
        tell(deployment, clock, "c1", "completed")
        assert ask(deployment, "DELETE /agents/ana", if_match='"1"').status == 204
        assert ask(deployment, "GET /agents/ana").status == 404
        assert ask(deployment, "GET /agents").body["items"] == idle(deployment) == []

    def test_keeps_the_times_for_who_comes_back(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        register(deployment, "ana")
        becomes(deployment, "ana", "available")
        clock.advance(minutes=5)
        assert ask(deployment, "DELETE /agents/ana", if_match="*").status == 204
        clock.advance(hours=1)
        register(deployment, "ana")
        assert seconds(deployment) == {"available": 300}


class TestPresence:
    def test_of_nobody_says_what_to_do(self, deployment: Deployment) -> None:
        for route, body in [
            ("GET /agents/me", None),
            ("PUT /agents/me/presence", PAUSED),
            ("GET /agents/me/times", None),
        ]:
            problem = ask(deployment, route, body, groups="[agent]")
            assert (problem.status, "a supervisor does that" in problem.body["detail"]) == (
                404,
                True,
            )

    def test_is_what_the_agent_says(self, deployment: Deployment, clock: StoppedClock) -> None:
        register(deployment, "ana")
        clock.advance(minutes=1)
        said = ask(deployment, "PUT /agents/me/presence", PAUSED, groups="[agent]").body["presence"]
        assert (said["state"], said["reason"]) == ("paused", "almoço")
        assert said["since"] == "2026-03-02T12:01:00Z"
        clock.advance(minutes=1)
        again = ask(deployment, "PUT /agents/me/presence", PAUSED, groups="[agent]").body
        assert (again["presence"], again["revision"]) == (said, 2)

    @pytest.mark.parametrize(
        ("wish", "field"),
        [
            ({"state": "busy"}, "state"),
            ({"state": "wrap_up"}, "state"),
            ({"state": "lunch"}, "state"),
            ({}, "state"),
            ({"state": "paused"}, "reason"),
            ({"state": "paused", "reason": "  "}, "reason"),
            ({"state": "paused", "reason": "x" * 61}, "reason"),
            ({"state": "available", "reason": "almoço"}, "reason"),
        ],
    )
    def test_can_be_no_other(
        self, deployment: Deployment, wish: dict[str, str], field: str
    ) -> None:
        register(deployment, "ana")
        problem = ask(deployment, "PUT /agents/me/presence", wish)
        assert (problem.status, [each["field"] for each in problem.body["errors"]]) == (
            422,
            [field],
        )

    def test_follows_a_call_and_then_a_wrap_up_that_ends_by_itself(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        register(deployment, "ana", queues=["vendas"], wrap_up_seconds=20)
        becomes(deployment, "ana", "available")
        clock.advance(seconds=60)
        tell(deployment, clock, "c1", "ringing", ago=5)
        assert state(deployment) == "available"
        tell(deployment, clock, "c1", "answered", ago=2)
        busy = presence(deployment)
        assert (busy["state"], busy["since"], busy["calls"], busy["next_state"]) == (
            "busy",
            "2026-03-02T12:00:58Z",
            ["c1"],
            "available",
        )
        assert idle(deployment) == []
        clock.advance(seconds=100)
        tell(deployment, clock, "c1", "completed", ago=10)
        wrap_up = presence(deployment)
        assert (wrap_up["state"], wrap_up["since"], wrap_up["until"]) == (
            "wrap_up",
            "2026-03-02T12:02:30Z",
            "2026-03-02T12:02:50Z",
        )
        assert idle(deployment) == []
        clock.advance(seconds=10)
        assert idle(deployment) == ["ana"]
        clock.advance(seconds=10)
        assert presence(deployment) == wrap_up | {
            "state": "available",
            "since": "2026-03-02T12:02:50Z",
            "until": None,
            "next_state": None,
        }
        assert seconds(deployment) == {"available": 68, "busy": 92, "wrap_up": 20}

    def test_after_a_call_is_what_was_asked_for_during_it(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        register(deployment, "ana", queues=["vendas"])
        becomes(deployment, "ana", "available")
        tell(deployment, clock, "c1", "answered")
        clock.advance(seconds=10)
        asked = ask(deployment, "PUT /agents/me/presence", PAUSED, groups="[agent]")
        shown = asked.body["presence"]
        assert (shown["state"], shown["next_state"], shown["next_reason"]) == (
            "busy",
            "paused",
            "almoço",
        )
        tell(deployment, clock, "c1", "completed")
        assert state(deployment) == "wrap_up"
        # The stack's own, as she has none.
        clock.advance(seconds=30)
        assert (state(deployment), idle(deployment)) == ("paused", [])

    def test_in_two_calls_is_busy_until_both_are_over(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        register(deployment, "ana", wrap_up_seconds=0)
        becomes(deployment, "ana", "available")
        tell(deployment, clock, "c1", "answered")
        tell(deployment, clock, "c2", "answered")
        tell(deployment, clock, "c1", "completed")
        assert presence(deployment)["calls"] == ["c2"]
        tell(deployment, clock, "c2", "completed")
        assert state(deployment) == "available"

    def test_is_busy_from_the_first_ring_of_a_call_dialled_by_hand(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        register(deployment, "ana")
        becomes(deployment, "ana", "available")
        facts = {"direction": "outbound_manual", "to": "+5511912345678", "from": "1001"}
        tell(deployment, clock, "c1", "ringing", **facts)
        assert state(deployment) == "busy"
        tell(deployment, clock, "c1", "no_answer", **facts)
        assert state(deployment) == "wrap_up"

    def test_is_nobodys_who_answered_after_all_no_call(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        register(deployment, "ana", "bia", queues=["vendas"])
        for agent in ("ana", "bia"):
            becomes(deployment, agent, "available")
        clock.advance(seconds=60)
        tell(deployment, clock, "c1", "answered", agent="ana")
        tell(deployment, clock, "c1", "answered", agent="bia", ago=1)
        assert (state(deployment, "ana"), state(deployment, "bia")) == ("available", "busy")
        assert idle(deployment) == ["ana"]

    def test_is_not_made_by_a_call(self, deployment: Deployment, clock: StoppedClock) -> None:
        tell(deployment, clock, "c1", "answered")
        assert ask(deployment, "GET /agents/ana").status == 404
        register(deployment, "ana")
        tell(deployment, clock, "c2", "answered")
        tell(deployment, clock, "c2", "completed")
        assert state(deployment) == "offline"

    def test_is_left_alone_by_a_log_of_old(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        register(deployment, "ana")
        becomes(deployment, "ana", "available")
        clock.advance(days=3)
        before = ask(deployment, "GET /agents/ana").body
        for call_id, ago in (("last-year", 3e7), ("yesterday", 86_400)):
            tell(deployment, clock, call_id, "answered", ago=ago)
            tell(deployment, clock, call_id, "completed", ago=ago - 60)
        assert ask(deployment, "GET /agents/ana").body == before

    def test_follows_the_end_of_a_call_that_the_sweeper_closed(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        register(deployment, "ana", queues=["vendas"])
        becomes(deployment, "ana", "available")
        tell(deployment, clock, "c1", "answered")
        deployment.publish()
        clock.advance(hours=4, minutes=1)
        deployment.call("SweepCalls", {})
        deployment.flow()
        assert (state(deployment), idle(deployment)) == ("available", ["ana"])
        assert seconds(deployment) == {"busy": 14_400, "wrap_up": 30, "available": 30}

    def test_holds_what_was_told_at_a_calls_end_alone(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        register(deployment, "ana", wrap_up_seconds=20)
        becomes(deployment, "ana", "available")
        clock.advance(minutes=10)
        facts = {"occurred_at": (clock.now - timedelta(minutes=4)).isoformat()}
        answered = {"event_id": "1", "call_id": "c1", "stage": "answered", "agent": "ana", **facts}
        facts = {"occurred_at": (clock.now - timedelta(minutes=1)).isoformat()}
        ended = {"event_id": "2", "call_id": "c1", "stage": "completed", **facts}
        deployment.ask("IngestCalls", canonical(clock.now, answered, ended))
        deployment.flow()
        assert state(deployment) == "available"
        assert seconds(deployment) == {"available": 400, "busy": 180, "wrap_up": 20}

    def test_is_ended_by_a_leader_where_the_end_of_a_call_was_lost(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        register(deployment, "ana")
        becomes(deployment, "ana", "available")
        tell(deployment, clock, "c1", "answered")
        own = ask(deployment, "PUT /agents/me/presence", {"state": "offline"}, groups="[agent]")
        assert own.body["presence"]["state"] == "busy"
        assert becomes(deployment, "ana", "offline").body["presence"]["state"] == "offline"
        becomes(deployment, "ana", "available")
        tell(deployment, clock, "c1", "completed")
        assert state(deployment) == "available"


def test_a_change_costs_a_read_and_one_write(deployment: Deployment, clock: StoppedClock) -> None:
    register(deployment, "ana", queues=["vendas", "suporte"])
    with counted() as requests:
        becomes(deployment, "ana", "available")
    assert requests == ["GetItem", "TransactWriteItems"]
    with counted() as requests:
        idle_now = ask(deployment, "GET /agents", queue="vendas", state="available")
    assert (len(idle_now.body["items"]), requests) == (1, ["Query", "BatchGetItem"])


class TestList:
    def test_of_a_queue_begins_with_the_longest_idle(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        register(deployment, "ana", "bia", "caio", "davi", "elis", queues=["vendas"])
        register(deployment, "fabio", queues=["suporte"])
        for agent in ("davi", "bia", "ana", "fabio", "elis"):
            becomes(deployment, agent, "available")
            clock.advance(seconds=1)
        becomes(deployment, "caio", "paused", "café")
        assert idle(deployment) == ["davi", "bia", "ana", "elis"]
        tell(deployment, clock, "c1", "answered", agent="davi")
        tell(deployment, clock, "c1", "completed", agent="davi")
        assert idle(deployment) == ["bia", "ana", "elis"]
        clock.advance(seconds=30)
        assert idle(deployment) == ["bia", "ana", "elis", "davi"]

    def test_is_by_name_and_filtered_page_by_page(self, deployment: Deployment) -> None:
        names = [f"a{n:02}" for n in range(12)]
        register(deployment, *names, queues=["vendas"])
        register(deployment, "zeca", queues=["suporte"])
        for name in names[::3]:
            becomes(deployment, name, "paused", "café")

        def listed(**query: str) -> list[str]:
            found: list[str] = []
            while True:
                page = ask(deployment, "GET /agents", limit="5", **query).body
                assert len(page["items"]) <= 5
                found += [item["agent"] for item in page["items"]]
                if page["cursor"] is None:
                    return found
                query["cursor"] = page["cursor"]

        assert listed() == [*names, "zeca"]
        assert listed(queue="vendas") == names
        assert listed(state="paused") == names[::3]
        assert listed(queue="suporte", state="paused") == []
        assert listed(queue="suporte", state="offline") == ["zeca"]
        cursor = ask(deployment, "GET /agents", limit="5").body["cursor"]
        assert ask(deployment, "GET /agents", state="paused", cursor=cursor).status == 422
        assert ask(deployment, "GET /agents", state="lunch").status == 422


class TestTimes:
    def test_are_clipped_to_the_period_and_told_up_to_now(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        register(deployment, "ana")
        for wish in ({"state": "available"}, PAUSED, {"state": "available"}, PAUSED):
            clock.advance(minutes=10)
            ask(deployment, "PUT /agents/me/presence", wish)
        clock.advance(minutes=10)
        assert seconds(deployment) == {"offline": 600, "available": 1200, "paused": 1200}
        assert seconds(deployment, since="2026-03-02T12:15:00Z", to="2026-03-02T12:25:00Z") == {
            "available": 300,
            "paused": 300,
        }
        assert seconds(deployment, since="2026-03-02T12:45:00Z") == {"paused": 300}
        assert seconds(deployment, to="2026-03-02T11:00:00Z") == {}
        assert seconds(deployment, since="2027-01-01T00:00:00Z") == {}
        own = ask(deployment, "GET /agents/me/times", groups="[agent]").body
        assert (own["agent"], own["paused_seconds"]) == ("ana", {"almoço": 1200})
        swapped = {"since": "2026-03-02T13:00:00Z", "to": "2026-03-02T12:00:00Z"}
        assert ask(deployment, "GET /agents/me/times", **swapped).status == 422

    def test_count_nothing_twice_that_changes_while_they_are_summed(
        self, deployment: Deployment, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        register(deployment, "ana")
        clock.advance(minutes=10)
        becomes(deployment, "ana", "available")
        seen = AgentStore("agents").get("ana")
        clock.advance(minutes=10)
        becomes(deployment, "ana", "paused", "café")
        monkeypatch.setattr(AgentStore, "get", lambda *_: seen)
        assert seconds(deployment) == {"offline": 600, "available": 600}

    def test_of_too_many_changes_are_refused(
        self, deployment: Deployment, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("retorno.agents.service.STRETCH_LIMIT", 3)
        register(deployment, "ana")
        for wish in ({"state": "available"}, PAUSED, {"state": "available"}):
            clock.advance(minutes=1)
            ask(deployment, "PUT /agents/me/presence", wish)
        clock.advance(minutes=1)
        problem = ask(deployment, "GET /agents/me/times")
        assert (problem.status, problem.body["errors"][0]["field"]) == (422, "from")
        assert seconds(deployment, since="2026-03-02T12:01:30Z")


class TestFollowing:
    def records(self, deployment: Deployment, clock: StoppedClock) -> list[dict[str, Any]]:
        """What the stream tells of a call that was answered and ended."""
        register(deployment, "ana", wrap_up_seconds=20)
        becomes(deployment, "ana", "available")
        clock.advance(seconds=60)
        records: list[dict[str, Any]] = []
        for stage, ago in (("answered", 40), ("completed", 5)):
            at = (clock.now - timedelta(seconds=ago)).isoformat()
            event = {"event_id": stage, "call_id": "c1", "stage": stage, "agent": "ana"}
            facts = {"occurred_at": at, "direction": "outbound_auto", "to": "+5511912345678"}
            deployment.ask("IngestCalls", canonical(clock.now, event | facts))
            # Before it moto tells of a write that was refused.
            records.append(deployment.new_records()[-1])
        return records

    @pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0, 1), (1, 1, 0, 0), (0, 0, 1)])
    def test_ends_the_same_in_any_order_and_told_again(
        self, deployment: Deployment, clock: StoppedClock, order: tuple[int, ...]
    ) -> None:
        records = self.records(deployment, clock)
        for index in order:
            answer = deployment.call("FollowCalls", {"Records": [records[index]]})
            assert answer == {"batchItemFailures": []}
        clock.advance(seconds=60)
        assert state(deployment) == "available"
        assert seconds(deployment) == {"available": 65, "busy": 35, "wrap_up": 20}

    def test_tracks_agents_while_answers_cannot_be_and_asks_for_them_again(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        answered, ended = self.records(deployment, clock)
        deployment.lose_table("answers")
        answer = deployment.call("FollowCalls", {"Records": [answered, ended]})
        number = ended["dynamodb"]["SequenceNumber"]
        assert answer == {"batchItemFailures": [{"itemIdentifier": number}]}
        assert state(deployment) == "wrap_up"

    def test_tracks_answers_while_agents_cannot_be_and_asks_for_them_again(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        records = self.records(deployment, clock)
        deployment.lose_table("agents")
        with pytest.raises(BatchProcessingError):
            deployment.call("FollowCalls", {"Records": records})
        key = {"day": {"S": "2026-03-02"}, "call_id": {"S": "c1"}}
        assert "Item" in boto3.client("dynamodb").get_item(TableName="answers", Key=key)
