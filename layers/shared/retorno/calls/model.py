"""A call is a merge of facts, and everything else about it is derived from them.

Events come twice, late, in any order, or never. So a call is kept as registers, one a fact, each
stamped with the time of the event that told it; merging keeps the earliest stamp (for two facts
the latest), which makes it commutative, associative and idempotent. Nothing is decided at
writing: status, seconds and *missed* come out of `derive`.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from retorno.customers.lookup import Lookup
from retorno.dispositions.model import Disposition, Flag
from retorno.frozen import Frozen
from retorno.phone import NumberPlan, match_key
from retorno.telephony.ports import (
    ENDED_IN_IVR,
    OPERATOR_NO_ANSWER,
    AnsweredBy,
    CallEvent,
    Direction,
    Stage,
)
from retorno.times import FIRST, LAST, STAMP_LENGTH, read_stamp, stamp

# The end reason of a call that was closed because its end never came.
NO_END_EVENT = "no_end_event"


class Fact(StrEnum):
    PROVIDER = "provider"
    DIRECTION = "direction"
    CALLER = "caller"
    CALLEE = "callee"
    NUMBER = "number"
    LEG_NUMBER = "leg_number"
    QUEUE = "queue"
    BRANCH = "branch"
    CAMPAIGN = "campaign"
    TRUNK = "trunk"
    ASSIGNED_AGENT = "assigned_agent"
    ANSWERING_AGENT = "answering_agent"
    # What the provider's detection heard. It is one evidence of several: see `Evidence`.
    ANSWERED_BY = "answered_by"
    QUEUED = "queued"
    RINGING = "ringing"
    ANSWERED = "answered"
    ENDED = "ended"
    # A caller may go from queue to queue: it is the last entry and the last exit that count.
    LAST_QUEUED = "last_queued"
    LEFT_QUEUE = "left_queue"
    # Closed by the sweeper; the provider's own end, however late, counts for more.
    CLOSED = "closed"
    # What people say of the call: they may change their mind, but a reviewer's verdict is final.
    DISPOSITION = "disposition"
    CUSTOMER = "customer"
    REVIEW = "review"


LATEST_COUNTS = frozenset({Fact.LAST_QUEUED, Fact.LEFT_QUEUE, Fact.DISPOSITION, Fact.CUSTOMER})

BEFORE_ALL = stamp(FIRST)

# Stands where a customer's id would.
NOBODY = "-"

# The facts that say when something happened to the call, rather than what it is.
TIMED = (Fact.QUEUED, Fact.RINGING, Fact.ANSWERED, Fact.ENDED, Fact.LAST_QUEUED, Fact.LEFT_QUEUE)

# A register is its stamp and then its value, as text: `2026-03-02T13:04:05.000000Z ana`. Texts
# of one fact compare as (time, value), alike in Python and in a DynamoDB condition.
Register = str
Facts = Mapping[Fact, Register]


def register(at: datetime, value: str = "") -> Register:
    return f"{stamp(at)} {value}".rstrip()


def time_of(written: Register) -> datetime:
    return read_stamp(written)


def value_of(written: Register) -> str:
    return written[STAMP_LENGTH + 1 :]


def facts_of(event: CallEvent) -> Facts:
    """The registers that one event sets."""
    values: dict[Fact, str | None] = {
        Fact.PROVIDER: event.provider,
        Fact.DIRECTION: event.direction,
        Fact.CALLER: event.caller,
        Fact.CALLEE: event.callee,
        Fact.NUMBER: event.number,
        Fact.LEG_NUMBER: event.leg_number,
        Fact.QUEUE: event.queue,
        Fact.BRANCH: event.branch,
        Fact.CAMPAIGN: event.campaign,
        Fact.TRUNK: event.trunk,
        # Not to know is no evidence, and must not stand in the way of a detection that comes later.
        Fact.ANSWERED_BY: None if event.answered_by is AnsweredBy.UNKNOWN else event.answered_by,
        Fact.ASSIGNED_AGENT: event.agent,
    }
    if event.stage is Stage.ANSWERED:
        values[Fact.ANSWERING_AGENT] = event.agent
    at = stamp(event.occurred_at)
    facts = {fact: f"{at} {value}".rstrip() for fact, value in values.items() if value}
    return {**facts, **_stage_facts(event)}


def _stage_facts(event: CallEvent) -> Facts:
    at = event.occurred_at
    match event.stage:
        case None:
            return {}
        case Stage.QUEUED:
            return {Fact.QUEUED: register(at), Fact.LAST_QUEUED: register(at, event.queue or "")}
        case Stage.RINGING:
            return {Fact.RINGING: register(at)}
        case Stage.ANSWERED:
            return {Fact.ANSWERED: register(at)}
    end = register(at, f"{event.stage} {event.reason or event.stage}")
    return {Fact.LEFT_QUEUE if event.leaves_queue else Fact.ENDED: end}


def merge(one: Facts, other: Facts) -> Facts:
    """The facts of both."""
    merged = dict(one)
    for fact, written in other.items():
        pick = max if fact in LATEST_COUNTS else min
        merged[fact] = pick(merged[fact], written) if fact in merged else written
    return merged


def fold(events: Iterable[CallEvent]) -> dict[str, Facts]:
    """The facts that the events tell of each call, by call id."""
    calls: dict[str, Facts] = {}
    for event in events:
        calls[event.call_id] = merge(calls.get(event.call_id, {}), facts_of(event))
    return calls


def started_at(facts: Facts) -> datetime | None:
    """The earliest moment known; None where nothing timed is known yet."""
    stamps = [facts[fact] for fact in TIMED if fact in facts]
    return time_of(min(stamps)) if stamps else None


def first_told(facts: Facts) -> datetime | None:
    """The earliest moment that anything is told of. What is to count before all that is told has
    no moment of its own.
    """
    told = [written for written in facts.values() if not written.startswith(BEFORE_ALL)]
    return time_of(min(told)) if told else None


def agent_of(facts: Facts) -> str | None:
    """Who answered, or else who was first named."""
    written = facts.get(Fact.ANSWERING_AGENT) or facts.get(Fact.ASSIGNED_AGENT)
    return value_of(written) if written else None


def number_key_of(facts: Facts) -> str | None:
    """What all written forms of the customer's number have in common."""
    number = number_of(facts)
    return match_key(number) if number else None


def number_of(facts: Facts) -> str | None:
    """The customer's number; a leg's is theirs if the call goes out."""
    if Fact.NUMBER in facts:
        return value_of(facts[Fact.NUMBER])
    if Fact.LEG_NUMBER in facts and Fact.DIRECTION in facts:
        goes_out = value_of(facts[Fact.DIRECTION]) != Direction.INBOUND
        return value_of(facts[Fact.LEG_NUMBER]) if goes_out else None
    return None


def end_of(facts: Facts) -> Register | None:
    """The register that ends the call; None while it goes on."""
    if Fact.ENDED in facts:
        return facts[Fact.ENDED]
    left = facts.get(Fact.LEFT_QUEUE)
    if left and not _went_on(facts, time_of(left)):
        return left
    return facts.get(Fact.CLOSED)


def _went_on(facts: Facts, left_at: datetime) -> bool:
    """Whether a caller who left a queue was answered after that, or entered another."""
    if Fact.ANSWERED in facts and time_of(facts[Fact.ANSWERED]) >= left_at:
        return True
    if Fact.LAST_QUEUED not in facts:
        return False
    last_queued_at = time_of(facts[Fact.LAST_QUEUED])
    # The next queue is entered in the second in which the one before is left.
    entered_again = last_queued_at > time_of(facts[Fact.QUEUED])
    return last_queued_at > left_at or (entered_again and last_queued_at == left_at)


def closing(facts: Facts, after: timedelta) -> Facts:
    """What the sweeper says of a call whose end never came, by the call's own times."""
    began = started_at(facts)
    if began is None:
        return {}
    return {Fact.CLOSED: register(began + after, f"{Stage.FAILED} {NO_END_EVENT}")}


class EvidenceKind(StrEnum):
    """What tells who answered, what counts most first."""

    REVIEW = "review"
    DISPOSITION = "disposition"
    DETECTION = "detection"
    TALK_TIME = "talk_time"


class Evidence(Frozen):
    """One thing that tells whether a person or a voicemail answered; `by` is who said it."""

    kind: EvidenceKind
    answered_by: AnsweredBy
    at: datetime
    by: str | None = None


class Disposed(Frozen):
    """How an operator summed a call up, with the flags that the disposition had at the time."""

    code: str
    flags: frozenset[Flag]
    at: datetime
    by: str

    @property
    def answered_by(self) -> AnsweredBy | None:
        """Who the operator says it was; None where the disposition does not tell."""
        if Flag.VOICEMAIL in self.flags:
            return AnsweredBy.VOICEMAIL
        return AnsweredBy.HUMAN if Flag.HUMAN_ANSWERED in self.flags else None


def disposing(disposition: Disposition, by: str, at: datetime) -> Facts:
    """The facts that an operator's disposition sets."""
    flags = ",".join(sorted(disposition.flags)) or "-"
    return {Fact.DISPOSITION: register(at, f"{disposition.code} {flags} {by}")}


def disposed(facts: Facts) -> Disposed | None:
    if Fact.DISPOSITION not in facts:
        return None
    written = facts[Fact.DISPOSITION]
    code, flags, *by = value_of(written).split(" ", 2)
    return Disposed(
        code=code,
        flags=frozenset(Flag(flag) for flag in flags.split(",") if flag != "-"),
        at=time_of(written),
        by="".join(by),
    )


def reviewing(answered_by: AnsweredBy, by: str, at: datetime) -> Facts:
    """The facts that a reviewer's verdict sets."""
    return {Fact.REVIEW: register(at, f"{answered_by} {by}")}


def linking(customer_id: str | None, by: str, at: datetime) -> Facts:
    """The facts that a person's choice of the customer sets; None says that it is nobody."""
    return {Fact.CUSTOMER: register(at, f"{customer_id or NOBODY} {by}")}


def _chosen(facts: Facts) -> str | None:
    """As `Lookup.chosen` has it."""
    if Fact.CUSTOMER not in facts:
        return None
    customer_id = value_of(facts[Fact.CUSTOMER]).partition(" ")[0]
    return "" if customer_id == NOBODY else customer_id


def answering(facts: Facts, agent: str) -> Facts:
    """Who answered, where nobody else tells."""
    if Fact.ANSWERED not in facts or agent_of(facts) is not None:
        return {}
    return {Fact.ANSWERING_AGENT: register(time_of(facts[Fact.ANSWERED]), agent)}


def verdict_of(facts: Facts) -> AnsweredBy | None:
    """What a reviewer said; None where none did."""
    if Fact.REVIEW not in facts:
        return None
    return AnsweredBy(value_of(facts[Fact.REVIEW]).partition(" ")[0])


def erasing(facts: Facts, number_key: str, pseudonym: str, plan: NumberPlan) -> Facts:
    """The facts that take a customer's number out of a call, and keep it out: they are older than
    all that is told of it, so that a late event with the number changes nothing.
    """
    direction = value_of(facts[Fact.DIRECTION]) if Fact.DIRECTION in facts else None
    theirs = {Fact.NUMBER, Fact.LEG_NUMBER}
    if direction:
        theirs.add(Fact.CALLER if direction == Direction.INBOUND else Fact.CALLEE)
    for fact in (Fact.CALLER, Fact.CALLEE):
        number = plan.parse(value_of(facts[fact])) if fact in facts else None
        if number and number.match_key == number_key:
            theirs.add(fact)
    return {fact: register(FIRST, pseudonym) for fact in theirs}


class Note(Frozen):
    """What somebody wrote down about a call."""

    call_id: str
    text: str
    by: str
    at: datetime


class CallRules(Frozen):
    """What a deployment decides about its calls.

    An answer that was talked with for less than `talk_threshold` seconds, or those of the trunk
    that the call went out on, is taken for a voicemail's where nothing else tells.
    """

    plan: NumberPlan = NumberPlan()
    internal_keys: frozenset[str] = frozenset()
    talk_threshold: float = 15
    trunk_thresholds: Mapping[str, float] = {}

    def threshold_of(self, carrier: str) -> float:
        """In seconds from the answer."""
        return self.trunk_thresholds.get(carrier, self.talk_threshold)

    def is_internal(self, number: str | None, party: str | None) -> bool:
        """Whether a number, or the party that has none, is the company's own."""
        if number is not None:
            return match_key(number) in self.internal_keys
        return self.plan.is_extension(party)


class Call(Frozen):
    """A call as it stands. Seconds are None where their beginning or their end is not known.

    `wait_seconds` run from the entry into the queue, `ring_seconds` from the first ring, each to
    the answer or else to the end; `talk_seconds` from the answer to the end.
    """

    call_id: str
    provider: str | None
    direction: Direction | None
    status: Stage
    caller: str | None
    callee: str | None
    number: str | None
    # The other side is the company's own: a number of its list, or an extension.
    internal: bool
    queue: str | None
    agent: str | None
    branch: str | None
    campaign: str | None
    trunk: str | None
    # What tells who answered; the first counts.
    evidence: tuple[Evidence, ...]
    disposition: Disposed | None
    # The customer that a person chose; "" where they said that it is nobody.
    chosen_customer: str | None
    started_at: datetime | None
    queued_at: datetime | None
    ringing_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    end_reason: str | None
    wait_seconds: float | None
    ring_seconds: float | None
    talk_seconds: float | None
    # The queue that the caller entered last, and when.
    last_queue: str | None = None
    last_queued_at: datetime | None = None

    @property
    def waits_in(self) -> str | None:
        """The queue in which a caller waits for the first answer; None where nobody does."""
        is_over = self.answered_at is not None or self.ended_at is not None
        return None if is_over or self.direction is not Direction.INBOUND else self.last_queue

    @property
    def number_key(self) -> str | None:
        """What all written forms of the customer's number have in common."""
        return match_key(self.number) if self.number else None

    @property
    def lookup(self) -> Lookup:
        """What its customer is looked up by. Of a call that nothing timed is known of yet, the
        customer is whoever has the number now.
        """
        return Lookup(
            number_key=self.number_key,
            at=self.started_at or LAST,
            chosen=self.chosen_customer,
        )

    @property
    def carrier(self) -> str:
        """The trunk, or where none is told the provider."""
        return self.trunk or self.provider or "unknown"

    @property
    def was_answered(self) -> bool:
        """By a person or by a machine."""
        return self.answered_at is not None or self.status is Stage.COMPLETED

    @property
    def answered_by(self) -> AnsweredBy | None:
        """None where the call was not answered, and nothing tells of a voicemail."""
        if self.evidence:
            return self.evidence[0].answered_by
        return AnsweredBy.UNKNOWN if self.was_answered else None

    @property
    def got_through(self) -> bool:
        """Whether a caller was answered, and by no machine that is known of."""
        return self.was_answered and self.answered_by is not AnsweredBy.VOICEMAIL

    @property
    def rang_customer(self) -> bool:
        """Whether it went out, and not only as far as to the operator's own telephone."""
        went_out = self.direction not in (None, Direction.INBOUND)
        return went_out and self.end_reason != OPERATOR_NO_ANSWER

    @property
    def missed(self) -> bool:
        """An inbound call of a customer that ended without a person answering."""
        return (
            self.direction is Direction.INBOUND
            and self.ended_at is not None
            and not self.got_through
            and not self.internal
            and self.end_reason != ENDED_IN_IVR
        )


def derive(call_id: str, facts: Facts, rules: CallRules) -> Call:
    """The one place where facts become a call."""
    values = {fact: value_of(written) for fact, written in facts.items()}
    end = end_of(facts)
    ended_at = time_of(end) if end else None
    end_status, _, end_reason = value_of(end).partition(" ") if end else ("", "", "")
    queued_at, ringing_at, answered_at = (
        time_of(facts[fact]) if fact in facts else None
        for fact in (Fact.QUEUED, Fact.RINGING, Fact.ANSWERED)
    )
    never_ended = end_reason == NO_END_EVENT
    direction = Direction(values[Fact.DIRECTION]) if Fact.DIRECTION in values else None
    number = number_of(facts)
    customer_side = values.get(Fact.CALLER if direction is Direction.INBOUND else Fact.CALLEE)
    call = Call(
        call_id=call_id,
        provider=values.get(Fact.PROVIDER),
        direction=direction,
        status=_status(facts, end_status, never_ended=never_ended),
        caller=values.get(Fact.CALLER),
        callee=values.get(Fact.CALLEE),
        number=number,
        internal=rules.is_internal(number, customer_side),
        queue=values.get(Fact.QUEUE),
        agent=agent_of(facts),
        branch=values.get(Fact.BRANCH),
        campaign=values.get(Fact.CAMPAIGN),
        trunk=values.get(Fact.TRUNK),
        evidence=(),
        disposition=disposed(facts),
        chosen_customer=_chosen(facts),
        started_at=started_at(facts),
        queued_at=queued_at,
        ringing_at=ringing_at,
        answered_at=answered_at,
        ended_at=ended_at,
        end_reason=end_reason or None,
        wait_seconds=_seconds(queued_at, answered_at or ended_at),
        ring_seconds=_seconds(ringing_at, answered_at or ended_at),
        talk_seconds=None if never_ended else _seconds(answered_at, ended_at),
        last_queue=values.get(Fact.LAST_QUEUED) or values.get(Fact.QUEUE),
        last_queued_at=time_of(facts[Fact.LAST_QUEUED]) if Fact.LAST_QUEUED in facts else None,
    )
    return call.model_copy(update={"evidence": tuple(_evidence(call, facts, rules))})


def _evidence(call: Call, facts: Facts, rules: CallRules) -> Iterator[Evidence]:
    """What counts most first: a verdict after listening, then the operator who was in the call,
    then the provider's detection, then how long they talked.
    """
    if verdict := verdict_of(facts):
        by = value_of(facts[Fact.REVIEW]).partition(" ")[2]
        at = time_of(facts[Fact.REVIEW])
        yield Evidence(kind=EvidenceKind.REVIEW, answered_by=verdict, at=at, by=by)
    if call.disposition and call.disposition.answered_by:
        yield Evidence(
            kind=EvidenceKind.DISPOSITION,
            answered_by=call.disposition.answered_by,
            at=call.disposition.at,
            by=call.disposition.by,
        )
    if Fact.ANSWERED_BY in facts:
        heard, at = facts[Fact.ANSWERED_BY], time_of(facts[Fact.ANSWERED_BY])
        answered_by = AnsweredBy(value_of(heard))
        yield Evidence(kind=EvidenceKind.DETECTION, answered_by=answered_by, at=at)
    # Of an inbound call it is an operator who answered.
    goes_out = call.direction not in (None, Direction.INBOUND)
    if goes_out and call.talk_seconds is not None and call.ended_at is not None:
        long_enough = call.talk_seconds >= rules.threshold_of(call.carrier)
        answered_by = AnsweredBy.HUMAN if long_enough else AnsweredBy.VOICEMAIL
        yield Evidence(kind=EvidenceKind.TALK_TIME, answered_by=answered_by, at=call.ended_at)


def _status(facts: Facts, end_status: str, *, never_ended: bool) -> Stage:
    if not end_status:
        reached = [fact for fact in (Fact.ANSWERED, Fact.RINGING) if fact in facts]
        return Stage(reached[0]) if reached else Stage.QUEUED
    if never_ended or Fact.ANSWERED not in facts:
        return Stage(end_status)
    return Stage.COMPLETED


def _seconds(begin: datetime | None, end: datetime | None) -> float | None:
    """None where either is unknown, or where the facts contradict each other."""
    if begin is None or end is None or end < begin:
        return None
    return (end - begin).total_seconds()
