"""Placing calls through Asterisk's REST interface, ARI (https://docs.asterisk.org, Channels).

The channel to the operator gets the attempt's id, which makes a second one impossible as long as it
lives. Once answered, it goes on in the dialplan, with the customer's number as the extension.
"""

import re
from urllib.parse import quote, urlencode

import urllib3

from retorno.telephony.asterisk import Asterisk
from retorno.telephony.dial_http import TIMEOUT, DialHttp, call_id_in
from retorno.telephony.ports import DialOrder, DialRefused, DialUncertain

# An endpoint of the switchboard's own: with "@" it could be any number, through any trunk.
ENDPOINT = re.compile(r"[A-Za-z0-9._-]{1,64}")
RING_SECONDS = 30


class AsteriskDialler:
    """`url` is ARI's own address, such as "https://pbx.example/ari"."""

    name = Asterisk.name

    def __init__(
        self,
        url: str,
        username: str,
        password: str,
        context: str,
        timeout: urllib3.Timeout = TIMEOUT,
    ) -> None:
        self._http = DialHttp(
            urllib3.make_headers(basic_auth=f"{username}:{password}"), timeout=timeout
        )
        self._url = url
        self._context = context

    def dial(self, order: DialOrder) -> str:
        if not ENDPOINT.fullmatch(order.telephone):
            raise DialRefused("the telephone is no endpoint of PJSIP's")
        if order.menu_url:
            raise DialRefused("Asterisk runs no menu of ours before it connects")
        wanted = {
            "endpoint": f"PJSIP/{order.telephone}",
            "extension": order.number,
            "context": self._context,
            "priority": "1",
            "timeout": str(RING_SECONDS),
            **({"callerId": order.caller_id} if order.caller_id else {}),
        }
        return call_id_in(self._http.order(f"{self._channel(order)}?{urlencode(wanted)}"), "id")

    def find(self, order: DialOrder) -> str | None:
        """Asterisk forgets a channel that is over: then nobody can say whether there was one."""
        found = self._http.look(self._channel(order))
        if found is None:
            raise DialUncertain("Asterisk has no such channel, or no longer")
        return call_id_in(found, "id")

    def _channel(self, order: DialOrder) -> str:
        return f"{self._url}/channels/{quote(order.attempt_id, safe='')}"
