"""What a deployment decides, read from the environment: nothing else in `retorno` reads it.

Each function names what it needs by inheriting it; template.yaml supplies just that.
"""

import os
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class RecoveryRequires(StrEnum):
    """What an outbound call must achieve to recover a missed one."""

    PERSON = "person"
    ANSWERED = "answered"
    DIALLED = "dialled"


def _comma_separated(text: object) -> object:
    return (
        [part.strip() for part in text.split(",") if part.strip()]
        if isinstance(text, str)
        else text
    )


Names = Annotated[tuple[str, ...], BeforeValidator(_comma_separated)]


class Settings(BaseModel):
    """Field `calls_table` is variable CALLS_TABLE, and so for all."""

    model_config = ConfigDict(frozen=True)

    @classmethod
    def from_environment(cls) -> Self:
        """Raises pydantic's ValidationError, which names what is missing."""
        present = {name: os.environ.get(name.upper()) for name in cls.model_fields}
        return cls.model_validate({name: value for name, value in present.items() if value})


class PhoneSettings(Settings):
    country: str
    area_code: str | None = None


class ImportSettings(Settings):
    jobs_table: str
    files_bucket: str


class SplitSettings(ImportSettings):
    customer_rows_queue: str


class CustomerSettings(PhoneSettings):
    customers_table: str


class CustomerFileSettings(ImportSettings):
    customer_exports_queue: str


class CustomerTransferSettings(CustomerSettings, ImportSettings):
    pass


class CallSettings(PhoneSettings):
    calls_table: str
    internal_numbers: Names = ()


class IngestSettings(CallSettings):
    deferred_calls_queue: str
    kept_payloads_bucket: str
    webhook_secret: str
    twilio_secret: str
    public_url: str | None = None


class ReplaySettings(CallSettings):
    kept_payloads_bucket: str


class SweepSettings(CallSettings):
    call_max_hours: float = Field(gt=0)

    @property
    def call_max_age(self) -> timedelta:
        return timedelta(hours=self.call_max_hours)


class RecoverySettings(CallSettings):
    recoveries_table: str
    short_abandon_seconds: float = Field(ge=0)
    person_talk_seconds: float = Field(ge=0)
    recovery_requires: RecoveryRequires
    recovery_window_days: float = Field(gt=0)

    @property
    def recovery_window(self) -> timedelta:
        return timedelta(days=self.recovery_window_days)
