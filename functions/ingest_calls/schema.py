"""What the webhooks take, as the API's description says it, and what they answer."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Path
from pydantic import Field

from retorno.calls.service import Receipt
from retorno.frozen import Frozen
from retorno.telephony.canonical import MAX_EVENTS


def _body(content_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The handlers read the raw body, which is what its sender signed."""
    return {"requestBody": {"required": True, "content": {content_type: {"schema": schema}}}}


EVENTS = _body(
    "application/json",
    {
        "type": "object",
        "required": ["events"],
        "properties": {
            "events": {
                "type": "array",
                "maxItems": MAX_EVENTS,
                # Which tools/describe_api.py describes.
                "items": {"$ref": "#/components/schemas/Event"},
            }
        },
    },
)
LINES = _body("text/plain", {"type": "string", "description": "epoch|call id|queue|agent|event|…"})
FORM = _body("application/x-www-form-urlencoded", {"type": "object", "required": ["CallSid"]})

CALL = _body("application/json", {"type": "object", "description": "As Zenvia documents it"})

# It is the provider that checks it, as it checks the signatures of the others.
SecretInPath = Annotated[str, Path(description="The secret that stands in for a signature")]

Deferred = Annotated[
    int, Field(description="Calls that are safe in a queue, and will be written within minutes")
]


class RefusedEvent(Frozen):
    index: int = Field(description="Its place in `events`, from 0")
    field: str
    reason: str


class EventsTaken(Frozen):
    accepted: int
    refused: list[RefusedEvent]
    deferred: Deferred

    @classmethod
    def of(cls, receipt: Receipt) -> "EventsTaken":
        refused = [
            RefusedEvent(index=refusal.index, field=refusal.field, reason=refusal.reason)
            for refusal in receipt.reading.refusals
        ]
        return cls(accepted=receipt.reading.taken, refused=refused, deferred=receipt.deferred)


class UnreadableLine(Frozen):
    line: int = Field(description="Its place in the body, from 1")
    reason: str


class LinesTaken(Frozen):
    taken: int
    ignored: int = Field(description="Blank lines, and lines of configuration or presence")
    unreadable: list[UnreadableLine]
    deferred: Deferred

    @classmethod
    def of(cls, receipt: Receipt) -> "LinesTaken":
        return cls(
            taken=receipt.reading.taken,
            ignored=receipt.reading.ignored,
            unreadable=[
                UnreadableLine(line=refusal.index + 1, reason=refusal.reason)
                for refusal in receipt.reading.refusals
            ],
            deferred=receipt.deferred,
        )


class FormTaken(Frozen):
    accepted: int
    deferred: Deferred

    @classmethod
    def of(cls, receipt: Receipt) -> "FormTaken":
        return cls(accepted=receipt.reading.taken, deferred=receipt.deferred)


class CallTaken(Frozen):
    accepted: int
    ignored: int = Field(description="What tells of no call, such as a message in a voicemail")
    deferred: Deferred

    @classmethod
    def of(cls, receipt: Receipt) -> "CallTaken":
        reading = receipt.reading
        return cls(accepted=reading.taken, ignored=reading.ignored, deferred=receipt.deferred)
