"""Contacts of Amazon Connect, from the queue and the stream to the API, with what can go wrong."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.config import Config

from tests.support.clock import StoppedClock
from tests.support.connect import CUSTOMER, Instance, described, event, instance, record
from tests.support.deployment import Deployment
from tests.support.events import http, kinesis, sqs, user
from tests.support.requests import counted

BEGAN = datetime(2026, 3, 2, 11, 50, tzinfo=UTC)
INITIATED = event("INITIATED", began=BEGAN)
QUEUED = event("QUEUED", began=BEGAN, queued=BEGAN + timedelta(seconds=10))
ABANDONED = event(
    "DISCONNECTED",
    began=BEGAN,
    queued=BEGAN + timedelta(seconds=10),
    ended=BEGAN + timedelta(seconds=50),
    disconnectReason="CUSTOMER_DISCONNECT",
)
DONE: dict[str, Any] = {"batchItemFailures": []}


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Instance]:
    with instance() as played:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CONNECT", played.url)
        played.contacts["c1"] = described("c1", BEGAN)
        yield played


def take(deployment: Deployment, *events: dict[str, Any]) -> Any:
    return deployment.call("IngestConnectContacts", sqs(*map(json.dumps, events)))


def take_records(deployment: Deployment, *records: dict[str, Any]) -> Any:
    payloads = [json.dumps(each).encode() for each in records]
    return deployment.call("IngestConnectContacts", kinesis(*payloads))


def failed(*places: int) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": str(place)} for place in places]}


def shown(deployment: Deployment, call_id: str = "c1") -> dict[str, Any]:
    request = http("GET /calls/{call_id}", path=f"/calls/{call_id}", claims=user("[agent]"))
    call: dict[str, Any] = deployment.ask("ReadCalls", request).body
    return call


class TestEvents:
    def test_a_missed_call_with_the_number_that_they_leave_out(
        self, deployment: Deployment, connect: Instance
    ) -> None:
        for told in (INITIATED, QUEUED, ABANDONED):
            assert take(deployment, told) == DONE
        call = shown(deployment)
        assert (call["number"], call["status"], call["missed"]) == (CUSTOMER, "cancelled", True)
        assert (call["wait_seconds"], call["ringing_at"]) == (40, "2026-03-02T11:50:00Z")
        assert connect.asked == ["c1"]

    def test_of_one_batch_are_one_write_and_one_question(
        self, deployment: Deployment, connect: Instance
    ) -> None:
        with counted() as requests:
            assert take(deployment, INITIATED, QUEUED, QUEUED) == DONE
        assert requests == ["UpdateItem", "GetItem", "DescribeContact", "UpdateItem"]
        with counted() as requests:
            take(deployment, QUEUED)
        assert requests == ["UpdateItem", "GetItem"]

    def test_a_transfer_is_asked_for_by_the_contact_that_it_goes_on_with(
        self, deployment: Deployment, connect: Instance
    ) -> None:
        began = BEGAN + timedelta(minutes=1)
        told = event("QUEUED", "c2", method="TRANSFER", initial="c1", began=began, queued=began)
        assert take(deployment, told) == DONE
        assert connect.asked == ["c1"]
        call = shown(deployment)
        assert (call["direction"], call["number"]) == ("inbound", CUSTOMER)
        assert call["ringing_at"] == "2026-03-02T11:50:00Z"

    def test_what_is_no_call_writes_and_asks_nothing(
        self, deployment: Deployment, connect: Instance
    ) -> None:
        with counted() as requests:
            assert take(deployment, event("INITIATED", channel="CHAT", began=BEGAN)) == DONE
        assert requests == []


class TestQuestion:
    def test_a_withheld_number_is_asked_for_once(
        self, deployment: Deployment, connect: Instance
    ) -> None:
        connect.contacts["c1"] = described("c1", BEGAN, "anonymous")
        for told in (INITIATED, QUEUED, ABANDONED):
            assert take(deployment, told) == DONE
        assert connect.asked == ["c1"]
        call = shown(deployment)
        assert (call["number"], call["missed"]) == (None, True)

    def test_what_is_not_written_yet_is_asked_for_again(
        self, deployment: Deployment, connect: Instance
    ) -> None:
        connect.contacts["c1"] = described("c1", BEGAN, None)
        take(deployment, INITIATED)
        connect.contacts["c1"] = described("c1", BEGAN)
        take(deployment, QUEUED)
        assert connect.asked == ["c1", "c1"]
        assert shown(deployment)["number"] == CUSTOMER

    def test_of_an_ended_call_without_an_address_is_asked_once(
        self, deployment: Deployment, connect: Instance
    ) -> None:
        contact = described("c1", BEGAN, None)
        contact["Contact"]["DisconnectTimestamp"] = BEGAN.timestamp() + 50
        connect.contacts["c1"] = contact
        for _ in range(3):
            assert take(deployment, ABANDONED) == DONE
        assert connect.asked == ["c1"]

    def test_a_contact_that_connect_does_not_know_stays_without_a_number(
        self, deployment: Deployment, connect: Instance
    ) -> None:
        connect.contacts.clear()
        assert take(deployment, ABANDONED) == DONE
        call = shown(deployment)
        assert (call["status"], call["number"], call["missed"]) == ("cancelled", None, True)

    @pytest.mark.parametrize(
        "fault",
        [
            (429, "ThrottlingException"),
            (500, "InternalServiceException"),
            (403, "AccessDeniedException"),
        ],
    )
    def test_that_fails_comes_again_and_loses_nothing(
        self, deployment: Deployment, connect: Instance, fault: tuple[int, str]
    ) -> None:
        connect.fault = fault
        assert take(deployment, ABANDONED) == failed(0)
        assert len(connect.asked) <= 2
        assert shown(deployment)["status"] == "cancelled"
        connect.fault = None
        assert take(deployment, ABANDONED) == DONE
        assert shown(deployment)["number"] == CUSTOMER

    def test_that_takes_too_long_comes_again_and_loses_nothing(
        self, deployment: Deployment, connect: Instance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        soon = Config(read_timeout=0.05, retries={"total_max_attempts": 1})
        monkeypatch.setattr("retorno.connect.CONFIG", soon)
        connect.silent = True
        other = event("INITIATED", "c2", began=BEGAN)
        assert take(deployment, ABANDONED, other) == failed(0, 1)
        assert connect.asked == ["c1"]
        assert shown(deployment)["status"] == "cancelled"
        assert shown(deployment, "c2")["status"] == "ringing"

    @pytest.mark.parametrize(
        "contact",
        [{"Id": "c1"}, {"Id": "c1", "Channel": "CHAT", "InitiationMethod": "API"}],
        ids=["half a contact", "a chat"],
    )
    def test_that_is_answered_with_no_call_is_given_up(
        self, deployment: Deployment, connect: Instance, contact: dict[str, Any]
    ) -> None:
        connect.contacts["c1"] = {"Contact": contact}
        assert take(deployment, ABANDONED) == DONE
        assert shown(deployment)["number"] is None


class TestRecords:
    RECORD = record(
        began=BEGAN, queued=BEGAN + timedelta(seconds=10), ended=BEGAN + timedelta(seconds=50)
    )

    def test_tell_all_and_ask_nothing(self, deployment: Deployment, connect: Instance) -> None:
        with counted() as requests:
            assert take_records(deployment, self.RECORD) == DONE
        # One write that finds no call to write into, because the end depends on other facts.
        assert requests == ["UpdateItem"]
        call = shown(deployment)
        assert (call["number"], call["queue"], call["missed"]) == (CUSTOMER, "vendas", True)
        assert connect.asked == []

    def test_an_older_one_changes_nothing(self, deployment: Deployment, connect: Instance) -> None:
        older = record(began=BEGAN, queued=BEGAN + timedelta(seconds=10))
        take_records(deployment, self.RECORD)
        before = shown(deployment)
        assert take_records(deployment, older, self.RECORD) == DONE
        assert shown(deployment) == before

    def test_complete_what_events_told(self, deployment: Deployment, connect: Instance) -> None:
        take(deployment, ABANDONED)
        take_records(deployment, self.RECORD)
        call = shown(deployment)
        assert (call["queue"], call["missed"], call["wait_seconds"]) == ("vendas", True, 40)


class TestTrouble:
    def test_a_payload_that_cannot_be_read_is_kept_and_no_other_suffers(
        self, deployment: Deployment, connect: Instance
    ) -> None:
        answer = deployment.call("IngestConnectContacts", sqs("{", json.dumps(INITIATED)))
        assert answer == DONE
        ((key, payload),) = deployment.kept().items()
        assert (key.split("/")[0], payload) == ("amazon_connect", b"{")
        assert shown(deployment)["number"] == CUSTOMER

    def test_an_unknown_value_is_kept_and_replayed_when_it_is_known(
        self, deployment: Deployment, connect: Instance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told = event("DISCONNECTED", began=BEGAN, ended=BEGAN, method="PIGEON")
        assert take(deployment, told) == DONE
        assert shown(deployment)["status"] == "cancelled"
        replay = {"provider": "amazon_connect"}
        assert deployment.call("ReplayPayloads", replay) == {"read": 0, "still_unreadable": 1}
        directions = "retorno.telephony.amazon_connect.DIRECTIONS"
        monkeypatch.setitem(_at(directions), "PIGEON", "inbound")
        assert deployment.call("ReplayPayloads", replay) == {"read": 1, "still_unreadable": 0}
        assert deployment.kept() == {}

    def test_without_a_table_all_of_a_batch_comes_again(
        self, deployment: Deployment, connect: Instance
    ) -> None:
        deployment.lose_table()
        chat = event("INITIATED", channel="CHAT")
        assert take(deployment, INITIATED, chat, QUEUED) == failed(0, 2)
        assert connect.asked == []
        deployment.restore_table()
        assert take(deployment, INITIATED, QUEUED) == DONE

    def test_without_a_bucket_only_what_belongs_there_comes_again(
        self, deployment: Deployment, connect: Instance
    ) -> None:
        deployment.lose_bucket()
        answer = deployment.call("IngestConnectContacts", sqs("{", json.dumps(INITIATED)))
        assert answer == failed(0)
        assert shown(deployment)["number"] == CUSTOMER

    def test_what_it_counts(
        self, deployment: Deployment, connect: Instance, capsys: pytest.CaptureFixture[str]
    ) -> None:
        connect.contacts.clear()
        bodies = [json.dumps(each) for each in (INITIATED, event("QUEUED", channel="CHAT"))]
        deployment.call("IngestConnectContacts", sqs("{", *bodies))
        metrics = [
            json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line
        ]
        names = ("EventsTaken", "EventsIgnored", "EventsRefused", "NumbersNotFound")
        assert [metrics[-1][name] for name in names] == [[1.0]] * 4


def _at(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(__import__(module, fromlist=[name]), name)


def test_an_abandoned_contact_is_a_missed_call_to_the_operators(
    deployment: Deployment, connect: Instance, clock: StoppedClock
) -> None:
    take(deployment, INITIATED, QUEUED, ABANDONED)
    request = http("GET /calls", query={"number": CUSTOMER}, claims=user("[agent]"))
    (call,) = deployment.ask("ReadCalls", request).body["items"]
    assert (call["call_id"], call["missed"]) == ("c1", True)
