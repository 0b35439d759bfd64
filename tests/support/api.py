"""The deployed API as its clients see it: whatever it answers comes back, good or bad."""

import csv
import io
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import urllib3

from local.client import sign
from local.stack import Stack

T = TypeVar("T")

# How long the stream, the queue and the schedules may take; the slowest runs once a minute.
PATIENCE_SECONDS = 150


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Api:
    """`agent` is who role `agent` is."""

    def __init__(self, stack: Stack, agent: str = "ana") -> None:
        self.stack = stack
        self.agent = agent
        self._pool = urllib3.PoolManager(maxsize=32, retries=False, timeout=60)

    def get(self, path: str, role: str | None = "supervisor", **query: str) -> Answer:
        return self._request("GET", path, headers=self.token(role), fields=_fields(query))

    def post(self, path: str, body: Any, role: str | None = "supervisor") -> Answer:
        return self.send("POST", path, body, role)

    def put(self, path: str, body: Any, role: str | None = "supervisor") -> Answer:
        return self.send("PUT", path, body, role)

    def pages(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """All items of a list, page after page."""
        while True:
            page = self.get(path, **query).body
            yield from page["items"]
            if page["cursor"] is None:
                return
            query["cursor"] = page["cursor"]

    def delete(self, path: str, role: str | None = "supervisor", **query: str) -> Answer:
        return self._request("DELETE", path, headers=self.token(role), fields=query)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        role: str | None = "supervisor",
        **headers: str,
    ) -> Answer:
        """A request with a JSON body, or with none; `if_match` is header If-Match."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = None if body is None else json.dumps(body)
        headers = {"Content-Type": "application/json", **self.token(role), **named}
        return self._request(method, path, headers=headers, body=content)

    def put_file(self, url: str, content: bytes) -> int:
        """Puts a file at an address that needs no token; says the status."""
        return self._pool.request("PUT", url, body=content).status

    def get_table(self, path: str, **query: str) -> list[dict[str, str]]:
        """What an address shows as CSV, row by row."""
        headers = {"Accept": "text/csv", **self.token("supervisor")}
        response = self._pool.request(
            "GET", self.stack.api_url + path, headers=headers, fields=_fields(query)
        )
        text = io.StringIO(response.data.decode("utf-8-sig"), newline="")
        return list(csv.DictReader(text, delimiter=";"))

    def get_file(self, url: str) -> bytes:
        return self._pool.request("GET", url).data

    def calls(self, events: list[dict[str, Any]]) -> Answer:
        return self.signed("/webhooks/calls", json.dumps({"events": events}).encode())

    def queue_log(self, lines: list[str]) -> Answer:
        text = "".join(f"{line}\n" for line in lines)
        return self.signed("/webhooks/asterisk/queue-log", text.encode(), "text/plain")

    def signed(self, path: str, body: bytes, content_type: str = "application/json") -> Answer:
        timestamp = int(time.time())
        headers = {
            "Content-Type": content_type,
            "X-Retorno-Timestamp": str(timestamp),
            "X-Retorno-Signature": sign(self.stack.webhook_secret, timestamp, body),
        }
        return self.request("POST", path, headers, body)

    def request(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        return self._request(method, path, headers=headers, body=body)

    def token(self, role: str | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.stack.tokens[role]}"} if role else {}

    def missed(self, **query: str) -> Iterator[dict[str, Any]]:
        """All missed calls, page after page."""
        return self.pages("/missed-calls", **query)

    def _request(self, method: str, path: str, **request: Any) -> Answer:
        response = self._pool.request(method, self.stack.api_url + path, **request)
        content_type = response.headers.get("Content-Type", "")
        body = json.loads(response.data or b"null")
        return Answer(response.status, body, content_type, response.headers)


def _fields(query: Mapping[str, str]) -> dict[str, str]:
    """`since` stands for "from", which Python keeps for itself."""
    return {"from" if name == "since" else name: value for name, value in query.items()}


def eventually(look: Callable[[], T], wanted: Callable[[T], bool]) -> T:
    """What `look` sees once it is as wanted, or else what it saw when patience ran out."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not wanted(seen := look()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return seen
