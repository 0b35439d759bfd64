"""Asterisk's queue_log, as a forwarder tails it: `epoch|call id|queue|agent|event|data…`.

The lines may come in any order, more than once, and cut at both ends of a post. Beside Asterisk's
own events (https://docs.asterisk.org, Queue Logs) the outgoing calls are read that commercial
stacks add: OUTDIAL, OUTANSWER, OUTCANCEL and their like.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from retorno.errors import InputTooLarge, InvalidInput
from retorno.phone import NumberPlan
from retorno.telephony import signature
from retorno.telephony.parties import identify
from retorno.telephony.ports import (
    CALL_ID,
    EARLIEST,
    MAX_AHEAD,
    MAX_NAME_LENGTH,
    CallEvent,
    Direction,
    Reading,
    Refusal,
    Stage,
    WebhookRequest,
)

MAX_LINES = 10_000
MAX_LINE_LENGTH = 2_000
FIELDS_BEFORE_DATA = 5

SECOND = timedelta(seconds=1)
MILLISECOND = timedelta(milliseconds=1)
NOW = timedelta()

NOBODY = frozenset({"", "NONE", "REALTIME", "MANAGER"})
EPOCH = re.compile(r"\d{10}")
EVENT_NAME = re.compile(r"[A-Z_]+")
DURATION = re.compile(r"\d{1,6}")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log. `cut` says that its last field may have lost its end."""

    at: datetime
    call_id: str
    queue: str | None
    agent: str | None
    event: str
    data: Sequence[str]
    cut: bool

    def text(self, position: int) -> str:
        return self.data[position] if position < len(self.data) else ""

    def duration(self, *positions: int, unit: timedelta = SECOND) -> timedelta | None:
        """The sum of durations in the data; None where one is missing or no number."""
        texts = [self.text(position) for position in positions]
        if not all(DURATION.fullmatch(text) for text in texts):
            return None
        return sum(map(int, texts)) * unit

    def party(self, position: int) -> str:
        """A telephone number in the data; empty where it may be cut: a wrong one is worse."""
        may_be_cut = self.cut and position == len(self.data) - 1
        return "" if may_be_cut else self.text(position)


# A reader leaves out, as None, what the line does not say after all.
Events = list[CallEvent | None]
Reader = Callable[[Line, NumberPlan], Events]


class Asterisk:
    name = "asterisk"

    def verify(self, request: WebhookRequest, secrets: Sequence[str], now: datetime) -> None:
        signature.verify(request, secrets, now)

    def payload(self, request: WebhookRequest) -> bytes:
        return request.body

    def read(self, payload: bytes, plan: NumberPlan, now: datetime) -> Reading:
        *whole, rest = payload.split(b"\n")
        lines = [*whole, rest] if rest else whole
        if len(lines) > MAX_LINES:
            raise InputTooLarge("body", f"at most {MAX_LINES} lines at a time")
        events: list[CallEvent] = []
        refusals: list[Refusal] = []
        taken = ignored = 0
        for index, text in enumerate(lines):
            try:
                cut = index == len(whole)
                line = _line(_text(text, cut=cut), cut=cut, latest=now + MAX_AHEAD)
            except InvalidInput as error:
                refusals.append(Refusal(index, error.field, error.reason))
                continue
            told = _events(line, plan) if line else []
            events += told
            taken += bool(told)
            ignored += not told
        return Reading(
            taken=taken,
            events=events,
            ignored=ignored,
            refusals=refusals,
            refused_payload=b"".join(
                lines[refusal.index] + (b"" if refusal.index == len(whole) else b"\n")
                for refusal in refusals
            ),
        )


def _text(line: bytes, *, cut: bool) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        if cut and error.reason == "unexpected end of data":
            return line[: error.start].decode()
        return line.decode("latin-1")


def _line(text: str, *, cut: bool, latest: datetime) -> Line | None:
    """None for a blank line."""
    if not text.strip():
        return None
    if len(text) > MAX_LINE_LENGTH:
        raise InvalidInput("line", f"is longer than {MAX_LINE_LENGTH} characters")
    fields = [field.strip() for field in text.split("|")]
    if len(fields) < FIELDS_BEFORE_DATA or (cut and len(fields) == FIELDS_BEFORE_DATA):
        raise InvalidInput("line", "ends before its event")
    epoch, call_id, queue, agent, event, *data = fields
    if not EPOCH.fullmatch(epoch):
        raise InvalidInput("line", "does not begin with a time in epoch seconds")
    at = datetime.fromtimestamp(int(epoch), UTC)
    if not EARLIEST <= at <= latest:
        raise InvalidInput("line", "has a time before the year 2000 or in the future")
    if not CALL_ID.fullmatch(call_id):
        raise InvalidInput("line", "has no call id")
    if not EVENT_NAME.fullmatch(event):
        raise InvalidInput("line", "has no event")
    if max(len(queue), len(agent)) > MAX_NAME_LENGTH:
        raise InvalidInput("line", f"has a name longer than {MAX_NAME_LENGTH} characters")
    return Line(
        at=at,
        call_id=call_id,
        queue=None if queue in NOBODY else queue,
        agent=None if agent in NOBODY else agent,
        event=event,
        data=data,
        cut=cut,
    )


def _events(line: Line, plan: NumberPlan) -> list[CallEvent]:
    """What a line tells of a call; nothing where it tells of the queue or of presence."""
    read = READERS.get(line.event)
    if read is None or line.call_id in NOBODY:
        return []
    return [event for event in read(line, plan) if event]


# --- Calls of a queue -----------------------------------------------------------------------------


def _dialled_number(line: Line, plan: NumberPlan) -> Events:
    parties = identify(Direction.INBOUND, None, line.party(0), plan)
    return [_inbound(line, None, callee=parties.callee)]


def _entered(line: Line, plan: NumberPlan) -> Events:
    parties = identify(Direction.INBOUND, line.party(1), None, plan)
    return [_inbound(line, Stage.QUEUED, caller=parties.caller, number=parties.number)]


def _rang(line: Line, _: NumberPlan) -> Events:
    """One operator's ring, which ended here; its length is in milliseconds."""
    return [_inbound(line, Stage.RINGING, line.duration(0, unit=MILLISECOND), agent=line.agent)]


def _connected(line: Line, _: NumberPlan) -> Events:
    return [
        _inbound(line, Stage.RINGING, line.duration(2), agent=line.agent),
        _inbound(line, Stage.ANSWERED, agent=line.agent),
    ]


def _completed(line: Line, _: NumberPlan) -> Events:
    return [
        _inbound(line, Stage.ANSWERED, line.duration(1), agent=line.agent),
        _ended(line, Stage.COMPLETED),
    ]


def _transferred(line: Line, _: NumberPlan) -> Events:
    return [_ended(line, Stage.COMPLETED)]


def _unanswered(stage: Stage, *, may_go_on: bool) -> Reader:
    def read(line: Line, _: NumberPlan) -> Events:
        return [_ended(line, stage, leaves_queue=may_go_on)]

    return read


def _inbound(
    line: Line, stage: Stage | None, ago: timedelta | None = NOW, **facts: Any
) -> CallEvent | None:
    return _event(line, stage, ago, direction=Direction.INBOUND, queue=line.queue, **facts)


def _ended(line: Line, stage: Stage, *, leaves_queue: bool = False) -> CallEvent | None:
    reason = line.event.lower()
    return _inbound(line, stage, agent=line.agent, reason=reason, leaves_queue=leaves_queue)


# --- Outgoing calls -------------------------------------------------------------------------------


def _dialled(line: Line, plan: NumberPlan) -> Events:
    return [_outbound(line, plan, Stage.RINGING)]


def _answered(line: Line, plan: NumberPlan) -> Events:
    """Logged when the call ends, with the seconds that it rang and talked."""
    return [
        _outbound(line, plan, Stage.RINGING, line.duration(2, 3)),
        _outbound(line, plan, Stage.ANSWERED, line.duration(3)),
        _outbound(line, plan, Stage.COMPLETED, reason=_hung_up(line.text(1))),
    ]


def _hung_up(by: str) -> str | None:
    """Nothing where the word may be cut."""
    return by.lower() if by in ("COMPLETEAGENT", "COMPLETECALLER") else None


def _not_answered(stage: Stage) -> Reader:
    def read(line: Line, plan: NumberPlan) -> Events:
        return [
            _outbound(line, plan, Stage.RINGING, line.duration(2)),
            _outbound(line, plan, stage, reason=line.event.lower()),
        ]

    return read


def _outbound(
    line: Line, plan: NumberPlan, stage: Stage, ago: timedelta | None = NOW, **facts: Any
) -> CallEvent | None:
    direction = Direction.OUTBOUND_MANUAL if line.agent else Direction.OUTBOUND_AUTO
    parties = identify(direction, None, line.party(0), plan)
    return _event(
        line,
        stage,
        ago,
        direction=direction,
        queue=line.queue,
        agent=line.agent,
        callee=parties.callee,
        number=parties.number,
        **facts,
    )


def _event(
    line: Line, stage: Stage | None, ago: timedelta | None, **facts: Any
) -> CallEvent | None:
    """`ago` is how long before the line it happened: None where the line does not say."""
    if ago is None:
        return None
    return CallEvent(
        call_id=line.call_id,
        provider=Asterisk.name,
        occurred_at=line.at - ago,
        stage=stage,
        **facts,
    )


# An event that is not here tells of configuration or presence, and is ignored.
READERS: dict[str, Reader] = {
    "DID": _dialled_number,
    "ENTERQUEUE": _entered,
    "RINGNOANSWER": _rang,
    "RINGCANCELED": _rang,
    "CONNECT": _connected,
    "COMPLETEAGENT": _completed,
    "COMPLETECALLER": _completed,
    "TRANSFER": _transferred,
    "BLINDTRANSFER": _transferred,
    "ATTENDEDTRANSFER": _transferred,
    "ABANDON": _unanswered(Stage.CANCELLED, may_go_on=False),
    "EXITWITHKEY": _unanswered(Stage.CANCELLED, may_go_on=True),
    "EXITWITHTIMEOUT": _unanswered(Stage.NO_ANSWER, may_go_on=True),
    "EXITEMPTY": _unanswered(Stage.NO_ANSWER, may_go_on=True),
    "JOINEMPTY": _unanswered(Stage.FAILED, may_go_on=True),
    "FULL": _unanswered(Stage.FAILED, may_go_on=True),
    "CLOSED": _unanswered(Stage.FAILED, may_go_on=True),
    "SYSCOMPAT": _unanswered(Stage.FAILED, may_go_on=False),
    "OUTDIAL": _dialled,
    "OUTANSWER": _answered,
    "OUTCANCEL": _not_answered(Stage.CANCELLED),
    "OUTNOANSWER": _not_answered(Stage.NO_ANSWER),
    "OUTBUSY": _not_answered(Stage.NO_ANSWER),
    "OUTCONGESTION": _not_answered(Stage.FAILED),
    "OUTCHANUNAVAIL": _not_answered(Stage.FAILED),
}
