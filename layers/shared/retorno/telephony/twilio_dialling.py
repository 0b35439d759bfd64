"""Placing calls through Twilio (https://www.twilio.com/docs/voice/api/call-resource).

Twilio rings the operator's telephone, and TwiML that goes with the order dials the customer. Both
legs tell of themselves with the attempt in the address, so that `telephony.twilio` knows which of
them is the customer.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from html import escape
from typing import Any
from urllib.parse import quote, urlencode

import urllib3

from retorno.telephony.dial_http import TIMEOUT, DialHttp, call_id_in
from retorno.telephony.ports import DialOrder, DialUncertain
from retorno.telephony.twilio import DIAL_ID, Twilio

API_URL = "https://api.twilio.com"

EVENTS = ("initiated", "ringing", "answered", "completed")

# How far Twilio's clock may be from ours, and how long an order may take to become a call.
CLOCK_SKEW = timedelta(seconds=30)
UNTIL_CREATED = timedelta(minutes=2)

# The newest calls of one telephone that are looked through.
PAGE_SIZE = 50


class TwilioDialler:
    """Twilio keeps no word of ours with a call. An order is found again by the operator's
    telephone, by when it was sent, and by whom the call then dialled."""

    name = Twilio.name

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        api_url: str = API_URL,
        timeout: urllib3.Timeout = TIMEOUT,
    ) -> None:
        headers = urllib3.make_headers(basic_auth=f"{account_sid}:{auth_token}")
        self._http = DialHttp(headers, timeout=timeout)
        self._url = f"{api_url}/2010-04-01/Accounts/{quote(account_sid, safe='')}/Calls.json"

    def dial(self, order: DialOrder) -> str:
        caller_id = order.caller_id or ""
        tells = f"{order.webhooks_url}/webhooks/twilio/voice?{DIAL_ID}={order.attempt_id}"
        form = [
            ("To", order.telephone),
            ("From", caller_id),
            ("Twiml", _twiml(order, caller_id, tells)),
            ("StatusCallback", tells),
            *(("StatusCallbackEvent", event) for event in EVENTS),
        ]
        answer = self._http.order(
            self._url,
            body=urlencode(form).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        return call_id_in(answer, "sid")

    def find(self, order: DialOrder) -> str | None:
        """Raises DialUncertain also for a call to the telephone that has not dialled anyone yet:
        it may be another order's."""
        waiting = False
        for call in self._calls_to(order):
            children = list(self._page({"ParentCallSid": call_id_in(call, "sid")}))
            if any(child.get("to") == order.number for child in children):
                return call_id_in(call, "sid")
            waiting = waiting or not children
        if waiting:
            raise DialUncertain("a call to the telephone has not dialled a customer")
        return None

    def _calls_to(self, order: DialOrder) -> Iterable[Mapping[str, Any]]:
        """Those that the API made in the time in which the order would have become one."""
        since = order.ordered_at - CLOCK_SKEW
        until = order.ordered_at + UNTIL_CREATED
        asked = {"To": order.telephone, "From": order.caller_id or "", "PageSize": str(PAGE_SIZE)}
        calls = list(self._page(asked))
        if len(calls) >= PAGE_SIZE and all(created_at(call) > since for call in calls):
            raise DialUncertain("the telephone had more calls since than are looked through")
        return [
            call
            for call in calls
            if call.get("direction") == "outbound-api" and since <= created_at(call) <= until
        ]

    def _page(self, fields: Mapping[str, str]) -> Iterable[Mapping[str, Any]]:
        return calls_in(self._http.look(f"{self._url}?{urlencode(fields)}"))


def calls_in(answer: Any) -> Iterable[Mapping[str, Any]]:
    """The calls that a page of Twilio's lists. Raises DialUncertain where it lists none."""
    calls = answer.get("calls") if isinstance(answer, dict) else None
    if not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls):
        raise DialUncertain("Twilio answered without a list of calls")
    return calls


def _twiml(order: DialOrder, caller_id: str, tells: str) -> str:
    events = " ".join(EVENTS)
    first_words = f' url="{escape(order.menu_url)}"' if order.menu_url else ""
    return (
        f'<Response><Dial callerId="{escape(caller_id)}">'
        f'<Number statusCallback="{escape(tells)}" statusCallbackEvent="{events}"{first_words}>'
        f"{escape(order.number)}</Number></Dial></Response>"
    )


def created_at(call: Mapping[str, Any]) -> datetime:
    """Raises DialUncertain where it is not told."""
    try:
        at = parsedate_to_datetime(str(call["date_created"]))
    except (KeyError, ValueError, OverflowError):
        raise DialUncertain("Twilio does not tell when a call was made") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
