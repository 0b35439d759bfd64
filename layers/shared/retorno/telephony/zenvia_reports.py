"""Zenvia Voice's reports (https://totalvoice.github.io/totalvoice-docs), read page by page."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import urllib3

from retorno.errors import Unavailable

# The most that Zenvia gives at once, and far more than it can have in a sensible period.
PAGE_ROWS = 200
MAX_ROWS = 100_000

TIMEOUT = urllib3.Timeout(connect=5, read=20)
RETRIES = urllib3.Retry(
    total=3,
    backoff_factor=1,
    allowed_methods={"GET"},
    status_forcelist={429, 500, 502, 503, 504},
    raise_on_status=False,
    # The token would follow to wherever a redirect leads.
    redirect=False,
    # What they ask for may be longer than a function runs.
    respect_retry_after_header=False,
)

# Whether the end of a period is itself in it, and in which zone it is meant, is not documented:
# too late an end is right in any case.
MARGIN = timedelta(days=1)


class ZenviaReport:
    """One report, such as `did/relatorio`."""

    def __init__(
        self,
        http: urllib3.PoolManager,
        api_url: str,
        name: str,
        token: str,
        *,
        timeout: urllib3.Timeout | None = None,
        retries: urllib3.Retry | None = None,
    ) -> None:
        self.name = name
        self._http = http
        self._url = f"{api_url}/{name}"
        self._headers = {"Access-Token": token, "Accept": "application/json"}
        self._timeout = timeout or TIMEOUT
        self._retries = retries or RETRIES

    def rows(self, since: datetime, until: datetime) -> Iterator[bytes]:
        """The calls that were made in a period. Raises Unavailable."""
        position = 0
        while page := self._page(since, until + MARGIN, position):
            yield from (json.dumps(row).encode() for row in page)
            position += len(page)
            if position > MAX_ROWS:
                raise Unavailable(f"more than {MAX_ROWS} rows")

    def _page(self, since: datetime, until: datetime, position: int) -> list[Any]:
        fields = {
            "data_inicio": _written(since),
            "data_fim": _written(until),
            "posicao": str(position),
            "limite": str(PAGE_ROWS),
        }
        try:
            answer = self._http.request(
                "GET",
                self._url,
                fields=fields,
                headers=self._headers,
                timeout=self._timeout,
                retries=self._retries,
            )
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable("no answer") from error
        if answer.status != HTTPStatus.OK:
            raise Unavailable(f"answered {answer.status}")
        try:
            page = json.loads(answer.data)["dados"]["relatorio"]
        except (ValueError, KeyError, TypeError):
            page = None
        if not isinstance(page, list):
            raise Unavailable("answered without a report")
        return page


def zenvia_reports(api_url: str, token: str, queues: Sequence[str]) -> list[ZenviaReport]:
    """Calls made, calls received, and the calls of each queue, by its id."""
    names = ["chamada/relatorio", "did/relatorio", *(f"fila/{each}/relatorio" for each in queues)]
    http = urllib3.PoolManager()
    return [ZenviaReport(http, api_url, name, token) for name in names]


def _written(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
