"""Where calls are: the table of their facts, and the queue of those that it did not take."""

import functools
import hashlib
import json
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection
from pynamodb.models import Model

from retorno import aws
from retorno.calls.model import (
    LATEST_COUNTS,
    Fact,
    Facts,
    Note,
    agent_of,
    first_told,
    merge,
    number_key_of,
    started_at,
)
from retorno.dynamodb import PreparedUpdate, Refused, assign, bind, unavailable_on_trouble, update
from retorno.errors import InvalidInput, NotFound, Unavailable
from retorno.retention import KeptItem, expiring, expiry
from retorno.times import Period, read_stamp, stamp

# Each loser of a race tries again with what the winner wrote; so many losses are no race.
MAX_ATTEMPTS = 50

STARTED_AT, NUMBER_KEY, AGENT, EXPIRES_AT = "started_at", "number_key", "agent", "expires_at"

# What these mean depends on other facts, so a call that has one is written whole.
INTERPLAY = frozenset({Fact.LEFT_QUEUE, Fact.CLOSED, Fact.LEG_NUMBER})


class ByNumber(GlobalSecondaryIndex["CallItem"]):
    class Meta:
        index_name = "by_number"
        projection = KeysOnlyProjection()

    number_key = UnicodeAttribute(hash_key=True)
    started_at = UnicodeAttribute(range_key=True)


class ByAgent(GlobalSecondaryIndex["CallItem"]):
    class Meta:
        index_name = "by_agent"
        projection = KeysOnlyProjection()

    agent = UnicodeAttribute(hash_key=True)
    started_at = UnicodeAttribute(range_key=True)


class CallItem(KeptItem):
    """One call. Its key is the call's id alone: many events tell nothing else of it.

    `call_id` "1546015415.757927", and a register for each fact known, such as `answered`
    "2026-03-02T13:04:05.000000Z".
    """

    call_id = UnicodeAttribute(hash_key=True)
    revision = NumberAttribute(default=0)

    provider = UnicodeAttribute(null=True)
    direction = UnicodeAttribute(null=True)
    caller = UnicodeAttribute(null=True)
    callee = UnicodeAttribute(null=True)
    number = UnicodeAttribute(null=True)
    leg_number = UnicodeAttribute(null=True)
    queue = UnicodeAttribute(null=True)
    branch = UnicodeAttribute(null=True)
    campaign = UnicodeAttribute(null=True)
    trunk = UnicodeAttribute(null=True)
    assigned_agent = UnicodeAttribute(null=True)
    answering_agent = UnicodeAttribute(null=True)
    answered_by = UnicodeAttribute(null=True)
    queued = UnicodeAttribute(null=True)
    ringing = UnicodeAttribute(null=True)
    answered = UnicodeAttribute(null=True)
    ended = UnicodeAttribute(null=True)
    last_queued = UnicodeAttribute(null=True)
    left_queue = UnicodeAttribute(null=True)
    closed = UnicodeAttribute(null=True)
    disposition = UnicodeAttribute(null=True)
    customer = UnicodeAttribute(null=True)
    review = UnicodeAttribute(null=True)

    # Derived from the facts, for the indexes alone.
    number_key = UnicodeAttribute(null=True)
    agent = UnicodeAttribute(null=True)
    started_at = UnicodeAttribute(null=True)

    by_number = ByNumber()
    by_agent = ByAgent()

    def kept_from(self, now: datetime) -> datetime | None:
        return first_told(self.facts())

    def facts(self) -> Facts:
        return {fact: getattr(self, fact) for fact in Fact if getattr(self, fact) is not None}


def _told(facts: Facts) -> dict[str, str]:
    """The attributes that facts set: themselves, and what the indexes need of them."""
    began = started_at(facts)
    derived = {
        STARTED_AT: stamp(began) if began else None,
        NUMBER_KEY: number_key_of(facts),
        AGENT: agent_of(facts),
    }
    known = {name: text for name, text in derived.items() if text}
    return {**{fact.value: written for fact, written in facts.items()}, **known}


@dataclass(frozen=True, slots=True)
class CallImage:
    """A call as the table's stream shows it."""

    call_id: str
    facts: Facts
    revision: int


def read_image(image: dict[str, Any]) -> CallImage:
    item = CallItem.from_raw_data(image)
    return CallImage(item.call_id, item.facts(), int(item.revision))


@dataclass(frozen=True, slots=True)
class CallPage:
    """Call ids, newest first, and where the next page begins; None at the end."""

    call_ids: Sequence[str]
    next_start: Mapping[str, str] | None


class CallStore:
    """The calls table."""

    def __init__(self, table_name: str, kept_days: int = 0) -> None:
        self._item = bind(CallItem, table_name)
        self._kept_days = kept_days
        # As many as there are kinds of events.
        self._prepared: dict[frozenset[str], PreparedUpdate] = {}

    def merge(self, call_id: str, facts: Facts) -> None:
        """Merges facts into the call: one request where they come in order, else two or more.

        A duplicate is one request that changes nothing. Raises Unavailable.
        """
        try:
            if INTERPLAY.isdisjoint(facts):
                expires_at = expiry(first_told(facts), self._kept_days)
                told = _told(facts) | ({EXPIRES_AT: str(expires_at)} if expires_at else {})
                self._in_order(frozenset(told)).send(call_id, told)
            else:
                update(self._item(call_id), self._whole(facts), self._item.call_id.does_not_exist())
        except Refused as refusal:
            self._merge_into(refusal.item, call_id, facts)

    def amend(self, call_id: str, tell: Callable[[Facts], Facts]) -> Facts:
        """Merges facts into a call that is known, and gives all of them.

        `tell` says the facts that those which are there allow, and nobody can write in between; it
        may be asked again. Raises NotFound, Unavailable, and what `tell` raises.
        """
        with unavailable_on_trouble():
            try:
                old: Model | None = self._item.get(call_id, consistent_read=True)
            except self._item.DoesNotExist:
                old = None
        for _ in range(MAX_ATTEMPTS):
            if not isinstance(old, CallItem):
                raise NotFound("there is no such call")
            known = old.facts()
            merged = merge(known, tell(known))
            if merged == known:
                return known
            try:
                update(
                    self._item(call_id), self._whole(merged), self._item.revision == old.revision
                )
            except Refused as refusal:
                old = refusal.item
            else:
                return merged
        raise Unavailable("the call is being written by too many at once")

    def _in_order(self, told: frozenset[str]) -> PreparedUpdate:
        """The write that is the right one if what is `told` is news, and follows what is known.

        The condition holds only where its result is that of `merge`: each fact is absent or is
        beaten by the one that is there, and the call has not ended.
        """
        if told in self._prepared:
            return self._prepared[told]
        new = self._item
        facts = [fact for fact in Fact if fact in told]
        actions: list[Action] = [new.revision.add(1)]
        conditions: list[Condition] = [new.ended.does_not_exist()]
        conditions += [getattr(new, fact).does_not_exist() for fact in INTERPLAY]
        for fact in facts:
            attribute = getattr(new, fact)
            stands = attribute >= fact if fact in LATEST_COUNTS else attribute <= fact
            conditions.append(attribute.does_not_exist() | stands)
            actions.append(attribute.set(attribute | fact))
        if STARTED_AT in told:
            conditions.append(new.started_at.does_not_exist() | (new.started_at <= STARTED_AT))
            actions.append(new.started_at.set(new.started_at | STARTED_AT))
        if EXPIRES_AT in told:
            actions.append(new.expires_at.set(new.expires_at | EXPIRES_AT))
        if NUMBER_KEY in told:
            actions.append(new.number_key.set(new.number_key | NUMBER_KEY))
        if Fact.ANSWERING_AGENT in told:
            # An end alone repeats who answered; anything else is the first to say it.
            repeats = Fact.ENDED in told and Fact.RINGING not in told
            said = new.answering_agent
            conditions.append(said.exists() if repeats else said.does_not_exist())
            actions += [] if repeats else [new.agent.set(AGENT)]
        elif AGENT in told:
            actions.append(new.agent.set(new.agent | AGENT))
        tells_news = (getattr(new, fact).does_not_exist() for fact in facts)
        conditions.append(functools.reduce(operator.or_, tells_news))
        condition = functools.reduce(operator.and_, conditions)
        self._prepared[told] = PreparedUpdate(new, actions, condition)
        return self._prepared[told]

    def _merge_into(self, old: Model | None, call_id: str, facts: Facts) -> None:
        for _ in range(MAX_ATTEMPTS):
            known = old.facts() if isinstance(old, CallItem) else {}
            merged = merge(known, facts)
            if merged == known:
                return None
            condition = (
                self._item.revision == old.revision
                if isinstance(old, CallItem)
                else self._item.call_id.does_not_exist()
            )
            try:
                return update(self._item(call_id), self._whole(merged), condition)
            except Refused as refusal:
                old = refusal.item
        raise Unavailable("the call is being written by too many at once")

    def _whole(self, facts: Facts) -> list[Action]:
        """Sets all that is known, and what the indexes need of it."""
        derived = {STARTED_AT: None, NUMBER_KEY: None, AGENT: None}
        values = {**derived, **_told(facts)}
        kept = expiring(self._item, first_told(facts), self._kept_days)
        return [self._item.revision.add(1), *kept, *assign(self._item, values)]

    def get(self, call_id: str) -> Facts | None:
        """Raises Unavailable."""
        with unavailable_on_trouble():
            try:
                return self._item.get(call_id, consistent_read=True).facts()
            except self._item.DoesNotExist:
                return None

    def get_many(self, call_ids: Sequence[str], *, consistent: bool = False) -> dict[str, Facts]:
        """As they were a moment ago, or `consistent`, as they are now. Raises Unavailable."""
        with unavailable_on_trouble():
            found = self._item.batch_get(call_ids, consistent_read=consistent)
            return {item.call_id: item.facts() for item in found}

    def by_number(
        self,
        number_key: str,
        period: Period,
        limit: int,
        start: Mapping[str, str] | None = None,
    ) -> CallPage:
        """Calls of a number that began in a period, newest first.

        Raises InvalidInput for a `start` outside the period, Unavailable.
        """
        if start and not period.includes(start["started_at"]):
            raise InvalidInput("cursor", "is none that this API gave")
        between = self._item.started_at.between(stamp(period.since), stamp(period.until))
        exclusive = {"number_key": number_key, **start} if start else None
        return self._page(self._item.by_number, number_key, between, limit, exclusive)

    def all_of_number(self, number_key: str) -> Iterator[str]:
        """Ids of all calls of a number, newest first. Raises Unavailable."""
        with unavailable_on_trouble():
            for item in self._item.by_number.query(number_key, scan_index_forward=False):
                yield item.call_id

    def kept_of_number(self, number_key: str) -> Iterator[KeptItem]:
        """All calls of a number, as they are at this moment. Raises Unavailable."""
        with unavailable_on_trouble():
            yield from self._item.batch_get(self.all_of_number(number_key), consistent_read=True)

    def by_agent(self, agent: str, limit: int) -> CallPage:
        """The last calls of an operator. Raises Unavailable."""
        return self._page(self._item.by_agent, agent, None, limit, None)

    def _page(
        self,
        index: GlobalSecondaryIndex[CallItem],
        key: str,
        between: Condition | None,
        limit: int,
        start: Mapping[str, str] | None,
    ) -> CallPage:
        with unavailable_on_trouble():
            results = index.query(
                key,
                between,
                scan_index_forward=False,
                limit=limit,
                page_size=limit,
                last_evaluated_key=(
                    {name: {"S": text} for name, text in start.items()} if start else None
                ),
            )
            call_ids = [item.call_id for item in results]
        last = results.last_evaluated_key
        return CallPage(
            call_ids,
            {name: last[name]["S"] for name in ("call_id", "started_at")} if last else None,
        )


class NoteItem(KeptItem):
    """`call_id` "1546015415.757927", `note_id` the digest of who wrote what."""

    call_id = UnicodeAttribute(hash_key=True)
    note_id = UnicodeAttribute(range_key=True)
    text = UnicodeAttribute()
    by = UnicodeAttribute()
    at = UnicodeAttribute()

    def kept_from(self, now: datetime) -> datetime:
        return read_stamp(self.at)


class NoteStore:
    """The notes on calls."""

    def __init__(self, table_name: str, kept_days: int = 0) -> None:
        self._item = bind(NoteItem, table_name)
        self._kept_days = kept_days

    def add(self, note: Note) -> Note:
        """What is already written down by the same person stays as it was: that is given back.

        Raises Unavailable.
        """
        digest = hashlib.sha256(f"{note.by}\n{note.text}".encode()).hexdigest()
        item = self._item
        values = {"text": note.text, "by": note.by, "at": note.at}
        values["expires_at"] = expiry(note.at, self._kept_days)
        try:
            update(item(note.call_id, digest), assign(item, values), item.note_id.does_not_exist())
        except Refused as refusal:
            return _note(refusal.item) if isinstance(refusal.item, NoteItem) else note
        return note

    def of_call(self, call_id: str, limit: int) -> Sequence[Note]:
        """Oldest first. Raises Unavailable."""
        with unavailable_on_trouble():
            found = [_note(item) for item in self._item.query(call_id, limit=limit)]
        return sorted(found, key=lambda note: note.at)

    def kept_of_call(self, call_id: str) -> Iterator[KeptItem]:
        """All, as they are at this moment. Raises Unavailable."""
        with unavailable_on_trouble():
            yield from self._item.query(call_id, consistent_read=True)

    def delete_of_call(self, call_id: str) -> Iterator[Note]:
        """Each note that it deleted. Raises Unavailable."""
        with unavailable_on_trouble():
            for item in self._item.query(call_id, consistent_read=True):
                item.delete()
                yield _note(item)


def _note(item: NoteItem) -> Note:
    return Note(call_id=item.call_id, text=item.text, by=item.by, at=read_stamp(item.at))


# Half of what one SQS message may hold.
MESSAGE_BYTES = 128 * 1024


class DeferredCalls:
    """The queue of call facts that the table did not take in time."""

    def __init__(self, queue_url: str) -> None:
        self._queue_url = queue_url

    @functools.cached_property
    def _client(self) -> Any:
        return aws.client("sqs")

    def send(self, calls: Mapping[str, Facts]) -> None:
        """Raises Unavailable."""
        for body in _messages(calls):
            try:
                self._client.send_message(QueueUrl=self._queue_url, MessageBody=body)
            except (ClientError, BotoCoreError) as error:
                raise Unavailable("neither the table nor the queue answers") from error

    @staticmethod
    def read(body: str) -> dict[str, Facts]:
        """The calls of one message."""
        return {
            call_id: {Fact(name): written for name, written in facts.items()}
            for call_id, facts in json.loads(body).items()
        }


def _messages(calls: Mapping[str, Facts]) -> Iterator[str]:
    batch: dict[str, Facts] = {}
    size = 0
    for call_id, facts in calls.items():
        length = len(json.dumps({call_id: facts}))
        if batch and size + length > MESSAGE_BYTES:
            yield json.dumps(batch)
            batch, size = {}, 0
        batch[call_id] = facts
        size += length
    if batch:
        yield json.dumps(batch)
