"""What can go wrong, in the product's own words. Only `http.py` turns these into HTTP.

RetornoError
├── InvalidInput        the request says something that cannot be so
│   └── InputTooLarge   … or more than is taken at once
├── UnsupportedContent  the body is of a kind that is not read
├── NotAuthenticated    a signature or token that does not hold
├── NotAllowed          a known user without the right
├── NotFound
├── Conflict            the state of things forbids it
│   ├── CallForbidden   … or a rule for calling out does
│   ├── SessionOver     … or the customer has not written for too long
│   └── HeldByAnother   … or another agent is working on it
├── PreconditionFailed  … because it is no longer the one that the caller saw
├── PreconditionRequired   a caller has to say which one they saw
└── Unavailable         a service that Retorno stands on does not answer; try again
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

# So many characters are told of what is wrong: a sender chooses how long the names of fields are.
MAX_TOLD = 300


class RetornoError(Exception):
    """Base of all. Its text is written for the caller: it never holds a number or a secret."""


class InvalidInput(RetornoError):
    """`field` names what is wrong: a body's or query's field, or a header."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class InputTooLarge(InvalidInput):
    pass


class UnsupportedContent(RetornoError):
    pass


class NotAuthenticated(RetornoError):
    pass


class NotAllowed(RetornoError):
    pass


class NotFound(RetornoError):
    pass


class Conflict(RetornoError):
    pass


class CallForbidden(Conflict):
    """`rules` are those that forbid a call now, as id and words for operators. `next_allowed_at` is
    None where no moment within three months suits them."""

    def __init__(self, rules: Sequence[tuple[str, str]], next_allowed_at: datetime | None) -> None:
        next_one = f"not before {next_allowed_at.isoformat()}" if next_allowed_at else "not soon"
        super().__init__(f"{', '.join(rule for rule, _ in rules)}: {next_one}")
        self.rules = rules
        self.next_allowed_at = next_allowed_at


class SessionOver(Conflict):
    """A free text needs a customer who wrote within a day. `code` is WhatsApp's own for that, and
    `reason` and `what_to_do` are words for operators, by language. `ended_at` is None where the
    customer never wrote."""

    def __init__(
        self,
        code: int,
        ended_at: datetime | None,
        reason: Mapping[str, str],
        what_to_do: Mapping[str, str],
    ) -> None:
        super().__init__("the customer has no open session: send an approved template")
        self.code = code
        self.ended_at = ended_at
        self.reason = reason
        self.what_to_do = what_to_do


class HeldByAnother(Conflict):
    def __init__(self, agent: str, until: datetime) -> None:
        super().__init__(f"{agent} is working on it, until {until.isoformat()} at the latest")
        self.agent = agent
        self.until = until


class PreconditionFailed(RetornoError):
    pass


class PreconditionRequired(RetornoError):
    pass


class Unavailable(RetornoError):
    pass
