"""Who calls whom, and which of the two is the customer."""

from dataclasses import dataclass

from retorno.phone import NumberPlan
from retorno.telephony.ports import Direction

MAX_PARTY_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Parties:
    """The two sides of a call, E.164 where they are telephone numbers and else as written."""

    caller: str | None = None
    callee: str | None = None
    number: str | None = None


def identify(
    direction: Direction, caller: str | None, callee: str | None, plan: NumberPlan
) -> Parties:
    """`number` is the customer's, in E.164: None where withheld, unknown, or an extension."""
    numbers = [plan.parse(caller), plan.parse(callee)]
    written = [
        number.e164 if number else (text or "").strip()[:MAX_PARTY_LENGTH] or None
        for number, text in zip(numbers, (caller, callee), strict=True)
    ]
    customer = numbers[0] if direction is Direction.INBOUND else numbers[1]
    return Parties(written[0], written[1], customer.e164 if customer else None)
