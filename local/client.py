"""Speaks to a running stack as its neighbours do: a telephony provider, and a person's console."""

import hashlib
import hmac
import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import urllib3

from local.errors import CloudError
from local.stack import HOME, Stack

# Webhooks are idempotent, so that a POST may be sent again like anything else.
RETRIES = urllib3.Retry(
    total=3,
    backoff_factor=0.2,
    status_forcelist=(429, 502, 503, 504),
    allowed_methods=None,
    raise_on_status=False,
)
PAGE = 100
IMPORT_SECONDS = 120


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """X-Retorno-Signature as a sender computes it, without the product's own code."""
    message = f"{timestamp}.".encode() + body
    return "v1=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


class Client:
    """One kept-alive connection to the API; whatever fails raises CloudError."""

    def __init__(self, api_url: str, webhook_secret: str, token: str) -> None:
        self.api_url = api_url.rstrip("/")
        self._token = token
        self._webhook_secret = webhook_secret
        self._pool = urllib3.PoolManager(retries=RETRIES, timeout=30)

    @classmethod
    def of_stack(cls, home: Path = HOME) -> Self:
        """The client of the stack that `python -m local up` started."""
        stack = Stack.read(home)
        return cls(stack.api_url, stack.webhook_secret, stack.tokens["supervisor"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.clear()

    def send_calls(self, events: Sequence[dict[str, Any]]) -> None:
        body = json.dumps({"events": events}).encode()
        answer = self._post("/webhooks/calls", body, "application/json")
        if answer["refused"]:
            raise CloudError(f"the API refused an event: {answer['refused'][0]}")

    def send_queue_log(self, lines: bytes) -> dict[str, Any]:
        return self._post("/webhooks/asterisk/queue-log", lines, "text/plain; charset=utf-8")

    def missed_calls(
        self, since: datetime, until: datetime, state: str = ""
    ) -> Iterator[dict[str, Any]]:
        """All missed calls of a period, or those in one state, newest first, page after page."""
        query = {**_period(since, until), "limit": str(PAGE)}
        if state:
            query["state"] = state
        return self._items("/missed-calls", query)

    def summary(self, since: datetime, until: datetime) -> dict[str, Any]:
        return self._get("/missed-calls/summary", _period(since, until))

    def dashboard(self, first: date, last: date) -> dict[str, Any]:
        """The figures of days, both included."""
        return self._get("/dashboard", {"from": str(first), "to": str(last)})

    def dispose(self, call_id: str, code: str) -> bool:
        """Sums a call up; False where the API does not know the call yet."""
        path, also = f"/calls/{call_id}/disposition", (HTTPStatus.NOT_FOUND,)
        return "code" in self._write("PUT", path, {"code": code}, also)

    def as_user(self, token: str) -> "Client":
        """The same stack, to somebody else."""
        return Client(self.api_url, self._webhook_secret, token)

    def set_up(self, path: str, draft: dict[str, Any]) -> dict[str, Any]:
        """Makes an agent, a queue or a campaign what it is to be, whether or not it was there."""
        version = self._get(path, also=(HTTPStatus.NOT_FOUND,)).get("version")
        headers = {"If-Match": f'"{version}"'} if version else {}
        return self._write("PUT", path, draft, headers=headers)

    def agents(self) -> list[dict[str, Any]]:
        return list(self._items("/agents", {"limit": str(PAGE)}))

    def me(self) -> dict[str, Any]:
        """The agent that the user is."""
        return self._get("/agents/me")

    def offer(self) -> dict[str, Any] | None:
        """The call that is offered to the user; None while none is."""
        found = self._get("/offers/me", also=(HTTPStatus.NOT_FOUND,))
        return found if "offer_id" in found else None

    def answer_offer(self, offer_id: str, answer: str) -> None:
        """`accept` or `reject`. The call may be gone by then."""
        self._write("POST", f"/offers/{offer_id}/{answer}", {}, also=(HTTPStatus.CONFLICT,))

    def say(self, state: str, reason: str | None = None) -> None:
        """What the user, an agent, is from now on."""
        self._write("PUT", "/agents/me/presence", {"state": state, "reason": reason})

    def make_quote(self, wish: dict[str, Any], key: str) -> dict[str, Any] | None:
        """The quote; None where the API does not know its call yet."""
        headers, also = {"Idempotency-Key": key}, (HTTPStatus.UNPROCESSABLE_ENTITY,)
        made = self._write("POST", "/quotes", wish, also, headers)
        return made if "quote_id" in made else None

    def decide_quote(self, quote_id: str, how: str, told: dict[str, Any]) -> None:
        """`win` or `lose`."""
        self._write("POST", f"/quotes/{quote(quote_id, safe='')}/{how}", told)

    def quotes_of(self, agent: str, since: datetime) -> Iterator[dict[str, Any]]:
        return self._items("/quotes", {"agent": agent, "from": since.isoformat()})

    def call(self, call_id: str) -> dict[str, Any]:
        return self._get(f"/calls/{quote(call_id, safe='')}")

    def send_message(self, number: str, wish: dict[str, Any], key: str) -> dict[str, Any]:
        """The message; or the refusal, where the customer has no open session."""
        headers, also = {"Idempotency-Key": key}, (HTTPStatus.CONFLICT,)
        return self._write("POST", f"{_chat_path(number)}/messages", wish, also, headers)

    def conversation(self, number: str) -> dict[str, Any]:
        """Nothing where nobody has written yet."""
        found = self._get(_chat_path(number), also=(HTTPStatus.NOT_FOUND,))
        return found if "conversation" in found else {}

    def conversations(self) -> Iterator[dict[str, Any]]:
        return self._items("/conversations", {"limit": str(PAGE)})

    def read_conversation(self, number: str) -> None:
        self._write("POST", f"{_chat_path(number)}/read", {})

    def messages(self, number: str) -> Iterator[dict[str, Any]]:
        """In their order."""
        return self._items(f"{_chat_path(number)}/messages", {"limit": str(PAGE)})

    def tell_as_whatsapp(self, body: bytes, headers: Mapping[str, str]) -> None:
        self._request("POST", "/webhooks/whatsapp", headers=headers, body=body)

    def set_paused(self, campaign_id: str, paused: bool) -> None:
        what = "pause" if paused else "resume"
        self._write("POST", f"/callback-campaigns/{campaign_id}/{what}", {})

    def campaigns(self) -> list[dict[str, Any]]:
        return list(self._items("/callback-campaigns", {}))

    def remove_campaign(self, campaign: dict[str, Any]) -> None:
        path = f"/callback-campaigns/{campaign['campaign_id']}"
        self._write("DELETE", path, {}, headers={"If-Match": f'"{campaign["version"]}"'})

    def contacts(self, list_name: str, state: str) -> list[dict[str, Any]]:
        query = {"list_name": list_name, "state": state, "limit": str(PAGE)}
        return list(self._items("/callback-contacts", query))

    def contacts_of(self, number: str) -> list[dict[str, Any]]:
        return list(self._items("/callback-contacts", {"number": number}))

    def promise(self, wish: dict[str, Any], key: str) -> bool:
        """Promises a customer a call at a time; False where that is past when the API is told."""
        headers, also = {"Idempotency-Key": key}, (HTTPStatus.UNPROCESSABLE_ENTITY,)
        return "callback_id" in self._write("POST", "/callbacks", wish, also, headers)

    def request_callback(self, call_id: str) -> bool:
        """For a caller who waits; False where the API does not know that, or not yet."""
        body, also = {"call_id": call_id}, (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
        return "contact_id" in self._write("POST", "/callback-requests", body, also)

    def import_customers(self, content: bytes) -> dict[str, Any]:
        """Imports a CSV file, and gives what became of it."""
        return self._import("/customers/imports", {}, content)

    def link_customers(self, campaign: str, content: bytes) -> dict[str, Any]:
        """Links the customers of a CSV file to a campaign, and gives what became of it."""
        return self._import("/telemarketing/link-imports", {"campaign": campaign}, content)

    def worklist(self, campaign: str, state: str) -> dict[str, Any]:
        """The first page of the user's list; and how many are in each of them."""
        query = {"campaign": campaign, "state": state, "limit": str(PAGE)}
        return self._get("/telemarketing/worklist", query)

    def next_customer(self, campaign: str) -> dict[str, Any] | None:
        """Whom the user is to contact next; None while nobody waits."""
        return self._write("POST", "/telemarketing/worklist/next", {"campaign": campaign}) or None

    def open_operation(self, campaign: str, customer_id: str) -> dict[str, Any]:
        """The operation, or the refusal, which says by whom the customer is held."""
        wish = {"campaign": campaign, "customer_id": customer_id}
        return self._write("POST", "/telemarketing/operations", wish, also=(HTTPStatus.CONFLICT,))

    def save_operation(self, operation: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
        headers = {"If-Match": f'"{operation["version"]}"'}
        return self._write("PATCH", _path_of(operation), changes, headers=headers)

    def copy_script(self, operation: dict[str, Any]) -> dict[str, Any]:
        return self._write("POST", f"{_path_of(operation)}/copy-script", {})

    def end_operation(self, operation: dict[str, Any], how: str, result: dict[str, Any]) -> None:
        """`conclude`, `postpone` or `no-contact`."""
        self._write("POST", f"{_path_of(operation)}/{how}", result)

    def schedule(self, campaign: str, customer_id: str, at: datetime) -> None:
        path = f"{_customer_path(campaign, customer_id)}/schedule"
        self._write("PUT", path, {"at": at.isoformat()})

    def delete_schedule(self, campaign: str, customer_id: str) -> None:
        self._write("DELETE", f"{_customer_path(campaign, customer_id)}/schedule", {})

    def transfer(self, campaign: str, customer_id: str, agent: str | None) -> None:
        path = f"{_customer_path(campaign, customer_id)}/transfer"
        self._write("POST", path, {"agent": agent})

    def history(self, campaign: str, customer_id: str) -> list[dict[str, Any]]:
        """What was done with a customer of a campaign, the last first."""
        path = f"{_customer_path(campaign, customer_id)}/history"
        return list(self._items(path, {"limit": str(PAGE)}))

    def telemarketing_statistics(self, campaign: str, since: date, until: date) -> dict[str, Any]:
        """Agent by agent."""
        query = {"campaign": campaign, "from": str(since), "to": str(until), "group_by": "agent"}
        return self._get("/telemarketing/statistics", query)

    def _import(self, path: str, wish: dict[str, Any], content: bytes) -> dict[str, Any]:
        begun = self._write("POST", path, {**wish, "bytes": len(content)})
        answer = self._pool.request("PUT", begun["upload_url"], body=content)
        if answer.status != HTTPStatus.OK:
            raise CloudError(f"the file could not be put: {answer.status}")
        deadline = time.monotonic() + IMPORT_SECONDS
        while time.monotonic() < deadline:
            shown = self._get(f"{path}/{begun['import_id']}")
            if shown["state"] == "done":
                return shown
            if shown["state"] == "failed":
                raise CloudError(f"the customers could not be imported: {shown['reason']}")
            time.sleep(0.5)
        raise CloudError(f"the customers were not imported within {IMPORT_SECONDS} seconds")

    def _items(self, path: str, query: dict[str, str]) -> Iterator[dict[str, Any]]:
        while True:
            page = self._get(path, query)
            yield from page["items"]
            if not page.get("cursor"):
                return
            query["cursor"] = page["cursor"]

    def _write(
        self,
        method: str,
        path: str,
        body: object,
        also: Collection[int] = (),
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        own = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        content = json.dumps(body).encode()
        return self._request(
            method, path, headers={**own, **(headers or {})}, body=content, also=also
        )

    def _post(self, path: str, body: bytes, content_type: str) -> dict[str, Any]:
        timestamp = int(time.time())
        headers = {
            "Content-Type": content_type,
            "X-Retorno-Timestamp": str(timestamp),
            "X-Retorno-Signature": sign(self._webhook_secret, timestamp, body),
        }
        return self._request("POST", path, headers=headers, body=body)

    def _get(
        self, path: str, query: dict[str, str] | None = None, also: Collection[int] = ()
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}"}
        return self._request("GET", path, headers=headers, fields=query, also=also)

    def _request(
        self, method: str, path: str, also: Collection[int] = (), **request: Any
    ) -> dict[str, Any]:
        """`also` are statuses that are no failure here."""
        try:
            response = self._pool.request(method, self.api_url + path, **request)
        except urllib3.exceptions.HTTPError:
            raise CloudError(
                f"nothing answers at {self.api_url}: start it with `python -m local up`"
            ) from None
        if response.status not in (200, 201, 202, 204, *also):
            text = " ".join(response.data.decode(errors="replace").split())
            raise CloudError(f"{method} {path} answered {response.status}: {text[:200]}")
        answer: dict[str, Any] = response.json() if response.data else {}
        return answer


def _period(since: datetime, until: datetime) -> dict[str, str]:
    return {"from": since.isoformat(), "to": until.isoformat()}


def _chat_path(number: str) -> str:
    return f"/conversations/{quote(number, safe='')}"


def _customer_path(campaign: str, customer_id: str) -> str:
    return f"/telemarketing/campaigns/{campaign}/customers/{customer_id}"


def _path_of(operation: dict[str, Any]) -> str:
    return f"/telemarketing/operations/{operation['operation_id']}"
