"""Twilio Voice status callbacks (https://www.twilio.com/docs/voice/api/call-resource).

Twilio reports each leg as a call of its own. A leg that rings an operator belongs to the caller's
call, and the leg that an operator's client dials belongs to the client's: both are told under the
id of their parent, so that one call stays one record.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from html import escape
from urllib.parse import parse_qsl, urlsplit

from retorno.errors import InvalidInput, NotAuthenticated
from retorno.phone import NumberPlan
from retorno.telephony.parties import identify
from retorno.telephony.ports import (
    CALL_ID,
    EARLIEST,
    MAX_AHEAD,
    MAX_NAME_LENGTH,
    AnsweredBy,
    CallEvent,
    Direction,
    Reading,
    Stage,
    WebhookRequest,
)

MAX_FIELDS = 200
CLIENT = "client:"
# In the address, it says that Retorno placed the call, and rings an operator's telephone first.
DIAL_ID = "DialId"
# In the address, it says in which queue of Retorno's a caller waits.
QUEUE = "Queue"
# Where Twilio asks, under /webhooks/twilio, how a call goes on that was being connected.
RETURNS = "returned-calls"
# How the leg that a Dial rang ended: only Dial's action tells of it.
DIALLED = "DialCallStatus"
TALKED = frozenset({"completed", "answered"})
DURATION = re.compile(r"[1-9]\d{0,5}")

STAGES = {
    "queued": Stage.QUEUED,
    "initiated": Stage.QUEUED,
    "ringing": Stage.RINGING,
    "in-progress": Stage.ANSWERED,
    "completed": Stage.COMPLETED,
    "busy": Stage.NO_ANSWER,
    "no-answer": Stage.NO_ANSWER,
    "canceled": Stage.CANCELLED,
    "failed": Stage.FAILED,
}

# Twilio itself picks up an inbound call: only the leg of an operator tells of an answer.
INBOUND_STAGES = STAGES | {"in-progress": Stage.QUEUED, "completed": Stage.CANCELLED}

# An operator's client is connected at once: only the leg that it dials tells of an answer.
CLIENT_STAGES = STAGES | {"in-progress": Stage.RINGING, "completed": Stage.NO_ANSWER}

# An operator's telephone that Retorno rings says nothing of the customer, but that no one was
# reached if it ends before the leg that it dials.
TELEPHONE_STAGES = {
    **dict.fromkeys(("queued", "initiated", "ringing"), Stage.QUEUED),
    "completed": Stage.NO_ANSWER,
    **{status: STAGES[status] for status in ("busy", "no-answer", "canceled", "failed")},
}

# An operator's leg that ends leaves the caller's call as it is.
OPERATOR_STAGES = {
    "initiated": Stage.RINGING,
    "ringing": Stage.RINGING,
    "in-progress": Stage.ANSWERED,
}


# https://www.twilio.com/docs/voice/answering-machine-detection
DETECTIONS = {
    "human": AnsweredBy.HUMAN,
    "machine_start": AnsweredBy.VOICEMAIL,
    "machine_end_beep": AnsweredBy.VOICEMAIL,
    "machine_end_silence": AnsweredBy.VOICEMAIL,
    "machine_end_other": AnsweredBy.VOICEMAIL,
    "fax": AnsweredBy.VOICEMAIL,
    "unknown": AnsweredBy.UNKNOWN,
}


class Twilio:
    name = "twilio"

    def verify(self, request: WebhookRequest, secrets: Sequence[str], now: datetime) -> None:
        """`secrets` are auth tokens. The signature covers no time: `now` has no part in it."""
        given = request.headers.get("x-twilio-signature", "").encode(errors="replace")
        if not given:
            raise NotAuthenticated("X-Twilio-Signature is required")
        if not any(
            hmac.compare_digest(sign(token, request.url, request.body).encode(), given)
            for token in secrets
        ):
            raise NotAuthenticated("X-Twilio-Signature does not match the request")

    def payload(self, request: WebhookRequest) -> bytes:
        """The address's own fields, and then the form's, which count for more.

        The callback of a detection does not say whose leg it is about: whoever writes the TwiML
        puts ParentCallSid into the address.
        """
        query = urlsplit(request.url).query.encode()
        return b"&".join(fields for fields in (query, request.body) if fields)

    def read(self, payload: bytes, plan: NumberPlan, now: datetime) -> Reading:
        fields = dict(_fields(payload))
        if not CALL_ID.fullmatch(fields.get("CallSid", "")):
            raise InvalidInput("CallSid", "the id of the call is required")
        if not CALL_ID.fullmatch(fields.get("ParentCallSid") or fields["CallSid"]):
            raise InvalidInput("ParentCallSid", "is not the id of a call")
        for name in ("From", "To", QUEUE):
            if len(fields.get(name, "")) > MAX_NAME_LENGTH:
                raise InvalidInput(name, f"is longer than {MAX_NAME_LENGTH} characters")
        events = [] if fields.get(DIALLED) in TALKED else _events(fields, plan, now)
        return Reading(taken=1, events=events, unknown=_unknown(fields))


def way_on(payload: bytes) -> str:
    """The TwiML for a caller whom an operator was to be connected to: who talked has talked, and
    who did not waits on in the queue that the address names.

    Raises InvalidInput where it names none.
    """
    fields = dict(_fields(payload))
    if fields.get(DIALLED) in TALKED:
        return "<Response/>"
    if not fields.get(QUEUE):
        raise InvalidInput(QUEUE, "the address has to name the queue")
    return f"<Response><Enqueue>{escape(fields[QUEUE])}</Enqueue></Response>"


def sign(auth_token: str, url: str, body: bytes) -> str:
    """The value of X-Twilio-Signature (https://www.twilio.com/docs/usage/security)."""
    message = url + "".join(name + value for name, value in sorted(set(_fields(body))))
    digest = hmac.new(auth_token.encode(), message.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def first_words_url(base_url: str, menu: str) -> str:
    """Where Twilio asks what a customer whom Retorno calls hears before they are connected."""
    return f"{base_url}/webhooks/twilio/menus/{menu}?use=first_words"


def _fields(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict"
        )
    except ValueError:
        raise InvalidInput("body", f"is not a form of at most {MAX_FIELDS} fields") from None


@dataclass(frozen=True, slots=True)
class Leg:
    """What a leg is to the call that it belongs to."""

    call_id: str
    stages: Mapping[str, Stage]
    direction: Direction | None = None
    agent: str | None = None
    number: str | None = None


def _leg(fields: Mapping[str, str], plan: NumberPlan) -> Leg:
    call_id, parent = fields["CallSid"], fields.get("ParentCallSid")
    caller, callee = fields.get("From", ""), fields.get("To", "")
    direction = fields.get("Direction", "")
    if caller.startswith(CLIENT):
        stages = STAGES if parent else CLIENT_STAGES
        return Leg(parent or call_id, stages, Direction.OUTBOUND_MANUAL, _operator(caller))
    if parent:
        phone = plan.parse(callee)
        operator = None if phone else _operator(callee)
        return Leg(parent, OPERATOR_STAGES, agent=operator, number=phone.e164 if phone else None)
    if direction == "inbound":
        return Leg(call_id, INBOUND_STAGES, Direction.INBOUND)
    if direction == "outbound-dial":
        return Leg(call_id, STAGES, Direction.OUTBOUND_MANUAL)
    if direction.startswith("outbound"):
        return Leg(call_id, STAGES, Direction.OUTBOUND_AUTO)
    return Leg(call_id, STAGES)


def _placed_leg(fields: Mapping[str, str]) -> Leg:
    """Of a call that Retorno placed: the operator's telephone, and the customer that it dials."""
    if parent := fields.get("ParentCallSid"):
        return Leg(parent, STAGES, Direction.OUTBOUND_MANUAL)
    return Leg(fields["CallSid"], TELEPHONE_STAGES)


def _operator(address: str) -> str | None:
    return address.removeprefix(CLIENT) or None


def _events(fields: Mapping[str, str], plan: NumberPlan, now: datetime) -> list[CallEvent]:
    leg = _placed_leg(fields) if DIAL_ID in fields else _leg(fields, plan)
    status = fields.get("CallStatus", "")
    told = CallEvent(
        call_id=leg.call_id,
        provider=Twilio.name,
        occurred_at=_time(fields, now),
        stage=leg.stages.get(status),
        direction=leg.direction,
        agent=leg.agent,
        leg_number=leg.number,
        queue=fields.get(QUEUE) or None,
        reason=status or None,
        answered_by=_answered_by(fields.get("AnsweredBy", "")),
    )
    if leg.direction is not None:
        parties = identify(leg.direction, fields.get("From"), fields.get("To"), plan)
        told = replace(told, caller=parties.caller, callee=parties.callee, number=parties.number)
    answered_at = _answered_at(told, leg, status, fields.get("CallDuration", ""))
    if answered_at is None:
        return [told]
    return [told, replace(told, stage=Stage.ANSWERED, occurred_at=answered_at)]


def _answered_at(told: CallEvent, leg: Leg, status: str, duration: str) -> datetime | None:
    """A completed leg says how long it talked, in seconds, in case its answer was lost."""
    tells_of_answers = leg.stages.get("in-progress") is Stage.ANSWERED
    if status != "completed" or not tells_of_answers or not DURATION.fullmatch(duration):
        return None
    return told.occurred_at - timedelta(seconds=int(duration))


def _answered_by(detected: str) -> AnsweredBy | None:
    if detected.startswith("machine_"):
        return AnsweredBy.VOICEMAIL
    return DETECTIONS.get(detected, AnsweredBy.UNKNOWN) if detected else None


def _unknown(fields: Mapping[str, str]) -> list[str]:
    known: dict[str, Container[str]] = {"CallStatus": STAGES, "AnsweredBy": DETECTIONS}
    return [
        f"{name}={fields[name]}"
        for name, values in known.items()
        if fields.get(name) and fields[name] not in values
    ]


def _time(fields: Mapping[str, str], now: datetime) -> datetime:
    """The time of what is told; of its arrival where that is not said."""
    text = fields.get("Timestamp")
    if not text:
        return now
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        raise InvalidInput("Timestamp", "is not a date of RFC 2822") from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    if not EARLIEST <= at <= now + MAX_AHEAD:
        raise InvalidInput("Timestamp", "is before the year 2000 or in the future")
    return at
