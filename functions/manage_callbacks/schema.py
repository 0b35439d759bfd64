"""Campaigns and contacts as the API shows them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from retorno.callback_campaigns.model import Campaign, Result
from retorno.callbacks.model import Contact, State
from retorno.calling_rules.model import Purpose
from retorno.customers.model import Text
from retorno.frozen import Frozen


class CampaignView(Campaign):
    @classmethod
    def of(cls, campaign: Campaign) -> "CampaignView":
        return cls.model_validate(campaign.model_dump())


class CampaignList(Frozen):
    items: list[CampaignView]


class ContactView(Frozen):
    model_config = ConfigDict(from_attributes=True)

    contact_id: str
    list_name: str = Field(description="A campaign; or queue:NAME, or promise:ID")
    state: State
    reason: str = Field(description="Why they are in this state, or called no sooner")
    number: str
    queue: str = Field(description="Whose agents call")
    agent: str | None = Field(description="The only one who will do; null for any")
    purpose: Purpose
    asked_at: datetime = Field(description="When they asked for a call, or were missed first")
    due_at: datetime | None = Field(description="When they are called next, at the earliest")
    until: datetime | None = Field(description="No call begins later")
    note: str | None
    attempts: int = Field(description="Calls since they joined the list, or were freed")
    result: Result | None = Field(description="Of the last call")
    dialled_at: datetime | None
    call_id: str | None = Field(description="The last call to them, or the one in progress")
    dial_agent: str | None = Field(description="For whom it was placed")
    misses: list[str] = Field(description="The ids of the missed calls that a success closes")
    changed_at: datetime

    @classmethod
    def of(cls, contact: Contact) -> "ContactView":
        view = cls.model_validate(contact)
        return view if view.state is State.WAITING else view.model_copy(update={"due_at": None})


class ContactList(Frozen):
    items: list[ContactView]
    cursor: str | None = Field(description="Where the next page begins; null at the end")

    @classmethod
    def of(cls, contacts: Sequence[Contact], cursor: str | None) -> "ContactList":
        return cls(items=[ContactView.of(each) for each in contacts], cursor=cursor)


class DismissRequest(Frozen):
    reason: Annotated[Text, StringConstraints(max_length=500)]
