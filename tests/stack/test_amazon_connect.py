"""Amazon Connect in a stack that has it switched on: by EventBridge, by Kinesis, and asked back."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local import aws, cloud
from local.stack import Stack
from tests.support.api import Answer, Api, eventually
from tests.support.connect import (
    COMPANY,
    CUSTOMER,
    INSTANCE_ARN,
    Instance,
    described,
    event,
    instance,
    record,
)

BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
MOMENTS: dict[str, Any] = {
    "began": BEGAN,
    "queued": BEGAN + timedelta(seconds=10),
    "ended": BEGAN + timedelta(seconds=50),
}
# MiniStack, like AWS, lets nobody but AWS send what has the source aws.connect.
ANOTHER_SOURCE = "test.connect"


@dataclass(frozen=True)
class Connected:
    stack: Stack
    api: Api
    instance: Instance
    contact_records: str

    def client(self, service: str) -> Any:
        session: Any = aws.session()
        return session.client(service, endpoint_url=self.stack.endpoint_url)


@pytest.fixture(scope="module")
def connected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connected]:
    home = tmp_path_factory.mktemp("connected")
    with cloud.running(home) as before, instance() as played:
        client = aws.session().client("kinesis", endpoint_url=before.endpoint_url)
        client.create_stream(StreamName="contact-records", ShardCount=1)
        arn = client.describe_stream_summary(StreamName="contact-records")[
            "StreamDescriptionSummary"
        ]["StreamARN"]
        settings = {"ConnectInstanceArn": INSTANCE_ARN, "ConnectContactRecordsStreamArn": arn}
        stack = cloud.start(home, settings=settings)
        connected = Connected(stack, Api(stack), played, "contact-records")
        configure(connected, played.url)
        yield connected


def configure(connected: Connected, url: str) -> None:
    """Lets the function find Amazon Connect, which MiniStack does not play."""
    client, name = connected.client("lambda"), connected.stack.resources["IngestConnectContacts"]
    variables = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    client.update_function_configuration(
        FunctionName=name, Environment={"Variables": {**variables, "AWS_ENDPOINT_URL_CONNECT": url}}
    )


def shown(api: Api, call_id: str) -> Answer:
    def is_there(answer: Answer) -> bool:
        return answer.status == 200 and answer.body["number"] is not None

    return eventually(lambda: api.get(f"/calls/{call_id}"), is_there)


class TestRule:
    @pytest.mark.parametrize(
        ("told", "matches"),
        [
            (event("INITIATED"), True),
            (event("INITIATED") | {"source": "aws.ec2"}, False),
            (event("INITIATED") | {"detail": {"instanceArn": f"{INSTANCE_ARN}9"}}, False),
        ],
        ids=["this instance", "another source", "another instance"],
    )
    def test_takes_the_contact_events_of_the_instance(
        self, connected: Connected, told: dict[str, Any], matches: bool
    ) -> None:
        client = connected.client("events")
        rule = client.describe_rule(Name=connected.stack.resources["ConnectContactEvents"])
        answer = client.test_event_pattern(
            EventPattern=rule["EventPattern"], Event=json.dumps(told)
        )
        assert answer["Result"] is matches

    def test_brings_a_missed_call_whose_number_is_asked_for(self, connected: Connected) -> None:
        connected.instance.contacts["by-rule"] = described("by-rule", BEGAN)
        client = connected.client("events")
        rule = client.describe_rule(Name=connected.stack.resources["ConnectContactEvents"])
        pattern = json.loads(rule["EventPattern"]) | {"source": [ANOTHER_SOURCE]}
        client.put_rule(Name=rule["Name"], EventPattern=json.dumps(pattern))
        told = event("DISCONNECTED", "by-rule", **MOMENTS)
        entry = {
            "Source": ANOTHER_SOURCE,
            "DetailType": told["detail-type"],
            "Detail": json.dumps(told["detail"]),
        }
        assert client.put_events(Entries=[entry])["FailedEntryCount"] == 0
        call = shown(connected.api, "by-rule").body
        assert (call["number"], call["status"], call["missed"]) == (CUSTOMER, "cancelled", True)
        assert (call["to"], call["wait_seconds"]) == (COMPANY, 40)
        missed = eventually(
            lambda: connected.api.get("/missed-calls/by-rule"), lambda answer: answer.status == 200
        )
        assert missed.body["number"] == CUSTOMER


def test_a_contact_record_needs_no_question(connected: Connected) -> None:
    told = record("by-record", **MOMENTS, connected=BEGAN + timedelta(seconds=20))
    connected.client("kinesis").put_record(
        StreamName=connected.contact_records, Data=json.dumps(told).encode(), PartitionKey="1"
    )
    call = shown(connected.api, "by-record").body
    assert (call["number"], call["queue"], call["agent"]) == (CUSTOMER, "vendas", "ana.souza")
    assert (call["status"], call["talk_seconds"]) == ("completed", 30)
    assert "by-record" not in connected.instance.asked


def test_what_cannot_be_asked_now_is_asked_until_it_can(connected: Connected) -> None:
    connected.instance.fault = (429, "ThrottlingException")
    queue = connected.stack.resources["ConnectContactsQueue"]
    client = connected.client("sqs")
    client.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "1"})
    told = event("DISCONNECTED", "later", **MOMENTS)
    client.send_message(QueueUrl=queue, MessageBody=json.dumps(told))
    kept = eventually(
        lambda: connected.api.get("/calls/later"), lambda answer: answer.status == 200
    )
    assert (kept.body["status"], kept.body["number"]) == ("cancelled", None)
    connected.instance.contacts["later"] = described("later", BEGAN)
    connected.instance.fault = None
    assert shown(connected.api, "later").body["number"] == CUSTOMER
