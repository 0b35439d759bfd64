"""A call-back campaign: whose missed callers are rung back, by whom, when, and how often."""

from collections.abc import Sequence
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from retorno.calling_rules.model import (
    Hours,
    Profile,
    Purpose,
    Source,
    Standing,
    Window,
)
from retorno.calling_rules.model import Text as Words
from retorno.calling_rules.profiles import all_profiles
from retorno.customers.model import Text
from retorno.errors import InvalidInput
from retorno.frozen import Frozen
from retorno.phone import NumberPlan
from retorno.settings import DialProvider
from retorno.telephony.ports import MAX_NAME_LENGTH, MENU_NAME

CAMPAIGN_ID = r"[a-z0-9][a-z0-9-]{0,59}"

# They ask for a menu while they call, and let the customer hear it.
PLAY_MENUS = frozenset({DialProvider.TWILIO, DialProvider.CANONICAL})

MAX_ATTEMPTS = 20
MAX_CALLS_A_DAY = 20
WEEK_OF_MINUTES = 7 * 24 * 60


class Result(StrEnum):
    """What came of a call to a contact."""

    HUMAN = "human"
    VOICEMAIL = "voicemail"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """Somebody or something answered, or nobody knows whether there was a call."""


Minutes = Annotated[int, Field(ge=1, le=WEEK_OF_MINUTES)]


class Waits(Frozen):
    """Minutes until the next call to a contact, by what came of the last."""

    busy: Minutes = 15
    no_answer: Minutes = 60
    voicemail: Minutes = 120
    failed: Minutes = 30

    def after(self, result: Result) -> timedelta:
        minutes = {
            Result.BUSY: self.busy,
            Result.VOICEMAIL: self.voicemail,
            Result.FAILED: self.failed,
        }
        return timedelta(minutes=minutes.get(result, self.no_answer))


Queue = Annotated[Text, StringConstraints(max_length=MAX_NAME_LENGTH)]


class Pace(Frozen):
    """How often, and when, the contacts of a list are called."""

    max_attempts: Annotated[int, Field(ge=1, le=MAX_ATTEMPTS)] = 3
    waits: Waits = Waits()
    max_calls_a_day: Annotated[
        int,
        Field(
            ge=1, le=MAX_CALLS_A_DAY, description="To one number, those of all campaigns counted"
        ),
    ] = 3
    min_gap_minutes: Annotated[
        Minutes, Field(description="Between calls to one number, those of all campaigns counted")
    ] = 10
    hours: Annotated[
        tuple[Window, ...],
        Field(max_length=20, description="Where the number is; any hour when empty"),
    ] = ()
    profiles: Annotated[
        tuple[str, ...] | None,
        Field(max_length=20, description="Rules for calling out; null for those of the stack"),
    ] = None
    caller_id: Annotated[
        str | None, Field(max_length=40, description="Shown to customers; null for the stack's")
    ] = None
    menu: Annotated[
        str | None,
        Field(pattern=f"^{MENU_NAME.pattern}$", description="Whose first words the customer hears"),
    ] = None

    def chosen_profiles(self, of_the_stack: Sequence[Profile]) -> Sequence[Profile]:
        """The rules that hold, the campaign's own hours among them."""
        named = of_the_stack
        if self.profiles is not None:
            named = [all_profiles()[name] for name in self.profiles]
        return [*named, _hours(self.hours)] if self.hours else named


def _hours(windows: tuple[Window, ...]) -> Profile:
    title = Words(pt="Horário da campanha", en="The campaign's own hours")
    rule = Hours(
        id="campaign/hours",
        kind="hours",
        title=title,
        purposes=tuple(Purpose),
        source=Source(title="The campaign itself", url=""),
        checked_on=date.min,
        standing=Standing.PRIMARY,
        windows=windows,
    )
    return Profile(id="campaign", title=title, rules=(rule,))


class CampaignDraft(Pace):
    """A campaign as a person sets it up."""

    name: Annotated[Text, StringConstraints(max_length=120)]
    monitored_queue: Annotated[Queue, Field(description="Whose missed callers join its list")]
    callback_queue: Annotated[Queue, Field(description="Whose agents call them")]
    purpose: Purpose = Purpose.ABANDONED_CALLBACK

    def campaign(self, campaign_id: str, plan: NumberPlan, provider: DialProvider) -> "Campaign":
        """Raises InvalidInput, which names the field."""
        if self.menu and provider not in PLAY_MENUS:
            raise InvalidInput("menu", f"the telephone system ({provider}) plays none")
        for name in self.profiles or ():
            if name not in all_profiles():
                raise InvalidInput("profiles", f"{name!r} is none: see GET /calling-profiles")
        values = self.model_dump()
        if self.caller_id is not None:
            shown = plan.parse(self.caller_id)
            if shown is None:
                raise InvalidInput("caller_id", "is not a phone number")
            values["caller_id"] = shown.e164
        return Campaign(campaign_id=campaign_id, **values)


class Campaign(CampaignDraft):
    """`version` counts the changes. While it is paused, contacts join but nobody is called."""

    campaign_id: str
    paused: bool = False
    version: int = 1
