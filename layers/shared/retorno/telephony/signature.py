"""How the senders that Retorno itself defines sign their webhooks.

`X-Retorno-Timestamp` is the time of sending in epoch seconds, and `X-Retorno-Signature` is
`v1=` and the hex HMAC-SHA256 of the timestamp, a full stop and the raw body.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime

from retorno.errors import NotAuthenticated
from retorno.telephony.ports import WebhookRequest

TOLERANCE_SECONDS = 300
EPOCH_SECONDS = re.compile(r"[0-9]{1,12}")


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """The value of X-Retorno-Signature."""
    message = b"%d." % timestamp + body
    return "v1=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def verify(request: WebhookRequest, secrets: Sequence[str], now: datetime) -> None:
    """Raises NotAuthenticated when the signature is of none of `secrets`, or is stale."""
    timestamp = request.headers.get("x-retorno-timestamp", "")
    signature = request.headers.get("x-retorno-signature", "")
    if not timestamp or not signature:
        raise NotAuthenticated("X-Retorno-Timestamp and X-Retorno-Signature are required")
    if not EPOCH_SECONDS.fullmatch(timestamp):
        raise NotAuthenticated("X-Retorno-Timestamp is not a number of epoch seconds")
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE_SECONDS:
        raise NotAuthenticated("X-Retorno-Timestamp is off by more than 5 minutes")
    given = signature.encode(errors="replace")
    if not any(
        hmac.compare_digest(sign(secret, int(timestamp), request.body).encode(), given)
        for secret in secrets
    ):
        raise NotAuthenticated("X-Retorno-Signature does not match the body")
