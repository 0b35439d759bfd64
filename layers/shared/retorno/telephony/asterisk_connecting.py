"""Connecting callers through Asterisk's REST interface, ARI (https://docs.asterisk.org, Channels).

The operator's telephone is rung, by a channel with the offer's id, which makes a second one
impossible as long as it lives. Once it is picked up it goes on in the dialplan, which bridges it to
the caller's channel; whoever is not picked up for goes on waiting.
"""

import json
from urllib.parse import quote, urlencode

import urllib3

from retorno.telephony.asterisk_dialling import ENDPOINT
from retorno.telephony.dial_http import TIMEOUT, DialHttp, call_id_in
from retorno.telephony.ports import ConnectOrder, DialRefused

EXTENSION = "connect"
RING_SECONDS = 25


class AsteriskConnector:
    """`url` is ARI's own address, such as "https://pbx.example/ari"."""

    def __init__(
        self,
        url: str,
        username: str,
        password: str,
        context: str,
        timeout: urllib3.Timeout = TIMEOUT,
    ) -> None:
        credentials = urllib3.make_headers(basic_auth=f"{username}:{password}")
        self._http = DialHttp({**credentials, "Content-Type": "application/json"}, timeout=timeout)
        self._url = url
        self._context = context

    def connect(self, order: ConnectOrder) -> None:
        if not ENDPOINT.fullmatch(order.telephone):
            raise DialRefused("the telephone is no endpoint of PJSIP's")
        wanted = {
            "endpoint": f"PJSIP/{order.telephone}",
            "extension": EXTENSION,
            "context": self._context,
            "priority": "1",
            "timeout": str(RING_SECONDS),
        }
        variables = {
            "RETORNO_CALL": order.call_id,
            "RETORNO_QUEUE": order.queue,
            "RETORNO_AGENT": order.agent,
        }
        answer = self._http.order(
            f"{self._channel(order)}?{urlencode(wanted)}",
            body=json.dumps({"variables": variables}).encode(),
        )
        call_id_in(answer, "id")

    def is_connecting(self, order: ConnectOrder) -> bool:
        """A channel that is gone was not picked up, or its call is over."""
        return self._http.look(self._channel(order)) is not None

    def _channel(self, order: ConnectOrder) -> str:
        return f"{self._url}/channels/{quote(order.offer_id, safe='')}"
