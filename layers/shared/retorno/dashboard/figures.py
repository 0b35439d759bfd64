"""What is counted, and what the counts say. docs/metrics.md says it in words.

A row of counters holds all figures of an hour or a day. Each section is a part of them, and its
counters are named by it: `inbound_calls`. Durations are counted in milliseconds, so that parts of
them add up, and money in cents. Rates and averages are None where they divide by nothing.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Self

from retorno.counters.model import Amounts
from retorno.dashboard.histogram import BUCKETS, Histogram
from retorno.dashboard.rows import NOW
from retorno.frozen import Frozen
from retorno.settings import ServiceLevelOf

MILLISECONDS = 1000
CENT_DIGITS = 2
RATE_DIGITS = 4
SECOND_DIGITS = 3


def rate(part: int, whole: int) -> float | None:
    return round(part / whole, RATE_DIGITS) if whole else None


def seconds(milliseconds: int) -> float:
    return milliseconds / MILLISECONDS


def average(milliseconds: int, of: int) -> float | None:
    """In seconds."""
    return round(milliseconds / MILLISECONDS / of, SECOND_DIGITS) if of else None


class Section(Frozen):
    """Its fields are counters, and histograms of a counter a bucket."""

    @classmethod
    def names(cls, section: str) -> Iterator[str]:
        """Those of its counters."""
        for name, field in cls.model_fields.items():
            if field.annotation is Histogram:
                yield from (_of_bucket(section, name, bucket) for bucket in BUCKETS)
            else:
                yield f"{section}_{name}"

    @classmethod
    def read(cls, section: str, amounts: Amounts) -> Self:
        values: dict[str, Any] = {}
        for name, field in cls.model_fields.items():
            if field.annotation is Histogram:
                many = {each: amounts.get(_of_bucket(section, name, each), 0) for each in BUCKETS}
                counts = {bucket: count for bucket, count in many.items() if count}
                values[name] = Histogram(counts=counts)
            else:
                values[name] = amounts.get(f"{section}_{name}", 0)
        return cls(**values)

    def amounts(self, section: str) -> Amounts:
        found: dict[str, int] = {}
        for name, value in self:
            if isinstance(value, Histogram):
                buckets = value.counts.items()
                found |= {_of_bucket(section, name, each): many for each, many in buckets}
            elif value:
                found[f"{section}_{name}"] = int(value)
        return found


def _of_bucket(section: str, name: str, bucket: int) -> str:
    """Such as "inbound_w12", of its waits. A row has many, and each write pays for their names."""
    return f"{section}_{name[0]}{bucket}"


class Talk(Section):
    """`talked` are calls of which it is known how long that was."""

    talked: int = 0
    talk_ms: int = 0

    @property
    def talk_seconds(self) -> float:
        return seconds(self.talk_ms)

    @property
    def average_talk_seconds(self) -> float | None:
        return average(self.talk_ms, self.talked)


class Inbound(Talk):
    """Calls that came in: each is `answered`, `abandoned`, `no_answer`, `failed`, `by_machine` or
    `in_menu`. `queued` are those of which it is known how long they waited, and of these some were
    answered (`queued_answered`), or abandoned (`queued_abandoned`).
    """

    calls: int = 0
    answered: int = 0
    abandoned: int = 0
    short_abandons: int = 0
    no_answer: int = 0
    failed: int = 0
    by_machine: int = 0
    in_menu: int = 0
    queued: int = 0
    queued_answered: int = 0
    queued_abandoned: int = 0
    in_time: int = 0
    answered_wait_ms: int = 0
    abandoned_wait_ms: int = 0
    waits: Histogram = Histogram()

    @property
    def offered(self) -> int:
        """To people: all but those that ended in a menu."""
        return self.calls - self.in_menu

    @property
    def abandonment_rate(self) -> float | None:
        return rate(self.abandoned, self.offered)

    @property
    def abandonment_rate_without_short(self) -> float | None:
        return rate(self.abandoned - self.short_abandons, self.offered - self.short_abandons)

    @property
    def average_speed_of_answer_seconds(self) -> float | None:
        return average(self.answered_wait_ms, self.queued_answered)

    @property
    def average_wait_to_abandon_seconds(self) -> float | None:
        return average(self.abandoned_wait_ms, self.queued_abandoned)

    @property
    def wait_seconds_median(self) -> float | None:
        return self.waits.percentile(50)

    @property
    def wait_seconds_p90(self) -> float | None:
        return self.waits.percentile(90)

    @property
    def longest_wait_seconds(self) -> float | None:
        return self.waits.percentile(100)

    def service_level_of(self, of: ServiceLevelOf) -> float | None:
        match of:
            case ServiceLevelOf.ANSWERED:
                return rate(self.in_time, self.queued_answered)
            case ServiceLevelOf.OFFERED:
                return rate(self.in_time, self.queued)
            case ServiceLevelOf.WITHOUT_SHORT_ABANDONS:
                return rate(self.in_time, self.queued - self.short_abandons)


class Outbound(Talk):
    """Calls that went out to customers. Of `answered` ones some were answered `by_person`, and some
    `by_voicemail`. Where the `operator_no_answer`, the customer was never rung: they are no part
    of `calls`.
    """

    calls: int = 0
    answered: int = 0
    by_person: int = 0
    by_voicemail: int = 0
    operator_no_answer: int = 0

    @property
    def contact_rate(self) -> float | None:
        return rate(self.by_person, self.calls)

    @property
    def voicemail_share(self) -> float | None:
        return rate(self.by_voicemail, self.answered)


class Undirected(Section):
    """Calls of which nothing tells where they went."""

    calls: int = 0


class Missed(Section):
    """Missed calls, by what became of them: each is `open`, `blocked`, `recovered`, `returned`,
    `expired` or `dismissed`. `won_back` are those that an operator's calls recovered, whoever
    missed them.
    """

    calls: int = 0
    short_abandons: int = 0
    open: int = 0
    blocked: int = 0
    recovered: int = 0
    returned: int = 0
    expired: int = 0
    dismissed: int = 0
    attempted: int = 0
    attempts: int = 0
    won_back: int = 0
    first_attempts: Histogram = Histogram()
    recoveries: Histogram = Histogram()

    @property
    def recovery_rate(self) -> float | None:
        return rate(self.recovered, self.calls)

    @property
    def first_attempt_seconds_median(self) -> float | None:
        return self.first_attempts.percentile(50)

    @property
    def first_attempt_seconds_p90(self) -> float | None:
        return self.first_attempts.percentile(90)

    @property
    def recovery_seconds_median(self) -> float | None:
        return self.recoveries.percentile(50)

    @property
    def recovery_seconds_p90(self) -> float | None:
        return self.recoveries.percentile(90)


class Operators(Section):
    """Time that is over, by what operators spent it in. Nobody is counted while offline."""

    available_ms: int = 0
    on_offer_ms: int = 0
    dialling_ms: int = 0
    busy_ms: int = 0
    wrap_up_ms: int = 0
    paused_ms: int = 0

    @property
    def available_seconds(self) -> float:
        return seconds(self.available_ms)

    @property
    def on_offer_seconds(self) -> float:
        return seconds(self.on_offer_ms)

    @property
    def dialling_seconds(self) -> float:
        return seconds(self.dialling_ms)

    @property
    def busy_seconds(self) -> float:
        return seconds(self.busy_ms)

    @property
    def wrap_up_seconds(self) -> float:
        return seconds(self.wrap_up_ms)

    @property
    def paused_seconds(self) -> float:
        return seconds(self.paused_ms)

    @property
    def occupancy(self) -> float | None:
        """Of the time that they were there for calls, what these took."""
        at_work = self.on_offer_ms + self.dialling_ms + self.busy_ms + self.wrap_up_ms
        return rate(at_work, at_work + self.available_ms)


class Offers(Section):
    """Offers that are decided: each is one of the others."""

    offers: int = 0
    accepted: int = 0
    refused: int = 0
    ignored: int = 0
    failed: int = 0
    withdrawn: int = 0

    @property
    def acceptance_rate(self) -> float | None:
        """Of those that were the operator's to decide."""
        return rate(self.accepted, self.accepted + self.refused + self.ignored)


class Promises(Section):
    """Promises that are over; who cancelled one is owed none."""

    kept: int = 0
    late: int = 0
    missed: int = 0
    forbidden: int = 0

    @property
    def kept_rate(self) -> float | None:
        return rate(self.kept, self.kept + self.late + self.missed + self.forbidden)


class Quotes(Section):
    """Quotes, each `open`, `won` or `lost`, and the calls that have any, or one that was won."""

    calls: int = 0
    calls_won: int = 0
    quotes: int = 0
    open: int = 0
    won: int = 0
    lost: int = 0
    won_cents: int = 0

    @property
    def won_value(self) -> Decimal:
        return Decimal(self.won_cents).scaleb(-CENT_DIGITS)

    @property
    def conversion_of_calls_with_a_quote(self) -> float | None:
        return rate(self.calls_won, self.calls)


class Gauges(Section):
    """How things stand at this moment: missed calls that are open, and what the call list has."""

    missed_open: int = 0
    missed_blocked: int = 0
    contacts_waiting: int = 0
    contacts_dialling: int = 0
    contacts_blocked: int = 0


class Figures(Frozen):
    """Of an hour or more."""

    inbound: Inbound = Inbound()
    outbound_manual: Outbound = Outbound()
    outbound_auto: Outbound = Outbound()
    undirected: Undirected = Undirected()
    missed: Missed = Missed()
    operators: Operators = Operators()
    offers: Offers = Offers()
    promises: Promises = Promises()
    quotes: Quotes = Quotes()

    @classmethod
    def read(cls, amounts: Amounts) -> Self:
        return cls(**{name: of.read(name, amounts) for name, of in SECTIONS.items()})

    def amounts(self) -> Amounts:
        return {
            name: amount
            for section, figures in self
            for name, amount in figures.amounts(section).items()
        }

    @property
    def all_calls(self) -> int:
        outbound = self.outbound_manual.calls + self.outbound_auto.calls
        return self.inbound.calls + outbound + self.undirected.calls

    @property
    def answered_calls(self) -> int:
        """In which people spoke with each other."""
        outbound = self.outbound_manual.by_person + self.outbound_auto.by_person
        return self.inbound.answered + outbound

    @property
    def talk_seconds(self) -> float:
        talks = (self.inbound, self.outbound_manual, self.outbound_auto)
        return seconds(sum(talk.talk_ms for talk in talks))

    @property
    def voicemail_share(self) -> float | None:
        manual, auto = self.outbound_manual, self.outbound_auto
        return rate(manual.by_voicemail + auto.by_voicemail, manual.answered + auto.answered)

    @property
    def conversion_of_answered_calls(self) -> float | None:
        return rate(self.quotes.calls_won, self.answered_calls)


SECTIONS: Mapping[str, type[Section]] = {
    name: field.annotation
    for name, field in Figures.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
}
KEPT: Mapping[str, type[Section]] = {**SECTIONS, NOW: Gauges}
NAMES = frozenset(name for section, of in KEPT.items() for name in of.names(section))
