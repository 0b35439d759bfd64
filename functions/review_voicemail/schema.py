"""What is to be listened to, and the verdicts, as the API shows and takes them."""

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from retorno.calls.model import Call
from retorno.frozen import Frozen
from retorno.telephony.ports import AnsweredBy
from retorno.voicemail.model import Answer, WeekReport


class SuspectView(Frozen):
    """A short answer of which nothing but its length tells whether it was a person's."""

    model_config = ConfigDict(from_attributes=True)

    call_id: str
    number: str | None
    agent: str | None
    campaign: str | None
    carrier: str = Field(description="The trunk, or where none is told the provider")
    answered_at: datetime
    talk_seconds: float | None

    @classmethod
    def of(cls, answer: Answer) -> "SuspectView":
        return cls.model_validate(answer)


class SuspectList(Frozen):
    items: list[SuspectView] = Field(description="Oldest first")
    cursor: str | None = Field(description="Where the next page begins; null at the end")


class VerdictRequest(Frozen):
    answered_by: Literal[AnsweredBy.HUMAN, AnsweredBy.VOICEMAIL]


class VerdictView(Frozen):
    call_id: str
    answered_by: AnsweredBy
    by: str
    at: datetime

    @classmethod
    def of(cls, call: Call) -> "VerdictView":
        verdict = call.evidence[0]
        return cls(
            call_id=call.call_id,
            answered_by=verdict.answered_by,
            by=verdict.by or "",
            at=verdict.at,
        )


class ReportList(Frozen):
    items: list[WeekReport] = Field(description="Newest first")
    cursor: str | None = Field(description="Where the next page begins; null at the end")
