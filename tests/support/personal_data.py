"""A company with customers in all of its tables, and a search that finds what is left of one."""

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any
from urllib.parse import quote

import boto3
from boto3.dynamodb.types import Binary, TypeDeserializer

from retorno.calling_rules.model import Purpose
from retorno.dialling.model import Dial, DialState
from retorno.dialling.store import DialStore
from retorno.phone import match_key
from retorno.retention import HELD
from retorno.times import stamp
from tests.support.deployment import BUCKET, FILES_BUCKET
from tests.support.events import Answer, http, sqs, user
from tests.support.functions import function_of
from tests.support.messages import Chat
from tests.support.stream import Stream
from tests.support.telemarketing import Office
from tests.support.webhooks import canonical
from tools.apply_retention import TABLES

ADMIN = user("[admin]", "ada")

Item = dict[str, Any]


@dataclass(frozen=True)
class Somebody:
    """A customer of fiction. `area` and `line` are of a Brazilian mobile with its ninth digit."""

    tag: str
    name: str
    document: str
    line: str
    area: str = "11"
    wa_user: str = ""

    @property
    def number(self) -> str:
        return f"+55{self.area}{self.line}"

    @property
    def wa_id(self) -> str:
        return f"55{self.area}{self.line[1:]}"

    def says(self, what: str) -> str:
        return f"{self.tag} {what} segredo"

    @cached_property
    def traces(self) -> frozenset[str]:
        """Whatever would tell that something is theirs."""
        eight = self.line[1:]
        return frozenset(
            {
                eight,
                f"{eight[:4]}-{eight[4:]}",
                self.name,
                self.name.lower(),
                self.document,
                "".join(filter(str.isdigit, self.document)),
                f"{self.tag} ",
            }
        )


@dataclass
class Company:
    office: Office
    chat: Chat
    customers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.deployment = self.office.deployment
        self.clock = self.office.clock
        self._messages = Stream("messages")
        self._assignments = Stream("assignments")

    # --- What it is -------------------------------------------------------------------------------

    def opens(self) -> None:
        office = self.office
        office.agents("ana", "bia")
        office.campaign(action_types=["oferta"])
        campaign = {"name": "Retorno", "monitored_queue": "vendas", "callback_queue": "vendas"}
        asked = office.ask("PUT /callback-campaigns/{campaign}", campaign, campaign="vendas")
        assert asked.status == 201, asked.body

    def admin(
        self, route: str, body: object = None, key: str | None = None, **parts: str
    ) -> Answer:
        path = route.partition(" ")[2].format(**{k: quote(v, safe="") for k, v in parts.items()})
        event = http(
            route,
            path=path,
            headers={"idempotency-key": key} if key else {},
            body=None if body is None else json.dumps(body).encode(),
            claims=ADMIN,
        )
        return self.deployment.ask(function_of(route), event)

    # --- A day of somebody's ----------------------------------------------------------------------

    def tell(self, call_id: str, *stages: str, **facts: str | None) -> None:
        told = {"direction": "inbound", "queue": "vendas", **facts}
        for stage in stages:
            self.clock.advance(seconds=70)
            event = {
                **told,
                "event_id": stage,
                "call_id": call_id,
                "stage": stage,
                "occurred_at": self.clock.now.isoformat(),
            }
            taken = self.deployment.ask("IngestCalls", canonical(self.clock.now, event))
            assert taken.status == 200
        self.deployment.work()

    def day_of(self, who: Somebody) -> None:
        office, tag = self.office, who.tag
        customer_id = office.customer(who.name, mobile=who.number, document=who.document)
        self.customers[tag] = customer_id
        self.tell(f"{tag}-old", "queued", "cancelled", **{"from": who.number})
        out = {"direction": "outbound_manual", "agent": "ana", "to": who.number, "trunk": "vivo"}
        self.tell(f"{tag}-won", "ringing", "answered", **out)
        self.clock.advance(seconds=60)
        self.tell(f"{tag}-won", "completed", **out)
        self.tell(f"{tag}-voicemail", "ringing", "answered", "completed", **out)
        self.tell(f"{tag}-talk", "queued", "answered", agent="ana", **{"from": who.number})
        self._say(f"{tag}-talk", who)
        self.tell(f"{tag}-talk", "completed", agent="ana", **{"from": who.number})
        self.tell(f"{tag}-miss", "queued", "cancelled", **{"from": who.number})
        self._dial(who)
        self._promise(who)
        self._write(who)
        self._campaign(who, customer_id)
        self._files(who, customer_id)
        self.settles()

    def _say(self, call_id: str, who: Somebody) -> None:
        office = self.office
        for route, body in (
            ("POST /calls/{call_id}/notes", {"text": who.says("nota")}),
            ("PUT /calls/{call_id}/customer", {"customer_id": self.customers[who.tag]}),
        ):
            assert office.ask(route, body, "ana", call_id=call_id).status in (200, 201)
        for key, words in (("k1", "plano"), ("k2", "plano maior")):
            fields = {"description": who.says(words), "value": "120"}
            made = office.ask(
                "POST /quotes", {"call_id": call_id, **fields}, "ana", key=f"{who.tag}{key}"
            )
            assert made.status == 201, made.body
        lost = {"reason": who.says("caro")}
        quote_id = made.body["quote_id"]
        done = office.ask("POST /quotes/{quote_id}/lose", lost, "ana", quote_id=quote_id)
        assert done.status == 200, done.body

    def _dial(self, who: Somebody) -> None:
        now = self.clock.now
        dial = Dial(
            dial_id=f"dial-{who.tag}",
            wish_digest="digest",
            number=who.number,
            purpose=Purpose.ABANDONED_CALLBACK,
            telephone="2001",
            agent="ana",
            asked_by="ana",
            missed_call_id=None,
            asked_at=now,
            ordered_at=now,
            state=DialState.REFUSED,
            reason=f"{who.number} is busy",
        )
        DialStore("dials", 760).save(dial)

    def _promise(self, who: Somebody) -> None:
        at = (self.clock.now + timedelta(hours=2)).isoformat()
        wish = {"number": who.number, "at": at, "queue": "vendas", "note": who.says("ligar")}
        made = self.office.ask("POST /callbacks", wish, "ana", key=f"{who.tag}-promise")
        assert made.status == 201, made.body

    def _write(self, who: Somebody) -> None:
        self.chat.write(who.wa_id, who.says("mensagem"), name=who.name)
        sent = self.chat.send(who.number, {"text": who.says("resposta")}, key=f"{who.tag}-w")
        assert sent.status == 201, sent.body
        self.chat.hear_all()

    def _campaign(self, who: Somebody, customer_id: str) -> None:
        office = self.office
        office.link(customer_id, "ana")
        operation = office.opened(customer_id)
        office.save(operation, {"action_type": "oferta"})
        assert office.do(operation, "copy-script").status == 200
        office.save(operation, {"conversation": who.says("conversa")})
        at = (self.clock.now + timedelta(days=1)).isoformat()
        again = {"reason": "ocupado", "at": at, "note": who.says("amanhã"), "phone": who.number}
        ended = office.do(operation, "no-contact", again)
        assert ended.status == 200, ended.body

    def _files(self, who: Somebody, customer_id: str) -> None:
        eight = who.line[1:]
        told = f'{{"From": "({who.area}) 9 {eight[:4]}-{eight[4:]}"}}'.encode()
        self.deployment.keep(f"twilio/2026-03-02/{who.tag}", told)
        csv = f"id;nome\n{customer_id};{who.name}\n".encode("utf-16-le")
        s3 = boto3.client("s3")
        s3.put_object(Bucket=FILES_BUCKET, Key=f"exports/customers/{who.tag}.csv", Body=csv)

    # --- What follows -----------------------------------------------------------------------------

    def settles(self) -> None:
        """Lets all flow, be counted and be seen, until nothing is left to do."""
        for _ in range(3):
            self.deployment.count()
            if written := self._messages.new_records():
                self.deployment.call("AnnounceChanges", {"Records": written})
            if changed := self._assignments.new_records():
                answer = self.deployment.call("FollowAssignments", {"Records": changed})
                assert not answer["batchItemFailures"]
            self.deployment.publish()

    def looks(self, kind: str, request_id: str) -> None:
        """The worker is told of a request, and all that follows comes to an end."""
        self.takes(kind, request_id)
        self.settles()

    def takes(self, kind: str, request_id: str) -> None:
        told = {"kind": kind, "request_id": request_id, "at": stamp(self.clock.now)}
        answer = self.deployment.call("FulfilPersonalData", sqs(json.dumps(told)))
        assert answer == {"batchItemFailures": []}

    def looks_each_day(self) -> None:
        """What the schedule has looked at again."""
        self.deployment.messages("PersonalDataQueue")
        self.deployment.call("FulfilPersonalData", {"source": "aws.scheduler"})
        for message in self.deployment.messages("PersonalDataQueue"):
            self.takes(message["kind"], message["request_id"])

    def erased(self, key: str = "k1", **wish: Any) -> dict[str, Any]:
        """After as many looks as it takes."""
        asked = self.admin("POST /personal-data/erasures", {"reason": "pedido 17", **wish}, key=key)
        assert asked.status == 202, asked.body
        erasure_id = asked.body["erasure_id"]
        for _ in range(6):
            self.looks("erasure", erasure_id)
            shown = self.erasure(erasure_id)
            if shown["state"] != "running":
                return shown
            self.clock.advance(minutes=11)
        raise AssertionError(f"it waits for {shown['waits_for']}, {shown['items']}")

    def erasure(self, erasure_id: str) -> dict[str, Any]:
        route = "GET /personal-data/erasures/{erasure_id}"
        shown: dict[str, Any] = self.admin(route, erasure_id=erasure_id).body
        return shown

    # --- The search -------------------------------------------------------------------------------

    def items(self) -> Iterator[tuple[str, str, str]]:
        """Table, key and text of every item."""
        dynamodb = boto3.client("dynamodb")
        for table in self.deployment.tables.values():
            schema = dynamodb.describe_table(TableName=table)["Table"]["KeySchema"]
            for page in dynamodb.get_paginator("scan").paginate(TableName=table):
                for raw in page["Items"]:
                    key = " ".join(raw[part["AttributeName"]]["S"] for part in schema)
                    yield table, key, _text(raw)

    def objects(self) -> dict[str, bytes]:
        s3 = boto3.client("s3")
        return {
            found["Key"]: s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read()
            for bucket in (BUCKET, FILES_BUCKET)
            for found in s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        }

    def traces(self, who: Somebody) -> dict[str, list[str]]:
        """Where something is still theirs, by table."""
        found: dict[str, list[str]] = {}
        for table, key, text in self.items():
            if any(trace in text for trace in who.traces):
                found.setdefault(table, []).append(key)
        for key, body in self.objects().items():
            texts = (body.decode("utf-16-le", "ignore"), body.decode("utf-8", "ignore"))
            ids = {*who.traces, self.customers.get(who.tag, who.tag)}
            if any(trace in text for trace in ids for text in texts):
                found.setdefault("files", []).append(key)
        return found

    def theirs(self, who: Somebody) -> dict[tuple[str, str], str]:
        """All items that are somebody's, whole; but those in which many are counted."""
        mine = {*who.traces, f"{who.tag}-", self.customers[who.tag], match_key(who.number)}
        return {
            (table, key): text
            for table, key, text in self.items()
            if any(trace in text for trace in mine) and table != "counters"
        }

    def expiring(self, who: Somebody) -> dict[tuple[str, str], int]:
        """When what is somebody's expires, as far as it does, in the tables of what is kept for
        some days."""
        tables = {self.deployment.tables[each] for each in TABLES}
        ends = {
            (table, key): json.loads(text).get("expires_at")
            for (table, key), text in self.theirs(who).items()
            if table in tables
        }
        return {place: int(end) for place, end in ends.items() if end and int(end) != HELD}


def _text(raw: Item) -> str:
    read = TypeDeserializer().deserialize
    return json.dumps(
        {name: read(value) for name, value in raw.items()},
        default=_plain,
        ensure_ascii=False,
        sort_keys=True,
    )


def _plain(value: object) -> object:
    if isinstance(value, Binary):
        return zlib.decompress(bytes(value)).decode()  # type: ignore[call-overload]
    return str(value)
