"""WhatsApp's Cloud API on this machine, in its published form, with customers who write and read.

It knows nothing of the product's code.

    whatsapp = WhatsApp(app_secret, access_token)
    with serving(whatsapp) as url:
        with telling(whatsapp, f"{api_url}/webhooks/whatsapp"):
            whatsapp.write("5511987654321", "Oi!", name="Carla")

A stack sends there with the parameters WhatsAppUrl, the `url`, and WhatsAppPhoneNumberId, such as
PHONE_NUMBER_ID, and with the same app_secret and access_token in the secret of its output
WhatsAppSecretArn, beside a verify_token.

`serving` takes the orders `POST {url}/{any number id}/messages`, and `telling` posts what happens
to a webhook, signed, each until it is taken. Without `telling`, `told` gives the payloads as they
fall due, for a test to deliver as it likes.

What becomes of messages to a number is said beforehand, for the next ones or for all:

    whatsapp.refuse(number, 131056)             the next is refused at once
    whatsapp.fail(number, 131026)               the next is taken, and fails by webhook
    whatsapp.hang_up(number, takes=True)        the next is taken or not, and never answered
    whatsapp.fate = lambda number: Fate(...)    for whoever nothing was said about

`whatsapp.messages` are the messages that were taken, each once for each order. A number is as
WhatsApp writes it, "5511987654321", or the id of a user who shows none, "BR.13491208655302741918".
"""

import hashlib
import hmac
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any

import urllib3

ACCOUNT_ID = "102290129340398"
PHONE_NUMBER_ID = "106540352242922"
TICK_SECONDS = 0.1
# What is not told by then is lost.
CLOSING_SECONDS = 10

# Shares.
DISORDER_SHARE = 0.3
TWICE_SHARE = 0.1


@dataclass(frozen=True)
class Fate:
    """What becomes of a message. `refused` is the code that the order is answered with, `failed`
    the one that its webhook brings, `reaches` the last status otherwise. `silent` says that the
    order is never answered, and `taken` whether it was taken then."""

    refused: int | None = None
    failed: int | None = None
    reaches: str = "read"
    silent: bool = False
    taken: bool = True


def read_by_all(_: str) -> Fate:
    return Fate()


@dataclass(frozen=True)
class Taken:
    """A message that was taken, as it was ordered."""

    wamid: str
    to: str
    order: Mapping[str, Any]
    fate: Fate


@dataclass
class WhatsApp:
    """`seed` decides in which order statuses are told, and which are told twice."""

    app_secret: str
    access_token: str
    seed: int = 0
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    fate: Callable[[str], Fate] = read_by_all
    messages: list[Taken] = field(default_factory=list)
    _fates: dict[str, list[Fate]] = field(default_factory=lambda: defaultdict(list))
    _untold: list[dict[str, Any]] = field(default_factory=list)
    _count: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self._random = Random(f"{self.seed} whatsapp")

    # --- What is said beforehand ------------------------------------------------------------------

    def refuse(self, number: str, code: int) -> None:
        self._fates[number].append(Fate(refused=code))

    def fail(self, number: str, code: int) -> None:
        self._fates[number].append(Fate(failed=code))

    def hang_up(self, number: str, *, takes: bool) -> None:
        self._fates[number].append(Fate(silent=True, taken=takes))

    # --- Customers --------------------------------------------------------------------------------

    def write(self, number: str, text: str, name: str = "", **message: Any) -> str:
        """A customer writes; `message` overrides any field of the message. Says its id."""
        shows_number = number.isdecimal()
        with self._lock:
            wamid = self._wamid()
            contact = {"profile": {"name": name}, "wa_id" if shows_number else "user_id": number}
            told = {
                "id": wamid,
                "from" if shows_number else "from_user_id": number,
                "timestamp": self._timestamp(),
                "type": "text",
                "text": {"body": text},
                **message,
            }
            self._untold.append({"contacts": [contact], "messages": [told]})
        return wamid

    # --- Orders -----------------------------------------------------------------------------------

    def answer(self, authorization: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """The status and the body; status 0 is no answer at all."""
        if authorization != f"Bearer {self.access_token}":
            return HTTPStatus.UNAUTHORIZED, error(190)
        try:
            order = json.loads(body)
            to = order.get("to") or order["recipient"]
            complete = order["messaging_product"] == "whatsapp" and order[order["type"]]
        except (ValueError, KeyError, TypeError, AttributeError):
            complete = False
        return self._take(to, order) if complete else (HTTPStatus.BAD_REQUEST, error(100))

    def _take(self, to: str, order: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        with self._lock:
            said = self._fates[to]
            fate = said.pop(0) if said else self.fate(to)
            if fate.refused is not None:
                return HTTPStatus.BAD_REQUEST, error(fate.refused)
            taken = Taken(self._wamid(), to, order, fate)
            if fate.taken:
                self.messages.append(taken)
                self._untold += self._fortunes(taken)
        contact = {"input": to, "wa_id" if to.isdecimal() else "user_id": to}
        answer = {
            "messaging_product": "whatsapp",
            "contacts": [contact],
            "messages": [{"id": taken.wamid, "message_status": "accepted"}],
        }
        return (0 if fate.silent else HTTPStatus.OK), answer

    def _fortunes(self, taken: Taken) -> list[dict[str, Any]]:
        """The statuses of a message, not always in their order, and some of them twice."""
        if taken.fate.failed is not None:
            failure = error(taken.fate.failed)["error"]
            told = {name: failure[name] for name in ("code", "message", "error_data")}
            statuses = [self.status(taken, "failed", errors=[{**told, "title": told["message"]}])]
        else:
            names = ["sent", "delivered", "read"]
            reached = names[: names.index(taken.fate.reaches) + 1]
            statuses = [self.status(taken, name) for name in reached]
        if self._random.random() < DISORDER_SHARE:
            self._random.shuffle(statuses)
        again = [status for status in statuses if self._random.random() < TWICE_SHARE]
        return [{"statuses": [status]} for status in statuses + again]

    def status(self, taken: Taken, status: str, **facts: Any) -> dict[str, Any]:
        tracker = taken.order.get("biz_opaque_callback_data")
        told = {"biz_opaque_callback_data": tracker} if tracker else {}
        whom = "recipient_id" if taken.to.isdecimal() else "recipient_user_id"
        return {
            "id": taken.wamid,
            "status": status,
            "timestamp": self._timestamp(),
            whom: taken.to,
            **told,
            **facts,
        }

    # --- What is told -----------------------------------------------------------------------------

    def told(self) -> list[bytes]:
        """The webhooks' bodies since this was asked last."""
        with self._lock:
            untold, self._untold = self._untold, []
        return [self.payload(value) for value in untold]

    def payload(self, value: Mapping[str, Any]) -> bytes:
        metadata = {"display_phone_number": "551130001000", "phone_number_id": PHONE_NUMBER_ID}
        told = {"messaging_product": "whatsapp", "metadata": metadata, **value}
        change = {"value": told, "field": "messages"}
        entry = {"id": ACCOUNT_ID, "changes": [change]}
        return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()

    def headers(self, body: bytes) -> dict[str, str]:
        digest = hmac.new(self.app_secret.encode(), body, hashlib.sha256).hexdigest()
        return {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={digest}"}

    def _wamid(self) -> str:
        self._count += 1
        digest = hashlib.sha256(f"{self.seed} {self._count}".encode()).hexdigest()
        return f"wamid.{digest[:32].upper()}=="

    def _timestamp(self) -> str:
        return str(int(self.clock().timestamp()))


def error(code: int) -> dict[str, Any]:
    """An error as the API answers it."""
    return {
        "error": {
            "message": f"(#{code}) the message was not sent",
            "type": "OAuthException",
            "code": code,
            "error_data": {"messaging_product": "whatsapp", "details": f"refused with {code}"},
            "fbtrace_id": "A1b2C3d4E5f6G7h8",
        }
    }


@contextmanager
def serving(whatsapp: WhatsApp) -> Iterator[str]:
    """The address of the API, on this machine alone."""
    closing = threading.Event()
    with _Server(whatsapp, closing) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            closing.set()
            server.shutdown()


@contextmanager
def telling(whatsapp: WhatsApp, webhook: str) -> Iterator[None]:
    """For as long as the block lasts, and until all was told, what happens is posted; what is not
    taken is posted again."""
    closing = threading.Event()
    pool = urllib3.PoolManager(retries=False, timeout=30)
    untold: list[bytes] = []

    def tell() -> None:
        untold.extend(whatsapp.told())
        for body in untold.copy():
            with suppress(urllib3.exceptions.HTTPError):
                answer = pool.request("POST", webhook, body=body, headers=whatsapp.headers(body))
                if answer.status == HTTPStatus.OK:
                    untold.remove(body)

    def live() -> None:
        while not closing.wait(TICK_SECONDS):
            tell()
        deadline = time.monotonic() + CLOSING_SECONDS
        tell()
        while untold and time.monotonic() < deadline:
            tell()

    thread = threading.Thread(target=live)
    thread.start()
    try:
        yield
    finally:
        closing.set()
        thread.join()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def __init__(self, whatsapp: WhatsApp, closing: threading.Event) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.whatsapp = whatsapp
        self.closing = closing


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, answer = self.server.whatsapp.answer(self.headers.get("Authorization", ""), body)
        if not status:
            self.server.closing.wait(30)
            self.close_connection = True
            return
        content = json.dumps(answer).encode()
        with suppress(ConnectionError):  # who asked may have given up
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """`messages` has what was taken."""
