"""The dashboard on moto: what happens is written as the services do, counted and asked for."""

import json
from collections.abc import Iterable
from typing import Any

from retorno.agents.model import Agent, Presence, Stored
from retorno.agents.model import State as PresenceState
from retorno.agents.store import AgentStore
from retorno.calls.model import facts_of
from retorno.calls.store import CallStore
from retorno.telephony.ports import CallEvent
from tests.support.clock import StoppedClock
from tests.support.deployment import Deployment
from tests.support.events import Answer, Claims, http, sqs, user

SUPERVISOR = user("[supervisor]", "rita")


class Wallboard:
    def __init__(self, deployment: Deployment, clock: StoppedClock) -> None:
        self.deployment = deployment
        self.clock = clock
        self.calls = CallStore(deployment.tables["CallsTable"])
        self.agents = AgentStore(deployment.tables["AgentsTable"])

    def tell(self, events: Iterable[CallEvent]) -> None:
        for event in events:
            self.calls.merge(event.call_id, facts_of(event))

    def register(self, agent: str) -> None:
        presence = Presence(since=self.clock.now)
        self.agents.save(None, Stored(Agent(agent=agent, name=agent), presence))

    def says(self, agent: str, state: PresenceState, reason: str | None = None) -> None:
        wish = {"state": state, "reason": reason}
        route = "PUT /agents/me/presence"
        event = http(route, body=json.dumps(wish).encode(), claims=user("[agent]", agent))
        assert self.deployment.ask("ManageAgents", event).status == 200

    def look(self, *changes: dict[str, str]) -> Any:
        """Has the counters look at things, as messages tell them to."""
        messages = ({**change, "at": "2026-03-02T12:00:00.000000Z"} for change in changes)
        return self.deployment.call("AggregateMetrics", sqs(*map(json.dumps, messages)))

    def ask(self, claims: Claims | None = SUPERVISOR, /, accept: str = "", **query: str) -> Answer:
        """`since` stands for "from", which Python keeps for itself."""
        named = {"from" if name == "since" else name: value for name, value in query.items()}
        event = http("GET /dashboard", query=named, headers={"accept": accept}, claims=claims)
        return self.deployment.ask("ReadDashboard", event)

    def total(self, **query: str) -> dict[str, Any]:
        """After all is counted."""
        self.deployment.count()
        answer = self.ask(**query)
        assert answer.status == 200, answer.body
        total: dict[str, Any] = answer.body["total"]
        return total

    def groups(self, **query: str) -> dict[str, dict[str, Any]]:
        self.deployment.count()
        answer = self.ask(**query)
        assert answer.status == 200, answer.body
        return {item["group"]: item for item in answer.body["items"]}
