"""What requests cost, by DynamoDB's published rules, counted at the client.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html, and of
indexes the chapters on them. A transaction takes each unit twice, those of local indexes, too;
global ones are written after it, once.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil
from threading import Lock
from typing import Any
from unittest.mock import patch

from botocore.client import BaseClient

from tests.support.tables import template

Value = Mapping[str, Any]
Item = Mapping[str, Value]

READ_UNIT = 4096
WRITE_UNIT = 1024

READS = frozenset({"GetItem", "BatchGetItem", "Query"})


def size_of(item: Item) -> int:
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(value: Value) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S" | "B":
            return len(content.encode() if kind == "S" else content)
        case "N":
            digits = str(content).lstrip("-").replace(".", "").strip("0")
            return 1 + ceil(len(digits) / 2) + str(content).startswith("-")
        case "L":
            return 3 + sum(1 + _size(each) for each in content)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _size(each) for name, each in content.items())
        case "SS":
            return sum(len(each.encode()) for each in content)
        case "BOOL" | "NULL":
            return 1
    raise NotImplementedError(kind)


@dataclass(frozen=True)
class Index:
    """As the template defines it. `kept` are the attributes that it holds, None for all."""

    keys: frozenset[str]
    kept: frozenset[str] | None
    is_local: bool

    def projected(self, item: Item | None) -> Item | None:
        if item is None or not self.keys <= item.keys():
            return None
        return {name: item[name] for name in item if self.kept is None or name in self.kept}

    def write_units(self, old: Item | None, new: Item | None) -> int:
        before, after = self.projected(old), self.projected(new)
        if before == after:
            return 0
        if before and after and all(before[name] == after[name] for name in self.keys):
            return _units(WRITE_UNIT, before, after)
        return sum(_units(WRITE_UNIT, each) for each in (before, after) if each)


@dataclass(frozen=True)
class Definition:
    """A table of the template."""

    properties: Mapping[str, Any]

    @cached_property
    def keys(self) -> frozenset[str]:
        return _names(self.properties)

    @cached_property
    def indexes(self) -> dict[str, Index]:
        return {
            index["IndexName"]: Index(
                keys=self.keys | _names(index),
                kept=self._kept(index),
                is_local=kind == "LocalSecondaryIndexes",
            )
            for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
            for index in self.properties.get(kind, ())
        }

    def _kept(self, index: Mapping[str, Any]) -> frozenset[str] | None:
        if index["Projection"]["ProjectionType"] == "ALL":
            return None
        more = index["Projection"].get("NonKeyAttributes", ())
        return self.keys | _names(index) | frozenset(more)

    def write_units(self, old: Item | None, new: Item | None, times: int) -> int:
        """`times` is 2 in a transaction. What was refused costs what it found."""
        table = _units(WRITE_UNIT, old or {}, new or {})
        by_index = [
            index.write_units(old, new) * (times if index.is_local else 1)
            for index in self.indexes.values()
        ]
        return table * times + sum(by_index)


@dataclass
class Bill:
    """What a function asked for. `requests` are by service and operation, as "sqs SendMessage".

    `records` are what it was called with, and `polls` the requests by which Lambda has them from a
    queue, and deletes them. `logged` are lines that it printed, and `log_bytes` their length.
    """

    invocations: int = 0
    records: int = 0
    polls: int = 0
    logged: int = 0
    log_bytes: int = 0
    requests: Counter[str] = field(default_factory=Counter)
    read_units: float = 0
    write_units: float = 0

    def requests_to(self, service: str) -> int:
        return sum(n for name, n in self.requests.items() if name.startswith(f"{service} "))


class Meter:
    """`tables` are the logical ids in the template, and the names that they have."""

    def __init__(self, tables: Mapping[str, str]) -> None:
        resources = template()["Resources"]
        self._tables = {
            name: Definition(resources[logical_id]["Properties"])
            for logical_id, name in tables.items()
        }
        self._send = BaseClient._make_api_call  # type: ignore[attr-defined]
        self._bills = defaultdict[str, Bill](Bill)

    @contextmanager
    def reading(self) -> Iterator[Mapping[str, Bill]]:
        """The bills of the functions that run meanwhile, by name."""
        bills = self._bills = defaultdict(Bill)
        yield bills
        self._bills = defaultdict(Bill)

    @contextmanager
    def running(self, function: str) -> Iterator[Bill]:
        """A function, once."""
        bill = self._bills[function]
        bill.invocations += 1
        # Functions ask for several things at the same time.
        adding = Lock()

        def requested(client: BaseClient, operation: str, asked: Any) -> Any:
            service = client.meta.service_model.service_name
            with adding:
                bill.requests[f"{service} {operation}"] += 1
            if service != "dynamodb":
                return self._send(client, operation, asked)
            if operation in READS:
                units = self._read_units(client, operation, asked)
                with adding:
                    bill.read_units += units
                return self._send(client, operation, asked)
            writes = [asked]
            if operation == "TransactWriteItems":
                writes = [write for one in asked["TransactItems"] for write in one.values()]
            before = [self._item(client, write) for write in writes]
            try:
                return self._send(client, operation, asked)
            finally:
                # What was refused costs what was found.
                for write, old in zip(writes, before, strict=True):
                    definition = self._tables[write["TableName"]]
                    new = self._item(client, write)
                    with adding:
                        times = 1 if write is asked else 2
                        bill.write_units += definition.write_units(old, new, times)

        with patch.object(BaseClient, "_make_api_call", requested):
            yield bill

    def _item(self, client: BaseClient, write: Mapping[str, Any]) -> Item | None:
        keys = self._tables[write["TableName"]].keys
        named = write.get("Key") or write["Item"]
        key = {"TableName": write["TableName"], "Key": {name: named[name] for name in keys}}
        found: Item | None = self._send(client, "GetItem", key).get("Item")
        return found

    def _read_units(self, client: BaseClient, operation: str, asked: Mapping[str, Any]) -> float:
        """Of all that is looked at, whatever part of it is asked for."""
        match operation:
            case "GetItem":
                found = self._item(client, asked) or {}
                return _units(READ_UNIT, found) * _consistency(asked)
            case "BatchGetItem":
                return sum(
                    _units(READ_UNIT, self._item(client, {"TableName": name, "Key": key}) or {})
                    * _consistency(wanted)
                    for name, wanted in asked["RequestItems"].items()
                    for key in wanted["Keys"]
                )
            case "Query":
                items = self._send(client, operation, _of_all_attributes(asked))["Items"]
                if "IndexName" in asked:
                    index = self._tables[asked["TableName"]].indexes[asked["IndexName"]]
                    items = [index.projected(item) for item in items]
                size = sum(size_of(item) for item in items)
                return max(1, ceil(size / READ_UNIT)) * _consistency(asked)
        raise NotImplementedError(operation)


def _units(unit: int, *items: Item) -> int:
    """Of the largest of them, and never none."""
    return max(1, *(ceil(size_of(item) / unit) for item in items))


def _consistency(asked: Mapping[str, Any]) -> float:
    return 1 if asked.get("ConsistentRead") else 0.5


def _of_all_attributes(asked: Mapping[str, Any]) -> dict[str, Any]:
    """DynamoDB does not take names that no expression uses."""
    whole = {name: told for name, told in asked.items() if name != "ProjectionExpression"}
    used = set(re.findall(r"#\w+", asked["KeyConditionExpression"]))
    names = asked["ExpressionAttributeNames"]
    whole["ExpressionAttributeNames"] = {name: names[name] for name in names if name in used}
    return whole


def _names(keyed: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(each["AttributeName"] for each in keyed["KeySchema"])
