"""JSON of a provider, held against what it may be; what does not fit is InvalidInput."""

import json
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, StringConstraints, ValidationError

from retorno.errors import InvalidInput
from retorno.telephony.ports import MAX_NAME_LENGTH

ModelT = TypeVar("ModelT", bound=BaseModel)

Name = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, max_length=MAX_NAME_LENGTH, pattern=r"^[^\x00-\x1f\x7f]*$"
    ),
]


def json_of(payload: bytes) -> Any:
    """Raises InvalidInput."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        raise InvalidInput("body", "is not JSON in UTF-8") from None


def validated(
    model: type[ModelT], entry: Any, whole: str, context: dict[str, Any] | None = None
) -> ModelT:
    """The entry as a model. Raises InvalidInput, which names `whole` where no field is to blame.

    What was said is never repeated in the reason.
    """
    try:
        return model.model_validate(entry, context=context)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"]) or whole
        raise InvalidInput(name, first["msg"]) from None
