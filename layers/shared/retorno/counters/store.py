"""The table of counters, and of the ledgers that keep them exact."""

import json
import types
import zlib
from collections.abc import Iterable, Mapping, Sequence

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
    summed,
    together,
)
from retorno.dynamodb import (
    MAX_ITEMS_AT_ONCE,
    RefusedTogether,
    Write,
    bind,
    unavailable_on_trouble,
    write_together,
)
from retorno.errors import Unavailable

LEDGER = "ledger"

# Each loser of a race looks again at what the winner wrote; so many losses are no race.
MAX_LOOKS = 20


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
        left = latest(news)
        for _ in range(MAX_LOOKS):
            known = self._ledgers(each.source for each in left)
            steps = [Step(known.get(each.source), each) for each in left]
            left = []
            for taken in together((step for step in steps if step.is_news), MAX_ITEMS_AT_ONCE):
                try:
                    self._write(taken)
                except RefusedTogether:
                    left += [step.told for step in taken]
            if not left:
                return
        raise Unavailable("the sources are being counted by too many at once")

    def row(self, cell: Cell) -> Amounts:
        """Without what nothing was ever added to. Raises Unavailable."""
        with unavailable_on_trouble():
            try:
                return self._amounts(self._item.get(*cell))
            except self._item.DoesNotExist:
                return {}

    def rows(self, first: Cell, last: Cell, limit: int) -> Sequence[tuple[str, Amounts]]:
        """From one cell of a scope to another, both included, by name; at most `limit` of them.

        Raises Unavailable.
        """
        between = self._item.cell.between(first.name, last.name)
        with unavailable_on_trouble():
            found = self._item.query(first.scope, between, limit=limit)
            return [(item.cell, self._amounts(item)) for item in found]

    def _amounts(self, item: CounterItem) -> Amounts:
        read = ((name, getattr(item, name)) for name in self._names)
        return {name: int(amount) for name, amount in read if amount}

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
