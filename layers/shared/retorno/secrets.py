"""Secrets that sign webhooks, kept in Secrets Manager."""

from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.parameters.exceptions import (
    GetParameterError,
    TransformParameterError,
)

from retorno.errors import Unavailable

# A rotated secret is known everywhere after so long; until then, the one before still holds.
MAX_AGE_SECONDS = 60


def signing_secrets(name: str) -> list[str]:
    """The secrets that are valid now: `{"current": …, "previous": …}`, the latter not always.

    Raises Unavailable.
    """
    try:
        kept = parameters.get_secret(name, transform="json", max_age=MAX_AGE_SECONDS)
    except (GetParameterError, TransformParameterError) as error:
        raise Unavailable("the secrets cannot be read") from error
    if not isinstance(kept, dict):
        raise Unavailable("the secrets are not kept as an object")
    return [kept[role] for role in ("current", "previous") if kept.get(role)]
