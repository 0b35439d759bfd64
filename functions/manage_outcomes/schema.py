"""Outcomes and reasons as the API lists them."""

from pydantic import BaseModel, Field

from retorno.telemarketing.setup.model import NoContactReason, Outcome


class OutcomeList(BaseModel):
    items: list[Outcome] = Field(description="By name")


class NoContactReasonList(BaseModel):
    items: list[NoContactReason] = Field(description="By name")
