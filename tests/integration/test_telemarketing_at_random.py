"""Fifty agents at work, at random: their lists and the statistics are what a plain recount says.

Lists are recounted from the history alone, and figures from the operations, by code that shares
nothing with the product's.
"""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product
from random import Random
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pytest
from botocore.client import BaseClient

from retorno.calls.model import facts_of
from retorno.calls.store import CallStore
from retorno.telephony.ports import AnsweredBy, CallEvent, Direction, Stage
from tests.support.clock import StoppedClock
from tests.support.deployment import Deployment
from tests.support.quick_dynamodb import Item, QuickDynamoDB
from tests.support.stream import Record
from tests.support.telemarketing import OF_CUSTOMER, Office

# What people do, all in all. `TELEMARKETING_ACTIONS=10000` for long days: some five minutes.
LONG = 10_000
ACTIONS = int(os.environ.get("TELEMARKETING_ACTIONS", "1500"))

AGENTS = [f"agente{number:02}" for number in range(50)]
CAMPAIGNS = {"natal": "vendas", "pascoa": "vendas", "cobranca": "suporte"}
TEAMS = {"vendas": AGENTS[:35], "suporte": AGENTS[25:]}
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
MORNING = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

ACTION_TYPES = ["oferta", "pesquisa"]
FINAL = ["ja_tem", "sem_interesse", "numero_errado", "nao_ligar"]
NOT_FINAL = ["em_negociacao", "ligar_depois"]
REASONS = ["nao_atendeu", "ocupado", "queda"]
SPOKE = {"venda", "ja_tem", "sem_interesse", "nao_ligar", *NOT_FINAL}


class Killed(BaseException):
    """Lambda ends the function: nothing in it catches that."""


@dataclass
class Streams:
    """Bring what changed to who counts it: in pieces, late, and again after each death."""

    deployment: Deployment
    random: Random
    requests_left: int | None = None
    deaths: int = 0
    waiting: dict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self._dynamodb = QuickDynamoDB(self.deployment.tables, self._told)
        self._request = BaseClient._make_api_call  # type: ignore[attr-defined]

    def items(self, table: str) -> list[Item]:
        return self._dynamodb.items(table)

    def _told(self, table: str, key: Item, old: Item | None, new: Item | None) -> None:
        images = {"OldImage": old, "NewImage": new}
        told = {name: image for name, image in images.items() if image}
        self.waiting[table].append({"dynamodb": {"Keys": key, **told}})

    def serve(self, client: BaseClient, operation: str, parameters: Any) -> Any:
        if client.meta.service_model.service_name != "dynamodb":
            return self._request(client, operation, parameters)
        if self.requests_left is not None:
            self.requests_left -= 1
            if self.requests_left < 0:
                raise Killed
        return self._dynamodb(operation, parameters)

    def flow(self, *, to_the_end: bool = False) -> None:
        if calls := self.waiting.pop("calls", []):
            self.deployment.call("FollowCalls", {"Records": calls})
        for table in ("assignments", "operations"):
            records = self.waiting[table]
            while records and (to_the_end or self.random.random() < 0.5):
                taken = self.random.randint(1, 100)
                self._count(records[:taken])
                # What was taken may be told again, together with what comes after it.
                del records[: taken if to_the_end else self.random.randint(0, taken)]

    def _count(self, records: Sequence[Record]) -> None:
        if self.random.random() < 0.3:
            self.requests_left = self.random.randint(0, 3)
        try:
            self.deployment.call("CountOperations", {"Records": list(records)})
        except Killed:
            self.deaths += 1
            self.requests_left = None
            half = len(records) // 2
            for part in (records[:half], records[half:]):
                self._count(part)
        self.requests_left = None


class Floor:
    """What people of a call centre do. Much of it is refused, and that is part of the day."""

    def __init__(self, office: Office, streams: Streams, random: Random) -> None:
        self.office = office
        self.streams = streams
        self.random = random
        self.done: Counter[str] = Counter()
        self.open: dict[str, str] = {}
        self.given: dict[tuple[str, str], str] = {}
        self.calls: list[str] = []
        self.customers: list[str] = []
        self.call_store = CallStore("calls")
        # What they do, and how often they try.
        self.kinds: Mapping[Callable[[], int], int] = {
            self.link: 8,
            self.unlink: 2,
            self.transfer: 4,
            self.take_next: 14,
            self.open_one: 8,
            self.edit: 10,
            self.call: 4,
            self.correct_call: 2,
            self.sell: 5,
            self.refuse: 5,
            self.postpone: 6,
            self.no_contact: 10,
            self.release: 2,
            self.schedule: 6,
            self.delete_schedule: 2,
            self.reopen: 4,
            self.fire: 3,
        }

    def begin(self, customers: int) -> None:
        """Some agents are there, others away."""
        office = self.office
        for campaign, queue in CAMPAIGNS.items():
            office.campaign(campaign, queue=queue)
        for agent in AGENTS:
            queues = [queue for queue, team in TEAMS.items() if agent in team]
            office.ask("PUT /agents/{agent}", {"name": agent, "queues": queues}, agent=agent)
            if self.random.random() < 0.6:
                office.ask("PUT /agents/me/presence", {"state": "available"}, agent)
        self.customers = [office.customer(f"Cliente {index}") for index in range(customers)]
        while len(self.given) < customers:
            self.link()

    def work(self, actions: int) -> None:
        while self.done.total() < actions:
            (kind,) = self.random.choices(list(self.kinds), list(self.kinds.values()))
            status = kind()
            assert status < 500
            if status < 300:
                self.done[kind.__name__] += 1
            self.office.clock.advance(seconds=self.random.expovariate(1 / 20))
            self.streams.flow()
        self.streams.flow(to_the_end=True)

    # --- What they see --------------------------------------------------------------------------

    def pages(self, agent: str | None, **query: str) -> Iterator[dict[str, Any]]:
        while True:
            page = self.office.ask("GET /telemarketing/worklist", who=agent, query=query).body
            yield page
            if page["cursor"] is None:
                return
            query["cursor"] = page["cursor"]

    def statistics(self, campaign: str | None, agent: str | None, group_by: str) -> dict[str, Any]:
        query = {"from": "2026-03-01", "to": "2026-04-30", "group_by": group_by}
        query |= {"campaign": campaign} if campaign else {}
        query |= {"agent": agent} if agent else {}
        body: dict[str, Any] = self.office.ask("GET /telemarketing/statistics", query=query).body
        return body

    # --- What they do ---------------------------------------------------------------------------

    def link(self) -> int:
        """To somebody of the team, or to the team."""
        campaign, customer = self._campaign(), self.random.choice(self.customers)
        agent = self.random.choice([None, *TEAMS[CAMPAIGNS[campaign]]])
        wish = {"agent": agent, "priority": self.random.choice([None, 0, 5, 9])}
        status = self._of_customer("PUT", "", wish, campaign, customer)
        self.given[campaign, customer] = agent or self.random.choice(TEAMS[CAMPAIGNS[campaign]])
        return status

    def unlink(self) -> int:
        return self._of_customer("DELETE")

    def transfer(self) -> int:
        return self._of_customer("POST", "/transfer", {"agent": self.random.choice(AGENTS)})

    def reopen(self) -> int:
        return self._of_customer("POST", "/reopen")

    def schedule(self) -> int:
        return self._of_customer("PUT", "/schedule", {"at": self._soon()})

    def delete_schedule(self) -> int:
        return self._of_customer("DELETE", "/schedule")

    def take_next(self) -> int:
        agent, campaign = self.random.choice(AGENTS), self._campaign()
        given = self.office.ask("POST /telemarketing/worklist/next", {"campaign": campaign}, agent)
        if given.status != 200:
            return 404
        return self._open(campaign, given.body["customer_id"], agent)

    def open_one(self) -> int:
        """Mostly a customer of theirs."""
        (campaign, customer), agent = self.random.choice(list(self.given.items()))
        return self._open(campaign, customer, agent)

    def _open(self, campaign: str, customer: str, agent: str) -> int:
        wish = {"campaign": campaign, "customer_id": customer}
        answer = self.office.ask("POST /telemarketing/operations", wish, agent)
        if answer.status == 201:
            self.open[answer.body["operation"]["operation_id"]] = agent
        return answer.status

    def edit(self) -> int:
        wish = {"action_type": self.random.choice(ACTION_TYPES), "conversation": "Bom dia"}
        return self._patch(wish)

    def call(self) -> int:
        """Notes the call in which it is done, which may be over by then, or not."""
        call_id = f"call-{len(self.calls)}"
        self.calls.append(call_id)
        if self.random.random() < 0.5:
            self._hang_up(call_id)
        return self._patch({"call_id": call_id})

    def correct_call(self) -> int:
        """A call ends, or it turns out who answered."""
        if not self.calls:
            return 404
        return self._hang_up(self.random.choice(self.calls))

    def _hang_up(self, call_id: str) -> int:
        now = self.office.clock.now
        answered = now - timedelta(seconds=self.random.randint(5, 200))
        for stage, at in ((Stage.ANSWERED, answered), (Stage.COMPLETED, now)):
            event = CallEvent(
                call_id=call_id,
                provider="canonical",
                occurred_at=at,
                stage=stage,
                direction=Direction.OUTBOUND_MANUAL,
                answered_by=self.random.choice([None, *AnsweredBy]),
            )
            self.call_store.merge(call_id, facts_of(event))
        return 200

    def sell(self) -> int:
        value = f"{self.random.randint(1, 99999)}.{self.random.randint(0, 99):02}"
        return self._end("conclude", {"outcome": "venda", "value": value})

    def refuse(self) -> int:
        return self._end("conclude", {"outcome": self.random.choice(FINAL)})

    def postpone(self) -> int:
        wish = {"outcome": self.random.choice(NOT_FINAL), "at": self._soon()}
        return self._end("postpone", wish)

    def no_contact(self) -> int:
        return self._end("no-contact", {"reason": self.random.choice(REASONS)})

    def release(self) -> int:
        return self._end("release")

    def fire(self) -> int:
        self.office.deployment.call("KeepAppointments", {})
        return 200

    # --- How ------------------------------------------------------------------------------------

    def _campaign(self) -> str:
        return self.random.choice(list(CAMPAIGNS))

    def _soon(self) -> str:
        """In some minutes, or days."""
        minutes = self.random.choice([2, 20, 90, 1440, 2880])
        return (self.office.clock.now + timedelta(minutes=minutes)).isoformat()

    def _of_customer(
        self,
        method: str,
        part: str = "",
        body: Any = None,
        campaign: str | None = None,
        customer: str | None = None,
    ) -> int:
        route = f"{method} {OF_CUSTOMER}{part}"
        return self.office.ask(
            route,
            body,
            campaign=campaign or self._campaign(),
            customer_id=customer or self.random.choice(self.customers),
        ).status

    def _patch(self, wish: Any) -> int:
        operation, agent = self._chosen()
        return self.office.save(operation, wish, agent).status if operation else 404

    def _end(self, how: str, wish: Any = None) -> int:
        operation, agent = self._chosen()
        if not operation:
            return 404
        status = self.office.do(operation, how, wish, agent).status
        # Who could not end it tries again, or forgets it.
        if status == 200 or self.random.random() < 0.5:
            del self.open[operation]
        return status

    def _chosen(self) -> tuple[str, str]:
        return self.random.choice(list(self.open.items())) if self.open else ("", "")


# --- The recount --------------------------------------------------------------------------------


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@dataclass
class Customer:
    """Who is linked, as the history tells it."""

    campaign: str
    customer: str
    linked_at: datetime
    agent: str | None
    priority: int
    state: str = "not_acted"
    at: str = ""
    due: bool = False
    to_team: bool = False
    operations: int = 0
    concluded_at: datetime = MORNING

    @property
    def shown_to(self) -> str | None:
        return None if self.to_team else self.agent

    @property
    def order(self) -> tuple[Any, ...]:
        if self.state == "concluded":
            return (self.concluded_at, self.customer)
        if self.state == "not_acted":
            return (-self.priority, self.linked_at, self.customer)
        if self.due:
            return (0, -self.priority, self.at, self.customer)
        return (1, 0, self.at, self.customer)


def customers_of(entries: Iterable[Mapping[str, Any]]) -> list[Customer]:
    """Of all that was ever done, in its order."""
    found: dict[tuple[str, str], Customer] = {}
    for entry in entries:
        key, changes = (entry["campaign_id"], entry["customer_id"]), entry["changes"]
        match entry["what"]:
            case "linked":
                agent, priority = changes["agent"], changes["priority"]
                found[key] = Customer(*key, moment(entry["at"]), agent, priority)
                continue
            case "unlinked":
                del found[key]
                continue
        one = found[key]
        match entry["what"]:
            case "assigned":
                one.agent, one.priority, one.to_team = changes["agent"], changes["priority"], False
            case "scheduled" | "postponed" | "no_contact":
                one.state, one.at, one.due, one.to_team = "scheduled", changes["at"], False, False
            case "due":
                one.due, one.to_team = True, changes["to_team"] and one.agent is not None
            case "schedule_deleted" | "reopened":
                one.state, one.due, one.to_team = "not_acted", False, False
            case "concluded":
                one.state, one.due, one.to_team = "concluded", False, False
                one.concluded_at = moment(entry["at"])
        one.operations += entry["what"] in ("concluded", "postponed", "no_contact")
    return list(found.values())


def gauges(customers: Sequence[Customer]) -> dict[str, int]:
    states = Counter(one.state for one in customers)
    return {
        "linked": len(customers),
        **{state: states[state] for state in ("not_acted", "scheduled", "concluded")},
        "acted": sum(one.operations > 0 for one in customers),
        "overdue": sum(one.due for one in customers),
        "to_team": sum(one.to_team for one in customers),
    }


def figures(operations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    def count(is_one: Callable[[Mapping[str, Any]], object]) -> int:
        return sum(bool(is_one(each)) for each in operations)

    def rate(part: float, whole: float) -> float | None:
        return round(part / whole, 4) if whole else None

    attempts = len(operations)
    contacts = count(lambda each: each.get("outcome") in SPOKE)
    sales = count(lambda each: each.get("outcome") == "venda")
    calls = count(lambda each: each.get("call_id"))
    cents = sum(int(str(each.get("value", "0.00")).replace(".", "")) for each in operations)
    handling = sum(
        round((moment(each["ended_at"]) - moment(each["started_at"])).total_seconds())
        for each in operations
    )
    return {
        "attempts": attempts,
        "concluded": count(lambda each: each["stage"] == "concluded"),
        "scheduled": count(lambda each: each["stage"] in ("postponed", "no_contact")),
        "contacts": contacts,
        "no_contacts": count(lambda each: each.get("reason")),
        "sales": sales,
        "sales_value": f"{cents // 100}.{cents % 100:02}",
        "not_interested": count(lambda each: each.get("outcome") == "sem_interesse"),
        "do_not_call": count(lambda each: each.get("outcome") == "nao_ligar"),
        "calls": calls,
        "answered_by_person": count(lambda each: each.get("answered_by") == "human"),
        "talk_seconds": sum(round(each.get("talk_seconds") or 0) for each in operations),
        "timed": attempts,
        "handling_seconds": handling,
        "contact_rate": rate(contacts, attempts),
        "conversion": rate(sales, contacts),
        "conversion_of_attempts": rate(sales, attempts),
        "attempts_per_contact": rate(attempts, contacts),
        "attempts_per_hour": rate(attempts * 3600, handling),
        "calls_per_hour": rate(calls * 3600, handling),
    }


GROUPS: Mapping[str, Callable[[Mapping[str, Any]], str | None]] = {
    "campaign": lambda each: str(each["campaign_id"]),
    "agent": lambda each: str(each["agent"]),
    "outcome": lambda each: each.get("outcome"),
    "action_type": lambda each: each.get("action_type"),
    "day": lambda each: moment(each["ended_at"]).astimezone(SAO_PAULO).date().isoformat(),
}


@dataclass
class Recount:
    customers: Sequence[Customer]
    operations: Sequence[Mapping[str, Any]]

    def statistics(
        self, campaign: str | None, agent: str | None, group_by: str
    ) -> tuple[dict[str, Any], dict[str | None, dict[str, Any]]]:
        customers = [
            one
            for one in self.customers
            if campaign in (None, one.campaign) and agent in (None, one.agent)
        ]
        operations = [
            each
            for each in self.operations
            if campaign in (None, each["campaign_id"]) and agent in (None, each["agent"])
        ]
        total = {"now": gauges(customers), **figures(operations)}
        of_groups: dict[str | None, list[Mapping[str, Any]]] = defaultdict(list)
        for each in operations:
            of_groups[GROUPS[group_by](each)].append(each)
        standing: dict[str | None, list[Customer]] = defaultdict(list)
        if group_by in ("campaign", "agent"):
            for one in customers:
                standing[getattr(one, group_by)].append(one)
        has_now = group_by in ("campaign", "agent")
        groups = {
            name: {
                "now": gauges(standing[name]) if has_now else None,
                **figures(of_groups.get(name, [])),
            }
            for name in {*of_groups, *standing}
        }
        return total, groups

    def worklist(self, campaign: str, state: str, agent: str | None) -> list[str]:
        """Of an agent; of the supervisor where there is none."""
        in_team = agent in TEAMS[CAMPAIGNS[campaign]]
        shown = [
            one
            for one in self.customers
            if (one.campaign, one.state) == (campaign, state)
            and (agent is None or one.shown_to == agent or (one.shown_to is None and in_team))
        ]
        ordered = sorted(shown, key=lambda one: one.order, reverse=state == "concluded")
        return [one.customer for one in ordered]


def recount(streams: Streams) -> Recount:
    """From the tables' items as they are."""
    entries = [json.loads(item["entry"]["S"]) for item in streams.items("assignment-history")]
    operations = [
        json.loads(item["operation"]["S"])
        for item in streams.items("operations")
        if "operation" in item
    ]
    ended = [
        each for each in operations if each.get("stage") in ("concluded", "postponed", "no_contact")
    ]
    return Recount(customers_of(sorted(entries, key=lambda each: each["number"])), ended)


# --- The day ------------------------------------------------------------------------------------


@contextmanager
def worked(deployment: Deployment, clock: StoppedClock, seed: int, actions: int) -> Iterator[Floor]:
    random = Random(seed)
    clock.now = MORNING
    streams = Streams(deployment, random)

    def serve(client: BaseClient, operation: str, parameters: Any) -> Any:
        return streams.serve(client, operation, parameters)

    with patch.object(BaseClient, "_make_api_call", serve):
        floor = Floor(Office(deployment, clock), streams, random)
        floor.begin(customers=max(50, actions // 25))
        floor.work(actions)
        yield floor


def differences(floor: Floor) -> Iterator[str]:
    """What lists and statistics say otherwise than the recount."""
    expected = recount(floor.streams)
    # Of a short day, some agents are looked at.
    agents = (None, *AGENTS[:: 1 if ACTIONS >= LONG else 5])
    for campaign in CAMPAIGNS:
        for agent in agents:
            of_states = {
                state: expected.worklist(campaign, state, agent)
                for state in ("not_acted", "scheduled", "concluded")
            }
            counts = {state: len(customers) for state, customers in of_states.items()}
            for state, customers in of_states.items():
                query = {"campaign": campaign, "state": state, "limit": "40"}
                pages = list(floor.pages(agent, **query))
                listed = [row["customer_id"] for page in pages for row in page["items"]]
                if listed != customers:
                    yield f"{campaign} {state} of {agent}: {listed} and not {customers}"
                if pages[0]["counts"] != counts:
                    yield f"{campaign} of {agent}: {pages[0]['counts']} and not {counts}"
    for wanted in product((None, *CAMPAIGNS), agents, GROUPS):
        body = floor.statistics(*wanted)
        total, groups = expected.statistics(*wanted)
        shown = {item.pop("group"): item for item in body["items"]}
        if (body["total"], shown) != (total, groups):
            yield f"{wanted}: {body} and not {total} {groups}"


@pytest.mark.parametrize("seed", range(1))
def test_lists_and_statistics_are_the_recount(
    deployment: Deployment, clock: StoppedClock, seed: int
) -> None:
    with worked(deployment, clock, seed, ACTIONS) as floor:
        assert list(differences(floor)) == []
        # Each was done many times, and counting broke off so often.
        assert min(floor.done[kind.__name__] for kind in floor.kinds) > ACTIONS / 500
        assert floor.streams.deaths > 20
