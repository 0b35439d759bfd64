"""Retorno's own call events, for any telephone system that can send JSON."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field

from retorno.errors import InputTooLarge, InvalidInput
from retorno.frozen import Frozen
from retorno.phone import NumberPlan
from retorno.telephony import signature
from retorno.telephony.parties import Parties, identify
from retorno.telephony.ports import (
    AnsweredBy,
    CallEvent,
    Direction,
    Reading,
    Refusal,
    Stage,
    WebhookRequest,
)
from retorno.telephony.validation import Identifier, Name, Time, json_of, validated

MAX_EVENTS = 500


class CanonicalEvent(Frozen):
    """One event of a call. Several events may tell of one call, in any order, more than once."""

    model_config = ConfigDict(populate_by_name=True)

    event_id: Identifier = Field(description="The sender's own id of the event, for its tracing")
    call_id: Identifier
    stage: Stage
    occurred_at: Time = Field(description="ISO 8601 with its offset")
    direction: Direction | None = Field(
        default=None, description="Required with `from` or `to`: it tells which is the customer"
    )
    caller: Name | None = Field(default=None, alias="from")
    callee: Name | None = Field(default=None, alias="to")
    queue: Name | None = None
    agent: Name | None = None
    branch: Name | None = None
    campaign: Name | None = Field(
        default=None, description="The campaign that an outbound call belongs to"
    )
    trunk: Name | None = Field(
        default=None, description="The carrier's line that an outbound call goes out on"
    )
    reason: Name | None = Field(default=None, description="Why the call ended, in your own word")
    answered_by: AnsweredBy | None = None


class Canonical:
    """The provider that any telephone system can be."""

    name = "canonical"

    def verify(self, request: WebhookRequest, secrets: Sequence[str], now: datetime) -> None:
        signature.verify(request, secrets, now)

    def payload(self, request: WebhookRequest) -> bytes:
        return request.body

    def read(self, payload: bytes, plan: NumberPlan, now: datetime) -> Reading:
        entries = _entries(payload)
        events: list[CallEvent] = []
        refusals: list[Refusal] = []
        for index, entry in enumerate(entries):
            try:
                events.append(_event(entry, plan, now))
            except InvalidInput as error:
                refusals.append(Refusal(index, error.field, error.reason))
        refused = [entries[refusal.index] for refusal in refusals]
        return Reading(
            taken=len(events),
            events=events,
            refusals=refusals,
            refused_payload=json.dumps({"events": refused}).encode() if refused else b"",
        )


def _entries(payload: bytes) -> list[Any]:
    envelope = json_of(payload)
    entries = envelope.get("events") if isinstance(envelope, dict) else None
    if not isinstance(entries, list):
        raise InvalidInput("events", "a list of events is required")
    if len(entries) > MAX_EVENTS:
        raise InputTooLarge("events", f"at most {MAX_EVENTS} at a time")
    return entries


def _event(entry: Any, plan: NumberPlan, now: datetime) -> CallEvent:
    event = validated(CanonicalEvent, entry, "event", now)
    if event.direction is None and (event.caller or event.callee):
        raise InvalidInput("direction", "is required with from or to")
    parties = Parties()
    if event.direction is not None:
        parties = identify(event.direction, event.caller, event.callee, plan)
    return CallEvent(
        call_id=event.call_id,
        provider=Canonical.name,
        occurred_at=event.occurred_at,
        stage=event.stage,
        direction=event.direction,
        caller=parties.caller,
        callee=parties.callee,
        number=parties.number,
        queue=event.queue or None,
        agent=event.agent or None,
        branch=event.branch or None,
        campaign=event.campaign or None,
        trunk=event.trunk or None,
        reason=event.reason or None,
        answered_by=event.answered_by,
    )
