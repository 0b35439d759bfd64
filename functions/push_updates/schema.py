"""What clients say on a connection."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from retorno.errors import MAX_TOLD, InvalidInput
from retorno.frozen import Strict
from retorno.telephony.ports import MAX_NAME_LENGTH

MAX_QUEUES = 40


class Subscribe(Strict):
    """`after` is the number up to which the client knows it all; without one it wants all there is.
    `queues` are those that it wants to see, all where none are named.
    """

    action: Literal["subscribe"]
    after: Annotated[int, Field(ge=0)] | None = None
    queues: Annotated[
        frozenset[Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME_LENGTH)]],
        Field(max_length=MAX_QUEUES),
    ] = frozenset()


class Ping(Strict):
    """Keeps a connection from being taken for one that is left."""

    action: Literal["ping"]


Said = Annotated[Subscribe | Ping, Field(discriminator="action")]
_said: TypeAdapter[Any] = TypeAdapter(Said)


def read(text: str) -> Subscribe | Ping:
    """Raises InvalidInput."""
    try:
        said: Subscribe | Ping = _said.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "message"
        raise InvalidInput(field[:MAX_TOLD], first["msg"][:MAX_TOLD]) from None
    return said
