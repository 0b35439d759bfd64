"""Looks at things as their records are at this moment: what is seen of them, and by whom."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from retorno.agents.service import Agents, agents
from retorno.calls.service import CallReader, call_reader
from retorno.changes import Change, Kind
from retorno.customers.model import Lookup
from retorno.customers.service import CustomerDirectory, customer_directory
from retorno.dashboard.service import Dashboard, dashboard_reader
from retorno.errors import NotFound
from retorno.messages.service import Conversations, conversations
from retorno.offers.service import OfferRecords, offer_records
from retorno.promises.model import State as PromiseState
from retorno.promises.service import PromiseRecords, promise_records
from retorno.realtime.model import Sight
from retorno.realtime.views import (
    AgentView,
    BreachView,
    CallView,
    ContactDueView,
    ConversationView,
    DashboardView,
    LinkedView,
    MissedCallView,
    OfferView,
    PromiseView,
    View,
)
from retorno.recovery.model import UNREACHED
from retorno.recovery.service import MissedCalls, missed_calls
from retorno.settings import PublishUpdatesSettings
from retorno.telemarketing.assignments.service import Assignments, assignments
from retorno.telemarketing.setup.service import Setup, setup
from retorno.waits.model import Outcome
from retorno.waits.service import WaitRecords, wait_records

CONTACT_DUE = "contact_due"
CONVERSATION = "conversation"
BREACH = "breach"
TODAY = "today"

Keys = Mapping[str, str]


class Found(NamedTuple):
    """`lookup` is what its customer is looked up by."""

    kind: str
    thing_id: str
    present: bool = False
    view: View | None = None
    agent: str | None = None
    queues: Sequence[str | None] = ()
    lookup: Lookup | None = None


class Sights:
    def __init__(
        self,
        calls: CallReader,
        missed: MissedCalls,
        agents: Agents,
        offers: OfferRecords,
        promises: PromiseRecords,
        assignments: Assignments,
        setup: Setup,
        conversations: Conversations,
        waits: WaitRecords,
        dashboard: Dashboard,
        directory: CustomerDirectory,
    ) -> None:
        self._calls = calls
        self._missed = missed
        self._agents = agents
        self._offers = offers
        self._promises = promises
        self._assignments = assignments
        self._setup = setup
        self._conversations = conversations
        self._waits = waits
        self._dashboard = dashboard
        self._directory = directory
        self._readers: Mapping[Kind, Callable[[Keys, datetime], Found | None]] = {
            Kind.CALL: self._call,
            Kind.MISSED_CALL: self._missed_call,
            Kind.AGENT: self._agent,
            Kind.OFFER: self._offer,
            Kind.PROMISE: self._promise,
            Kind.ASSIGNMENT: self._contact_due,
            Kind.MESSAGE: self._conversation,
            Kind.WAIT: self._breach,
            Kind.DASHBOARD: self._today,
        }

    def look(self, changes: Sequence[Change], now: datetime) -> list[Sight]:
        """What is to be seen of things that changed. Raises Unavailable."""
        readers = [(self._readers.get(change.kind), change.keys) for change in changes]
        found = [seen for read, keys in readers if read and (seen := read(keys, now))]
        links = iter(self._directory.links([each.lookup for each in found if each.lookup]))
        sights = []
        for each in found:
            view = each.view
            if each.lookup and isinstance(view, LinkedView):
                view = view.linked(next(links))
            sights.append(_sight(each, view))
        return sights

    def _call(self, keys: Keys, now: datetime) -> Found:
        call_id = keys["call_id"]
        try:
            call = self._calls.one(call_id)
        except NotFound:
            return Found(Kind.CALL, call_id)
        return Found(
            Kind.CALL,
            call_id,
            present=call.started_at is not None and call.ended_at is None,
            view=CallView.of(call),
            agent=call.agent,
            queues=(call.queue, call.last_queue),
            lookup=call.lookup,
        )

    def _missed_call(self, keys: Keys, now: datetime) -> Found:
        call_id = keys["call_id"]
        try:
            missed = self._missed.one(call_id)
        except NotFound:
            return Found(Kind.MISSED_CALL, call_id)
        return Found(
            Kind.MISSED_CALL,
            call_id,
            present=missed.outcome.state in UNREACHED,
            view=MissedCallView.of(missed),
            agent=missed.part.agent,
            queues=(missed.part.queue,),
            lookup=missed.part.lookup,
        )

    def _agent(self, keys: Keys, now: datetime) -> Found | None:
        agent = self._agents.told_of(keys)
        if agent is None:
            return None
        try:
            stored = self._agents.one(agent)
        except NotFound:
            return Found(Kind.AGENT, agent)
        view = AgentView.of(stored, now)
        return Found(Kind.AGENT, agent, True, view, agent, stored.agent.queues)

    def _offer(self, keys: Keys, now: datetime) -> Found | None:
        offer_id = self._offers.told_of(keys)
        if offer_id is None:
            return None
        try:
            offer = self._offers.one(offer_id, None)
            call = self._calls.one(offer.call_id)
        except NotFound:
            return Found(Kind.OFFER, offer_id)
        return Found(
            Kind.OFFER,
            offer_id,
            present=offer.ended_at is None,
            view=OfferView.of(offer, call.number),
            agent=offer.agent,
            queues=(offer.queue,),
            lookup=call.lookup,
        )

    def _promise(self, keys: Keys, now: datetime) -> Found:
        promise_id = keys["promise_id"]
        try:
            promise = self._promises.one(promise_id)
        except NotFound:
            return Found(Kind.PROMISE, promise_id)
        is_due, view = promise.state is PromiseState.LISTED, PromiseView.of(promise)
        return Found(Kind.PROMISE, promise_id, is_due, view, promise.agent, (promise.queue,))

    def _contact_due(self, keys: Keys, now: datetime) -> Found:
        campaign_id, customer_id = keys["campaign_id"], keys["customer_id"]
        thing_id = f"{campaign_id}#{customer_id}"
        try:
            assignment = self._assignments.one(campaign_id, customer_id)
        except NotFound:
            return Found(CONTACT_DUE, thing_id)
        if not assignment.due or assignment.schedule is None:
            return Found(CONTACT_DUE, thing_id)
        campaign = self._setup.campaign(campaign_id)
        customer = self._directory.some([customer_id]).get(customer_id)
        view = ContactDueView.of(assignment, assignment.schedule, campaign, customer)
        return Found(CONTACT_DUE, thing_id, True, view, assignment.shown_to, (campaign.queue,))

    def _conversation(self, keys: Keys, now: datetime) -> Found | None:
        conversation = self._conversations.told_of(keys)
        if conversation is None:
            return None
        summary = self._conversations.summary(conversation)
        if summary is None:
            return Found(CONVERSATION, conversation)
        asks, view = summary.unread > 0 or summary.failed, ConversationView.of(summary)
        return Found(CONVERSATION, conversation, asks, view, summary.agent)

    def _breach(self, keys: Keys, now: datetime) -> Found:
        wait = self._waits.one(keys["call_id"])
        if wait is None:
            return Found(BREACH, keys["call_id"])
        goes_on, view = wait.breached and wait.outcome is Outcome.WAITING, BreachView.of(wait)
        queues = (wait.queue, wait.last_queue)
        return Found(BREACH, wait.call_id, goes_on, view, queues=queues)

    def _today(self, keys: Keys, now: datetime) -> Found:
        return Found(Kind.DASHBOARD, TODAY, True, DashboardView.of(self._dashboard.today(now)))


def _sight(found: Found, view: View | None) -> Sight:
    return Sight(
        kind=found.kind,
        thing_id=found.thing_id,
        present=found.present,
        view=view.model_dump(mode="json") if view else None,
        agents=frozenset([found.agent] if found.agent else ()),
        queues=frozenset(queue for queue in found.queues if queue),
    )


def sights(settings: PublishUpdatesSettings) -> Sights:
    return Sights(
        call_reader(settings),
        missed_calls(settings),
        agents(settings),
        offer_records(settings),
        promise_records(settings),
        assignments(settings),
        setup(settings),
        conversations(settings),
        wait_records(settings),
        dashboard_reader(settings),
        customer_directory(settings),
    )
