"""Quotes as people make and decide them, and as they are shown beside calls."""

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal

from retorno.calls.model import Call
from retorno.calls.service import CallReader, call_reader
from retorno.customers.service import CustomerDirectory, customer_directory
from retorno.dynamodb import RefusedTogether
from retorno.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    PreconditionFailed,
    Unavailable,
)
from retorno.quotes.model import (
    Quote,
    QuoteDraft,
    QuoteFilter,
    QuoteId,
    QuoteWish,
    Seller,
    State,
    edited,
    linked,
    lost,
    reopened,
    won,
)
from retorno.quotes.store import QuotePage, QuoteStore, position_of
from retorno.settings import QuoteSettings, QuoteTableSettings

# Each loser of a race looks again at what the winner wrote; so many losses are no race.
MAX_LOOKS = 20

# More than these of one call are a mistake of whoever sends them.
MAX_QUOTES_OF_CALL = 20

# A list that is filtered looks at so many quotes for one page, so many at a time.
FILTER_LIMIT = 1_000
LOOK_AT_ONCE = 100

# Of a number or a customer so many are shown beside a call, the last ones.
SHOWN = 20

# A page of calls asks for many at once; more threads than this only wait for a processor.
READ_THREADS = 16


class Quotes:
    """Quotes as people make, see, change and decide them."""

    def __init__(self, store: QuoteStore, calls: CallReader, directory: CustomerDirectory) -> None:
        self._store = store
        self._calls = calls
        self._directory = directory

    def make(self, wish: QuoteWish, key: str, seller: Seller, now: datetime) -> Quote:
        """A quote in a call, or what has become of it: the same person's same key is the same
        quote of a call.

        Raises InvalidInput; Conflict where the call has too many; Unavailable.
        """
        quote_id = QuoteId.made_by(seller, key, wish.call_id)
        found = self._store.get(quote_id) or self._made(quote_id, wish, seller, now)
        if found.wish_digest != wish.digest:
            raise InvalidInput("Idempotency-Key", "was used for another request")
        # Somebody may have said whose the call is while the quote was being made.
        self.follow(wish.call_id)
        return self.one(quote_id)

    def _made(self, quote_id: QuoteId, wish: QuoteWish, seller: Seller, now: datetime) -> Quote:
        try:
            call = self._calls.one(wish.call_id)
        except NotFound:
            raise InvalidInput("call_id", "is no call") from None
        if len(self._store.of_call(wish.call_id)) >= MAX_QUOTES_OF_CALL:
            raise Conflict(f"the call has {MAX_QUOTES_OF_CALL} quotes, as many as it may have")
        quote = Quote(
            **dict(wish),
            name=quote_id.name,
            wish_digest=wish.digest,
            number=call.number,
            customer_id=self._customer_of(call),
            queue=call.queue,
            agent=seller.agent,
            created_at=now,
            created_by=seller.name,
        )
        try:
            self._store.save(quote)
        except RefusedTogether:
            return self.one(quote_id)
        return quote

    def follow(self, call_id: str) -> None:
        """Brings a call's quotes to the customer whose the call is now. Raises Unavailable."""

        def step(before: Quote) -> Quote:
            # Only now, with the quote read: so who looked at the call earlier never writes later.
            return linked(before, self._customer_of(self._calls.one(call_id)))

        for quote in self._store.of_call(call_id):
            self._decide(quote.quote_id, step)

    def _customer_of(self, call: Call) -> str | None:
        (link,) = self._directory.links([call.lookup])
        return link.customer.customer_id if link.customer else None

    def one(self, quote_id: QuoteId) -> Quote:
        """Raises NotFound, Unavailable."""
        found = self._store.get(quote_id)
        if found is None:
            raise NotFound("there is no such quote")
        return found

    def page(self, wanted: QuoteFilter, limit: int, start: Mapping[str, str] | None) -> QuotePage:
        """Newest first.

        It looks at 1,000 at most; a page may be short, or empty, and there are more. Raises
        Unavailable.
        """
        found: list[Quote] = []
        for _ in range(FILTER_LIMIT // LOOK_AT_ONCE):
            page = self._store.page(wanted, min(limit, LOOK_AT_ONCE), start)
            found += page.quotes
            start = page.next_start
            if start is None or len(found) >= limit:
                break
        if len(found) > limit:
            return QuotePage(found[:limit], position_of(found[limit - 1]))
        return QuotePage(found, start)

    def edit(
        self, quote_id: QuoteId, draft: QuoteDraft, expected: int | None, seller: Seller
    ) -> Quote:
        """`expected` is the version that a person saw, None for any.

        Raises NotFound, NotAllowed, PreconditionFailed; Conflict for one that is decided;
        Unavailable.
        """

        def step(before: Quote) -> Quote:
            before.check_may_be_changed_by(seller)
            if expected not in (None, before.version):
                raise PreconditionFailed("the quote was changed since; look at it again")
            return edited(before, draft)

        return self._decide(quote_id, step)

    def win(self, quote_id: QuoteId, value: Decimal | None, seller: Seller, now: datetime) -> Quote:
        """Raises NotFound, NotAllowed; what `model.won` raises; Unavailable."""

        def step(before: Quote) -> Quote:
            before.check_may_be_changed_by(seller)
            return won(before, value, seller.name, now)

        return self._decide(quote_id, step)

    def lose(self, quote_id: QuoteId, reason: str, seller: Seller, now: datetime) -> Quote:
        """Raises NotFound, NotAllowed; Conflict for one that is decided; Unavailable."""

        def step(before: Quote) -> Quote:
            before.check_may_be_changed_by(seller)
            return lost(before, reason, seller.name, now)

        return self._decide(quote_id, step)

    def reopen(self, quote_id: QuoteId) -> Quote:
        """Raises NotFound, Unavailable."""
        return self._decide(quote_id, reopened)

    def _decide(self, quote_id: QuoteId, step: Callable[[Quote], Quote]) -> Quote:
        """Looks and writes until nobody wrote in between. Raises NotFound, Unavailable."""
        for _ in range(MAX_LOOKS):
            before = self.one(quote_id)
            after = step(before)
            if after is before:
                return before
            try:
                self._store.save(after)
            except RefusedTogether:
                continue
            return after
        raise Unavailable("the quote is being written by too many at once")


class QuoteReader:
    """Quotes as whoever shows or counts something else sees them."""

    def __init__(self, store: QuoteStore) -> None:
        self._store = store

    def of_calls(self, call_ids: Collection[str]) -> dict[str, list[Quote]]:
        """All of each call, as they are at this moment, oldest first. Raises Unavailable."""
        return _for_each(call_ids, self._store.of_call)

    def of_numbers(self, number_keys: Collection[str]) -> dict[str, list[Quote]]:
        """The last 20 of each match key, newest first. Raises Unavailable."""
        return _for_each(number_keys, lambda key: self._last(QuoteFilter(number_key=key)))

    def open_of(self, number_key: str | None, customer_id: str | None) -> list[Quote]:
        """Those that a caller may ask about, made to their number or to the customer who they are;
        of the last 20 of each those that are open, newest first. Raises Unavailable.
        """
        wanted = [QuoteFilter(number_key=number_key)] if number_key else []
        wanted += [QuoteFilter(customer_id=customer_id)] if customer_id else []
        found = {each.quote_id: each for every in wanted for each in self._last(every)}
        still_open = [each for each in found.values() if each.state is State.OPEN]
        return sorted(still_open, key=lambda each: each.created_at, reverse=True)

    def _last(self, wanted: QuoteFilter) -> Sequence[Quote]:
        return self._store.page(wanted, SHOWN, None).quotes


def _for_each(
    keys: Collection[str], read: Callable[[str], Sequence[Quote]]
) -> dict[str, list[Quote]]:
    distinct = sorted(set(keys))
    if not distinct:
        return {}
    with ThreadPoolExecutor(min(READ_THREADS, len(distinct))) as pool:
        return dict(zip(distinct, map(list, pool.map(read, distinct)), strict=True))


def quotes(settings: QuoteSettings) -> Quotes:
    return Quotes(
        QuoteStore(settings.quotes_table, settings.operations_kept_days),
        call_reader(settings),
        customer_directory(settings),
    )


def quote_reader(settings: QuoteTableSettings) -> QuoteReader:
    return QuoteReader(QuoteStore(settings.quotes_table))
