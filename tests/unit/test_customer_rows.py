"""Rows that tell of a customer: merged so that nothing is lost, and written so that they come
back."""

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from retorno.customers.model import Customer
from retorno.customers.rows import HEADER, VOCABULARY, Told, merge, read, written
from retorno.imports.model import Row
from retorno.imports.reading import _words
from retorno.phone import NumberPlan

PLAN = NumberPlan("BR")

maybe = st.none() | st.sampled_from(["Ana", "Bia", "Centro"])
numbers = st.none() | st.sampled_from(["+5511987654321", "+5511987654322", "+351212345678"])
tellings = st.builds(
    Told,
    name=st.sampled_from(["Padaria", "PADARIA"]),
    document=st.none() | st.sampled_from(["1", "2"]),
    tags=st.none() | st.sampled_from([("a",), ("a", "b c")]),
    owner=maybe,
    city=maybe,
    phone=numbers,
    mobile=numbers,
    branch=maybe,
    branch_phone=numbers,
    branch_mobile=numbers,
    contact=maybe,
    contact_phone=numbers,
    contact_mobile=numbers,
)


def merged(tellings: list[Told], customer: Customer | None = None) -> Customer:
    ids = map(str, count(len(customer.branches + customer.contacts) if customer else 0))
    for told in tellings:
        customer, problems = merge(told, "7", customer, lambda: next(ids))
        assert problems == []
    assert customer is not None
    return customer


@given(st.lists(tellings, min_size=1, max_size=6))
def test_rows_that_come_again_change_nothing(rows: list[Told]) -> None:
    last = merged(rows)
    assert merged([rows[-1]], last) == last


@given(st.lists(tellings, min_size=1, max_size=6), tellings)
def test_a_row_sets_what_it_tells_and_erases_nothing(rows: list[Told], row: Told) -> None:
    before, after = merged(rows), merged([row], merged(rows))
    for field in ("name", "document", "tags", "owner", "city", "phone", "mobile"):
        told = getattr(row, field)
        assert getattr(after, field) == (getattr(before, field) if told is None else told)
    assert {branch.id for branch in before.branches} <= {branch.id for branch in after.branches}
    assert {each.id for each in before.contacts} <= {each.id for each in after.contacts}
    kept = len(before.branches) + len(before.contacts)
    assert len(after.branches) + len(after.contacts) <= kept + 2


@given(st.lists(tellings, min_size=1, max_size=6))
def test_a_customer_that_is_written_comes_back(rows: list[Told]) -> None:
    customer = merged(rows)
    fields = dict(zip(HEADER, VOCABULARY.names, strict=True))
    again: list[Told] = []
    for number, cells in enumerate(written(customer)):
        row = Row(
            number=number,
            cells={fields[name]: cell for name, cell in zip(HEADER, cells, strict=True) if cell},
        )
        told, problems = read(row, PLAN)
        assert told
        assert problems == []
        again.append(told)
    assert merged(again, customer) == customer
    anew = merged(again)
    assert [(each.name, each.phone, each.mobile) for each in anew.branches] == [
        (each.name, each.phone, each.mobile) for each in customer.branches
    ]
    assert [(each.name, each.phone, each.mobile) for each in anew.contacts] == [
        (each.name, each.phone, each.mobile) for each in customer.contacts
    ]
    assert anew.numbers().keys() == customer.numbers().keys()


@given(tellings, st.sampled_from(["K1", "K2", None]))
def test_a_new_customer_is_known_by_code_then_document_then_name_and_numbers(
    told: Told, code: str | None
) -> None:
    told = told.model_copy(update={"code": code})
    other = Told(name="Outro", phone="+5511300010000", code=code, document=told.document)
    same = told.code is not None or told.document is not None
    assert (told.customer_id == other.customer_id) == same


def test_no_two_columns_have_a_name_in_common() -> None:
    names = [tuple(_words(name)) for names in VOCABULARY.names.values() for name in names]
    ambiguous = {name for name in names if names.count(name) > 1}
    fields = [{tuple(_words(name)) for name in names} for names in VOCABULARY.names.values()]
    assert all(sum(name in field for field in fields) == 1 for name in ambiguous)
