"""Placing calls through any telephone system that takes Retorno's own orders (docs/dialling.md)."""

import json
from http import HTTPStatus
from urllib.parse import urlencode

import urllib3

from retorno.clock import Clock
from retorno.telephony import signature
from retorno.telephony.canonical import Canonical
from retorno.telephony.dial_http import TIMEOUT, DialHttp, call_id_in
from retorno.telephony.ports import DialOrder
from retorno.times import stamp

# By its contract, which is ours, a system that answers so has placed no call.
NOT_PLACED = {HTTPStatus.SERVICE_UNAVAILABLE}


class CanonicalDialler:
    """Orders are signed as webhooks are; a look-up signs an empty body."""

    name = Canonical.name

    def __init__(
        self, url: str, secret: str, clock: Clock, timeout: urllib3.Timeout = TIMEOUT
    ) -> None:
        self._http = DialHttp({"Content-Type": "application/json"}, NOT_PLACED, timeout)
        self._url = url
        self._secret = secret
        self._clock = clock

    def dial(self, order: DialOrder) -> str:
        body = json.dumps(
            {
                "attempt_id": order.attempt_id,
                "number": order.number,
                "telephone": order.telephone,
                "agent": order.agent,
                "caller_id": order.caller_id,
                "ordered_at": stamp(order.ordered_at),
                "menu_url": order.menu_url,
            }
        ).encode()
        return call_id_in(
            self._http.order(self._url, body=body, headers=signed(self._secret, self._clock, body)),
            "call_id",
        )

    def find(self, order: DialOrder) -> str | None:
        address = f"{self._url}?{urlencode({'attempt_id': order.attempt_id})}"
        found = self._http.look(address, headers=signed(self._secret, self._clock, b""))
        return None if found is None else call_id_in(found, "call_id")


def signed(secret: str, clock: Clock, body: bytes) -> dict[str, str]:
    """The headers that sign an order."""
    timestamp = int(clock().timestamp())
    return {
        "X-Retorno-Timestamp": str(timestamp),
        "X-Retorno-Signature": signature.sign(secret, timestamp, body),
    }
