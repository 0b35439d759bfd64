"""Calls that agents place in an operation."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from retorno.dialling.model import Asker, Dial, DialWish
from retorno.dialling.service import Dialling, dialling
from retorno.errors import InvalidInput
from retorno.frozen import Strict
from retorno.settings import DialSettings, OperationSettings
from retorno.telemarketing.assignments.model import Worker
from retorno.telemarketing.operations.service import Operations, operations
from retorno.telemarketing.setup.service import Setup, setup
from retorno.telephony.ports import TELEPHONE


class CallWish(Strict):
    """Which call an agent wants to place."""

    number: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = Field(
        default=None, description="In any written form; the customer's first if not said"
    )
    telephone: Annotated[str, StringConstraints(pattern=f"^{TELEPHONE.pattern}$")] | None = Field(
        default=None, description="The one that rings first; the agent's own if not said"
    )


class Calling:
    def __init__(self, operations: Operations, setup: Setup, dialling: Dialling) -> None:
        self._operations = operations
        self._setup = setup
        self._dialling = dialling

    def place(
        self,
        operation_id: str,
        wish: CallWish,
        key: str,
        asker: Asker,
        worker: Worker,
        webhooks_url: str,
        now: datetime,
    ) -> Dial:
        """Rings the agent and then the customer, for the campaign's purpose, and links the call.

        The same person's same key is the same call. It comes back placed, or still reserved or
        uncertain: then it is to be asked again, and linked then.

        Raises NotFound, NotAllowed, InvalidInput; CallForbidden where a rule forbids it; Conflict
        where the operation is closed, or the telephone system refuses; HeldByAnother; Unavailable.
        """
        operation = self._operations.kept_open(operation_id, worker, now)
        campaign = self._setup.campaign(operation.campaign_id)
        customer = self._operations.customer_of(operation)
        number = wish.number or (customer and next((line for _, line in customer.lines()), None))
        if number is None:
            raise InvalidInput("number", "is required: the customer has none")
        asked = DialWish(number=number, purpose=campaign.purpose, telephone=wish.telephone)
        dial = self._dialling.place(asked, key, asker, webhooks_url, now, campaign.caller_id)
        if dial.call_id:
            self._operations.link_call(operation_id, dial.call_id, worker, now)
        return dial


def calling(settings: OperationSettings, dial_settings: DialSettings) -> Calling:
    return Calling(operations(settings), setup(settings), dialling(dial_settings))
