"""Looks at things as their records are at this moment: what is seen of them, and by whom."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from retorno.agents.service import Agents, agents
from retorno.calls.model import Call
from retorno.calls.service import CallReader, call_reader
from retorno.changes import Change, Kind
from retorno.customers.lookup import Lookup
from retorno.customers.service import CustomerDirectory, customer_directory
from retorno.dashboard.reader import Dashboard, dashboard_reader
from retorno.errors import NotFound
from retorno.messages.service import Conversations, conversations
from retorno.offers.service import OffersMade, offers_made
from retorno.promises.model import State as PromiseState
from retorno.promises.service import PromisesMade, promises_made
from retorno.realtime.model import Audience, Sight
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
from retorno.recovery.model import UNREACHED, MissedCall, number_key_of
from retorno.recovery.service import PartFollowing, part_following
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


# What is found of the items that have such keys.
Reader = Callable[[Sequence[Keys], datetime], Iterable[Found]]


class Sights:
    def __init__(
        self,
        calls: CallReader,
        missed: PartFollowing,
        agents: Agents,
        offers: OffersMade,
        promises: PromisesMade,
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
        self._readers: Mapping[Kind, Reader] = {
            Kind.CALL: self._of_calls,
            Kind.MISSED_CALL: self._of_missed_calls,
            Kind.AGENT: self._of_agents,
            Kind.OFFER: self._of_offers,
            Kind.PROMISE: self._of_promises,
            Kind.ASSIGNMENT: self._of_contacts_due,
            Kind.MESSAGE: self._of_conversations,
            Kind.WAIT: self._of_waits,
            Kind.DASHBOARD: self._of_today,
        }

    def look(self, changes: Sequence[Change], now: datetime) -> list[Sight]:
        """What is to be seen of things that changed. Raises Unavailable."""
        found = [
            seen
            for kind, read in self._readers.items()
            if (keys := [each.keys for each in changes if each.kind is kind])
            for seen in read(keys, now)
        ]
        links = iter(self._directory.links([each.lookup for each in found if each.lookup]))
        sights = []
        for each in found:
            view = each.view
            if each.lookup and isinstance(view, LinkedView):
                view = view.linked(next(links))
            sights.append(_sight(each, view))
        return sights

    def _by_id(self, call_ids: Sequence[str]) -> Mapping[str, Call]:
        # DynamoDB takes no key twice at once.
        return {call.call_id: call for call in self._calls.present(list(dict.fromkeys(call_ids)))}

    def _of_calls(self, keys: Sequence[Keys], now: datetime) -> Iterator[Found]:
        call_ids = [each["call_id"] for each in keys]
        calls = self._by_id(call_ids)
        for call_id in call_ids:
            call = calls.get(call_id)
            yield _call(call) if call else Found(Kind.CALL, call_id)

    def _of_missed_calls(self, keys: Sequence[Keys], now: datetime) -> Iterator[Found]:
        """By the call's number as it is known now: it may have another than the message says."""
        call_ids = [each["call_id"] for each in keys]
        parts = [(number_key_of(call), call_id) for call_id, call in self._by_id(call_ids).items()]
        missed = {each.part.call_id: each for each in self._missed.missed(parts)}
        for call_id in call_ids:
            found = missed.get(call_id)
            yield _missed_call(found) if found else Found(Kind.MISSED_CALL, call_id)

    def _of_agents(self, keys: Sequence[Keys], now: datetime) -> Iterator[Found]:
        names = [agent for each in keys if (agent := self._agents.told_of(each))]
        known = {stored.agent.agent: stored for stored in self._agents.some(names)}
        for name in names:
            stored = known.get(name)
            if stored is None:
                yield Found(Kind.AGENT, name)
                continue
            view = AgentView.of(stored, now)
            yield Found(Kind.AGENT, name, True, view, name, stored.agent.queues)

    def _of_offers(self, keys: Sequence[Keys], now: datetime) -> Iterator[Found]:
        offers = self._offers.at([each["pk"] for each in keys]).values()
        calls = self._by_id([offer.call_id for offer in offers])
        for offer in offers:
            call = calls.get(offer.call_id)
            yield Found(
                Kind.OFFER,
                offer.offer_id,
                present=offer.ended_at is None,
                view=OfferView.of(offer, call.number if call else None),
                agent=offer.agent,
                queues=(offer.queue,),
                lookup=call.lookup if call else None,
            )

    def _of_promises(self, keys: Sequence[Keys], now: datetime) -> Iterator[Found]:
        for promise in self._promises.at([each["promise_id"] for each in keys]):
            is_due, view = promise.state is PromiseState.LISTED, PromiseView.of(promise)
            queues = (promise.queue,)
            yield Found(Kind.PROMISE, promise.promise_id, is_due, view, promise.agent, queues)

    def _of_contacts_due(self, keys: Sequence[Keys], now: datetime) -> Iterator[Found]:
        for each in keys:
            yield self._contact_due(each["campaign_id"], each["customer_id"])

    def _contact_due(self, campaign_id: str, customer_id: str) -> Found:
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

    def _of_conversations(self, keys: Sequence[Keys], now: datetime) -> Iterator[Found]:
        for conversation in filter(None, map(self._conversations.told_of, keys)):
            summary = self._conversations.summary(conversation)
            if summary is None:
                yield Found(CONVERSATION, conversation)
            else:
                asks, view = summary.unread > 0 or summary.failed, ConversationView.of(summary)
                yield Found(CONVERSATION, conversation, asks, view, summary.agent)

    def _of_waits(self, keys: Sequence[Keys], now: datetime) -> Iterator[Found]:
        for wait in self._waits.some([each["call_id"] for each in keys]):
            goes_on, view = wait.breached and wait.outcome is Outcome.WAITING, BreachView.of(wait)
            queues = (wait.queue, wait.last_queue)
            yield Found(BREACH, wait.call_id, goes_on, view, queues=queues)

    def _of_today(self, keys: Sequence[Keys], now: datetime) -> Iterator[Found]:
        yield Found(Kind.DASHBOARD, TODAY, True, DashboardView.of(self._dashboard.today(now)))


def _call(call: Call) -> Found:
    return Found(
        Kind.CALL,
        call.call_id,
        present=call.started_at is not None and call.ended_at is None,
        view=CallView.of(call),
        agent=call.agent,
        queues=(call.queue, call.last_queue),
        lookup=call.lookup,
    )


def _missed_call(missed: MissedCall) -> Found:
    return Found(
        Kind.MISSED_CALL,
        missed.part.call_id,
        present=missed.outcome.state in UNREACHED,
        view=MissedCallView.of(missed),
        agent=missed.part.agent,
        queues=(missed.part.queue,),
        lookup=missed.part.lookup,
    )


def _sight(found: Found, view: View | None) -> Sight:
    return Sight(
        kind=found.kind,
        thing_id=found.thing_id,
        present=found.present,
        view=view.model_dump(mode="json") if view else None,
        audience=Audience(
            agents=frozenset([found.agent] if found.agent else ()),
            queues=frozenset(queue for queue in found.queues if queue),
        ),
    )


def sights(settings: PublishUpdatesSettings) -> Sights:
    return Sights(
        call_reader(settings),
        part_following(settings),
        agents(settings),
        offers_made(settings),
        promises_made(settings),
        assignments(settings),
        setup(settings),
        conversations(settings),
        wait_records(settings),
        dashboard_reader(settings),
        customer_directory(settings),
    )
