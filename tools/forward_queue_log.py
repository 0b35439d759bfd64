#!/usr/bin/env python3
"""Sends Asterisk's queue_log to Retorno as it grows, and goes on after whatever stopped it.

Runs on the Asterisk machine: one file, Python 3.9 or later, the standard library alone. The secret
comes from RETORNO_SECRET or --secret-file. Every whole line arrives at least once, in order.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import http.client
import json
import logging
import os
import random
import re
import select
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

MAX_LINES = 500
MAX_BYTES = 1_000_000
POST_TIMEOUT_SECONDS = 30
POLL_SECONDS = 1.0
FIRST_RETRY_SECONDS = 1.0
LAST_RETRY_SECONDS = 60.0
MAX_RETRY_AFTER_SECONDS = 3600.0
# The server takes a timestamp that is off by five minutes; its Date may be a little old.
CLOCK_TOLERANCE_SECONDS = 60.0

# A log that began with garbage is recognised by the first good line of its head.
HEAD_BYTES = 4096
FIRST_LINE = re.compile(rb"^(\d{10})\|.*\n", re.MULTILINE)

log = logging.getLogger("forwarder")


class NotTaken(Exception):
    """The server did not take a post, which has to be sent again."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


# --- The log and its rotated files ----------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """How far the log was sent. `mark` tells the file, whatever it is called by now; an inode would
    not, for it may be given to a new file, and the copies of copytruncate have others."""

    mark: str
    offset: int


@dataclass(frozen=True)
class LogFile:
    """One file of the log. Marks sort by the time of the file's first line."""

    path: Path
    mark: str
    inode: int
    size: int

    @property
    def beginning(self) -> Place:
        return Place(self.mark, 0)

    def read(self, offset: int, max_lines: int) -> bytes:
        """The next whole lines; empty where there are none."""
        with self.path.open("rb") as file:
            if os.fstat(file.fileno()).st_ino != self.inode:
                raise FileNotFoundError(f"{self.path.name} was just rotated")
            file.seek(offset)
            chunk = file.read(MAX_BYTES)
        *whole, rest = chunk.split(b"\n")
        if len(rest) == MAX_BYTES:
            return rest  # no call is told in so long a line: in pieces, it blocks nothing
        return b"".join(line + b"\n" for line in whole[:max_lines])


def open_log_file(path: Path) -> LogFile | None:
    """None where there is no line of a queue_log at its head: it is empty, or compressed."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            first_line = FIRST_LINE.search(file.read(HEAD_BYTES))
    except (FileNotFoundError, IsADirectoryError):
        return None
    if not first_line:
        return None
    fingerprint = hashlib.sha256(first_line[0]).hexdigest()[:16]
    mark = f"{first_line[1].decode()}-{fingerprint}"
    return LogFile(path, mark, status.st_ino, status.st_size)


class QueueLog:
    """The log at `path`, and beside it the files that it was rotated into."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def live(self) -> LogFile | None:
        return open_log_file(self._path)

    def locate(self, place: Place) -> tuple[LogFile | None, LogFile | None]:
        """The file of a place, and the one that follows it."""
        files = self._files()
        same = (file for file in files if file.mark == place.mark)
        later = (file for file in files if file.mark > place.mark)
        return (
            # Of a log and its copy, the one that has grown since.
            max(same, key=lambda file: file.size, default=None),
            min(later, key=lambda file: file.mark, default=None),
        )

    def _files(self) -> list[LogFile]:
        """As two scans agree on them: one in the midst of a rotation may miss a file."""
        files = self._scan()
        while True:
            again = self._scan()
            if {(file.path, file.inode) for file in again} == {
                (file.path, file.inode) for file in files
            }:
                return again
            files = again

    def _scan(self) -> list[LogFile]:
        paths = self._path.parent.glob(f"{self._path.name}*")
        return [file for file in map(open_log_file, paths) if file]


class State:
    """The place, kept in a file that is replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Place | None:
        """None before the first place was saved."""
        try:
            return Place(**json.loads(self._path.read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            raise SystemExit(f"{self._path} is not a state of this program") from None

    def save(self, place: Place) -> None:
        draft = self._path.with_name(f"{self._path.name}.new")
        with draft.open("w") as file:
            json.dump(asdict(place), file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)


# --- Posts ----------------------------------------------------------------------------------------


class Answer(NamedTuple):
    """Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


# Raises OSError or HTTPException where no answer comes.
Post = Callable[[bytes, Mapping[str, str]], Answer]


def poster(url: str) -> Post:
    """Follows no redirect: the answer to another request would count as this one's."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    connection_type = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"

    def post(body: bytes, headers: Mapping[str, str]) -> Answer:
        connection = connection_type(parts.netloc, timeout=POST_TIMEOUT_SECONDS)
        try:
            connection.request("POST", target, body, dict(headers))
            response = connection.getresponse()
            fields = {name.lower(): text for name, text in response.getheaders()}
            return Answer(response.status, fields, response.read())
        finally:
            connection.close()

    return post


class Sender:
    """Signs and sends, by the server's clock where this machine's is off."""

    def __init__(self, secret: str, post: Post, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret.encode()
        self._post = post
        self._clock = clock
        self._ahead = 0.0  # how far the server's clock is ahead of ours

    def send(self, body: bytes) -> list[str] | None:
        """What the server could not read, line by line; None where it refused the body as such.

        Raises NotTaken.
        """
        answer = self._send_signed(body)
        if answer.status == HTTPStatus.UNAUTHORIZED and self._set_clock(answer):
            answer = self._send_signed(body)
        if answer.status in (HTTPStatus.OK, HTTPStatus.ACCEPTED):
            return _unreadable(answer)
        if answer.status in (
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNPROCESSABLE_ENTITY,
        ):
            return None
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise NotTaken("the signature is refused: is the secret wrong?", LAST_RETRY_SECONDS)
        raise NotTaken(f"the server answers {answer.status}", self._retry_after(answer))

    def _send_signed(self, body: bytes) -> Answer:
        timestamp = str(int(self._clock() + self._ahead))
        message = f"{timestamp}.".encode() + body
        headers = {
            "Content-Type": "application/octet-stream",
            "X-Retorno-Timestamp": timestamp,
            "X-Retorno-Signature": "v1=" + hmac.new(self._secret, message, "sha256").hexdigest(),
        }
        try:
            return self._post(body, headers)
        except (OSError, http.client.HTTPException) as error:
            raise NotTaken(f"no answer from the server: {error!r}") from error

    def _set_clock(self, answer: Answer) -> bool:
        """False where the clock was right already, so that another try would be in vain."""
        server_time = _epoch(answer.headers.get("date", ""))
        if server_time is None:
            return False
        ahead = server_time - self._clock()
        if abs(ahead - self._ahead) < CLOCK_TOLERANCE_SECONDS:
            return False
        log.warning("this machine's clock is off by %.0f s: signing by the server's", -ahead)
        self._ahead = ahead
        return True

    def _retry_after(self, answer: Answer) -> float | None:
        text = answer.headers.get("retry-after", "")
        if text.isdecimal():
            return min(float(text), MAX_RETRY_AFTER_SECONDS)
        moment = _epoch(text)
        if moment is None:
            return None
        seconds = moment - self._clock() - self._ahead
        return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def _unreadable(answer: Answer) -> list[str]:
    """Anything else that answers 200, such as a captive portal, has taken nothing."""
    try:
        unreadable = json.loads(answer.body)["unreadable"]
        return [f"line {each['line']} {each['reason']}" for each in unreadable]
    except (ValueError, TypeError, KeyError):
        raise NotTaken(f"an answer of {answer.status} that is not Retorno's") from None


def _epoch(http_date: str) -> float | None:
    try:
        return parsedate_to_datetime(http_date).timestamp()
    except (ValueError, TypeError):  # TypeError before Python 3.10
        return None


# --- Forwarding -----------------------------------------------------------------------------------


class Forwarder:
    """Moves through the log, one post at a time."""

    def __init__(self, queue_log: QueueLog, state: State, sender: Sender) -> None:
        self._queue_log = queue_log
        self._state = state
        self._sender = sender
        self._place = state.load()
        self._max_lines = MAX_LINES

    def step(self) -> bool:
        """One post, or the change to the next file; False where there is nothing to do.

        Raises NotTaken, and OSError where the log cannot be read or the state not be written.
        """
        if self._place is None:
            return self._begin(self._queue_log.live())
        # Once the following file has a line, this one, which is read afterwards, is complete.
        file, following = self._queue_log.locate(self._place)
        if file is None:
            if following:
                log.error("the file it was in is gone: goes on with %s", following.path.name)
            return self._begin(following)
        offset = self._place.offset if self._place.offset <= file.size else 0
        batch = file.read(offset, self._max_lines)
        if not batch:
            return self._begin(following)
        if self._deliver(batch, file, offset):
            self._move(Place(file.mark, offset + len(batch)))
        return True

    def _begin(self, file: LogFile | None) -> bool:
        if file:
            log.info("begins %s", file.path.name)
            self._move(file.beginning)
        return file is not None

    def _deliver(self, batch: bytes, file: LogFile, offset: int) -> bool:
        """True when the batch is done with; False when it has to be sent in smaller ones."""
        unreadable = self._sender.send(batch)
        lines = batch.count(b"\n")
        if unreadable is None and lines > 1:
            self._max_lines = lines // 2
            return False
        if unreadable is None:
            log.error("%s: the line at byte %d is refused: left out", file.path.name, offset)
        for each in unreadable or ():
            log.warning("%s, from byte %d: unreadable: %s", file.path.name, offset, each)
        self._max_lines = min(self._max_lines * 2, MAX_LINES)
        return True

    def _move(self, place: Place) -> None:
        self._state.save(place)
        self._place = place


def follow(
    forwarder: Forwarder,
    wait: Callable[[float], bool],
    jitter: Callable[[float, float], float] = random.uniform,
) -> None:
    """Until `wait`, which is given seconds, says that it is time to end."""
    pause = 0.0
    retry = FIRST_RETRY_SECONDS
    while not wait(pause):
        try:
            pause = 0.0 if forwarder.step() else POLL_SECONDS
            retry = FIRST_RETRY_SECONDS
        except (NotTaken, OSError) as failure:
            told = failure.retry_after if isinstance(failure, NotTaken) else None
            pause = jitter(retry / 2, retry) if told is None else told
            retry = min(retry * 2, LAST_RETRY_SECONDS)
            log.warning("%s; tries again in %.0f s", failure, pause)


def send_what_is_there(forwarder: Forwarder) -> int:
    """The exit status: 1 where something was left for the next time."""
    try:
        while forwarder.step():
            pass
    except (NotTaken, OSError) as failure:
        log.error("%s; the rest is left for the next time", failure)
        return 1
    return 0


def wait_for_signals() -> Callable[[float], bool]:
    """A wait that says whether the process was told to end; a post is never broken off.

    Through a pipe, for a signal's handler could lock up on the lock of a threading.Event.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)

    def wait(seconds: float) -> bool:
        return bool(select.select([reader], [], [], seconds)[0])

    return wait


def main() -> int:
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    sender = Sender(_secret(options.secret_file), poster(options.url))
    forwarder = Forwarder(QueueLog(options.log), State(options.state), sender)
    if options.once:
        return send_what_is_there(forwarder)
    follow(forwarder, wait_for_signals())
    return 0


def _secret(file: Path | None) -> str:
    secret = file.read_text().strip() if file else os.environ.get("RETORNO_SECRET", "")
    if not secret:
        raise SystemExit("No secret: set RETORNO_SECRET or give --secret-file.")
    return secret


def _url(text: str) -> str:
    if urlsplit(text).scheme not in ("http", "https"):
        raise argparse.ArgumentTypeError(f"{text!r} does not begin with https://")
    return text


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--url", type=_url, required=True, help="https://…/webhooks/asterisk/queue-log"
    )
    parser.add_argument("--state", type=Path, required=True, help="the file that keeps its place")
    parser.add_argument("--log", type=Path, default=Path("/var/log/asterisk/queue_log"))
    parser.add_argument("--secret-file", type=Path, help="in place of RETORNO_SECRET")
    parser.add_argument("--once", action="store_true", help="send what is there, and end")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
