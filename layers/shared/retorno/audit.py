"""Who read or changed what: one line in the log for each request of a user."""

import re
from collections.abc import Collection, Mapping
from urllib.parse import unquote

from retorno.observability import logger

MESSAGE = "audit"
SHOWN_DIGITS = 4

# No id of a call, a customer or anything else is written like this.
NUMBER = re.compile(r"(whatsapp:)?\+?[\d\s()/-]{10,}")


def audit(
    *,
    user: str,
    agent: str,
    groups: Collection[str],
    route: str,
    of: Mapping[str, str],
    status: int,
    request_id: str,
) -> None:
    """`of` names what was asked for, such as `call_id`; numbers in it are masked."""
    logger.info(
        MESSAGE,
        extra={
            "user": user,
            "agent": agent,
            "groups": sorted(groups),
            "route": route,
            "of": {name: masked(name, text) for name, text in of.items()},
            "status": status,
            "request_id": request_id,
        },
    )


def masked(name: str, text: str) -> str:
    """A text of a path or a query, without all but the last digits where it is a number."""
    plain = unquote(text)
    if name != "number" and not NUMBER.fullmatch(plain):
        return plain
    digits = re.sub(r"\D", "", plain)
    return f"••••{digits[-SHOWN_DIGITS:]}" if len(digits) > SHOWN_DIGITS else "••••"
