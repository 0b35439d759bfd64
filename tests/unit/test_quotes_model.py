"""The rules of quotes: what may be written, what may follow what, and what a call's come to."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from retorno.errors import Conflict, InvalidInput, NotAllowed, NotFound
from retorno.quotes.model import (
    Quote,
    QuoteDraft,
    QuoteId,
    QuotesOfCall,
    QuoteWish,
    Seller,
    State,
    edited,
    linked,
    lost,
    reopened,
    won,
)
from retorno.telephony.ports import CALL_ID

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ANA = Seller(name="ana@example.com", agent="ana")


def quote(name: str = "q1", value: Decimal | None = None, **fields: Any) -> Quote:
    told: dict[str, Any] = {
        "call_id": "c1",
        "wish_digest": "d",
        "number": "+5511987654321",
        "customer_id": None,
        "queue": "vendas",
        "agent": "ana",
        "description": None,
        "created_at": NOW,
        "created_by": "ana@example.com",
    }
    return Quote(**(told | fields), name=name, value=value)


values = st.none() | st.decimals(min_value=0, max_value=10**9, places=2)
texts = st.sampled_from(["preço", "prazo", "comprou de outro"])
steps: st.SearchStrategy[Callable[[Quote], Quote]] = st.one_of(
    st.builds(lambda value: lambda before: edited(before, QuoteDraft(value=value)), values),
    st.builds(lambda value: lambda before: won(before, value, "ana", NOW), values),
    st.builds(lambda reason: lambda before: lost(before, reason, "ana", NOW), texts),
    st.just(reopened),
    st.builds(
        lambda customer_id: lambda before: linked(before, customer_id),
        st.none() | st.sampled_from(["anna", "zilda"]),
    ),
)


def after(before: Quote, taken: list[Callable[[Quote], Quote]]) -> Quote:
    for step in taken:
        with suppress(Conflict, InvalidInput):
            before = step(before)
    return before


class TestSteps:
    @given(st.lists(steps, max_size=12), values)
    def test_only_one_that_is_won_has_its_value_and_only_a_lost_one_a_reason(
        self, taken: list[Callable[[Quote], Quote]], value: Decimal | None
    ) -> None:
        found = after(quote(value=value), taken)
        assert (found.won_value is not None) == (found.state is State.WON)
        assert (found.reason is not None) == (found.state is State.LOST)
        is_open = found.state is State.OPEN
        assert (found.decided_at is None, found.decided_by is None) == (is_open, is_open)

    @given(st.lists(steps, max_size=12), steps)
    def test_each_that_changes_something_is_a_version_and_told_again_is_none(
        self, taken: list[Callable[[Quote], Quote]], step: Callable[[Quote], Quote]
    ) -> None:
        before = after(quote(), taken)
        once = after(before, [step])
        assert once.version - before.version == (0 if once is before else 1)
        again = after(once, [step])
        assert again.model_copy(update={"version": once.version}) == once

    def test_a_quote_is_won_for_what_was_offered_unless_another_value_is_said(self) -> None:
        offered = quote(value=Decimal("100.00"))
        assert won(offered, None, "ana", NOW).won_value == Decimal("100.00")
        cheaper = won(offered, Decimal("90.00"), "ana", NOW)
        assert (cheaper.value, cheaper.won_value) == (Decimal("100.00"), Decimal("90.00"))
        assert won(cheaper, Decimal(90), "bia", NOW + timedelta(hours=1)) is cheaper

    def test_a_value_of_nothing_is_a_value(self) -> None:
        assert won(quote(), Decimal("0.00"), "ana", NOW).won_value == 0
        with pytest.raises(InvalidInput, match="value"):
            won(quote(), None, "ana", NOW)

    def test_what_is_decided_is_decided_until_it_is_reopened(self) -> None:
        sold = won(quote(), Decimal(90), "ana", NOW)
        gone = lost(quote(), "preço", "ana", NOW)
        refused: list[Callable[[], Quote]] = [
            lambda: won(sold, Decimal(91), "ana", NOW),
            lambda: lost(sold, "preço", "ana", NOW),
            lambda: won(gone, Decimal(90), "ana", NOW),
            lambda: lost(gone, "prazo", "ana", NOW),
            lambda: edited(sold, QuoteDraft()),
            lambda: edited(gone, QuoteDraft()),
        ]
        for decide in refused:
            with pytest.raises(Conflict, match="reopen"):
                decide()
        assert won(reopened(gone), Decimal(90), "ana", NOW).state is State.WON

    def test_another_operators_quote_is_for_leaders(self) -> None:
        quote().check_may_be_changed_by(ANA)
        quote().check_may_be_changed_by(Seller(name="rui", agent="rui", leads=True))
        with pytest.raises(NotAllowed):
            quote().check_may_be_changed_by(Seller(name="ana", agent="ana2"))


class TestQuotesOfACall:
    def test_of_none_there_are_none(self) -> None:
        assert QuotesOfCall.of([]) is None

    @given(st.lists(st.lists(steps, max_size=6), min_size=1, max_size=6), st.randoms())
    def test_add_up_in_any_order(
        self, histories: list[list[Callable[[Quote], Quote]]], random: Any
    ) -> None:
        made = [
            after(quote(f"q{index}", created_at=NOW + timedelta(seconds=index % 3)), taken)
            for index, taken in enumerate(histories)
        ]
        first, sold = made[0], [each for each in made if each.state is State.WON]
        shuffled = random.sample(made, len(made))
        found = QuotesOfCall.of(shuffled)
        assert found == QuotesOfCall.of(made)
        assert found is not None
        assert found.quotes == found.open + found.won + found.lost == len(made)
        assert (found.won, found.calls_won) == (len(sold), min(len(sold), 1))
        assert Decimal(found.won_cents) == 100 * sum(each.won_value or 0 for each in sold)
        assert (found.agent, found.queue) == ("ana", "vendas")
        assert found.created_at == first.created_at


class TestIds:
    @given(st.from_regex(CALL_ID, fullmatch=True), st.text(max_size=20))
    def test_say_where_a_quote_is(self, call_id: str, key: str) -> None:
        quote_id = QuoteId.made_by(ANA, key, call_id)
        assert QuoteId.read(str(quote_id)) == quote_id == QuoteId.made_by(ANA, key, call_id)

    def test_are_one_persons_for_one_key_and_call(self) -> None:
        bia = Seller(name="bia", agent="ana")
        ids = {
            QuoteId.made_by(who, key, call_id)
            for who in (ANA, bia)
            for key in ("k1", "k2")
            for call_id in ("c1", "c2")
        }
        assert len(ids) == 8

    @pytest.mark.parametrize("text", ["", ".", "q1", "q1.", ".c1", "q1.c 1", "q1." + "c" * 129])
    def test_are_nothing_else(self, text: str) -> None:
        with pytest.raises(NotFound):
            QuoteId.read(text)


class TestWish:
    @pytest.mark.parametrize(
        ("written", "value"),
        [(90, "90.00"), ("90.5", "90.50"), ("1E+3", "1000.00"), (0, "0.00"), (None, None)],
    )
    def test_takes_values_to_the_cent(self, written: object, value: str | None) -> None:
        wish = QuoteWish.model_validate({"call_id": "c1", "value": written})
        assert wish.value == (value and Decimal(value))
        assert str(wish.value) == str(value)

    @pytest.mark.parametrize(
        ("field", "written"),
        [
            ("value", "-0.01"),
            ("value", "0.001"),
            ("value", "10000000000"),
            ("value", "NaN"),
            ("value", "Infinity"),
            ("value", "1E+400"),
            ("value", "noventa"),
            ("call_id", ""),
            ("call_id", "c 1"),
            ("call_id", "c1\n"),
            ("call_id", "c" * 129),
            ("description", "x" * 1_001),
            ("description", "\ud800"),
            ("agent", "bia"),
        ],
    )
    def test_refuses_the_rest(self, field: str, written: object) -> None:
        with pytest.raises(ValidationError) as refusal:
            QuoteWish.model_validate({"call_id": "c1", field: written})
        assert [error["loc"][0] for error in refusal.value.errors()] == [field]

    def test_of_the_same_value_is_the_same(self) -> None:
        digests = {
            QuoteWish.model_validate(
                {"call_id": "c1", "value": written, "description": said}
            ).digest
            for written in ("90", 90, "90.00")
            for said in ("", "  ", None)
        }
        assert len(digests) == 1
