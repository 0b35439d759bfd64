"""As much of DynamoDB as QuickDynamoDB is, with tables on disk: a million items stay there."""

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from tests.support.quick_dynamodb import Item, QuickDynamoDB, Table, Told, condition_of
from tests.support.tables import template

# Keys are texts in all tables that grow.
SCHEMA = """
CREATE TABLE items (place TEXT PRIMARY KEY, item TEXT) WITHOUT ROWID;
CREATE TABLE entries (
    name TEXT, hashed TEXT, ranged TEXT, place TEXT,
    PRIMARY KEY (name, hashed, ranged, place)
) WITHOUT ROWID;
"""

FORGET = "DELETE FROM entries WHERE name = ? AND hashed = ? AND ranged = ? AND place = ?"


class LargeTable(Table):
    def __init__(self, properties: Mapping[str, Any]) -> None:
        super().__init__(properties)
        # SQLite's own temporary file.
        self._rows = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._rows.executescript(SCHEMA)

    def get(self, key: Item) -> Item | None:
        found = self._rows.execute("SELECT item FROM items WHERE place = ?", [self._place(key)])
        row = found.fetchone()
        return json.loads(row[0]) if row else None

    def put(self, key: Item, item: Item | None) -> None:
        old = self.get(key)
        self._rows.executemany(FORGET, self._entries(old))
        self.load([item] if item else [])

    def load(self, items: Iterable[Item]) -> None:
        """Items that were not there."""
        with self._rows:
            self._rows.execute("BEGIN")
            for item in items:
                row = self._place(item), json.dumps(item)
                self._rows.execute("INSERT OR REPLACE INTO items VALUES (?, ?)", row)
                self._rows.executemany(
                    "INSERT INTO entries VALUES (?, ?, ?, ?)", self._entries(item)
                )

    def items(self) -> list[Item]:
        return [json.loads(item) for (item,) in self._rows.execute("SELECT item FROM items")]

    def _place(self, item: Item) -> str:
        return "\t".join(item[name]["S"] for name in self.keys)

    def _entries(self, item: Item | None) -> list[tuple[str, str, str, str]]:
        return [
            (name, item[keys[0]]["S"], item[keys[-1]]["S"], self._place(item))
            for name, keys in self.indexes.items()
            if item and all(key in item for key in keys)
        ]

    def entries(self, index: str, hashed: str, start: Item | None, order: str) -> Iterator[Item]:
        """Of a partition from a key on, which is left out."""
        after = (start[self.indexes[index][-1]]["S"], self._place(start)) if start else None
        sign = ">" if order == "ASC" else "<"
        beyond = f"AND (ranged, entries.place) {sign} (?, ?)" if after else ""
        found = self._rows.execute(
            f"SELECT item FROM entries JOIN items USING (place) WHERE name = ? AND hashed = ?"  # noqa: S608
            f" {beyond} ORDER BY ranged {order}, entries.place {order}",
            [index, hashed, *(after or ())],
        )
        return (json.loads(item) for (item,) in found)


class LargeDynamoDB(QuickDynamoDB):
    """Tables by their logical ids in the template."""

    def __init__(self, tables: Mapping[str, str], told: Told) -> None:
        super().__init__(tables, told)
        resources = template()["Resources"]
        self._large = {
            name: LargeTable(resources[each]["Properties"]) for each, name in tables.items()
        }
        self._tables = dict(self._large)

    def load(self, table: str, items: Iterable[Item]) -> None:
        self._large[table].load(items)

    def _queried(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        table, index = self._large[asked["TableName"]], asked.get("IndexName", "")
        names, values = asked["ExpressionAttributeNames"], asked["ExpressionAttributeValues"]
        wanted, hash_name = asked["KeyConditionExpression"], table.indexes[index][0]
        (place,) = [name for name, attribute in names.items() if attribute == hash_name]
        (hashed,) = re.findall(rf"{place} = (:\d+)", wanted)
        order = "ASC" if asked.get("ScanIndexForward", True) else "DESC"
        entries = table.entries(index, values[hashed]["S"], asked.get("ExclusiveStartKey"), order)
        fitting = (item for item in entries if condition_of(wanted)(item, names, values))
        page = list(islice(fitting, asked.get("Limit")))
        answer: dict[str, Any] = {"Items": page, "Count": len(page), "ScannedCount": len(page)}
        if len(page) == asked.get("Limit"):
            kept = {*table.keys, *table.indexes[index]}
            answer["LastEvaluatedKey"] = {name: page[-1][name] for name in kept}
        return answer
