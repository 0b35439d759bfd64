"""Promised times over the API, on moto: tables and schedules are there, schedules do not fire."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from retorno.callbacks.model import State as ContactState
from retorno.errors import Unavailable
from tests.support.call_list import FakeCallList
from tests.support.clock import StoppedClock
from tests.support.deployment import SCHEDULES, Deployment
from tests.support.events import Answer, http, sqs, user
from tests.support.exchange import serving
from tests.support.requests import counted
from tests.support.switchboard import Switchboard
from tests.support.webhooks import canonical

FUNCTION = "ScheduleCallbacks"
ANA = user("[agent]", "ana", **{"custom:agent": "ana.souza"})
BIA = user("[agent]", "bia")
LEADER = user("[supervisor]", "leo")
# A Monday in São Paulo, 9:30.
NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
AT = "2026-03-02T15:00:00-03:00"
LISTS_AT = datetime(2026, 3, 2, 17, 58, tzinfo=UTC)
WISH = {"number": "(11) 98765-4321", "at": AT, "queue": "vendas"}


@pytest.fixture(autouse=True)
def on_monday_morning(clock: StoppedClock) -> None:
    clock.now = NOW


@pytest.fixture
def calls(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> FakeCallList:
    fake = FakeCallList()
    monkeypatch.setattr("retorno.promises.service.call_list", lambda settings: fake)
    return fake


@pytest.fixture(autouse=True)
def agents(deployment: Deployment) -> None:
    for agent, queues in {"ana.souza": ["suporte", "vendas"], "bia": []}.items():
        body = json.dumps({"name": agent, "queues": queues}).encode()
        event = http(
            "PUT /agents/{agent}",
            path=f"/agents/{agent}",
            headers={"content-type": "application/json"},
            body=body,
            claims=LEADER,
        )
        assert deployment.ask("ManageAgents", event).status == 201


def ask(
    deployment: Deployment,
    route: str,
    callback_id: str = "",
    body: object = None,
    claims: Any = ANA,
    query: dict[str, str] | None = None,
    **headers: str,
) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    path = route.partition(" ")[2].replace("{callback_id}", callback_id)
    event = http(
        route,
        path=path,
        query=query,
        headers={"content-type": "application/json", **named},
        body=None if body is None else json.dumps(body).encode(),
        claims=claims,
    )
    return deployment.ask(FUNCTION, event)


def make(deployment: Deployment, wish: object = WISH, key: str = "k1", claims: Any = ANA) -> Answer:
    return ask(deployment, "POST /callbacks", body=wish, claims=claims, idempotency_key=key)


def made(deployment: Deployment, key: str = "k1", claims: Any = ANA, **fields: Any) -> str:
    answer = make(deployment, WISH | fields, key, claims)
    assert answer.status == 201, answer.body
    callback_id: str = answer.body["callback_id"]
    return callback_id


def shown(deployment: Deployment, callback_id: str) -> dict[str, Any]:
    body: dict[str, Any] = ask(deployment, "GET /callbacks/{callback_id}", callback_id).body
    return body


def change(
    deployment: Deployment, callback_id: str, wish: object, claims: Any = ANA, seen: str = '"1"'
) -> Answer:
    route = "PUT /callbacks/{callback_id}"
    return ask(deployment, route, callback_id, wish, claims, if_match=seen)


def cancel(
    deployment: Deployment, callback_id: str, claims: Any = ANA, seen: str = '"1"'
) -> Answer:
    route = "DELETE /callbacks/{callback_id}"
    return ask(deployment, route, callback_id, claims=claims, if_match=seen)


def listed(deployment: Deployment, claims: Any = ANA, **query: str) -> Answer:
    return ask(deployment, "GET /callbacks", query=query, claims=claims)


def schedules() -> dict[str, dict[str, Any]]:
    client = boto3.client("scheduler")
    found = client.list_schedules(GroupName=SCHEDULES)["Schedules"]
    return {
        each["Name"]: dict(client.get_schedule(GroupName=SCHEDULES, Name=each["Name"]))
        for each in found
    }


def fire(deployment: Deployment, callback_id: str, version: int = 1) -> None:
    body = json.dumps({"promise_id": callback_id, "version": str(version)})
    assert deployment.call("KeepPromises", sqs(body)) == {"batchItemFailures": []}


def on_the_list(
    deployment: Deployment, calls: FakeCallList, clock: StoppedClock, **fields: Any
) -> tuple[str, str]:
    """A promise that has come onto the call list, and its contact there."""
    callback_id = made(deployment, **fields)
    clock.now = LISTS_AT
    fire(deployment, callback_id)
    (contact_id,) = calls.contacts
    return callback_id, contact_id


def check(deployment: Deployment) -> None:
    deployment.call("KeepPromises", {"source": "aws.scheduler"})


class TestPromised:
    def test_has_a_schedule_and_is_shown(self, deployment: Deployment) -> None:
        answer = make(deployment, WISH | {"note": "2ª via do boleto", "call_id": "c1"})
        callback_id = answer.body["callback_id"]
        assert answer.status == 201
        assert (answer.headers["Location"], answer.headers["ETag"]) == (
            f"/callbacks/{callback_id}",
            '"1"',
        )
        assert answer.body == {
            "callback_id": callback_id,
            "state": "promised",
            "number": "+5511987654321",
            "at": "2026-03-02T18:00:00Z",
            "local_at": "2026-03-02T15:00:00-03:00",
            "time_zone": "America/Sao_Paulo",
            "moved_from": None,
            "until": "2026-03-02T18:15:00Z",
            "tolerance_minutes": 15,
            "queue": "vendas",
            "agent": None,
            "purpose": "requested_callback",
            "note": "2ª via do boleto",
            "call_id": "c1",
            "asked_at": "2026-03-02T12:30:00Z",
            "asked_by": "ana",
            "contact_id": None,
            "dialled_at": None,
            "late_seconds": None,
            "reached": None,
            "reason": None,
            "version": 1,
        }
        assert shown(deployment, callback_id) == answer.body
        ((name, schedule),) = schedules().items()
        assert name == f"promise-{callback_id}-1"
        assert schedule["ScheduleExpression"] == "at(2026-03-02T17:58:00)"
        assert schedule["ActionAfterCompletion"] == "DELETE"
        target = schedule["Target"]
        assert json.loads(target["Input"]) == {"promise_id": callback_id, "version": "1"}
        arns = (target["Arn"], target["RoleArn"], target["DeadLetterConfig"]["Arn"])
        assert [arn.rpartition(":")[2] for arn in arns] == [
            "PromisesQueue",
            "SchedulerRole",
            "PromiseDeadLetters",
        ]

    def test_keeps_the_customers_own_zone(self, deployment: Deployment) -> None:
        local = {"at": "2026-03-02T15:00", "time_zone": "Europe/Lisbon"}
        body = shown(deployment, made(deployment, **local))
        assert (body["at"], body["local_at"], body["time_zone"]) == (
            "2026-03-02T15:00:00Z",
            "2026-03-02T15:00:00Z",
            "Europe/Lisbon",
        )

    def test_again_is_the_same(self, deployment: Deployment, clock: StoppedClock) -> None:
        first = make(deployment)
        # Past by then: it is asked about, and not promised again.
        clock.advance(days=2)
        again = make(deployment)
        assert (again.status, again.body) == (201, first.body)
        assert len(schedules()) == 1
        other = make(deployment, WISH | {"note": "x"})
        assert (other.status, other.body["errors"][0]["field"]) == (422, "Idempotency-Key")
        assert make(deployment, key="k2").status == 422

    def test_by_another_key_or_person_is_another(self, deployment: Deployment) -> None:
        ids = [made(deployment), made(deployment, key="k2"), made(deployment, claims=BIA)]
        assert len(set(ids)) == 3

    def test_for_an_agent_is_in_their_first_queue(self, deployment: Deployment) -> None:
        body = shown(deployment, made(deployment, agent="ana.souza", queue=None))
        assert (body["agent"], body["queue"]) == ("ana.souza", "suporte")

    def test_near_goes_onto_the_list_at_once(
        self, deployment: Deployment, calls: FakeCallList
    ) -> None:
        answer = make(deployment, WISH | {"at": "2026-03-02T12:31:00Z", "agent": "ana.souza"})
        assert answer.body["state"] == "listed"
        ((contact_id, contact),) = calls.contacts.items()
        assert answer.body["contact_id"] == contact_id
        wanted = {"list_name", "queue", "agent", "purpose", "asked_at", "due_at", "until"}
        assert contact.model_dump(mode="json", include=wanted | {"max_attempts", "number"}) == {
            "list_name": f"promise:{answer.body['callback_id']}:1",
            "number": "+5511987654321",
            "queue": "vendas",
            "agent": "ana.souza",
            "purpose": "requested_callback",
            "asked_at": "2026-03-02T12:30:00Z",
            "due_at": "2026-03-02T12:31:00Z",
            "until": "2026-03-02T12:46:00Z",
            "max_attempts": 1,
        }
        assert schedules() == {}

    @pytest.mark.parametrize(
        ("fields", "field", "reason"),
        [
            ({"number": "4321"}, "number", "is not a phone number"),
            ({"at": "2026-03-02T12:30:00Z"}, "at", "is past"),
            ({"at": "2026-03-02T15:00"}, "at", "needs an offset, such as -03:00, or else a"),
            ({"at": 1772452800}, "at", "is no time of ISO 8601"),
            ({"time_zone": "America"}, "time_zone", "is no time zone of IANA"),
            ({"queue": None}, "queue", "is required, as no agent with a queue is named"),
            ({"queue": None, "agent": "bia"}, "queue", "is required, as no agent with a queue"),
            ({"agent": "nobody"}, "agent", "is not registered"),
            ({"tolerance_minutes": 0}, "tolerance_minutes", "greater than or equal to 1"),
            ({"tolerance_minutes": 241}, "tolerance_minutes", "less than or equal to 240"),
            ({"note": "x" * 1_001}, "note", "at most 1000 characters"),
            ({"call_id": "a/b"}, "call_id", "should match pattern"),
            ({"purpose": "prank"}, "purpose", "Input should be"),
            ({"day": "x"}, "day", "Extra inputs are not permitted"),
        ],
    )
    def test_is_refused_with_field_and_reason(
        self, deployment: Deployment, fields: dict[str, Any], field: str, reason: str
    ) -> None:
        answer = make(deployment, WISH | fields)
        (error,) = answer.body["errors"]
        assert (answer.status, error["field"]) == (422, field)
        assert reason in error["reason"]
        assert "98765" not in json.dumps(answer.body)
        assert listed(deployment, state="promised").body["items"] == []

    def test_needs_a_key(self, deployment: Deployment) -> None:
        answer = ask(deployment, "POST /callbacks", body=WISH)
        assert answer.body["errors"][0]["field"] == "idempotency-key"

    def test_costs(self, deployment: Deployment) -> None:
        with counted() as requests:
            make(deployment)
        assert requests == ["GetItem", "Query", "UpdateItem", "CreateSchedule", "UpdateItem"]


class TestRules:
    # A Saturday at noon, in Rio, where telemarketing stops from Friday evening to Monday.
    WISH = WISH | {
        "number": "21987654321",
        "purpose": "telemarketing",
        "at": "2026-03-07T12:00:00-03:00",
    }

    def test_refuse_a_time_and_say_the_next(self, deployment: Deployment) -> None:
        answer = make(deployment, self.WISH)
        assert answer.status == 409
        assert "br-rj-7853-2018/hours" in [rule["id"] for rule in answer.body["rules"]]
        assert answer.body["next_allowed_at"] == "2026-03-09T12:00:00Z"
        assert listed(deployment, state="promised").body["items"] == []

    def test_move_it_where_that_is_asked_for(self, deployment: Deployment) -> None:
        answer = make(deployment, self.WISH | {"move": True})
        assert (answer.status, answer.body["at"]) == (201, "2026-03-09T12:00:00Z")
        assert answer.body["moved_from"] == "2026-03-07T15:00:00Z"
        (schedule,) = schedules().values()
        assert schedule["ScheduleExpression"] == "at(2026-03-09T11:58:00)"

    def test_leave_alone_what_they_allow(self, deployment: Deployment) -> None:
        body = shown(deployment, made(deployment, move=True))
        assert (body["at"], body["moved_from"]) == ("2026-03-02T18:00:00Z", None)

    def test_who_wants_no_calls_may_ask_for_one_later(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        headers = {"content-type": "application/json"}
        listing = http(
            "PUT /do-not-call/{number}",
            path="/do-not-call/11987654321",
            headers=headers,
            body=b'{"scope": "all"}',
            claims=ANA,
        )
        before = made(deployment)
        assert deployment.ask("ManageCallingRules", listing).status == 200
        clock.advance(minutes=1)
        assert make(deployment, key="k2").status == 201
        # What was promised before they said so is not moved: the request is of then.
        moved = change(deployment, before, WISH | {"at": "2026-03-02T19:00:00Z", "move": True})
        assert (moved.status, moved.body["next_allowed_at"]) == (409, None)
        assert moved.body["rules"][0]["id"] == "do-not-call/customer"


class TestFired:
    def test_is_called_and_kept(
        self, deployment: Deployment, calls: FakeCallList, clock: StoppedClock
    ) -> None:
        callback_id = made(deployment)
        clock.now = LISTS_AT
        fire(deployment, callback_id)
        fire(deployment, callback_id)
        (contact_id,) = calls.contacts
        assert shown(deployment, callback_id)["contact_id"] == contact_id
        clock.now = LISTS_AT + timedelta(minutes=2, seconds=5)
        calls.dial(contact_id, clock.now)
        check(deployment)
        assert shown(deployment, callback_id)["state"] == "listed"
        clock.advance(minutes=2)
        calls.end(contact_id, "human", clock.now)
        check(deployment)
        kept = shown(deployment, callback_id)
        assert (kept["state"], kept["reached"]) == ("kept", True)
        assert kept["dialled_at"] == "2026-03-02T18:00:05Z"
        with counted() as requests:
            clock.advance(minutes=2)
            check(deployment)
        assert requests == ["Query"]

    def test_of_an_earlier_time_or_cancelled_is_nothing(
        self, deployment: Deployment, calls: FakeCallList, clock: StoppedClock
    ) -> None:
        changed, cancelled = made(deployment), made(deployment, key="k2")
        later = WISH | {"at": "2026-03-03T15:00:00-03:00"}
        assert change(deployment, changed, later).status == 200
        assert cancel(deployment, cancelled).status == 204
        clock.now = LISTS_AT
        for callback_id in (changed, cancelled, "unknown"):
            fire(deployment, callback_id)
        check(deployment)
        assert calls.contacts == {}
        assert list(schedules()) == [f"promise-{changed}-2"]

    def test_is_late_and_said_to_be(
        self,
        deployment: Deployment,
        calls: FakeCallList,
        clock: StoppedClock,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        callback_id, contact_id = on_the_list(deployment, calls, clock)
        clock.now = LISTS_AT + timedelta(minutes=9)
        calls.dial(contact_id, clock.now)
        calls.end(contact_id, "busy", clock.now)
        check(deployment)
        late = shown(deployment, callback_id)
        assert (late["state"], late["late_seconds"], late["reached"]) == ("late", 420, False)
        assert metrics(capsys) == {"PromisesLate": 1}

    def test_with_a_list_that_does_not_answer_is_tried_again(
        self, deployment: Deployment, calls: FakeCallList, clock: StoppedClock
    ) -> None:
        callback_id = made(deployment)
        clock.now, calls.refusal = LISTS_AT, Unavailable("no answer")
        body = json.dumps({"promise_id": callback_id, "version": "1"})
        failed = deployment.call("KeepPromises", sqs(body, body.replace(callback_id, "other")))
        assert failed == {"batchItemFailures": [{"itemIdentifier": "0"}]}
        calls.refusal = None
        check(deployment)
        assert calls.contacts == {}, "whoever began it may still be at it"
        clock.advance(minutes=1)
        check(deployment)
        assert len(calls.contacts) == 1


class TestChecked:
    """The net of each minute."""

    def test_a_schedule_that_was_lost_is_not_missed(
        self,
        deployment: Deployment,
        calls: FakeCallList,
        clock: StoppedClock,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        callback_id = made(deployment)
        boto3.client("scheduler").delete_schedule(
            GroupName=SCHEDULES, Name=f"promise-{callback_id}-1"
        )
        clock.now = LISTS_AT + timedelta(seconds=59)
        check(deployment)
        assert calls.contacts == {}
        clock.now = LISTS_AT + timedelta(seconds=60)
        check(deployment)
        assert shown(deployment, callback_id)["state"] == "listed"
        assert metrics(capsys) == {"PromisesCaught": 1}

    def test_a_schedule_that_could_not_be_made_is(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        with refused("CreateSchedule"):
            callback_id = made(deployment)
        assert schedules() == {}
        clock.advance(minutes=1)
        check(deployment)
        assert list(schedules()) == [f"promise-{callback_id}-1"]
        with counted() as requests:
            check(deployment)
        assert requests == ["Query"]

    def test_whoever_was_not_called_is_missed_and_may_be_promised_again(
        self,
        deployment: Deployment,
        calls: FakeCallList,
        clock: StoppedClock,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        callback_id, contact_id = on_the_list(deployment, calls, clock, tolerance_minutes=10)
        clock.now = LISTS_AT + timedelta(minutes=12)
        check(deployment)
        assert shown(deployment, callback_id)["state"] == "listed"
        clock.advance(minutes=1)
        check(deployment)
        assert shown(deployment, callback_id)["state"] == "missed"
        assert calls.contacts[contact_id].state is ContactState.EXPIRED
        assert metrics(capsys) == {"PromisesMissed": 1}
        assert [p["callback_id"] for p in listed(deployment, state="missed").body["items"]] == [
            callback_id
        ]
        again = change(deployment, callback_id, WISH | {"at": "2026-03-03T15:00:00-03:00"})
        assert (again.status, again.body["state"], again.body["version"]) == (200, "promised", 2)
        clock.advance(days=1)
        fire(deployment, callback_id, version=2)
        assert len(calls.contacts) == 2
        assert listed(deployment, state="missed").body["items"] == []

    def test_who_is_being_called_at_the_end_is_not_missed(
        self, deployment: Deployment, calls: FakeCallList, clock: StoppedClock
    ) -> None:
        callback_id, contact_id = on_the_list(deployment, calls, clock)
        clock.now = LISTS_AT + timedelta(minutes=17)
        calls.dial(contact_id, clock.now)
        clock.advance(minutes=1)
        check(deployment)
        calls.end(contact_id, "human", clock.now)
        clock.advance(minutes=1)
        check(deployment)
        late = shown(deployment, callback_id)
        assert (late["state"], late["late_seconds"]) == ("late", 900)

    def test_one_that_fails_does_not_stop_the_others(
        self, deployment: Deployment, calls: FakeCallList, clock: StoppedClock
    ) -> None:
        first, second = made(deployment), made(deployment, key="k2")
        clock.now = LISTS_AT
        fire(deployment, first)
        fire(deployment, second)
        lost = calls.contacts.pop(shown(deployment, first)["contact_id"])
        clock.now = LISTS_AT + timedelta(minutes=2)
        calls.dial(shown(deployment, second)["contact_id"], clock.now)
        calls.end(shown(deployment, second)["contact_id"], "human", clock.now)
        with pytest.raises(Unavailable, match="1 promises could not be looked after"):
            check(deployment)
        assert shown(deployment, second)["state"] == "kept"
        calls.contacts[lost.contact_id] = lost
        check(deployment)
        assert shown(deployment, first)["state"] == "listed"


class TestChanged:
    def test_needs_what_was_seen(self, deployment: Deployment) -> None:
        callback_id = made(deployment)
        route = "PUT /callbacks/{callback_id}"
        assert ask(deployment, route, callback_id, WISH).status == 428
        assert change(deployment, callback_id, WISH, seen='"2"').status == 412
        assert change(deployment, callback_id, WISH, seen='"1"').headers["ETag"] == '"2"'
        assert change(deployment, callback_id, WISH, seen='"1"').status == 412
        assert cancel(deployment, callback_id, seen='"1"').status == 412
        assert change(deployment, "unknown", WISH).status == 404

    def test_near_its_time_takes_it_off_the_list(
        self, deployment: Deployment, calls: FakeCallList, clock: StoppedClock
    ) -> None:
        callback_id = made(deployment)
        clock.now = LISTS_AT
        fire(deployment, callback_id)
        later = WISH | {"at": "2026-03-03T15:00:00-03:00"}
        assert change(deployment, callback_id, later).body["state"] == "promised"
        (contact,) = calls.contacts.values()
        assert contact.state is ContactState.EXPIRED

    def test_not_while_the_customer_is_being_called(
        self, deployment: Deployment, calls: FakeCallList, clock: StoppedClock
    ) -> None:
        callback_id, contact_id = on_the_list(deployment, calls, clock)
        calls.dial(contact_id, clock.now)
        later = WISH | {"at": "2026-03-03T15:00:00-03:00"}
        assert change(deployment, callback_id, later).status == 409
        assert cancel(deployment, callback_id).status == 409
        calls.end(contact_id, "human", clock.now)
        problem = cancel(deployment, callback_id)
        assert (problem.status, problem.body["detail"]) == (409, "the promise is kept")
        assert shown(deployment, callback_id)["version"] == 1

    def test_is_no_more_to_be_cancelled_once_it_is_missed(
        self, deployment: Deployment, calls: FakeCallList, clock: StoppedClock
    ) -> None:
        """Also while that is not yet seen: a contact may not stay on the list for it."""
        callback_id, contact_id = on_the_list(deployment, calls, clock)
        calls.dial(contact_id, clock.now)
        calls.end(contact_id, "failed", clock.now)
        problem = cancel(deployment, callback_id)
        assert (problem.status, problem.body["detail"]) == (409, "the promise is missed")
        later = WISH | {"at": "2026-03-03T15:00:00-03:00"}
        assert change(deployment, callback_id, later).body["state"] == "promised"

    def test_keeps_its_key(self, deployment: Deployment) -> None:
        callback_id = made(deployment)
        change(deployment, callback_id, WISH | {"note": "novo"})
        assert make(deployment).body["note"] == "novo"

    def test_a_schedule_that_cannot_be_removed_does_no_harm(
        self, deployment: Deployment, calls: FakeCallList, clock: StoppedClock
    ) -> None:
        callback_id = made(deployment)
        with refused("DeleteSchedule"):
            assert cancel(deployment, callback_id).status == 204
        clock.now = LISTS_AT
        fire(deployment, callback_id)
        assert (calls.contacts, len(schedules())) == ({}, 1)

    def test_cancelled_stays_so(self, deployment: Deployment) -> None:
        callback_id = made(deployment)
        assert [cancel(deployment, callback_id).status for _ in range(2)] == [204, 204]
        assert schedules() == {}
        assert change(deployment, callback_id, WISH).status == 409
        assert make(deployment).body["state"] == "cancelled"

    @pytest.mark.parametrize(
        ("by", "agent", "claims", "status"),
        [
            (ANA, "bia", ANA, 200),
            (ANA, "bia", BIA, 200),
            (ANA, None, BIA, 200),
            (ANA, "ana.souza", BIA, 403),
            (ANA, "ana.souza", LEADER, 200),
        ],
    )
    def test_by_whom_it_concerns(
        self, deployment: Deployment, by: Any, agent: str | None, claims: Any, status: int
    ) -> None:
        callback_id = made(deployment, claims=by, agent=agent)
        assert change(deployment, callback_id, WISH, claims).status == status
        if status == 403:
            assert cancel(deployment, callback_id, claims).status == status


class TestListed:
    @pytest.fixture(autouse=True)
    def several(self, deployment: Deployment) -> None:
        for key, at, fields in (
            # 23:30 of the 2nd in São Paulo, where the company is, though the 3rd in UTC.
            ("late", "2026-03-03T02:30:00Z", {"agent": "ana.souza"}),
            ("early", "2026-03-02T13:00:00Z", {"queue": "suporte"}),
            ("noon", "2026-03-02T15:00:00Z", {"agent": "ana.souza"}),
            ("next", "2026-03-03T03:00:00Z", {"agent": "ana.souza"}),
        ):
            made(deployment, key=key, at=at, note=key, **fields)

    def notes(self, answer: Answer) -> list[str]:
        return [promise["note"] for promise in answer.body["items"]]

    @pytest.mark.parametrize(
        ("query", "notes"),
        [
            ({}, ["early", "noon", "late"]),
            ({"day": "2026-03-03"}, ["next"]),
            ({"day": "2026-03-02", "agent": "ana.souza"}, ["noon", "late"]),
            ({"day": "2026-03-02", "queue": "suporte"}, ["early"]),
            ({"day": "2026-03-02", "state": "missed"}, []),
            ({"state": "promised"}, ["next", "late", "noon", "early"]),
            ({"state": "promised", "agent": "ana.souza"}, ["next", "late", "noon"]),
            ({"day": "2026-03-04"}, []),
        ],
    )
    def test_page_by_page(
        self, deployment: Deployment, query: dict[str, str], notes: list[str]
    ) -> None:
        for limit in ("1", "2", "50"):
            page = listed(deployment, **query, limit=limit)
            found = self.notes(page)
            while page.body["cursor"]:
                page = listed(deployment, **query, limit=limit, cursor=page.body["cursor"])
                assert len(page.body["items"]) <= int(limit)
                found += self.notes(page)
            assert found == notes

    def test_cursors_are_of_one_list(self, deployment: Deployment) -> None:
        cursor = listed(deployment, limit="1").body["cursor"]
        other = listed(deployment, limit="1", cursor=cursor, queue="suporte")
        assert (other.status, other.body["errors"][0]["field"]) == (422, "cursor")

    @pytest.mark.parametrize("query", [{"day": "2026-02-30"}, {"state": "x"}, {"agent": ""}])
    def test_filters_are_checked(self, deployment: Deployment, query: dict[str, str]) -> None:
        assert listed(deployment, **query).status == 422


class TestCallList:
    """With the real one, and its dialler."""

    @pytest.fixture
    def switchboard(self, deployment: Deployment) -> Iterator[Switchboard]:
        with serving(Switchboard()) as switchboard:
            assert isinstance(switchboard, Switchboard)
            deployment.configure(
                DIAL_PROVIDER="canonical", DIAL_URL=switchboard.url, CALLER_ID="+551130001000"
            )
            yield switchboard

    def is_available(self, deployment: Deployment, agent: str) -> None:
        event = http(
            "PUT /agents/{agent}/presence",
            path=f"/agents/{agent}/presence",
            headers={"content-type": "application/json"},
            body=b'{"state": "available"}',
            claims=LEADER,
        )
        assert deployment.ask("ManageAgents", event).status == 200
        deployment.work()

    def a_minute(self, deployment: Deployment, clock: StoppedClock) -> None:
        clock.advance(minutes=1)
        for function in ("KeepPromises", "WatchCallbacks"):
            deployment.call(function, {})
        deployment.work()

    def test_the_agent_who_was_named_calls_at_the_time(
        self, deployment: Deployment, clock: StoppedClock, switchboard: Switchboard
    ) -> None:
        self.is_available(deployment, "ana.souza")
        self.is_available(deployment, "bia")
        callback_id = made(deployment, agent="bia")
        clock.now = LISTS_AT
        fire(deployment, callback_id)
        self.a_minute(deployment, clock)
        assert switchboard.placed == []
        self.a_minute(deployment, clock)
        (order,) = switchboard.placed
        assert (order["number"], order["agent"]) == ("+5511987654321", "bia")
        call_id = f"call-{order['attempt_id']}"
        for stage, seconds in (("answered", 10), ("completed", 50)):
            clock.advance(seconds=seconds)
            told = {"event_id": stage, "call_id": call_id, "stage": stage}
            event = canonical(clock.now, told | {"occurred_at": clock.now.isoformat()})
            assert deployment.ask("IngestCalls", event).status == 200
        deployment.work()
        self.a_minute(deployment, clock)
        kept = shown(deployment, callback_id)
        assert (kept["state"], kept["reached"]) == ("kept", True)
        assert kept["dialled_at"] == kept["at"]

    def test_nobody_is_rung_for_what_is_cancelled_or_too_late(
        self, deployment: Deployment, clock: StoppedClock, switchboard: Switchboard
    ) -> None:
        cancelled, missed = made(deployment), made(deployment, key="k2", number="11912345678")
        clock.now = LISTS_AT
        for callback_id in (cancelled, missed):
            fire(deployment, callback_id)
        assert cancel(deployment, cancelled).status == 204
        for _ in range(18):
            self.a_minute(deployment, clock)
        self.is_available(deployment, "ana.souza")
        assert switchboard.placed == []
        assert shown(deployment, missed)["state"] == "missed"


def test_a_table_that_does_not_answer(deployment: Deployment) -> None:
    deployment.lose_table("promises")
    assert make(deployment).status == 503
    with pytest.raises(Unavailable):
        check(deployment)


@contextmanager
def refused(operation: str) -> Iterator[None]:
    """AWS takes no request of a kind."""
    make_api_call = BaseClient._make_api_call  # type: ignore[attr-defined]

    def refusing(client: BaseClient, asked: str, parameters: Any) -> Any:
        if asked == operation:
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, asked)
        return make_api_call(client, asked, parameters)

    with patch.object(BaseClient, "_make_api_call", refusing):
        yield


def metrics(capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    """What was counted so far, by name."""
    counted: dict[str, float] = {}
    for line in capsys.readouterr().out.splitlines():
        told = json.loads(line)
        for group in told.get("_aws", {}).get("CloudWatchMetrics", []):
            for metric in group["Metrics"]:
                counted[metric["Name"]] = counted.get(metric["Name"], 0) + told[metric["Name"]][0]
    return counted
