"""Quotes that were made to a person."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from retorno.dynamodb import RefusedTogether
from retorno.persons import Erased, Person
from retorno.quotes.model import Quote
from retorno.quotes.store import QuoteStore
from retorno.retention import KeptItem
from retorno.settings import QuoteTableSettings

INTERNAL = {"version", "wish_digest"}


class QuotesOfPerson:
    """What was offered, and what became of it, stays as figures: words go."""

    name = "quotes"

    def __init__(self, store: QuoteStore) -> None:
        self._store = store

    def show(self, person: Person) -> Iterator[Mapping[str, Any]]:
        for quote in self._quotes(person):
            yield quote.model_dump(mode="json", exclude=INTERNAL, exclude_none=True)

    def erase(self, person: Person, now: datetime) -> Iterator[Erased]:
        for quote in self._quotes(person):
            erased = _without_words(quote, person)
            if erased != quote:
                yield self._save(erased)

    def kept(self, person: Person) -> Iterator[KeptItem]:
        for quote in self._quotes(person):
            yield from self._store.kept(quote)

    def _quotes(self, person: Person) -> Iterator[Quote]:
        for number_key in person.number_keys:
            yield from self._store.of_number(number_key)
        for customer_id in person.customers:
            yield from self._store.of_customer(customer_id)

    def _save(self, quote: Quote) -> Erased:
        try:
            self._store.save(quote.model_copy(update={"version": quote.version + 1}))
        except RefusedTogether:
            return Erased.LATER
        return Erased.DONE


def _without_words(quote: Quote, person: Person) -> Quote:
    # A digest of what was asked for would tell it to whoever tries all that it may have been.
    erased = {"wish_digest": "", "description": None, "reason": None}
    return quote.model_copy(update={**erased, "number": person.instead_of(quote.number)})


def quotes_of_person(settings: QuoteTableSettings) -> QuotesOfPerson:
    return QuotesOfPerson(QuoteStore(settings.quotes_table, settings.operations_kept_days))
