"""Counting what happens, and showing what was counted."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from retorno.agents.service import TimesPast, times_past
from retorno.callbacks.service import ContactsKept, contacts_kept
from retorno.calls.service import CallReader, call_reader
from retorno.changes import Change, Kind
from retorno.counters.model import Contribution, Told
from retorno.counters.store import Counters
from retorno.dashboard.figures import NAMES
from retorno.dashboard.rows import ALL
from retorno.dashboard.sources import (
    CountingRules,
    of_call,
    of_contact,
    of_missed_call,
    of_offer,
    of_promise,
    of_quotes,
    of_stretch,
)
from retorno.offers.service import OffersMade, offers_made
from retorno.promises.service import PromisesMade, promises_made
from retorno.quotes.model import QuotesOfCall
from retorno.quotes.service import QuoteReader, quote_reader
from retorno.recovery.service import PartFollowing, part_following
from retorno.settings import AggregateMetricsSettings
from retorno.times import stamp
from retorno.waits.service import WaitCounting, wait_counting

# The key attributes of the items of each kind, as far as they tell one from another.
KEYS: Mapping[Kind, tuple[str, ...]] = {
    Kind.CALL: ("call_id",),
    Kind.MISSED_CALL: ("number_key", "call_id"),
    Kind.OFFER: ("pk",),
    Kind.CONTACT: ("contact_id",),
    Kind.PROMISE: ("promise_id",),
    # All quotes of a call are one thing.
    Kind.QUOTE: ("call_id",),
}

Key = tuple[str, ...]
Added = Mapping[Key, Contribution | None]


@dataclass(frozen=True, slots=True)
class Records:
    """Where what is counted is read, as it is at the moment."""

    calls: CallReader
    missed: PartFollowing
    times: TimesPast
    offers: OffersMade
    contacts: ContactsKept
    promises: PromisesMade
    quotes: QuoteReader


class Counting:
    """Takes word of what changed, and brings the counters up to what that is now."""

    def __init__(
        self, counters: Counters, records: Records, waits: WaitCounting, rules: CountingRules
    ) -> None:
        self._counters = counters
        self._records = records
        self._waits = waits
        self._rules = rules
        self._readers: Mapping[Kind, Callable[[Sequence[Key]], Added]] = {
            Kind.CALL: self._calls,
            Kind.MISSED_CALL: self._missed,
            Kind.OFFER: self._offers,
            Kind.CONTACT: self._contacts,
            Kind.PROMISE: self._promises,
            Kind.QUOTE: self._quotes,
        }

    def look(self, changes: Sequence[Change]) -> None:
        """Told late, again, or in any order, and broken off anywhere, each thing counts once and
        as it is now. Raises Unavailable.
        """
        self._waits.count(change.keys for change in changes if change.kind is Kind.WAIT)
        sources = {
            _source(change.kind, _key(change)): change
            for change in changes
            if change.kind in self._readers
        }
        self._counters.keep(
            sources,
            lambda names: self._added([sources[name] for name in names]),
            self._times(changes),
        )

    def _times(self, changes: Iterable[Change]) -> Iterator[Told]:
        """A stretch of presence is written once, and never adds anything else."""
        keys = {
            (change.keys["pk"], change.keys["sk"])
            for change in changes
            if change.kind is Kind.STRETCH
        }
        for agent, stretch in self._records.times.at(keys):
            for day, added in of_stretch(agent, stretch, self._rules).items():
                source = f"{ALL}#{Kind.AGENT}#{agent}#{stamp(stretch.begin)}#{day}"
                yield Told(source, 0, added)

    def _added(self, changes: Sequence[Change]) -> Mapping[str, Contribution | None]:
        found: dict[str, Contribution | None] = {}
        for kind, read in self._readers.items():
            if keys := [_key(change) for change in changes if change.kind is kind]:
                found |= {_source(kind, key): added for key, added in read(keys).items()}
        return found

    def _calls(self, keys: Sequence[Key]) -> Added:
        calls = self._records.calls.present([call_id for (call_id,) in keys])
        return {(call.call_id,): of_call(call, self._rules) for call in calls}

    def _missed(self, keys: Sequence[Key]) -> Added:
        """A part that is none any more, or no miss, adds nothing."""
        missed = self._records.missed.missed([(number, call_id) for number, call_id in keys])
        found: dict[Key, Contribution] = {
            (each.part.number_key, each.part.call_id): of_missed_call(each, self._rules)
            for each in missed
        }
        return {key: found.get(key, {}) for key in keys}

    def _offers(self, keys: Sequence[Key]) -> Added:
        """One that is no more has expired, and stays as it was counted."""
        offers = self._records.offers.at(pk for (pk,) in keys)
        return {(pk,): of_offer(offer, self._rules) for pk, offer in offers.items()}

    def _contacts(self, keys: Sequence[Key]) -> Added:
        contacts = self._records.contacts.at([contact_id for (contact_id,) in keys])
        return {(each.contact_id,): of_contact(each) for each in contacts}

    def _quotes(self, keys: Sequence[Key]) -> Added:
        of_calls = self._records.quotes.of_calls({call_id for (call_id,) in keys})
        found = {call_id: QuotesOfCall.of(quotes) for call_id, quotes in of_calls.items()}
        return {
            (call_id,): of_quotes(quotes, self._rules)
            for call_id, quotes in found.items()
            if quotes
        }

    def _promises(self, keys: Sequence[Key]) -> Added:
        promises = self._records.promises.at([promise_id for (promise_id,) in keys])
        return {(each.promise_id,): of_promise(each, self._rules) for each in promises}


def _key(change: Change) -> Key:
    return tuple(change.keys[name] for name in KEYS[change.kind])


def _source(kind: Kind, key: Key) -> str:
    """A ledger stays for ever, and may tell nobody's number."""
    digest = hashlib.sha256("\n".join(key).encode()).hexdigest()[:32]
    return f"{ALL}#{kind}#{digest}"


def counting(settings: AggregateMetricsSettings) -> Counting:
    records = Records(
        calls=call_reader(settings),
        missed=part_following(settings),
        times=times_past(settings),
        offers=offers_made(settings),
        contacts=contacts_kept(settings),
        promises=promises_made(settings),
        quotes=quote_reader(settings),
    )
    rules = CountingRules(
        zone=settings.time_zone,
        service_level_seconds=settings.service_level_seconds,
        short_abandon_seconds=settings.short_abandon_seconds,
    )
    counters = Counters(settings.counters_table, NAMES)
    return Counting(counters, records, wait_counting(settings), rules)
