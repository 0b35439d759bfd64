"""A company that talks to its customers on WhatsApp: the stack, and WhatsApp on this machine."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from local.whatsapp import PHONE_NUMBER_ID, WhatsApp, serving
from tests.support.clock import StoppedClock
from tests.support.deployment import WHATSAPP_APP_SECRET, WHATSAPP_TOKEN, Deployment
from tests.support.events import Answer, Claims, http, user

ANA = user("[agent]", "ana")
BIA = user("[agent]", "bia")

WEBHOOK = "POST /webhooks/whatsapp"
MESSAGES = "/conversations/{number}/messages"


@dataclass
class Chat:
    deployment: Deployment
    whatsapp: WhatsApp
    clock: StoppedClock

    def hear(self, *payloads: bytes) -> list[Answer]:
        """WhatsApp's webhooks, signed."""
        return [
            self.deployment.ask(
                "IngestMessages",
                http(WEBHOOK, headers=self.whatsapp.headers(body), body=body, in_base64=True),
            )
            for body in payloads
        ]

    def hear_all(self) -> None:
        for answer in self.hear(*self.whatsapp.told()):
            assert answer.status == 200, answer

    def write(self, number: str, text: str = "Oi", **message: Any) -> str:
        """A customer writes, and it is told."""
        wamid = self.whatsapp.write(number, text, **message)
        self.hear_all()
        return wamid

    def send(
        self,
        number: str,
        wish: object = None,
        key: str | None = "k1",
        claims: Claims = ANA,
    ) -> Answer:
        headers = {"content-type": "application/json"} | ({"idempotency-key": key} if key else {})
        body = json.dumps({"text": "Olá"} if wish is None else wish).encode()
        return self._ask(f"POST {MESSAGES}", number, headers=headers, body=body, claims=claims)

    def page(self, number: str, **query: str) -> Answer:
        return self._ask(f"GET {MESSAGES}", number, query=query, claims=ANA)

    def messages(self, number: str, **query: str) -> list[dict[str, Any]]:
        """All of them, page after page."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.page(number, **query).body
            found += page["items"]
            if page["cursor"] is None:
                return found
            query["cursor"] = page["cursor"]

    def message(self, number: str, message_id: str) -> Any:
        path = f"/conversations/{quote(number, safe='')}/messages/{message_id}"
        request = http(f"GET {MESSAGES}/{{message_id}}", path=path, claims=ANA)
        return self.deployment.ask("SendMessages", request).body

    def one(self, number: str) -> Answer:
        return self._ask("GET /conversations/{number}", number, claims=ANA)

    def read(self, number: str, **body: str) -> Answer:
        headers = {"content-type": "application/json"}
        content = json.dumps(body).encode() if body else None
        route = "POST /conversations/{number}/read"
        return self._ask(route, number, headers=headers, body=content, claims=ANA)

    def conversations(self, **query: str) -> Answer:
        return self.deployment.ask(
            "SendMessages", http("GET /conversations", query=query, claims=ANA)
        )

    def retry(self) -> None:
        self.deployment.call("RetryMessages", {})

    def _ask(self, route: str, number: str, **request: Any) -> Answer:
        path = route.partition(" ")[2].replace("{number}", quote(number, safe=""))
        return self.deployment.ask("SendMessages", http(route, path=path, **request))


@contextmanager
def chatting(deployment: Deployment, clock: StoppedClock) -> Iterator[Chat]:
    whatsapp = WhatsApp(WHATSAPP_APP_SECRET, WHATSAPP_TOKEN, clock=lambda: clock.now)
    with serving(whatsapp) as url:
        deployment.configure(WHATSAPP_URL=url, WHATSAPP_PHONE_NUMBER_ID=PHONE_NUMBER_ID)
        yield Chat(deployment, whatsapp, clock)
