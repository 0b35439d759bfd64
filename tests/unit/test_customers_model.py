"""Which customer a call is linked to, and how a customer's numbers are known."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retorno.customers.lookup import Lookup
from retorno.customers.model import (
    NAME_KEY_LENGTH,
    Branch,
    Choice,
    Contact,
    Customer,
    Link,
    NumberLine,
    Place,
    document_key,
    link,
    name_key,
)
from retorno.text import fold

KEY = "+551187654321"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)

customer_ids = st.sampled_from(["ana", "bia", "caio", "davi"])
moments = st.integers(0, 9).map(lambda hours: NOON + timedelta(hours=hours))
lines = st.builds(
    NumberLine,
    holders=st.dictionaries(customer_ids, moments),
    choices=st.lists(
        st.builds(Choice, at=moments, customer_id=st.none() | customer_ids),
        unique_by=lambda choice: choice.at,
    ).map(tuple),
)
lookups = st.builds(
    Lookup, number_key=st.just(KEY), at=moments, chosen=st.none() | st.just("") | customer_ids
)
someone = st.sets(customer_ids).map(
    lambda ids: {
        each: Customer(customer_id=each, name=each, mobile="+5511987654321") for each in ids
    }
)


def linked(found: Link) -> tuple[str | None, str | None]:
    return found.how, found.customer.customer_id if found.customer else None


class TestLink:
    @given(lookups, lines, someone)
    def test_is_one_customer_or_several_candidates_all_of_whom_exist(
        self, lookup: Lookup, line: NumberLine, existing: dict[str, Customer]
    ) -> None:
        found = link(lookup, line, existing)
        assert not (found.customer and found.candidates)
        assert len(found.candidates) != 1
        assert {each.customer_id for each in found.candidates} <= existing.keys()
        assert found.customer is None or found.customer.customer_id in existing
        assert bool(found.how) == bool(found.customer or lookup.chosen == "")

    @given(lookups, lines, someone)
    def test_is_what_a_person_said_of_the_call(
        self, lookup: Lookup, line: NumberLine, existing: dict[str, Customer]
    ) -> None:
        found = linked(link(lookup, line, existing))
        if lookup.chosen == "":
            assert found == ("chosen", None)
        elif lookup.chosen in existing:
            assert found == ("chosen", lookup.chosen)
        else:
            assert found[0] != "chosen"

    @given(lines, moments, moments, customer_ids, someone)
    def test_a_choice_holds_for_later_calls_and_changes_no_earlier_one(
        self,
        line: NumberLine,
        chosen_at: datetime,
        at: datetime,
        customer_id: str,
        existing: dict[str, Customer],
    ) -> None:
        earlier = tuple(choice for choice in line.choices if choice.at < chosen_at)
        before = line.model_copy(update={"choices": earlier})
        choices = (*earlier, Choice(at=chosen_at, customer_id=customer_id))
        after = line.model_copy(update={"choices": choices})
        lookup = Lookup(number_key=KEY, at=at)
        if at < chosen_at:
            assert link(lookup, after, existing) == link(lookup, before, existing)
        elif customer_id in existing:
            assert linked(link(lookup, after, existing)) == ("remembered", customer_id)

    @given(lines, moments, someone, customer_ids, st.integers(1, 9))
    def test_by_itself_stays_when_another_gets_the_number_after_the_call(
        self,
        line: NumberLine,
        at: datetime,
        existing: dict[str, Customer],
        late: str,
        hours: int,
    ) -> None:
        before = NumberLine(holders=line.holders)
        lookup = Lookup(number_key=KEY, at=at)
        found = linked(link(lookup, before, existing))
        latest = max([at, *line.holders.values()]) + timedelta(hours=hours)
        later = NumberLine(holders={late: latest, **line.holders})
        if found[1]:
            assert linked(link(lookup, later, existing)) == found

    @given(moments, moments)
    def test_of_an_unknown_number_comes_when_it_is_added(
        self, at: datetime, since: datetime
    ) -> None:
        ana = Customer(customer_id="ana", name="Ana", mobile="+5511987654321")
        lookup = Lookup(number_key=KEY, at=at)
        assert link(lookup, NumberLine(), {}) == Link()
        found = link(lookup, NumberLine(holders={"ana": since}), {"ana": ana})
        assert linked(found) == ("only_match", "ana")

    def test_candidates_are_all_who_had_the_number_when_the_call_began(self) -> None:
        holders = {"bia": NOON, "ana": NOON - timedelta(hours=1), "caio": NOON + timedelta(hours=1)}
        existing = {each: Customer(customer_id=each, name=each.title()) for each in holders}
        found = link(Lookup(number_key=KEY, at=NOON), NumberLine(holders=holders), existing)
        assert [each.name for each in found.candidates] == ["Ana", "Bia"]

    def test_names_where_the_number_stands(self) -> None:
        customer = Customer(
            customer_id="padaria",
            name="Padaria",
            mobile="+5511987654321",
            branches=(Branch(id="1", name="Centro", phone="+551187654321"),),
            contacts=(Contact(id="2", name="Ana", branch_id="1", mobile="+5511987654321"),),
        )
        lookup = Lookup(number_key=KEY, at=NOON, chosen="padaria")
        found = link(lookup, NumberLine(), {"padaria": customer})
        assert found.customer is not None
        assert found.customer.places == (
            Place(line="mobile"),
            Place(branch="Centro", line="phone"),
            Place(branch="Centro", contact="Ana", line="mobile"),
        )


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("12.345.678/0001-95", "12345678000195"),
        (" pt 501 964 843", "PT501964843"),
        ("１２３", "123"),
        ("--", ""),
    ],
)
def test_a_document_is_its_letters_and_digits(written: str, key: str) -> None:
    assert document_key(written) == key


@given(st.text(min_size=1, max_size=100), st.integers(1, 100))
def test_a_name_is_found_by_each_beginning(name: str, length: int) -> None:
    key = name_key(name)
    assert 0 < len(key) <= NAME_KEY_LENGTH
    if fold(name):
        assert key.startswith(fold(name)[:length][:NAME_KEY_LENGTH])
    assert fold(fold(name)) == fold(name)
