"""The simulated telephone system as others reach it: orders come by HTTP, events go by webhook.

It keeps to docs/dialling.md and docs/webhooks.md and knows nothing of the product's code. Time is
real here; the switch behind it has none of its own.
"""

import hmac
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from local.client import sign
from local.errors import CloudError
from local.simulate.carrier import Event
from local.simulate.switch import Connection, NoSuchCall, Order, Switch

TICK_SECONDS = 0.1
EVENTS_AT_A_TIME = 100
STALE_SECONDS = 300
# Longer than anybody waits for an answer.
SILENT_SECONDS = 30


@dataclass(frozen=True)
class Fault:
    """What goes wrong with an order. With the status 0 it is never answered; `places` says whether
    the call is placed all the same."""

    status: int
    places: bool = False
    headers: dict[str, str] = field(default_factory=dict)


NOT_PLACED = Fault(HTTPStatus.SERVICE_UNAVAILABLE)
TOO_MANY = Fault(HTTPStatus.TOO_MANY_REQUESTS, headers={"Retry-After": "1"})
BROKEN = Fault(HTTPStatus.INTERNAL_SERVER_ERROR)
NEVER_ANSWERED = Fault(0, places=True)


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    """By their names in lower case."""
    body: bytes


@dataclass(frozen=True)
class Answer:
    """None for a body says nothing; a status of 0 is no answer at all."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def no_trouble(_: Order) -> Fault | None:
    return None


class Exchange:
    """`secret` is the one that signs orders. `trouble` says what goes wrong with an order, which
    it is asked once for each that is new; None for nothing."""

    def __init__(
        self,
        switch: Switch,
        secret: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        trouble: Callable[[Order], Fault | None] = no_trouble,
    ) -> None:
        self.switch = switch
        self._secret = secret
        self._clock = clock
        self._trouble = trouble
        self._routes = {
            ("POST", "/"): self._place,
            ("GET", "/"): self._find,
            ("POST", "/connections"): self._connect,
            ("GET", "/connections"): self._find_connection,
        }

    def answer(self, request: Request) -> Answer:
        if not self._is_signed(request):
            return Answer(HTTPStatus.UNAUTHORIZED, {"title": "the signature does not hold"})
        route = self._routes.get((request.method, request.path))
        if route is None:
            return Answer(HTTPStatus.NOT_FOUND, {"title": "there is nothing here"})
        try:
            return route(request)
        except (ValueError, KeyError, TypeError):
            return Answer(HTTPStatus.BAD_REQUEST, {"title": "this is no order"})

    def _place(self, request: Request) -> Answer:
        told = json.loads(request.body)
        order = Order(told["attempt_id"], told["number"], told["telephone"], told["agent"])
        is_known = order.attempt_id in self.switch.attempts
        fault = None if is_known else self._trouble(order)
        if fault and not fault.places:
            return Answer(fault.status, {"title": "trouble"}, fault.headers)
        call, is_new = self.switch.place(order, self._clock())
        if fault:
            return Answer(fault.status, {"title": "trouble"}, fault.headers)
        status = HTTPStatus.CREATED if is_new else HTTPStatus.OK
        return Answer(status, {"call_id": call.call_id})

    def _find(self, request: Request) -> Answer:
        call = self.switch.attempts.get(_asked(request, "attempt_id"))
        if call is None:
            return Answer(HTTPStatus.NOT_FOUND, {"title": "no such attempt"})
        return Answer(HTTPStatus.OK, {"call_id": call.call_id})

    def _connect(self, request: Request) -> Answer:
        told = json.loads(request.body)
        order = Connection(told["offer_id"], told["call_id"], told["telephone"], told["agent"])
        try:
            self.switch.connect(order, self._clock())
        except NoSuchCall:
            return Answer(HTTPStatus.NOT_FOUND, {"title": "no such call waits"})
        return Answer(HTTPStatus.OK, {"offer_id": order.offer_id})

    def _find_connection(self, request: Request) -> Answer:
        offer_id = _asked(request, "offer_id")
        if offer_id not in self.switch.connections:
            return Answer(HTTPStatus.NOT_FOUND, {"title": "the caller is not being connected"})
        return Answer(HTTPStatus.OK, {"offer_id": offer_id})

    def _is_signed(self, request: Request) -> bool:
        timestamp = request.headers.get("x-retorno-timestamp", "")
        if not timestamp.isdecimal():
            return False
        age = abs(self._clock().timestamp() - int(timestamp))
        signature = sign(self._secret, int(timestamp), request.body)
        given = request.headers.get("x-retorno-signature", "")
        return age <= STALE_SECONDS and hmac.compare_digest(signature.encode(), given.encode())


def _asked(request: Request, name: str) -> str:
    return request.query.get(name, [""])[0]


class Teller:
    """Tells of events, in their order. What could not be told is told again."""

    def __init__(self, tell: Callable[[list[Event]], object]) -> None:
        self._tell = tell
        self._untold: list[Event] = []

    def tell(self, events: list[Event]) -> None:
        """Raises CloudError."""
        self._untold += events
        while self._untold:
            self._tell(self._untold[:EVENTS_AT_A_TIME])
            del self._untold[:EVENTS_AT_A_TIME]


@contextmanager
def serving(exchange: Exchange) -> Iterator[str]:
    """The address at which the exchange takes orders, on this machine alone."""
    closing = threading.Event()
    with _Server(exchange, closing) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            closing.set()
            server.shutdown()


@contextmanager
def telling(switch: Switch, tell: Callable[[list[Event]], object]) -> Iterator[None]:
    """For as long as the block lasts, time goes by in the switch, and its events are told. Calls
    that go on longer are cut.

    Raises CloudError at the end, if the last could not be told.
    """
    closing = threading.Event()
    teller = Teller(tell)

    def live() -> None:
        while not closing.wait(TICK_SECONDS):
            with suppress(CloudError):  # the next tick tries again
                teller.tell(switch.advance(datetime.now(UTC)))

    thread = threading.Thread(target=live)
    thread.start()
    try:
        yield
    finally:
        closing.set()
        thread.join()
        teller.tell(switch.close(datetime.now(UTC)))


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def __init__(self, exchange: Exchange, closing: threading.Event) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.exchange = exchange
        self.closing = closing


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        address = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, address.path, parse_qs(address.query), headers, body)
        answer = self.server.exchange.answer(request)
        if not answer.status:
            self.server.closing.wait(SILENT_SECONDS)
            self.close_connection = True
            return
        with suppress(ConnectionError):  # who asked may have given up
            self._respond(answer)

    def _respond(self, answer: Answer) -> None:
        content = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """The switch keeps what was asked."""
