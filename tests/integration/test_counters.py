"""Counters that are exact through whatever a stream's reader goes through."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any
from unittest.mock import patch

import pytest
from botocore.client import BaseClient
from botocore.exceptions import EndpointConnectionError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retorno.counters import store
from retorno.counters.model import (
    Cell,
    Contribution,
    Image,
    Ledger,
    Step,
    Told,
    step_to,
    summed,
    told,
)
from retorno.counters.store import Counters
from retorno.dynamodb import MAX_ITEMS_AT_ONCE, Write
from retorno.errors import Unavailable
from tests.support.quick_dynamodb import QuickDynamoDB

NAMES = ("sales", "calls")
SCOPES = ("all", "agent#ana")

cells = st.builds(Cell, st.sampled_from(SCOPES), st.sampled_from(["1", "2", "3"]))
amounts = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 3))
contributions = st.dictionaries(cells, amounts, max_size=4)
# What a source adds at each of its revisions, None where it is deleted.
lives = st.lists(st.none() | contributions, min_size=1, max_size=5)


def news_of(source: object, life: Sequence[Contribution | None]) -> list[Told]:
    """What the stream tells of a source: what it adds from each change on."""
    images = [
        None if contribution is None else Image(revision, contribution)
        for revision, contribution in enumerate(life, start=1)
    ]
    found = [told(str(source), *pair) for pair in zip([None, *images], images, strict=False)]
    return [each for each in found if each]


def recount(histories: Sequence[Sequence[Contribution | None]]) -> Contribution:
    return summed(life[-1] or {} for life in histories)


@dataclass
class Table:
    """A quick DynamoDB that fails at the requests that `fails` says, before or after they are
    served, and lets others in before it writes.
    """

    fails: list[tuple[bool, bool]] = field(default_factory=list)
    before_writing: list[Callable[[], object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._dynamodb = QuickDynamoDB({"CountersTable": "counters"}, lambda *_: None)

    def served(self, operation: str, parameters: Any) -> Any:
        if operation == "TransactWriteItems" and self.before_writing:
            self.before_writing.pop(0)()
        before, after = self.fails.pop(0) if self.fails else (False, False)
        if before:
            raise EndpointConnectionError(endpoint_url="https://example.com")
        answer = self._dynamodb(operation, parameters)
        if after:
            raise EndpointConnectionError(endpoint_url="https://example.com")
        return answer


# A client of its own for each example would take longer than all that it does.
@cache
def all_counters() -> Counters:
    return Counters("counters", NAMES)


@contextmanager
def counting(table: Table) -> Iterator[Counters]:
    with patch.object(BaseClient, "_make_api_call", table.served):
        yield all_counters()


def counted(counters: Counters) -> Contribution:
    return {
        Cell(scope, name): amounts
        for scope in SCOPES
        for name, amounts in counters.rows(Cell(scope, ""), Cell(scope, "~"), 1000)
        if amounts
    }


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(histories=st.lists(lives, min_size=1, max_size=4), data=st.data())
def test_whatever_is_told_however_it_comes_out_as_the_recount(
    histories: list[list[Contribution | None]], data: st.DataObject
) -> None:
    """Batches of any borders, in any order and again; requests that fail; and others who count
    the same between the look and the write.
    """
    news = [each for index, life in enumerate(histories) for each in news_of(index, life)]
    batches = st.lists(st.sampled_from(news), max_size=8) if news else st.just([])
    troubles = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=6)
    table = Table(fails=data.draw(troubles))
    with counting(table) as counters:
        table.before_writing = [
            lambda batch=batch: counters.count(batch)  # type: ignore[misc]
            for batch in data.draw(st.lists(batches, max_size=3))
        ]
        for batch in data.draw(st.lists(batches, max_size=5)):
            with suppress(Unavailable):
                counters.count(batch)
        table.fails.clear()
        rest = data.draw(st.permutations(news))
        border = data.draw(st.integers(0, len(rest)))
        for batch in (rest[:border], rest[border:]):
            counters.count(batch)
        assert counted(counters) == recount(histories)


HERE, THERE = Cell("all", "1"), Cell("all", "2")


def told_twice(counters: Counters, _: Table) -> Contribution:
    life = [{HERE: {"sales": 1}}]
    counters.count(news_of("s", life))
    counters.count(news_of("s", life))
    return recount([life])


def with_other_borders(counters: Counters, _: Table) -> Contribution:
    """The second change was counted when its batch broke off, and comes again with the third."""
    life: list[Contribution | None] = [
        {HERE: {"sales": 1}},
        {THERE: {"sales": 2}},
        {HERE: {"sales": 1}},
    ]
    first, second, third = news_of("s", life)
    for batch in ([first, second], [second, third]):
        counters.count(batch)
    return recount([life])


def in_the_wrong_order(counters: Counters, _: Table) -> Contribution:
    life: list[Contribution | None] = [{HERE: {"sales": 1}}, {THERE: {"sales": 2}}, None]
    for each in reversed(news_of("s", life)):
        counters.count([each])
    return recount([life])


def by_two_at_once(counters: Counters, table: Table) -> Contribution:
    life = [{HERE: {"sales": 1}}]
    table.before_writing = [lambda: counters.count(news_of("s", life))]
    counters.count(news_of("s", life))
    return recount([life])


def with_a_lost_answer(counters: Counters, table: Table) -> Contribution:
    life = [{HERE: {"sales": 1}}]
    table.fails = [(False, False), (False, True)]
    with pytest.raises(Unavailable):
        counters.count(news_of("s", life))
    counters.count(news_of("s", life))
    return recount([life])


TRIALS = [told_twice, with_other_borders, in_the_wrong_order, by_two_at_once, with_a_lost_answer]
Trial = Callable[[Counters, Table], Contribution]


@pytest.mark.parametrize("trial", TRIALS)
def test_a_source_counts_once(trial: Trial) -> None:
    table = Table()
    with counting(table) as counters:
        assert trial(counters, table) == counted(counters)


def without_ledgers(monkeypatch: pytest.MonkeyPatch) -> None:
    look = Counters._ledgers

    def forgetful(counters: Counters, sources: Iterable[str]) -> Mapping[str, Ledger]:
        look(counters, sources)
        return {}

    monkeypatch.setattr(Counters, "_ledgers", forgetful)
    without_conditions(monkeypatch)


def without_conditions(monkeypatch: pytest.MonkeyPatch) -> None:
    def unconditional(*asked: Any, **named: Any) -> Write[Any]:
        return replace(Write(*asked, **named), condition=None)

    monkeypatch.setattr(store, "Write", unconditional)


def without_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retorno.counters.model.Step.is_news", True)


@pytest.mark.parametrize(
    ("breaking", "trial"),
    [
        (without_ledgers, told_twice),
        (without_ledgers, with_other_borders),
        (without_ledgers, with_a_lost_answer),
        (without_conditions, by_two_at_once),
        (without_positions, in_the_wrong_order),
    ],
)
def test_without_its_parts_it_goes_wrong(
    breaking: Callable[[pytest.MonkeyPatch], None], trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the tests above would prove nothing."""
    breaking(monkeypatch)
    table = Table()
    with counting(table) as counters:
        assert trial(counters, table) != counted(counters)


def test_many_sources_of_many_cells_are_more_than_one_transaction() -> None:
    transactions = []

    class Watched(Table):
        def served(self, operation: str, parameters: Any) -> Any:
            if operation == "TransactWriteItems":
                transactions.append(len(parameters["TransactItems"]))
            return super().served(operation, parameters)

    histories: list[list[Contribution | None]] = [
        [{Cell("all", f"{index}-{each}"): {"sales": 1} for each in range(40)}] for index in range(5)
    ]
    with counting(Watched()) as counters:
        counters.count(
            new for index, life in enumerate(histories) for new in news_of(f"{index}", life)
        )
        assert counted(counters) == recount(histories)
    assert max(transactions) <= MAX_ITEMS_AT_ONCE
    assert transactions == [82, 82, 41]


def test_sources_of_the_same_cells_share_their_writes() -> None:
    table = Table()
    with counting(table) as counters:
        counters.count(
            new for index in range(98) for new in news_of(f"{index}", [{HERE: {"sales": 2}}])
        )
        assert counters.row(HERE) == {"sales": 196}


def test_a_source_that_no_transaction_could_hold_is_refused() -> None:
    life = [{Cell("all", str(each)): {"sales": 1} for each in range(MAX_ITEMS_AT_ONCE)}]
    with counting(Table()) as counters, pytest.raises(ValueError, match="changes 100 cells"):
        counters.count(news_of("s", life))


def test_a_row_that_nothing_was_added_to_is_empty() -> None:
    with counting(Table()) as counters:
        assert counters.row(HERE) == {}


# --- Sources that are looked at, and have no revision --------------------------------------------


@dataclass
class Truths:
    """What sources add, each going through its life; whoever changes has to be looked at."""

    lives: Sequence[Sequence[Contribution | None]]
    to_look: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._at = dict.fromkeys(map(str, range(len(self.lives))), 0)

    def change(self, source: str) -> None:
        if self._at[source] + 1 < len(self.lives[int(source)]):
            self._at[source] += 1
            self.to_look.append(source)

    def read(self, sources: Sequence[str]) -> Mapping[str, Contribution | None]:
        return {source: self.lives[int(source)][self._at[source]] for source in sources}

    def look(self, counters: Counters, sources: Iterable[str]) -> None:
        """What fails is to be looked at again."""
        taken = list(sources)
        self.to_look = [source for source in self.to_look if source not in taken]
        try:
            counters.keep(taken, self.read)
        except Unavailable:
            self.to_look += taken


# One that adds nothing yet does so later: it does not end there.
lives_looked_at = st.builds(
    lambda begin, end: [None, *begin, end],
    st.lists(st.none() | contributions, max_size=3),
    contributions,
)
steps_taken = st.lists(st.tuples(st.booleans(), st.lists(st.sampled_from("012"), max_size=3)))


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(
    lives=st.lists(lives_looked_at, min_size=3, max_size=3),
    steps=steps_taken,
    meanwhile=st.lists(steps_taken, max_size=4),
    fails=st.lists(st.tuples(st.booleans(), st.booleans()), max_size=6),
)
def test_whoever_is_looked_at_in_any_order_counts_as_they_are(
    lives: list[list[Contribution | None]],
    steps: list[tuple[bool, list[str]]],
    meanwhile: list[list[tuple[bool, list[str]]]],
    fails: list[tuple[bool, bool]],
) -> None:
    """Sources change, and others look and count, also between a look and its write."""
    truths, table = Truths(lives), Table(fails=fails)

    def happen(counters: Counters, steps: Sequence[tuple[bool, list[str]]]) -> None:
        for changes, sources in steps:
            if changes:
                for source in sources:
                    truths.change(source)
            else:
                truths.look(counters, sources)

    with counting(table) as counters:
        table.before_writing = [
            lambda steps=each: happen(counters, steps)  # type: ignore[misc]
            for each in meanwhile
        ]
        happen(counters, steps)
        table.before_writing.clear()
        table.fails.clear()
        for life, source in zip(lives, "012", strict=True):
            for _ in life:
                truths.change(source)
        truths.look(counters, list(truths.to_look))
        assert counted(counters) == recount(lives)


def as_it_was_in_between(counters: Counters, table: Table) -> Contribution:
    """One looks; the source is as it was counted again; another looks, and the first writes."""
    life: list[Contribution | None] = [None, {HERE: {"sales": 1}}, {}, {HERE: {"sales": 1}}]
    truths = Truths([life])
    truths.change("0")
    truths.look(counters, "0")
    truths.change("0")

    def another() -> None:
        truths.change("0")
        truths.look(counters, "0")

    table.before_writing = [another]
    truths.look(counters, "0")
    return recount([life])


def test_whoever_looked_before_another_looks_again() -> None:
    table = Table()
    with counting(table) as counters:
        assert as_it_was_in_between(counters, table) == counted(counters)


def test_a_ledger_is_written_even_where_nothing_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else whoever looked before would not be refused."""

    def sparing(source: str, ledger: Ledger | None, found: Contribution | None) -> Step | None:
        step = step_to(source, ledger, found)
        return step if step and step.difference else None

    monkeypatch.setattr(store, "step_to", sparing)
    table = Table()
    with counting(table) as counters:
        assert as_it_was_in_between(counters, table) != counted(counters)


def test_what_adds_nothing_yet_costs_no_write() -> None:
    written = []

    class Watched(Table):
        def served(self, operation: str, parameters: Any) -> Any:
            written.append(operation)
            return super().served(operation, parameters)

    with counting(Watched()) as counters:
        counters.keep("s", dict.fromkeys)
        counters.keep("s", lambda sources: {})
    assert set(written) == {"BatchGetItem"}


def test_what_is_no_longer_found_stays_as_it_was_counted() -> None:
    with counting(Table()) as counters:
        counters.keep("s", lambda sources: {each: {HERE: {"sales": 2}} for each in sources})
        counters.keep("s", lambda sources: {})
        assert counters.row(HERE) == {"sales": 2}


def test_what_is_told_and_what_is_looked_at_share_their_rows() -> None:
    """Also where somebody counted both between the look and the write."""
    truths = Truths([[{HERE: {"calls": 2}}]])
    news = news_of("s", [{HERE: {"sales": 1}}])
    written = []

    class Watched(Table):
        def served(self, operation: str, parameters: Any) -> Any:
            if operation == "TransactWriteItems":
                written.append(len(parameters["TransactItems"]))
            return super().served(operation, parameters)

    table = Watched()
    with counting(table) as counters:
        table.before_writing = [lambda: counters.keep("0", truths.read, news)]
        counters.keep("0", truths.read, news)
        assert counters.row(HERE) == {"sales": 1, "calls": 2}
    # The first was refused; what was told is no news any more, and who looks writes what they saw.
    assert written == [3, 3, 1]


def test_rows_are_found_one_by_one() -> None:
    cells = [Cell("all", f"{index:03}") for index in range(MAX_ITEMS_AT_ONCE + 1)]
    first, last = cells[0], cells[-1]
    with counting(Table()) as counters:
        counters.count(news_of("s", [{first: {"sales": 1}, last: {"calls": 2}}]))
        assert counters.some(cells) == [("000", {"sales": 1}), ("100", {"calls": 2})]
