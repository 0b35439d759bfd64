"""A dial: one call that a person asked for, placed once however often it is asked for.

What is asked for is known by who asks and by a key of theirs. A dial is *reserved* before the
telephone system is asked, so that nobody else asks it, and ends as what that made of it.
"""

import hashlib
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from retorno.calling_rules.model import Purpose
from retorno.frozen import Frozen, Strict
from retorno.telephony.ports import CALL_ID, TELEPHONE, CallEvent, DialOrder, Direction, Stage
from retorno.telephony.twilio import first_words_url

# Who reserved a dial lives for 29 seconds (the functions' time-out). When the reservation is over,
# what they ordered at the very end is old enough to be found, too.
RESERVED_FOR = timedelta(seconds=90)

# A telephone system may list a call somewhat later than it took the order.
LISTED_AFTER = timedelta(seconds=60)

Key = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,200}$")]


class DialWish(Strict):
    """What a person asks for: a number to call, or a missed call whose customer to call back."""

    number: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = Field(
        default=None, description="In any written form"
    )
    missed_call_id: Annotated[str, StringConstraints(pattern=f"^{CALL_ID.pattern}$")] | None = (
        Field(default=None, description="Instead of a number: whose call back it is")
    )
    purpose: Purpose | None = Field(
        default=None,
        description="abandoned_callback if not said, and service without a missed call",
    )
    telephone: Annotated[str, StringConstraints(pattern=f"^{TELEPHONE.pattern}$")] | None = Field(
        default=None,
        description="The one that rings first, as the telephone system writes it; if not said, the "
        "operator's own, or else the name that it knows the operator by",
    )

    @model_validator(mode="after")
    def _names_one_customer(self) -> Self:
        if (self.number is None) == (self.missed_call_id is None):
            raise ValueError("either number or missed_call_id is required")
        return self

    @property
    def called_for(self) -> Purpose:
        default = Purpose.ABANDONED_CALLBACK if self.missed_call_id else Purpose.SERVICE
        return self.purpose or default

    @property
    def digest(self) -> str:
        """By which a wish that is told again is known."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class DialState(StrEnum):
    RESERVED = "reserved"
    """Somebody is asking the telephone system, or died of it."""
    PLACED = "placed"
    REFUSED = "refused"
    """The telephone system will not place it."""
    FAILED = "failed"
    """No call was placed; asked again, it is tried again."""
    UNCERTAIN = "uncertain"
    """A call may have been placed; asked again, it is looked up before it is tried."""


class Step(StrEnum):
    """What is to be done about a dial."""

    NONE = "none"
    LOOK_UP = "look_up"
    DIAL = "dial"


class Asker(Frozen):
    """A user, and the name that the telephone system knows them by."""

    name: str
    agent: str


class Dial(Frozen):
    """`ordered_at` is when the telephone system was last asked, and `provider` which it was.
    `campaign` is the call list that it is of, None where a person asked for it, and `menu` has the
    first words that the customer hears.

    `owner` is whoever wrote it last, and `revision` counts the writes. One that is not yet written
    has the revision 0, and no call.
    """

    dial_id: str
    wish_digest: str
    number: str
    purpose: Purpose
    telephone: str
    agent: str
    asked_by: str
    missed_call_id: str | None
    campaign: str | None = None
    caller_id: str | None = None
    menu: str | None = None
    asked_at: datetime
    ordered_at: datetime
    provider: str = ""
    state: DialState = DialState.FAILED
    call_id: str | None = None
    reason: str | None = None
    retry_at: datetime | None = None
    owner: str = ""
    reserved_until: datetime | None = None
    revision: int = 0

    def next_step(self, now: datetime) -> Step:
        match self.state:
            case DialState.PLACED | DialState.REFUSED:
                return Step.NONE
            case DialState.RESERVED:
                over = self.reserved_until is None or now >= self.reserved_until
                return Step.LOOK_UP if over else Step.NONE
            case DialState.UNCERTAIN:
                return Step.LOOK_UP
            case DialState.FAILED:
                waits = self.retry_at is not None and now < self.retry_at
                return Step.NONE if waits else Step.DIAL

    def reserved(self, owner: str, now: datetime) -> "Dial":
        return self.model_copy(
            update={
                "state": DialState.RESERVED,
                "owner": owner,
                "reserved_until": now + RESERVED_FOR,
                "reason": None,
                "retry_at": None,
            }
        )

    def ended(
        self,
        state: DialState,
        *,
        call_id: str | None = None,
        reason: str | None = None,
        retry_at: datetime | None = None,
    ) -> "Dial":
        """As the telephone system's answer leaves it."""
        told = {"state": state, "call_id": call_id, "reason": reason, "retry_at": retry_at}
        return self.model_copy(update={**told, "reserved_until": None})

    def ordered(self, provider: str, now: datetime) -> "Dial":
        return self.model_copy(update={"provider": provider, "ordered_at": now})

    def would_be_listed(self, now: datetime) -> bool:
        """Whether a telephone system that does not know of the order never took it."""
        return now >= self.ordered_at + LISTED_AFTER

    def order(self, webhooks_url: str) -> DialOrder:
        return DialOrder(
            attempt_id=self.dial_id,
            number=self.number,
            telephone=self.telephone,
            agent=self.agent,
            caller_id=self.caller_id,
            ordered_at=self.ordered_at,
            webhooks_url=webhooks_url,
            menu_url=first_words_url(webhooks_url, self.menu) if self.menu else None,
        )

    @property
    def beginning(self) -> CallEvent | None:
        """What is known of the call before its provider tells; None where there is none."""
        if self.call_id is None:
            return None
        return CallEvent(
            call_id=self.call_id,
            provider=self.provider,
            occurred_at=self.ordered_at,
            stage=Stage.QUEUED,
            direction=Direction.OUTBOUND_AUTO if self.campaign else Direction.OUTBOUND_MANUAL,
            caller=self.caller_id,
            callee=self.number,
            number=self.number,
            agent=self.agent,
            campaign=self.campaign,
        )


def dial_id_of(asker: Asker, key: str) -> str:
    """The same for the same person and key alone: it is the attempt's id, too."""
    return hashlib.sha256(f"{asker.name}\n{key}".encode()).hexdigest()[:32]
