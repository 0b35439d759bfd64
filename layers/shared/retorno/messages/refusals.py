"""Why WhatsApp does not take or deliver a message, in words for operators: refusals.json.

The codes are those of https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes.
"""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from pydantic import TypeAdapter

from retorno.frozen import Frozen

# What Retorno knows by itself: that a customer's session is over, and that WhatsApp cannot be
# reached. To an agent both are as if WhatsApp had said so.
SESSION_OVER = 131047
UNREACHED = 131016


class Words(Frozen):
    """The same in Portuguese and in English."""

    pt: str
    en: str


class Explanation(Frozen):
    """`codes` has single codes, and spans of them with both ends; None stands for all others.

    `retry_after` are the seconds after which it makes sense to try again, None where it makes none
    or nobody can say; `by_itself` says that Retorno then does.
    """

    codes: tuple[int | tuple[int, int], ...] | None
    reason: Words
    what_to_do: Words
    retry_after: int | None = None
    by_itself: bool = False

    def is_of(self, code: int) -> bool:
        return any(
            code == each if isinstance(each, int) else each[0] <= code <= each[1]
            for each in self.codes or ()
        )


@cache
def all_explanations() -> Sequence[Explanation]:
    text = (files("retorno.messages") / "refusals.json").read_text(encoding="utf-8")
    return TypeAdapter(list[Explanation]).validate_json(text)


def explained(code: int | None) -> Explanation:
    """None where WhatsApp told no code."""
    known = (each for each in all_explanations() if code is not None and each.is_of(code))
    return next(known, None) or next(each for each in all_explanations() if each.codes is None)
