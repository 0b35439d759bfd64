"""A telemarketing campaign worked through over the API, by a few agents at once.

A supervisor links its customers by a file, and does what there is to do with those of an agent who
is absent. The others then work through their lists until nothing is left to be done.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from threading import Event as Signal
from typing import Any
from urllib.parse import quote

from local import cloud
from local.client import Client
from local.errors import CloudError
from local.simulate.campaign import (
    AT_WORK,
    STATES,
    SUPERVISOR,
    TEAM,
    Book,
    Case,
    history_differences,
    plan,
)
from local.simulate.centre import Centre
from local.simulate.floor import at_work
from local.simulate.telemarketing_view import CampaignScene
from local.simulate.verdict import Verdict, verdict_on
from local.simulate.view import Scene
from local.stack import Stack

CUSTOMERS = 60
QUEUE = "telemarketing"
ACTION_TYPE = "oferta"
SAID = "Conversamos. Ficou tudo anotado."
# How an operation ends, by the word that its history has for it.
ENDS = {"concluded": "conclude", "postponed": "postpone", "no_contact": "no-contact"}

# Seconds, in real time.
TICK = 0.25
BETWEEN_LOOKS = 1
TALK = (0.2, 0.8)
# A schedule that was lost is noticed within two minutes.
DONE_WITHIN = 180
SETTLES_WITHIN = 30


def work_through(
    supervisor: Client, centre: Centre, seed: int, home: Path, show: Callable[[Scene], None]
) -> Verdict:
    """A campaign with some of the centre's customers, on the stack that runs in `home`, and what
    the API tells of it afterwards. Raises CloudError."""
    tokens = cloud.sign_in_agents(Stack.read(home), TEAM)
    codes = list(centre.known())[:CUSTOMERS]
    telemarketing = Telemarketing(supervisor, tokens, centre.run_id, codes, seed)
    telemarketing.run(show)
    return verdict_on(telemarketing, SETTLES_WITHIN)


class Desk:
    """One person's, with what they do there. `case` is whom they are busy with."""

    def __init__(self, agent: str, client: Client, campaign_id: str, book: Book, seed: int) -> None:
        self.agent = agent
        self.client = client
        self.case: Case | None = None
        self._campaign_id = campaign_id
        self._book = book
        self._random = Random(f"{seed} desk {agent}")

    def work(self, closing: Signal) -> None:
        """Until it closes. Raises CloudError."""
        self.client.say("available")
        try:
            while not closing.is_set():
                self._look(closing)
        finally:
            self.client.say("offline")

    def open(self, case: Case) -> dict[str, Any]:
        """An operation with a customer; or the refusal, while somebody else has them."""
        return self.client.open_operation(self._campaign_id, case.customer_id)

    def plan(self, case: Case) -> None:
        """What there is to do with a customer without an operation."""
        while case.needs_no_operation:
            of_customer = self._campaign_id, case.customer_id
            act = case.acts[0]
            if act.wait:
                self.client.schedule(*of_customer, datetime.now(UTC) + act.wait)
            elif act.what == "assigned":
                self.client.transfer(*of_customer, case.heir)
            else:
                self.client.delete_schedule(*of_customer)
            self._book.done(case, self.agent)

    def _look(self, closing: Signal) -> None:
        row = self.client.next_customer(self._campaign_id)
        self.case = self._book.handed(row, self.agent) if row else None
        if self.case is None:
            closing.wait(BETWEEN_LOOKS)
            return
        operation = self._begin(self.case)
        closing.wait(self._random.uniform(*TALK))
        self._end(self.case, operation)
        self.plan(self.case)

    def _begin(self, case: Case) -> dict[str, Any]:
        """The script is read out, and copied to what was said."""
        answer = self.open(case)
        if "operation" not in answer:
            raise CloudError(f"{self.agent} was handed {case.code}, but {answer['detail']}")
        operation = answer["operation"]
        self._book.opened(case, operation["operation_id"], self.agent)
        operation = self.client.save_operation(operation, {"action_type": ACTION_TYPE})
        self._book.edited(case, self.agent)
        if not operation["script"].startswith(f"Olá, {case.name.partition(' ')[0]}!"):
            self._book.complaints.add(f"the script for {case.code} greets somebody else")
        operation = self.client.copy_script(operation)
        self._book.edited(case, self.agent)
        return operation

    def _end(self, case: Case, operation: dict[str, Any]) -> None:
        said = {"conversation": f"{operation['conversation']}\n\n{SAID}"}
        operation = self.client.save_operation(operation, said)
        self._book.edited(case, self.agent)
        act = case.acts[0]
        result: dict[str, Any] = {"reason" if act.what == "no_contact" else "outcome": act.code}
        if act.sells:
            result["value"] = str(case.price)
        if act.wait:
            result["at"] = (datetime.now(UTC) + act.wait).isoformat()
        self.client.end_operation(operation, ENDS[act.what], result)
        self._book.done(case, self.agent)


class Telemarketing:
    name = "Telemarketing"

    def __init__(
        self,
        supervisor: Client,
        tokens: Mapping[str, str],
        campaign_id: str,
        codes: Sequence[str],
        seed: int,
    ) -> None:
        self.book = Book(plan(codes, seed))
        self._client = supervisor
        self._campaign_id = campaign_id
        self._days = _around(datetime.now(UTC).date())

        def desk(agent: str, client: Client) -> Desk:
            return Desk(agent, client, campaign_id, self.book, seed)

        self._supervisor = desk(SUPERVISOR, supervisor)
        self._desks = {agent: desk(agent, supervisor.as_user(tokens[agent])) for agent in TEAM}
        self._at_work = [self._desks[agent] for agent in AT_WORK]
        self.scene = CampaignScene(self.book, self._at_work)

    def run(self, show: Callable[[Scene], None]) -> None:
        """Until nothing is left to be done. Raises CloudError."""
        self._set_up()
        self._rush()
        for case in self.book.cases.values():
            self._supervisor.plan(case)
        deadline = time.monotonic() + DONE_WITHIN
        with at_work(self._at_work):
            while not self.book.is_closed and time.monotonic() < deadline:
                show(self.scene)
                time.sleep(TICK)

    def summary(self) -> str:
        return self.book.summary()

    def differences(self) -> Iterator[str]:
        yield from sorted(self.book.complaints)
        yield from self.book.left_over()
        for agent, desk in self._desks.items():
            for state in STATES:
                page = desk.client.worklist(self._campaign_id, state)
                yield from self.book.list_differences(agent, state, page)
        for case in self.book.cases.values():
            items = self._client.history(self._campaign_id, case.customer_id)
            yield from history_differences(case, items)
        statistics = self._client.telemarketing_statistics(self._campaign_id, *self._days)
        yield from self.book.statistics_differences(statistics)

    def _set_up(self) -> None:
        for agent in TEAM:
            self._client.set_up(f"/agents/{quote(agent)}", {"name": agent, "queues": [QUEUE]})
        first, last = self._days
        campaign = {
            "name": "Planos de verão",
            "begins_on": str(first),
            "ends_on": str(last),
            "queue": QUEUE,
            "action_types": [ACTION_TYPE],
        }
        self._client.set_up(f"/telemarketing/campaigns/{self._campaign_id}", campaign)
        lines = [
            f"{case.code};{case.agent or 'equipe'};{case.priority}"
            for case in self.book.cases.values()
        ]
        content = "\n".join(["código;atendente;prioridade", *lines]).encode()
        self._client.link_customers(self._campaign_id, content)
        self.book.linked(self._client.worklist(self._campaign_id, "not_acted")["items"])

    def _rush(self) -> None:
        """All agents want the same customer at the same moment."""
        case = next(iter(self.book.cases.values()))
        with ThreadPoolExecutor(len(AT_WORK)) as threads:
            found = list(threads.map(lambda desk: desk.open(case), self._at_work))
        answers = dict(zip(AT_WORK, found, strict=True))
        for agent, answer in answers.items():
            if "operation" in answer:
                self.book.opened(case, answer["operation"]["operation_id"], agent)
        for agent, answer in answers.items():
            if "held_by" in answer:
                self.book.refuse(case, agent, answer["held_by"])


def _around(day: date) -> tuple[date, date]:
    """The day before and the day after: it may be another day where the company is."""
    return day - timedelta(days=1), day + timedelta(days=1)
