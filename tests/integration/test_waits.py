"""Waiting times from what calls tell, set and read as people do."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import boto3
import pytest

from retorno.calls.model import facts_of
from retorno.calls.store import CallStore
from retorno.events import EventBus
from retorno.telephony.ports import CallEvent, Direction, Stage
from retorno.times import stamp
from retorno.waits.events import WaitBreached
from tests.support.clock import StoppedClock
from tests.support.deployment import Deployment
from tests.support.events import Answer, http, sqs, user

LEADER = user("[supervisor]", "rita")
ANA = user("[agent]", "ana")
FINANCIAL = "br-portaria-2014-2008/financial"
OWN = "br-decreto-11034-2022/waiting"

POLICY = "/wait-policies/{queue}"


@dataclass
class Centre:
    """A call centre whose telephone system tells Retorno of its callers."""

    deployment: Deployment
    clock: StoppedClock
    alerts: list[WaitBreached] = field(default_factory=list)

    def tell(self, call_id: str, stage: Stage, ago: float = 0, **facts: Any) -> None:
        said: dict[str, Any] = {
            "provider": "canonical",
            "direction": Direction.INBOUND,
            "number": "+5511987654321",
            "queue": "sac",
            **facts,
        }
        at = self.clock.now - timedelta(seconds=ago)
        event = CallEvent(call_id=call_id, occurred_at=at, stage=stage, **said)
        CallStore("calls").merge(call_id, facts_of(event))

    def answered(self, call_id: str, after: float, **facts: Any) -> None:
        """A caller who was answered just now."""
        self.tell(call_id, Stage.QUEUED, ago=after, **facts)
        self.tell(call_id, Stage.ANSWERED, **facts)

    def looks(self, call_id: str, due: float = 0) -> None:
        """The message comes that is due in so many seconds."""
        self.deployment.work()
        at = stamp(self.clock.now + timedelta(seconds=due))
        message = sqs(json.dumps({"call_id": call_id, "at": at}))
        assert self.deployment.call("WatchWaits", message) == {"batchItemFailures": []}

    def ask(self, route: str, body: object = None, claims: Any = LEADER, **named: str) -> Answer:
        """`queue` is the path's where the route has one; what is left is the query."""
        path = route.partition(" ")[2]
        if "{queue}" in path:
            path = path.replace("{queue}", quote(named.pop("queue", "sac"), safe=""))
        headers = {"content-type": "application/json"}
        if "if_match" in named:
            headers["if-match"] = named.pop("if_match")
        query = {"from" if name == "since" else name: value for name, value in named.items()}
        content = None if body is None else json.dumps(body).encode()
        event = http(route, path=path, query=query, headers=headers, body=content, claims=claims)
        return self.deployment.ask("ManageWaits", event)

    def sets(self, seconds: int, queue: str = "sac", **named: str) -> Answer:
        """Ten minutes ago, as far as callers are concerned who come from now on."""
        body = {"limits": {"seconds": seconds}}
        answer = self.ask(f"PUT {POLICY}", body, queue=queue, **named)
        self.clock.advance(minutes=10)
        return answer

    def breaches(self, **query: str) -> list[dict[str, Any]]:
        self.deployment.work()
        answer = self.ask("GET /wait-breaches", **query)
        assert answer.status == 200, answer.body
        items: list[dict[str, Any]] = answer.body["items"]
        return items

    def compliance(self, **query: str) -> dict[str, Any]:
        self.deployment.count()
        answer = self.ask("GET /wait-compliance", **query)
        assert answer.status == 200, answer.body
        body: dict[str, Any] = answer.body
        return body

    def delayed(self) -> int:
        """How many messages wait for their time."""
        told = boto3.client("sqs").get_queue_attributes(
            QueueUrl=self.deployment.name("WaitsQueue"),
            AttributeNames=["ApproximateNumberOfMessagesDelayed"],
        )
        return int(told["Attributes"]["ApproximateNumberOfMessagesDelayed"])


@pytest.fixture
def centre(deployment: Deployment, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch) -> Centre:
    centre = Centre(deployment, clock)
    monkeypatch.setattr(EventBus, "publish", lambda _, event: centre.alerts.append(event))
    return centre


def test_a_breach_is_known_as_it_happens(centre: Centre) -> None:
    assert centre.sets(45).status == 201
    centre.tell("c1", Stage.QUEUED)
    assert centre.breaches() == []
    assert centre.delayed() == 1
    began_at = centre.clock.now
    centre.clock.advance(seconds=46)
    centre.looks("c1")
    assert (centre.breaches(), centre.alerts) == ([], [])
    centre.clock.advance(seconds=1)
    centre.looks("c1")
    centre.looks("c1")
    (breach,) = centre.breaches()
    waiting_since = began_at.isoformat().replace("+00:00", "Z")
    breached_at = (began_at + timedelta(seconds=45)).isoformat().replace("+00:00", "Z")
    assert breach == {
        "call_id": "c1",
        "queue": "sac",
        "last_queue": "sac",
        "day_type": "weekday",
        "rule": "custom",
        "limit_seconds": 45,
        "began_at": waiting_since,
        "breached_at": breached_at,
        "outcome": "waiting",
        "ended_at": None,
        "seconds": None,
    }
    (alert,) = centre.alerts
    assert (alert.call_id, alert.still_waiting) == ("c1", True)
    assert (alert.waiting_since, alert.occurred_at) == (
        began_at,
        began_at + timedelta(seconds=45),
    )
    assert centre.compliance()["total"]["breaches"] == 1
    centre.clock.advance(seconds=3)
    centre.tell("c1", Stage.ANSWERED)
    (breach,) = centre.breaches()
    assert (breach["outcome"], breach["seconds"]) == ("answered", 50)
    total = centre.compliance()["total"]
    assert (total["waits"], total["answered"], total["breaches"]) == (1, 1, 1)
    assert (total["share_in_time"], len(centre.alerts)) == (0, 1)


def test_an_answer_that_is_told_late_corrects_it(centre: Centre) -> None:
    centre.sets(45)
    centre.tell("c1", Stage.QUEUED)
    centre.deployment.work()
    centre.clock.advance(seconds=47)
    centre.looks("c1")
    assert centre.compliance()["total"]["breaches"] == 1
    centre.tell("c1", Stage.ANSWERED, ago=3)
    assert centre.breaches() == []
    total = centre.compliance()["total"]
    assert (total["in_time"], total["breaches"], total["share_in_time"]) == (1, 0, 1)
    assert total["average_seconds"] == 44


def test_a_caller_who_is_sent_on_waits_from_the_beginning(centre: Centre) -> None:
    """Left, as far as was known at first, nobody had to look when the time was up."""
    centre.sets(45)
    centre.sets(300, queue="sobra")
    centre.tell("c1", Stage.QUEUED, ago=30)
    centre.tell("c1", Stage.NO_ANSWER, ago=5, leaves_queue=True)
    centre.deployment.work()
    assert centre.delayed() == 0
    centre.tell("c1", Stage.QUEUED, ago=5, queue="sobra")
    centre.deployment.work()
    assert centre.delayed() == 1
    centre.clock.advance(seconds=17)
    centre.looks("c1")
    (breach,) = centre.breaches(queue="sac")
    assert (breach["last_queue"], breach["limit_seconds"]) == ("sobra", 45)
    assert centre.breaches(queue="sobra") == []


def test_a_limit_may_be_longer_than_a_message_is_delayed(centre: Centre) -> None:
    centre.sets(1800)
    centre.tell("c1", Stage.QUEUED)
    centre.deployment.work()
    centre.clock.advance(seconds=900)
    centre.looks("c1", due=902)
    assert (centre.delayed(), centre.breaches()) == (2, [])
    centre.clock.advance(seconds=902)
    centre.looks("c1")
    assert [each["call_id"] for each in centre.breaches()] == ["c1"]


def test_who_waits_keeps_the_policy_that_they_came_under(centre: Centre) -> None:
    centre.sets(45)
    centre.tell("c1", Stage.QUEUED)
    began_at = centre.clock.now
    centre.clock.advance(seconds=10)
    longer = {"limits": {"seconds": 600}}
    assert centre.ask(f"PUT {POLICY}", longer, if_match='"1"').status == 200
    centre.deployment.work()
    centre.clock.advance(seconds=37)
    centre.looks("c1")
    assert [each["limit_seconds"] for each in centre.breaches()] == [45]
    centre.answered("c2", after=30)
    # Told of only now, and begun before the policy was changed.
    ago = (centre.clock.now - began_at).total_seconds()
    centre.tell("c3", Stage.QUEUED, ago=ago)
    centre.tell("c3", Stage.ANSWERED)
    items = centre.compliance()["items"]
    assert [(item["limit_seconds"], item["waits"]) for item in items] == [(45, 2), (600, 1)]


def test_an_old_log_is_judged_by_its_own_times(centre: Centre) -> None:
    """A Monday of banks, long gone, is no news."""
    centre.ask(f"PUT {POLICY}", {"rule": FINANCIAL})
    monday = datetime(2026, 2, 23, 12, tzinfo=UTC)
    centre.clock.now, put_at = monday, centre.clock.now
    centre.answered("c1", after=80)
    centre.clock.now = put_at
    # No policy was set by then: the wait goes by the stack's own rule.
    body = centre.compliance(since="2026-02-23", to="2026-02-23")
    ((item,), (rule,)) = body["items"], body["rules"]
    assert (item["rule"], item["limit_seconds"], item["share_in_time"]) == (OWN, None, None)
    assert (item["waits"], item["answered"], item["average_seconds"]) == (1, 1, 80)
    assert (rule["id"], rule["force"]) == (OWN, "in_force")
    # Three days later, told of after the fact as well.
    centre.clock.now = put_at + timedelta(days=7)
    for call_id, after in [("c2", 80), ("c3", 95)]:
        centre.answered(call_id, after)
    centre.clock.advance(days=1)
    body = centre.compliance(since="2026-03-02", to="2026-03-31")
    ((item,), (rule,)) = body["items"], body["rules"]
    assert (item["day_type"], item["limit_seconds"]) == ("peak", 90)
    assert (item["in_time"], item["breaches"], item["share_in_time"]) == (1, 1, 0.5)
    assert (rule["force"], rule["standing"]) == ("yardstick", "secondary")
    assert (centre.alerts, [each["call_id"] for each in centre.breaches()]) == ([], ["c3"])


def test_queues_and_days_are_told_apart(centre: Centre) -> None:
    centre.sets(20)
    centre.sets(60, queue="vendas/2ª linha#1")
    centre.answered("c1", after=10)
    centre.answered("c2", after=30)
    centre.answered("c3", after=30, queue="vendas/2ª linha#1")
    # The seven seconds before midnight in São Paulo are still of the day before.
    centre.clock.now = datetime(2026, 3, 3, 3, 0, 3, tzinfo=UTC)
    centre.answered("c4", after=10)
    centre.answered("internal", after=10, direction=Direction.OUTBOUND_MANUAL)
    body = centre.compliance(since="2026-03-02", to="2026-03-02")
    assert [(item["queue"], item["waits"], item["in_time"]) for item in body["items"]] == [
        ("sac", 3, 2),
        ("vendas/2ª linha#1", 1, 1),
    ]
    assert (body["total"]["waits"], body["total"]["share_in_time"]) == (4, 0.75)
    assert body["rules"] == []
    (item,) = centre.compliance(queue="sac", to="2026-03-02")["items"]
    assert item["waits"] == 3
    assert centre.compliance(queue="sac")["items"] == []
    assert centre.compliance()["total"]["longest_seconds"] is None


def test_breaches_are_shown_page_by_page(centre: Centre) -> None:
    centre.sets(20)
    centre.sets(20, queue="vendas")
    for number, queue in enumerate(["sac", "sac", "vendas", "sac", "sac"]):
        centre.answered(f"c{number}", after=30, queue=queue)
        centre.clock.advance(seconds=60)
    centre.deployment.work()
    pages: list[list[str]] = []
    cursor: dict[str, str] = {}
    while not pages or cursor:
        body = centre.ask("GET /wait-breaches", queue="sac", limit="2", **cursor).body
        pages.append([each["call_id"] for each in body["items"]])
        cursor = {"cursor": body["cursor"]} if body["cursor"] else {}
    assert [each for page in pages for each in page] == ["c4", "c3", "c1", "c0"]
    since, to = "2026-03-02T12:20:50Z", "2026-03-02T12:21:50Z"
    assert [each["call_id"] for each in centre.breaches(since=since, to=to)] == ["c2", "c1"]
    other = centre.ask("GET /wait-breaches", limit="2").body["cursor"]
    assert centre.ask("GET /wait-breaches", queue="sac", cursor=other).status == 422


def test_policies_are_set_changed_and_taken_away(centre: Centre) -> None:
    assert centre.ask(f"GET {POLICY}").status == 404
    draft = {"rule": FINANCIAL, "state": "SP"}
    made = centre.ask(f"PUT {POLICY}", draft)
    assert (made.status, made.headers["ETag"]) == (201, '"1"')
    assert made.body == {
        "queue": "sac",
        "rule": FINANCIAL,
        "limits": None,
        "state": "SP",
        "optional_holidays": False,
        "since": "2026-03-02T12:00:00Z",
        "set_by": "rita",
        "version": 1,
    }
    assert centre.ask(f"PUT {POLICY}", draft).status == 428
    assert centre.sets(30, if_match='"7"').status == 412
    changed = centre.sets(30, if_match='"1"')
    assert (changed.status, changed.body["version"], changed.body["rule"]) == (200, 2, None)
    assert centre.ask(f"GET {POLICY}", claims=ANA).body == changed.body
    centre.sets(60, queue="vendas")
    first = centre.ask("GET /wait-policies", limit="1").body
    second = centre.ask("GET /wait-policies", cursor=first["cursor"]).body
    assert [each["queue"] for each in first["items"] + second["items"]] == ["sac", "vendas"]
    assert centre.ask(f"DELETE {POLICY}").status == 428
    assert centre.ask(f"DELETE {POLICY}", if_match='"2"').status == 204
    assert centre.ask(f"GET {POLICY}").status == 404
    assert centre.ask(f"DELETE {POLICY}", if_match="*").status == 404
    listed = centre.ask("GET /wait-policies").body["items"]
    assert [each["queue"] for each in listed] == ["vendas"]
    assert centre.sets(30).body["version"] == 4


def test_profiles_say_where_they_come_from(centre: Centre) -> None:
    body = centre.ask("GET /wait-profiles", claims=ANA).body
    assert body["own_rule"] == OWN
    rules = {rule["id"]: rule for profile in body["items"] for rule in profile["rules"]}
    assert rules[FINANCIAL]["limits"]["seconds_on"] == {"peak": 90}
    assert rules[FINANCIAL]["source"]["url"].startswith("https://")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"rule": "br-lei-0/none"}, "rule"),
        ({"limits": {"seconds": 20}, "state": "ZZ"}, "state"),
        ({"limits": {"seconds": 20, "peak_days": ["friday"]}}, "limits.peak_days.0"),
        ({}, "body"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(
    centre: Centre, body: dict[str, Any], field: str
) -> None:
    refused = centre.ask(f"PUT {POLICY}", body)
    assert refused.status == 422
    assert [error["field"] for error in refused.body["errors"]] == [field]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"since": "2026-03-03"}, "to"),
        ({"since": "2025-01-01"}, "from"),
        ({"since": "2025-11-01", "queue": "sac", "to": "2027-01-01"}, "from"),
        ({"queue": ""}, "queue"),
        ({"to": "yesterday"}, "to"),
    ],
)
def test_a_period_that_cannot_be_is_refused(
    centre: Centre, query: dict[str, str], field: str
) -> None:
    refused = centre.ask("GET /wait-compliance", **query)
    assert refused.status == 422
    assert [error["field"] for error in refused.body["errors"]] == [field]


def test_trouble_brings_the_message_back(centre: Centre) -> None:
    centre.tell("c1", Stage.QUEUED)
    centre.deployment.lose_table("wait-policies")
    message = sqs(json.dumps({"call_id": "c1", "at": stamp(centre.clock.now)}))
    other = sqs(json.dumps({"call_id": "nobodys", "at": stamp(centre.clock.now)}))
    batch = {"Records": [*message["Records"], *other["Records"]]}
    batch["Records"][1]["messageId"] = "1"
    answer = centre.deployment.call("WatchWaits", batch)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "0"}]}
