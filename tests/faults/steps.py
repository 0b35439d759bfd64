"""What each function that writes does to one customer, one call, two agents: the same items."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from retorno.callbacks.model import contact_id_of
from retorno.phone import match_key
from retorno.telephony.ports import ConnectOrder, DialOrder
from tests.faults.crossing import Crossing, Step
from tests.faults.history import LEO, OneAtATime
from tests.support.events import Claims, sqs, user
from tests.support.functions import function_of
from tests.support.simulated_cloud import request
from tests.support.stream import Record
from tests.support.webhooks import canonical

NUMBER = "+5511987654321"
OTHER = "+5511987654323"
NATAL = "natal"
WEEK = 7 * 24 * 60
CUSTOMER = "/telemarketing/campaigns/{campaign}/customers/{customer_id}"
MINUTE = timedelta(minutes=1)


class Switch:
    """Takes each order; what it is asked again is the same call."""

    name = "canonical"

    def dial(self, order: DialOrder) -> str:
        return f"out-{order.attempt_id[:8]}"

    def find(self, order: DialOrder) -> str | None:
        return self.dial(order)

    def connect(self, order: ConnectOrder) -> None:
        pass

    def is_connecting(self, order: ConnectOrder) -> bool:
        return True


class Desk:
    """All that there is before: built with requests, one after the other."""

    def __init__(self, crossing: Crossing) -> None:
        self.crossing = crossing
        self.last: dict[tuple[str, str], Record] = {}
        self.customers: list[str] = []
        self.promise = self.quote = self.operation = self.offer = self.contact = ""

    def ask(
        self, route: str, body: Any = None, who: Claims = LEO, key: str = "", **parts: Any
    ) -> Any:
        headers = {"idempotency-key": key} if key else {}
        event = request(route, who, body, headers, **parts)
        answer = self.crossing.call(function_of(route), event)
        assert answer["statusCode"] < 300, (route, answer["body"])
        return json.loads(answer["body"] or "null")

    def tell(self, call_id: str, stage: str, ago: float, **facts: Any) -> None:
        self.crossing.call("IngestCalls", self.told(call_id, stage, ago, **facts))

    def told(self, call_id: str, stage: str, ago: float, **facts: Any) -> Mapping[str, Any]:
        """An event of so many minutes ago."""
        now = self.crossing.clock.now
        at = (now - ago * MINUTE).isoformat()
        event = {"event_id": stage, "call_id": call_id, "stage": stage, "occurred_at": at, **facts}
        if "direction" not in facts:
            event |= {"direction": "inbound", "from": NUMBER}
        return canonical(now, event)

    def opens(self) -> None:
        ask = self.ask
        natal: dict[str, Any] = {"campaign": NATAL}
        for agent in ("ana", "bia"):
            draft = {"name": agent, "queues": ["sac", "retorno", "vendas"], "wrap_up_seconds": 0}
            ask("PUT /agents/{agent}", draft, agent=agent)
        draft = {"name": "Vendas", "monitored_queue": "vendas", "callback_queue": "retorno"}
        ask("PUT /callback-campaigns/{campaign}", draft, campaign="vendas")
        ask("PUT /queues/{queue}", {"mode": "ask"}, queue="sac")
        campaign = {
            "name": "Natal",
            "begins_on": "2026-03-01",
            "ends_on": "2026-03-31",
            "queue": "vendas",
            "dialling": True,
        }
        ask("PUT /telemarketing/campaigns/{campaign}", campaign, **natal)
        for name, mobile in (("Maria", NUMBER), ("Joana", "+5511987654322")):
            made = ask("POST /customers", {"name": name, "mobile": mobile})
            self.customers.append(made["customer_id"])
            ask(f"PUT {CUSTOMER}", {"agent": None}, **natal, customer_id=self.customers[-1])
        for call_id, ago, number in (("old", WEEK, NUMBER), ("m2", 20, OTHER)):
            facts: dict[str, Any] = {
                "direction": "inbound",
                "from": number,
                "queue": "vendas",
            }
            self.tell(call_id, "queued", ago - 10, **facts)
            self.tell(call_id, "cancelled", ago - 11, **facts)
        self.tell("lost", "queued", 60 * 30, queue="vendas")
        self.tell("m1", "queued", 20, queue="vendas")
        self.tell("m1", "cancelled", 19, queue="vendas")
        self.tell("o1", "ringing", 5, direction="outbound_manual", to=NUMBER, agent="bia")
        self.crossing.flow()
        self.contact = contact_id_of("vendas", match_key(NUMBER))
        at = (self.crossing.clock.now + 30 * MINUTE).isoformat()
        wish = {"number": NUMBER, "at": at, "queue": "retorno"}
        self.promise = ask("POST /callbacks", wish, key="p1")["callback_id"]
        self.quote = ask("POST /quotes", {"call_id": "o1"}, user("[agent]", "bia"), "q1")[
            "quote_id"
        ]
        ask(f"PUT {CUSTOMER}/schedule", {"at": at}, **natal, customer_id=self.customers[0])
        wish = {"campaign": NATAL, "customer_id": self.customers[1]}
        opened = ask("POST /telemarketing/operations", wish, user("[agent]", "bia"))
        self.operation = opened["operation"]["operation_id"]
        self.crossing.flow()
        # Of this miss the call list is yet to hear.
        self.tell("m3", "queued", 4, queue="vendas")
        self.tell("m3", "cancelled", 3, queue="vendas")
        told = {"Records": self.crossing.records.pop("CallsTable")}
        self.crossing.call("MatchRecoveries", told)
        self.tell("w1", "queued", 1, queue="sac")
        for agent in ("ana", "bia"):
            ask("PUT /agents/me/presence", {"state": "available"}, user("[agent]", agent))
        self.crossing.call("PublishUpdates", message(kind="call", call_id="lost"))
        # What was told last is told again by those who read streams.
        self.last = dict(self.crossing.last)
        self.crossing.clock.now += 31 * MINUTE


@contextmanager
def opened(crossing: Crossing) -> Iterator[Desk]:
    names = ("retorno.dialling.service.dialler", "retorno.offers.service.connector")
    with ExitStack() as patches:
        for name in names:
            patches.enter_context(patch(name, lambda settings: Switch()))
        patches.enter_context(patch("retorno.callbacks.dialler.ThreadPoolExecutor", OneAtATime))
        variables = {
            "CALLING_PROFILES": "none",
            "DIAL_PROVIDER": "canonical",
            "DIAL_URL": "https://dial.example.com",
        }
        patches.enter_context(patch.dict("os.environ", variables))
        desk = Desk(crossing)
        desk.opens()
        yield desk


def asking(
    route: str, body: Any = None, who: Claims = LEO, key: str = "", match: str = "", **parts: Any
) -> Step:
    headers = {
        name: value for name, value in (("idempotency-key", key), ("if-match", match)) if value
    }

    def event(_: Crossing) -> Mapping[str, Any]:
        return request(route, who, body, headers, **parts)

    return Step(function_of(route), event)


def bringing(function: str, event: Callable[[], Mapping[str, Any]] | None = None) -> Step:
    return Step(function, lambda _: event() if event else {})


def message(**named: str) -> Mapping[str, Any]:
    return sqs(json.dumps({"at": "2026-03-02T12:00:00.000000Z", **named}))


def steps(desk: Desk) -> dict[str, Step]:
    """By name; each begins with what the desk has."""
    ana, bia = user("[agent]", "ana"), user("[agent]", "bia")
    maria: dict[str, Any] = {"campaign": NATAL, "customer_id": desk.customers[0]}
    later = (desk.crossing.clock.now + 60 * MINUTE).isoformat()
    natal = {"name": "Natal", "begins_on": "2026-03-01", "ends_on": "2026-03-30", "queue": "vendas"}
    fired = {"promise_id": desk.promise, "version": 1}
    due = {**maria, "ordinal": 1} | {"campaign_id": NATAL}
    del due["campaign"]

    def again(function: str, table: str, item: str) -> Step:
        return bringing(function, lambda: {"Records": [desk.last[table, item]]})

    return {
        "a call is answered": bringing(
            "IngestCalls", lambda: desk.told("w1", "answered", 0, agent="ana")
        ),
        "a call is given up": bringing("IngestCalls", lambda: desk.told("w1", "cancelled", 0)),
        "a customer is reached": bringing(
            "IngestCalls",
            lambda: desk.told(
                "o1",
                "answered",
                0,
                direction="outbound_manual",
                to=NUMBER,
                agent="bia",
                answered_by="human",
            ),
        ),
        "a call is swept up": bringing("SweepCalls"),
        "a call is summed up": asking(
            "PUT /calls/{call_id}/disposition", {"code": "caixa_postal"}, bia, call_id="o1"
        ),
        "a call is a customer's": asking(
            "PUT /calls/{call_id}/customer", {"customer_id": desk.customers[1]}, bia, call_id="o1"
        ),
        "a number is dialled": asking("POST /dials", {"number": NUMBER}, ana, "d1"),
        "misses are matched": again("MatchRecoveries", "CallsTable", "m1"),
        "calls are followed": again("FollowCalls", "CallsTable", "w1"),
        "misses expire": bringing("ExpireMissedCalls"),
        "a miss is dismissed": asking(
            "POST /missed-calls/{call_id}/dismiss", {"reason": "engano"}, call_id="m1"
        ),
        "a number is forbidden": asking(
            "PUT /do-not-call/{number}", {"origin": "customer"}, number=NUMBER
        ),
        "the call list is filled": again("FillCallList", "RecoveriesTable", "m3"),
        "the list is dialled": bringing("DialCallbacks", lambda: message(queue="retorno")),
        "contacts are watched": bringing("WatchCallbacks"),
        "a contact is dismissed": asking(
            "POST /callback-contacts/{contact_id}/dismiss",
            {"reason": "engano"},
            contact_id=desk.contact,
        ),
        "a campaign is paused": asking(
            "POST /callback-campaigns/{campaign}/pause", campaign="vendas"
        ),
        "a call is asked for": asking(
            "POST /callback-requests", {"number": NUMBER, "queue": "retorno"}
        ),
        "a call is promised": asking(
            "POST /callbacks", {"number": NUMBER, "at": later, "queue": "retorno"}, key="p2"
        ),
        "a promise is moved": asking(
            "PUT /callbacks/{callback_id}",
            {"number": NUMBER, "at": later, "queue": "retorno"},
            match="*",
            callback_id=desk.promise,
        ),
        "a promise is cancelled": asking(
            "DELETE /callbacks/{callback_id}", match="*", callback_id=desk.promise
        ),
        "a promise is due": bringing("KeepPromises", lambda: sqs(json.dumps(fired))),
        "promises are looked after": bringing("KeepPromises"),
        "a line is served": bringing("OfferCalls", lambda: message(queue="sac")),
        "a waiting call is looked at": bringing("OfferCalls", lambda: message(call_id="w1")),
        "an agent rests": asking(
            "PUT /agents/me/presence", {"state": "paused", "reason": "almoço"}, ana
        ),
        "an agent changes": asking(
            "PUT /agents/{agent}", {"name": "Ana", "queues": ["sac"]}, match="*", agent="ana"
        ),
        "a customer is given": asking(f"POST {CUSTOMER}/transfer", {"agent": "ana"}, **maria),
        "an appointment is moved": asking(f"PUT {CUSTOMER}/schedule", {"at": later}, **maria),
        "a customer is unlinked": asking(f"DELETE {CUSTOMER}", **maria),
        "a customer is linked": asking(f"PUT {CUSTOMER}", {"agent": "bia"}, **maria),
        "a customer is worked on": asking("POST /telemarketing/operations", maria, ana),
        "the next is taken": asking("POST /telemarketing/worklist/next", {"campaign": NATAL}, ana),
        "an operation ends": asking(
            "POST /telemarketing/operations/{operation}/conclude",
            {"outcome": "nao_ligar"},
            bia,
            operation=desk.operation,
        ),
        "an operation comes to nothing": asking(
            "POST /telemarketing/operations/{operation}/no-contact",
            {"reason": "ocupado"},
            bia,
            operation=desk.operation,
        ),
        "an appointment is due": bringing("KeepAppointments", lambda: sqs(json.dumps(due))),
        "appointments are looked after": bringing("KeepAppointments"),
        "assignments are followed": again("FollowAssignments", "AssignmentsTable", NATAL),
        "a quote is won": asking(
            "POST /quotes/{quote_id}/win", {"value": "10.00"}, bia, quote_id=desk.quote
        ),
        "a quote is lost": asking(
            "POST /quotes/{quote_id}/lose", {"reason": "preço"}, bia, quote_id=desk.quote
        ),
        "a customer is changed": asking(
            "PUT /customers/{customer_id}",
            {"name": "Maria S.", "mobile": NUMBER},
            match="*",
            customer_id=desk.customers[0],
        ),
        "a customer is deleted": asking(
            "DELETE /customers/{customer_id}", match="*", customer_id=desk.customers[0]
        ),
        "a campaign is changed": asking(
            "PUT /telemarketing/campaigns/{campaign}", natal, match="*", campaign=NATAL
        ),
        "a waiting limit is set": asking(
            "PUT /wait-policies/{queue}", {"limits": {"seconds": 30}}, queue="sac"
        ),
    }


# Of the steps, before there is anything that they could begin with.
NAMES = [
    "a call is answered",
    "a call is given up",
    "a customer is reached",
    "a call is swept up",
    "a call is summed up",
    "a call is a customer's",
    "a number is dialled",
    "misses are matched",
    "calls are followed",
    "misses expire",
    "a miss is dismissed",
    "a number is forbidden",
    "the call list is filled",
    "the list is dialled",
    "contacts are watched",
    "a contact is dismissed",
    "a campaign is paused",
    "a call is asked for",
    "a call is promised",
    "a promise is moved",
    "a promise is cancelled",
    "a promise is due",
    "promises are looked after",
    "a line is served",
    "a waiting call is looked at",
    "an agent rests",
    "an agent changes",
    "a customer is given",
    "an appointment is moved",
    "a customer is unlinked",
    "a customer is linked",
    "a customer is worked on",
    "the next is taken",
    "an operation ends",
    "an operation comes to nothing",
    "an appointment is due",
    "appointments are looked after",
    "assignments are followed",
    "a quote is won",
    "a quote is lost",
    "a customer is changed",
    "a customer is deleted",
    "a campaign is changed",
    "a waiting limit is set",
]
