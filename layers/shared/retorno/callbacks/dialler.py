"""The dialler: rings contacts back through the agents who are free, and never without one.

Reserve, dial, settle: each is a conditional write, and whoever comes after a worker that died finds
out what it did before doing anything.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from retorno import clock
from retorno.agents.model import Agent, Hold, HoldKind, unanswered_pause
from retorno.agents.model import Stored as StoredAgent
from retorno.agents.service import Reservations, reservations
from retorno.calendars import DAY, place_of
from retorno.callback_campaigns.model import Campaign, Pace, Result
from retorno.callback_campaigns.service import Campaigns, campaigns
from retorno.callbacks.model import (
    HELD,
    IN_CALL_WAIT,
    RANKS,
    RINGING,
    UNCERTAIN_FOR,
    Contact,
    Day,
    Limit,
    NumberLog,
    State,
    barred,
    calls_in,
    contact_id_of,
    ended,
    limit_of,
    line_of_agent,
    line_of_campaign,
    line_of_queue,
    not_placed,
    not_rung,
    placed,
    postponed,
    refused,
    reserved,
    result_of,
    watched,
    withdrawn,
)
from retorno.callbacks.service import MAX_LOOKS, Change, Contacts, contacts, pace_of
from retorno.callbacks.store import AgentTaken, ContactStore, ContactTaken, contact_store
from retorno.calling_rules.model import Facts
from retorno.calling_rules.service import CallingRules, calling_rules
from retorno.calls.model import Call
from retorno.calls.service import CallReader, call_reader
from retorno.clock import Clock
from retorno.dialling.model import LISTED_AFTER, Dial, DialState
from retorno.dialling.service import Attempts, attempts
from retorno.dynamodb import Refused
from retorno.errors import Conflict, NotFound, Unavailable
from retorno.observability import logger
from retorno.offers.service import Line
from retorno.offers.service import line as line_of_callers
from retorno.phone import NumberPlan
from retorno.settings import DiallerSettings
from retorno.telephony.ports import OPERATOR_NO_ANSWER, TELEPHONE, AnsweredBy, Direction
from retorno.times import FIRST, Period
from retorno.work import WorkQueue

# So many calls are placed at once by one worker, and so many contacts looked at for them.
AT_ONCE = 10
LOOKED_AT = 200
PAGE = 25

# Nothing is dialled for so long after the telephone system failed, unless it says for how long.
REST = timedelta(seconds=5)
LONGEST_REST = timedelta(seconds=60)

# What the net looks at, a minute at a time.
LEASES_AT_ONCE = 200
DUE_AT_ONCE = 20_000
AHEAD = timedelta(seconds=60)

# Calls to a number in one day: no pace and no law allows as many.
COUNTED_CALLS = 100
# A call that began longer ago than this is over, whoever lost its end.
CALL_AGE = timedelta(hours=4)

DIALLER = "retorno"


# The highest rank first.
LinesByRank = Mapping[int, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Ready:
    """A contact that may be called now, and the dials to its number so far."""

    contact: Contact
    log: NumberLog
    pace: Pace


@dataclass(frozen=True, slots=True)
class Reserved:
    """A contact and the agent who is held for it."""

    contact: Contact
    dial: Dial


class Dialler:
    def __init__(
        self,
        store: ContactStore,
        contacts: Contacts,
        campaigns: Campaigns,
        agents: Reservations,
        attempts: Attempts,
        calls: CallReader,
        rules: CallingRules,
        callers: Line,
        work: WorkQueue,
        plan: NumberPlan,
        clock: Clock,
        webhooks_url: str,
        caller_id: str | None,
    ) -> None:
        self._store = store
        self._contacts = contacts
        self._campaigns = campaigns
        self._agents = agents
        self._attempts = attempts
        self._calls = calls
        self._rules = rules
        self._callers = callers
        self._work = work
        self._plan = plan
        self._clock = clock
        self._webhooks_url = webhooks_url
        self._caller_id = caller_id

    # --- Finding whom to ring for whom ----------------------------------------------------------

    def serve(self, body: str) -> int:
        """Looks where a message says: at the agents of a queue who may have become free, at a line
        where a contact may be due, or at a call that may be over. Says how many calls it placed.

        Raises Unavailable.
        """
        message = self._work.read(body, self._clock())
        if message is None:
            return 0
        if "call_id" in message:
            self.settle_call(message["call_id"])
            return 0
        if "contact_id" in message:
            self.look_after(message["contact_id"])
            return 0
        rest = self._store.resting_until()
        if rest and rest > self._clock():
            self._work.send(message, self._clock(), rest)
            return 0
        known = self._all_campaigns()
        return sum(self._serve_line(line, known) for line in _lines_of(message))

    def _serve_line(self, line: str, known: Mapping[str, Campaign]) -> int:
        kind, _, name = line.partition(":")
        if kind == "agent":
            return self._serve_agent(name, known)
        if kind == "queue":
            return self._serve_queue(name, known)
        if name not in known:
            self._cancel_due(line)
            return 0
        return self._serve_queue(known[name].callback_queue, known)

    def _serve_agent(self, agent: str, known: Mapping[str, Campaign]) -> int:
        """Places the call that only this agent will do for."""
        due = self._due_in([line_of_agent(agent)])
        found = self._agents.one(agent, self._clock()) if due else None
        if found is None or not _can_be_rung(found.agent):
            return 0
        return self._place_for(self._spare([found]), due, known)

    def _serve_queue(self, queue: str, known: Mapping[str, Campaign]) -> int:
        lines = [
            line_of_queue(queue),
            *(
                line_of_campaign(campaign.campaign_id)
                for campaign in known.values()
                if campaign.callback_queue == queue and not campaign.paused
            ),
        ]
        due = self._due_in(lines)
        if not due:
            return 0
        idle = self._agents.idle(queue, self._clock(), AT_ONCE, _can_be_rung)
        idle = self._spare(idle)
        found = self._place_for(idle, due, known)
        if found and found == len(idle):
            # There may be more of both.
            self._work.send({"queue": queue}, self._clock())
        return found

    def _spare(self, idle: Sequence[StoredAgent]) -> list[StoredAgent]:
        """Without those for whom callers wait: whoever rings comes first. If a caller gives up whom
        nobody was offered, it is the net that finds the agent.
        """
        now = self._clock()
        queues = {queue for each in idle for queue in each.agent.queues}
        waiting = {queue: self._callers.waiting(queue, now) for queue in queues}
        spare = []
        for each in idle:
            wanted_in = next((queue for queue in each.agent.queues if waiting[queue]), None)
            if wanted_in is None:
                spare.append(each)
            else:
                waiting[wanted_in] -= 1
        return spare

    def _place_for(
        self, idle: Sequence[StoredAgent], due: LinesByRank, known: Mapping[str, Campaign]
    ) -> int:
        if not idle:
            return 0
        with ThreadPoolExecutor(AT_ONCE) as pool:
            # What was reserved is placed, also where the next reservation fails.
            placing = [
                pool.submit(self._place, pair)
                for pair in self._pairs(idle, self._ready(due, known))
            ]
        for each in placing:
            each.result()
        return len(placing)

    def _pairs(self, idle: Sequence[StoredAgent], ready: Iterator[Ready]) -> Iterator[Reserved]:
        """Reserves contacts for agents, the longest idle first."""
        candidate = None
        for agent in idle:
            # Looked for only as an agent needs one: to look at each takes some requests.
            while candidate := candidate or next(ready, None):
                try:
                    pair = self._reserve(candidate, agent)
                except AgentTaken:
                    break
                except ContactTaken:
                    candidate = None
                    continue
                candidate = None
                yield pair
                break

    def _reserve(self, ready: Ready, agent: StoredAgent) -> Reserved:
        now = self._clock()
        name = agent.agent.agent
        contact = reserved(ready.contact, name, now)
        dial = self._dial_of(contact, ready.pace, _telephone_of(agent.agent), now)
        hold = Hold(hold_id=dial.dial_id, kind=HoldKind.DIAL, until=now + HELD)
        log = ready.log.with_dial(dial.dial_id, now)
        return Reserved(
            self._store.reserve(contact, log, self._agents.holding(agent, hold, now)), dial
        )

    def _dial_of(self, contact: Contact, pace: Pace, telephone: str, now: datetime) -> Dial:
        return Dial(
            dial_id=contact.dial_id or "",
            wish_digest="",
            number=contact.number,
            purpose=contact.purpose,
            telephone=telephone,
            agent=contact.dial_agent or "",
            asked_by=DIALLER,
            missed_call_id=contact.misses[-1] if contact.misses else None,
            campaign=contact.list_name,
            caller_id=contact.caller_id or pace.caller_id or self._caller_id,
            menu=pace.menu,
            asked_at=now,
            ordered_at=now,
        )

    # --- Who may be called now ------------------------------------------------------------------

    def _due_in(self, lines: Sequence[str]) -> LinesByRank:
        """Where contacts are due, or may be: most looks find nobody, and this says so at once."""
        now = self._clock()
        ranks = {line: self._store.ranks_due(line, now) for line in lines}
        due = {rank: [line for line in lines if rank in ranks[line]] for rank in RANKS}
        return {rank: of_rank for rank, of_rank in due.items() if of_rank}

    def _ready(self, due: LinesByRank, known: Mapping[str, Campaign]) -> Iterator[Ready]:
        """The contacts that may be called, in their order; it puts off those that may not."""
        looked_at = 0
        for rank, lines in due.items():
            seen: set[str] = set()
            while new := [each for each in self._due(lines, rank) if each not in seen]:
                for contact_id in new:
                    if looked_at == LOOKED_AT:
                        self._work.send({"line": lines[0]}, self._clock())
                        return
                    looked_at += 1
                    seen.add(contact_id)
                    if found := self._checked(contact_id, known):
                        yield found

    def _due(self, lines: Sequence[str], rank: int) -> list[str]:
        now = self._clock()
        found = [each for line in lines for each in self._store.due(line, rank, now, PAGE)]
        return [contact_id for _, contact_id in sorted(found)]

    def _checked(self, contact_id: str, known: Mapping[str, Campaign]) -> Ready | None:
        now = self._clock()
        contact = self._store.get(contact_id)
        if contact is None or contact.state is not State.WAITING or contact.due_at > now:
            return None
        pace = pace_of(contact, known)
        log = self._store.log_of(contact.number_key)
        put_off = self._put_off(contact, log, pace, now)
        if put_off is None:
            return Ready(contact, log, pace)
        self._contacts.change(contact_id, put_off, now)
        return None

    def _put_off(
        self, contact: Contact, log: NumberLog, pace: Pace, now: datetime
    ) -> Change | None:
        """What becomes of a contact that may not be called now; None for one that may."""
        if contact.until and now > contact.until:
            return lambda it: withdrawn(it, State.EXPIRED, "too late", now)
        if contact.attempts >= contact.limit(pace):
            # Its campaign allowed more when it was called last.
            return lambda it: barred(it, "attempts", now)
        number = self._plan.parse(contact.number)
        if number is None:
            return lambda it: barred(it, "no number", now)
        place = place_of(number)
        today = place.day_at(now)
        day = Day(place.beginning_of(today), place.beginning_of(today + DAY))
        calls = self._calls.of_number(
            contact.number, Period(min(day.begins, now - CALL_AGE), now), COUNTED_CALLS, None
        ).calls
        outbound = [call for call in calls if call.rang_customer]
        by_lists = [_began(call) for call in outbound if call.campaign]
        by_people = [_began(call) for call in outbound if not call.campaign]
        limit = _by_their_calls(contact, calls, now) or limit_of(
            log, by_lists, by_people, day, pace, now
        )
        if limit:
            return lambda it: postponed(it, limit.until, limit.reason, now)
        return self._forbidden(contact, calls_in(day, log, by_lists, by_people), pace, now)

    def _forbidden(
        self, contact: Contact, calls_that_day: int, pace: Pace, now: datetime
    ) -> Change | None:
        """By a law, the campaign's hours, or the do-not-call list."""
        profiles = pace.chosen_profiles(self._rules.profiles)
        facts = Facts(calls_that_day=calls_that_day, requested_at=contact.asked_at)
        decision = self._rules.check(contact.number, contact.purpose, now, facts, profiles).decision
        if decision.allowed:
            return None
        if decision.forbidden_by:
            origin = decision.forbidden_by[0].origin
            return lambda it: withdrawn(it, State.DO_NOT_CALL, origin.value, now)
        rule = next(finding.rule.id for finding in decision.findings if not finding.allows)
        next_one = decision.next_allowed_at
        if next_one is None:
            return lambda it: barred(it, rule, now)
        return lambda it: postponed(it, next_one, rule, now)

    def _all_campaigns(self) -> dict[str, Campaign]:
        return {campaign.campaign_id: campaign for campaign in self._campaigns.all()}

    def _cancel_due(self, line: str) -> None:
        """Of a campaign that is no more."""
        now = self._clock()
        for rank, lines in self._due_in([line]).items():
            for contact_id in self._due(lines, rank):
                self._contacts.change(
                    contact_id, lambda it: withdrawn(it, State.CANCELLED, "no campaign", now), now
                )

    # --- What became of it ----------------------------------------------------------------------

    def _place(self, pair: Reserved) -> None:
        """What fails here is found out once the lease is over."""
        now = self._clock()
        contact = pair.contact
        try:
            self._settle_dial(contact, self._attempts.place(pair.dial, self._webhooks_url, now))
        except Conflict as error:
            self._not_placed(contact, str(error), None, LONGEST_REST)
        except Unavailable:
            logger.exception("a dial is not settled yet")

    def _settle_dial(self, contact: Contact, dial: Dial) -> None:
        now = self._clock()
        match dial.state:
            case DialState.PLACED if dial.call_id:
                call_id = dial.call_id
                self._contacts.change(
                    contact.contact_id,
                    lambda it: placed(it, dial.dial_id, call_id, dial.ordered_at, now),
                    now,
                )
                # It may be over already: who told of that may have come too early.
                self.settle_call(call_id)
            case DialState.FAILED:
                wait = dial.retry_at - now if dial.retry_at else REST
                self._not_placed(contact, dial.reason or "", dial.retry_at, wait)
            case DialState.REFUSED:
                reason = dial.reason or ""
                self._contacts.change(
                    contact.contact_id, lambda it: refused(it, dial.dial_id, reason, now), now
                )
                self._let_go(contact)
                self._forget_dial(contact)
            case _ if now >= dial.ordered_at + UNCERTAIN_FOR:
                self._give_up(contact)
            case _:
                until = now + LISTED_AFTER
                self._contacts.change(
                    contact.contact_id, lambda it: watched(it, dial.dial_id, until, now), now
                )
                self._work.send({"contact_id": contact.contact_id}, now, until)

    def _not_placed(
        self, contact: Contact, reason: str, retry_at: datetime | None, rest: timedelta
    ) -> None:
        now = self._clock()
        dial_id = contact.dial_id or ""
        if rest > timedelta(0):
            self._store.rest(now + min(rest, LONGEST_REST))
        self._contacts.change(
            contact.contact_id, lambda it: not_placed(it, dial_id, reason, retry_at, now), now
        )
        self._let_go(contact)
        self._forget_dial(contact)

    def _give_up(self, contact: Contact) -> None:
        self._end(contact, Result.UNKNOWN, self._clock())

    def settle_call(self, call_id: str) -> None:
        """Settles the contact that a call which is over was placed for. Told twice, or too early,
        it does no harm. Raises Unavailable.
        """
        try:
            call = self._calls.one(call_id)
        except NotFound:
            return
        if call.campaign is None or call.number_key is None:
            return
        contact = self._store.get(contact_id_of(call.campaign, call.number_key))
        if contact and contact.call_id == call_id:
            self._settle(contact, call)

    def _settle(self, contact: Contact, call: Call) -> None:
        """Looks again at what it wrote by: whoever knew better may have written before."""
        if call.end_reason == OPERATOR_NO_ANSWER:
            self._not_rung(contact)
            return
        settled = None
        while call.ended_at and (result := result_of(call)) is not settled:
            self._end(contact, result, call.ended_at)
            settled, call = result, self._calls.one(call.call_id)

    def _not_rung(self, contact: Contact) -> None:
        now = self._clock()
        dial_id = contact.dial_id or ""
        # First, or the contact might be theirs again at once.
        self._agents.release(contact.dial_agent or "", dial_id, now, unanswered_pause())
        self._contacts.change(contact.contact_id, lambda it: not_rung(it, dial_id, now), now)
        self._forget_dial(contact)

    def _end(self, contact: Contact, result: Result, at: datetime) -> None:
        now = self._clock()
        dial_id = contact.dial_id or ""
        pace = pace_of(contact, self._all_campaigns())
        self._contacts.change(
            contact.contact_id, lambda it: ended(it, dial_id, result, at, pace, now), now
        )
        self._let_go(contact)

    def _let_go(self, contact: Contact) -> None:
        if contact.dial_agent and contact.dial_id:
            self._agents.release(contact.dial_agent, contact.dial_id, self._clock())

    def _forget_dial(self, contact: Contact) -> None:
        """There was no call, so none counts for the number's day."""
        for _ in range(MAX_LOOKS):
            log = self._store.log_of(contact.number_key)
            without = log.without(contact.dial_id or "")
            if without == log:
                return
            with suppress(Refused):
                self._store.save_log(without)
                return

    # --- The net --------------------------------------------------------------------------------

    def look_after(self, contact_id: str) -> None:
        """Finds out what became of a dial whose worker died, or of a call that does not end; has
        recovery told again of a contact that is blocked, or no more. Raises Unavailable.
        """
        now = self._clock()
        contact = self._store.get(contact_id)
        if contact is None or (contact.leased_until and now < contact.leased_until):
            return
        if contact.state is not State.DIALLING:
            self._contacts.change(contact_id, lambda it: it, now)
            return
        if contact.call_id:
            self._look_at_call(contact, contact.call_id, now)
            return
        dial = self._dial_of(contact, Pace(), contact.dial_agent or "", now)
        try:
            self._settle_dial(contact, self._attempts.find_out(dial, self._webhooks_url, now))
        except Conflict:
            # There is no telephone system to ask.
            self._give_up(contact)

    def _look_at_call(self, contact: Contact, call_id: str, now: datetime) -> None:
        try:
            call = self._calls.one(call_id)
        except NotFound:
            self._give_up(contact)
            return
        if call.ended_at is not None:
            self._settle(contact, call)
            return
        dial_id = contact.dial_id or ""
        self._contacts.change(
            contact.contact_id, lambda it: watched(it, dial_id, now + RINGING, now), now
        )

    def watch(self) -> None:
        """Has those looked after whom no message told of: contacts that are due, or will be within
        the minute, and those whose lease is over. Raises Unavailable.
        """
        now = self._clock()
        for line, due_at in self._store.lines_due(now + AHEAD, DUE_AT_ONCE).items():
            self._work.send({"line": line}, now, due_at)
        for contact_id in self._store.leases_over(now, LEASES_AT_ONCE):
            self._work.send({"contact_id": contact_id}, now)


def _lines_of(message: Mapping[str, str]) -> list[str]:
    if "line" in message:
        return [message["line"]]
    lines = [line_of_queue(message["queue"])]
    return [line_of_agent(message["agent"]), *lines] if "agent" in message else lines


def _telephone_of(agent: Agent) -> str:
    return agent.telephone or agent.agent


def _can_be_rung(agent: Agent) -> bool:
    return TELEPHONE.fullmatch(_telephone_of(agent)) is not None


def _by_their_calls(contact: Contact, calls: Sequence[Call], now: datetime) -> Limit | None:
    """Whoever is in a call is not rung, nor who was just reached by one."""
    ages = [now - _began(call) for call in calls if call.ended_at is None]
    if goes_on := [age for age in ages if age < CALL_AGE]:
        # A call that has gone on for long may be one whose end was lost.
        return Limit("in_call", now + max(IN_CALL_WAIT, min(goes_on) / 10))
    if any(_won_back(contact, call) for call in calls):
        # The list is about to hear of it.
        return Limit("answered", now + IN_CALL_WAIT)
    return None


def _won_back(contact: Contact, call: Call) -> bool:
    """Whether a call reached a customer who was missed before."""
    if contact.missed_at is None or _began(call) < contact.missed_at:
        return False
    if call.direction is Direction.INBOUND:
        return call.got_through
    return call.rang_customer and call.answered_by is AnsweredBy.HUMAN


def _began(call: Call) -> datetime:
    return call.started_at or FIRST


def dialler(settings: DiallerSettings) -> Dialler:
    return Dialler(
        store=contact_store(settings),
        contacts=contacts(settings),
        campaigns=campaigns(settings),
        agents=reservations(settings),
        attempts=attempts(settings),
        calls=call_reader(settings),
        rules=calling_rules(settings),
        callers=line_of_callers(settings),
        work=WorkQueue(settings.dialler_queue),
        plan=settings.number_plan,
        clock=clock.now,
        webhooks_url=settings.webhooks_url,
        caller_id=settings.caller_id,
    )
