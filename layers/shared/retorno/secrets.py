"""Secrets that sign webhooks, and credentials, kept in Secrets Manager."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.parameters.exceptions import (
    GetParameterError,
    TransformParameterError,
)

from retorno import aws
from retorno.errors import Conflict, Unavailable

# A rotated secret is known everywhere after so long; until then, the one before still holds.
MAX_AGE_SECONDS = 60


def signing_secrets(name: str) -> list[str]:
    """The secrets that are valid now: `{"current": …, "previous": …}`, the latter not always.

    Raises Unavailable.
    """
    kept = _kept(name)
    return [kept[role] for role in ("current", "previous") if kept.get(role)]


def credential(name: str, field: str) -> str:
    """One of the credentials that a secret holds as an object.

    Raises Conflict where it is not among them, Unavailable.
    """
    told = _kept(name).get(field)
    if not isinstance(told, str) or not told:
        raise Conflict(f"the secret does not hold {field}")
    return told


@cache
def provider() -> SecretsProvider:
    # It would make a session of its own, which reads again what boto3's has read.
    return SecretsProvider(boto3_client=aws.client("secretsmanager"))


def _kept(name: str) -> Mapping[str, Any]:
    try:
        kept = provider().get(name, transform="json", max_age=MAX_AGE_SECONDS)
    except (GetParameterError, TransformParameterError) as error:
        raise Unavailable("the secrets cannot be read") from error
    if not isinstance(kept, dict):
        raise Unavailable("the secrets are not kept as an object")
    return kept
