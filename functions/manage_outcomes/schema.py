"""Outcomes and reasons as the API lists them."""

from pydantic import Field

from retorno.frozen import Frozen
from retorno.telemarketing.setup.model import NoContactReason, Outcome


class OutcomeList(Frozen):
    items: list[Outcome] = Field(description="By name")


class NoContactReasonList(Frozen):
    items: list[NoContactReason] = Field(description="By name")
