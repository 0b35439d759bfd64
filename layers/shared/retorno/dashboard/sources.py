"""What each thing that happens adds to the counters, by what it is now.

A source counts in the hour and on the day of one moment of its own, whenever it is told of: for
all, for its queue and for its operator. So whatever is corrected later changes the figures of
then, and what belongs to another queue or operator after all moves there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from retorno.agents.model import State as Presence
from retorno.agents.model import Stretch
from retorno.callbacks.model import Contact
from retorno.callbacks.model import State as ContactState
from retorno.calls.model import Call
from retorno.counters.model import Contribution, summed
from retorno.dashboard.figures import (
    MILLISECONDS,
    Figures,
    Gauges,
    Inbound,
    Missed,
    Offers,
    Operators,
    Outbound,
    Promises,
    Quotes,
    Undirected,
)
from retorno.dashboard.histogram import Histogram
from retorno.dashboard.rows import NOW, cell_now, cells_of
from retorno.offers.model import Offer
from retorno.offers.model import State as OfferState
from retorno.promises.model import Promise
from retorno.promises.model import State as PromiseState
from retorno.quotes.model import QuotesOfCall
from retorno.recovery.model import MissedCall
from retorno.recovery.model import State as MissedState
from retorno.telephony.ports import ENDED_IN_IVR, AnsweredBy, Direction, Stage

QUARTER = timedelta(minutes=15)

OFFERS: Mapping[OfferState, Offers] = {
    OfferState.CONNECTED: Offers(offers=1, accepted=1),
    OfferState.REJECTED: Offers(offers=1, refused=1),
    OfferState.SILENT: Offers(offers=1, ignored=1),
    OfferState.FAILED: Offers(offers=1, failed=1),
    OfferState.WITHDRAWN: Offers(offers=1, withdrawn=1),
}

PROMISES: Mapping[PromiseState, Promises] = {
    PromiseState.KEPT: Promises(kept=1),
    PromiseState.LATE: Promises(late=1),
    PromiseState.MISSED: Promises(missed=1),
    PromiseState.FORBIDDEN: Promises(forbidden=1),
}

CONTACTS: Mapping[ContactState, Gauges] = {
    ContactState.WAITING: Gauges(contacts_waiting=1),
    ContactState.DIALLING: Gauges(contacts_dialling=1),
    ContactState.BLOCKED: Gauges(contacts_blocked=1),
}

MISSED_NOW: Mapping[MissedState, Gauges] = {
    MissedState.OPEN: Gauges(missed_open=1),
    MissedState.BLOCKED: Gauges(missed_blocked=1),
}


@dataclass(frozen=True, slots=True)
class CountingRules:
    """What a deployment decides about its counts; days begin in `zone`."""

    zone: ZoneInfo
    service_level_seconds: float
    short_abandon_seconds: float

    def cells(
        self, figures: Figures, at: datetime, queue: str | None, agent: str | None
    ) -> Contribution:
        return dict.fromkeys(cells_of(at, self.zone, queue, agent), figures.amounts())


def gauging(gauges: Gauges | None, queue: str | None) -> Contribution:
    if gauges is None:
        return {}
    return {cell_now(each): gauges.amounts(NOW) for each in (None, queue)}


def of_call(call: Call, rules: CountingRules) -> Contribution | None:
    """A call counts when it is over, as of its beginning; None until then. The company's own do
    not.
    """
    if call.ended_at is None:
        return None
    if call.internal or call.started_at is None:
        return {}
    return rules.cells(_figures_of(call, rules), call.started_at, call.queue, call.agent)


def _figures_of(call: Call, rules: CountingRules) -> Figures:
    match call.direction:
        case Direction.INBOUND:
            return Figures(inbound=_inbound(call, rules))
        case Direction.OUTBOUND_MANUAL:
            return Figures(outbound_manual=_outbound(call))
        case Direction.OUTBOUND_AUTO:
            return Figures(outbound_auto=_outbound(call))
        case None:
            return Figures(undirected=Undirected(calls=1))


def _inbound(call: Call, rules: CountingRules) -> Inbound:
    wait, talk = call.wait_seconds, call.talk_seconds
    in_menu = not call.was_answered and call.end_reason == ENDED_IN_IVR
    unanswered = None if call.was_answered or in_menu else call.status
    abandoned = unanswered is Stage.CANCELLED
    queued = wait is not None and not in_menu
    answered_wait = wait if call.got_through else None
    abandoned_wait = wait if abandoned else None
    return Inbound(
        calls=1,
        answered=call.got_through,
        abandoned=abandoned,
        short_abandons=_is_within(abandoned_wait, rules.short_abandon_seconds),
        no_answer=unanswered is Stage.NO_ANSWER,
        failed=unanswered is Stage.FAILED,
        by_machine=call.was_answered and not call.got_through,
        in_menu=in_menu,
        queued=queued,
        queued_answered=answered_wait is not None,
        queued_abandoned=abandoned_wait is not None,
        in_time=_is_within(answered_wait, rules.service_level_seconds),
        answered_wait_ms=_ms(answered_wait),
        abandoned_wait_ms=_ms(abandoned_wait),
        waits=Histogram.of(wait if queued else None),
        talked=talk is not None,
        talk_ms=_ms(talk),
    )


def _outbound(call: Call) -> Outbound:
    if not call.rang_customer:
        return Outbound(operator_no_answer=1)
    return Outbound(
        calls=1,
        answered=call.was_answered,
        by_person=call.was_answered and call.answered_by is AnsweredBy.HUMAN,
        by_voicemail=call.was_answered and call.answered_by is AnsweredBy.VOICEMAIL,
        talked=call.talk_seconds is not None,
        talk_ms=_ms(call.talk_seconds),
    )


def of_missed_call(missed: MissedCall, rules: CountingRules) -> Contribution:
    """A missed call counts as of the miss, for the operator who let it ring if that is known; and
    once more for the one who won it back.
    """
    part, outcome = missed.part, missed.outcome
    recovery = outcome.recovery_seconds
    # A first call that reached its customer is no attempt in the outcome.
    tried = recovery if outcome.first_attempt_seconds is None else outcome.first_attempt_seconds
    figures = Missed(
        calls=1,
        short_abandons=part.short_abandon,
        attempted=tried is not None,
        attempts=outcome.attempts,
        first_attempts=Histogram.of(tried),
        recoveries=Histogram.of(recovery),
        **{outcome.state.value: 1},
    )
    parts = [
        rules.cells(Figures(missed=figures), part.at, part.queue, part.agent),
        gauging(MISSED_NOW.get(outcome.state), part.queue),
    ]
    if outcome.recovered_by_agent:
        won = Figures(missed=Missed(won_back=1))
        parts.append(rules.cells(won, part.at, part.queue, outcome.recovered_by_agent))
    return summed(parts)


def of_offer(offer: Offer, rules: CountingRules) -> Contribution | None:
    """An offer counts as of when it was made; None until it is decided."""
    decided = OFFERS.get(offer.state)
    if decided is None:
        return None
    return rules.cells(Figures(offers=decided), offer.offered_at, offer.queue, offer.agent)


def of_promise(promise: Promise, rules: CountingRules) -> Contribution | None:
    """A promise counts as of the promised time, the last that it was given; None until that is
    over.
    """
    if promise.state in (PromiseState.PROMISED, PromiseState.LISTED):
        return None
    over = PROMISES.get(promise.state)
    if over is None:
        return {}
    return rules.cells(Figures(promises=over), promise.at, promise.queue, promise.agent)


def of_quotes(quotes: QuotesOfCall, rules: CountingRules) -> Contribution:
    """The quotes of a call count together, as of the first."""
    figures = Quotes(
        calls=1,
        calls_won=quotes.calls_won,
        quotes=quotes.quotes,
        open=quotes.open,
        won=quotes.won,
        lost=quotes.lost,
        won_cents=quotes.won_cents,
    )
    return rules.cells(Figures(quotes=figures), quotes.created_at, quotes.queue, quotes.agent)


def of_contact(contact: Contact) -> Contribution:
    """Where a contact stands now. One that is over stands nowhere."""
    return gauging(CONTACTS.get(contact.state), contact.queue)


def of_stretch(agent: str, stretch: Stretch, rules: CountingRules) -> dict[date, Contribution]:
    """What a stretch of presence adds on each day, hour by hour, for all and for the agent: days
    count each by itself, since a forgotten pause may last for weeks. Nobody is counted while
    offline.
    """
    if stretch.state is Presence.OFFLINE:
        return {}
    days: dict[date, list[Contribution]] = {}
    for begin, end in _by_quarter(stretch):
        time = Operators(**{f"{stretch.state}_ms": (end - begin) // timedelta(milliseconds=1)})
        added = rules.cells(Figures(operators=time), begin, None, agent)
        days.setdefault(begin.astimezone(rules.zone).date(), []).append(added)
    return {day: summed(parts) for day, parts in days.items()}


def _by_quarter(stretch: Stretch) -> Iterator[tuple[datetime, datetime]]:
    """Its parts in the quarters of an hour: with one of these begins any time zone's day."""
    begin = stretch.begin
    while begin < stretch.end:
        past = timedelta(minutes=begin.minute % 15, seconds=begin.second) + timedelta(
            microseconds=begin.microsecond
        )
        end = min(stretch.end, begin - past + QUARTER)
        yield begin, end
        begin = end


def _is_within(seconds: float | None, most: float) -> bool:
    return seconds is not None and seconds <= most


def _ms(seconds: float | None) -> int:
    return round((seconds or 0) * MILLISECONDS)
