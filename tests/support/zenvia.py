"""Zenvia Voice as Retorno meets it: what its webhooks say, and its API with the reports."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.deployment import ZENVIA_TOKEN

Json = dict[str, Any]

CUSTOMER = "+5511987654321"
COMPANY = "+551133334444"


def leg(number: str, kind: str = "movel", status: str | None = None, **told: Any) -> Json:
    """One side of a call. Its seconds are `total` and `talk`, and it began at `at`."""
    total, talk = told.get("total", 0), told.get("talk", 0)
    return {
        "data_inicio": told["at"].isoformat() if "at" in told else None,
        "numero": number,
        "tipo": kind,
        "status": status,
        "duracao_segundos": total,
        "duracao": None,
        "duracao_cobrada_segundos": 0,
        "duracao_falada_segundos": talk,
        "preco": 0,
        "motivo_desconexao": told.get("cause", "indefinido"),
    }


def two_legs(
    call_id: int, at: datetime, origin: Json, target: Json, overall: str = "finalizada", **told: Any
) -> Json:
    return {
        "id": call_id,
        "data_criacao": at.isoformat(),
        "ativa": overall == "curso",
        "url_gravacao": None,
        "cliente_id": 7,
        "conta_id": 7,
        "ramal_id_origem": 300 if origin["tipo"] == "ramal" else None,
        "tags": None,
        "status_geral": overall,
        "origem": origin,
        "destino": target,
        "gravacoes_parciais": [],
        **told,
    }


def received(
    call_id: int, at: datetime, status: str, total: int, talk: int | None, **told: Any
) -> Json:
    return {
        "id": call_id,
        "ativa": False,
        "url_gravacao": None,
        "data_inicio": at.isoformat(),
        "numero_destino": COMPANY,
        "numero_origem": CUSTOMER,
        "status": status,
        "duracao_segundos": total,
        "duracao_falada_segundos": talk,
        "preco": 0,
        **told,
    }


@dataclass
class ReportServer:
    """Zenvia's API on this machine, with the rows of each report; and what goes wrong with it.

    `faults` are the statuses of the next answers, before it answers well again; a status of 0 hangs
    up without a word.
    """

    url: str = ""
    reports: dict[str, list[Any]] = field(default_factory=dict)
    faults: list[int] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    delay_seconds: float = 0

    def answer(self, address: str, token: str | None) -> tuple[int, bytes]:
        name = urlsplit(address).path.removeprefix("/")
        fields = {key: values[0] for key, values in parse_qs(urlsplit(address).query).items()}
        self.asked.append((name, fields))
        if self.faults and (fault := self.faults.pop(0)) != 200:
            return fault, b"{}"
        if token != ZENVIA_TOKEN:
            return 403, json.dumps({"status": 403, "sucesso": False, "motivo": 40}).encode()
        if name in self.bodies:
            return 200, self.bodies[name]
        position, limit = int(fields["posicao"]), int(fields["limite"])
        rows = self.reports.get(name, [])
        data = {
            "total": len(rows),
            "posicao": position,
            "limite": str(limit),
            "relatorio": rows[position : position + limit],
        }
        body = {"status": 200, "sucesso": True, "motivo": 0, "mensagem": "ok", "dados": data}
        return 200, json.dumps(body).encode()


@contextmanager
def report_server() -> Iterator[ReportServer]:
    reports = ReportServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(reports.delay_seconds)
            status, body = reports.answer(self.path, self.headers["Access-Token"])
            if not status:
                self.close_connection = True
                return
            # Who asked may have given up.
            with suppress(ConnectionError):
                self.respond(status, body)

        def respond(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if status == HTTPStatus.FOUND:
                self.send_header("Location", self.path)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Tests are told what was asked in `asked`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    reports.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield reports
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
