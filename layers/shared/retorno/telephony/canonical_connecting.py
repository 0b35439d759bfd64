"""Connecting callers through any telephone system that takes Retorno's own orders
(docs/offers.md)."""

import json
from urllib.parse import urlencode

import urllib3

from retorno.clock import Clock
from retorno.telephony.canonical_dialling import NOT_PLACED, signed
from retorno.telephony.dial_http import TIMEOUT, DialHttp
from retorno.telephony.ports import ConnectOrder, DialUncertain
from retorno.times import stamp


class CanonicalConnector:
    """`url` is where orders to call go; those to connect go to "/connections" under it."""

    def __init__(
        self, url: str, secret: str, clock: Clock, timeout: urllib3.Timeout = TIMEOUT
    ) -> None:
        self._http = DialHttp({"Content-Type": "application/json"}, NOT_PLACED, timeout)
        self._url = f"{url}/connections"
        self._secret = secret
        self._clock = clock

    def connect(self, order: ConnectOrder) -> None:
        body = json.dumps(
            {
                "offer_id": order.offer_id,
                "call_id": order.call_id,
                "queue": order.queue,
                "telephone": order.telephone,
                "agent": order.agent,
                "ordered_at": stamp(order.ordered_at),
            }
        ).encode()
        self._http.order(self._url, body=body, headers=signed(self._secret, self._clock, body))

    def is_connecting(self, order: ConnectOrder) -> bool:
        address = f"{self._url}?{urlencode({'offer_id': order.offer_id})}"
        found = self._http.look(address, headers=signed(self._secret, self._clock, b""))
        if found is None:
            return False
        if not isinstance(found, dict) or found.get("offer_id") != order.offer_id:
            raise DialUncertain("the telephone system answered of something else")
        return True
