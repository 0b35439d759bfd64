"""Placing calls: asked over the API, of a telephone system that answers as it is told."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.client import BaseClient

from retorno import dynamodb
from retorno.dialling import store
from retorno.telephony import signature
from retorno.telephony.ports import WebhookRequest
from tests.support.clock import StoppedClock
from tests.support.deployment import Deployment, forget
from tests.support.events import Answer, http, user
from tests.support.exchange import HANGS_UP, Answering, serving
from tests.support.requests import counted
from tests.support.switchboard import Switchboard
from tests.support.webhooks import CANONICAL, signed

FUNCTION = "PlaceCalls"
CUSTOMER = "+5511987654321"
ANA = user("[agent]", "ana", **{"custom:agent": "ana.souza"})
BIA = user("[agent]", "bia")
LEADER = user("[supervisor]", "leo")
# A Monday in São Paulo, 9:30.
NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
WISH = {"number": "(11) 98765-4321"}


@pytest.fixture(autouse=True)
def on_monday_morning(clock: StoppedClock) -> None:
    clock.now = NOW


@pytest.fixture
def switchboard(deployment: Deployment) -> Iterator[Switchboard]:
    with serving(Switchboard()) as switchboard:
        assert isinstance(switchboard, Switchboard)
        deployment.configure(
            DIAL_PROVIDER="canonical", DIAL_URL=switchboard.url, CALLER_ID="+551130001000"
        )
        yield switchboard


def dial(
    deployment: Deployment, wish: object = WISH, key: str | None = "k1", claims: Any = ANA
) -> Answer:
    headers = {"content-type": "application/json"} | ({"idempotency-key": key} if key else {})
    body = json.dumps(wish).encode()
    return deployment.ask(FUNCTION, http("POST /dials", headers=headers, body=body, claims=claims))


def shown(deployment: Deployment, dial_id: str, claims: Any = ANA) -> Answer:
    return deployment.ask(
        FUNCTION, http("GET /dials/{dial_id}", path=f"/dials/{dial_id}", claims=claims)
    )


def listed(deployment: Deployment, claims: Any = ANA, **query: str) -> Answer:
    return deployment.ask(FUNCTION, http("GET /dials", query=query, claims=claims))


def call(deployment: Deployment, call_id: str) -> Answer:
    event = http("GET /calls/{call_id}", path=f"/calls/{call_id}", claims=LEADER)
    return deployment.ask("ReadCalls", event)


def tell(deployment: Deployment, *events: dict[str, Any]) -> None:
    told = [{"event_id": str(index), **event} for index, event in enumerate(events)]
    body = json.dumps({"events": told}).encode()
    sent = NOW
    assert deployment.ask("IngestCalls", signed(CANONICAL, body, sent)).status == 200


def miss(deployment: Deployment, caller: str = CUSTOMER, call_id: str = "missed-1") -> None:
    began = NOW - timedelta(minutes=10)
    common = {"call_id": call_id, "direction": "inbound", "from": caller, "to": "+551130001000"}
    ended = (began + timedelta(seconds=30)).isoformat()
    tell(
        deployment,
        {**common, "stage": "queued", "occurred_at": began.isoformat(), "queue": "vendas"},
        {**common, "stage": "cancelled", "occurred_at": ended},
    )


class TestPlaced:
    def test_is_one_call_with_a_record(
        self, deployment: Deployment, switchboard: Switchboard
    ) -> None:
        answer = dial(deployment)
        assert (answer.status, answer.body["state"]) == (201, "placed")
        (order,) = switchboard.placed
        assert order == {
            "attempt_id": answer.body["dial_id"],
            "number": CUSTOMER,
            "telephone": "ana.souza",
            "agent": "ana.souza",
            "caller_id": "+551130001000",
            "ordered_at": "2026-03-02T12:30:00.000000Z",
            "menu_url": None,
        }
        record = call(deployment, answer.body["call_id"]).body
        assert {name: record[name] for name in ("direction", "number", "agent", "status")} == {
            "direction": "outbound_manual",
            "number": CUSTOMER,
            "agent": "ana.souza",
            "status": "queued",
        }
        assert shown(deployment, answer.body["dial_id"]).body == answer.body
        assert answer.headers["Location"] == f"/dials/{answer.body['dial_id']}"

    def test_again_is_the_same(
        self, deployment: Deployment, switchboard: Switchboard, clock: StoppedClock
    ) -> None:
        first = dial(deployment)
        clock.advance(days=2)
        again = dial(deployment)
        assert (again.status, again.body) == (first.status, first.body)
        assert switchboard.methods == ["POST"]

    def test_with_another_key_or_by_another_person_is_another(
        self, deployment: Deployment, switchboard: Switchboard
    ) -> None:
        answers = [dial(deployment), dial(deployment, key="k2"), dial(deployment, claims=BIA)]
        assert len({answer.body["dial_id"] for answer in answers}) == 3
        assert [order["telephone"] for order in switchboard.placed] == [
            "ana.souza",
            "ana.souza",
            "bia",
        ]

    def test_calls_a_missed_customer_back(
        self, deployment: Deployment, switchboard: Switchboard
    ) -> None:
        miss(deployment)
        answer = dial(deployment, {"missed_call_id": "missed-1", "telephone": "+551130001007"})
        assert answer.status == 201
        assert (answer.body["purpose"], answer.body["missed_call_id"]) == (
            "abandoned_callback",
            "missed-1",
        )
        assert switchboard.placed[0]["number"] == CUSTOMER
        assert switchboard.placed[0]["telephone"] == "+551130001007"

    def test_by_so_many_requests(self, deployment: Deployment, switchboard: Switchboard) -> None:
        dial(deployment, key="warm")
        with counted() as requests:
            dial(deployment)
        assert requests == [
            "GetItem",
            "GetItem",
            "Query",
            "BatchGetItem",
            "Query",
            "UpdateItem",
            "UpdateItem",
            "UpdateItem",
        ]

    def test_the_agents_own_telephone_rings_unless_another_is_named(
        self, deployment: Deployment, switchboard: Switchboard
    ) -> None:
        draft = {"name": "Ana Souza", "telephone": "4007"}
        registered = http(
            "PUT /agents/{agent}",
            path="/agents/ana.souza",
            body=json.dumps(draft).encode(),
            headers={"content-type": "application/json"},
            claims=LEADER,
        )
        assert deployment.ask("ManageAgents", registered).status == 201
        dial(deployment, key="k1")
        dial(deployment, {**WISH, "telephone": "4010"}, key="k2")
        assert [order["telephone"] for order in switchboard.placed] == ["4007", "4010"]

    def test_is_recorded_later_if_the_calls_table_is_away(
        self, deployment: Deployment, switchboard: Switchboard
    ) -> None:
        switchboard.before_answer = deployment.lose_table
        answer = dial(deployment)
        assert answer.status == 201
        (message,) = deployment.deferred()
        assert set(json.loads(message)) == {answer.body["call_id"]}


class TestRules:
    def test_forbid_by_name_and_say_when_next(
        self, deployment: Deployment, switchboard: Switchboard, clock: StoppedClock
    ) -> None:
        clock.now = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
        problem = dial(deployment, {**WISH, "purpose": "telemarketing"})
        assert (problem.status, problem.content_type) == (409, "application/problem+json")
        assert problem.body["rules"] == [
            {"id": "br-telecom-code-2019/hours", "reason": problem.body["rules"][0]["reason"]}
        ]
        assert "9h" in problem.body["rules"][0]["reason"]
        assert problem.body["next_allowed_at"] == "2026-03-03T12:00:00Z"
        assert (switchboard.asked, listed(deployment).body["items"]) == ([], [])
        clock.now = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
        assert dial(deployment, {**WISH, "purpose": "telemarketing"}).status == 201

    def test_count_the_calls_of_the_day(
        self, deployment: Deployment, switchboard: Switchboard, clock: StoppedClock
    ) -> None:
        miss(deployment)
        wish = {**WISH, "purpose": "telemarketing"}
        assert [dial(deployment, wish, key).status for key in ("1", "2", "3")] == [201, 201, 409]
        clock.advance(days=1)
        assert dial(deployment, wish, "3").status == 201

    def test_keep_those_who_do_not_want_to_be_called(
        self, deployment: Deployment, switchboard: Switchboard
    ) -> None:
        put = http(
            "PUT /do-not-call/{number}",
            path="/do-not-call/11987654321",
            headers={"content-type": "application/json"},
            body=b'{"scope": "all"}',
            claims=ANA,
        )
        assert deployment.ask("ManageCallingRules", put).status == 200
        problem = dial(deployment)
        assert [rule["id"] for rule in problem.body["rules"]] == ["do-not-call/customer"]
        assert (problem.status, problem.body["next_allowed_at"]) == (409, None)
        assert CUSTOMER not in json.dumps(problem.body)
        assert switchboard.asked == []

    def test_are_not_guessed_while_the_list_is_away(
        self, deployment: Deployment, switchboard: Switchboard
    ) -> None:
        deployment.lose_table("do-not-call")
        assert dial(deployment).status == 503
        assert switchboard.asked == []


class TestRefusedAndFailed:
    def test_a_refusal_is_final(self, deployment: Deployment, switchboard: Switchboard) -> None:
        switchboard.will(Answering(400, {"code": 21211, "message": CUSTOMER}))
        problem = dial(deployment)
        assert problem.status == 409
        assert problem.body["detail"].endswith("answered 400, code 21211")
        assert dial(deployment).body == problem.body
        assert switchboard.methods == ["POST"]
        (item,) = listed(deployment).body["items"]
        assert (item["state"], item["call_id"]) == ("refused", None)

    def test_a_failure_waits_as_long_as_it_was_told(
        self, deployment: Deployment, switchboard: Switchboard, clock: StoppedClock
    ) -> None:
        switchboard.will(Answering(429, {}, {"Retry-After": "30"}))
        problem = dial(deployment)
        assert problem.status == 503
        assert "not before 2026-03-02T12:30:30" in problem.body["detail"]
        clock.advance(seconds=29)
        assert dial(deployment).status == 503
        assert switchboard.methods == ["POST"]
        clock.advance(seconds=1)
        assert dial(deployment).status == 201
        assert switchboard.methods == ["POST", "POST"]
        # From when on it would be looked for.
        assert switchboard.placed[0]["ordered_at"] == "2026-03-02T12:30:30.000000Z"

    def test_nobody_there_may_be_tried_again_at_once(
        self, deployment: Deployment, switchboard: Switchboard
    ) -> None:
        deployment.configure(DIAL_URL="http://127.0.0.1:9")
        assert dial(deployment).status == 503
        deployment.configure(DIAL_URL=switchboard.url)
        forget()
        assert dial(deployment).status == 201


class TestUncertain:
    def test_is_looked_up_and_not_dialled_again(
        self, deployment: Deployment, switchboard: Switchboard
    ) -> None:
        switchboard.loses = 1
        doubt = dial(deployment)
        assert (doubt.status, doubt.body["state"], doubt.body["call_id"]) == (
            202,
            "uncertain",
            None,
        )
        found = dial(deployment)
        assert (found.status, found.body["state"]) == (201, "placed")
        assert switchboard.methods == ["POST", "GET"]
        assert call(deployment, found.body["call_id"]).body["number"] == CUSTOMER

    def test_stays_so_while_nobody_can_tell(
        self, deployment: Deployment, switchboard: Switchboard
    ) -> None:
        switchboard.loses = 1
        dial(deployment)
        switchboard.will(Answering(500), HANGS_UP)
        assert [dial(deployment).status for _ in range(3)] == [202, 202, 201]
        assert len(switchboard.placed) == 1

    def test_is_dialled_again_when_it_would_have_been_listed(
        self, deployment: Deployment, switchboard: Switchboard, clock: StoppedClock
    ) -> None:
        switchboard.will(HANGS_UP)
        assert dial(deployment).status == 202
        clock.advance(seconds=59)
        assert dial(deployment).status == 202
        assert switchboard.methods == ["POST", "GET"]
        clock.advance(seconds=1)
        assert dial(deployment).status == 201
        assert switchboard.methods == ["POST", "GET", "GET", "POST"]
        assert len(switchboard.placed) == 1

    def test_is_not_asked_of_another_telephone_system(
        self, deployment: Deployment, switchboard: Switchboard, clock: StoppedClock
    ) -> None:
        switchboard.loses = 1
        dial(deployment)
        clock.advance(hours=1)
        deployment.configure(DIAL_PROVIDER="asterisk", DIAL_FLOW="from-retorno")
        deployment.rotate("DialSecret", current="s", username="u", password="p")
        forget()
        doubt = dial(deployment)
        assert (doubt.status, doubt.body["state"]) == (202, "uncertain")
        assert switchboard.methods == ["POST"]

    def test_is_not_dialled_again_at_night(
        self, deployment: Deployment, switchboard: Switchboard, clock: StoppedClock
    ) -> None:
        wish = {**WISH, "purpose": "telemarketing"}
        switchboard.will(HANGS_UP)
        dial(deployment, wish)
        clock.now = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
        assert dial(deployment, wish).status == 409
        assert switchboard.placed == []
        (item,) = listed(deployment).body["items"]
        assert item["state"] == "failed"


class Killed(BaseException):
    """Lambda ends the function: nothing in it catches that."""


# Each request of a first POST /dials, in their order, up to the order itself.
BEFORE = ["GetItem", "GetItem", "Query", "Query", "UpdateItem"]
AFTER = ["UpdateItem", "UpdateItem"]


class TestCrash:
    """The function dies; the same request comes again when the reservation is over."""

    def die(
        self, deployment: Deployment, monkeypatch: pytest.MonkeyPatch, at: int, *, late: bool
    ) -> None:
        """Before the request of a place, or `late` when it was carried out."""
        make_api_call = BaseClient._make_api_call  # type: ignore[attr-defined]
        made = 0

        def dying(client: BaseClient, operation: str, parameters: Any) -> Any:
            nonlocal made
            made += 1
            if made == at and not late:
                raise Killed
            answer = make_api_call(client, operation, parameters)
            if made == at:
                raise Killed
            return answer

        with monkeypatch.context() as patched:
            patched.setattr(BaseClient, "_make_api_call", dying)
            with pytest.raises(Killed):
                dial(deployment)

    @pytest.mark.parametrize("late", [False, True])
    @pytest.mark.parametrize("at", range(1, len(BEFORE) + len(AFTER) + 1))
    def test_anywhere_leaves_one_call(
        self,
        deployment: Deployment,
        switchboard: Switchboard,
        clock: StoppedClock,
        monkeypatch: pytest.MonkeyPatch,
        at: int,
        late: bool,
    ) -> None:
        dial(deployment, {"number": "+5511912345678"}, "warm")
        switchboard.placed.clear()
        self.die(deployment, monkeypatch, at, late=late)
        clock.advance(seconds=90)
        answer = dial(deployment)
        assert (answer.status, answer.body["state"]) == (201, "placed")
        assert len(switchboard.placed) == 1
        assert call(deployment, answer.body["call_id"]).body["agent"] == "ana.souza"

    def test_leaves_a_reservation_for_a_while(
        self,
        deployment: Deployment,
        switchboard: Switchboard,
        clock: StoppedClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        dial(deployment, {"number": "+5511912345678"}, "warm")
        self.die(deployment, monkeypatch, len(BEFORE) + 1, late=False)
        clock.advance(seconds=89)
        waiting = dial(deployment)
        assert (waiting.status, waiting.body["state"]) == (202, "reserved")
        assert switchboard.methods == ["POST", "POST"]

    def test_a_lost_answer_of_the_table_is_no_other_s_write(
        self, deployment: Deployment, switchboard: Switchboard, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """botocore sends a write again whose answer was lost, and it is refused by itself."""
        lose_answers(monkeypatch)
        answer = dial(deployment)
        assert (answer.status, len(switchboard.placed)) == (201, 1)


def lose_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each write of a dial is sent twice."""
    write = dynamodb.update

    def written_twice(*request: Any) -> None:
        write(*request)
        write(*request)

    monkeypatch.setattr("retorno.dialling.store.update", written_twice)


class TestAtTheSameMoment:
    def test_the_same_key_places_one_call(
        self, deployment: Deployment, switchboard: Switchboard
    ) -> None:
        """The second request comes while the first waits for the telephone system."""
        seconds: list[Answer] = []
        switchboard.before_answer = lambda: seconds.append(dial(deployment))
        first = dial(deployment)
        assert (first.status, first.body["state"]) == (201, "placed")
        assert [(second.status, second.body["state"]) for second in seconds] == [(202, "reserved")]
        assert len(switchboard.placed) == 1

    def test_the_same_key_is_reserved_by_one(
        self, deployment: Deployment, switchboard: Switchboard, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Both saw that nobody had asked yet."""
        look = store.DialStore.get
        seconds: list[Answer] = []

        def look_and_be_overtaken(dials: store.DialStore, dial_id: str) -> Any:
            found = look(dials, dial_id)
            monkeypatch.setattr(store.DialStore, "get", look)
            seconds.append(dial(deployment))
            return found

        monkeypatch.setattr(store.DialStore, "get", look_and_be_overtaken)
        first = dial(deployment)
        assert [first.body] == [second.body for second in seconds]
        assert (first.status, len(switchboard.placed)) == (201, 1)

    def test_two_who_look_up_find_one_call(
        self, deployment: Deployment, switchboard: Switchboard, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        switchboard.loses = 1
        dial(deployment)
        look = store.DialStore.get
        seconds: list[Answer] = []

        def look_and_be_overtaken(dials: store.DialStore, dial_id: str) -> Any:
            found = look(dials, dial_id)
            monkeypatch.setattr(store.DialStore, "get", look)
            seconds.append(dial(deployment))
            return found

        monkeypatch.setattr(store.DialStore, "get", look_and_be_overtaken)
        assert dial(deployment).body == seconds[0].body
        assert switchboard.methods == ["POST", "GET"]


class TestInput:
    @pytest.mark.parametrize(
        ("wish", "field"),
        [
            ({}, "body"),
            ({"number": CUSTOMER, "missed_call_id": "1"}, "body"),
            ({"number": "ninguém"}, "number"),
            ({"number": "190"}, "number"),
            ({"number": ""}, "number"),
            ({"number": 11987654321}, "number"),
            ({"number": "1" * 257}, "number"),
            ({"missed_call_id": "none"}, "missed_call_id"),
            ({"missed_call_id": "a/b"}, "missed_call_id"),
            ({**WISH, "telephone": "SIP/ana"}, "telephone"),
            ({**WISH, "telephone": "ana souza"}, "telephone"),
            ({**WISH, "telephone": "ana\r\nX: 1"}, "telephone"),
            ({**WISH, "telephone": ""}, "telephone"),
            ({**WISH, "purpose": "fun"}, "purpose"),
            ({**WISH, "caller_id": "+551140001000"}, "caller_id"),
        ],
    )
    def test_nonsense_is_refused_by_name(
        self, deployment: Deployment, switchboard: Switchboard, wish: object, field: str
    ) -> None:
        problem = dial(deployment, wish)
        assert problem.status == 422
        assert [error["field"] for error in problem.body["errors"]] == [field]
        assert switchboard.asked == []

    @pytest.mark.parametrize("key", [None, "", "a b", "é", "x" * 201])
    def test_a_key_is_required(
        self, deployment: Deployment, switchboard: Switchboard, key: str | None
    ) -> None:
        problem = dial(deployment, key=key)
        assert problem.status == 422
        assert [error["field"] for error in problem.body["errors"]] == ["idempotency-key"]
        assert switchboard.asked == []

    @pytest.mark.parametrize("wish", [{"number": "+5511912345678"}, {**WISH, "telephone": "x"}])
    def test_a_key_is_good_for_one_wish(
        self, deployment: Deployment, switchboard: Switchboard, wish: object
    ) -> None:
        dial(deployment)
        problem = dial(deployment, wish)
        assert problem.status == 422
        assert [error["field"] for error in problem.body["errors"]] == ["Idempotency-Key"]
        assert len(switchboard.placed) == 1

    def test_only_a_missed_call_with_a_number_is_called_back(
        self, deployment: Deployment, switchboard: Switchboard
    ) -> None:
        miss(deployment, caller="anonymous", call_id="withheld")
        tell(deployment, {"call_id": "new", "stage": "queued", "occurred_at": NOW.isoformat()})
        for call_id in ("withheld", "new"):
            problem = dial(deployment, {"missed_call_id": call_id}, call_id)
            assert problem.status == 422
            assert problem.body["errors"][0]["field"] == "missed_call_id"
        assert switchboard.asked == []

    def test_a_name_that_is_no_telephone_needs_one(
        self, deployment: Deployment, switchboard: Switchboard
    ) -> None:
        joao = user("[agent]", "joao", **{"custom:agent": "João Lima"})
        problem = dial(deployment, claims=joao)
        assert problem.body["errors"][0]["field"] == "telephone"
        assert dial(deployment, {**WISH, "telephone": "4000"}, claims=joao).status == 201


class TestSetUp:
    @pytest.mark.parametrize(
        ("variables", "missing"),
        [
            ({}, "no telephone system"),
            ({"DIAL_PROVIDER": "canonical"}, "DialUrl"),
            ({"DIAL_PROVIDER": "twilio"}, "CallerId"),
            ({"DIAL_PROVIDER": "twilio", "CALLER_ID": "+551130001000"}, "account_sid"),
            ({"DIAL_PROVIDER": "zenvia"}, "access_token"),
            ({"DIAL_PROVIDER": "asterisk", "DIAL_URL": "https://pbx.example/ari"}, "username"),
            ({"DIAL_PROVIDER": "amazon_connect", "CALLER_ID": "+551130001000"}, "DialFlow"),
        ],
    )
    def test_says_what_is_missing(
        self, deployment: Deployment, variables: dict[str, str], missing: str
    ) -> None:
        deployment.configure(**variables)
        problem = dial(deployment)
        assert (problem.status, missing in problem.body["detail"]) == (409, True)
        assert listed(deployment).body["items"] == []

    @pytest.mark.parametrize(
        ("provider", "secret", "answer", "call_id"),
        [
            ("twilio", {"account_sid": "AC1", "auth_token": "t"}, {"sid": "CA7"}, "CA7"),
            ("zenvia", {"access_token": "t"}, {"dados": {"id": 7}}, "zenvia-7"),
            ("asterisk", {"username": "u", "password": "p"}, {"id": "c7"}, "c7"),
        ],
    )
    def test_each_provider_can_be_chosen(
        self,
        deployment: Deployment,
        switchboard: Switchboard,
        provider: str,
        secret: dict[str, str],
        answer: dict[str, Any],
        call_id: str,
    ) -> None:
        deployment.configure(DIAL_PROVIDER=provider, DIAL_FLOW="from-retorno")
        deployment.rotate("DialSecret", **secret)
        switchboard.will(Answering(201, answer))
        placed = dial(deployment)
        assert (placed.status, placed.body["call_id"]) == (201, call_id)
        assert call(deployment, call_id).body["provider"] == provider

    def test_credentials_are_read_again(
        self, deployment: Deployment, switchboard: Switchboard
    ) -> None:
        dial(deployment)
        deployment.rotate("DialSecret", current="another")
        dial(deployment, key="k2")
        asked = switchboard.asked[1]
        signature.verify(WebhookRequest("", asked.headers, asked.body), ["another"], NOW)

    def test_no_secret_is_no_call(self, deployment: Deployment, switchboard: Switchboard) -> None:
        deployment.lose_secret("DialSecret")
        assert dial(deployment).status == 503
        assert switchboard.asked == []


class TestRecords:
    def test_an_agent_sees_their_own(
        self, deployment: Deployment, switchboard: Switchboard
    ) -> None:
        dial_id = dial(deployment).body["dial_id"]
        assert shown(deployment, dial_id, BIA).status == 404
        assert shown(deployment, dial_id, LEADER).status == 200
        assert shown(deployment, "0" * 32).status == 404
        assert listed(deployment, BIA).body["items"] == []
        assert listed(deployment, BIA, agent="ana.souza").status == 403
        for claims in (ANA, LEADER):
            found = listed(deployment, claims, agent="ana.souza").body["items"]
            assert [item["dial_id"] for item in found] == [dial_id]

    def test_are_paged_newest_first(
        self, deployment: Deployment, switchboard: Switchboard, clock: StoppedClock
    ) -> None:
        for key in "12345":
            dial(deployment, key=key)
            clock.advance(minutes=1)
        everything = [item["dial_id"] for item in listed(deployment).body["items"]]
        assert len(everything) == 5
        seen: list[str] = []
        query = {"limit": "2"}
        while True:
            page = listed(deployment, **query).body
            seen += [item["dial_id"] for item in page["items"]]
            if page["cursor"] is None:
                break
            query["cursor"] = page["cursor"]
        assert seen == everything
        times = [item["asked_at"] for item in listed(deployment).body["items"]]
        assert times == sorted(times, reverse=True)
        problem = listed(deployment, LEADER, agent="bia", cursor=query["cursor"])
        assert problem.status == 422
