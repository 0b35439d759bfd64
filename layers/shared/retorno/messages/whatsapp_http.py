"""Sends messages by WhatsApp's Cloud API: each order once, and what is not known is never taken
for a no."""

import json
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import urllib3

from retorno.messages.model import MAX_ID_LENGTH, Refusal
from retorno.messages.refusals import UNREACHED
from retorno.messages.whatsapp import refusal_of

# Together well below what a function may take, so that it lives to write down how it ended.
TIMEOUT = urllib3.Timeout(connect=3, read=10)


class MessageRefused(Exception):
    """It was not sent."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"WhatsApp refused a message: {refusal.code}")
        self.refusal = refusal


class MessageUncertain(Exception):
    """Nobody knows whether it was sent."""


class WhatsApp:
    def __init__(
        self,
        url: str,
        phone_number_id: str,
        access_token: str,
        timeout: urllib3.Timeout = TIMEOUT,
    ) -> None:
        self._url = f"{url}/{quote(phone_number_id, safe='')}/messages"
        self._http = urllib3.PoolManager(retries=False, timeout=timeout)
        self._headers = {
            "Authorization": f"Bearer {access_token}",
            "Content-Type": "application/json",
            # A kept connection that the other side has closed meanwhile would make an order
            # uncertain.
            "Connection": "close",
        }

    def send(self, order: Mapping[str, Any], now: datetime) -> str:
        """The id that WhatsApp gives a message. Raises MessageRefused, MessageUncertain."""
        body = json.dumps(order).encode()
        try:
            answer = self._http.request("POST", self._url, body=body, headers=self._headers)
        except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError):
            raise _refused(now, "WhatsApp cannot be reached") from None
        except urllib3.exceptions.HTTPError:
            raise MessageUncertain("WhatsApp took the order and did not answer") from None
        told = _json(answer)
        error = told.get("error")
        # An error of the API's own says that nothing was sent, whatever the status.
        if isinstance(error, dict):
            raise MessageRefused(refusal_of(error, now))
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise _refused(now, "WhatsApp answered 429")
        if HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR and (
            answer.status not in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT)
        ):
            details = f"WhatsApp answered {answer.status}"
            raise MessageRefused(Refusal(at=now, code=None, details=details))
        return _id_in(told, answer.status)


def _refused(now: datetime, details: str) -> MessageRefused:
    return MessageRefused(Refusal(at=now, code=UNREACHED, details=details))


def _id_in(told: Mapping[str, Any], status: int) -> str:
    messages = told.get("messages")
    first = messages[0] if isinstance(messages, list) and messages else None
    wamid = first.get("id") if isinstance(first, dict) else None
    if not isinstance(wamid, str) or not 0 < len(wamid) <= MAX_ID_LENGTH:
        raise MessageUncertain(f"WhatsApp answered {status}, without the id of a message")
    return wamid


def _json(answer: urllib3.BaseHTTPResponse) -> dict[str, Any]:
    try:
        told = json.loads(answer.data)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
