"""Amazon Connect, by its contact events, its contact records and what it says of one contact
(https://docs.aws.amazon.com/connect/latest/adminguide/contact-events.html, …/ctr-data-model.html,
https://docs.aws.amazon.com/connect/latest/APIReference/API_DescribeContact.html).

All three are a snapshot of a contact: each tells all that is known by then, so that a later one
makes up for one that was lost. A contact that a transfer made belongs to the call that it goes on
with, and is told under the id of that call's first contact (docs/decisions/0012).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from retorno.errors import InvalidInput
from retorno.frozen import Frozen
from retorno.phone import NumberPlan
from retorno.telephony.parties import Parties, identify
from retorno.telephony.ports import (
    CALL_ID,
    EARLIEST,
    ENDED_IN_IVR,
    MAX_AHEAD,
    MAX_NAME_LENGTH,
    AnsweredBy,
    CallEvent,
    Direction,
    Reading,
    Stage,
)

DETAIL_TYPE = "Amazon Connect Contact Event"
VOICE = "VOICE"

# Connect writes the beginning of 1970 for a moment that never was.
NEVER = 1970

# What a caller who hides their number is to Connect, and here where Connect says nothing at all.
WITHHELD = "anonymous"

# Of two values of the same moment the earlier told stands: a name is told before an id.
MOMENT = timedelta(microseconds=1)

EVENT_TYPES = frozenset(
    {
        "INITIATED",
        "CONNECTED_TO_SYSTEM",
        "CONTACT_DATA_UPDATED",
        "QUEUED",
        "CONNECTED_TO_AGENT",
        "DISCONNECTED",
        "PAUSED",
        "RESUMED",
        "COMPLETED",
        "AMD_DISABLED",
    }
)

# How a contact that is a telephone call of its own came about.
DIRECTIONS = {
    "INBOUND": Direction.INBOUND,
    "WEBRTC_API": Direction.INBOUND,
    "OUTBOUND": Direction.OUTBOUND_MANUAL,
    "EXTERNAL_OUTBOUND": Direction.OUTBOUND_MANUAL,
    "CALLBACK": Direction.OUTBOUND_AUTO,
    "API": Direction.OUTBOUND_AUTO,
}

# How a contact came about that goes on with another's call.
CONTINUATIONS = frozenset({"TRANSFER", "QUEUE_TRANSFER", "DISCONNECT"})

# A supervisor who listens, and methods that no call has.
NO_CALLS = frozenset({"MONITOR", "AGENT_REPLY", "FLOW"})

# https://docs.aws.amazon.com/connect/latest/APIReference/API_Contact.html; None tells nothing.
DETECTIONS = {
    "HUMAN_ANSWERED": AnsweredBy.HUMAN,
    "VOICEMAIL_BEEP": AnsweredBy.VOICEMAIL,
    "VOICEMAIL_NO_BEEP": AnsweredBy.VOICEMAIL,
    "FAX_MACHINE_DETECTED": AnsweredBy.VOICEMAIL,
    "AMD_UNANSWERED": None,
    "AMD_UNRESOLVED": None,
    "AMD_UNRESOLVED_SILENCE": None,
    "AMD_NOT_APPLICABLE": None,
    "AMD_ERROR": None,
    "SIT_TONE_BUSY": None,
    "SIT_TONE_INVALID_NUMBER": None,
    "SIT_TONE_DETECTED": None,
    "ANSWERED": None,
    "UNDETECTED": None,
    "ERROR": None,
}

# The network picked up, and nobody else.
UNREACHED = {
    "AMD_UNANSWERED": Stage.NO_ANSWER,
    "SIT_TONE_BUSY": Stage.NO_ANSWER,
    "SIT_TONE_INVALID_NUMBER": Stage.FAILED,
    "SIT_TONE_DETECTED": Stage.FAILED,
}

# What else begins with a word of these is a technical cause.
TECHNICAL = ("TELECOM_", "OUTBOUND_")
UNANSWERED_ENDS = {
    "TELECOM_BUSY": Stage.NO_ANSWER,
    "TELECOM_UNANSWERED": Stage.NO_ANSWER,
    "TELECOM_ORIGINATOR_CANCEL": Stage.CANCELLED,
    "OUTBOUND_PREVIEW_DISCARDED": Stage.CANCELLED,
    "AGENT_DISCONNECT": Stage.CANCELLED,
    "EXPIRED": Stage.CANCELLED,
}


def _some_moment(at: datetime) -> datetime | None:
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return None if at.year == NEVER else at


def _resource(arn: object) -> object:
    """What an ARN ends with: the id."""
    return arn.rpartition("/")[2] if isinstance(arn, str) else arn


Moment = Annotated[datetime, AfterValidator(_some_moment)] | None
Identifier = Annotated[str, StringConstraints(pattern=f"^{CALL_ID.pattern}$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]*$")]
Name = Annotated[Text, Field(max_length=MAX_NAME_LENGTH)]
Address = Annotated[Text, Field(max_length=256)]
Word = Annotated[Name, AfterValidator(str.upper)]


class Told(Frozen):
    """The case of a key says nothing: published samples have `agentInfo` and `AgentInfo`."""

    @model_validator(mode="before")
    @classmethod
    def _in_lower_case(cls, told: Any) -> Any:
        return {key.lower(): told[key] for key in told} if isinstance(told, Mapping) else told


class Queue(Told):
    id: Annotated[Name, BeforeValidator(_resource)] | None = Field(
        default=None, validation_alias=AliasChoices("queuearn", "arn", "id")
    )
    name: Name | None = None
    entered_at: Moment = Field(default=None, validation_alias="enqueuetimestamp")


class Agent(Told):
    id: Annotated[Name, BeforeValidator(_resource)] | None = Field(
        default=None, validation_alias=AliasChoices("agentarn", "arn", "id")
    )
    name: Name | None = Field(default=None, validation_alias="username")
    connected_at: Moment = Field(default=None, validation_alias="connectedtoagenttimestamp")


class Endpoint(Told):
    address: Address | None = None


class Campaign(Told):
    id: Name | None = Field(default=None, validation_alias="campaignid")


class Contact(Told):
    """A snapshot of a contact, in any of Connect's forms."""

    id: Identifier = Field(validation_alias=AliasChoices("contactid", "id"))
    initial_id: Identifier | None = Field(default=None, validation_alias="initialcontactid")
    channel: Word
    event_type: Word | None = Field(default=None, validation_alias="eventtype")
    method: Word = Field(validation_alias="initiationmethod")
    detection: Word | None = Field(default=None, validation_alias="answeringmachinedetectionstatus")
    disconnect_reason: Word | None = Field(default=None, validation_alias="disconnectreason")
    began_at: Moment = Field(default=None, validation_alias="initiationtimestamp")
    picked_up_at: Moment = Field(default=None, validation_alias="connectedtosystemtimestamp")
    ended_at: Moment = Field(default=None, validation_alias="disconnecttimestamp")
    queue: Queue | None = Field(default=None, validation_alias=AliasChoices("queueinfo", "queue"))
    agent: Agent | None = Field(default=None, validation_alias=AliasChoices("agentinfo", "agent"))
    customer: Endpoint | None = Field(default=None, validation_alias="customerendpoint")
    system: Endpoint | None = Field(default=None, validation_alias="systemendpoint")
    campaign: Campaign | None = None

    @classmethod
    def of(cls, told: Any, now: datetime) -> Self:
        """Raises InvalidInput."""
        try:
            contact = cls.model_validate(told)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            name = ".".join(str(part) for part in first["loc"]) or "contact"
            raise InvalidInput(name, first["msg"]) from None
        if any(not EARLIEST <= at <= now + MAX_AHEAD for at in contact.moments):
            raise InvalidInput("timestamp", "is before the year 2000 or in the future")
        return contact

    @property
    def moments(self) -> list[datetime]:
        """All that are known, in no order."""
        moments = (
            self.began_at,
            self.picked_up_at,
            self.entered_at,
            self.connected_at,
            self.ended_at,
        )
        return [at for at in moments if at]

    @property
    def call_id(self) -> str:
        """The contact that is the call. A callback is a call of its own, though Connect says which
        contact asked for it."""
        return (self.initial_id or self.id) if self.goes_on else self.id

    @property
    def goes_on(self) -> bool:
        """With the call of another contact."""
        return self.method in CONTINUATIONS

    @property
    def is_call(self) -> bool:
        """Not so for a third party whom an operator adds to a call: that is no customer."""
        third_party = self.method == "EXTERNAL_OUTBOUND" and self.initial_id not in (None, self.id)
        return self.channel == VOICE and self.method not in NO_CALLS and not third_party

    @property
    def direction(self) -> Direction | None:
        """None for a contact that goes on, and where Connect's word is not known."""
        return DIRECTIONS.get(self.method)

    @property
    def goes_out(self) -> bool:
        return self.direction not in (None, Direction.INBOUND)

    @property
    def entered_at(self) -> datetime | None:
        return self.queue.entered_at if self.queue else None

    @property
    def connected_at(self) -> datetime | None:
        return self.agent.connected_at if self.agent else None

    @property
    def answered_at(self) -> datetime | None:
        """When the customer of a call that goes out picked up, or else an operator.

        An operator may be connected before the customer of a callback is dialled, and Connect
        itself picks up an inbound call: neither says anything of the other side.
        """
        if not self.goes_out:
            return self.connected_at
        return None if self.detection in UNREACHED else self.picked_up_at

    @property
    def hides_customer(self) -> bool:
        """Where Connect leaves out who called: events never tell it, and while a call goes on it
        may not be written yet."""
        is_event = self.event_type is not None
        return not is_event and self.direction is Direction.INBOUND and self.ended_at is not None

    @property
    def had_operator(self) -> bool:
        """An agent is told once connected, though early forms do not say when."""
        if self.agent is None:
            return False
        return self.connected_at is not None or "connected_at" not in self.agent.model_fields_set


class AmazonConnect:
    """It comes by EventBridge and Kinesis, where IAM says who may send."""

    name = "amazon_connect"

    def read(self, payload: bytes, plan: NumberPlan, now: datetime) -> Reading:
        """One contact event, with its envelope or without, or one contact record."""
        try:
            told = json.loads(payload)
        except (ValueError, RecursionError):
            raise InvalidInput("body", "is not JSON in UTF-8") from None
        if not isinstance(told, dict):
            raise InvalidInput("body", "is not an object")
        if told.get("detail-type", DETAIL_TYPE) != DETAIL_TYPE:
            return Reading(taken=0, events=[], ignored=1)
        return _reading(Contact.of(told.get("detail", told), now), plan, now)

    def read_contact(
        self, told: Mapping[str, Any], plan: NumberPlan, now: datetime
    ) -> list[CallEvent]:
        """What DescribeContact says, as boto3 gives it. Raises InvalidInput."""
        return list(_reading(Contact.of(told, now), plan, now).events)


def _reading(contact: Contact, plan: NumberPlan, now: datetime) -> Reading:
    if not contact.is_call:
        return Reading(taken=0, events=[], ignored=1)
    return Reading(taken=1, events=_events(contact, plan, now), unknown=_unknown(contact))


def _unknown(contact: Contact) -> list[str]:
    """A reason is kept on the call in Connect's own word, so none of them is unknown."""
    known = {
        "eventType": (contact.event_type, EVENT_TYPES),
        "initiationMethod": (contact.method, DIRECTIONS.keys() | CONTINUATIONS),
        "answeringMachineDetectionStatus": (contact.detection, DETECTIONS.keys()),
    }
    return [
        f"{name}={value}"
        for name, (value, values) in known.items()
        if value and value not in values
    ]


def _events(contact: Contact, plan: NumberPlan, now: datetime) -> list[CallEvent]:
    began_at = contact.began_at or min(contact.moments, default=now)
    parties = _parties(contact, plan)
    contact_told = CallEvent(
        call_id=contact.call_id,
        provider=AmazonConnect.name,
        occurred_at=began_at,
        direction=contact.direction,
        caller=parties.caller,
        callee=parties.callee,
        number=parties.number,
        campaign=contact.campaign.id if contact.campaign else None,
        answered_by=DETECTIONS.get(contact.detection or ""),
    )
    story = Story(contact, CallEvent(contact.call_id, AmazonConnect.name, began_at))
    return [contact_told, *story.stages(), *story.names()]


def _parties(contact: Contact, plan: NumberPlan) -> Parties:
    customer = contact.customer.address if contact.customer else None
    company = contact.system.address if contact.system else None
    if contact.direction is None:
        return Parties(number=identify(Direction.INBOUND, customer, None, plan).number)
    if not customer and contact.hides_customer:
        customer = WITHHELD
    if not customer:
        return Parties()
    if contact.goes_out:
        return identify(contact.direction, company, customer, plan)
    return identify(contact.direction, customer, company, plan)


@dataclass(frozen=True, slots=True)
class Story:
    """What a contact tells of its call, moment by moment. `blank` is an event that says nothing."""

    contact: Contact
    blank: CallEvent

    def stages(self) -> list[CallEvent]:
        contact = self.contact
        # A call that goes out waits for nobody, and one that goes on rang before.
        stages = {
            Stage.RINGING: None if contact.goes_on else contact.began_at,
            Stage.QUEUED: None if contact.goes_out else contact.entered_at,
            Stage.ANSWERED: contact.answered_at,
        }
        events = [self._at(at, stage=stage) for stage, at in stages.items() if at]
        if contact.ended_at is None:
            return events
        # A transfer may go on with the call. An end that comes before what it ends is final, as
        # nothing could be said to come after it.
        begun = [at for at in (contact.entered_at, contact.answered_at) if at]
        stage, reason = self._end()
        end = self._at(
            contact.ended_at,
            stage=stage,
            reason=reason,
            leaves_queue=all(at < contact.ended_at for at in begun),
        )
        return [*events, end]

    def _end(self) -> tuple[Stage, str | None]:
        contact = self.contact
        reason = contact.disconnect_reason or ""
        if contact.answered_at or (contact.had_operator and not contact.goes_out):
            return Stage.COMPLETED, reason.lower() or None
        if contact.detection in UNREACHED:
            return UNREACHED[contact.detection], contact.detection.lower()
        usual = Stage.NO_ANSWER if contact.goes_out else Stage.CANCELLED
        technical = Stage.FAILED if reason.startswith(TECHNICAL) else usual
        stage = UNANSWERED_ENDS.get(reason, technical)
        in_menu = contact.direction is Direction.INBOUND and contact.queue is None
        if in_menu and stage is Stage.CANCELLED:
            return stage, ENDED_IN_IVR
        return stage, reason.lower() or None

    def names(self) -> list[CallEvent]:
        """Who and where, by name if Connect tells it, else by id until it does."""
        contact, began_at = self.contact, self.blank.occurred_at
        events: list[CallEvent] = []
        if queue := contact.queue:
            at = queue.entered_at or began_at
            events += [self._at(at, queue=queue.name)] if queue.name else []
            events += [self._at(at + MOMENT, queue=queue.id)] if queue.id else []
        agent = contact.agent
        if agent and (contact.goes_out or contact.had_operator):
            at = agent.connected_at or began_at
            events += [self._at(at, agent=agent.name)] if agent.name else []
            events += [self._at(at + MOMENT, agent=agent.id)] if agent.id else []
        return events

    def _at(self, at: datetime, **facts: Any) -> CallEvent:
        return replace(self.blank, occurred_at=at, **facts)
