"""Missed callers called back: through the API, the streams, and a telephone system's answers."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError

from retorno.callbacks import dialler
from retorno.callbacks.model import RANKS, Contact, line_of_campaign, placed
from retorno.callbacks.store import SEEN_AT_ONCE, ContactStore
from retorno.calling_rules.model import Purpose
from retorno.errors import Unavailable
from retorno.recovery.service import Matching
from tests.support.clock import StoppedClock
from tests.support.deployment import Deployment
from tests.support.events import Answer, http, sqs, user
from tests.support.exchange import Answering, serving
from tests.support.functions import function_of
from tests.support.requests import counted
from tests.support.switchboard import Switchboard
from tests.support.webhooks import canonical

# A Monday in São Paulo, 9:30.
NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
CUSTOMER = "+5511987654321"
CAMPAIGN = {"name": "Retorno de vendas", "monitored_queue": "vendas", "callback_queue": "retorno"}
LEADER = user("[supervisor]", "leo")


class Centre:
    """A call centre with one campaign, asked over HTTP and told by webhooks."""

    def __init__(
        self, deployment: Deployment, clock: StoppedClock, switchboard: Switchboard
    ) -> None:
        self.deployment = deployment
        self.clock = clock
        self.switchboard = switchboard

    def ask(
        self,
        route: str,
        body: Any = None,
        claims: Any = LEADER,
        if_match: str | None = None,
        pattern: str | None = None,
        **query: str,
    ) -> Answer:
        method, _, path = route.partition(" ")
        event = http(
            f"{method} {pattern or path}",
            path=path,
            query=query,
            headers={"if-match": if_match} if if_match else {},
            body=None if body is None else json.dumps(body).encode(),
            claims=claims,
        )
        return self.deployment.ask(function_of(f"{method} {pattern or path}"), event)

    def campaign(self, campaign_id: str = "vendas", **fields: Any) -> None:
        answer = self.ask(
            f"PUT /callback-campaigns/{campaign_id}",
            CAMPAIGN | fields,
            pattern="/callback-campaigns/{campaign}",
        )
        assert answer.status == 201, answer.body

    def agent(self, agent: str, *queues: str) -> None:
        """Logs an agent in."""
        draft = {"name": agent, "queues": queues or ("retorno",), "wrap_up_seconds": 0}
        assert self.ask(f"PUT /agents/{agent}", draft, pattern="/agents/{agent}").status == 201
        wish = {"state": "available"}
        route = f"PUT /agents/{agent}/presence"
        assert self.ask(route, wish, pattern="/agents/{agent}/presence").status == 200

    def presence(self, agent: str) -> str:
        state: str = self.ask(f"GET /agents/{agent}", pattern="/agents/{agent}").body["presence"][
            "state"
        ]
        return state

    def tell(self, call_id: str, stage: str, **facts: Any) -> None:
        event = {
            "event_id": f"{call_id}-{stage}",
            "call_id": call_id,
            "stage": stage,
            "occurred_at": self.clock.now.isoformat(),
            **facts,
        }
        answer = self.deployment.ask("IngestCalls", canonical(self.clock.now, event))
        assert (answer.status, answer.body["refused"]) == (200, []), answer.body

    def miss(self, call_id: str, number: str = CUSTOMER, queue: str = "vendas") -> None:
        self.tell(call_id, "queued", direction="inbound", queue=queue, **{"from": number})
        self.clock.advance(seconds=20)
        self.tell(call_id, "cancelled")
        self.deployment.work()

    def later(self, **time: float) -> None:
        """Time passes; every minute the net looks after what is due."""
        self.clock.advance(**time)
        self.deployment.call("WatchCallbacks", {})
        self.deployment.work()

    def free(self, contact_id: str) -> Answer:
        path = "/callback-contacts/{contact_id}/free"
        return self.ask(f"POST {path.format(contact_id=contact_id)}", pattern=path)

    def contacts(self, state: str = "waiting", list_name: str = "vendas") -> list[dict[str, Any]]:
        answer = self.ask("GET /callback-contacts", list_name=list_name, state=state)
        items: list[dict[str, Any]] = answer.body["items"]
        return items

    @property
    def rung(self) -> list[tuple[str, str]]:
        """Who was rung, and by whom."""
        return [(order["number"], order["agent"]) for order in self.switchboard.placed]

    @property
    def last_call(self) -> str:
        return f"call-{self.switchboard.placed[-1]['attempt_id']}"

    def answered(self, seconds: int = 40, answered_by: str = "human") -> None:
        """The last call is answered, and goes on for a while."""
        self.tell(self.last_call, "answered", answered_by=answered_by)
        self.deployment.work()
        self.clock.advance(seconds=seconds)
        self.tell(self.last_call, "completed")
        self.deployment.work()

    def unanswered(self, **facts: Any) -> None:
        self.clock.advance(seconds=30)
        self.tell(self.last_call, "no_answer", **facts)
        self.deployment.work()


@pytest.fixture
def centre(deployment: Deployment, clock: StoppedClock) -> Iterator[Centre]:
    clock.now = NOW
    with serving(Switchboard()) as switchboard:
        assert isinstance(switchboard, Switchboard)
        deployment.configure(DIAL_PROVIDER="canonical", DIAL_URL=switchboard.url)
        yield Centre(deployment, clock, switchboard)


def test_who_was_missed_is_called_back_by_who_is_free(centre: Centre) -> None:
    centre.campaign()
    centre.miss("in-1")
    (waiting,) = centre.contacts()
    assert (waiting["number"], waiting["misses"], waiting["reason"]) == (
        CUSTOMER,
        ["in-1"],
        "missed",
    )
    assert centre.rung == []

    centre.agent("ana")
    centre.deployment.work()
    assert centre.rung == [(CUSTOMER, "ana")]
    assert centre.presence("ana") == "dialling"
    (dialling,) = centre.contacts("dialling")
    assert (dialling["attempts"], dialling["call_id"]) == (1, centre.last_call)

    centre.answered()
    (reached,) = centre.contacts("reached")
    assert (reached["result"], reached["misses"]) == ("human", [])
    assert centre.presence("ana") == "available"
    missed = centre.ask("GET /missed-calls/in-1", pattern="/missed-calls/{call_id}").body
    assert (missed["state"], missed["recovered_by"]) == ("recovered", centre.last_call)
    assert missed["recovered_by_agent"] == "ana"
    centre.later(hours=1)
    assert len(centre.rung) == 1


def test_nobody_is_called_while_nobody_is_free(centre: Centre) -> None:
    centre.campaign()
    centre.agent("ana", "another-queue")
    centre.miss("in-1")
    centre.later(minutes=5)
    assert centre.rung == []


def test_the_wait_is_what_came_of_the_call(centre: Centre) -> None:
    centre.campaign(waits={"busy": 5, "no_answer": 10, "voicemail": 20, "failed": 40})
    centre.agent("ana")
    centre.miss("in-1")
    centre.unanswered(reason="busy")
    (waiting,) = centre.contacts()
    assert (waiting["reason"], waiting["result"]) == ("busy", "busy")
    ended = centre.clock.now
    centre.later(minutes=4, seconds=50)
    assert len(centre.rung) == 1
    centre.later(seconds=20)
    assert len(centre.rung) == 1, "no number is called twice within ten minutes"
    (waiting,) = centre.contacts()
    assert waiting["reason"] == "gap"
    assert (datetime.fromisoformat(waiting["due_at"]) - ended).total_seconds() < 600
    centre.later(minutes=5)
    assert len(centre.rung) == 2
    centre.answered(seconds=8, answered_by="voicemail")
    (waiting,) = centre.contacts()
    assert waiting["reason"] == "voicemail"
    wait = datetime.fromisoformat(waiting["due_at"]) - centre.clock.now
    assert wait.total_seconds() == 20 * 60


def test_at_the_limit_a_contact_is_blocked_until_a_person_frees_it(centre: Centre) -> None:
    centre.campaign(max_attempts=2, max_calls_a_day=20, waits={"no_answer": 15})
    centre.agent("ana")
    centre.miss("in-1")
    centre.unanswered()
    centre.later(minutes=16)
    centre.unanswered()
    (blocked,) = centre.contacts("blocked")
    assert (blocked["attempts"], blocked["reason"], blocked["due_at"]) == (2, "attempts", None)
    missed = {"path": "GET /missed-calls/in-1", "pattern": "/missed-calls/{call_id}"}
    assert centre.ask(missed["path"], pattern=missed["pattern"]).body["state"] == "blocked"
    centre.miss("in-2")
    centre.later(days=1)
    assert len(centre.rung) == 2
    assert centre.contacts("blocked")[0]["misses"] == ["in-1", "in-2"]

    assert centre.free(blocked["contact_id"]).body["attempts"] == 0
    assert centre.free(blocked["contact_id"]).status == 409
    centre.deployment.work()
    assert len(centre.rung) == 3
    centre.answered()
    assert centre.contacts("reached")
    assert centre.ask(missed["path"], pattern=missed["pattern"]).body["state"] == "recovered"


def test_who_was_missed_oftener_comes_first(centre: Centre) -> None:
    centre.campaign()
    centre.miss("in-1", "+5511987650001")
    centre.miss("in-2", "+5511987650002")
    centre.miss("in-3", "+5511987650002")
    centre.agent("ana")
    centre.deployment.work()
    assert centre.rung == [("+5511987650002", "ana")]


def test_who_rings_again_and_is_answered_is_called_no_more(centre: Centre) -> None:
    centre.campaign()
    centre.miss("in-1")
    centre.tell("in-2", "queued", direction="inbound", queue="vendas", **{"from": CUSTOMER})
    centre.tell("in-2", "answered", agent="bia")
    centre.deployment.work()
    assert [each["misses"] for each in centre.contacts("returned")] == [[]]
    centre.agent("ana")
    centre.later(minutes=2)
    assert centre.rung == []


def test_who_was_answered_is_not_called_before_the_list_hears_of_it(centre: Centre) -> None:
    centre.campaign()
    centre.miss("in-1")
    centre.tell("in-2", "queued", direction="inbound", queue="vendas", **{"from": CUSTOMER})
    centre.tell("in-2", "answered", agent="bia")
    centre.tell("in-2", "completed")
    # No stream has told anybody.
    centre.agent("ana")
    message = json.dumps({"queue": "retorno", "at": "2026-03-02T12:00:00.000000Z"})
    centre.deployment.call("DialCallbacks", sqs(message))
    assert centre.rung == []
    assert centre.contacts()[0]["reason"] == "answered"
    centre.deployment.work()
    assert centre.contacts("returned")


def test_who_is_in_a_call_is_not_called(centre: Centre) -> None:
    centre.campaign()
    centre.miss("in-1")
    centre.tell("in-2", "queued", direction="inbound", queue="vendas", **{"from": CUSTOMER})
    centre.agent("ana")
    centre.deployment.work()
    assert centre.rung == []
    assert centre.contacts()[0]["reason"] == "in_call"
    centre.tell("in-2", "cancelled")
    centre.later(seconds=40)
    assert centre.rung == [(CUSTOMER, "ana")]


def never_call(centre: Centre, number: str = CUSTOMER) -> None:
    entry = {"origin": "customer", "scope": "all"}
    route = f"PUT /do-not-call/{number}"
    assert centre.ask(route, entry, pattern="/do-not-call/{number}").status == 200


def test_who_does_not_want_calls_is_taken_off_the_list(centre: Centre) -> None:
    centre.campaign()
    centre.miss("in-1")
    never_call(centre)
    centre.deployment.work()
    assert centre.contacts("do_not_call")[0]["reason"] == "customer"
    centre.agent("ana")
    centre.later(minutes=2)
    assert centre.rung == []


def test_who_did_not_want_calls_joins_no_list(centre: Centre) -> None:
    centre.campaign()
    never_call(centre, "(11) 8765-4321")
    centre.miss("in-1")
    assert centre.contacts("do_not_call")[0]["reason"] == "customer"


def test_who_says_in_a_call_that_they_want_none_is_on_the_list_no_more(centre: Centre) -> None:
    centre.campaign()
    centre.agent("ana")
    centre.miss("in-1")
    never_call(centre)
    centre.deployment.work()
    assert centre.contacts("dialling")
    centre.unanswered()
    assert (centre.contacts(), len(centre.contacts("do_not_call"))) == ([], 1)


def test_the_list_is_asked_again_at_the_call(centre: Centre) -> None:
    centre.campaign()
    centre.miss("in-1")
    never_call(centre)
    # Its stream has not told yet.
    centre.agent("ana")
    message = json.dumps({"queue": "retorno", "at": "2026-03-02T12:00:00.000000Z"})
    centre.deployment.call("DialCallbacks", sqs(message))
    assert centre.rung == []
    assert centre.contacts("do_not_call")


def test_outside_its_hours_a_campaign_waits_for_them(centre: Centre) -> None:
    week = ["monday", "tuesday", "wednesday", "thursday", "friday"]
    centre.campaign(hours=[{"days": week, "since": "10:00", "until": "18:00"}])
    centre.agent("ana")
    centre.miss("in-1")
    (waiting,) = centre.contacts()
    assert waiting["reason"] == "campaign/hours"
    assert waiting["due_at"] == "2026-03-02T13:00:00Z"
    assert centre.rung == []
    centre.later(minutes=30)
    assert centre.rung == [(CUSTOMER, "ana")]


def test_a_paused_campaign_calls_nobody_and_loses_nobody(centre: Centre) -> None:
    centre.campaign()
    pattern = "/callback-campaigns/{campaign}"
    assert centre.ask("POST /callback-campaigns/vendas/pause", pattern=f"{pattern}/pause").body[
        "paused"
    ]
    centre.agent("ana")
    centre.miss("in-1")
    centre.later(minutes=1)
    assert centre.rung == []
    centre.ask("POST /callback-campaigns/vendas/resume", pattern=f"{pattern}/resume")
    centre.deployment.work()
    assert centre.rung == [(CUSTOMER, "ana")]


def test_a_campaign_is_changed_by_who_saw_it_but_for_the_queue_it_watches(centre: Centre) -> None:
    centre.campaign()
    centre.agent("ana", "outra")

    def put(if_match: str, **fields: Any) -> Answer:
        pattern = "/callback-campaigns/{campaign}"
        draft = CAMPAIGN | fields
        return centre.ask("PUT /callback-campaigns/vendas", draft, LEADER, if_match, pattern)

    moved = put('"1"', monitored_queue="suporte")
    assert (moved.status, moved.body["errors"][0]["field"]) == (422, "monitored_queue")
    assert put('"1"', callback_queue="outra").body["version"] == 2
    assert put('"1"', callback_queue="retorno").status == 412
    centre.miss("in-1")
    assert centre.rung == [(CUSTOMER, "ana")]


def test_a_campaign_that_is_removed_calls_nobody(centre: Centre) -> None:
    centre.campaign()
    centre.miss("in-1")
    pattern = "/callback-campaigns/{campaign}"
    assert (
        centre.ask("DELETE /callback-campaigns/vendas", if_match="*", pattern=pattern).status == 204
    )
    centre.agent("ana")
    centre.later(minutes=1)
    assert (centre.rung, [each["reason"] for each in centre.contacts("cancelled")]) == (
        [],
        ["no campaign"],
    )


def test_what_the_telephone_system_did_not_place_is_no_attempt(centre: Centre) -> None:
    centre.campaign()
    centre.agent("ana")
    centre.switchboard.answers = [Answering(503)]
    centre.miss("in-1")
    (waiting,) = centre.contacts()
    assert (waiting["attempts"], waiting["reason"]) == (
        0,
        "not placed: the telephone system answered 503",
    )
    assert centre.presence("ana") == "available"
    centre.later(seconds=31)
    assert (centre.rung, centre.contacts("dialling")[0]["attempts"]) == ([(CUSTOMER, "ana")], 1)


def test_what_the_telephone_system_refuses_is_for_a_person(centre: Centre) -> None:
    a_refused_dial(centre)
    (blocked,) = centre.contacts("blocked")
    assert (blocked["attempts"], blocked["reason"].startswith("refused")) == (0, True)
    assert centre.presence("ana") == "available"


def a_refused_dial(centre: Centre) -> None:
    """Of who was missed in "in-1"; the next one is taken."""
    centre.campaign()
    centre.agent("ana")
    centre.switchboard.answers = [Answering(400)]
    centre.miss("in-1")


def state_of_miss(centre: Centre) -> str:
    answer = centre.ask("GET /missed-calls/in-1", pattern="/missed-calls/{call_id}")
    state: str = answer.body["state"]
    return state


@contextmanager
def recovery_untold() -> Iterator[None]:
    """Whoever is to tell recovery dies before."""
    with patch.object(Matching, "block", side_effect=Unavailable("it died")):
        yield


class TestRecoveryIsToldOfABlockedContact:
    def test_though_its_worker_died(self, centre: Centre) -> None:
        with recovery_untold():
            a_refused_dial(centre)
        assert (len(centre.contacts("blocked")), state_of_miss(centre)) == (1, "open")
        centre.later(seconds=91)
        assert state_of_miss(centre) == "blocked"
        with counted() as requests:
            centre.later(minutes=5)
        assert "UpdateItem" not in requests, "nobody has to look after it any more"

    def test_that_is_freed_once_somebody_asks_again(self, centre: Centre) -> None:
        a_refused_dial(centre)
        (contact,) = centre.contacts("blocked")
        with recovery_untold():
            assert centre.free(contact["contact_id"]).status == 503
        assert state_of_miss(centre) == "blocked"
        assert centre.free(contact["contact_id"]).status == 200
        assert state_of_miss(centre) == "open"

    def test_that_is_freed_at_the_latest_as_it_is_dialled(self, centre: Centre) -> None:
        a_refused_dial(centre)
        (contact,) = centre.contacts("blocked")
        with recovery_untold():
            assert centre.free(contact["contact_id"]).status == 503
        centre.deployment.work()
        assert (len(centre.contacts("dialling")), state_of_miss(centre)) == (1, "open")

    def test_that_is_freed_while_it_is_told(
        self, centre: Centre, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        block = Matching.block

        def told_late(matching: Matching, *told: Any, blocked: bool) -> None:
            if blocked:
                (contact,) = centre.contacts("blocked")
                assert centre.free(contact["contact_id"]).status == 200
            block(matching, *told, blocked=blocked)

        monkeypatch.setattr(Matching, "block", told_late)
        a_refused_dial(centre)
        assert state_of_miss(centre) == "open"

    def test_whose_customer_wants_no_calls_though_that_ones_worker_died(
        self, centre: Centre
    ) -> None:
        """It is as open as the missed calls of all others who want none."""
        a_refused_dial(centre)
        with recovery_untold():
            never_call(centre)
            with pytest.raises(BatchProcessingError, match="it died"):
                centre.deployment.work()
        assert (len(centre.contacts("do_not_call")), state_of_miss(centre)) == (1, "blocked")
        centre.later(seconds=91)
        assert state_of_miss(centre) == "open"


def test_one_look_says_in_which_ranks_somebody_is_due(centre: Centre) -> None:
    store = ContactStore("contacts")
    for seed in range(20):
        random = Random(seed)
        contacts = [
            contact(f"{seed}-{index}", f"list-{seed}", random)
            for index in range(random.choice([0, 3, SEEN_AT_ONCE - 1, SEEN_AT_ONCE + 5]))
        ]
        for each in contacts:
            store.save(each)
        due = {each.rank for each in contacts if each.due_at <= NOW}
        found = set(store.ranks_due(line_of_campaign(f"list-{seed}"), NOW))
        assert found == (due if len(contacts) < SEEN_AT_ONCE else set(RANKS))


def contact(contact_id: str, list_name: str, random: Random) -> Contact:
    return Contact(
        contact_id=contact_id,
        list_name=list_name,
        number=CUSTOMER,
        queue="retorno",
        purpose=random.choice([Purpose.REQUESTED_CALLBACK, Purpose.ABANDONED_CALLBACK]),
        reason="missed",
        asked_at=NOW,
        due_at=NOW + timedelta(minutes=random.choice([-9, 0, 1, 60])),
        misses=tuple(map(str, range(random.randint(1, 3)))),
        changed_at=NOW,
    )


def test_an_operator_who_does_not_pick_up_costs_the_customer_no_attempt(centre: Centre) -> None:
    centre.campaign()
    centre.agent("ana")
    centre.miss("in-1")
    centre.unanswered(reason="operator_no_answer")
    (waiting,) = centre.contacts()
    assert (waiting["attempts"], waiting["reason"]) == (0, "operator_no_answer")
    assert centre.presence("ana") == "paused"
    missed = centre.ask("GET /missed-calls/in-1", pattern="/missed-calls/{call_id}").body
    assert missed["attempts"] == 0
    centre.agent("bia")
    centre.deployment.work()
    assert centre.rung == [(CUSTOMER, "ana"), (CUSTOMER, "bia")]


def test_a_lost_answer_is_looked_up_and_nobody_rung_twice(centre: Centre) -> None:
    centre.campaign()
    centre.agent("ana")
    centre.switchboard.loses = 1
    centre.miss("in-1")
    assert centre.contacts("dialling")[0]["call_id"] is None
    centre.later(seconds=61)
    assert centre.contacts("dialling")[0]["call_id"] == centre.last_call
    centre.answered()
    assert centre.contacts("reached")
    assert centre.rung == [(CUSTOMER, "ana")]
    assert centre.presence("ana") == "available"


def test_a_telephone_system_without_first_words_is_no_surprise_later(centre: Centre) -> None:
    centre.deployment.configure(DIAL_PROVIDER="zenvia")
    path = "/callback-campaigns/{campaign}"
    draft = CAMPAIGN | {"menu": "antes-de-falar"}
    answer = centre.ask("PUT /callback-campaigns/vendas", draft, pattern=path)
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, "menu")


def test_an_end_that_is_told_while_the_call_is_written_down_is_not_lost(
    centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    def placed_late(contact: Contact, dial_id: str, call_id: str, *times: datetime) -> Contact:
        # Its message comes and goes before the contact knows its call.
        centre.tell(call_id, "answered", answered_by="human")
        centre.tell(call_id, "completed")
        centre.deployment.work()
        return placed(contact, dial_id, call_id, *times)

    monkeypatch.setattr(dialler, "placed", placed_late)
    centre.campaign()
    centre.agent("ana")
    centre.miss("in-1")
    assert [each["result"] for each in centre.contacts("reached")] == ["human"]
    assert centre.presence("ana") == "available"


def test_two_campaigns_share_a_numbers_limits(centre: Centre) -> None:
    centre.campaign(max_calls_a_day=1)
    centre.campaign("suporte", monitored_queue="suporte", max_calls_a_day=1)
    centre.agent("ana")
    centre.miss("in-1")
    centre.unanswered()
    centre.miss("in-2", queue="suporte")
    assert len(centre.rung) == 1
    (waiting,) = centre.contacts(list_name="suporte")
    assert (waiting["reason"], waiting["due_at"]) == ("calls_a_day", "2026-03-03T03:00:00Z")


def test_callers_who_wait_come_first(centre: Centre) -> None:
    centre.campaign()
    centre.miss("in-1")
    centre.tell("in-2", "queued", direction="inbound", queue="balcão", **{"from": "+5511987650002"})
    centre.deployment.work()
    centre.agent("ana", "retorno", "balcão")
    centre.deployment.work()
    assert centre.rung == []
    centre.agent("bia", "retorno")
    centre.deployment.work()
    assert centre.rung == [(CUSTOMER, "bia")]
    centre.tell("in-2", "cancelled")
    centre.miss("in-3", "+5511987650003")
    assert centre.rung[1:] == [("+5511987650003", "ana")]


def test_a_campaigns_first_words_go_with_the_order(centre: Centre) -> None:
    centre.campaign(menu="antes-de-falar")
    centre.agent("ana")
    centre.miss("in-1")
    (order,) = centre.switchboard.placed
    assert order["menu_url"] == (
        "https://api.example.com/webhooks/twilio/menus/antes-de-falar?use=first_words"
    )


def test_a_message_of_long_ago_or_of_nothing_does_no_harm(centre: Centre) -> None:
    centre.campaign()
    for message in (
        {"call_id": "nobodys"},
        {"contact_id": "nobodys"},
        {"line": "campaign:gone"},
        {"line": "agent:nobody"},
        {"queue": "nobodys", "agent": "nobody"},
    ):
        body = json.dumps(message | {"at": "2026-03-02T12:00:00.000000Z"})
        assert centre.deployment.call("DialCallbacks", sqs(body)) == {"batchItemFailures": []}
