"""Messages that come when they are due."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from retorno.errors import Unavailable
from retorno.work import WorkQueue
from tests.support.histories import BEGINNING


class Sqs:
    """What the queue was asked for."""

    def __init__(self) -> None:
        self.sent: list[tuple[dict[str, str], int]] = []

    def send_message(self, *, QueueUrl: str, MessageBody: str, DelaySeconds: int) -> None:  # noqa: N803
        assert QueueUrl == "https://queue.example"
        self.sent.append((json.loads(MessageBody), DelaySeconds))


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Sqs:
    fake = Sqs()
    monkeypatch.setattr("retorno.work.aws.client", lambda service: fake)
    return fake


def later(seconds: float) -> datetime:
    return BEGINNING + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("seconds", "delay"), [(None, 0), (-5, 0), (0, 0), (0.2, 1), (20, 20), (900, 900), (3600, 900)]
)
def test_a_message_is_delayed_to_its_time_and_never_less(
    sqs: Sqs, seconds: float | None, delay: int
) -> None:
    at = None if seconds is None else later(seconds)
    WorkQueue("https://queue.example").send({"queue": "vendas"}, BEGINNING, at)
    ((_, delayed),) = sqs.sent
    assert delayed == delay


def test_a_message_that_comes_early_is_sent_on(sqs: Sqs) -> None:
    queue = WorkQueue("https://queue.example")
    queue.send({"queue": "vendas"}, BEGINNING, later(1000))
    assert queue.read(json.dumps(sqs.sent[0][0]), later(900)) is None
    ((_, _), (body, delay)) = sqs.sent
    assert delay == 100
    assert queue.read(json.dumps(body), later(1000)) == {"queue": "vendas"}
    assert len(sqs.sent) == 2


def test_a_queue_that_does_not_answer_is_unavailable(aws: Any) -> None:
    with pytest.raises(Unavailable):
        WorkQueue("https://sqs.sa-east-1.amazonaws.com/123456789012/none").send({}, BEGINNING)
