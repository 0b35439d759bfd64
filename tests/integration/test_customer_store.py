"""What leads to a customer never says otherwise than the record, whatever is done."""

from datetime import UTC, datetime, timedelta
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from retorno.customers.model import CustomerDraft
from retorno.customers.service import CustomerRecords
from retorno.customers.store import CustomerItem, CustomerStore
from retorno.dynamodb import bind
from retorno.errors import Conflict, NotFound
from retorno.phone import NumberPlan
from tests.conftest import moto
from tests.support.tables import create_table

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)

numbers = st.none() | st.sampled_from(["11987654321", "+551187654321", "1130001000"])
drafts = st.builds(
    CustomerDraft,
    name=st.sampled_from(["Ana", "Bia"]),
    document=st.none() | st.sampled_from(["1", "1-", "2"]),
    code=st.none() | st.sampled_from(["A", "B"]),
    phone=numbers,
    mobile=numbers,
)
steps = st.lists(st.tuples(st.sampled_from("0123"), st.none() | drafts), max_size=12)


@settings(max_examples=20, deadline=None)
@given(steps)
def test_every_lead_is_that_of_a_record_and_every_record_has_its_leads(
    steps: list[tuple[str, CustomerDraft | None]],
) -> None:
    """Each step makes or replaces a customer, or deletes it where there is no draft."""
    with moto():
        name = create_table("CustomersTable", "customers")
        ids = map(str, count(100))
        records = CustomerRecords(CustomerStore(name), NumberPlan("BR"), lambda: next(ids))
        known: dict[str, str] = {}
        held: dict[tuple[str, str], datetime] = {}
        now = NOON
        for step, draft in steps:
            now += timedelta(hours=1)
            customer_id = known.get(step, "none")
            try:
                if draft is None:
                    records.delete(customer_id, None)
                    del known[step]
                elif step in known:
                    records.replace(customer_id, draft, None, now)
                else:
                    known[step] = records.create(draft, now).customer.customer_id
            except (Conflict, NotFound):
                continue
            keys = records.one(known[step]).customer.numbers() if draft else {}
            before = {pair: since for pair, since in held.items() if pair[0] == step}
            held = {pair: since for pair, since in held.items() if pair[0] != step}
            held |= {(step, key): before.get((step, key), now) for key in keys}
        expected = {
            (f"number#{key}", f"held#{since:%Y-%m-%dT%H:%M:%S.%fZ}#{known[step]}")
            for (step, key), since in held.items()
        }
        for customer_id in known.values():
            customer = records.one(customer_id).customer
            expected.add((f"customer#{customer_id}", "record"))
            if customer.document:
                expected.add((f"document#{customer.document.strip('-')}", "claim"))
            if customer.code:
                expected.add((f"code#{customer.code}", "claim"))
        assert {(item.pk, item.sk) for item in bind(CustomerItem, name).scan()} == expected
