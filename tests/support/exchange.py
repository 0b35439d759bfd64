"""A telephone system's HTTP side on this machine: it answers what it was told to, in turn."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request as it came; header names are in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> list[tuple[str, str]]:
        return parse_qsl(self.body.decode())

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answering:
    """An answer; with the status 0 it hangs up without a word, and with `never` it says nothing."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    never: bool = False


SILENCE = Answering(never=True)
HANGS_UP = Answering(0)


@dataclass
class Exchange:
    """`answers` are given in turn; without any left, the exchange hangs up."""

    url: str = ""
    answers: list[Answering] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def will(self, *answers: Answering) -> None:
        self.answers.extend(answers)

    def answer(self, asked: Asked) -> Answering:
        self.asked.append(asked)
        return self.answers.pop(0) if self.answers else HANGS_UP


@contextmanager
def serving(exchange: Exchange) -> Iterator[Exchange]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def do_PUT(self) -> None:
            self.answer()

        def answer(self) -> None:
            address = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            query = dict(parse_qsl(address.query))
            given = exchange.answer(Asked(self.command, address.path, query, headers, body))
            if given.never:
                exchange.closing.wait(30)
            if given.never or not given.status:
                self.close_connection = True
                return
            # Who asked may have given up.
            with suppress(ConnectionError):
                self.respond(given)

        def respond(self, given: Answering) -> None:
            raw = given.body if isinstance(given.body, bytes) else json.dumps(given.body).encode()
            self.send_response(given.status)
            for name, value in given.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: Any) -> None:
            """Tests are told what was asked in `asked`."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        exchange.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        try:
            yield exchange
        finally:
            exchange.closing.set()
            server.shutdown()
