"""A telemarketing team on moto: a campaign, its agents and customers, asked over HTTP."""

import json
from typing import Any

from tests.support.clock import StoppedClock
from tests.support.deployment import Deployment
from tests.support.events import Answer, Claims, http, user
from tests.support.functions import function_of

LEO = user("[supervisor]", "leo")
CAMPAIGN = "natal"
OF_CAMPAIGN = "/telemarketing/campaigns/{campaign}"
OF_CUSTOMER = OF_CAMPAIGN + "/customers/{customer_id}"
OPERATION = "/telemarketing/operations/{operation}"


def agent(name: str) -> Claims:
    return user("[agent]", name)


class Office:
    def __init__(self, deployment: Deployment, clock: StoppedClock) -> None:
        self.deployment = deployment
        self.clock = clock

    def ask(
        self,
        route: str,
        body: Any = None,
        who: str | None = None,
        if_match: str | None = None,
        query: dict[str, str] | None = None,
        key: str | None = None,
        **parts: str,
    ) -> Answer:
        """A request to a route such as "GET /telemarketing/operations/{operation}"; `who` is an
        agent, and the supervisor where nobody is said.
        """
        pattern = route.partition(" ")[2]
        named = {"if-match": if_match, "idempotency-key": key}
        headers = {name: value for name, value in named.items() if value}
        event = http(
            route,
            path=pattern.format(**parts),
            query=query,
            headers=headers,
            body=None if body is None else json.dumps(body).encode(),
            claims=agent(who) if who else LEO,
        )
        return self.deployment.ask(function_of(route), event)

    # --- Setting up -----------------------------------------------------------------------------

    def campaign(
        self, campaign: str = CAMPAIGN, if_match: str | None = None, **fields: Any
    ) -> None:
        draft = {
            "name": "Natal",
            "begins_on": "2026-03-01",
            "ends_on": "2026-03-31",
            "queue": "vendas",
            **fields,
        }
        answer = self.ask(f"PUT {OF_CAMPAIGN}", draft, campaign=campaign, if_match=if_match)
        assert answer.status in (200, 201), answer.body

    def agents(self, *names: str, queue: str = "vendas") -> None:
        for name in names:
            draft = {"name": name, "queues": [queue], "wrap_up_seconds": 0}
            answer = self.ask("PUT /agents/{agent}", draft, agent=name)
            assert answer.status == 201, answer.body

    def logged_in(self, name: str) -> None:
        wish = {"state": "available"}
        answer = self.ask("PUT /agents/{agent}/presence", wish, agent=name)
        assert answer.status == 200, answer.body

    def customer(self, name: str = "Maria Souza", **fields: Any) -> str:
        answer = self.ask("POST /customers", {"name": name, **fields})
        assert answer.status == 201, answer.body
        customer_id: str = answer.body["customer_id"]
        return customer_id

    def link(self, customer_id: str, agent: str | None = None, **fields: Any) -> dict[str, Any]:
        answer = self.of(customer_id, "PUT", body={"agent": agent, **fields})
        assert answer.status in (200, 201), answer.body
        body: dict[str, Any] = answer.body
        return body

    def linked(self, agent: str | None = None, name: str = "Maria Souza", **fields: Any) -> str:
        """A new customer of the campaign."""
        customer_id = self.customer(name, **fields)
        self.link(customer_id, agent)
        return customer_id

    # --- What people do -------------------------------------------------------------------------

    def of(
        self,
        customer_id: str,
        method: str = "GET",
        part: str = "",
        body: Any = None,
        who: str | None = None,
        **query: str,
    ) -> Answer:
        route = f"{method} {OF_CUSTOMER}{part}"
        return self.ask(route, body, who, query=query, campaign=CAMPAIGN, customer_id=customer_id)

    def open(self, customer_id: str, who: str = "ana") -> Answer:
        wish = {"campaign": CAMPAIGN, "customer_id": customer_id}
        return self.ask("POST /telemarketing/operations", wish, who)

    def opened(self, customer_id: str, who: str = "ana") -> str:
        answer = self.open(customer_id, who)
        assert answer.status == 201, answer.body
        operation_id: str = answer.body["operation"]["operation_id"]
        return operation_id

    def do(self, operation: str, what: str, body: Any = None, who: str | None = "ana") -> Answer:
        return self.ask(f"POST {OPERATION}/{what}", body, who, operation=operation)

    def save(
        self, operation: str, edit: Any, who: str | None = "ana", if_match: str | None = "*"
    ) -> Answer:
        return self.ask(f"PATCH {OPERATION}", edit, who, if_match, operation=operation)

    def shown(self, operation: str, who: str | None = None) -> dict[str, Any]:
        body: dict[str, Any] = self.ask(f"GET {OPERATION}", who=who, operation=operation).body
        return body

    def worklist(self, who: str | None = "ana", **query: str) -> Answer:
        wanted = {"campaign": CAMPAIGN, **query}
        return self.ask("GET /telemarketing/worklist", who=who, query=wanted)

    def listed(self, who: str | None = "ana", **query: str) -> list[str]:
        """The customers of a list."""
        return [row["customer_id"] for row in self.worklist(who, **query).body["items"]]

    def next(self, who: str = "ana") -> Answer:
        return self.ask("POST /telemarketing/worklist/next", {"campaign": CAMPAIGN}, who)

    def history(self, customer_id: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.of(customer_id, part="/history").body["items"]
        return items
