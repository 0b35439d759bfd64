"""Webhooks as providers send them to the API."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.support.deployment import TWILIO_TOKEN, WEBHOOK_SECRET, ZENVIA_SECRET
from tests.support.events import DOMAIN, http

CANONICAL = "POST /webhooks/calls"
ASTERISK = "POST /webhooks/asterisk/queue-log"
TWILIO = "POST /webhooks/twilio/voice"
MENU = "POST /webhooks/twilio/menus/{menu}"
TWILIO_RETURNED = "POST /webhooks/twilio/returned-calls"
ZENVIA = "POST /webhooks/zenvia/{secret}"
ZENVIA_DID = "POST /webhooks/zenvia/{secret}/did"


def signed(
    route: str,
    body: bytes,
    sent: datetime,
    secret: str = WEBHOOK_SECRET,
    *,
    in_base64: bool = False,
) -> dict[str, Any]:
    """A webhook in Retorno's own scheme (docs/webhooks.md), signed at `sent`."""
    timestamp = str(int(sent.timestamp()))
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"X-Retorno-Timestamp": timestamp, "X-Retorno-Signature": f"v1={digest}"}
    return http(route, headers=headers, body=body, in_base64=in_base64)


def canonical(sent: datetime, *events: object, secret: str = WEBHOOK_SECRET) -> dict[str, Any]:
    return signed(CANONICAL, json.dumps({"events": events}).encode(), sent, secret)


def queue_log(sent: datetime, *lines: str) -> dict[str, Any]:
    return signed(ASTERISK, "".join(f"{line}\n" for line in lines).encode(), sent)


def twilio(
    form: dict[str, str],
    token: str = TWILIO_TOKEN,
    query: dict[str, str] | None = None,
    route: str = TWILIO,
) -> dict[str, Any]:
    """A status callback, signed as Twilio signs."""
    path = route.removeprefix("POST ")
    url = f"https://{DOMAIN}{path}" + (f"?{urlencode(query)}" if query else "")
    headers = signed_by_twilio(url, form, token)
    body = urlencode(form).encode()
    return http(route, query=query, headers=headers, body=body, in_base64=True)


def signed_by_twilio(url: str, form: Mapping[str, str], token: str) -> dict[str, str]:
    """The headers of a form that Twilio sends (https://www.twilio.com/docs/usage/security)."""
    message = url + "".join(name + form[name] for name in sorted(form))
    digest = hmac.new(token.encode(), message.encode(), hashlib.sha1).digest()
    return {
        "X-Twilio-Signature": base64.b64encode(digest).decode(),
        "Content-Type": "application/x-www-form-urlencoded",
    }


def menu(url: str, form: Mapping[str, str], token: str = TWILIO_TOKEN) -> dict[str, Any]:
    """What Twilio asks at an address of the API, which it has from us or was given."""
    address = urlsplit(url)
    return http(
        MENU,
        path=address.path,
        query=dict(parse_qsl(address.query, keep_blank_values=True)),
        headers=signed_by_twilio(url, form, token),
        body=urlencode(form).encode(),
        in_base64=True,
    )


def zenvia(payload: object, *, route: str = ZENVIA, secret: str = ZENVIA_SECRET) -> dict[str, Any]:
    """A webhook of Zenvia Voice: nothing but its address says that it is one."""
    path = route.removeprefix("POST ").replace("{secret}", secret)
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    headers = {"Content-Type": "application/json"}
    return http(route, path=path, headers=headers, body=body, in_base64=True)
