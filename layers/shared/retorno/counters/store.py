"""The table of counters, and of the ledgers that keep them exact."""

import json
import types
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pynamodb.attributes import BinaryAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.models import Model

from retorno.counters.model import (
    Amounts,
    Cell,
    Contribution,
    Ledger,
    Step,
    Told,
    latest,
    step_to,
    summed,
    together,
)
from retorno.dynamodb import (
    MAX_ITEMS_AT_ONCE,
    RefusedTogether,
    Write,
    bind,
    client_of,
    unavailable_on_trouble,
    write_together,
)
from retorno.errors import Unavailable

LEDGER = "ledger"

# Each loser of a race looks again at what the winner wrote; so many losses are no race.
MAX_LOOKS = 20

# What each of these sources adds now. Those that are left out stay as they were counted; None is of
# one that adds nothing yet, and will be told of again before it does.
Look = Callable[[Sequence[str]], Mapping[str, Contribution | None]]


class CounterItem(Model):
    """A row of counters, each an attribute by its name; or a ledger, `scope` "ledger#<source>",
    with what was counted as JSON, compressed: its cells are much alike.
    """

    scope = UnicodeAttribute(hash_key=True)
    cell = UnicodeAttribute(range_key=True)
    position = NumberAttribute(null=True)
    counted = BinaryAttribute(legacy_encoding=False, null=True)


class Counters:
    """`names` are those of all counters in the table that the caller reads or writes."""

    def __init__(self, table_name: str, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        attributes = {name: NumberAttribute(null=True) for name in self._names}
        model = types.new_class(
            "CounterItem", (CounterItem,), exec_body=lambda of: of.update(attributes)
        )
        self._item: type[CounterItem] = bind(model, table_name)

    def count(self, news: Iterable[Told]) -> None:
        """Counts what is told, unless that or something later of its source was counted before.

        A source is counted as a whole or not at all. Breaking off in between does no harm: what is
        told again goes on from there. Raises Unavailable.
        """
        self.keep((), lambda _: {}, news)

    def keep(self, sources: Iterable[str], look: Look, news: Iterable[Told] = ()) -> None:
        """Brings what is counted of sources up to what they add now, for those that have no
        revision which only grows; and counts `news` of others with them, which share their rows.

        Each source has to be told of whenever it may have changed. `look` reads the truth, and
        does so after the ledgers were read; a ledger is written even where nothing differs, so
        that whoever looked earlier and writes later is refused, and looks again. Raises
        Unavailable.
        """
        told = {each.source: each for each in latest(news)}
        left = list(dict.fromkeys([*told, *sources]))
        for _ in range(MAX_LOOKS):
            known = self._ledgers(left)
            found = look([source for source in left if source not in told])
            steps = (
                Step(known.get(source), told[source])
                if source in told
                else step_to(source, known.get(source), found[source])
                for source in left
                if source in told or source in found
            )
            left = self._take([step for step in steps if step and step.is_news])
            if not left:
                return
        raise Unavailable("the sources are being counted by too many at once")

    def _take(self, steps: Iterable[Step]) -> list[str]:
        """The sources that have to be looked at again: somebody counted them meanwhile."""
        refused: list[str] = []
        # Those of one operator, say, follow each other: together they write a row once.
        alike = sorted(steps, key=lambda step: sorted(step.difference))
        for taken in together(alike, MAX_ITEMS_AT_ONCE):
            try:
                self._write(taken)
            except RefusedTogether:
                refused += [step.told.source for step in taken]
        return refused

    def row(self, cell: Cell) -> Amounts:
        """Without what nothing was ever added to. Raises Unavailable."""
        with unavailable_on_trouble():
            found = self._item._get_connection().get_item(cell.scope, cell.name)
        return self._amounts(found.get("Item", {}))

    def rows(self, first: Cell, last: Cell, limit: int) -> Sequence[tuple[str, Amounts]]:
        """From one cell of a scope to another, both included, by name; at most `limit` of them.

        Raises Unavailable.
        """
        # As in `some`, and thousands are read.
        connection = self._item._get_connection()
        between = self._item.cell.between(first.name, last.name)
        found: list[dict[str, Any]] = []
        start: Any = None
        with unavailable_on_trouble():
            while len(found) < limit:
                page = connection.query(
                    first.scope, between, limit=limit - len(found), exclusive_start_key=start
                )
                found += page["Items"]
                start = page.get("LastEvaluatedKey")
                if start is None:
                    break
        return [(item["cell"]["S"], self._amounts(item)) for item in found]

    def some(self, cells: Sequence[Cell]) -> Sequence[tuple[str, Amounts]]:
        """Those of a scope's cells in which anything was counted, by name. Raises Unavailable."""
        # An item of hundreds of attributes takes PynamoDB a millisecond.
        client, table = client_of(self._item), self._item._get_connection().table_name
        keys = [{"scope": {"S": cell.scope}, "cell": {"S": cell.name}} for cell in cells]
        found: list[dict[str, Any]] = []
        with unavailable_on_trouble():
            for first in range(0, len(keys), MAX_ITEMS_AT_ONCE):
                left: Any = {table: {"Keys": keys[first : first + MAX_ITEMS_AT_ONCE]}}
                while left:
                    page = client.batch_get_item(RequestItems=left)
                    found += page["Responses"].get(table, [])
                    left = page.get("UnprocessedKeys")
        return sorted((item["cell"]["S"], self._amounts(item)) for item in found)

    def _amounts(self, item: Mapping[str, Mapping[str, str]]) -> Amounts:
        """Of an item as DynamoDB writes it."""
        read = ((name, int(value["N"])) for name, value in item.items() if name in self._names)
        return {name: amount for name, amount in read if amount}

    def _ledgers(self, sources: Iterable[str]) -> Mapping[str, Ledger]:
        keys = [(_scope(source), LEDGER) for source in sources]
        with unavailable_on_trouble():
            found = [_ledger(item) for item in self._item.batch_get(keys, consistent_read=True)]
        return {each.source: each for each in found}

    def _write(self, steps: Sequence[Step]) -> None:
        """Raises RefusedTogether where somebody counted one of the sources since; Unavailable."""
        item = self._item
        ledgers = [
            Write(
                item(
                    _scope(step.told.source),
                    LEDGER,
                    position=step.told.position,
                    counted=_packed(step.told.contribution),
                ),
                condition=item.position == step.ledger.position
                if step.ledger
                else item.scope.does_not_exist(),
            )
            for step in steps
        ]
        rows = [
            Write(
                item(*cell),
                actions=[getattr(item, name).add(amount) for name, amount in amounts.items()],
            )
            for cell, amounts in summed(step.difference for step in steps).items()
        ]
        write_together([*ledgers, *rows])


def _scope(source: str) -> str:
    return f"{LEDGER}#{source}"


def _ledger(item: CounterItem) -> Ledger:
    source = item.scope.removeprefix(f"{LEDGER}#")
    return Ledger(source, int(item.position), _unpacked(item.counted))


def _packed(contribution: Contribution) -> bytes:
    cells = [[*cell, amounts] for cell, amounts in contribution.items()]
    return zlib.compress(json.dumps(cells, separators=(",", ":")).encode())


def _unpacked(packed: bytes) -> Contribution:
    return {
        Cell(scope, name): amounts for scope, name, amounts in json.loads(zlib.decompress(packed))
    }
