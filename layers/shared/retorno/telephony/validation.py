"""JSON of a provider, held against what it may be; what does not fit is InvalidInput."""

import json
from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    StringConstraints,
    ValidationError,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from retorno.errors import InvalidInput
from retorno.telephony.ports import CALL_ID, EARLIEST, MAX_AHEAD, MAX_NAME_LENGTH

ModelT = TypeVar("ModelT", bound=BaseModel)

LATEST = "latest"


def json_of(payload: bytes) -> Any:
    """Raises InvalidInput."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        raise InvalidInput("body", "is not JSON in UTF-8") from None


def validated(model: type[ModelT], entry: Any, whole: str, now: datetime) -> ModelT:
    """The entry as a model, without a word of it in any error.

    Raises InvalidInput, which names `whole` where no field is to blame.
    """
    try:
        return model.model_validate(entry, context={LATEST: now + MAX_AHEAD})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"]) or whole
        raise InvalidInput(name, first["msg"]) from None


def _in_range(at: datetime, info: ValidationInfo) -> datetime:
    latest: datetime = info.context[LATEST]  # type: ignore[index]
    if not EARLIEST <= at <= latest:
        raise PydanticCustomError("time", "is before the year 2000 or in the future")
    return at


# What `validated` checks a field for.
IN_RANGE = AfterValidator(_in_range)
Time = Annotated[AwareDatetime, IN_RANGE]
Identifier = Annotated[str, StringConstraints(pattern=f"^{CALL_ID.pattern}$")]
Name = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, max_length=MAX_NAME_LENGTH, pattern=r"^[^\x00-\x1f\x7f]*$"
    ),
]
