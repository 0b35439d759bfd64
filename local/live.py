"""Watches live what a user may see (docs/live.md): a picture that outlives its connections."""

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, suppress
from datetime import datetime
from socket import SHUT_RDWR
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

from local.errors import CloudError
from local.words import mask

Json = dict[str, Any]

# API Gateway ends a connection on which nothing was said for ten minutes.
PING_SECONDS = 300

# Where the stack runs on a machine that has much else to do, even that takes its time.
CONNECT_SECONDS = 60


class Picture:
    """What a client knows of its feed. `after` is the number up to which it knows it all."""

    def __init__(self) -> None:
        self._things: dict[tuple[str, str], Json] = {}
        self._heard = 0
        self.is_ready = False
        self.after: int | None = None

    def subscription(self, queues: Collection[str]) -> str:
        """What to say on a new connection. Until it is `ready`, what comes is not yet all."""
        self.is_ready = False
        self._heard = self.after or 0
        told: Json = {"action": "subscribe", "queues": sorted(queues)}
        return json.dumps(told if self.after is None else {**told, "after": self.after})

    def forget(self) -> None:
        self._things.clear()
        self.after = None

    def take(self, message: Mapping[str, Any]) -> list[Json]:
        """What was new of it. Of each thing the change with the highest number counts."""
        changes = [each for each in message.get("changes", ()) if self._is_new(each)]
        for each in changes:
            self._things[each["kind"], each["id"]] = each
        self.is_ready = self.is_ready or message["type"] == "ready"
        self._heard = max(self._heard, message.get("seq", 0))
        if self.is_ready:
            self.after = self._heard
        return changes

    def _is_new(self, change: Json) -> bool:
        known = self._things.get((change["kind"], change["id"]))
        return known is None or known["seq"] < change["seq"]

    def things(self, kind: str) -> dict[str, Json]:
        """The views of what there is, by id."""
        return {
            thing_id: change["view"]
            for (of_kind, thing_id), change in self._things.items()
            if of_kind == kind and not change["gone"]
        }


class Watcher:
    """Keeps a picture over one connection after the other."""

    def __init__(self, url: str, token: str, queues: Collection[str] = ()) -> None:
        self._url = url
        self._token = token
        self._queues = queues
        self._connection: ClientConnection | None = None
        self._ending = ExitStack()
        self.picture = Picture()

    def connect(self) -> None:
        """Raises CloudError where it is not let in."""
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            self._connection = self._ending.enter_context(
                connect(
                    self._url,
                    additional_headers=headers,
                    proxy=None,
                    open_timeout=CONNECT_SECONDS,
                )
            )
            self.say(self.picture.subscription(self._queues))
        except (InvalidHandshake, OSError) as error:
            raise CloudError(f"nobody may watch at {self._url}: {error}") from None

    def hear(self, seconds: float | None = None) -> list[Json] | None:
        """The changes of the next message; None where the connection ended.

        Raises TimeoutError where there was no message for so long.
        """
        try:
            message = _read(self._open.recv(timeout=seconds))
            if message is None:
                self.cut()
                return None
            if message["type"] == "snapshot_required":
                self.picture.forget()
                self.say(self.picture.subscription(self._queues))
        except ConnectionClosed:
            return None
        if message["type"] == "refused":
            raise CloudError(f"{message['field']}: {message['reason']}")
        return self.picture.take(message)

    def say(self, text: str) -> None:
        self._open.send(text)

    @property
    def _open(self) -> ClientConnection:
        if self._connection is None:
            raise CloudError("there is no connection: connect first")
        return self._connection

    def cut(self) -> None:
        """Ends the connection without a word, as a network does."""
        if self._connection:
            with suppress(OSError):
                self._connection.socket.shutdown(SHUT_RDWR)
            self._connection = None
            self._ending.close()

    def follow(self) -> Iterator[Json]:
        """All changes from now on; a connection that ends is made anew. Raises CloudError."""
        while True:
            self.connect()
            while (changes := self._next()) is not None:
                yield from changes
            self.cut()

    def _next(self) -> list[Json] | None:
        try:
            return self.hear(PING_SECONDS)
        except TimeoutError:
            self.say(json.dumps({"action": "ping"}))
            return []


def _read(text: str | bytes) -> Json | None:
    """A message; None where it is the gateway's own, which says that something went wrong."""
    try:
        message = json.loads(text)
    except ValueError:
        return None
    return message if isinstance(message, dict) and "type" in message else None


def line(change: Json, now: datetime) -> str:
    """A change as it reads in a terminal."""
    view = change["view"] or {}
    number, customer = view.get("number"), view.get("customer")
    whom = customer["name"] if customer else mask(number) if number else ""
    state = "gone" if change["gone"] else ""
    what = (
        whom or view.get("name") or change["id"],
        view.get("queue") or "",
        view.get("state") or view.get("status") or view.get("presence", {}).get("state") or "",
        view.get("agent") or "",
    )
    columns = " ".join(f"{text:<20}" for text in what)
    return f"{now:%H:%M:%S} {change['seq']:>6} {change['kind']:<12} {columns} {state}".rstrip()
