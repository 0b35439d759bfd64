"""The AWS that the ingestion bench writes to: over HTTP, after 3 ms, and it always agrees."""

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection

ROUND_TRIP_SECONDS = 0.003
SECRET = "not-a-secret"

# By X-Amz-Target. A secret is read once a minute; everything else is a write that succeeds.
ANSWERS = {
    "secretsmanager.GetSecretValue": json.dumps(
        {"SecretString": json.dumps({"current": SECRET})}
    ).encode()
}
WRITTEN = b"{}"


class Agreeing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body are two writes: Nagle's algorithm would hold the second one back.
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(ROUND_TRIP_SECONDS)
        body = ANSWERS.get(self.headers["X-Amz-Target"], WRITTEN)
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None: ...


def serve(told: Connection) -> None:
    """Says at which address, and answers until its process is ended."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Agreeing)
    told.send(f"http://127.0.0.1:{server.server_port}")
    server.serve_forever()
