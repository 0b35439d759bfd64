"""Conversations with customers on WhatsApp: what is said in each, and what became of it.

What WhatsApp tells of a message comes late, twice and in any order. Of each status the earliest
time is kept, and the state follows from what is known: so any order leads to the same.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator

from retorno.frozen import Frozen, Strict
from retorno.messages.refusals import Explanation, explained
from retorno.phone import NumberPlan, match_key
from retorno.times import FIRST

# For so long after a customer wrote they may be sent any text
# (https://developers.facebook.com/docs/whatsapp/pricing, customer service windows).
SESSION = timedelta(hours=24)

# Who sends a message lives for 29 seconds (the functions' time-out), and then nobody knows.
SENT_WITHIN = timedelta(seconds=90)

# Of one message, the first included. Each waits four times as long as the one before.
MAX_ATTEMPTS = 4
PATIENCE = 4
TRIED_FOR = timedelta(hours=24)

MAX_TEXT = 4096
MAX_ID_LENGTH = 512
GLIMPSE_LENGTH = 200

# A business-scoped user id, by which WhatsApp names a user who shows no number
# (https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids).
USER_ID = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]{1,160}")
WHATSAPP = "whatsapp:"

Key = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,200}$")]


class MessageDirection(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"


class MessageState(StrEnum):
    """How far a message has come. Once it failed, it stays failed until it is sent anew."""

    RECEIVED = "received"
    """From the customer."""
    SENDING = "sending"
    UNCERTAIN = "uncertain"
    """Nobody knows whether WhatsApp took it; it tells if it did."""
    ACCEPTED = "accepted"
    """By WhatsApp."""
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"


class Delivery(StrEnum):
    """What WhatsApp tells of a message, but for its failure."""

    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    PLAYED = "played"
    DELETED = "deleted"
    WARNING = "warning"


# The furthest first.
REACHED = (
    (Delivery.PLAYED, MessageState.READ),
    (Delivery.READ, MessageState.READ),
    (Delivery.DELIVERED, MessageState.DELIVERED),
    (Delivery.SENT, MessageState.SENT),
)


class Template(Strict):
    """One that WhatsApp has approved; `parameters` stand for {{1}}, {{2}} … in its body."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,512}$")]
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(_[A-Z]{2})?$")] = "pt_BR"
    parameters: tuple[Annotated[str, StringConstraints(min_length=1, max_length=1024)], ...] = (
        Field(default=(), max_length=30)
    )


class MessageWish(Strict):
    """What an agent wants to say: a text of their own, or a template."""

    text: Annotated[str, StringConstraints(max_length=MAX_TEXT, pattern=r"\S")] | None = None
    template: Template | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.text is None) == (self.template is None):
            raise ValueError("either text or template is required")
        return self

    def digest_for(self, conversation: str) -> str:
        """By which a wish that is told again is known."""
        text = f"{conversation}\n{self.model_dump_json()}"
        return hashlib.sha256(text.encode()).hexdigest()


class Refusal(Frozen):
    """Why a message is not taken or delivered. `details` are WhatsApp's own words."""

    at: datetime
    code: int | None
    details: str = ""

    @property
    def explanation(self) -> Explanation:
        return explained(self.code)


class Told(Frozen):
    """What WhatsApp told of a message of ours: of each status, and of its failure, the earliest."""

    deliveries: Mapping[Delivery, datetime] = {}
    refusal: Refusal | None = None

    def __or__(self, other: "Told") -> "Told":
        both = [*self.deliveries.items(), *other.deliveries.items()]
        # The latest first, so that the earliest is left.
        earliest = dict(sorted(both, key=lambda each: each[1], reverse=True))
        refusals = [each.refusal for each in (self, other) if each.refusal]
        return Told(
            deliveries={status: earliest[status] for status in Delivery if status in earliest},
            refusal=min(
                refusals,
                key=lambda each: (each.at, each.code is not None, each.code or 0, each.details),
                default=None,
            ),
        )


class Target(Frozen):
    """A message that was sent; `attempt` counts from 1."""

    conversation: str
    ordinal: int
    attempt: int


class Register(Frozen):
    """What is known of an id of WhatsApp's. `target` is None until it is known whose it is: what
    is told of a message may come before the answer that says its id."""

    wamid: str
    told: Told = Told()
    target: Target | None = None
    revision: int = 0

    def with_news(self, told: Told, target: Target | None) -> "Register":
        return self.model_copy(update={"told": self.told | told, "target": self.target or target})


class Attempt(Frozen):
    """One order to WhatsApp; `wamid` is the id that it gave. `doubted` says that the answer to it
    is lost."""

    begun_at: datetime
    wamid: str | None = None
    told: Told = Told()
    doubted: bool = False

    @property
    def state(self) -> MessageState:
        if self.told.refusal:
            return MessageState.FAILED
        for delivery, state in REACHED:
            if delivery in self.told.deliveries:
                return state
        if self.wamid:
            return MessageState.ACCEPTED
        return MessageState.UNCERTAIN if self.doubted else MessageState.SENDING


class Message(Frozen):
    """`at` is WhatsApp's time of a customer's message, and the time at which one of ours was
    written; it never changes. `ordinal` counts the messages of a conversation as they arrive, and
    `inbound` those of the customer up to here.

    Of a customer's, `content` is what else WhatsApp told, in its own form. Ours have `attempts`.
    """

    message_id: str
    conversation: str
    direction: MessageDirection
    at: datetime
    ordinal: int = 0
    inbound: int = 0
    type: str
    text: str | None = None
    template: Template | None = None
    content: Mapping[str, Any] = {}
    wamid: str | None = None
    reply_to: str | None = None
    agent: str | None = None
    written_by: str | None = None
    attempts: tuple[Attempt, ...] = ()
    revision: int = 0

    @property
    def order(self) -> tuple[datetime, int]:
        """By which the messages of a conversation are shown."""
        return self.at, self.ordinal

    @property
    def state(self) -> MessageState:
        return self.attempts[-1].state if self.attempts else MessageState.RECEIVED

    @property
    def refusal(self) -> Refusal | None:
        """The last one; it stays, whatever comes after it."""
        refusals = [each.told.refusal for each in self.attempts if each.told.refusal]
        return refusals[-1] if refusals else None

    @property
    def provider_id(self) -> str | None:
        """As WhatsApp knows the message now."""
        return self.attempts[-1].wamid if self.attempts else self.wamid

    @property
    def has_arrived(self) -> bool:
        """Whether any attempt reached the customer, be it after it was told to have failed."""
        arrived = {Delivery.DELIVERED, Delivery.READ, Delivery.PLAYED}
        return any(arrived & each.told.deliveries.keys() for each in self.attempts)

    def told_at(self, delivery: Delivery) -> datetime | None:
        """Of the last attempt of which it was told."""
        times = [each.told.deliveries.get(delivery) for each in self.attempts]
        return next((at for at in reversed(times) if at), None)

    @property
    def retry_at(self) -> datetime | None:
        """When it is sent anew by itself; None where it is not."""
        if self.state is not MessageState.FAILED or self.has_arrived:
            return None
        last = self.attempts[-1]
        refusal = last.told.refusal
        if refusal is None or len(self.attempts) >= MAX_ATTEMPTS:
            return None
        explanation = refusal.explanation
        if not explanation.by_itself or explanation.retry_after is None:
            return None
        wait = timedelta(seconds=explanation.retry_after * PATIENCE ** (len(self.attempts) - 1))
        at = max(refusal.at, last.begun_at) + wait
        return at if at <= self.at + TRIED_FOR else None

    @property
    def check_at(self) -> datetime | None:
        """When somebody has to look after it, if nobody does by then."""
        if self.state is MessageState.SENDING:
            return self.attempts[-1].begun_at + SENT_WITHIN
        return self.retry_at

    def attempted(self, now: datetime) -> "Message":
        attempt = Attempt(begun_at=now)
        return self.model_copy(update={"attempts": (*self.attempts, attempt)})

    def doubted(self) -> "Message":
        """Whoever sent it last does not say what came of it, and nor does WhatsApp yet."""
        if self.state is not MessageState.SENDING:
            return self
        return self._with_attempt(len(self.attempts), {"doubted": True})

    def with_news(self, attempt: int, wamid: str | None, told: Told) -> "Message":
        """With what was learned of an attempt; learned again, it changes nothing."""
        before = self.attempts[attempt - 1]
        news = {"wamid": before.wamid or wamid, "told": before.told | told}
        return self._with_attempt(attempt, news)

    def _with_attempt(self, attempt: int, changes: Mapping[str, Any]) -> "Message":
        changed = self.attempts[attempt - 1].model_copy(update=changes)
        attempts = (*self.attempts[: attempt - 1], changed, *self.attempts[attempt:])
        return self.model_copy(update={"attempts": attempts})


class Contact(Frozen):
    """A customer as WhatsApp names them: `wa_id` is a number, and for Brazilian mobiles often one
    without the ninth digit; `user_id` stands for those who show none. Neither is ever rewritten.
    """

    number: str | None = None
    wa_id: str | None = None
    user_id: str | None = None
    name: str | None = None

    @property
    def conversation(self) -> str:
        """ "+551187654321", or "whatsapp:BR.13491208655302741918" for who shows no number."""
        if self.number:
            return match_key(self.number)
        return f"{WHATSAPP}{self.user_id or self.wa_id}"


class Glimpse(Frozen):
    """The last message of a conversation, cut short."""

    message_id: str
    direction: MessageDirection
    at: datetime
    ordinal: int
    type: str
    text: str | None


class Conversation(Frozen):
    """`arrivals` counts all messages, `inbound` the customer's, and `seen` those of them that were
    read here. `failed` says that our last message, `last_outbound`, failed. `agent` wrote last.
    """

    conversation: str
    number: str | None = None
    wa_id: str | None = None
    user_id: str | None = None
    name: str | None = None
    agent: str | None = None
    last_inbound_at: datetime | None = None
    named_at: datetime | None = None
    last_message: Glimpse | None = None
    last_outbound: int = 0
    failed: bool = False
    arrivals: int = 0
    inbound: int = 0
    seen: int = 0
    revision: int = 0

    @property
    def number_key(self) -> str | None:
        """The match key of the customer's number; None for a user who shows none."""
        return match_key(self.number) if self.number else None

    @property
    def last_at(self) -> datetime:
        """The time of the last message, of which there is one as soon as it is written."""
        return self.last_message.at if self.last_message else FIRST

    def suits(self, agent: str | None, failed: bool) -> bool:
        """Whether it is an agent's, and its last message failed, as far as that is asked."""
        return agent in (None, self.agent) and (self.failed or not failed)

    @property
    def unread(self) -> int:
        return self.inbound - self.seen

    @property
    def over_since(self) -> datetime | None:
        """None while it asks for somebody: who reads it, or writes again what failed."""
        return None if self.unread or self.failed else self.last_at

    @property
    def session_until(self) -> datetime | None:
        """Up to when the customer may be sent any text; None where they never wrote."""
        return self.last_inbound_at and self.last_inbound_at + SESSION

    def is_open(self, now: datetime) -> bool:
        return self.session_until is not None and now < self.session_until

    def numbered(self, message: Message) -> Message:
        """The message as the next of this conversation."""
        is_inbound = message.direction is MessageDirection.INBOUND
        return message.model_copy(
            update={
                "conversation": self.conversation,
                "ordinal": self.arrivals + 1,
                "inbound": self.inbound + is_inbound,
            }
        )

    def with_message(self, message: Message) -> "Conversation":
        """After the next message."""
        last = self.last_message
        if last is None or (last.at, last.ordinal) < message.order:
            last = Glimpse(
                message_id=message.message_id,
                direction=message.direction,
                at=message.at,
                ordinal=message.ordinal,
                type=message.type,
                text=message.text and message.text[:GLIMPSE_LENGTH],
            )
        changes = {"arrivals": message.ordinal, "inbound": message.inbound, "last_message": last}
        if message.direction is MessageDirection.OUTBOUND:
            changes |= {"agent": message.agent, "last_outbound": message.ordinal, "failed": False}
        return self.model_copy(update=changes)

    def with_contact(self, contact: Contact, at: datetime, opens_session: bool) -> "Conversation":
        """After a customer wrote. How the latest of their messages names them counts."""
        changes: dict[str, Any] = {}
        if opens_session:
            changes["last_inbound_at"] = max(at, self.last_inbound_at or at)
        if self.named_at is None or at >= self.named_at:
            told = {name: value for name, value in contact if value is not None}
            changes |= {**told, "named_at": at}
        return self.model_copy(update=changes)

    def with_change(self, message: Message) -> "Conversation":
        """After something was learned of one of its messages."""
        if message.ordinal != self.last_outbound:
            return self
        return self.model_copy(update={"failed": message.state is MessageState.FAILED})

    def read_up_to(self, message: Message | None) -> "Conversation":
        """All that came up to a message is read; None stands for the last."""
        seen = self.inbound if message is None else message.inbound
        return self.model_copy(update={"seen": max(seen, self.seen)})


def received_id(wamid: str) -> str:
    """The same for the same message of a customer alone."""
    return _digest(f"wamid\n{wamid}")


def sent_id(user: str, key: str) -> str:
    """The same for the same person and key alone."""
    return _digest(f"key\n{user}\n{key}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def tracker_of(message_id: str, attempt: int) -> str:
    """What WhatsApp is given along with a message, and says of it each time."""
    return f"retorno:{message_id}:{attempt}"


TRACKER = re.compile(r"retorno:([0-9a-f]{32}):([1-9])")


def tracked_by(tracker: str | None) -> tuple[str, int] | None:
    """The message and the attempt; None for what is not ours."""
    found = TRACKER.fullmatch(tracker or "")
    return (found[1], int(found[2])) if found else None


def contact_at(address: str, plan: NumberPlan) -> Contact | None:
    """Whom a written number is, in any form, or a "whatsapp:" and the id of a user; None where it
    is neither."""
    name = address.removeprefix(WHATSAPP)
    if name != address and USER_ID.fullmatch(name):
        return Contact(user_id=name)
    number = plan.parse(name)
    return Contact(number=number.e164) if number else None
