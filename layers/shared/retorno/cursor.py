"""Opaque cursors: where the next page of a list begins."""

import base64
import hashlib
import json
from collections.abc import Mapping

from retorno.errors import InvalidInput

DIGEST_LENGTH = 12
MAX_VALUE_LENGTH = 256


def encode(list_name: str, position: Mapping[str, str] | None) -> str | None:
    """`list_name` says which list it is, filters and all: the cursor is good for that alone."""
    if position is None:
        return None
    text = json.dumps([_digest(list_name), position], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(list_name: str, cursor: str | None, *fields: str) -> Mapping[str, str] | None:
    """The position, which has just these fields. Raises InvalidInput for any other cursor."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        digest, position = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, TypeError):
        raise InvalidInput("cursor", "is none that this API gave") from None
    if digest != _digest(list_name):
        raise InvalidInput("cursor", "belongs to another list or to other filters")
    if not isinstance(position, dict) or set(position) != set(fields):
        raise InvalidInput("cursor", "is none that this API gave")
    if not all(
        isinstance(value, str) and 0 < len(value) <= MAX_VALUE_LENGTH for value in position.values()
    ):
        raise InvalidInput("cursor", "is none that this API gave")
    return position


def _digest(list_name: str) -> str:
    return hashlib.sha256(list_name.encode()).hexdigest()[:DIGEST_LENGTH]
