"""Who waits for an agent, and is offered to one after the other until somebody takes the call.

Everything here may run twice, late, or at the same time as itself. Whoever is told to look reads
the truth, writes what follows from it on the revision that they read, and looks again until there
is nothing left to write. What has to be looked at later is told to the queue of work before it is
written, so that a worker that dies leaves nothing that nobody comes back to.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

from retorno import clock
from retorno.agents.model import HoldKind, Stored, Wish, unanswered_pause
from retorno.agents.model import State as Presence
from retorno.agents.service import Agents, Reservations, agents, reservations
from retorno.calls.model import Call, CallRules
from retorno.calls.service import (
    CallReader,
    CallUpkeep,
    call_reader,
    call_rules,
    call_upkeep,
    change_of,
)
from retorno.errors import Conflict, NotFound, PreconditionFailed, PreconditionRequired, Unavailable
from retorno.offers.model import (
    LOOKS_AGAIN_AFTER,
    ORDERED,
    STANDING,
    WAITS_AT_MOST,
    Mode,
    Offer,
    Queue,
    QueueDraft,
    State,
    Waiting,
    telephone_of,
)
from retorno.offers.store import Changed, LinePage, OfferStore, QueuePage
from retorno.secrets import credential
from retorno.settings import DialProvider, FollowCallsSettings, LineSettings, OfferSettings
from retorno.telephony.asterisk_connecting import AsteriskConnector
from retorno.telephony.canonical_connecting import CanonicalConnector
from retorno.telephony.ports import Connector, DialFailed, DialRefused, DialUncertain
from retorno.telephony.twilio_connecting import TwilioConnector
from retorno.telephony.twilio_dialling import API_URL
from retorno.times import Period
from retorno.work import WorkQueue

# Each loser of a race looks again at what the winner wrote; so many losses are no race.
MAX_LOOKS = 50

# One look serves as many callers, and chooses from as many agents; what is left is looked at as
# those are served.
LINE_LIMIT = 100
IDLE_LIMIT = 100

# What is neither of these has been something else than free for a call.
FREE = frozenset({Presence.AVAILABLE, Presence.ON_OFFER, Presence.DIALLING})

SILENT_PAUSE = Wish(state=Presence.PAUSED, reason="Não respondeu a uma chamada")

NOT_PICKED_UP = "the telephone was not picked up"
NEVER_TAKEN = "the telephone system never took the order"

# Operators read it.
WHAT_BECAME_OF_IT: Mapping[State, str] = {
    State.ACCEPTED: "você já aceitou esta chamada",
    State.CONNECTED: "você já aceitou esta chamada",
    State.REJECTED: "você já recusou esta chamada",
    State.SILENT: "o tempo para responder acabou, e a chamada voltou para a fila",
    State.FAILED: "a chamada não foi conectada e voltou ao seu lugar na fila",
    State.WITHDRAWN: "o cliente não espera mais nesta fila",
}


def new_id() -> str:
    return uuid4().hex


class Line:
    """Who waits for an agent, for those who would rather give the agent something else to do."""

    def __init__(self, store: OfferStore) -> None:
        self._store = store

    def waiting(self, queue: str, now: datetime) -> int:
        """How many callers wait in a queue without being on offer to anybody, 100 at most.

        Raises Unavailable.
        """
        return len(self._store.line(queue, now - WAITS_AT_MOST, LINE_LIMIT))


class LineTracking:
    """Follows the calls table's stream, and has those looked at who begin or end to wait."""

    def __init__(self, work: WorkQueue, calls: CallRules) -> None:
        self._work = work
        self._calls = calls

    def follow(self, record: Mapping[str, Any], now: datetime) -> None:
        """Raises Unavailable."""
        change = change_of(record, self._calls)
        if change and _wait_of(change.before) != _wait_of(change.after):
            self._work.send({"call_id": change.after.call_id}, now)


def _wait_of(call: Call | None) -> tuple[str, datetime | None] | None:
    return (call.waits_in, call.last_queued_at) if call and call.waits_in else None


class Queues:
    """How leaders set queues up."""

    def __init__(
        self, store: OfferStore, work: WorkQueue, connector: Callable[[], Connector]
    ) -> None:
        self._store = store
        self._work = work
        self._connector = connector

    def one(self, queue: str) -> Queue:
        """Raises NotFound where nobody set it up; Unavailable."""
        found = self._store.queue(queue)
        if not found.version:
            raise NotFound("nobody set this queue up: the telephone system gives out its calls")
        return found

    def page(self, limit: int, start: str | None) -> QueuePage:
        """By name. Raises Unavailable."""
        return self._store.queues(limit, start)

    def register(self, queue: str, draft: QueueDraft, now: datetime) -> Queue:
        """Raises PreconditionRequired where it is set up; Conflict where the telephone system
        cannot connect calls; Unavailable.
        """
        try:
            return self._save(Queue(queue=queue), draft, now)
        except Changed:
            raise PreconditionRequired(
                "the queue is set up; If-Match must say which version was seen"
            ) from None

    def change(self, queue: str, draft: QueueDraft, expected: int | None, now: datetime) -> Queue:
        """`expected` is the version that a person saw, None for any.

        Raises NotFound, PreconditionFailed, Conflict as `register`, Unavailable.
        """
        for _ in range(MAX_LOOKS):
            before = self.one(queue)
            if expected not in (None, before.version):
                raise PreconditionFailed("the queue was changed since; look at it again")
            try:
                return self._save(before, draft, now)
            except Changed:
                continue
        raise Unavailable("the queue is being written by too many at once")

    def _save(self, before: Queue, draft: QueueDraft, now: datetime) -> Queue:
        if draft.mode is not Mode.NONE:
            self._connector()
        after = Queue(queue=before.queue, version=before.version + 1, **draft.model_dump())
        self._store.save_queue(after, before.version)
        self._work.send({"queue": before.queue}, now)
        return after


class Offers:
    """Brings together callers who wait and agents who are free.

    `connector` is asked for each time: what it needs may be set, or changed, meanwhile.
    """

    def __init__(
        self,
        store: OfferStore,
        calls: CallReader,
        upkeep: CallUpkeep,
        agents: Agents,
        reservations: Reservations,
        work: WorkQueue,
        connector: Callable[[], Connector],
        webhooks_url: str,
        new_id: Callable[[], str] = new_id,
    ) -> None:
        self._store = store
        self._calls = calls
        self._upkeep = upkeep
        self._agents = agents
        self._reservations = reservations
        self._work = work
        self._connector = connector
        self._webhooks_url = webhooks_url
        self._new_id = new_id

    def look(self, message: Mapping[str, str], now: datetime) -> None:
        """Does what there is to do for a call or a queue: `{"call_id": …}` or `{"queue": …}`.

        Raises Unavailable.
        """
        if "call_id" in message:
            queues = self._settle(message["call_id"], now)
        else:
            queues = {message["queue"]}
        for queue in sorted(queues):
            self._serve(queue, now)

    def _settle(self, call_id: str, now: datetime) -> set[str]:
        """Brings a call's place in the lines up to date, and its offer. Says whose lines moved."""
        queues = set()
        for _ in range(MAX_LOOKS):
            known = self._store.get(call_id)
            call = self._find(call_id)
            queues |= {known.queue} if known else set()
            queues |= {call.waits_in} if call and call.waits_in else set()
            try:
                if not self._step(call_id, known, call, now):
                    return queues
            except Changed:
                continue
        raise Unavailable("the call is being written by too many at once")

    def _find(self, call_id: str) -> Call | None:
        try:
            return self._calls.one(call_id)
        except NotFound:
            return None

    def _step(self, call_id: str, known: Waiting | None, call: Call | None, now: datetime) -> bool:
        """One write that the truth asks for, if any; says whether there was one."""
        queue = call.waits_in if call else None
        if known is None:
            if call is None or queue is None:
                return False
            since = call.last_queued_at or call.started_at or now
            self._store.save(None, Waiting(call_id=call_id, queue=queue, since=since))
            return True
        if call is None or queue != known.queue:
            self._leave(known, call, now)
            return True
        return known.offer is not None and self._advance(known, known.offer, call, now)

    def _advance(self, known: Waiting, offer: Offer, call: Call, now: datetime) -> bool:
        """As `_step`, of an offer whose caller still waits."""
        if offer.is_back(call):
            self._not_picked_up(known, offer, now)
        elif not offer.is_due(now):
            return False
        elif offer.state is State.OFFERED:
            self._give_back(known, offer.ended(State.SILENT, now), now, SILENT_PAUSE)
        else:
            self._look_up(known, offer, now)
        return True

    def _leave(self, known: Waiting, call: Call | None, now: datetime) -> None:
        """The caller waits no more, or elsewhere."""
        offer = known.offer
        if offer is None:
            self._store.remove(known, None)
            return
        was_taken = (
            call is not None
            and call.answered_at is not None
            and call.agent in (None, offer.agent)
            and offer.state in ORDERED
        )
        if was_taken:
            # Its agent is in the call: that, and not a release, ends the hold.
            self._upkeep.name_agent(known.call_id, offer.agent)
            ended = offer.ended(State.CONNECTED, now)
        else:
            ended = offer.ended(State.WITHDRAWN, now)
        self._store.remove(known, ended)
        if not was_taken:
            self._reservations.release(offer.agent, offer.offer_id, now)

    def _give_back(
        self,
        known: Waiting,
        ended: Offer,
        now: datetime,
        pause: Wish | None = None,
        not_before: datetime | None = None,
    ) -> None:
        """The offer came to nothing: the call is in the line again, and the agent released, to be
        paused unless they want to be something else. Who refused the call, or is paused for
        silence, passed it on.
        """
        passed_by = ended.agent if pause or ended.state is State.REJECTED else None
        after = known.back(now, passed_by=passed_by, not_before=not_before)
        self._store.save(known, after, ended)
        self._reservations.release(ended.agent, ended.offer_id, now, pause)

    def _not_picked_up(self, known: Waiting, offer: Offer, now: datetime) -> None:
        ended = offer.ended(State.FAILED, now, NOT_PICKED_UP)
        self._give_back(known, ended, now, unanswered_pause())

    def _look_up(self, known: Waiting, offer: Offer, now: datetime) -> None:
        """Asks what became of an order to connect of which nothing was heard."""
        try:
            is_connecting = self._connector().is_connecting(offer.order(self._webhooks_url))
        except (DialUncertain, Conflict):
            again = now + LOOKS_AGAIN_AFTER
            self._work.send({"call_id": known.call_id}, now, again)
            self._store.save(known, known.offered(offer.model_copy(update={"until": again})))
            return
        if is_connecting:
            settled = offer.model_copy(update={"state": State.CONNECTED, "until": None})
            self._store.save(known, known.offered(settled))
        elif offer.state is State.CONNECTED:
            self._not_picked_up(known, offer, now)
        else:
            ended = offer.ended(State.FAILED, now, NEVER_TAKEN)
            self._give_back(known, ended, now)

    def _serve(self, queue: str, now: datetime) -> None:
        """Gives the callers of a queue, those who wait longest first, to its free agents."""
        settings = self._store.queue(queue)
        if settings.mode is Mode.NONE:
            return
        for _ in range(MAX_LOOKS):
            line = self._store.waiting(queue, now - WAITS_AT_MOST, LINE_LIMIT)
            idle = self._reservations.idle(queue, now, IDLE_LIMIT) if line else []
            free = [each for each in idle if settings.takes(each)]
            try:
                for waiting in line:
                    chosen = self._choose(waiting, free, now)
                    offer = self._offer(waiting, chosen, settings, now) if chosen else None
                    if chosen is None or offer is None:
                        continue
                    free.remove(chosen)
                    if offer.state is State.ACCEPTED:
                        # The telephone system takes its time: somebody else goes on meanwhile.
                        self._work.send({"queue": queue}, now)
                        self._connect(offer, now)
                        return
                return
            except Changed:
                continue
        raise Unavailable("the line is being written by too many at once")

    def _choose(self, waiting: Waiting, free: Sequence[Stored], now: datetime) -> Stored | None:
        if not waiting.may_be_offered(now):
            return None

        def was_away(agent: str, since: datetime) -> bool:
            times = self._agents.times(agent, Period(since, now), now)
            return any(spent for state, spent in times.seconds.items() if state not in FREE)

        return waiting.next_agent(free, was_away)

    def _offer(
        self, waiting: Waiting, chosen: Stored, settings: Queue, now: datetime
    ) -> Offer | None:
        """Offers a call to an agent, or accepts it for them; None where nobody waits any more."""
        call = self._find(waiting.call_id)
        if call is None or call.waits_in != waiting.queue:
            self._settle(waiting.call_id, now)
            return None
        offer = Offer(
            offer_id=self._new_id(),
            call_id=waiting.call_id,
            queue=waiting.queue,
            agent=chosen.agent.agent,
            telephone=telephone_of(chosen),
            ordinal=waiting.offers + 1,
            waiting_since=waiting.since,
            offered_at=now,
            state=State.OFFERED,
            until=now + timedelta(seconds=settings.offer_seconds),
        )
        if settings.mode is Mode.AUTO:
            offer = offer.accepted(call, now)
        self._put(waiting, offer, chosen, now)
        return offer

    def _put(self, waiting: Waiting, offer: Offer, agent: Stored, now: datetime) -> None:
        """The call's offer and the agent's hold, both or neither. Raises Changed."""
        self._work.send({"call_id": offer.call_id}, now, offer.until)
        holding = self._reservations.holding(agent, offer.hold, now)
        self._store.save(waiting, waiting.offered(offer), others=holding)

    def _connect(self, offer: Offer, now: datetime) -> Offer:
        """Orders what was accepted, and says what became of the offer. Where nobody knows whether
        the order was taken, it stays accepted until that is looked up.
        """
        try:
            self._connector().connect(offer.order(self._webhooks_url))
        except DialUncertain:
            return offer
        except DialFailed as failure:
            wait = timedelta(seconds=failure.retry_after or 0)
            return self._settled(offer, now, str(failure), max(wait, LOOKS_AGAIN_AFTER))
        except (DialRefused, Conflict) as refusal:
            return self._settled(offer, now, str(refusal), LOOKS_AGAIN_AFTER)
        return self._settled(offer, now)

    def _settled(
        self,
        offer: Offer,
        now: datetime,
        failure: str | None = None,
        wait: timedelta = LOOKS_AGAIN_AFTER,
    ) -> Offer:
        """Writes down what the telephone system said, unless the call has gone on meanwhile."""
        for _ in range(MAX_LOOKS):
            known = self._store.get(offer.call_id)
            if known is None or known.offer != offer:
                return self._store.offer(offer.offer_id) or offer
            try:
                if failure is None:
                    taken = offer.model_copy(update={"state": State.CONNECTED})
                    self._store.save(known, known.offered(taken))
                    return taken
                ended = offer.ended(State.FAILED, now, failure)
                self._work.send({"queue": offer.queue}, now, now + wait)
                self._give_back(known, ended, now, not_before=now + wait)
            except Changed:
                continue
            return ended
        raise Unavailable("the call is being written by too many at once")

    def accept(self, offer_id: str, agent: str, now: datetime) -> Offer:
        """Connects the call to the agent who holds the offer. Accepted again it is the same answer.

        It comes back connected, or still accepted where nobody knows whether the telephone system
        took the order. Raises NotFound for an offer that is not theirs; Conflict where it is too
        late, or the call could not be connected; Unavailable.
        """
        for _ in range(MAX_LOOKS):
            offer = self._theirs(offer_id, agent)
            if offer.state in ORDERED:
                return offer
            if offer.state is not State.OFFERED:
                raise Conflict(WHAT_BECAME_OF_IT[offer.state])
            waiting, call = self._store.get(offer.call_id), self._find(offer.call_id)
            if call is None or call.waits_in != offer.queue:
                self._settle(offer.call_id, now)
                continue
            if waiting is None or waiting.offer != offer:
                continue
            held = self._reservations.held(agent, offer_id, now)
            if held is None:
                raise Conflict(WHAT_BECAME_OF_IT[State.SILENT])
            accepted = offer.accepted(call, now)
            try:
                self._put(waiting, accepted, held, now)
            except Changed:
                continue
            outcome = self._connect(accepted, now)
            if outcome.state not in ORDERED:
                raise Conflict(WHAT_BECAME_OF_IT[outcome.state])
            return outcome
        raise Unavailable("the offer is being written by too many at once")

    def reject(self, offer_id: str, agent: str, reason: str | None, now: datetime) -> Offer:
        """Refuses an offer; the call goes to the next agent. Refused again it is the same answer.

        Raises NotFound for an offer that is not theirs; Conflict where it is too late;
        Unavailable.
        """
        for _ in range(MAX_LOOKS):
            offer = self._theirs(offer_id, agent)
            if offer.state is State.OFFERED:
                waiting = self._store.get(offer.call_id)
                if waiting is None or waiting.offer != offer:
                    continue
                with suppress(Changed):
                    self._give_back(waiting, offer.ended(State.REJECTED, now, reason), now)
                continue
            if offer.state is not State.REJECTED:
                raise Conflict(WHAT_BECAME_OF_IT[offer.state])
            # Also when it is told again: whoever was told first may have died of it.
            self._reservations.release(agent, offer_id, now)
            self._work.send({"queue": offer.queue}, now)
            return offer
        raise Unavailable("the offer is being written by too many at once")

    def _theirs(self, offer_id: str, agent: str) -> Offer:
        offer = self._store.offer(offer_id)
        if offer is None or offer.agent != agent:
            raise NotFound("there is no such offer to you")
        return offer


class OfferRecords:
    """Offers as people see them."""

    def __init__(self, store: OfferStore, agents: Agents) -> None:
        self._store = store
        self._agents = agents

    def one(self, offer_id: str, agent: str | None) -> Offer:
        """To anyone where no agent is said. Raises NotFound also for another's; Unavailable."""
        offer = self._store.offer(offer_id)
        if offer is None or agent not in (None, offer.agent):
            raise NotFound("there is no such offer")
        return offer

    def to(self, agent: str) -> Offer:
        """The one that stands. Raises NotFound where none does; Unavailable."""
        hold = self._agents.one(agent).presence.hold
        offer = self._store.offer(hold.hold_id) if hold and hold.kind is HoldKind.OFFER else None
        if offer is None or offer.state not in STANDING:
            raise NotFound("no call is offered to you")
        return offer

    def page(self, queue: str, limit: int, start: str | None) -> LinePage:
        """The calls of a queue that are on offer, the longest waiting first. Raises Unavailable."""
        return self._store.on_offer(queue, limit, start)


class OffersMade:
    """Offers for those who look at what becomes of them."""

    def __init__(self, store: OfferStore) -> None:
        self._store = store

    def at(self, pks: Iterable[str]) -> Mapping[str, Offer]:
        """Those of these items of the offers table that are offers, as they are at this moment.

        Raises Unavailable.
        """
        return self._store.offers_at(pks)


def connector(settings: OfferSettings) -> Connector:
    """Raises Conflict where the telephone system cannot connect a caller who waits, or what it
    needs is not set; Unavailable.
    """

    def secret(field: str) -> str:
        return credential(settings.dial_secret, field)

    def needed(name: str, value: str | None) -> str:
        if value is None:
            raise Conflict(f"the stack's parameter {name} is not set: see docs/offers.md")
        return value

    match settings.dial_provider:
        case DialProvider.CANONICAL:
            url = needed("DialUrl", settings.dial_url)
            return CanonicalConnector(url, secret("current"), clock.now)
        case DialProvider.TWILIO:
            return TwilioConnector(
                secret("account_sid"), secret("auth_token"), clock.now, settings.dial_url or API_URL
            )
        case DialProvider.ASTERISK:
            return AsteriskConnector(
                needed("DialUrl", settings.dial_url),
                secret("username"),
                secret("password"),
                needed("DialFlow", settings.dial_flow),
            )
        case DialProvider.NONE:
            raise Conflict("no telephone system is set up to connect calls: see docs/offers.md")
        case DialProvider.ZENVIA | DialProvider.AMAZON_CONNECT:
            raise Conflict(
                "this telephone system gives out the calls of its queues itself, and takes no "
                "orders to connect one: the mode can only be none (docs/offers.md)"
            )


def line(settings: LineSettings) -> Line:
    return Line(OfferStore(settings.offers_table))


def offers_made(settings: LineSettings) -> OffersMade:
    return OffersMade(OfferStore(settings.offers_table))


def line_tracking(settings: FollowCallsSettings) -> LineTracking:
    return LineTracking(WorkQueue(settings.offers_queue), call_rules(settings))


def queues(settings: OfferSettings) -> Queues:
    return Queues(
        OfferStore(settings.offers_table),
        WorkQueue(settings.offers_queue),
        partial(connector, settings),
    )


def offers(settings: OfferSettings) -> Offers:
    return Offers(
        OfferStore(settings.offers_table),
        call_reader(settings),
        call_upkeep(settings),
        agents(settings),
        reservations(settings),
        WorkQueue(settings.offers_queue),
        partial(connector, settings),
        settings.webhooks_url,
    )


def offer_records(settings: OfferSettings) -> OfferRecords:
    return OfferRecords(OfferStore(settings.offers_table), agents(settings))
