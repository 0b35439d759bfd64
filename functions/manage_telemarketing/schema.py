"""Telemarketing's set-up as the API lists it."""

from pydantic import BaseModel, Field

from retorno.telemarketing.setup.model import ActionType, Campaign, ScriptVersion


class CampaignList(BaseModel):
    items: list[Campaign]
    cursor: str | None = Field(description="Where the next page begins; null at the end")


class ActionTypeList(BaseModel):
    items: list[ActionType] = Field(description="By name")


class ScriptList(BaseModel):
    items: list[ScriptVersion] = Field(description="The latest first")
    cursor: str | None = Field(description="Where the next page begins; null at the end")
