"""Telemarketing's set-up as the API lists it."""

from pydantic import Field

from retorno.frozen import Frozen
from retorno.telemarketing.setup.model import ActionType, Campaign, ScriptVersion


class CampaignList(Frozen):
    items: list[Campaign]
    cursor: str | None = Field(description="Where the next page begins; null at the end")


class ActionTypeList(Frozen):
    items: list[ActionType] = Field(description="By name")


class ScriptList(Frozen):
    items: list[ScriptVersion] = Field(description="The latest first")
    cursor: str | None = Field(description="Where the next page begins; null at the end")
