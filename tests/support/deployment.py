"""The stack in this process: its resources in moto, its functions called as Lambda calls them."""

import copyreg
import json
import os
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from threading import Condition
from typing import Any, Final
from unittest.mock import patch

import boto3
from moto.core.base_backend import BackendDict, BaseBackend

from retorno import secrets
from tests.support.connect import INSTANCE_ARN
from tests.support.events import Answer, answer, sqs
from tests.support.functions import environment_of, functions, handler_of, module_of
from tests.support.stream import Record, Stream
from tests.support.tables import create_table

REGION: Final = "sa-east-1"
BUCKET = "kept-payloads"
FILES_BUCKET = "files"
QUEUE = "deferred-calls"
SCHEDULES = "promises"
APPOINTMENTS = "appointments"
EVENT_BUS = "retorno"
WEBHOOK_SECRET = "not-a-secret"
TWILIO_TOKEN = "not-a-token"
ZENVIA_SECRET = "not-a-secret-either"
DIAL_SECRET = "not-a-dial-secret"
ZENVIA_TOKEN = "not-an-access-token"
WHATSAPP_TOKEN = "not-a-whatsapp-token"
WHATSAPP_APP_SECRET = "not-an-app-secret"
WHATSAPP_VERIFY_TOKEN = "not-a-verify-token"

# Where moto keeps what there is of a service: by account, and by region.
Place = tuple[BackendDict[Any], str, str]

# What Lambda says of an invocation: nothing here reads it.
CONTEXT: Any = None


class Deployment:
    """One company's stack. Make it under `mock_aws`."""

    def __init__(self) -> None:
        self.tables = tables = {
            "CallsTable": "calls",
            "RecoveriesTable": "recoveries",
            "CustomersTable": "customers",
            "JobsTable": "jobs",
            "DialsTable": "dials",
            "PromisesTable": "promises",
            "MessagesTable": "messages",
            "OffersTable": "offers",
            "DispositionsTable": "dispositions",
            "DoNotCallTable": "do-not-call",
            "NotesTable": "notes",
            "MenusTable": "menus",
            "AgentsTable": "agents",
            "CallbackCampaignsTable": "callback-campaigns",
            "ContactsTable": "contacts",
            "AnswersTable": "answers",
            "VoicemailReportsTable": "voicemail-reports",
            "SetupTable": "telemarketing-setup",
            "AssignmentsTable": "assignments",
            "AssignmentHistoryTable": "assignment-history",
            "OperationsTable": "operations",
            "CountersTable": "counters",
            "FeedTable": "feed",
            "QuotesTable": "quotes",
            "WaitsTable": "waits",
            "WaitPoliciesTable": "wait-policies",
            "PersonalDataTable": "personal-data",
        }
        for logical_id, name in tables.items():
            create_table(logical_id, name)
        self._calls = Stream("calls")
        self._recoveries = Stream("recoveries")
        self._agents = Stream("agents")
        self._do_not_call = Stream("do-not-call")
        self._assignments = Stream("assignments")
        self._operations = Stream("operations")
        self._announced = [
            Stream(name) for name in ("offers", "contacts", "promises", "quotes", "waits")
        ]
        for bucket in (BUCKET, FILES_BUCKET):
            boto3.client("s3").create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
            )
        for group in (SCHEDULES, APPOINTMENTS):
            boto3.client("scheduler").create_schedule_group(Name=group)
        boto3.client("events").create_event_bus(Name=EVENT_BUS)
        self._variables: dict[str, str] = {}
        self._names = {
            **tables,
            "FilesBucket": FILES_BUCKET,
            "CustomerRowsQueue": _queue("customer-rows"),
            "TelemarketingRowsQueue": _queue("telemarketing-rows"),
            "TelemarketingJobsQueue": _queue("telemarketing-jobs"),
            "TelemarketingExportsQueue": _queue("telemarketing-exports"),
            "DiallerQueue": _queue("dialler"),
            "OffersQueue": _queue("offers"),
            "CountsQueue": _queue("counts"),
            "UpdatesQueue": _queue("updates"),
            "WaitsQueue": _queue("waits"),
            "CustomerExportsQueue": _queue("customer-exports"),
            "PersonalDataQueue": _queue("personal-data"),
            "KeptPayloadsBucket": BUCKET,
            "DeferredCallsQueue": boto3.client("sqs").create_queue(QueueName=QUEUE)["QueueUrl"],
            "WebhookSecret": _secret("webhook", current=WEBHOOK_SECRET),
            "TwilioSecret": _secret("twilio", current=TWILIO_TOKEN),
            "ConnectInstanceArn": INSTANCE_ARN,
            "ZenviaSecret": _secret("zenvia", current=ZENVIA_SECRET),
            "DialSecret": _secret("dial", current=DIAL_SECRET),
            "WhatsAppSecret": _secret(
                "whatsapp",
                access_token=WHATSAPP_TOKEN,
                app_secret=WHATSAPP_APP_SECRET,
                verify_token=WHATSAPP_VERIFY_TOKEN,
            ),
            "PromiseSchedules": SCHEDULES,
            "AppointmentSchedules": APPOINTMENTS,
            "EventBus": EVENT_BUS,
            "UserPoolClient": "users-client",
            "ZenviaToken": _secret("zenvia-token", current=ZENVIA_TOKEN),
        }

    def configure(self, **variables: str) -> None:
        """Sets variables of all functions otherwise than the template's defaults do."""
        self._variables |= variables

    @property
    def queue_url(self) -> str:
        return self._names["DeferredCallsQueue"]

    def name(self, logical_id: str) -> str:
        """What the template's `!Ref` gives for a resource."""
        return self._names[logical_id]

    def has(self, logical_id: str) -> bool:
        return logical_id in self._names

    def call(self, function: str, event: Mapping[str, Any]) -> Any:
        """Calls a function, by its logical id, with the environment that the template gives it."""
        with patch.dict(os.environ, self.environment(function)):
            return handler_of(function)(dict(event), CONTEXT)

    def environment(self, function: str) -> dict[str, str]:
        return environment_of(function, self._names) | self._variables

    def new_records(self) -> list[Record]:
        """What changed in the calls table since it was asked for last, as its stream tells it."""
        return self._calls.new_records()

    def flow(self) -> None:
        """Brings what changed in the calls table to the functions that follow its stream."""
        records = self.new_records()
        for function in ("MatchRecoveries", "FollowCalls") if records else ():
            answer = self.call(function, {"Records": records})
            assert answer == {"batchItemFailures": []}

    def work(self) -> None:
        """Lets everything flow, and whoever is told to look do so, until nothing is left to do."""
        while any((self._flowed(), self._worked())):
            pass

    def _flowed(self) -> bool:
        told = {
            ("MatchRecoveries", "FollowCalls"): self.new_records(),
            ("FillCallList", "AnnounceChanges"): self._recoveries.new_records(),
            ("FollowAgents", "AnnounceChanges"): self._agents.new_records(),
            ("AnnounceChanges",): [
                record for stream in self._announced for record in stream.new_records()
            ],
            ("FollowDoNotCall",): self._do_not_call.new_records(),
            ("CountOperations",): [
                *self._assignments.new_records(),
                *self._operations.new_records(),
            ],
        }
        for followers, records in told.items():
            for function in followers if records else ():
                answer = self.call(function, {"Records": records}) or {}
                assert not answer.get("batchItemFailures")
        return any(told.values())

    def _worked(self) -> bool:
        works = {
            "OfferCalls": "OffersQueue",
            "DialCallbacks": "DiallerQueue",
            "WatchWaits": "WaitsQueue",
        }
        left = {function: self.messages(queue) for function, queue in works.items()}
        for function, messages in left.items():
            for message in messages:
                answer = self.call(function, sqs(json.dumps(message)))
                assert answer == {"batchItemFailures": []}
        return any(left.values())

    def count(self) -> None:
        """Lets everything flow, and has the dashboard count what changed."""
        self.work()
        if changes := self.messages("CountsQueue"):
            answer = self.call("AggregateMetrics", sqs(*map(json.dumps, changes)))
            assert answer == {"batchItemFailures": []}

    def publish(self) -> None:
        """Lets everything flow, and has seen live what changed."""
        self.work()
        for change in self.messages("UpdatesQueue"):
            self.call("PublishUpdates", sqs(json.dumps(change)))

    def ask(self, function: str, event: Mapping[str, Any]) -> Answer:
        """Calls a function with an event of the HTTP API."""
        return answer(self.call(function, event))

    def rotate(self, secret: str, **kept: str) -> None:
        """Changes what a secret holds, as soon as the functions know it."""
        boto3.client("secretsmanager").put_secret_value(
            SecretId=self._names[secret], SecretString=json.dumps(kept)
        )
        secrets.provider.cache_clear()

    def lose_table(self, name: str = "calls") -> None:
        """Takes a table away: no write and no read succeeds."""
        boto3.client("dynamodb").delete_table(TableName=name)

    def restore_table(self) -> None:
        create_table("CallsTable", "calls")

    def lose_secret(self, secret: str) -> None:
        boto3.client("secretsmanager").delete_secret(
            SecretId=self._names[secret], ForceDeleteWithoutRecovery=True
        )

    def lose_queue(self) -> None:
        boto3.client("sqs").delete_queue(QueueUrl=self.queue_url)

    def lose_bucket(self) -> None:
        boto3.client("s3").delete_bucket(Bucket=BUCKET)

    def deferred(self) -> list[str]:
        """The bodies of the messages that wait in the queue."""
        received = boto3.client("sqs").receive_message(
            QueueUrl=self.queue_url, MaxNumberOfMessages=10
        )
        return [message["Body"] for message in received.get("Messages", [])]

    def messages(self, queue: str) -> list[dict[str, str]]:
        """Takes the messages of a work queue, by its logical id, that wait no more."""
        client, url = boto3.client("sqs"), self._names[queue]
        found = []
        while received := client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in received:
                client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                found.append(json.loads(message["Body"]))
        return found

    def kept(self) -> dict[str, bytes]:
        """The payloads in the bucket, by key."""
        client = boto3.client("s3")
        found = client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {
            each["Key"]: client.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read()
            for each in found
        }

    def keep(self, key: str, payload: bytes) -> None:
        boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=payload)


def _queue(name: str) -> str:
    return boto3.client("sqs").create_queue(QueueName=name)["QueueUrl"]


def _secret(name: str, **kept: str) -> str:
    return boto3.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(kept))[
        "ARN"
    ]


# A queue of moto's has one, which nobody holds while the queue is copied.
copyreg.pickle(Condition, lambda _: (Condition, ()))


def deployed() -> Deployment:
    """A stack as if deployed just now: a copy of the first one, with all that moto keeps of it."""
    places, first = _first()
    deployment, kept = deepcopy(first)
    for (service, account, region), backend in zip(places, kept, strict=True):
        service[account][region] = backend
    return deployment


@cache
def _first() -> tuple[list[Place], tuple[Deployment, list[BaseBackend]]]:
    deployment = Deployment()
    found = [
        ((service, account, region), backend)
        for service in BackendDict._instances  # type: ignore[misc]
        for account, region, backend in service.iter_backends()
    ]
    return [place for place, _ in found], deepcopy((deployment, [kept for _, kept in found]))


def forget() -> None:
    """Drops what warm functions keep: settings, services with their clients, secrets."""
    for logical_id in functions():
        for value in vars(module_of(logical_id)).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()
    secrets.provider.cache_clear()
