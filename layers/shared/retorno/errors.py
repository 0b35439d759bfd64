"""What can go wrong, in the product's own words. Only `http.py` turns these into HTTP.

RetornoError
├── InvalidInput        the request says something that cannot be so
│   └── InputTooLarge   … or more than is taken at once
├── NotAuthenticated    a signature or token that does not hold
├── NotAllowed          a known user without the right
├── NotFound
├── Conflict            the state of things forbids it
├── PreconditionFailed  … because it is no longer the one that the caller saw
├── PreconditionRequired   a caller has to say which one they saw
└── Unavailable         a service that Retorno stands on does not answer; try again
"""


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


class NotAuthenticated(RetornoError):
    pass


class NotAllowed(RetornoError):
    pass


class NotFound(RetornoError):
    pass


class Conflict(RetornoError):
    pass


class PreconditionFailed(RetornoError):
    pass


class PreconditionRequired(RetornoError):
    pass


class Unavailable(RetornoError):
    pass
