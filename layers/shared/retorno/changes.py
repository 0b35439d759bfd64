"""What changed, told to those who look on: the dashboard's counters, and what is seen live.

A message names an item and nothing of what became of it. Who takes it reads the item as it is by
then, so that what is told twice, late or in another order does no harm.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from retorno.settings import AnnounceSettings, OnlookerSettings, UpdatesSettings
from retorno.work import AT, WorkQueue

KIND = "kind"


class Kind(StrEnum):
    """What an item is of; its keys are those of the table's items."""

    CALL = "call"
    MISSED_CALL = "missed_call"
    AGENT = "agent"
    STRETCH = "stretch"
    """A stretch of time that is over, of an agent's presence."""
    OFFER = "offer"
    CONTACT = "contact"
    PROMISE = "promise"
    ASSIGNMENT = "assignment"
    QUOTE = "quote"
    MESSAGE = "message"
    WAIT = "wait"
    DASHBOARD = "dashboard"
    """No item: what was counted of the company's day."""


@dataclass(frozen=True, slots=True)
class Change:
    """An item that was written or deleted, by its key attributes."""

    kind: Kind
    keys: Mapping[str, str]

    @property
    def message(self) -> Mapping[str, str]:
        return {KIND: self.kind.value, **self.keys}


def read_change(body: str) -> Change:
    """What a message of an onlooker's queue names."""
    told: dict[str, str] = json.loads(body)
    del told[AT]
    return Change(Kind(told.pop(KIND)), told)


def change_of(kind: Kind, record: Mapping[str, Any]) -> Change:
    """The item that a record of a stream tells of; `kind` is what the table's items are of. Of an
    agent there are others beside the record.
    """
    keys = {name: text["S"] for name, text in record["dynamodb"]["Keys"].items()}
    if kind is Kind.AGENT and keys["sk"] != "record":
        kind = Kind.STRETCH
    return Change(kind, keys)


def table_of(record: Mapping[str, Any]) -> str:
    """The name of the table whose stream a record is of: "calls" of
    "arn:aws:dynamodb:sa-east-1:123456789012:table/calls/stream/2026-03-02T12:00:00.000".
    """
    return str(record["eventSourceARN"]).split("/")[1]


# What those who look on look at: it is nothing to tell them of the rest.
COUNTED = frozenset(Kind) - {Kind.AGENT, Kind.ASSIGNMENT, Kind.MESSAGE, Kind.DASHBOARD}
SEEN_LIVE = frozenset(Kind) - {Kind.STRETCH, Kind.CONTACT, Kind.QUOTE}


class Onlookers:
    """`queues` are told of changes, each of some kinds."""

    def __init__(self, queues: Sequence[tuple[WorkQueue, frozenset[Kind]]]) -> None:
        self._queues = queues

    def tell(self, changes: Iterable[Change], now: datetime) -> None:
        """Of each item once. Raises Unavailable, where some may have been told of."""
        each_once = {tuple(each.message.values()): each for each in changes}.values()
        for queue, kinds in self._queues:
            queue.send_all([each.message for each in each_once if each.kind in kinds], now)


def onlookers(settings: OnlookerSettings) -> Onlookers:
    counting = WorkQueue(settings.counts_queue), COUNTED
    return Onlookers([counting, _watching(settings)])


def watchers(settings: UpdatesSettings) -> Onlookers:
    """Those who watch live, alone."""
    return Onlookers([_watching(settings)])


def _watching(settings: UpdatesSettings) -> tuple[WorkQueue, frozenset[Kind]]:
    return WorkQueue(settings.updates_queue), SEEN_LIVE


def announced(settings: AnnounceSettings) -> Mapping[str, Kind]:
    """What the items of each table are that has its changes announced."""
    return {
        settings.recoveries_table: Kind.MISSED_CALL,
        settings.agents_table: Kind.AGENT,
        settings.offers_table: Kind.OFFER,
        settings.contacts_table: Kind.CONTACT,
        settings.promises_table: Kind.PROMISE,
        settings.quotes_table: Kind.QUOTE,
        settings.messages_table: Kind.MESSAGE,
        settings.waits_table: Kind.WAIT,
    }
