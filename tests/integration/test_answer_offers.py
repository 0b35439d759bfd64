"""Queues and offers over the API, with a telephone system that answers as it is told."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from retorno.times import stamp
from tests.support.clock import StoppedClock
from tests.support.connect import INSTANCE_ARN
from tests.support.deployment import Deployment, forget
from tests.support.events import Answer, http, sqs, user
from tests.support.exchange import HANGS_UP, Answering, Exchange, serving
from tests.support.telemarketing import OF_CUSTOMER, Office
from tests.support.webhooks import TWILIO_RETURNED, canonical, twilio

LEADER = user("[supervisor]", "leo")
ANA = user("[agent]", "ana")
BIA = user("[agent]", "bia")
CUSTOMER = "+5511987654321"
ASK = {"mode": "ask"}


def ask(
    deployment: Deployment,
    function: str,
    route: str,
    body: object = None,
    claims: Any = LEADER,
    **named: str,
) -> Answer:
    """`named` are the names in the route's path, headers, and what is left is the query."""
    path = route.partition(" ")[2]
    for name in list(named):
        if f"{{{name}}}" in path:
            path = path.replace(f"{{{name}}}", named.pop(name))
    headers = {"content-type": "application/json"}
    for header in ("if_match", "idempotency_key"):
        if header in named:
            headers[header.replace("_", "-")] = named.pop(header)
    event = http(
        route,
        path=path,
        query=named,
        headers=headers,
        body=None if body is None else json.dumps(body).encode(),
        claims=claims,
    )
    return deployment.ask(function, event)


def offers(deployment: Deployment, route: str, body: object = None, **asked: Any) -> Answer:
    return ask(deployment, "AnswerOffers", route, body, **asked)


@pytest.fixture
def exchange(deployment: Deployment) -> Iterator[Exchange]:
    with serving(Exchange()) as exchange:
        deployment.configure(DIAL_PROVIDER="canonical", DIAL_URL=exchange.url)
        yield exchange


def tell(
    deployment: Deployment, clock: StoppedClock, call_id: str, stage: str, **facts: str
) -> None:
    event = {
        "event_id": stage,
        "call_id": call_id,
        "stage": stage,
        "occurred_at": clock.now.isoformat(),
        "direction": "inbound",
        "from": CUSTOMER,
        "to": "+551130001000",
        **facts,
    }
    assert deployment.ask("IngestCalls", canonical(clock.now, event)).status == 200
    deployment.flow()
    work(deployment)


def work(deployment: Deployment) -> None:
    """Has done what waits in the queue of work and is due."""
    while messages := deployment.messages("OffersQueue"):
        event = sqs(*(json.dumps(message) for message in messages))
        assert deployment.call("OfferCalls", event) == {"batchItemFailures": []}


def hire(deployment: Deployment, agent: str, **facts: object) -> None:
    draft = {"name": agent, "queues": ["vendas"], "telephone": "4007", **facts}
    for route, body in (
        ("PUT /agents/{agent}", draft),
        ("PUT /agents/{agent}/presence", {"state": "available"}),
    ):
        assert ask(deployment, "ManageAgents", route, body, agent=agent).status in (200, 201)


@pytest.fixture
def offer(deployment: Deployment, exchange: Exchange, clock: StoppedClock) -> dict[str, Any]:
    """Ana's, of a customer who was missed before."""
    assert offers(deployment, "PUT /queues/{queue}", ASK, queue="vendas").status == 201
    hire(deployment, "ana")
    tell(deployment, clock, "c0", "queued", queue="vendas")
    clock.advance(seconds=9)
    tell(deployment, clock, "c0", "cancelled")
    clock.advance(minutes=1)
    hire(deployment, "ana2", queues=["outra"])
    tell(deployment, clock, "c1", "queued", queue="vendas")
    found = offers(deployment, "GET /offers/me", claims=ANA)
    assert found.status == 200
    body: dict[str, Any] = found.body
    return body


class TestQueues:
    def test_are_set_up_by_leaders_who_saw_the_last_version(
        self, deployment: Deployment, exchange: Exchange
    ) -> None:
        assert offers(deployment, "GET /queues/{queue}", queue="vendas").status == 404
        draft = {"mode": "auto", "skills": ["inglês", "inglês"]}
        made = offers(deployment, "PUT /queues/{queue}", draft, queue="vendas")
        assert (made.status, made.headers["ETag"]) == (201, '"1"')
        assert made.body == {
            "queue": "vendas",
            "mode": "auto",
            "offer_seconds": 20,
            "skills": ["inglês"],
            "version": 1,
        }

        def put(**named: str) -> Answer:
            return offers(deployment, "PUT /queues/{queue}", ASK, queue="vendas", **named)

        assert put().status == 428
        assert put(if_match='"7"').status == 412
        assert put(if_match='"1"').body["mode"] == "ask"
        assert put(if_match="*").headers["ETag"] == '"3"'
        elsewhere = offers(deployment, "PUT /queues/{queue}", ASK, queue="x", if_match="*")
        assert elsewhere.status == 404

    def test_are_listed_by_name_page_by_page(
        self, deployment: Deployment, exchange: Exchange
    ) -> None:
        for queue in ("vendas", "caf%C3%A9%2Fbar", "suporte"):
            assert offers(deployment, "PUT /queues/{queue}", ASK, queue=queue).status == 201
        first = offers(deployment, "GET /queues", claims=ANA, limit="2").body
        rest = offers(deployment, "GET /queues", cursor=first["cursor"]).body
        names = [each["queue"] for each in first["items"] + rest["items"]]
        assert (names, rest["cursor"]) == (["café/bar", "suporte", "vendas"], None)

    @pytest.mark.parametrize(
        ("draft", "field"),
        [
            ({}, "mode"),
            ({"mode": "sometimes"}, "mode"),
            ({"mode": "ask", "offer_seconds": 4}, "offer_seconds"),
            ({"mode": "ask", "offer_seconds": 121}, "offer_seconds"),
            ({"mode": "ask", "skills": ["s" * 129]}, "skills.0"),
            ({"mode": "ask", "skills": [f"s{each}" for each in range(41)]}, "skills"),
        ],
    )
    def test_are_refused_with_the_field(
        self, deployment: Deployment, draft: object, field: str
    ) -> None:
        refused = offers(deployment, "PUT /queues/{queue}", draft, queue="vendas")
        assert refused.status == 422
        assert [error["field"] for error in refused.body["errors"]] == [field]

    @pytest.mark.parametrize(
        ("provider", "says"),
        [
            ("none", "no telephone system is set up"),
            ("zenvia", "takes no orders"),
            ("amazon_connect", "takes no orders"),
            ("canonical", "DialUrl"),
            ("twilio", "account_sid"),
            ("asterisk", "DialUrl"),
        ],
    )
    def test_are_given_out_only_by_who_can(
        self, deployment: Deployment, provider: str, says: str
    ) -> None:
        deployment.configure(DIAL_PROVIDER=provider, CONNECT_INSTANCE_ARN=INSTANCE_ARN)
        refused = offers(deployment, "PUT /queues/{queue}", ASK, queue="vendas")
        assert refused.status == 409
        assert says in refused.body["detail"]
        none = offers(deployment, "PUT /queues/{queue}", {"mode": "none"}, queue="vendas")
        assert none.status == 201


class TestOffer:
    def test_shows_who_waits_and_what_was(
        self, deployment: Deployment, offer: dict[str, Any], clock: StoppedClock
    ) -> None:
        assert (offer["number"], offer["queue"], offer["ordinal"]) == (CUSTOMER, "vendas", 1)
        assert offer["waiting_since"] == "2026-03-02T12:01:09Z"
        assert offer["until"] == "2026-03-02T12:01:29Z"
        (earlier,) = offer["recent_calls"]
        assert (earlier["call_id"], earlier["missed"]) == ("c0", True)
        (missed,) = offer["open_missed_calls"]
        assert (missed["call_id"], missed["reason"]) == ("c0", "cancelled")
        assert (offer["customer"], offer["candidates"]) == (None, [])
        listed = offers(deployment, "GET /offers", queue="vendas").body
        assert [each["offer_id"] for each in listed["items"]] == [offer["offer_id"]]
        assert offers(deployment, "GET /offers", queue="outra").body["items"] == []

    def test_shows_its_customer(self, deployment: Deployment, offer: dict[str, Any]) -> None:
        customer = {"name": "Carla Moura", "phone": "(11) 98765-4321"}
        made = ask(deployment, "ManageCustomers", "POST /customers", customer)
        assert made.status == 201, made.body
        seen = offers(deployment, "GET /offers/me", claims=ANA).body
        assert (seen["customer"]["name"], seen["linked_by"]) == ("Carla Moura", "only_match")

    def test_shows_the_open_quotes_of_the_number_and_of_the_customer(
        self, deployment: Deployment, offer: dict[str, Any], clock: StoppedClock
    ) -> None:
        customer = {"name": "Carla Moura", "phone": CUSTOMER, "mobile": "+5521999990001"}
        assert ask(deployment, "ManageCustomers", "POST /customers", customer).status == 201
        tell(deployment, clock, "mobile", "queued", **{"from": "+5521999990001"})
        tell(deployment, clock, "others", "queued", **{"from": "+5531999990002"})
        route = "POST /quotes"
        ids = []
        for call_id, key in (("c0", "k1"), ("mobile", "k1"), ("c0", "k2"), ("others", "k1")):
            clock.advance(seconds=1)
            body = {"call_id": call_id, "value": "90"}
            made = ask(deployment, "ManageQuotes", route, body, claims=ANA, idempotency_key=key)
            ids.append(made.body["quote_id"])
        won = ask(deployment, "ManageQuotes", "POST /quotes/{quote_id}/win", quote_id=ids[2])
        assert won.status == 200
        seen = offers(deployment, "GET /offers/me", claims=ANA).body["open_quotes"]
        assert [each["quote_id"] for each in seen] == [ids[1], ids[0]]

    def test_shows_what_telemarketing_still_wants_of_its_customer(
        self, deployment: Deployment, offer: dict[str, Any], clock: StoppedClock
    ) -> None:
        office = Office(deployment, clock)
        for campaign, ends_on in (
            ("natal", "2026-03-31"),
            ("pascoa", "2026-03-02"),
            ("feita", "2026-03-31"),
            ("passada", "2026-03-02"),
        ):
            office.campaign(campaign, name=campaign.title(), ends_on=ends_on)
        customer_id = office.customer("Carla Moura", phone=CUSTOMER)
        for campaign in ("natal", "pascoa", "feita", "passada"):
            linked = office.ask(
                f"PUT {OF_CUSTOMER}", {}, campaign=campaign, customer_id=customer_id
            )
            assert linked.status == 201
        at = {"at": "2026-03-05T10:00:00-03:00", "note": "prefere de manhã"}
        scheduled = office.ask(
            f"PUT {OF_CUSTOMER}/schedule", at, campaign="natal", customer_id=customer_id
        )
        assert scheduled.status == 200
        wish = {"campaign": "feita", "customer_id": customer_id}
        opened = office.ask("POST /telemarketing/operations", wish).body["operation"]
        concluded = office.ask(
            "POST /telemarketing/operations/{operation}/conclude",
            {"outcome": "sem_interesse"},
            operation=opened["operation_id"],
        )
        assert concluded.status == 200, concluded.body
        office.campaign("passada", if_match="*", ends_on="2026-03-01")
        seen = offers(deployment, "GET /offers/me", claims=ANA).body["pending_contacts"]
        assert {each["campaign_id"] for each in seen} == {"natal", "pascoa"}
        assert next(each for each in seen if each["campaign_id"] == "natal") == {
            "campaign_id": "natal",
            "campaign": "Natal",
            "state": "scheduled",
            "agent": None,
            "scheduled_for": "2026-03-05T13:00:00Z",
            "due": False,
            "note": "prefere de manhã",
        }

    def test_of_a_withheld_number_has_no_history(
        self, deployment: Deployment, offer: dict[str, Any], clock: StoppedClock
    ) -> None:
        hire(deployment, "bia")
        tell(deployment, clock, "c2", "queued", queue="vendas", **{"from": "anonymous"})
        seen = offers(deployment, "GET /offers/me", claims=BIA).body
        assert (seen["number"], seen["recent_calls"], seen["open_missed_calls"]) == (None, [], [])
        assert (seen["open_quotes"], seen["pending_contacts"]) == ([], [])

    def test_is_for_its_agent_and_for_leaders(
        self, deployment: Deployment, offer: dict[str, Any]
    ) -> None:
        route, offer_id = "GET /offers/{offer_id}", offer["offer_id"]
        assert offers(deployment, route, offer_id=offer_id, claims=ANA).status == 200
        assert offers(deployment, route, offer_id=offer_id).status == 200
        assert offers(deployment, route, offer_id=offer_id, claims=BIA).status == 404
        assert offers(deployment, "GET /offers/me", claims=BIA).status == 404
        for how in ("accept", "reject"):
            answer = offers(
                deployment, f"POST /offers/{{offer_id}}/{how}", offer_id=offer_id, claims=LEADER
            )
            assert answer.status == 404

    def test_accepted_is_connected(
        self, deployment: Deployment, offer: dict[str, Any], exchange: Exchange
    ) -> None:
        exchange.will(Answering(202))
        route, offer_id = "POST /offers/{offer_id}/accept", offer["offer_id"]
        first = offers(deployment, route, offer_id=offer_id, claims=ANA)
        again = offers(deployment, route, offer_id=offer_id, claims=ANA)
        assert (first.status, first.body["state"]) == (200, "connected")
        assert (again.status, again.body) == (first.status, first.body)
        (asked,) = exchange.asked
        assert (asked.path, asked.json["offer_id"]) == ("/connections", offer_id)

    def test_accepted_without_a_word_of_the_telephone_system_is_open(
        self, deployment: Deployment, offer: dict[str, Any], exchange: Exchange, clock: StoppedClock
    ) -> None:
        exchange.will(HANGS_UP)
        route, offer_id = "POST /offers/{offer_id}/accept", offer["offer_id"]
        first = offers(deployment, route, offer_id=offer_id, claims=ANA)
        assert (first.status, first.body["state"]) == (202, "accepted")
        clock.advance(seconds=41)
        exchange.will(Answering(200, {"offer_id": offer_id}))
        due = json.dumps({"call_id": "c1", "at": stamp(clock.now)})
        assert deployment.call("OfferCalls", sqs(due)) == {"batchItemFailures": []}
        assert offers(deployment, route, offer_id=offer_id, claims=ANA).status == 200

    def test_that_cannot_be_connected_says_so_in_the_operators_words(
        self, deployment: Deployment, offer: dict[str, Any], exchange: Exchange
    ) -> None:
        exchange.will(Answering(404))
        route, offer_id = "POST /offers/{offer_id}/accept", offer["offer_id"]
        refused = offers(deployment, route, offer_id=offer_id, claims=ANA)
        assert (refused.status, refused.body["detail"]) == (
            409,
            "a chamada não foi conectada e voltou ao seu lugar na fila",
        )
        shown = offers(deployment, "GET /offers/{offer_id}", offer_id=offer_id).body
        assert (shown["state"], shown["reason"]) == ("failed", "the telephone system answered 404")
        free = ask(deployment, "ManageAgents", "GET /agents/{agent}", agent="ana").body
        assert free["presence"]["state"] == "available"

    @pytest.mark.parametrize(
        ("body", "kept"), [(None, None), ({}, None), ({"reason": " em almoço "}, "em almoço")]
    )
    def test_rejected_keeps_the_reason(
        self, deployment: Deployment, offer: dict[str, Any], body: object, kept: str | None
    ) -> None:
        route, offer_id = "POST /offers/{offer_id}/reject", offer["offer_id"]
        refused = offers(deployment, route, body, offer_id=offer_id, claims=ANA)
        assert (refused.status, refused.body["reason"]) == (200, kept)
        assert offers(deployment, "GET /offers/me", claims=ANA).status == 404

    def test_rejected_for_too_long_a_reason_is_not(
        self, deployment: Deployment, offer: dict[str, Any]
    ) -> None:
        route, offer_id = "POST /offers/{offer_id}/reject", offer["offer_id"]
        for reason in (" ", "r" * 201):
            refused = offers(deployment, route, {"reason": reason}, offer_id=offer_id, claims=ANA)
            assert refused.status == 422


class TestWork:
    def test_that_comes_before_its_time_is_sent_on(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        early = json.dumps({"queue": "vendas", "at": stamp(clock.now + timedelta(seconds=1))})
        assert deployment.call("OfferCalls", sqs(early)) == {"batchItemFailures": []}

    def test_that_cannot_be_done_comes_again(
        self, deployment: Deployment, clock: StoppedClock
    ) -> None:
        message = json.dumps({"queue": "vendas", "at": stamp(clock.now)})
        assert deployment.call("OfferCalls", sqs(message)) == {"batchItemFailures": []}
        forget()
        deployment.lose_table("offers")
        with pytest.raises(Exception, match="All records failed"):
            deployment.call("OfferCalls", sqs(message))


def test_twilio_is_told_how_a_call_goes_on(deployment: Deployment, clock: StoppedClock) -> None:
    form = {"CallSid": "CA7", "From": CUSTOMER, "To": "+551130001000", "Direction": "inbound"}
    form |= {"CallStatus": "in-progress", "DialCallStatus": "no-answer"}
    query = {"Queue": "vendas"}
    answer = deployment.call("IngestCalls", twilio(form, query=query, route=TWILIO_RETURNED))
    assert (answer["statusCode"], answer["headers"]["Content-Type"]) == (200, "text/xml")
    assert answer["body"] == "<Response><Enqueue>vendas</Enqueue></Response>"
    waits = ask(deployment, "ReadCalls", "GET /calls/{call_id}", call_id="CA7").body
    assert (waits["queue"], waits["status"]) == ("vendas", "queued")
    forged = twilio(form, "another token", query, TWILIO_RETURNED)
    assert deployment.call("IngestCalls", forged)["statusCode"] == 401
