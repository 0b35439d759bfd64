"""An operator, and their presence: what they asked for, and what calls make of it.

Presence is kept as few facts, and the state at a moment is derived from them: a wrap-up ends, and
an operator is available again, without anything being written. What is written is append-only: as
presence moves on, the stretches of time that it leaves behind.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from retorno.calls.model import Call
from retorno.customers.model import OptionalText, Text
from retorno.errors import InvalidInput
from retorno.frozen import Frozen
from retorno.phone import NumberPlan
from retorno.telephony.ports import MAX_NAME_LENGTH, Direction
from retorno.times import Period

# DynamoDB writes at most 100 items at once, and an agent is written at once: the record, what it
# leaves in each queue and what it puts there, and the stretches of time that are over.
MAX_QUEUES = 40
MAX_SKILLS = 40
MAX_REASON_LENGTH = 60
MAX_WRAP_UP_SECONDS = 3600

# Of so many calls that are over it is remembered that they are, lest a late word of one of them
# bring it back.
MAX_OVER = 20

# In a path a slash divides, a percent sign quotes, and "me" is whoever asks.
AGENT_NAME = re.compile(r"(?!me$)[^\s/%\x00-\x1f\x7f](?:[^/%\x00-\x1f\x7f]*[^\s/%\x00-\x1f\x7f])?")
EXTENSION = re.compile(r"[0-9]{2,6}")
CLIENT = re.compile(r"client:[A-Za-z0-9_.@+-]{1,121}")


class State(StrEnum):
    OFFLINE = "offline"
    AVAILABLE = "available"
    ON_OFFER = "on_offer"
    """A waiting call is theirs to accept or refuse."""
    DIALLING = "dialling"
    """A call is being placed for them."""
    BUSY = "busy"
    WRAP_UP = "wrap_up"
    PAUSED = "paused"


def _each_once(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


Name = Annotated[Text, StringConstraints(max_length=MAX_NAME_LENGTH)]
Names = Annotated[tuple[Name, ...], AfterValidator(_each_once)]
Reason = Annotated[Text, StringConstraints(max_length=MAX_REASON_LENGTH)]
WrapUpSeconds = Annotated[float, Field(ge=0, le=MAX_WRAP_UP_SECONDS)]


class Agent(Frozen):
    """`agent` is the name that the telephone system knows them by, `telephone` what a provider
    rings: a number in E.164, an extension, or a client's name, such as `client:ana`. Without
    `wrap_up_seconds` of their own they have the stack's.
    """

    agent: str
    name: str
    queues: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    telephone: str | None = None
    wrap_up_seconds: float | None = None

    def wrap_up(self, default: timedelta) -> timedelta:
        if self.wrap_up_seconds is None:
            return default
        return timedelta(seconds=self.wrap_up_seconds)


class AgentDraft(Frozen):
    """An agent as a person sets them up."""

    name: Text
    queues: Annotated[Names, Field(max_length=MAX_QUEUES)] = ()
    skills: Annotated[Names, Field(max_length=MAX_SKILLS)] = ()
    telephone: Annotated[
        OptionalText,
        Field(description="A number in any written form, an extension, or client:NAME"),
    ] = None
    wrap_up_seconds: Annotated[
        WrapUpSeconds | None, Field(description="null for those of the stack")
    ] = None

    def agent(self, agent: str, plan: NumberPlan) -> Agent:
        """Raises InvalidInput, which names the field."""
        if not AGENT_NAME.fullmatch(agent) or len(agent) > MAX_NAME_LENGTH:
            raise InvalidInput("agent", 'is "me", too long, or holds "/", "%" or a space at an end')
        values = self.model_dump(exclude={"telephone"})
        return Agent(agent=agent, telephone=_rung(self.telephone, plan), **values)


def _rung(written: str | None, plan: NumberPlan) -> str | None:
    if written is None or EXTENSION.fullmatch(written) or CLIENT.fullmatch(written):
        return written
    number = plan.parse(written)
    if number is None:
        raise InvalidInput("telephone", "is no phone number, no extension and no client:NAME")
    return number.e164


class Wish(Frozen):
    """What an agent is whenever no call and no wrap-up is in the way; it alone is asked for."""

    state: Literal[State.OFFLINE, State.AVAILABLE, State.PAUSED]
    reason: Annotated[
        Reason | None, Field(description="Of a pause, which needs one", validate_default=True)
    ] = None

    @field_validator("reason")
    @classmethod
    def _is_of_a_pause(cls, reason: str | None, known: ValidationInfo) -> str | None:
        if known.data.get("state") is State.PAUSED and reason is None:
            raise ValueError("a pause needs one")
        if known.data.get("state") in (State.OFFLINE, State.AVAILABLE) and reason is not None:
            raise ValueError("is for a pause alone")
        return reason


def unanswered_pause() -> Wish:
    """Of an agent whose telephone rang and was not picked up: whoever is away cannot say so."""
    return Wish(state=State.PAUSED, reason="Não atendeu o telefone")


class HoldKind(StrEnum):
    OFFER = "offer"
    DIAL = "dial"


HELD_STATES = {HoldKind.OFFER: State.ON_OFFER, HoldKind.DIAL: State.DIALLING}
AT_WORK = frozenset({State.BUSY, *HELD_STATES.values()})


class Hold(Frozen):
    """An agent is kept for one call that is to come, `until` it no longer can be expected."""

    hold_id: str
    kind: HoldKind
    until: datetime


class Presence(Frozen):
    """`since` is when the calls or the hold began, or else when they ended, or when the wish was
    made.

    `over` are the last calls that ended, and `wrapping_until` is when the wrap-up of the last of
    them ends, if it has one. A hold and a wrap-up are never both there.
    """

    wish: Wish = Wish(state=State.OFFLINE)
    since: datetime
    hold: Hold | None = None
    calls: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    wrapping_until: datetime | None = None

    @property
    def available_from(self) -> datetime | None:
        """From when on a call may be given to them; None while nothing says when."""
        if self.calls or self.wish.state is not State.AVAILABLE:
            return None
        return self.passing[1] if self.passing else self.since

    @property
    def passing(self) -> tuple[State, datetime] | None:
        """What ends by itself, and when: a hold that nobody released, or a wrap-up."""
        if self.calls:
            return None
        if self.hold:
            return HELD_STATES[self.hold.kind], self.hold.until
        return (State.WRAP_UP, self.wrapping_until) if self.wrapping_until else None

    def at(self, moment: datetime) -> "Stretch":
        """As it is at a moment, `since` or later, which its stretch ends at."""
        if self.calls:
            return Stretch(State.BUSY, None, self.since, moment)
        if self.passing is None:
            return Stretch(self.wish.state, self.wish.reason, self.since, moment)
        state, until = self.passing
        if moment < until:
            return Stretch(state, None, self.since, moment)
        return Stretch(self.wish.state, self.wish.reason, until, moment)

    def stretches(self, until: datetime) -> list["Stretch"]:
        """What the time from `since` on was spent in, without gaps."""
        last = self.at(until)
        found = [last]
        if self.passing and last.begin != self.since:
            found.insert(0, Stretch(self.passing[0], None, self.since, last.begin))
        return [stretch for stretch in found if stretch.begin < stretch.end]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time spent in one state."""

    state: State
    reason: str | None
    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Stored:
    """An agent as the table has it: `revision` counts all writes, `version` those of `agent`."""

    agent: Agent
    presence: Presence
    revision: int = 0
    version: int = 1


@dataclass(frozen=True, slots=True)
class Engagement:
    """An agent's part in a call: from `began` until `ended`, which is None while it goes on."""

    agent: str
    call_id: str
    began: datetime
    ended: datetime | None


def engagement_of(call: Call) -> Engagement | None:
    """Who answers a call is in it from the answer on; who dials one by hand, from its begin on."""
    by_hand = call.direction is Direction.OUTBOUND_MANUAL
    began = call.started_at if by_hand else call.answered_at
    if call.agent is None or began is None:
        return None
    return Engagement(call.agent, call.call_id, began, call.ended_at)


def asked(presence: Presence, wish: Wish, now: datetime, *, at_once: bool = False) -> Presence:
    """What a wish makes of presence. During calls it waits for their end and their wrap-up, and
    during a hold for its end, unless it holds `at_once`: then they count as over. It ends a
    wrap-up.
    """
    state = presence.at(max(presence.since, now)).state
    if state in AT_WORK and not at_once:
        return presence.model_copy(update={"wish": wish})
    if wish == presence.wish and state is wish.state:
        return presence
    since = max(presence.since, now)
    return Presence(wish=wish, since=since, over=_remembered(presence, *presence.calls))


def held(presence: Presence, hold: Hold, now: datetime) -> Presence:
    """Of who is available."""
    return Presence(
        wish=presence.wish, since=max(presence.since, now), over=presence.over, hold=hold
    )


def released(presence: Presence, hold_id: str, now: datetime) -> Presence:
    """As it was where that hold no longer stands, or came to its end."""
    hold = presence.hold
    if hold is None or hold.hold_id != hold_id or now >= hold.until:
        return presence
    if presence.calls:
        return presence.model_copy(update={"hold": None})
    return Presence(wish=presence.wish, since=max(presence.since, now), over=presence.over)


def followed(
    presence: Presence, engagement: Engagement, wrap_up: timedelta, now: datetime
) -> list[Presence]:
    """The steps that presence takes as a call tells of itself: none where it is no news.

    A call begins and ends by its own times, however late they are told; but what was before the
    present stretch stays as it was, and nothing begins later than now. A call that is over stays
    over, and none brings back who is offline. A hold ends as a call begins, but for one that began
    before it: that is told late, and the agent is still kept for the other.
    """
    if engagement.call_id in presence.over:
        return []
    began = _moment(presence, engagement.began, now)
    steps = []
    is_known = engagement.call_id in presence.calls
    ended_before = engagement.ended is not None and engagement.ended <= presence.since
    if not (is_known or ended_before or presence.at(began).state is State.OFFLINE):
        is_of_before = engagement.began < presence.since
        presence = _joined(presence, engagement.call_id, began, keeps_hold=is_of_before)
        steps.append(presence)
    if engagement.ended is not None:
        ended = min(engagement.ended, now)
        steps.append(_left(presence, engagement.call_id, ended, wrap_up, now))
    return steps


def _joined(presence: Presence, call_id: str, at: datetime, *, keeps_hold: bool) -> Presence:
    if presence.calls:
        return presence.model_copy(update={"calls": (*presence.calls, call_id)})
    hold = presence.hold if keeps_hold else None
    return Presence(wish=presence.wish, since=at, over=presence.over, calls=(call_id,), hold=hold)


def _left(
    presence: Presence, call_id: str, ended: datetime, wrap_up: timedelta, now: datetime
) -> Presence:
    calls = tuple(each for each in presence.calls if each != call_id)
    over = _remembered(presence, call_id)
    if calls or call_id not in presence.calls:
        return presence.model_copy(update={"calls": calls, "over": over})
    since = _moment(presence, ended, now)
    if presence.hold and now < presence.hold.until:
        return Presence(wish=presence.wish, since=since, over=over, hold=presence.hold)
    until = ended + wrap_up
    return Presence(
        wish=presence.wish,
        since=since,
        over=over,
        wrapping_until=until if until > since else None,
    )


def _remembered(presence: Presence, *call_ids: str) -> tuple[str, ...]:
    return (*presence.over, *call_ids)[-MAX_OVER:]


def _moment(presence: Presence, at: datetime, now: datetime) -> datetime:
    return max(presence.since, min(at, now))


def stretches_of(steps: Iterable[Presence]) -> list[Stretch]:
    """The stretches of time that presence leaves behind from step to step."""
    return [
        stretch for before, after in pairwise(steps) for stretch in before.stretches(after.since)
    ]


class Times(Frozen):
    """Seconds spent in each state, and in pauses for each reason."""

    seconds: Mapping[State, float]
    paused_seconds: Mapping[str, float]


def times_of(stretches: Iterable[Stretch], period: Period) -> Times:
    """What of the stretches lies in a period."""
    seconds = dict.fromkeys(State, 0.0)
    paused: dict[str, float] = {}
    for stretch in stretches:
        begin, end = max(stretch.begin, period.since), min(stretch.end, period.until)
        if begin < end:
            length = (end - begin).total_seconds()
            seconds[stretch.state] += length
            if stretch.state is State.PAUSED and stretch.reason:
                paused[stretch.reason] = paused.get(stretch.reason, 0.0) + length
    return Times(seconds=seconds, paused_seconds=paused)
