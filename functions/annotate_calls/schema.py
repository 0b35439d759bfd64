"""What people say of a call, as the API takes and shows it."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from retorno.calls.model import Call, Note
from retorno.customers.model import CustomerRef, Link
from retorno.dispositions.model import Code, Flag
from retorno.frozen import Frozen


class DispositionRequest(Frozen):
    code: Code


class DispositionGiven(Frozen):
    call_id: str
    code: str
    flags: frozenset[Flag] = Field(description="What it meant when it was given")
    by: str
    at: datetime
    answered_by: str | None = Field(description="Who answered the call, as it stands now")

    @classmethod
    def of(cls, call: Call) -> "DispositionGiven":
        given = call.disposition.model_dump() if call.disposition else {}
        return cls(call_id=call.call_id, answered_by=call.answered_by, **given)


class CustomerRequest(Frozen):
    customer_id: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = Field(
        description="null says that it is nobody's"
    )


class CustomerChosen(Frozen):
    call_id: str
    customer: CustomerRef | None
    linked_by: str | None = Field(
        description="chosen for this call, remembered of its number, or only_match"
    )
    candidates: list[CustomerRef] = Field(description="Whose it may be, while nobody chose")

    @classmethod
    def of(cls, call_id: str, link: Link) -> "CustomerChosen":
        return cls(
            call_id=call_id,
            customer=link.customer,
            linked_by=link.how,
            candidates=list(link.candidates),
        )


class NoteRequest(Frozen):
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=5000)]


class NoteView(Frozen):
    model_config = ConfigDict(from_attributes=True)

    text: str
    by: str
    at: datetime

    @classmethod
    def of(cls, note: Note) -> "NoteView":
        return cls.model_validate(note)


class NoteList(Frozen):
    items: list[NoteView] = Field(description="Oldest first")
