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
from retorno.counters.model import Cell, Contribution, Image, Ledger, Told, summed, told
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
