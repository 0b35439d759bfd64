"""Runs a built function as Lambda does: Lambda's own runtime client asks a Runtime API for events.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Event, Thread
from typing import Any

from tests.support.functions import functions

ROOT = Path(__file__).parents[2]
# What `make check-build` makes.
BUILD = ROOT / ".aws-sam/host"
LAYER = BUILD / "SharedLayer/python"
PYTHON = ROOT / ".local/runtime/bin/python"

ANSWER_SECONDS = 30


class FunctionFailed(Exception):
    """The start or the handler raised; its text is what the runtime client reported."""


class BuiltFunction:
    """One process of a function; its first event finds it cold."""

    def __init__(self, api: "_RuntimeApi", process: subprocess.Popen[bytes]) -> None:
        self._api = api
        # clock_getcpuclockid(3): the clock of what a process has of the processor, all threads.
        self._cpu_clock = ~process.pid << 3 | 2

    def start(self) -> None:
        """Waits until it asks for its first event."""
        if not self._api.started.wait(ANSWER_SECONDS):
            raise FunctionFailed("it did not start")

    def cpu_seconds(self) -> float:
        """What it has had of the processor since it was started, the interpreter's start too."""
        return time.clock_gettime(self._cpu_clock)

    def ask(self, event: Mapping[str, Any]) -> Any:
        """What the handler returns. Raises FunctionFailed."""
        self._api.events.put(event)
        return self._api.outcome()


def running(logical_id: str, variables: Mapping[str, str]) -> AbstractContextManager[BuiltFunction]:
    """A function of the template's, as it was built."""
    return starting(functions()[logical_id]["Handler"], BUILD / logical_id, LAYER, variables)


@contextmanager
def starting(
    handler: str, folder: Path, layer: Path, variables: Mapping[str, str]
) -> Iterator[BuiltFunction]:
    """A process that is started anew for the handler in a folder."""
    with _RuntimeApi() as api:
        process = subprocess.Popen(
            [PYTHON, "-m", "awslambdaric", handler],
            cwd=folder,
            env={
                **variables,
                "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
                "AWS_LAMBDA_FUNCTION_NAME": folder.name,
                "AWS_LAMBDA_LOG_FORMAT": "JSON",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_port}",
                "LAMBDA_TASK_ROOT": str(folder),
                "PYTHONPATH": str(layer),
                # Lambda's file system is read-only.
                "PYTHONDONTWRITEBYTECODE": "1",
            },
        )
        try:
            yield BuiltFunction(api, process)
        finally:
            process.kill()
            process.wait()


class _RuntimeApi(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Exchange)
        self.events: Queue[Mapping[str, Any]] = Queue()
        self.answers: Queue[tuple[str, Any]] = Queue()
        self.started = Event()

    def outcome(self) -> Any:
        path, value = self.answers.get(timeout=ANSWER_SECONDS)
        if path.endswith("/error"):
            raise FunctionFailed(value)
        return value

    def handle_error(self, *_: object) -> None:
        """Nothing: a process that is ended leaves its requests."""

    def __enter__(self) -> "_RuntimeApi":
        Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Exchange(BaseHTTPRequestHandler):
    server: _RuntimeApi
    # The client keeps its connection.
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Gives the next event, as soon as there is one."""
        self.server.started.set()
        event = self.server.events.get()
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", "request")
        deadline = time.time() + ANSWER_SECONDS
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int(deadline * 1000)))
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn")
        self._end(event)

    def do_POST(self) -> None:
        """Takes an answer, or the error of an event or of the start."""
        value = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.answers.put((self.path, value))
        self.send_response(202)
        self._end({"status": "OK"})

    def log_message(self, *_: object) -> None:
        """Nothing: what the function says is worth more without it."""

    def _end(self, body: Mapping[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
