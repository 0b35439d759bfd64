"""Customers and agents who write to each other, and all that can go wrong between them.

The table is in this process, and the functions' services are asked as the functions do. WhatsApp
is the one of local/whatsapp.py, without its HTTP.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from http import HTTPStatus
from typing import Any
from unittest.mock import patch

from botocore.client import BaseClient
from botocore.exceptions import EndpointConnectionError

from local.whatsapp import WhatsApp
from retorno.dialling.model import Asker
from retorno.errors import SessionOver, Unavailable
from retorno.messages.model import Message, MessageWish
from retorno.messages.service import (
    Conversations,
    Deliveries,
    Inbox,
    Outbox,
    Position,
)
from retorno.messages.store import MessageStore
from retorno.messages.whatsapp import refusal_of
from retorno.messages.whatsapp_http import MessageRefused, MessageUncertain
from retorno.phone import NumberPlan
from tests.support.quick_dynamodb import QuickDynamoDB

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PLAN = NumberPlan("BR")


class Killed(BaseException):
    """Lambda ends the function: nothing in it catches that."""


# A client of its own for each example would take longer than all that it does.
@cache
def store() -> MessageStore:
    return MessageStore("messages")


@dataclass
class Client:
    """WhatsApp as it is asked. `before_answer` is done once, while it is."""

    whatsapp: WhatsApp
    before_answer: Callable[[], object] = lambda: None

    def send(self, order: Mapping[str, Any], now: datetime) -> str:
        body = json.dumps(order).encode()
        status, answer = self.whatsapp.answer(f"Bearer {self.whatsapp.access_token}", body)
        self.before_answer()
        if not status:
            raise MessageUncertain("it did not answer")
        if status != HTTPStatus.OK:
            raise MessageRefused(refusal_of(answer["error"], now))
        return str(answer["messages"][0]["id"])


@dataclass
class Correspondence:
    """`trouble` is asked before each request whether it fails before and after its effect."""

    seed: int = 0
    now: datetime = NOON
    trouble: Callable[[], tuple[bool, bool]] = lambda: (False, False)
    kept: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._dynamodb = QuickDynamoDB({"MessagesTable": "messages"}, lambda *_: None)
        self.whatsapp = WhatsApp("secret", "token", self.seed, lambda: self.now)
        self.client: Any = Client(self.whatsapp)
        deliveries = Deliveries(store())
        keeping: Any = self
        self.inbox = Inbox(store(), deliveries, keeping, PLAN)
        self.outbox = Outbox(store(), deliveries, lambda: self.client, PLAN, lambda: 0.0)
        self.conversations = Conversations(store(), PLAN)

    def serve(self, operation: str, parameters: Any) -> Any:
        before, after = self.trouble()
        if before:
            raise EndpointConnectionError(endpoint_url="https://example.com")
        answer = self._dynamodb(operation, parameters)
        if after:
            raise EndpointConnectionError(endpoint_url="https://example.com")
        return answer

    @contextmanager
    def going_on(self) -> Iterator[None]:
        def served(_: BaseClient, operation: str, parameters: Any) -> Any:
            return self.serve(operation, parameters)

        with patch.object(BaseClient, "_make_api_call", served):
            yield

    def keep(self, provider: str, payload: bytes, now: datetime) -> None:
        self.kept.append(payload)

    def hear(self, payload: bytes) -> bool:
        """Says whether WhatsApp need not tell it again."""
        try:
            self.inbox.take(payload, self.now)
        except (Unavailable, Killed):
            return False
        return True

    def send(self, number: str, wish: MessageWish, key: str, agent: str = "ana") -> Message | None:
        asker = Asker(name=agent, agent=agent)
        with suppress(SessionOver, Unavailable, Killed):
            return self.outbox.send(number, wish, key, asker, self.now)
        return None

    def check(self) -> None:
        with suppress(Unavailable, Killed):
            self.outbox.check(self.now)

    def wait(self, **by: float) -> None:
        self.now += timedelta(**by)

    def messages(self, conversation: str, limit: int = 3) -> list[Message]:
        """All of them, page after page."""
        return Reader(self, conversation, limit).read()


@dataclass
class Reader:
    """Reads a conversation to its end, and later on what has come since."""

    correspondence: Correspondence
    conversation: str
    limit: int = 3
    position: Position | None = None

    def read(self) -> list[Message]:
        found: list[Message] = []
        while True:
            page, is_last = self.page()
            found += page
            if is_last:
                return found

    def page(self) -> tuple[list[Message], bool]:
        """A page, which is in the order of time, and whether it is the last."""
        found = self.correspondence.conversations.messages(
            self.conversation, self.limit, self.position, False
        )
        self.position = found.next_start or found.later
        messages = list(found.messages)
        assert messages == sorted(messages, key=lambda each: each.order)
        return messages, found.next_start is None
