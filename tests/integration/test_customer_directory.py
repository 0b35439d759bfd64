"""Whose calls are: looked up for a whole page of calls, and remembered from a person's choice."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from retorno.customers.lookup import Lookup
from retorno.customers.model import CustomerDraft, Link
from retorno.customers.service import (
    CustomerDirectory,
    CustomerRecords,
    customer_directory,
    customer_records,
)
from retorno.customers.store import MAX_CHOICES
from retorno.settings import CustomerSettings
from tests.support.requests import counted
from tests.support.tables import create_table

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEY = "+551187654321"


@pytest.fixture
def settings(aws: None) -> CustomerSettings:
    table = create_table("CustomersTable", "customers")
    return CustomerSettings.of({"country": "BR", "customers_table": table})


@pytest.fixture
def records(settings: CustomerSettings) -> CustomerRecords:
    return customer_records(settings)


@pytest.fixture
def directory(settings: CustomerSettings) -> CustomerDirectory:
    return customer_directory(settings)


def made(records: CustomerRecords, name: str, mobile: str, at: datetime = NOON) -> str:
    return records.create(CustomerDraft(name=name, mobile=mobile), at).customer.customer_id


def at(moment: datetime, chosen: str | None = None) -> Lookup:
    return Lookup(number_key=KEY, at=moment, chosen=chosen)


def told(links: list[Link]) -> list[tuple[str | None, str | None]]:
    return [(each.how, each.customer.name if each.customer else None) for each in links]


def test_a_page_of_calls_asks_for_each_number_once(
    records: CustomerRecords, directory: CustomerDirectory
) -> None:
    for n in range(30):
        made(records, f"Cliente {n}", f"119876500{n:02}")
    lookups = [Lookup(number_key=f"+55118765{n % 50:04}", at=NOON + HOUR) for n in range(500)]
    with counted() as requests:
        links = directory.links([*lookups, Lookup(number_key=None, at=NOON)])
    assert Counter(requests) == {"Query": 50, "BatchGetItem": 1}
    expected = [
        ("only_match", f"Cliente {n % 50}") if n % 50 < 30 else (None, None) for n in range(500)
    ]
    assert told(links) == [*expected, (None, None)]


def test_no_call_asks_for_nothing(directory: CustomerDirectory) -> None:
    with counted() as requests:
        assert directory.links([]) == []
        assert directory.links([Lookup(number_key=None, at=NOON)]) == [Link()]
    assert requests == []


def test_a_choice_is_remembered_for_later_calls_until_it_is_taken_back(
    records: CustomerRecords, directory: CustomerDirectory
) -> None:
    ana, bia = (made(records, name, "11987654321") for name in ("Ana", "Bia"))
    directory.remember(KEY, ana, NOON + HOUR)
    directory.remember(KEY, None, NOON + 3 * HOUR)
    asked = [at(NOON + hours * HOUR) for hours in (0, 1, 2, 3, 4)]
    open_ = (None, None)
    remembered = ("remembered", "Ana")
    assert told(directory.links(asked)) == [open_, remembered, remembered, open_, open_]
    # A choice at a call in between changes nothing before it, and nothing that was said later.
    directory.remember(KEY, bia, NOON + 2 * HOUR)
    assert told(directory.links(asked)) == [open_, remembered, ("remembered", "Bia"), open_, open_]
    directory.remember(KEY, ana, NOON + 2 * HOUR)
    assert told(directory.links(asked[2:3])) == [remembered]


def test_a_choice_of_a_customer_who_is_gone_counts_for_nothing(
    records: CustomerRecords, directory: CustomerDirectory
) -> None:
    ana = made(records, "Ana", "11987654321")
    bia = made(records, "Bia", "11987654321")
    assert directory.exists(ana)
    directory.remember(KEY, ana, NOON)
    assert told(directory.links([at(NOON)])) == [("remembered", "Ana")]
    records.delete(ana, None)
    assert not directory.exists(ana)
    assert told(directory.links([at(NOON), at(NOON, chosen=ana), at(NOON, chosen=bia)])) == [
        ("only_match", "Bia"),
        ("only_match", "Bia"),
        ("chosen", "Bia"),
    ]


def test_a_number_of_very_many_is_still_whose_it_was_first(
    records: CustomerRecords, directory: CustomerDirectory
) -> None:
    made(records, "Ana", "11987654321", NOON)
    for n in range(60):
        made(records, f"Cliente {n}", "11987654321", NOON + HOUR)
    first, later = directory.links([at(NOON), at(NOON + HOUR)])
    assert told([first]) == [("only_match", "Ana")]
    assert len(later.candidates) == 25


def test_the_oldest_choices_are_forgotten(
    records: CustomerRecords, directory: CustomerDirectory
) -> None:
    ana, _ = made(records, "Ana", "11987654321"), made(records, "Bia", "11987654321")
    for n in range(MAX_CHOICES + 1):
        directory.remember(KEY, ana, NOON + n * HOUR)
    links = directory.links([at(NOON), at(NOON + HOUR)])
    assert [each.how for each in links] == [None, "remembered"]
