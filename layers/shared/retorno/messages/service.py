"""Conversations on WhatsApp: what customers write, what agents send, and what becomes of that."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from retorno.dialling.model import Asker
from retorno.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    RetornoError,
    SessionOver,
    Unavailable,
)
from retorno.frozen import Frozen
from retorno.kept_payloads import KeptPayloads
from retorno.messages import whatsapp
from retorno.messages.model import (
    Contact,
    Conversation,
    Glimpse,
    Message,
    MessageDirection,
    MessageState,
    MessageWish,
    Refusal,
    Register,
    Target,
    Told,
    contact_at,
    sent_id,
    tracked_by,
)
from retorno.messages.refusals import SESSION_OVER, explained
from retorno.messages.store import RECORD, Changed, ConversationPage, MessageStore, place_of
from retorno.messages.whatsapp_http import MessageRefused, MessageUncertain, WhatsApp
from retorno.observability import count, logger
from retorno.phone import NumberPlan
from retorno.secrets import credential
from retorno.settings import InboxSettings, MessageSettings, SendMessageSettings

# Each loser of a race looks again at what the winner wrote; so many losses are no race.
MAX_LOOKS = 50

# How many messages one run looks after, and for how long it begins with another: sending one takes
# 13 seconds at most. The next run takes the rest.
CHECK_LIMIT = 500
CHECK_SECONDS = 12.0

NO_PLACE = "-"

# An answer of Lambda's is 6 MB, and a character as many as 12 bytes of it.
PAGE_CHARACTERS = 400_000


class Deliveries:
    """Brings what WhatsApp tells of an id of its own to the message that has it.

    It may be told before the answer that says which message that is. So both write into the id's
    register first, and then look what it holds: whoever comes second sees the other.
    """

    def __init__(self, store: MessageStore) -> None:
        self._store = store

    def tell(self, wamid: str, told: Told, target: Target | None, now: datetime) -> bool:
        """Told again, or in another order, it comes to the same. Says whether it is known by now
        of which message it was told. Raises Unavailable.
        """
        register = self._noted(wamid, told, target, now)
        if register.target:
            self.learn(register.target, wamid, register.told)
        return register.target is not None

    def target_of(self, tracker: str | None) -> Target | None:
        """The attempt that was sent along with a word of ours. Raises Unavailable."""
        tracked = tracked_by(tracker)
        claim = self._store.claim(tracked[0]) if tracked else None
        if tracked is None or claim is None:
            return None
        return Target(conversation=claim.conversation, ordinal=claim.ordinal, attempt=tracked[1])

    def learn(self, target: Target, wamid: str | None, told: Told) -> Message | None:
        """The message with what was learned of an attempt. Raises Unavailable."""

        def with_news(message: Message) -> Message:
            if target.attempt > len(message.attempts):
                return message
            return message.with_news(target.attempt, wamid, told)

        return self.change(target.conversation, target.ordinal, with_news)

    def change(
        self, conversation: str, ordinal: int, changed: Callable[[Message], Message]
    ) -> Message | None:
        """The message as it is then; None where there is none. Raises Unavailable."""
        for _ in range(MAX_LOOKS):
            before = self._store.message(conversation, ordinal)
            after = changed(before) if before else None
            if before is None or after is None or after == before:
                return before
            try:
                return self._store.save(after, self._affected(before, after))
            except Changed:
                continue
        raise Unavailable("the message is being written by too many at once")

    def _affected(self, before: Message, after: Message) -> Conversation | None:
        """The conversation, where it is another because of a message."""
        if (before.state is MessageState.FAILED) == (after.state is MessageState.FAILED):
            return None
        conversation = self._store.conversation(after.conversation)
        changed = conversation and conversation.with_change(after)
        return None if changed == conversation else changed

    def _noted(self, wamid: str, told: Told, target: Target | None, now: datetime) -> Register:
        for _ in range(MAX_LOOKS):
            before = self._store.register(wamid) or Register(wamid=wamid)
            after = before.with_news(told, target)
            if after == before:
                return before
            try:
                self._store.save_register(after, now)
            except Changed:
                continue
            return after
        raise Unavailable("the message is being told of by too many at once")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a webhook: messages that are new, statuses that were taken, of which some are
    of messages that nobody knows, or not yet, and what is kept as it came."""

    received: int
    statuses: int
    unknown: int
    kept: int


class Inbox:
    """Takes what WhatsApp tells. Whatever fails makes it tell again, and nothing is taken twice."""

    def __init__(
        self, store: MessageStore, deliveries: Deliveries, kept: KeptPayloads, plan: NumberPlan
    ) -> None:
        self._store = store
        self._deliveries = deliveries
        self._kept = kept
        self._plan = plan

    def take(self, payload: bytes, now: datetime) -> Receipt:
        """A webhook that was verified. What cannot be read of it is kept.

        Raises InvalidInput where that is all of it; Unavailable.
        """
        try:
            reading = whatsapp.read(payload, self._plan, now)
        except InvalidInput:
            self._kept.keep(whatsapp.NAME, payload, now)
            raise
        if reading.unread:
            self._kept.keep(whatsapp.NAME, reading.unread, now)
        receipt = self._write(reading, now)
        count("MessagesReceived", receipt.received)
        count("UnknownValues", receipt.kept)
        return receipt

    def replay(self, now: datetime) -> Mapping[str, int]:
        """Takes again what was kept, and drops what can be read by now. Raises Unavailable."""
        read = still_unreadable = 0
        for key in list(self._kept.keys(whatsapp.NAME)):
            try:
                reading = whatsapp.read(self._kept.read(key), self._plan, now)
            except InvalidInput:
                still_unreadable += 1
                continue
            self._write(reading, now)
            if reading.left:
                still_unreadable += 1
            else:
                self._kept.drop(key)
                read += 1
        return {"read": read, "still_unreadable": still_unreadable}

    def _write(self, reading: whatsapp.Reading, now: datetime) -> Receipt:
        new = [self._receive(each) for each in reading.received]
        known = [self._tell(each, now) for each in reading.statuses]
        return Receipt(new.count(True), len(known), known.count(False), reading.left)

    def _receive(self, received: whatsapp.Received) -> bool:
        """Says whether the message is a new one."""
        message, contact = received.message, received.contact
        where = _where(self._store, contact)
        for _ in range(MAX_LOOKS):
            before = self._store.conversation(where) or Conversation(conversation=where)
            if contact.number and contact.user_id and contact.user_id != before.user_id:
                self._store.save_alias(contact.user_id, where)
            numbered = before.numbered(message)
            after = before.with_message(numbered).with_contact(
                contact, message.at, received.opens_session
            )
            try:
                self._store.add(after, numbered)
            except Changed:
                if self._store.claim(message.message_id):
                    return False
                continue
            return True
        raise Unavailable("the conversation is being written by too many at once")

    def _tell(self, status: whatsapp.Status, now: datetime) -> bool:
        target = self._deliveries.target_of(status.tracker)
        return self._deliveries.tell(status.wamid, status.told, target, now)


class Outbox:
    """Sends messages to customers, each once.

    A message is written before WhatsApp is asked. Whoever then dies, or gets no answer, leaves it
    uncertain: it is never sent again for that, and WhatsApp's statuses tell if it was taken.
    `client` is asked for each time: what it needs may be set, or changed, meanwhile.
    """

    def __init__(
        self,
        store: MessageStore,
        deliveries: Deliveries,
        client: Callable[[], WhatsApp],
        plan: NumberPlan,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._deliveries = deliveries
        self._client = client
        self._plan = plan
        self._stopwatch = stopwatch

    def send(
        self, address: str, wish: MessageWish, key: str, asker: Asker, now: datetime
    ) -> Message:
        """Sends a message, or says what has become of it: the same person's same key is the same
        message. What WhatsApp refuses comes back as failed, now or later.

        Raises InvalidInput; SessionOver for a free text that needs a session; Conflict where
        WhatsApp is not set up; Unavailable.
        """
        contact = _contact(address, self._plan)
        conversation = _where(self._store, contact)
        message_id = sent_id(asker.name, key)
        digest = wish.digest_for(conversation)
        for _ in range(MAX_LOOKS):
            claim = self._store.claim(message_id)
            if claim:
                if claim.digest != digest:
                    raise InvalidInput("Idempotency-Key", "was used for another request")
                return _there(self._store.message(claim.conversation, claim.ordinal))
            client = self._client()
            before = self._store.conversation(conversation) or Conversation(
                conversation=conversation, number=contact.number, user_id=contact.user_id
            )
            if wish.template is None and not before.is_open(now):
                raise session_over(before)
            numbered = before.numbered(_written(message_id, conversation, wish, asker, now))
            after = before.with_message(numbered)
            try:
                written = self._store.add(after, numbered, digest)
            except Changed:
                continue
            return self._send(client, written, after, now)
        raise Unavailable("the conversation is being written by too many at once")

    def check(self, now: datetime) -> None:
        """Sends anew what is due, and gives up on those whose sender died.

        Raises Unavailable once all were looked at, if some could not be.
        """
        until = self._stopwatch() + CHECK_SECONDS
        failed = 0
        for conversation, ordinal in self._store.to_check(now, CHECK_LIMIT):
            if self._stopwatch() > until:
                break
            try:
                self._look_after(conversation, ordinal, now)
            except RetornoError:
                logger.exception("a message could not be looked after")
                failed += 1
        if failed:
            raise Unavailable(f"{failed} messages could not be looked after")

    def _look_after(self, conversation: str, ordinal: int, now: datetime) -> None:
        message = self._store.message(conversation, ordinal)
        # The index may be behind.
        if message is None or message.check_at is None or message.check_at > now:
            return
        if message.state is MessageState.SENDING:
            self._doubt(message)
            count("MessagesUncertain")
            return
        self._send_anew(message, now)

    def _send_anew(self, message: Message, now: datetime) -> None:
        conversation = self._store.conversation(message.conversation)
        if conversation is None:
            return
        client = self._client()
        attempt = message.attempted(now)
        if message.template is None and not conversation.is_open(now):
            over = Told(refusal=Refusal(at=now, code=SESSION_OVER))
            attempt = attempt.with_news(len(attempt.attempts), None, over)
        try:
            changed = conversation.with_change(attempt)
            mine = self._store.save(attempt, None if changed == conversation else changed)
        except Changed:
            return
        if mine.state is MessageState.SENDING:
            self._send(client, mine, conversation, now)

    def _send(
        self, client: WhatsApp, message: Message, conversation: Conversation, now: datetime
    ) -> Message:
        target = Target(
            conversation=message.conversation,
            ordinal=message.ordinal,
            attempt=len(message.attempts),
        )
        try:
            wamid = client.send(whatsapp.order_of(message, conversation), now)
        except MessageRefused as refused:
            return _there(self._deliveries.learn(target, None, Told(refusal=refused.refusal)))
        except MessageUncertain:
            return self._doubt(message)
        self._deliveries.tell(wamid, Told(), target, now)
        return _there(self._store.message(message.conversation, message.ordinal))

    def _doubt(self, message: Message) -> Message:
        """Nobody else sends this attempt, so that it is in doubt for good, until WhatsApp tells."""
        attempts = len(message.attempts)
        return _there(
            self._deliveries.change(
                message.conversation,
                message.ordinal,
                lambda found: found.doubted() if len(found.attempts) == attempts else found,
            )
        )


def _written(
    message_id: str, conversation: str, wish: MessageWish, asker: Asker, now: datetime
) -> Message:
    return Message(
        message_id=message_id,
        conversation=conversation,
        direction=MessageDirection.OUTBOUND,
        at=now,
        type="text" if wish.template is None else "template",
        text=wish.text,
        template=wish.template,
        agent=asker.agent,
        written_by=asker.name,
    ).attempted(now)


def session_over(conversation: Conversation) -> SessionOver:
    explanation = explained(SESSION_OVER)
    return SessionOver(
        SESSION_OVER,
        conversation.session_until,
        explanation.reason.model_dump(),
        explanation.what_to_do.model_dump(),
    )


@dataclass(frozen=True, slots=True)
class Position:
    """How far the messages of a conversation are read: all of the first `arrived` up to a `place`
    in the order of time, or without a place all of those."""

    arrived: int
    place: str | None = None

    @classmethod
    def read(cls, written: Mapping[str, str]) -> Self:
        """Raises InvalidInput."""
        if not written["arrived"].isdecimal():
            raise InvalidInput("cursor", "is none that this API gave")
        place = written["place"]
        return cls(int(written["arrived"]), None if place == NO_PLACE else place)

    @property
    def written(self) -> Mapping[str, str]:
        return {"arrived": str(self.arrived), "place": self.place or NO_PLACE}


@dataclass(frozen=True, slots=True)
class MessagePage:
    """`next_start` is None when all is read that is there; then `later` is where what comes from
    now on begins."""

    messages: Sequence[Message]
    next_start: Position | None
    later: Position | None


class ConversationSummary(Frozen):
    """What a conversation is now, in short."""

    conversation: str
    number: str | None
    name: str | None
    agent: str | None
    unread: int
    failed: bool
    session_until: datetime | None
    last_message: Glimpse | None
    revision: int


class Conversations:
    """Conversations as agents see them. An address is a number in any written form, or "whatsapp:"
    and the id of a user who shows none."""

    def __init__(self, store: MessageStore, plan: NumberPlan) -> None:
        self._store = store
        self._plan = plan

    @staticmethod
    def told_of(keys: Mapping[str, str]) -> str | None:
        """The conversation whose own item has these keys; None where they are of something else."""
        return keys["conversation"] if keys["entry"] == RECORD else None

    def summary(self, conversation: str) -> ConversationSummary | None:
        """As it is at this moment; None where nobody has written yet. Raises Unavailable."""
        found = self._store.conversation(conversation)
        return ConversationSummary.model_validate(found, from_attributes=True) if found else None

    def one(self, address: str) -> Conversation:
        """Raises InvalidInput, NotFound, Unavailable."""
        found = self._store.conversation(self.at(address))
        if found is None:
            raise NotFound("there is no such conversation")
        return found

    def page(
        self, agent: str | None, failed: bool, limit: int, start: Mapping[str, str] | None
    ) -> ConversationPage:
        """Those with the latest message first. Raises Unavailable."""
        return self._store.page(agent, failed, limit, start)

    def of_numbers(
        self, number_keys: Iterable[str], agent: str | None, failed: bool
    ) -> list[Conversation]:
        """Of match keys, all that suit, those with the latest message first. Raises Unavailable."""
        found = self._store.conversations(number_keys)
        suiting = [each for each in found if each.suits(agent, failed)]
        return sorted(suiting, key=lambda each: each.last_at, reverse=True)

    def message(self, address: str, message_id: str) -> Message:
        """Raises InvalidInput, NotFound, Unavailable."""
        claim = self._store.claim(message_id)
        if claim is None or claim.conversation != self.at(address):
            raise NotFound("there is no such message")
        return _there(self._store.message(claim.conversation, claim.ordinal))

    def messages(
        self, conversation: str, limit: int, start: Position | None, newest_first: bool
    ) -> MessagePage:
        """Messages in the order of WhatsApp's time, and then of arrival.

        First those that have arrived when the reading begins; then, by the order of their arrival,
        as many at a time as a page takes, those that have arrived since, in the same order each
        time. So each is shown once, however late it comes. Raises Unavailable.
        """
        found = self._store.conversation(conversation)
        arrivals = found.arrivals if found else 0
        start = start or Position(arrivals, "")
        if start.place is not None:
            return self._by_time(conversation, start, arrivals, limit, newest_first)
        reached = max(start.arrived, min(start.arrived + limit, arrivals))
        came = _fitting(self._store.by_arrival(conversation, start.arrived, reached))
        reached = came[-1].ordinal if came else reached
        came.sort(key=lambda each: each.order, reverse=newest_first)
        return _page(came, reached, arrivals)

    def _by_time(
        self, conversation: str, start: Position, arrivals: int, limit: int, newest_first: bool
    ) -> MessagePage:
        some = self._store.by_time(
            conversation, start.arrived, start.place, limit + 1, newest_first
        )
        messages = _fitting(some[:limit])
        if len(messages) < len(some):
            return MessagePage(messages, Position(start.arrived, place_of(messages[-1])), None)
        return _page(messages, start.arrived, arrivals)

    def read(self, address: str, message_id: str | None) -> Conversation:
        """A person has read all up to a message, or up to the last. Raises InvalidInput, NotFound,
        Unavailable."""
        up_to = self.message(address, message_id) if message_id else None
        for _ in range(MAX_LOOKS):
            before = self.one(address)
            after = before.read_up_to(up_to)
            if after == before:
                return before
            try:
                self._store.save_conversation(after)
            except Changed:
                continue
            return after
        raise Unavailable("the conversation is being written by too many at once")

    def at(self, address: str) -> str:
        """Which conversation an address is of. Raises InvalidInput, Unavailable."""
        return _where(self._store, _contact(address, self._plan))


def _page(messages: Sequence[Message], reached: int, arrivals: int) -> MessagePage:
    """The last one of those that had arrived when `reached` had."""
    rest = Position(reached)
    return MessagePage(messages, *((rest, None) if reached < arrivals else (None, rest)))


def _fitting(messages: list[Message]) -> list[Message]:
    """As many of the first as an answer of Lambda's holds, but at least one."""
    size = 0
    for before, message in enumerate(messages):
        size += len(message.text or "") + len(str(message.content))
        if size > PAGE_CHARACTERS:
            return messages[: max(1, before)]
    return messages


def _contact(address: str, plan: NumberPlan) -> Contact:
    contact = contact_at(address, plan)
    if contact is None:
        raise InvalidInput("number", "is neither a phone number nor a user of WhatsApp")
    return contact


def _where(store: MessageStore, contact: Contact) -> str:
    """The conversation of a contact. Who once showed their number goes on in the same one."""
    if contact.number or not contact.user_id:
        return contact.conversation
    return store.conversation_of_user(contact.user_id) or contact.conversation


def _there(message: Message | None) -> Message:
    if message is None:
        raise Unavailable("the message is not there")
    return message


def whatsapp_client(settings: SendMessageSettings) -> WhatsApp:
    """Raises Conflict where what it needs is not set; Unavailable."""
    if settings.whatsapp_phone_number_id is None:
        raise Conflict("WhatsApp is not set up to send messages: see docs/messages.md")
    return WhatsApp(
        settings.whatsapp_url,
        settings.whatsapp_phone_number_id,
        credential(settings.whatsapp_secret, "access_token"),
    )


def inbox(settings: InboxSettings) -> Inbox:
    store = MessageStore(settings.messages_table, settings.messages_kept_days)
    return Inbox(
        store, Deliveries(store), KeptPayloads(settings.kept_payloads_bucket), settings.number_plan
    )


def outbox(settings: SendMessageSettings) -> Outbox:
    store = MessageStore(settings.messages_table, settings.messages_kept_days)
    return Outbox(store, Deliveries(store), lambda: whatsapp_client(settings), settings.number_plan)


def conversations(settings: MessageSettings) -> Conversations:
    return Conversations(
        MessageStore(settings.messages_table, settings.messages_kept_days), settings.number_plan
    )
