"""What promises need of the call list, until that is here."""

import hashlib
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from retorno.calling_rules.model import Purpose
from retorno.errors import Unavailable


class ContactState(StrEnum):
    WAITING = "waiting"
    DIALLING = "dialling"
    BLOCKED = "blocked"
    REACHED = "reached"
    RETURNED = "returned"
    DISMISSED = "dismissed"
    DO_NOT_CALL = "do_not_call"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Wanted(BaseModel):
    model_config = ConfigDict(frozen=True)

    list_name: str
    number: str
    queue: str
    agent: str | None = None
    purpose: Purpose
    asked_at: datetime
    due_at: datetime
    until: datetime | None = None
    call_id: str | None = None
    note: str | None = None
    max_attempts: int = 3


class Contact(BaseModel):
    model_config = ConfigDict(frozen=True)

    contact_id: str
    list_name: str
    state: ContactState
    reason: str
    number: str
    attempts: int = 0
    due_at: datetime
    first_dialled_at: datetime | None = None
    dialled_at: datetime | None = None
    call_id: str | None = None
    result: str | None = None


def contact_id_of(list_name: str, number_key: str) -> str:
    return hashlib.sha256(f"{list_name}\n{number_key}".encode()).hexdigest()[:32]


class CallList(Protocol):
    def ask(self, wanted: Wanted, now: datetime) -> Contact: ...

    def one(self, contact_id: str) -> Contact: ...

    def withdraw(self, contact_id: str, state: ContactState, now: datetime) -> Contact: ...


def call_list(settings: object) -> CallList:
    raise Unavailable("there is no call list yet")
