"""As much of DynamoDB as stores ask for, in this process and a hundred times as fast as moto.

Tables are those of the template. Each request is atomic, and what it changes is told to `told`.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import cache
from typing import Any

from botocore.exceptions import ClientError

from tests.support.tables import template

Value = dict[str, Any]
Item = dict[str, Value]
Names = Mapping[str, str]
Values = Mapping[str, Value]
Test = Callable[[Item, Names, Values], Any]
Told = Callable[[str, Item, Item | None, Item | None], object]

TOKEN = re.compile(r"[#:]?\w+|<=|>=|<>|[=<>(),+.]")
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda one, other: one == other,
    "<>": lambda one, other: one != other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}


def comparable(value: Value | None) -> Any:
    if value is None:
        return None
    ((kind, content),) = value.items()
    return Decimal(content) if kind == "N" else content


class Parser:
    """Of a condition, into a test of an item."""

    def __init__(self, text: str) -> None:
        self._tokens = TOKEN.findall(text)

    def _next(self) -> str:
        return str(self._tokens.pop(0))

    def _take(self, *expected: str) -> bool:
        if self._tokens and self._tokens[0] in expected:
            self._tokens.pop(0)
            return True
        return False

    def either(self) -> Test:
        tests = [self.all()]
        while self._take("OR"):
            tests.append(self.all())
        return lambda *on: any(test(*on) for test in tests)

    def all(self) -> Test:
        tests = [self._one()]
        while self._take("AND"):
            tests.append(self._one())
        return lambda *on: all(test(*on) for test in tests)

    def _one(self) -> Test:
        if self._take("NOT"):
            negated = self._one()
            return lambda *on: not negated(*on)
        if self._take("("):
            inner = self.either()
            self._next()
            return inner
        if self._tokens[0] in ("attribute_exists", "attribute_not_exists"):
            wanted = self._next() == "attribute_exists"
            _, operand, _ = self._next(), self.operand(), self._next()
            return lambda *on: (operand(*on) is not None) == wanted
        if self._take("begins_with"):
            _, left, _, beginning, _ = (
                self._next(),
                self.operand(),
                self._next(),
                self.operand(),
                self._next(),
            )
            return lambda *on: comparable(left(*on)).startswith(comparable(beginning(*on)))
        left, sign = self.operand(), self._next()
        if sign == "BETWEEN":
            low, _, high = self.operand(), self._next(), self.operand()
            return lambda *on: bool(
                comparable(low(*on)) <= comparable(left(*on)) <= comparable(high(*on))
            )
        right, compare = self.operand(), COMPARISONS[sign]

        def compared(*on: Any) -> bool:
            one, other = comparable(left(*on)), comparable(right(*on))
            return one is not None and other is not None and compare(one, other)

        return compared

    def operand(self) -> Test:
        """What a name, a value, a sum, or `if_not_exists` stands for."""
        first = self._next()
        if first == "if_not_exists":
            _, name, _, other, _ = (
                self._next(),
                self.operand(),
                self._next(),
                self.operand(),
                self._next(),
            )
            found: Test = lambda *on: name(*on) or other(*on)  # noqa: E731
        elif first.startswith("#"):
            found = lambda item, names, values: item.get(names[first])  # noqa: E731
        else:
            found = lambda item, names, values: values[first]  # noqa: E731
        if not self._take("+"):
            return found
        more = self.operand()
        return lambda *on: {"N": str(comparable(found(*on)) + comparable(more(*on)))}


@cache
def condition_of(text: str) -> Test:
    return Parser(text).either()


@cache
def actions_of(text: str) -> list[tuple[str, str, Test | None]]:
    """The kind of each action, the name that it is on, and what it writes."""
    _, *parts = re.split(r"\s*\b(SET|REMOVE|ADD)\s+", f" {text}")
    found: list[tuple[str, str, Test | None]] = []
    for kind, clause in zip(parts[::2], parts[1::2], strict=True):
        for action in re.split(r",(?![^(]*\))", clause):
            name, *written = action.split(None, 1)
            text = written[0].lstrip("= ") if written else ""
            found.append((kind, name, Parser(text).operand() if text else None))
    return found


class Table:
    def __init__(self, properties: Mapping[str, Any]) -> None:
        self.keys = _names(properties)
        indexes = [
            *properties.get("GlobalSecondaryIndexes", ()),
            *properties.get("LocalSecondaryIndexes", ()),
        ]
        self.indexes = {index["IndexName"]: _names(index) for index in indexes}
        self.indexes[""] = self.keys
        self._partitions: dict[str, dict[Any, dict[tuple[Any, ...], Item]]] = {
            name: defaultdict(dict) for name in self.indexes
        }
        self._items: dict[tuple[Any, ...], Item] = {}

    def key_of(self, item: Item) -> tuple[Any, ...]:
        return tuple(comparable(item[name]) for name in self.keys)

    def get(self, key: Item) -> Item | None:
        return self._items.get(self.key_of(key))

    def put(self, key: Item, item: Item | None) -> None:
        place = self.key_of(key)
        old = self._items.pop(place, None)
        for index, names in self.indexes.items():
            if old and names[0] in old:
                self._partitions[index][comparable(old[names[0]])].pop(place, None)
            if item and all(name in item for name in names):
                self._partitions[index][comparable(item[names[0]])][place] = item
        if item:
            self._items[place] = item

    def items(self) -> list[Item]:
        return list(self._items.values())

    def replace(self, items: Sequence[Item]) -> None:
        self._items.clear()
        for partitions in self._partitions.values():
            partitions.clear()
        for item in items:
            self.put(item, item)

    def query(self, index: str, hashed: Any) -> list[Item]:
        found = self._partitions[index].get(hashed, {})
        return sorted(found.values(), key=lambda item: self.order(index, item))

    def order(self, index: str, item: Item) -> tuple[Any, ...]:
        return tuple(comparable(item[name]) for name in (*self.indexes[index][1:], *self.keys))


class QuickDynamoDB:
    """`tables` are the logical ids in the template, and the names that they have."""

    def __init__(self, tables: Mapping[str, str], told: Told) -> None:
        resources = template()["Resources"]
        self._tables = {name: Table(resources[each]["Properties"]) for each, name in tables.items()}
        self._told = told

    def __call__(self, operation: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        match operation:
            case "GetItem":
                found = self._tables[asked["TableName"]].get(asked["Key"])
                return {"Item": found} if found else {}
            case "BatchGetItem":
                return {"Responses": dict(self._got(asked["RequestItems"])), "UnprocessedKeys": {}}
            case "Query":
                return self._queried(asked)
            case "TransactWriteItems":
                return self._written_together(asked["TransactItems"])
            case "UpdateItem" | "PutItem" | "DeleteItem":
                return self._written(operation.removesuffix("Item"), asked)
        raise NotImplementedError(operation)

    def items(self, table: str) -> list[Item]:
        return self._tables[table].items()

    def snapshot(self) -> dict[str, list[Item]]:
        """All that there is, for `restore`: an item that is written is another one."""
        return {name: table.items() for name, table in self._tables.items()}

    def restore(self, snapshot: Mapping[str, Sequence[Item]]) -> None:
        for name, items in snapshot.items():
            self._tables[name].replace(items)

    @contextmanager
    def as_it_was(self, table: str, changes: Sequence[tuple[Item, Item | None]]) -> Iterator[None]:
        """Before these changes: of each the key, and what there was; the latest are last."""
        kept = self._tables[table]
        now = [(key, kept.get(key)) for key, _ in changes]
        for key, old in reversed(changes):
            kept.put(key, old)
        yield
        for key, item in now:
            kept.put(key, item)

    def touched(self, operation: str, asked: Mapping[str, Any]) -> frozenset[tuple[str, Any, bool]]:
        """The table and the key of each item that a request looks at, and whether it writes it; a
        query looks at all of a table."""
        match operation:
            case "Query":
                return frozenset([(asked["TableName"], None, False)])
            case "BatchGetItem":
                wanted = asked["RequestItems"].items()
                keys = [(name, key) for name, each in wanted for key in each["Keys"]]
                return frozenset(self._place(name, key, False) for name, key in keys)
            case "TransactWriteItems":
                writes = [each for one in asked["TransactItems"] for each in one.values()]
            case _:
                writes = [asked]
        return frozenset(
            self._place(each["TableName"], each.get("Key") or each["Item"], operation != "GetItem")
            for each in writes
        )

    def _place(self, name: str, key: Item, writes: bool) -> tuple[str, Any, bool]:
        return name, self._tables[name].key_of(key), writes

    def _got(self, asked: Mapping[str, Any]) -> Iterator[tuple[str, list[Item]]]:
        for name, wanted in asked.items():
            found = [self._tables[name].get(key) for key in wanted["Keys"]]
            yield name, [item for item in found if item]

    def _queried(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        table, index = self._tables[asked["TableName"]], asked.get("IndexName", "")
        names, values = asked["ExpressionAttributeNames"], asked["ExpressionAttributeValues"]
        test = condition_of(asked["KeyConditionExpression"])
        hash_name = table.indexes[index][0]
        (hashed,) = (
            comparable(values[f":{number}"])
            for name, number in re.findall(r"(#\d+) = :(\d+)", asked["KeyConditionExpression"])
            if names[name] == hash_name
        )
        found = [item for item in table.query(index, hashed) if test(item, names, values)]
        is_forward = asked.get("ScanIndexForward", True)
        found = found if is_forward else found[::-1]
        if start := asked.get("ExclusiveStartKey"):
            begins = table.order(index, start)
            found = [
                item
                for item in found
                if (table.order(index, item) > begins) == is_forward
                and table.order(index, item) != begins
            ]
        page = found[: asked.get("Limit", len(found))]
        answer: dict[str, Any] = {"Items": page, "Count": len(page), "ScannedCount": len(page)}
        if len(page) < len(found):
            kept = {*table.keys, *table.indexes[index]}
            answer["LastEvaluatedKey"] = {name: page[-1][name] for name in kept}
        return answer

    def _written(self, kind: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        table = self._tables[asked["TableName"]]
        old, holds = self._checked(table, asked)
        if not holds:
            refusal: Any = {"Error": {"Code": "ConditionalCheckFailedException", "Message": ""}}
            if old and asked.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD":
                refusal["Item"] = old
            raise ClientError(refusal, kind)
        self._write(table, kind, asked, old)
        return {}

    def _written_together(self, asked: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        writes = [(kind, each) for one in asked for kind, each in one.items()]
        checked = [self._checked(self._tables[each["TableName"]], each) for _, each in writes]
        if not all(holds for _, holds in checked):
            reasons = [{"Code": "None" if ok else "ConditionalCheckFailed"} for _, ok in checked]
            refusal: Any = {
                "Error": {"Code": "TransactionCanceledException", "Message": ""},
                "CancellationReasons": reasons,
            }
            raise ClientError(refusal, "TransactWriteItems")
        for (kind, each), (old, _) in zip(writes, checked, strict=True):
            self._write(self._tables[each["TableName"]], kind, each, old)
        return {}

    @staticmethod
    def _checked(table: Table, asked: Mapping[str, Any]) -> tuple[Item | None, bool]:
        old = table.get(asked.get("Key") or asked["Item"])
        text = asked.get("ConditionExpression")
        if not text:
            return old, True
        names = asked.get("ExpressionAttributeNames", {})
        values = asked.get("ExpressionAttributeValues", {})
        return old, condition_of(text)(old or {}, names, values)

    def _write(self, table: Table, kind: str, asked: Mapping[str, Any], old: Item | None) -> None:
        key = asked.get("Key") or {name: asked["Item"][name] for name in table.keys}
        new = asked.get("Item")
        if kind == "Update":
            names = asked["ExpressionAttributeNames"]
            values = asked.get("ExpressionAttributeValues", {})
            before = old or {}
            new = {**before, **key}
            for action, name, written in actions_of(asked["UpdateExpression"]):
                attribute = names[name]
                value = written(before, names, values) if written else None
                if value is None:
                    new.pop(attribute, None)
                elif action == "ADD":
                    known = comparable(before.get(attribute)) or Decimal(0)
                    new[attribute] = {"N": str(known + comparable(value))}
                else:
                    new[attribute] = value
        if old == new:
            return
        table.put(key, new)
        self._told(asked["TableName"], dict(key), old, new)


def _names(keyed: Mapping[str, Any]) -> list[str]:
    return [each["AttributeName"] for each in keyed["KeySchema"]]
