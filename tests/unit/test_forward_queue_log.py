"""The forwarder of queue_log: no line is lost, whatever happens to log, network and server."""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retorno.errors import NotAuthenticated
from retorno.telephony.ports import WebhookRequest
from retorno.telephony.signature import verify
from tools import forward_queue_log
from tools.forward_queue_log import (
    LAST_RETRY_SECONDS,
    Answer,
    Forwarder,
    LogFile,
    NotTaken,
    QueueLog,
    Sender,
    State,
    follow,
    open_log_file,
    poster,
    send_what_is_there,
)

PROGRAM = Path(forward_queue_log.__file__)
SECRET = "a-secret"
NOW = 1772452800.0
POISON = b"poison"
TAKEN = Answer(200, {}, b'{"unreadable": []}')
PATIENCE_SECONDS = 30


def line(number: int, text: bytes = b"") -> bytes:
    return b"%d|%d|vendas|NONE|ENTERQUEUE||%s\n" % (NOW + number, number, text)


def lines(*numbers: int) -> list[bytes]:
    return [line(number) for number in numbers]


class Retorno:
    """The server's side: verifies, collects, and fails as it is told to."""

    def __init__(self) -> None:
        self.now = NOW
        self.secret = SECRET
        self.down = False
        self.failures: list[Answer] = []
        self.unreadable: list[dict[str, object]] = []
        self.posts: list[bytes] = []
        self.attempts = 0

    @property
    def lines(self) -> list[bytes]:
        return b"".join(self.posts).splitlines(keepends=True)

    @property
    def first_arrivals(self) -> list[bytes]:
        return list(dict.fromkeys(self.lines))

    def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        self.attempts += 1
        if self.down:
            raise ConnectionRefusedError("refused")
        if self.failures:
            return self.failures.pop(0)
        lower = {name.lower(): text for name, text in headers.items()}
        try:
            moment = datetime.fromtimestamp(self.now, UTC)
            verify(WebhookRequest("", lower, body), [self.secret], moment)
        except NotAuthenticated:
            return Answer(401, {"date": formatdate(self.now, usegmt=True)}, b"")
        if POISON in body:
            return Answer(422, {}, b"")
        self.posts.append(body)
        return Answer(200, {}, json.dumps({"unreadable": self.unreadable}).encode())


class Machine:
    """The Asterisk machine: its log, and a forwarder that can be started again."""

    def __init__(self, folder: Path, server: Retorno) -> None:
        self.server = server
        self.log = folder / "queue_log"
        self.state = folder / "place.json"
        self.now = NOW
        self.start()

    def start(self) -> None:
        sender = Sender(SECRET, self.server.post, lambda: self.now)
        self.forwarder = Forwarder(QueueLog(self.log), State(self.state), sender)

    def write(self, *texts: bytes) -> None:
        with self.log.open("ab") as log:
            log.writelines(texts)

    def rotate(self) -> None:
        rotated = len(list(self.log.parent.glob("queue_log.*")))
        for number in range(rotated, 0, -1):
            self.log.with_name(f"queue_log.{number}").rename(
                self.log.with_name(f"queue_log.{number + 1}")
            )
        self.log.rename(self.log.with_name("queue_log.1"))

    def copy_and_truncate(self) -> None:
        shutil.copy(self.log, self.log.with_name("queue_log.1"))
        os.truncate(self.log, 0)

    def send(self) -> int:
        return send_what_is_there(self.forwarder)

    def pauses(self, count: int) -> list[float]:
        """Follows the log without waiting, until so many pauses were asked for."""
        asked: list[float] = []

        def wait(seconds: float) -> bool:
            asked.append(seconds)
            return len(asked) > count

        follow(self.forwarder, wait, jitter=lambda _least, most: most)
        return asked[1:]


@pytest.fixture
def server() -> Retorno:
    return Retorno()


@pytest.fixture
def machine(tmp_path: Path, server: Retorno) -> Machine:
    return Machine(tmp_path, server)


# --- Lines and posts ------------------------------------------------------------------------------


def test_waits_for_a_log(machine: Machine, server: Retorno) -> None:
    assert machine.send() == 0
    assert server.attempts == 0


def test_sends_whole_lines_alone(machine: Machine, server: Retorno) -> None:
    machine.write(line(1), line(2)[:-5])
    machine.send()
    assert server.lines == lines(1)
    machine.write(line(2)[-5:])
    machine.send()
    assert server.lines == lines(1, 2)


def test_sends_the_bytes_as_they_are(machine: Machine, server: Retorno) -> None:
    written = line(1, b"S\xe3o\r Paulo\0") + b"\n" + line(2)
    machine.write(written)
    machine.send()
    assert server.posts == [written]


def test_a_post_has_500_lines_and_a_megabyte_at_most(machine: Machine, server: Retorno) -> None:
    machine.write(*lines(*range(1200)), *(line(1200 + n, b"x" * 400_000) for n in range(3)))
    machine.send()
    assert [post.count(b"\n") for post in server.posts] == [500, 500, 202, 1]
    assert max(map(len, server.posts)) <= 1_000_000


def test_an_endless_line_blocks_nothing(machine: Machine, server: Retorno) -> None:
    written = line(1) + b"x" * 2_500_000 + b"\n" + line(2)
    machine.write(written)
    machine.send()
    assert b"".join(server.posts) == written


# --- Restarts and rotations -----------------------------------------------------------------------


def test_goes_on_where_it_was(machine: Machine, server: Retorno) -> None:
    machine.write(line(1))
    machine.send()
    machine.write(line(2))
    machine.start()
    machine.send()
    assert server.lines == lines(1, 2)


def test_a_state_that_is_none_is_not_overwritten(machine: Machine) -> None:
    machine.state.write_text("{")
    with pytest.raises(SystemExit, match="is not a state"):
        machine.start()


def test_finishes_renamed_files_before_the_new_one(machine: Machine, server: Retorno) -> None:
    machine.write(line(1))
    machine.send()
    server.down = True
    for number in (2, 3):
        machine.write(line(number))
        machine.send()
        machine.rotate()
    machine.write(line(4))
    machine.start()
    server.down = False
    machine.send()
    assert server.lines == lines(1, 2, 3, 4)


def test_what_is_written_to_a_renamed_file_is_sent(machine: Machine, server: Retorno) -> None:
    machine.write(line(1))
    machine.send()
    machine.rotate()
    machine.log.touch()
    machine.send()
    with machine.log.with_name("queue_log.1").open("ab") as still_open_in_asterisk:
        still_open_in_asterisk.write(line(2))
    machine.send()
    machine.write(line(3))
    machine.send()
    assert server.lines == lines(1, 2, 3)


def test_finishes_the_copy_of_a_truncated_log(machine: Machine, server: Retorno) -> None:
    machine.write(line(1))
    machine.send()
    server.down = True
    machine.write(line(2))
    machine.copy_and_truncate()
    machine.send()
    machine.write(*lines(3, 4, 5))  # the log is longer now than it was when it was cut
    server.down = False
    machine.send()
    assert server.lines == lines(1, 2, 3, 4, 5)


def test_a_copy_alone_is_no_rotation(machine: Machine, server: Retorno) -> None:
    machine.write(line(1))
    machine.send()
    shutil.copy(machine.log, machine.log.with_name("queue_log.1"))
    machine.write(line(2))
    machine.send()
    assert server.lines == lines(1, 2)


def test_a_file_that_was_renamed_before_it_is_read_is_looked_for_again(machine: Machine) -> None:
    machine.write(line(1))
    file = QueueLog(machine.log).live()
    assert file
    machine.rotate()
    machine.write(line(2))
    with pytest.raises(FileNotFoundError, match="queue_log was just rotated"):
        file.read(0, 1)


def test_a_rotation_in_the_midst_of_the_search_hides_no_file(
    machine: Machine, server: Retorno, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.write(line(1))
    machine.send()
    machine.write(line(2))
    machine.rotate()
    machine.write(line(3))
    rotations = [machine.rotate]

    def rotate_and_open(path: Path) -> LogFile | None:
        if rotations:
            rotations.pop()()
        return open_log_file(path)

    monkeypatch.setattr(forward_queue_log, "open_log_file", rotate_and_open)
    machine.send()
    assert server.lines == lines(1, 2, 3)


def test_a_reused_inode_is_noticed(machine: Machine, server: Retorno) -> None:
    machine.write(line(1))
    machine.send()
    os.truncate(machine.log, 0)
    machine.write(*lines(2, 3))
    machine.send()
    assert server.lines == lines(1, 2, 3)


def test_a_log_that_was_shortened_is_sent_again(machine: Machine, server: Retorno) -> None:
    machine.write(*lines(1, 2))
    machine.send()
    os.truncate(machine.log, len(line(1)))
    machine.send()
    assert server.lines == lines(1, 2, 1)


def test_goes_on_when_its_file_is_gone(
    machine: Machine, server: Retorno, caplog: pytest.LogCaptureFixture
) -> None:
    machine.write(line(1))
    machine.send()
    machine.log.unlink()
    machine.write(line(2))
    machine.send()
    assert server.lines == lines(1, 2)
    assert "the file it was in is gone: goes on with queue_log" in caplog.text


Act = Callable[[Machine], object]


def restart(machine: Machine) -> None:
    machine.start()


def fail_once(machine: Machine) -> None:
    machine.server.failures.append(Answer(503, {}, b""))


def go_down(machine: Machine) -> None:
    machine.server.down = True


def come_up(machine: Machine) -> None:
    machine.server.down = False


def lose_the_answer(machine: Machine) -> None:
    """The post is taken, and the machine loses its power before it knows."""
    kept = machine.state.read_bytes()
    machine.send()
    machine.state.write_bytes(kept)
    machine.start()


ACTS: list[Act] = [
    Machine.rotate,
    Machine.send,
    restart,
    fail_once,
    go_down,
    come_up,
    lose_the_answer,
]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(ACTS) | st.integers(1, 60), max_size=40))
def test_each_line_arrives_and_in_order(story: list[Act | int]) -> None:
    """A number in the story is how many bytes Asterisk flushes; a rotation comes between lines."""
    with TemporaryDirectory() as folder:
        machine = Machine(Path(folder), Retorno())
        machine.write(line(0))
        machine.send()
        count = 1
        pending = b""
        for act in story:
            if isinstance(act, int):
                if not pending:
                    pending = line(count)
                    count += 1
                machine.write(pending[:act])
                pending = pending[act:]
                continue
            if act == Machine.rotate:
                machine.write(pending)
                pending = b""
            act(machine)
        machine.write(pending)
        machine.server.down = False
        machine.server.failures.clear()
        assert machine.send() == 0
        assert machine.server.first_arrivals == lines(*range(count))


# --- Trouble with the server ----------------------------------------------------------------------


def test_backs_off_up_to_a_minute_and_no_further(machine: Machine, server: Retorno) -> None:
    machine.write(line(1))
    server.down = True
    # The first step begins the file.
    assert machine.pauses(9) == [0, 1, 2, 4, 8, 16, 32, 60, 60]
    server.down = False
    assert machine.pauses(2) == [0, 1]
    assert server.lines == lines(1)


def test_begins_with_a_second_again_after_a_success(machine: Machine, server: Retorno) -> None:
    machine.write(*lines(*range(501)))
    failure = Answer(503, {}, b"")
    server.failures = [failure, failure, TAKEN, failure]
    assert machine.pauses(5) == [0, 1, 2, 0, 1]


@pytest.mark.parametrize(
    ("text", "pause"),
    [
        ("17", 17),
        (formatdate(NOW + 90, usegmt=True), 90),
        (formatdate(NOW - 90, usegmt=True), 0),
        ("999999999", 3600),
        ("soon", 1),
    ],
)
def test_waits_as_long_as_it_is_told(
    machine: Machine, server: Retorno, text: str, pause: float
) -> None:
    machine.write(line(1))
    server.failures = [Answer(429, {"retry-after": text}, b"")]
    assert machine.pauses(3) == [0, pause, 0]
    assert server.lines == lines(1)


def test_waits_until_a_moment_of_the_servers_clock(machine: Machine, server: Retorno) -> None:
    machine.now += 7200
    machine.write(line(1))
    machine.send()
    machine.write(line(2))
    server.failures = [Answer(429, {"retry-after": formatdate(NOW + 90, usegmt=True)}, b"")]
    assert machine.pauses(1) == [90]


@pytest.mark.parametrize("status", [301, 400, 403, 404, 429, 500, 503])
def test_keeps_its_place_while_it_is_not_taken(
    machine: Machine, server: Retorno, status: int
) -> None:
    machine.write(line(1))
    server.failures = [Answer(status, {}, b"")]
    assert machine.send() == 1
    assert machine.send() == 0
    assert server.lines == lines(1)


@pytest.mark.parametrize("body", [b"<html>Log in</html>", b"[]", b"{}", b'{"unreadable": [1]}'])
def test_a_stranger_that_says_200_has_taken_nothing(
    machine: Machine, server: Retorno, body: bytes
) -> None:
    machine.write(line(1))
    server.failures = [Answer(200, {}, body)]
    assert machine.send() == 1
    assert machine.send() == 0
    assert server.lines == lines(1)


def test_202_is_taken(machine: Machine, server: Retorno) -> None:
    machine.write(line(1))
    server.failures = [TAKEN._replace(status=202)]
    assert machine.send() == 0
    machine.send()
    assert server.attempts == 1


@pytest.mark.parametrize("off", [-7200, 7200])
def test_signs_by_the_servers_clock(machine: Machine, server: Retorno, off: float) -> None:
    machine.now += off
    machine.write(line(1))
    assert machine.send() == 0
    machine.write(line(2))
    assert machine.send() == 0
    assert (server.lines, server.attempts) == (lines(1, 2), 3)
    machine.now = NOW  # set right, while it runs
    machine.write(line(3))
    assert machine.send() == 0
    assert server.lines == lines(1, 2, 3)


def test_a_wrong_secret_is_told_once_a_minute(
    machine: Machine, server: Retorno, caplog: pytest.LogCaptureFixture
) -> None:
    machine.write(line(1))
    server.secret = "another"
    assert machine.pauses(4) == [0, *[LAST_RETRY_SECONDS] * 3]
    assert caplog.text.count("is the secret wrong?") == server.attempts == 3


def test_a_refused_line_is_left_out_and_blocks_nothing(
    machine: Machine, server: Retorno, caplog: pytest.LogCaptureFixture
) -> None:
    good = lines(*range(3000))
    machine.write(*good[:600], line(600, POISON), *good[600:])
    assert machine.send() == 0
    assert server.lines == good
    assert server.posts[-2].count(b"\n") == 500
    assert f"queue_log: the line at byte {len(b''.join(good[:600]))} is refused" in caplog.text


def test_logs_what_was_unreadable_and_no_line_of_the_log(
    machine: Machine, server: Retorno, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    machine.write(line(1, b"11987654321"))
    server.unreadable = [{"line": 1, "reason": "has no call id"}]
    machine.send()
    assert "queue_log, from byte 0: unreadable: line 1 has no call id" in caplog.text
    assert "11987654321" not in caplog.text


def test_a_state_that_cannot_be_written_is_tried_again(machine: Machine, server: Retorno) -> None:
    machine.write(line(1))
    machine.state.with_name("place.json.new").mkdir()
    assert machine.pauses(2) == [1, 2]
    machine.state.with_name("place.json.new").rmdir()
    assert machine.send() == 0
    assert server.lines == lines(1)


# --- For real: sockets and processes --------------------------------------------------------------


class Socket:
    """Retorno behind a port of this machine, which stays its own while it is stopped."""

    def __init__(self, server: Retorno) -> None:
        self._retorno = server
        self._port = 0
        self.arrived = threading.Condition()
        self.asked = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()

    def start(self) -> None:
        front = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["Content-Type"] == "application/octet-stream"
                front.asked.set()
                assert front.may_answer.wait(PATIENCE_SECONDS)
                answer = front._retorno.post(body, dict(self.headers.items()))
                self.send_response_only(answer.status)
                for name, text in answer.headers.items():
                    self.send_header(name, text)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)
                with front.arrived:
                    front.arrived.notify_all()

            def log_message(self, format: str, *args: object) -> None:
                """Keeps the output of the tests clean."""

        self._http = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._port = self._http.server_port
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/webhooks/asterisk/queue-log"

    def await_lines(self, count: int) -> None:
        with self.arrived:
            assert self.arrived.wait_for(
                lambda: len(self._retorno.first_arrivals) >= count, PATIENCE_SECONDS
            )


@pytest.fixture
def socket(server: Retorno) -> Iterator[Socket]:
    socket = Socket(server)
    socket.start()
    yield socket
    socket.stop()


def command(machine: Machine, url: str, *options: str) -> list[str]:
    files = ["--state", str(machine.state), "--log", str(machine.log)]
    return [sys.executable, str(PROGRAM), "--url", url, *files, *options]


def test_the_program_sends_once_and_ends(machine: Machine, server: Retorno, socket: Socket) -> None:
    machine.write(*lines(1, 2))
    secret = machine.log.with_name("secret")
    secret.write_text(SECRET + "\n")
    arguments = command(machine, socket.url, "--once", "--secret-file", str(secret))
    for _ in range(2):
        ended = subprocess.run(arguments, capture_output=True, text=True, check=True, env={})
    assert (server.lines, ended.stderr) == (lines(1, 2), "")


def test_the_program_asks_for_what_it_needs(machine: Machine, socket: Socket) -> None:
    for url, complaint in (("example.com", "https://"), (socket.url, "No secret")):
        ended = subprocess.run(
            command(machine, url), capture_output=True, text=True, check=False, env={}
        )
        assert ended.returncode != 0
        assert complaint in ended.stderr


def test_the_program_follows_a_log_until_it_is_told_to_end(
    machine: Machine, server: Retorno, socket: Socket
) -> None:
    machine.write(line(0))
    program = subprocess.Popen(
        command(machine, socket.url),
        env={"RETORNO_SECRET": SECRET},
        stderr=subprocess.PIPE,
        text=True,
    )
    socket.await_lines(1)
    machine.write(line(1))
    socket.await_lines(2)
    socket.stop()
    machine.write(line(2))
    assert program.stderr
    while "no answer from the server" not in program.stderr.readline():
        assert program.poll() is None
    machine.rotate()
    machine.write(line(3))
    socket.start()
    socket.await_lines(4)
    program.send_signal(signal.SIGTERM)
    _, last_words = program.communicate(timeout=PATIENCE_SECONDS)
    assert (program.returncode, "Traceback" in last_words) == (0, False)
    assert server.first_arrivals == lines(0, 1, 2, 3)


def test_the_program_ends_after_its_post(machine: Machine, server: Retorno, socket: Socket) -> None:
    machine.write(*lines(*range(501)))
    server.now = datetime.now(UTC).timestamp()
    socket.may_answer.clear()
    program = subprocess.Popen(
        command(machine, socket.url), env={"RETORNO_SECRET": SECRET}, stderr=subprocess.DEVNULL
    )
    assert socket.asked.wait(PATIENCE_SECONDS)
    program.send_signal(signal.SIGTERM)
    socket.may_answer.set()
    assert program.wait(PATIENCE_SECONDS) == 0
    machine.start()
    machine.now = server.now
    machine.send()
    assert server.lines == lines(*range(501))


def test_a_file_is_written_while_it_is_sent(
    machine: Machine, server: Retorno, socket: Socket
) -> None:
    def write() -> None:
        for number in range(2000):
            machine.write(line(number)[:20])
            machine.write(line(number)[20:])
            if number % 500 == 499:
                machine.rotate()

    sender = Sender(SECRET, poster(socket.url), lambda: NOW)
    machine.write(line(-1))
    forwarder = Forwarder(QueueLog(machine.log), State(machine.state), sender)
    forwarder.step()
    asterisk = threading.Thread(target=write)
    asterisk.start()
    follow(forwarder, lambda _: not asterisk.is_alive())
    assert send_what_is_there(forwarder) == 0
    assert server.first_arrivals == lines(*range(-1, 2000))


def test_a_port_where_nobody_listens_has_taken_nothing(socket: Socket) -> None:
    url = socket.url
    socket.stop()
    with pytest.raises(NotTaken, match="no answer from the server"):
        Sender(SECRET, poster(url)).send(line(1))
    socket.start()
