"""Counting so that each thing counts once, though it is told twice, late, or in pieces.

A *source* is an item of another table, whose stream tells how it changes. What it adds to the
counters, its contribution, follows from its image alone. Its *ledger* keeps what was counted of it.
So whatever is told, what has to be added is the difference between what the source now adds and
what its ledger says.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Cell(NamedTuple):
    """A row of counters: its partition, and its name there, by which rows of one are in order."""

    scope: str
    name: str


# What is added to the counters of each cell, by their names.
Amounts = Mapping[str, int]
Contribution = Mapping[Cell, Amounts]


@dataclass(frozen=True, slots=True)
class Image:
    """A source at one of its revisions, which count up with each write, and never begin anew: not
    even where it is deleted and then made again.
    """

    revision: int
    contribution: Contribution


@dataclass(frozen=True, slots=True)
class Told:
    """What a source adds from now on. `position` says what is later, of one source."""

    source: str
    position: int
    contribution: Contribution


def told(source: str, before: Image | None, after: Image | None) -> Told | None:
    """What a change says, None of an image where there is none; None where it adds the same.

    To leave out what adds the same is safe because a ledger is compared with, and not `before`.
    """
    if (before.contribution if before else {}) == (after.contribution if after else {}):
        return None
    if after:
        return Told(source, 2 * after.revision, after.contribution)
    # Later than the last revision, and earlier than any that may come.
    return Told(source, 2 * before.revision + 1, {}) if before else None


def latest(news: Iterable[Told]) -> Sequence[Told]:
    """Of each source what is the latest, whatever order it is told in."""
    found: dict[str, Told] = {}
    for each in news:
        known = found.get(each.source)
        if known is None or known.position < each.position:
            found[each.source] = each
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Ledger:
    """What was counted of a source, and up to where."""

    source: str
    position: int
    counted: Contribution


@dataclass(frozen=True, slots=True)
class Step:
    """From what a ledger says, None where there is none, to what is told."""

    ledger: Ledger | None
    told: Told

    @property
    def is_news(self) -> bool:
        return self.ledger is None or self.ledger.position < self.told.position

    @property
    def difference(self) -> Contribution:
        return summed([self.told.contribution], less=self.ledger.counted if self.ledger else {})


def step_to(source: str, ledger: Ledger | None, found: Contribution | None) -> Step | None:
    """From what a ledger says to what its source was found to add since that was read. None where
    nothing was counted, and there is nothing to count yet.
    """
    if found is None and not (ledger and ledger.counted):
        return None
    position = 1 + ledger.position if ledger else 0
    return Step(ledger, Told(source, position, found or {}))


def summed(contributions: Iterable[Contribution], less: Contribution | None = None) -> Contribution:
    """Only what is not zero."""
    sums: dict[Cell, dict[str, int]] = {}
    signed = [*((1, each) for each in contributions), (-1, less or {})]
    for sign, contribution in signed:
        for cell, amounts in contribution.items():
            of_cell = sums.setdefault(cell, {})
            for name, amount in amounts.items():
                of_cell[name] = of_cell.get(name, 0) + sign * amount
    not_zero = (
        (cell, {name: amount for name, amount in amounts.items() if amount})
        for cell, amounts in sums.items()
    )
    return {cell: amounts for cell, amounts in not_zero if amounts}


def together(steps: Iterable[Step], most: int) -> Iterator[Sequence[Step]]:
    """Steps that are taken at once, since they write at most so many items: each its ledger, and
    all of them the cells in which they differ. Raises ValueError where one alone writes more.
    """
    taken: list[Step] = []
    cells: set[Cell] = set()
    for step in steps:
        own = step.difference.keys()
        if 1 + len(own) > most:
            raise ValueError(f"{step.told.source} changes {len(own)} cells at once")
        wider = cells | own
        if len(taken) + 1 + len(wider) > most:
            yield taken
            taken, wider = [], set(own)
        taken.append(step)
        cells = wider
    if taken:
        yield taken
