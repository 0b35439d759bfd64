"""A campaign's customers and those who work on them, through the services, on a stack's tables."""

from collections.abc import Mapping
from datetime import date, datetime
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

from retorno.agents.service import Agents
from retorno.customers.service import CustomerDirectory
from retorno.phone import NumberPlan
from retorno.telemarketing.appointments.service import Firing
from retorno.telemarketing.assignments.model import Assignment, LinkWish, Time, Worker
from retorno.telemarketing.assignments.service import Assignments, Linking, Planning
from retorno.telemarketing.assignments.store import AssignmentStore
from retorno.telemarketing.operations.service import CallsOfAgents, Operations
from retorno.telemarketing.operations.store import OperationStore
from retorno.telemarketing.setup.model import Campaign
from retorno.telemarketing.setup.service import Setup
from retorno.telemarketing.setup.store import SetupStore

CAMPAIGN = "natal"
TEAM = "vendas"
ZONE = ZoneInfo("America/Sao_Paulo")
LEADER = Worker("leo", frozenset({TEAM}), leads=True)


class Desk:
    """`tables` are the names of the template's tables, by logical id."""

    def __init__(
        self, tables: Mapping[str, str], directory: CustomerDirectory, agents: Agents
    ) -> None:
        self.store = AssignmentStore(tables["AssignmentsTable"], tables["AssignmentHistoryTable"])
        self._setup_store = SetupStore(tables["SetupTable"])
        self.setup = Setup(self._setup_store)
        self.assignments = Assignments(self.store)
        self.firing = Firing(self.assignments, agents)
        self.planning = Planning(self.assignments, self.setup, agents, NumberPlan("BR", "11"), ZONE)
        self.linking = Linking(self.store, self.setup, directory, agents)
        no_calls = cast(CallsOfAgents, SimpleNamespace(with_customer=lambda *_: None))
        self.operations = Operations(
            OperationStore(tables["OperationsTable"]),
            self.assignments,
            self.setup,
            directory,
            no_calls,
            lambda call_id: None,
            lambda number, by, now: None,
            ZONE,
        )

    def set_up(self, **fields: Any) -> None:
        known: dict[str, Any] = {
            "campaign_id": CAMPAIGN,
            "name": "Natal",
            "begins_on": date(2026, 1, 1),
            "ends_on": date(2030, 12, 31),
            "queue": TEAM,
            "dialling": True,
        }
        before = self._setup_store.get(Campaign, CAMPAIGN)
        version = before.version + 1 if before else 1
        self._setup_store.save(Campaign(version=version, **known | fields))

    def link(self, customer_id: str, agent: str | None, now: datetime) -> Assignment:
        return self.linking.link(
            CAMPAIGN, customer_id, LinkWish(agent=agent), "leo", now
        ).assignment

    def schedule(
        self, customer_id: str, at: datetime, now: datetime, phone: str | None = None
    ) -> Assignment:
        time = Time(at=at, note="Quer o plano anual", phone=phone)
        return self.planning.schedule(CAMPAIGN, customer_id, time, LEADER, now)

    def one(self, customer_id: str) -> Assignment:
        return self.assignments.one(CAMPAIGN, customer_id)
