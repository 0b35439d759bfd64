"""MiniStack as a background process: the embedded cloud itself, still empty."""

import fcntl
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from local.aws import REGION
from local.environment import ensure_python
from local.errors import CloudError
from local.stack import ROOT

MINISTACK = ROOT / "local/run_ministack.py"
ADDRESS = "127.0.0.1"
DEFAULT_PORT = 4566
START_SECONDS = 60
# It finishes open requests, then writes its state.
STOP_SECONDS = 180

# Kept because Python complains of a process object that is dropped while its process lives.
_started: list["subprocess.Popen[bytes]"] = []


@dataclass(frozen=True)
class Emulator:
    """A MiniStack process. Its home holds all that it writes."""

    home: Path
    port: int
    pid: int
    started_at: int
    """Seconds since the epoch; tells one run from the next."""

    @property
    def endpoint_url(self) -> str:
        return f"http://{ADDRESS}:{self.port}"


def find(home: Path) -> Emulator | None:
    """The emulator that runs in this home, if one does."""
    try:
        with _record(home).open() as record:
            return None if _take(record) else Emulator(home, **json.load(record))
    except (FileNotFoundError, json.JSONDecodeError):  # none, or one that is just starting
        return None


def require(home: Path) -> Emulator:
    """Like `find`; raises `CloudError` when none runs, and says so if it died by itself."""
    emulator = find(home)
    if emulator is None:
        died = f" It died; {_last_words(home)}" if _record(home).exists() else ""
        raise CloudError(f"The embedded cloud does not run: start it with `up`.{died}")
    return emulator


def start(home: Path, port: int) -> Emulator:
    """Runs until it is stopped, whatever becomes of the caller. Port 0 means a free one."""
    python = ensure_python()
    port = port or _free_port()
    _refuse_taken(port)
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    with _record(home).open("a+") as record:
        if not _take(record):
            raise CloudError(f"Another command is just starting the embedded cloud in {home}.")
        record.truncate(0)
        process = _launch(python, home, port, record)
        facts = {"port": port, "pid": process.pid, "started_at": int(time.time())}
        json.dump(facts, record)
    _wait(START_SECONDS, lambda: process.poll() is not None or _answers(port))
    if process.poll() is not None or not _answers(port):
        process.kill()
        raise CloudError(f"MiniStack did not start; {_last_words(home)}")
    return Emulator(home, **facts)


def stop(home: Path) -> None:
    """Lets it save its state, and returns when it is gone."""
    emulator = require(home)
    os.kill(emulator.pid, signal.SIGTERM)
    if not _wait(STOP_SECONDS, lambda: find(home) is None):
        os.kill(emulator.pid, signal.SIGKILL)
        raise CloudError(f"MiniStack did not stop and was killed; {_last_words(home)}")
    _record(home).unlink()
    for process in _started:
        process.poll()


def _log(home: Path) -> Path:
    return home / "cloud.log"


def _record(home: Path) -> Path:
    return home / "cloud.json"


def _take(record: TextIO) -> bool:
    """Locks the file. The emulator inherits the lock and holds it for as long as it lives, so that
    nobody mistakes a later process with the same id for it."""
    try:
        fcntl.flock(record, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _launch(python: Path, home: Path, port: int, record: TextIO) -> "subprocess.Popen[bytes]":
    temporary = home / "tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    with _log(home).open("wb") as log:
        process = subprocess.Popen(
            # Without -P, the modules beside it would stand for MiniStack's own.
            [python, "-P", MINISTACK],
            cwd=home,
            env=_settings(home, port),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=[record.fileno()],
            start_new_session=True,
        )
    _started.append(process)
    return process


def _settings(home: Path, port: int) -> dict[str, str]:
    """All of its environment: nothing of the caller's own AWS configuration reaches the Lambdas."""
    # Addresses of queues hold the port, so each port has a state of its own.
    state = home / "state" / str(port)
    return {
        "PATH": os.defpath,
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "AUTH": "true",
        "BIND_HOST": ADDRESS,
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "localhost",
        "MINISTACK_REGION": REGION,
        "LAMBDA_EXECUTOR": "local",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(state / "s3"),
    }


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=5)
    try:
        connection.request("GET", "/_ministack/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _wait(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        port: int = probe.getsockname()[1]
        return port


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        if probe.connect_ex((ADDRESS, port)) == 0:
            raise CloudError(
                f"Port {port} is taken: stop what uses it, or choose another one with --port."
            )


def _last_words(home: Path) -> str:
    lines = _log(home).read_text(errors="replace").split("\n") if _log(home).exists() else []
    last = next((line.strip() for line in reversed(lines) if line.strip()), "nothing")
    return f"its log, {_log(home)}, ends with: {last}"
