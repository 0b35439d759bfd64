"""The messages table: conversations, what is said in each, and what WhatsApp tells of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import uuid4

from pydantic import BaseModel
from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection, LocalSecondaryIndex

from retorno.dynamodb import (
    Refused,
    RefusedTogether,
    Write,
    assign,
    bind,
    unavailable_on_trouble,
    update,
    write_together,
)
from retorno.frozen import Frozen
from retorno.messages.model import WHATSAPP, Conversation, Message, Register
from retorno.retention import KeptItem, expiry
from retorno.times import stamp

RECORD = "record"
MESSAGE = "message#"
CLAIM = "claim"
TOLD = "told"
ALIAS = "alias"

TO_CHECK = "message"
LISTED = "conversation"

# What is told of a message that nobody here sent is forgotten; WhatsApp tells again for 7 days.
UNCLAIMED_DAYS = 30

ModelT = TypeVar("ModelT", bound=BaseModel)


class ByTime(LocalSecondaryIndex["MessageItem"]):
    class Meta:
        index_name = "by_time"
        projection = KeysOnlyProjection()

    conversation = UnicodeAttribute(hash_key=True)
    place = UnicodeAttribute(range_key=True)


class ByActivity(GlobalSecondaryIndex["MessageItem"]):
    class Meta:
        index_name = "by_activity"
        projection = KeysOnlyProjection()

    listed = UnicodeAttribute(hash_key=True)
    last_at = UnicodeAttribute(range_key=True)


class ByAgent(GlobalSecondaryIndex["MessageItem"]):
    class Meta:
        index_name = "by_agent"
        projection = KeysOnlyProjection()

    agent = UnicodeAttribute(hash_key=True)
    last_at = UnicodeAttribute(range_key=True)


class ByFailure(GlobalSecondaryIndex["MessageItem"]):
    class Meta:
        index_name = "by_failure"
        projection = KeysOnlyProjection()

    failing = UnicodeAttribute(hash_key=True)
    last_at = UnicodeAttribute(range_key=True)


class ByCheck(GlobalSecondaryIndex["MessageItem"]):
    class Meta:
        index_name = "by_check"
        projection = KeysOnlyProjection()

    to_check = UnicodeAttribute(hash_key=True)
    check_at = UnicodeAttribute(range_key=True)


class MessageItem(KeptItem):
    """`conversation` and `entry` are

    - `+551187654321`, or `whatsapp:BR.13491208655302741918`, and `record`: a conversation.
    - the same, and `message#000000000017`: its seventeenth message.
    - `id:5feceb66ffc86f38d952786c6d696c79`, `claim`: which message of which conversation has that
      id, so that the same one is not written twice.
    - `wamid:wamid.HBgM…`, `told`: what WhatsApp told of an id of its own, and whose it is.
    - `whatsapp:BR.13491208655302741918`, `alias`: the conversation of a user who once showed their
      number.
    """

    conversation = UnicodeAttribute(hash_key=True)
    entry = UnicodeAttribute(range_key=True)
    # Counts the writes of this item: a change holds only if nobody wrote since it was read.
    revision = NumberAttribute()
    # A random name of the write that is here now, by which its writer knows it.
    written_by = UnicodeAttribute()
    body = UnicodeAttribute()

    # For the indexes alone: "2026-03-02T13:04:05.000000Z 000000000017", TO_CHECK where there is a
    # check_at, LISTED and for a conversation that failed `failing`, too.
    place = UnicodeAttribute(null=True)
    to_check = UnicodeAttribute(null=True)
    check_at = UnicodeAttribute(null=True)
    listed = UnicodeAttribute(null=True)
    agent = UnicodeAttribute(null=True)
    failing = UnicodeAttribute(null=True)
    last_at = UnicodeAttribute(null=True)

    by_time = ByTime()
    by_activity = ByActivity()
    by_agent = ByAgent()
    by_failure = ByFailure()
    by_check = ByCheck()

    def kept_from(self, now: datetime) -> datetime | None:
        if self.entry == RECORD:
            return Conversation.model_validate_json(self.body).over_since
        if self.entry.startswith(MESSAGE):
            return Message.model_validate_json(self.body).at
        # Whose a user's conversation is stays known.
        return None if self.entry == ALIAS else now


class Claim(Frozen):
    """`digest` says what was asked for under a key; empty for a customer's message."""

    conversation: str
    ordinal: int
    digest: str = ""


class Changed(Exception):
    """Somebody else wrote what was read, or has that message."""


@dataclass(frozen=True, slots=True)
class ConversationPage:
    """Conversations, those with the latest message first, and where the next page begins; None at
    the end."""

    conversations: Sequence[Conversation]
    next_start: Mapping[str, str] | None


class MessageStore:
    def __init__(self, table_name: str, kept_days: int = 0) -> None:
        self._item = bind(MessageItem, table_name)
        self._kept_days = kept_days

    # --- What there is, as it is at this moment. All raise Unavailable ----------------------------

    def conversation(self, conversation: str) -> Conversation | None:
        return self._get(Conversation, conversation, RECORD)

    def message(self, conversation: str, ordinal: int) -> Message | None:
        return self._get(Message, conversation, _entry(ordinal))

    def claim(self, message_id: str) -> Claim | None:
        return self._get(Claim, _claim_key(message_id), CLAIM)

    def register(self, wamid: str) -> Register | None:
        return self._get(Register, _wamid_key(wamid), TOLD)

    def conversation_of_user(self, user_id: str) -> str | None:
        """Where a user writes who once showed their number."""
        found = self._item_at(f"{WHATSAPP}{user_id}", ALIAS)
        return found.body if found else None

    def by_arrival(self, conversation: str, after: int, up_to: int) -> list[Message]:
        """Those that arrived between, the last of them included, in the order of arrival."""
        if after >= up_to:
            return []
        between = self._item.entry.between(_entry(after + 1), _entry(up_to))
        with unavailable_on_trouble():
            found = self._item.query(conversation, between, consistent_read=True)
            return [Message.model_validate_json(item.body) for item in found]

    def by_time(
        self, conversation: str, up_to: int, start: str | None, limit: int, newest_first: bool
    ) -> list[Message]:
        """Of those that had arrived by then, the next ones after a place in the order of time."""
        place = self._item.place
        after = (place < start if newest_first else place > start) if start else None
        entries: list[str] = []
        with unavailable_on_trouble():
            found = self._item.by_time.query(
                conversation,
                after,
                consistent_read=True,
                scan_index_forward=not newest_first,
                page_size=limit,
            )
            for item in found:
                if item.entry <= _entry(up_to):
                    entries.append(item.entry)
                if len(entries) == limit:
                    break
        return self._many(Message, ((conversation, entry) for entry in entries))

    def to_check(self, now: datetime, limit: int) -> list[tuple[str, int]]:
        """Conversation and ordinal of messages to be looked after by now, the longest due first."""
        with unavailable_on_trouble():
            found = self._item.by_check.query(
                TO_CHECK, self._item.check_at <= stamp(now), limit=limit, page_size=limit
            )
            return [(item.conversation, int(item.entry.removeprefix(MESSAGE))) for item in found]

    def page(
        self, agent: str | None, failed: bool, limit: int, start: Mapping[str, str] | None
    ) -> ConversationPage:
        """Those of an agent, and those whose last message of ours failed, where that is asked.

        A page may be short, or empty, and there are more.
        """
        index: Any
        if agent is not None:
            index, name, shelf = self._item.by_agent, "agent", agent
        elif failed:
            index, name, shelf = self._item.by_failure, "failing", LISTED
        else:
            index, name, shelf = self._item.by_activity, "listed", LISTED
        key = {name: shelf, "entry": RECORD, **(start or {})}
        with unavailable_on_trouble():
            found = index.query(
                shelf,
                scan_index_forward=False,
                limit=limit,
                page_size=limit,
                last_evaluated_key={each: {"S": key[each]} for each in key} if start else None,
            )
            conversations = [item.conversation for item in found]
        last = found.last_evaluated_key
        return ConversationPage(
            [each for each in self.conversations(conversations) if each.suits(agent, failed)],
            {each: last[each]["S"] for each in ("conversation", "last_at")} if last else None,
        )

    def conversations(self, conversations: Iterable[str]) -> list[Conversation]:
        """Those that there are, in that order."""
        return self._many(Conversation, ((each, RECORD) for each in conversations))

    def _get(self, kind: type[ModelT], key: str, entry: str) -> ModelT | None:
        found = self._item_at(key, entry)
        return kind.model_validate_json(found.body) if found else None

    def _item_at(self, key: str, entry: str) -> MessageItem | None:
        with unavailable_on_trouble():
            try:
                return self._item.get(key, entry, consistent_read=True)
            except self._item.DoesNotExist:
                return None

    def _many(self, kind: type[ModelT], keys: Iterable[tuple[str, str]]) -> list[ModelT]:
        wanted = list(keys)
        with unavailable_on_trouble():
            found = self._item.batch_get(wanted, consistent_read=True) if wanted else []
            bodies = {(item.conversation, item.entry): item.body for item in found}
        return [kind.model_validate_json(bodies[key]) for key in wanted if key in bodies]

    # --- What is erased ---------------------------------------------------------------------------

    def all_messages(self, conversation: str) -> Iterator[Message]:
        """In the order of arrival, as they are at this moment. Raises Unavailable."""
        begins = self._item.entry.startswith(MESSAGE)
        with unavailable_on_trouble():
            for item in self._item.query(conversation, begins, consistent_read=True):
                yield Message.model_validate_json(item.body)

    def kept(self, conversation: str) -> Iterator[KeptItem]:
        """A conversation with all that leads to its messages, as it is at this moment. Raises
        Unavailable.
        """
        with unavailable_on_trouble():
            for item in self._item.query(conversation, consistent_read=True):
                yield item
                if item.entry.startswith(MESSAGE):
                    message = Message.model_validate_json(item.body)
                    yield from self._item.batch_get(_leading_to(message), consistent_read=True)

    def forget_message(self, message: Message) -> None:
        """With all that leads to it, which is found by it alone. Raises Unavailable."""
        for key in [*_leading_to(message), (message.conversation, _entry(message.ordinal))]:
            with unavailable_on_trouble():
                self._item(*key).delete()

    def forget(self, conversation: Conversation) -> None:
        """With the alias of its user. Raises Changed where a message came since it was read;
        Unavailable.
        """
        aliases = [f"{WHATSAPP}{conversation.user_id}"] if conversation.user_id else []
        unchanged = self._item.revision == conversation.revision
        record = Write(self._item(conversation.conversation, RECORD), unchanged, delete=True)
        self._together(record, *(Write(self._item(alias, ALIAS), delete=True) for alias in aliases))

    # --- What is written, all of it or nothing ----------------------------------------------------

    def add(self, conversation: Conversation, message: Message, digest: str = "") -> Message:
        """Writes a conversation with its next message, which comes back as it is written then.

        Raises Changed, Unavailable.
        """
        written = message.model_copy(update={"revision": 1})
        claim = Claim(conversation=message.conversation, ordinal=message.ordinal, digest=digest)
        expires_at = expiry(message.at, self._kept_days)
        key = _claim_key(message.message_id)
        taken = self._put(key, CLAIM, claim, 1, expires_at=expires_at)
        first = self._item.conversation.does_not_exist()
        self._together(
            Write(taken, first), Write(self._message_item(written)), self._record(conversation)
        )
        return written

    def save(self, message: Message, conversation: Conversation | None) -> Message:
        """The message as it is written then; with its conversation, where that changes, too.

        Raises Changed where somebody wrote either since it was read; Unavailable.
        """
        written = message.model_copy(update={"revision": message.revision + 1})
        item = self._message_item(written)
        if conversation is None:
            self._update(item, message.revision)
        else:
            unchanged = self._item.revision == message.revision
            self._together(Write(item, unchanged), self._record(conversation))
        return written

    def save_conversation(self, conversation: Conversation) -> None:
        """Raises Changed, Unavailable."""
        self._together(self._record(conversation))

    def save_register(self, register: Register, now: datetime) -> None:
        """Raises Changed where somebody wrote it since it was read; Unavailable."""
        written = register.model_copy(update={"revision": register.revision + 1})
        kept_days = self._kept_days if register.target else UNCLAIMED_DAYS
        item = self._put(
            _wamid_key(register.wamid),
            TOLD,
            written,
            written.revision,
            expires_at=expiry(now, kept_days),
        )
        self._update(item, register.revision)

    def save_alias(self, user_id: str, conversation: str) -> None:
        """Written again it is the same. Raises Unavailable."""
        with unavailable_on_trouble():
            self._item(
                f"{WHATSAPP}{user_id}", ALIAS, revision=1, written_by=ALIAS, body=conversation
            ).save()

    def _record(self, conversation: Conversation) -> Write[MessageItem]:
        """A conversation, if nobody wrote it since it was read."""
        item = self._item
        written = conversation.model_copy(update={"revision": conversation.revision + 1})
        record = self._put(
            conversation.conversation,
            RECORD,
            written,
            written.revision,
            listed=LISTED,
            agent=conversation.agent,
            failing=LISTED if conversation.failed else None,
            last_at=stamp(conversation.last_at),
            expires_at=expiry(conversation.over_since, self._kept_days),
        )
        unchanged: Condition = (
            item.revision == conversation.revision
            if conversation.revision
            else item.conversation.does_not_exist()
        )
        return Write(record, unchanged)

    def _message_item(self, message: Message) -> MessageItem:
        check_at = message.check_at
        return self._put(
            message.conversation,
            _entry(message.ordinal),
            message,
            message.revision,
            place=place_of(message),
            check_at=stamp(check_at) if check_at else None,
            to_check=TO_CHECK if check_at else None,
            expires_at=expiry(message.at, self._kept_days),
        )

    def _put(
        self, key: str, entry: str, body: BaseModel, revision: int, **indexed: Any
    ) -> MessageItem:
        text = body.model_dump_json(exclude_defaults=True)
        return self._item(
            key, entry, revision=revision, written_by=uuid4().hex, body=text, **indexed
        )

    def _update(self, item: MessageItem, before: int) -> None:
        kind = type(item)
        unchanged: Condition = (
            kind.revision == before if before else kind.conversation.does_not_exist()
        )
        names = [name for name in kind.get_attributes() if name not in ("conversation", "entry")]
        values = {name: getattr(item, name) for name in names}
        try:
            update(kind(item.conversation, item.entry), assign(kind, values), unchanged)
        except Refused as refusal:
            # A write whose answer was lost is sent again, and finds itself in its way.
            found = refusal.item
            if not isinstance(found, MessageItem) or found.written_by != item.written_by:
                raise Changed from None

    @staticmethod
    def _together(*writes: Write[MessageItem]) -> None:
        try:
            write_together(writes)
        except RefusedTogether:
            raise Changed from None


def _leading_to(message: Message) -> list[tuple[str, str]]:
    """The keys of whatever tells where a message is."""
    wamids = {message.wamid, *(attempt.wamid for attempt in message.attempts)}
    told = [(_wamid_key(wamid), TOLD) for wamid in sorted(filter(None, wamids))]
    return [(_claim_key(message.message_id), CLAIM), *told]


def place_of(message: Message) -> str:
    """Where a message stands in the order of time."""
    return f"{stamp(message.at)} {message.ordinal:012}"


def _entry(ordinal: int) -> str:
    return f"{MESSAGE}{ordinal:012}"


def _claim_key(message_id: str) -> str:
    return f"id:{message_id}"


def _wamid_key(wamid: str) -> str:
    return f"wamid:{wamid}"
