"""What Amazon Connect tells of contacts: events as EventBridge brings them, contact records, and
what DescribeContact answers.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

INSTANCE_ID = "11111111-2222-4333-8444-555555555555"
INSTANCE_ARN = f"arn:aws:connect:sa-east-1:000000000000:instance/{INSTANCE_ID}"
QUEUE_ID = "99999999-0000-4000-8000-000000000009"
AGENT_ID = "aaaaaaaa-0000-4000-8000-00000000000a"
CUSTOMER = "+5511987654321"
COMPANY = "+551130001000"

Json = dict[str, Any]


def event(
    event_type: str,
    contact_id: str = "c1",
    *,
    method: str = "INBOUND",
    channel: str = "VOICE",
    initial: str | None = None,
    agent: str = AGENT_ID,
    began: datetime | None = None,
    picked_up: datetime | None = None,
    queued: datetime | None = None,
    connected: datetime | None = None,
    ended: datetime | None = None,
    **others: Any,
) -> Json:
    """A contact event. A queue and an agent are in it if they have a moment."""
    detail: Json = {
        "eventType": event_type,
        "contactId": contact_id,
        "channel": channel,
        "instanceArn": INSTANCE_ARN,
        "initiationMethod": method,
        **others,
    }
    if initial:
        detail |= {"initialContactId": initial}
    moments = {
        "initiationTimestamp": began,
        "connectedToSystemTimestamp": picked_up,
        "disconnectTimestamp": ended,
    }
    detail |= {name: _text(at) for name, at in moments.items() if at}
    if queued:
        arn = f"{INSTANCE_ARN}/queue/{QUEUE_ID}"
        detail["queueInfo"] = {"queueArn": arn, "enqueueTimestamp": _text(queued)}
    if connected:
        arn = f"{INSTANCE_ARN}/agent/{agent}"
        detail["agentInfo"] = {"agentArn": arn, "connectedToAgentTimestamp": _text(connected)}
    return {
        "version": "0",
        "id": f"{contact_id}-{event_type}",
        "detail-type": "Amazon Connect Contact Event",
        "source": "aws.connect",
        "account": "000000000000",
        "time": "2026-03-02T12:00:00Z",
        "region": "sa-east-1",
        "resources": [INSTANCE_ARN],
        "detail": detail,
    }


def record(
    contact_id: str = "c1",
    *,
    method: str = "INBOUND",
    initial: str | None = None,
    address: str | None = CUSTOMER,
    began: datetime | None = None,
    picked_up: datetime | None = None,
    queued: datetime | None = None,
    connected: datetime | None = None,
    ended: datetime | None = None,
    updated: datetime | None = None,
) -> Json:
    """A contact record, with null for what is not known, as the stream has it."""
    return {
        "ContactId": contact_id,
        "InitialContactId": initial,
        "Channel": "VOICE",
        "InstanceARN": INSTANCE_ARN,
        "InitiationMethod": method,
        "InitiationTimestamp": _second(began),
        "ConnectedToSystemTimestamp": _second(picked_up),
        "DisconnectTimestamp": _second(ended),
        "LastUpdateTimestamp": _second(updated or ended or began),
        "DisconnectReason": "CUSTOMER_DISCONNECT" if ended else None,
        "AnsweringMachineDetectionStatus": None,
        "CustomerEndpoint": (
            None if address is None else {"Address": address, "Type": "TELEPHONE_NUMBER"}
        ),
        "SystemEndpoint": {"Address": COMPANY, "Type": "TELEPHONE_NUMBER"},
        "Queue": queued
        and {
            "ARN": f"{INSTANCE_ARN}/queue/{QUEUE_ID}",
            "Name": "vendas",
            "EnqueueTimestamp": _second(queued),
            "DequeueTimestamp": _second(connected or ended),
        },
        "Agent": connected
        and {
            "ARN": f"{INSTANCE_ARN}/agent/{AGENT_ID}",
            "Username": "ana.souza",
            "ConnectedToAgentTimestamp": _second(connected),
        },
    }


def described(contact_id: str, began: datetime, address: str | None = CUSTOMER) -> Json:
    """What DescribeContact answers of an inbound contact; its times are epoch seconds."""
    contact: Json = {
        "Id": contact_id,
        "Channel": "VOICE",
        "InitiationMethod": "INBOUND",
        "InitiationTimestamp": began.timestamp(),
        "SystemEndpoint": {"Address": COMPANY, "Type": "TELEPHONE_NUMBER"},
    }
    if address is not None:
        contact["CustomerEndpoint"] = {"Address": address, "Type": "TELEPHONE_NUMBER"}
    return {"Contact": contact}


class Instance:
    """Amazon Connect's API over HTTP, for DescribeContact alone.

    It answers what `contacts` says of a contact, `fault` for any, and else that there is none;
    while it is `silent`, nothing.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.contacts: dict[str, Json] = {}
        self.fault: tuple[int, str] | None = None
        self.silent = False
        self.asked: list[str] = []
        self.closing = threading.Event()

    def answer(self, path: str) -> tuple[int, str, Json]:
        """Status, type of the error, and body."""
        instance_id, contact_id = path.removeprefix("/contacts/").split("/")
        self.asked.append(contact_id)
        if self.silent:
            self.closing.wait()
        if self.fault:
            return *self.fault, {"Message": "as the test wants it"}
        if instance_id == INSTANCE_ID and contact_id in self.contacts:
            return 200, "", self.contacts[contact_id]
        return 404, "ResourceNotFoundException", {"Message": "no such contact"}


@contextmanager
def instance() -> Iterator[Instance]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, error, body = played.answer(self.path)
            if played.closing.is_set():
                return
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            if error:
                self.send_header("x-amzn-ErrorType", error)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        played = Instance(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        try:
            yield played
        finally:
            played.closing.set()
            server.shutdown()


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _second(at: datetime | None) -> str | None:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else None
