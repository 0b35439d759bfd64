"""Connecting callers through Twilio: a call that goes on is given other TwiML, which dials the
operator (https://www.twilio.com/docs/voice/api/call-resource, Update a Call).

Where nobody picks up, Twilio asks Retorno how the call goes on, and is told to queue it again.
"""

from collections.abc import Mapping
from datetime import timedelta
from html import escape
from urllib.parse import quote, urlencode

import urllib3

from retorno.clock import Clock
from retorno.telephony.dial_http import TIMEOUT, DialHttp, call_id_in
from retorno.telephony.ports import ConnectOrder, DialRefused, DialUncertain
from retorno.telephony.twilio import CLIENT, QUEUE, RETURNS
from retorno.telephony.twilio_dialling import (
    API_URL,
    CLOCK_SKEW,
    EVENTS,
    PAGE_SIZE,
    calls_in,
    created_at,
)

RING_SECONDS = 25

# The leg that rings an operator may be listed somewhat later than it was ordered.
LISTED_AFTER = timedelta(seconds=60)

RETURNED = frozenset({"busy", "no-answer", "canceled", "failed"})


class TwilioConnector:
    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        clock: Clock,
        api_url: str = API_URL,
        timeout: urllib3.Timeout = TIMEOUT,
    ) -> None:
        headers = urllib3.make_headers(basic_auth=f"{account_sid}:{auth_token}")
        self._http = DialHttp(headers, timeout=timeout)
        self._url = f"{api_url}/2010-04-01/Accounts/{quote(account_sid, safe='')}/Calls"
        self._clock = clock

    def connect(self, order: ConnectOrder) -> None:
        answer = self._http.order(
            f"{self._url}/{quote(order.call_id, safe='')}.json",
            body=urlencode({"Twiml": _twiml(order)}).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        call_id_in(answer, "sid")

    def is_connecting(self, order: ConnectOrder) -> bool:
        fields = {"ParentCallSid": order.call_id, "PageSize": str(PAGE_SIZE)}
        legs = calls_in(self._http.look(f"{self._url}.json?{urlencode(fields)}"))
        since = order.ordered_at - CLOCK_SKEW
        rung = [leg for leg in legs if _rings(leg, order) and created_at(leg) >= since]
        if rung:
            return any(leg.get("status") not in RETURNED for leg in rung)
        if self._clock() < order.ordered_at + LISTED_AFTER:
            raise DialUncertain("Twilio lists no leg to the operator, or not yet")
        return False


def _rings(leg: Mapping[str, object], order: ConnectOrder) -> bool:
    return leg.get("to") == order.telephone


def _twiml(order: ConnectOrder) -> str:
    """Raises DialRefused for a telephone that Twilio cannot ring."""
    webhooks = f"{order.webhooks_url}/webhooks/twilio"
    goes_on = f"{webhooks}/{RETURNS}?{urlencode({QUEUE: order.queue})}"
    tells = (
        f'statusCallback="{escape(f"{webhooks}/voice")}" statusCallbackEvent="{" ".join(EVENTS)}"'
    )
    telephone = order.telephone
    if telephone.startswith(CLIENT):
        rings = f"<Client {tells}>{escape(telephone.removeprefix(CLIENT))}</Client>"
    elif telephone.startswith("sip:"):
        rings = f"<Sip {tells}>{escape(telephone)}</Sip>"
    elif telephone.startswith("+"):
        rings = f"<Number {tells}>{escape(telephone)}</Number>"
    else:
        raise DialRefused("the telephone is no number in E.164, no sip: and no client:")
    return (
        f'<Response><Dial answerOnBridge="true" timeout="{RING_SECONDS}" '
        f'action="{escape(goes_on)}">{rings}</Dial></Response>'
    )
