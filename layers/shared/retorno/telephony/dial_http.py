"""Orders to dial over HTTP: each is sent once, and what is not known is never taken for a no."""

import json
from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Any

import urllib3

from retorno.telephony.ports import CALL_ID, DialFailed, DialRefused, DialUncertain

# Together well below what a function may take, so that it lives to write down how it ended.
TIMEOUT = urllib3.Timeout(connect=3, read=10)

# A longer wait would be no help to an operator.
MAX_RETRY_AFTER_SECONDS = 3600

# A kept connection that the other side has closed meanwhile would make an order uncertain.
ONCE = {"Connection": "close"}


class DialHttp:
    """A provider's API. `not_placed` are the statuses beside 429 by which it says that it did
    nothing, and may be asked again."""

    def __init__(
        self,
        headers: Mapping[str, str],
        not_placed: Collection[int] = (),
        timeout: urllib3.Timeout = TIMEOUT,
    ) -> None:
        self._http = urllib3.PoolManager(retries=False, timeout=timeout)
        self._headers = {"Accept": "application/json", **headers, **ONCE}
        self._not_placed = {HTTPStatus.TOO_MANY_REQUESTS, *not_placed}

    def order(
        self, url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """The JSON of a good answer to a POST; None where it is no JSON.

        Raises DialRefused, DialFailed, DialUncertain.
        """
        try:
            answer = self._ask("POST", url, body, headers)
        except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError):
            raise DialFailed("the telephone system cannot be reached") from None
        except urllib3.exceptions.HTTPError:
            raise DialUncertain("the telephone system took the order and did not answer") from None
        if answer.status in self._not_placed:
            raise DialFailed(_says(answer), _retry_after(answer))
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status in (
            HTTPStatus.REQUEST_TIMEOUT,
            HTTPStatus.CONFLICT,
        ):
            raise DialUncertain(_says(answer))
        if not _is_good(answer):
            raise DialRefused(_says(answer))
        return _json(answer)

    def look(self, url: str, *, headers: Mapping[str, str] | None = None) -> Any:
        """The JSON of a good answer to a GET; None where there is nothing at the address (404).

        Raises DialUncertain.
        """
        try:
            answer = self._ask("GET", url, None, headers)
        except urllib3.exceptions.HTTPError:
            raise DialUncertain("the telephone system does not answer") from None
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if not _is_good(answer) or (found := _json(answer)) is None:
            raise DialUncertain(_says(answer))
        return found

    def _ask(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str] | None
    ) -> urllib3.BaseHTTPResponse:
        return self._http.request(
            method, url, body=body, headers={**self._headers, **(headers or {})}
        )


def call_id_in(answer: Any, field: str) -> str:
    """The id that an answer holds, as text. Raises DialUncertain where it holds none."""
    told = answer.get(field) if isinstance(answer, dict) else None
    call_id = str(told) if isinstance(told, str | int) and not isinstance(told, bool) else ""
    if not CALL_ID.fullmatch(call_id):
        raise DialUncertain("the telephone system answered without the id of a call")
    return call_id


def _is_good(answer: urllib3.BaseHTTPResponse) -> bool:
    return HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES


def _json(answer: urllib3.BaseHTTPResponse) -> Any:
    try:
        return json.loads(answer.data)
    except (ValueError, RecursionError):
        return None


def _says(answer: urllib3.BaseHTTPResponse) -> str:
    """The status and the provider's own code: its words may hold the number."""
    told = _json(answer)
    codes = told if isinstance(told, dict) else {}
    code = codes.get("code", codes.get("motivo"))
    known = f", code {code}" if isinstance(code, int) else ""
    return f"the telephone system answered {answer.status}{known}"


def _retry_after(answer: urllib3.BaseHTTPResponse) -> float | None:
    """In seconds; it may be told as a date."""
    told = answer.headers.get("Retry-After")
    if told is None:
        return None
    try:
        return min(urllib3.Retry().parse_retry_after(told), MAX_RETRY_AFTER_SECONDS)
    except urllib3.exceptions.InvalidHeader:
        return None
