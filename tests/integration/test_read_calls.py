"""Calls as the API shows them: by id, by number, and the last ones of an operator."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.clock import StoppedClock
from tests.support.deployment import Deployment
from tests.support.events import Answer, http, user
from tests.support.webhooks import canonical

CUSTOMER = "+5511987654321"
BEGAN = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)
AGENT = user("[agent]", "ana")


def call_of(call_id: str, at: datetime, **facts: Any) -> dict[str, Any]:
    return {
        "event_id": f"{call_id}-1",
        "call_id": call_id,
        "stage": "queued",
        "occurred_at": at.isoformat(),
        "direction": "inbound",
        "from": CUSTOMER,
    } | facts


def take(deployment: Deployment, clock: StoppedClock, *events: dict[str, Any]) -> None:
    taken = deployment.ask("IngestCalls", canonical(clock.now, *events))
    assert (taken.status, taken.body["accepted"]) == (200, len(events))


def get(deployment: Deployment, path: str, **query: str) -> Answer:
    route = path if path in ("/calls", "/calls/recent") else "/calls/{call_id}"
    # `since` stands for "from", which Python keeps for itself.
    asked = {"from" if name == "since" else name: text for name, text in query.items()}
    return deployment.ask("ReadCalls", http(f"GET {route}", path=path, query=asked, claims=AGENT))


def ids(answer: Answer) -> list[str]:
    assert answer.status == 200
    return [call["call_id"] for call in answer.body["items"]]


class TestById:
    def test_shows_all_that_is_known(self, deployment: Deployment, clock: StoppedClock) -> None:
        facts = {"to": "+551133334444", "queue": "vendas", "branch": "centro"}
        facts |= {"campaign": "natal", "trunk": "sip-1"}
        take(
            deployment,
            clock,
            call_of("c1", BEGAN, **facts),
            call_of("c1", BEGAN + timedelta(seconds=4), stage="ringing", agent="ana"),
            call_of(
                "c1",
                BEGAN + timedelta(seconds=10),
                stage="answered",
                agent="ana",
                answered_by="human",
            ),
            call_of("c1", BEGAN + timedelta(seconds=70.5), stage="completed", reason="hung up"),
        )
        shown = get(deployment, "/calls/c1")
        assert (shown.status, shown.content_type) == (200, "application/json")
        assert shown.body == {
            "call_id": "c1",
            "provider": "canonical",
            "direction": "inbound",
            "status": "completed",
            "from": CUSTOMER,
            "to": "+551133334444",
            "number": CUSTOMER,
            "queue": "vendas",
            "agent": "ana",
            "branch": "centro",
            "campaign": "natal",
            "trunk": "sip-1",
            "answered_by": "human",
            "evidence": [
                {
                    "kind": "detection",
                    "answered_by": "human",
                    "at": "2026-03-02T11:00:10Z",
                    "by": None,
                }
            ],
            "disposition": None,
            "queued_at": "2026-03-02T11:00:00Z",
            "ringing_at": "2026-03-02T11:00:04Z",
            "answered_at": "2026-03-02T11:00:10Z",
            "ended_at": "2026-03-02T11:01:10.500000Z",
            "end_reason": "hung up",
            "wait_seconds": 10,
            "ring_seconds": 6,
            "talk_seconds": 60.5,
            "missed": False,
            "customer": None,
            "linked_by": None,
            "candidates": [],
            "quotes": [],
        }

    def test_shows_null_for_what_is_not_known(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        event = {"event_id": "e", "call_id": "c1", "stage": "answered"}
        take(deployment, clock, event | {"occurred_at": BEGAN.isoformat()})
        shown = get(deployment, "/calls/c1").body
        assert {name for name, value in shown.items() if value is not None} == {
            "call_id",
            "provider",
            "status",
            "answered_at",
            "answered_by",
            "evidence",
            "missed",
            "candidates",
            "quotes",
        }
        assert (shown["answered_by"], shown["evidence"]) == ("unknown", [])

    @pytest.mark.parametrize("call_id", ["1546015415.757927", "CA" + "0f" * 16, "a-b_c~d:e@f"])
    def test_takes_the_ids_that_telephone_systems_give(
        self, deployment: Deployment, clock: StoppedClock, call_id: str
    ) -> None:
        take(deployment, clock, call_of(call_id, BEGAN))
        assert get(deployment, f"/calls/{call_id}").body["call_id"] == call_id

    def test_takes_an_id_quoted(self, deployment: Deployment, clock: StoppedClock) -> None:
        take(deployment, clock, call_of("a#b?d", BEGAN))
        assert get(deployment, "/calls/a%23b%3Fd").body["call_id"] == "a#b?d"

    def test_of_no_call_is_a_problem(self, deployment: Deployment) -> None:
        problem = get(deployment, "/calls/c1")
        assert (problem.status, problem.content_type) == (404, "application/problem+json")
        assert problem.body["detail"] == "there is no such call"

    def test_while_the_table_is_away_is_a_problem_of_ours(self, deployment: Deployment) -> None:
        deployment.lose_table()
        problem = get(deployment, "/calls/c1")
        assert (problem.status, problem.content_type) == (503, "application/problem+json")


class TestByNumber:
    @pytest.mark.parametrize("written", [CUSTOMER, "(11) 98765-4321", "1187654321"])
    def test_finds_the_calls_of_a_person_however_the_number_is_written(
        self, deployment: Deployment, clock: StoppedClock, written: str
    ) -> None:
        later = BEGAN + timedelta(minutes=1)
        take(
            deployment,
            clock,
            call_of("with-ninth", BEGAN),
            call_of("without-ninth", later, **{"from": "+551187654321"}),
            call_of("rung-back", later, direction="outbound_manual", to="011 98765-4321"),
            call_of("another", later, **{"from": "+5521999990001"}),
            call_of("withheld", later, **{"from": "anonymous"}),
        )
        assert set(ids(get(deployment, "/calls", number=written))) == {
            "with-ninth",
            "without-ninth",
            "rung-back",
        }

    def test_a_plus_that_was_not_escaped_does_no_harm(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        take(deployment, clock, call_of("c1", BEGAN))
        assert ids(get(deployment, "/calls", number=" 5511987654321")) == ["c1"]

    def test_tells_the_newest_first(self, deployment: Deployment, clock: StoppedClock) -> None:
        for minute in (3, 1, 2):
            take(deployment, clock, call_of(f"c{minute}", BEGAN + timedelta(minutes=minute)))
        assert ids(get(deployment, "/calls", number=CUSTOMER)) == ["c3", "c2", "c1"]

    @pytest.mark.parametrize(
        ("period", "found"),
        [
            ({}, ["c3", "c2", "c1"]),
            ({"since": "2026-03-02T11:02:00Z"}, ["c3", "c2"]),
            ({"since": "2026-03-02T11:02:00.000001Z"}, ["c3"]),
            ({"until": "2026-03-02T11:02:00Z"}, ["c2", "c1"]),
            ({"until": "2026-03-02T08:02:00-03:00"}, ["c2", "c1"]),
            ({"since": "2026-03-02T11:02:00Z", "until": "2026-03-02T11:02:00Z"}, ["c2"]),
            ({"since": "2026-03-03T00:00:00Z"}, []),
            # Without an offset in UTC, and at the beginning of a day without a time.
            ({"since": "2026-03-02T11:02:00"}, ["c3", "c2"]),
            ({"since": "2026-03-02", "until": "2026-03-03"}, ["c3", "c2", "c1"]),
            ({"since": "2026-03-03"}, []),
            # A plus that was not escaped.
            ({"since": "2026-03-02T11:02:00 00:00"}, ["c3", "c2"]),
            ({"until": "2026-03-02T12:02:00 0100"}, ["c2", "c1"]),
            # As far away as can be written.
            ({"since": "0001-01-01T00:00:00+14:00"}, ["c3", "c2", "c1"]),
            ({"since": "0900-01-01T00:00:00Z"}, ["c3", "c2", "c1"]),
            ({"until": "9999-12-31T23:59:59-14:00"}, ["c3", "c2", "c1"]),
            (
                {"since": "1000-01-01T00:00:00Z", "until": "9999-12-31T23:59:59Z"},
                ["c3", "c2", "c1"],
            ),
        ],
    )
    def test_finds_those_that_began_in_a_period(
        self,
        deployment: Deployment,
        clock: StoppedClock,
        period: dict[str, str],
        found: list[str],
    ) -> None:
        for minute in (1, 2, 3):
            take(deployment, clock, call_of(f"c{minute}", BEGAN + timedelta(minutes=minute)))
        asked = {"to" if name == "until" else name: text for name, text in period.items()}
        assert ids(get(deployment, "/calls", number=CUSTOMER, **asked)) == found

    def test_a_period_that_ends_before_it_begins_is_refused(self, deployment: Deployment) -> None:
        problem = get(
            deployment,
            "/calls",
            number=CUSTOMER,
            since="2026-03-02T11:02:00Z",
            to="2026-03-02T11:01:59Z",
        )
        assert (problem.status, problem.body["errors"][0]["field"]) == (422, "to")

    def test_of_nobody_is_empty(self, deployment: Deployment) -> None:
        shown = get(deployment, "/calls", number=CUSTOMER)
        assert (shown.status, shown.body) == (200, {"items": [], "cursor": None})


def pages(deployment: Deployment, **query: str) -> Iterator[list[str]]:
    """The ids on each page of a customer's calls."""
    cursor: dict[str, str] = {}
    while True:
        page = get(deployment, "/calls", number=CUSTOMER, **query, **cursor)
        yield ids(page)
        if page.body["cursor"] is None:
            return
        cursor = {"cursor": page.body["cursor"]}


def take_many(deployment: Deployment, clock: StoppedClock, count: int) -> list[str]:
    """Takes calls of one customer, three of which began each second; says their ids."""
    call_ids = [f"c{index:03}" for index in range(count)]
    calls = [
        call_of(call_id, BEGAN + timedelta(seconds=index // 3))
        for index, call_id in enumerate(call_ids)
    ]
    # So few at a time that the slowest moto writes them before the rest would be deferred.
    for first in range(0, count, 20):
        take(deployment, clock, *calls[first : first + 20])
    return call_ids


class TestPages:
    def test_hold_every_call_once(self, deployment: Deployment, clock: StoppedClock) -> None:
        taken = take_many(deployment, clock, 120)
        for limit in (7, 40, 120, 500):
            found = list(pages(deployment, limit=str(limit)))
            assert all(len(page) == limit for page in found[:-1])
            assert sorted(call_id for page in found for call_id in page) == taken
        assert [len(page) for page in pages(deployment)] == [50, 50, 20]

    def test_go_on_within_their_period(self, deployment: Deployment, clock: StoppedClock) -> None:
        taken = take_many(deployment, clock, 30)
        period = {"since": "2026-03-02T11:00:02Z", "to": "2026-03-02T11:00:07Z"}
        found = pages(deployment, limit="4", **period)
        assert sorted(call_id for page in found for call_id in page) == taken[6:24]

    def test_stay_as_they_are_when_calls_come_in(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        taken = take_many(deployment, clock, 12)
        found = pages(deployment, limit="5")
        first = next(found)
        take(deployment, clock, call_of("new", BEGAN + timedelta(minutes=50)))
        rest = [call_id for page in found for call_id in page]
        assert sorted([*first, *rest]) == taken

    def test_refuse_a_cursor_of_another_list_or_of_nobody(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        take_many(deployment, clock, 12)
        cursor = get(deployment, "/calls", number=CUSTOMER, limit="10").body["cursor"]
        for query in (
            {"number": "+5521999990001", "cursor": cursor},
            {"number": CUSTOMER, "cursor": cursor, "since": "2026-03-02T11:00:00Z"},
            {"number": CUSTOMER, "cursor": cursor[:-2]},
            {"number": CUSTOMER, "cursor": "forged"},
            {"number": CUSTOMER, "cursor": "c" * 1001},
        ):
            problem = get(deployment, "/calls", **query)
            assert (problem.status, problem.content_type) == (422, "application/problem+json")
            assert [error["field"] for error in problem.body["errors"]] == ["cursor"]


class TestRecent:
    def recent(self, deployment: Deployment, **claims: str) -> list[str]:
        request = http("GET /calls/recent", claims=user("[agent]", "ana", **claims))
        shown = deployment.ask("ReadCalls", request)
        assert shown.body["cursor"] is None
        return ids(shown)

    def test_are_the_last_five_of_the_operator(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        for minute in (3, 7, 1, 2, 6, 5, 4):
            at = BEGAN + timedelta(minutes=minute)
            take(deployment, clock, call_of(f"ana-{minute}", at, stage="answered", agent="ana"))
            take(deployment, clock, call_of(f"bia-{minute}", at, stage="answered", agent="bia"))
        assert self.recent(deployment) == ["ana-7", "ana-6", "ana-5", "ana-4", "ana-3"]

    def test_are_of_the_name_that_the_telephone_system_knows(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        take(deployment, clock, call_of("c1", BEGAN, stage="answered", agent="Agent 2001"))
        take(deployment, clock, call_of("c2", BEGAN, stage="answered", agent="ana"))
        assert self.recent(deployment, **{"custom:agent": "Agent 2001"}) == ["c1"]

    def test_are_of_who_answered_and_not_of_who_was_rung_before(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        rung = call_of("c1", BEGAN, stage="ringing", agent="ana")
        take(deployment, clock, rung)
        assert self.recent(deployment) == ["c1"]
        answered = call_of("c1", BEGAN + timedelta(seconds=9), stage="answered", agent="bia")
        take(deployment, clock, answered)
        assert self.recent(deployment) == []

    def test_may_be_none(self, deployment: Deployment) -> None:
        assert self.recent(deployment) == []
