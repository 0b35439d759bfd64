"""What Twilio asks with: the address that it was given before, and the form of its own."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import parse_qsl

from aws_lambda_powertools.event_handler.openapi.params import Path
from aws_lambda_powertools.event_handler.openapi.types import OpenAPIResponse
from pydantic import ValidationError

from retorno.menus.model import Use
from retorno.menus.walk import Heard, Position, QueueEnd
from retorno.phone import NumberPlan
from retorno.telephony.providers import TWILIO

FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {"type": "object", "required": ["CallSid"]}
            }
        },
    }
}

TWIML: dict[int, OpenAPIResponse] = {
    200: {"description": "TwiML", "content": {"text/xml": {"schema": {"type": "string"}}}}
}

MenuInPath = Annotated[str, Path(max_length=64, description="The menu's name")]

# https://www.twilio.com/docs/voice/twiml/enqueue; what is not here leaves the caller on the line.
QUEUE_ENDS = {
    "leave": QueueEnd.LEFT,
    "bridged": QueueEnd.OVER,
    "hangup": QueueEnd.OVER,
    "redirected": QueueEnd.OVER,
    "redirected-from-bridged": QueueEnd.OVER,
}


def position_in(query: Mapping[str, str]) -> Position:
    """The beginning, where an address does not say it as we do."""
    known = {name: text for name, text in query.items() if name in Position.model_fields}
    try:
        return Position.model_validate(known)
    except ValidationError:
        is_first = known.get("use") == Use.FIRST_WORDS
        return Position(use=Use.FIRST_WORDS if is_first else Use.INCOMING)


def heard_in(body: bytes, plan: NumberPlan, now: datetime) -> Heard:
    """Raises InvalidInput where the form names no call."""
    call = TWILIO.read(body, plan, now).events[0]
    form = dict(parse_qsl(body.decode()))
    return Heard(
        call=call,
        digits="".join(re.findall(r"[0-9*#]", form.get("Digits", ""))),
        queue_end=queue_end_in(body),
    )


def queue_end_in(body: bytes) -> QueueEnd | None:
    """None where the caller was in no queue."""
    result = dict(parse_qsl(body.decode(errors="replace"))).get("QueueResult")
    return QUEUE_ENDS.get(result, QueueEnd.REFUSED) if result else None
