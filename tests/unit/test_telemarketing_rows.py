"""Rows of telemarketing: amounts and times as people write them, and what goes out comes back."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retorno.customers.model import Customer, Sought
from retorno.errors import InvalidInput
from retorno.imports.model import Row
from retorno.imports.reading import _words
from retorno.phone import NumberPlan
from retorno.telemarketing.assignments.model import Entry, What
from retorno.telemarketing.operations.model import Operation, Stage
from retorno.telemarketing.transfer.rows import (
    ENTRY_HEADER,
    HISTORY_ROWS,
    OPERATION_HEADER,
    VOCABULARIES,
    entry_row,
    moment,
    money,
    named,
    operation_row,
    read_history,
    read_link,
)

PLAN = NumberPlan("BR")
ZONE = ZoneInfo("America/Sao_Paulo")
LISBON = ZoneInfo("Europe/Lisbon")
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

# Without an offset, in whole seconds.
moments = st.datetimes(
    datetime.fromisoformat("1971-01-01"), datetime.fromisoformat("2198-12-31")
).map(lambda at: at.replace(microsecond=0))
amounts = st.decimals(0, Decimal("9999999999.99"), places=2)


@given(amounts, st.sampled_from(["", "R$", "R$ ", "€ "]), st.sampled_from(["", " €", " EUR"]))
def test_an_amount_is_read_however_it_is_written(amount: Decimal, before: str, after: str) -> None:
    english = f"{amount:,.2f}"
    brazilian = english.translate(str.maketrans(",.", ".,"))
    portuguese = brazilian.replace(".", "\N{NO-BREAK SPACE}")
    plain = f"{amount:.2f}"
    for written in (english, brazilian, portuguese, plain, plain.replace(".", ",")):
        assert money(before + written + after) == amount
    for whole in (f"{int(amount):,}", f"{int(amount):,}".replace(",", "."), f"{int(amount)}"):
        assert money(whole) == int(amount)


@given(st.text(max_size=20))
def test_any_text_is_an_amount_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert money(text) >= 0


@pytest.mark.parametrize(
    ("written", "amount"),
    [("1.234", 1234), ("12,5", "12.5"), ("0", 0), ("007", 7), ("1.234.567,8", "1234567.8")],
)
def test_three_digits_are_thousands_and_fewer_are_cents(written: str, amount: int | str) -> None:
    assert money(written) == Decimal(amount)


@pytest.mark.parametrize(
    "written",
    ["", "R$", "-5", "1.23.4", "1,234.567,8", "1.234,567", "0.123", "12 34", "1e5", "mil", "1.2345",
     "12345678901", "٣"],
)  # fmt: skip
def test_what_is_no_amount_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"no amount|should have"):
        money(written)


@given(
    moments,
    st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_a_time_is_read_however_it_is_written(at: datetime, offset: timezone) -> None:
    local = at.replace(tzinfo=ZONE).astimezone(UTC)
    for day in ("%d/%m/%Y ", "%Y-%m-%d ", "%Y-%m-%dT", "%d-%m-%Y  "):
        form = f"{day}%H:%M:%S"
        assert moment(at.strftime(form), ZONE) == local
    minutes = at.replace(second=0, tzinfo=ZONE)
    assert moment(f"{at.day}/{at.month}/{at.year} às {at:%H}h{at:%M}", ZONE) == minutes
    assert moment(f"{at:%d.%m.%Y}", ZONE) == datetime(at.year, at.month, at.day, tzinfo=ZONE)
    aware = at.replace(tzinfo=offset)
    assert moment(aware.isoformat(), ZONE) == aware


@given(
    st.text(max_size=30)
    | st.from_regex(r"\d{4}-\d\d-\d\d.{0,20}")
    | st.from_regex(r"\d\d/\d\d/\d{4}.*")
)
def test_any_text_is_a_time_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert moment(text, ZONE).tzinfo is UTC


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("31/02/2026 10:00", "is no day or time that there is"),
        ("02/03/2026 25:00", "is no day or time that there is"),
        ("2026-13-01 10:00", "is no day or time that there is"),
        ("02/03/26 10:00", "is no time, such as"),
        ("02/03-2026 10:00", "is no time, such as"),
        ("amanhã", "is no time, such as"),
        ("9999-12-31T23:59:59-14:00", "is in the year 9999"),
        ("01/01/0001 10:00", "is in the year 1"),
        ("02/03/2026", "needs a time of day"),
        ("2026-03-02", "needs a time of day"),
    ],
)
def test_what_is_no_time_is_refused(written: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        moment(written, ZONE, needs_time=True)


def test_of_a_time_that_clocks_show_twice_it_is_the_first() -> None:
    assert moment("25/10/2026 01:30", LISBON) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_customer_is_named_by_the_first_that_is_filled() -> None:
    for cells, sought in (
        ({"customer_id": "x", "code": "C1", "phone": "1"}, Sought(customer_id="x")),
        ({"code": "C1", "document": "2", "phone": "1"}, Sought(code="C1")),
        ({"document": "12-3", "phone": "11 98765-4321"}, Sought(document="12-3")),
        ({"phone": "(11) 8765-4321"}, Sought(number_key="+551187654321")),
    ):
        told, problems = read_link(Row(number=2, cells=cells), PLAN)
        assert told
        assert (told.customer, problems) == (sought, [])


@pytest.mark.parametrize("word", ["Desvincular", "EXCLUIR", "remover", "unlink"])
def test_a_row_unlinks_by_many_words(word: str) -> None:
    told, _ = read_link(Row(number=2, cells={"code": "C1", "action": word}), PLAN)
    assert told
    assert told.unlinks


HISTORY = {
    "campaign": "natal",
    "code": "C1",
    "agent": "ana",
    "at": "01/03/2026 10:00",
    "outcome": "venda",
    "value": "R$ 1.234,50",
}


def test_a_row_of_history_is_read() -> None:
    told, problems = read_history(Row(number=2, cells=HISTORY), PLAN, ZONE, NOW)
    assert told
    assert problems == []
    assert told.at == datetime(2026, 3, 1, 13, 0, tzinfo=UTC)
    assert (told.value, told.conversation, told.reason) == (Decimal("1234.50"), "", None)


@pytest.mark.parametrize(
    ("cells", "problems"),
    [
        ({"reason": "ocupado"}, {"reason": "is of a row without an outcome, and this has one"}),
        ({"outcome": ""}, {"outcome": "is missing, and so is the reason why there was no contact"}),
        ({"agent": "", "campaign": ""}, {"campaign": "is missing", "agent": "is missing"}),
        ({"at": "02/03/2026 09:01"}, {"at": "is in the future"}),
        ({"value": "muito"}, {"value": "is no amount, such as 1.234,56"}),
        (
            {"scheduled_for": "03/03/2026"},
            {"scheduled_for": "needs a time of day, such as 02/03/2026 14:05"},
        ),
        ({"code": "", "at": "x"}, {
            "customer": "is named by none of code, document, phone and customer_id",
            "at": "is no time, such as 02/03/2026 14:05",
        }),
    ],
)  # fmt: skip
def test_a_row_of_history_is_refused_whole(cells: dict[str, str], problems: dict[str, str]) -> None:
    filled = {name: cell for name, cell in (HISTORY | cells).items() if cell}
    told, found = read_history(Row(number=2, cells=filled), PLAN, ZONE, NOW)
    assert told is None
    assert {each.field: each.reason for each in found} == problems


def test_a_thing_is_named_by_its_code_or_its_name() -> None:
    names = [("venda", "Venda realizada"), ("a", "Igual"), ("b", "igual"), ("igual-c", "Outro")]
    for cell in ("venda", "VENDA  Realizada", "Venda"):
        assert named(cell, names, "outcome") == "venda"
    for cell, reason in (("Igual", "several"), ("x", "not known")):
        with pytest.raises(InvalidInput, match=f"outcome: .*{reason}"):
            named(cell, names, "outcome")


texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=30).map(str.strip)


@given(texts, st.none() | amounts, moments.filter(lambda at: at.year < NOW.year))
def test_an_operation_that_goes_out_comes_back(
    conversation: str, value: Decimal | None, at: datetime
) -> None:
    ended = at.replace(tzinfo=UTC)
    # The hour that São Paulo's clocks showed twice is read as the first of both.
    ended = ended if ended.astimezone(ZONE).fold == 0 else ended - timedelta(hours=1)
    operation = Operation(
        campaign_id="natal",
        customer_id="5f3c",
        ordinal=3,
        agent="ana",
        stage=Stage.CONCLUDED,
        started_at=ended,
        saved_at=ended,
        ended_at=ended,
        outcome="venda",
        action_type="oferta",
        conversation=conversation,
        value=value,
    )
    customer = Customer(customer_id="5f3c", name="Ana", code="C1")
    cells = operation_row(operation, customer, ZONE)
    names = VOCABULARIES[HISTORY_ROWS].names
    fields = {each: field for field, several in names.items() for each in several}
    row = {
        fields[name]: cell
        for name, cell in zip(OPERATION_HEADER, cells, strict=True)
        if cell and name in fields
    }
    told, problems = read_history(Row(number=2, cells=row), PLAN, ZONE, NOW)
    assert told
    assert problems == []
    assert (told.customer, told.campaign, told.agent) == (Sought(code="C1"), "natal", "ana")
    assert (told.at, told.value, told.conversation) == (ended, value, conversation)
    assert (told.outcome, told.action_type) == ("venda", "oferta")


def test_what_was_done_with_a_customer_who_is_gone_goes_out_by_their_id() -> None:
    entry = Entry(
        campaign_id="natal",
        customer_id="5f3c",
        number=2,
        at=NOW,
        by=None,
        what=What.DUE,
        changes={"at": "já", "note": None},
    )
    cells = dict(zip(ENTRY_HEADER, entry_row(entry, None, ZONE), strict=True))
    assert (cells["código"], cells["quando"], cells["por"]) == ("5f3c", "02/03/2026 09:00:00", "")
    assert cells["mudanças"] == '{"at": "já"}'


@pytest.mark.parametrize("kind", VOCABULARIES)
def test_no_two_columns_have_a_name_in_common(kind: str) -> None:
    names = [{tuple(_words(name)) for name in names} for names in VOCABULARIES[kind].names.values()]
    assert len(set().union(*names)) == sum(map(len, names))
