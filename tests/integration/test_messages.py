"""Conversations on WhatsApp, through the stack and a WhatsApp on this machine."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import urllib3

from retorno.errors import Unavailable
from retorno.messages import whatsapp_http
from tests.support.clock import StoppedClock
from tests.support.deployment import (
    WHATSAPP_VERIFY_TOKEN,
    Deployment,
    forget,
)
from tests.support.events import http, user
from tests.support.messages import BIA, WEBHOOK, Chat, chatting
from tests.support.requests import counted

# As WhatsApp writes the number of a Brazilian mobile, without its ninth digit.
WA_ID = "551187654321"
NUMBER = "+5511987654321"
USER = "BR.13491208655302741918"
TEMPLATE = {"template": {"name": "retorno", "parameters": ["Carla"]}}


@pytest.fixture
def chat(deployment: Deployment, clock: StoppedClock) -> Iterator[Chat]:
    with chatting(deployment, clock) as chat:
        yield chat


class TestReceived:
    def test_is_shown_with_what_was_answered(self, chat: Chat) -> None:
        chat.write(WA_ID, "Bom dia", name="Carla")
        sent = chat.send(NUMBER, {"text": "Bom dia, Carla!"})
        assert (sent.status, sent.body["state"]) == (201, "accepted")
        chat.hear_all()
        told = [(each["direction"], each["text"], each["state"]) for each in chat.messages(NUMBER)]
        assert told == [
            ("inbound", "Bom dia", "received"),
            ("outbound", "Bom dia, Carla!", "read"),
        ]
        (order,) = chat.whatsapp.messages
        assert order.to == WA_ID

    def test_opens_a_session_and_waits_to_be_read(self, chat: Chat) -> None:
        chat.write(WA_ID, "Bom dia", name="Carla")
        chat.write(WA_ID, "Tem alguém aí?", name="Carla")
        shown = chat.one("(11) 98765-4321").body
        assert (shown["name"], shown["number"], shown["wa_id"]) == ("Carla", NUMBER, WA_ID)
        assert (shown["unread"], shown["session_open"]) == (2, True)
        assert shown["session_until"] == "2026-03-03T12:00:00Z"
        assert shown["last_message"]["text"] == "Tem alguém aí?"
        first = chat.messages(NUMBER)[0]["message_id"]
        assert chat.read(NUMBER, message_id=first).body["unread"] == 1
        assert chat.read(NUMBER).body["unread"] == 0
        assert chat.read(NUMBER, message_id=first).body["unread"] == 0

    def test_again_changes_nothing(self, chat: Chat) -> None:
        chat.whatsapp.write(WA_ID, "Oi")
        (payload,) = chat.whatsapp.told()
        assert [answer.body["received"] for answer in chat.hear(payload, payload)] == [1, 0]
        assert len(chat.messages(NUMBER)) == chat.one(NUMBER).body["unread"] == 1

    def test_of_a_user_without_a_phone_is_answered(self, chat: Chat) -> None:
        chat.write(USER, "Oi", name="Carla")
        address = f"whatsapp:{USER}"
        assert chat.one(address).body["number"] is None
        sent = chat.send(address)
        assert (sent.status, sent.headers["Location"]) == (
            201,
            f"/conversations/whatsapp%3A{USER}/messages/{sent.body['message_id']}",
        )
        (order,) = chat.whatsapp.messages
        assert order.order["recipient"] == USER
        chat.hear_all()
        assert chat.message(address, sent.body["message_id"])["state"] == "read"

    def test_of_who_no_longer_shows_a_number_goes_on_in_the_same_place(self, chat: Chat) -> None:
        contacts = [{"profile": {"name": "Carla"}, "wa_id": WA_ID, "user_id": USER}]
        chat.whatsapp.write(WA_ID, "Com número")
        (payload,) = chat.whatsapp.told()
        told = json.loads(payload)
        told["entry"][0]["changes"][0]["value"]["contacts"] = contacts
        body = json.dumps(told).encode()
        chat.whatsapp.write(USER, "Sem número")
        (hidden,) = chat.whatsapp.told()
        for answer in chat.hear(body, hidden, hidden, body):
            assert answer.status == 200
        texts = [each["text"] for each in chat.messages(NUMBER)]
        assert texts == ["Com número", "Sem número"]
        assert chat.messages(f"whatsapp:{USER}") == chat.messages(NUMBER)

    def test_by_so_many_requests(self, chat: Chat) -> None:
        chat.write(WA_ID)
        chat.whatsapp.write(WA_ID, "Oi")
        with counted() as requests:
            chat.hear_all()
        assert requests == ["GetItem", "TransactWriteItems"]


class TestWebhook:
    def test_is_verified(self, deployment: Deployment) -> None:
        query = {
            "hub.mode": "subscribe",
            "hub.verify_token": WHATSAPP_VERIFY_TOKEN,
            "hub.challenge": "1158201444",
        }
        response = deployment.call("IngestMessages", http("GET /webhooks/whatsapp", query=query))
        assert (response["statusCode"], response["body"]) == (200, "1158201444")
        for wrong in ({"hub.verify_token": "é"}, {"hub.mode": "unsubscribe"}):
            request = http("GET /webhooks/whatsapp", query={**query, **wrong})
            assert deployment.ask("IngestMessages", request).status == 403
        assert deployment.ask("IngestMessages", http("GET /webhooks/whatsapp")).status == 422

    def test_is_refused_without_its_signature(self, chat: Chat) -> None:
        chat.whatsapp.write(WA_ID, "Oi")
        (payload,) = chat.whatsapp.told()
        signed = chat.whatsapp.headers(payload)
        for headers, body in ((None, payload), (signed, payload + b" ")):
            request = http(WEBHOOK, headers=headers, body=body)
            assert chat.deployment.ask("IngestMessages", request).status == 401
        assert chat.one(NUMBER).status == 404

    def test_is_told_again_where_it_was_not_written(self, chat: Chat) -> None:
        chat.whatsapp.write(WA_ID, "Oi")
        chat.deployment.lose_table("messages")
        (answer,) = chat.hear(*chat.whatsapp.told())
        assert answer.status == 503

    def test_that_nobody_understands_is_kept(self, chat: Chat) -> None:
        strange = chat.whatsapp.payload({"event": "account_update"})
        known = {"from": WA_ID, "id": "wamid.1", "timestamp": "1772452800", "type": "text"}
        mixed = chat.whatsapp.payload({"messages": [{**known, "text": {"body": "Oi"}}, "?"]})
        answers = chat.hear(strange, mixed, b"{")
        assert [answer.status for answer in answers] == [200, 200, 422]
        assert [answer.body["kept"] for answer in answers[:2]] == [1, 1]
        assert answers[1].body["received"] == 1
        kept = chat.deployment.kept()
        assert sorted(kept.values()) == sorted([strange, mixed, b"{"])
        assert all(key.startswith("whatsapp/2026-03-02/") for key in kept)

    def test_that_was_kept_is_read_again_when_it_can_be(self, chat: Chat) -> None:
        chat.whatsapp.write(WA_ID, "Oi")
        (payload,) = chat.whatsapp.told()
        chat.deployment.keep("whatsapp/2026-03-01/known", payload)
        chat.deployment.keep("whatsapp/2026-03-01/unknown", b"{")
        strange = chat.whatsapp.payload({})
        chat.deployment.keep("whatsapp/2026-03-01/strange", strange)
        replay = chat.deployment.call("ReplayPayloads", {"provider": "whatsapp"})
        assert replay == {"read": 1, "still_unreadable": 2}
        assert len(chat.messages(NUMBER)) == 1
        assert sorted(chat.deployment.kept().values()) == sorted([b"{", strange])


class TestSent:
    def test_again_with_the_same_key_is_the_same(self, chat: Chat) -> None:
        chat.write(WA_ID)
        first, again = chat.send(NUMBER), chat.send("(11) 98765-4321")
        assert (first.status, first.body) == (again.status, again.body)
        assert len(chat.whatsapp.messages) == 1
        assert chat.send(NUMBER, claims=BIA).body["message_id"] != first.body["message_id"]

    def test_with_the_same_key_and_another_body_is_refused(self, chat: Chat) -> None:
        chat.write(WA_ID)
        chat.write("5521976543210")
        chat.send(NUMBER)
        for number, wish in ((NUMBER, {"text": "Outra"}), ("+5521976543210", {"text": "Olá"})):
            problem = chat.send(number, wish)
            assert (problem.status, problem.body["errors"][0]["field"]) == (422, "Idempotency-Key")
        assert len(chat.whatsapp.messages) == 1

    def test_without_a_session_is_refused_with_what_to_do(
        self, chat: Chat, clock: StoppedClock
    ) -> None:
        chat.write(WA_ID)
        clock.advance(hours=24)
        problem = chat.send(NUMBER)
        assert (problem.status, problem.content_type) == (409, "application/problem+json")
        assert problem.body["code"] == 131047
        assert "modelo aprovado" in problem.body["what_to_do"]["pt"]
        assert "template" in problem.body["what_to_do"]["en"]
        assert problem.body["session_ended_at"] == "2026-03-03T12:00:00Z"
        assert chat.whatsapp.messages == []
        assert chat.send(NUMBER, TEMPLATE).status == 201
        (order,) = chat.whatsapp.messages
        assert order.order["template"]["name"] == "retorno"

    def test_to_who_never_wrote_needs_a_template(self, chat: Chat) -> None:
        assert chat.send(NUMBER).body["session_ended_at"] is None
        sent = chat.send(NUMBER, TEMPLATE)
        assert (sent.status, sent.body["template"]["language"]) == (201, "pt_BR")
        assert chat.whatsapp.messages[0].to == "5511987654321"
        assert chat.one(NUMBER).body["session_open"] is False

    def test_that_is_wrong_names_the_field(self, chat: Chat) -> None:
        wrong: list[tuple[str, object, str | None, str]] = [
            ("anonymous", None, "k", "number"),
            (NUMBER, {}, "k", "body"),
            (NUMBER, {"text": "Oi", **TEMPLATE}, "k", "body"),
            (NUMBER, {"text": "  "}, "k", "text"),
            (NUMBER, {"text": "x" * 4097}, "k", "text"),
            (NUMBER, {"template": {"name": "Retorno!"}}, "k", "template.name"),
            (NUMBER, {"template": {"name": "r", "language": "pt-BR"}}, "k", "template.language"),
            (NUMBER, {"template": {"name": "r", "parameters": [""]}}, "k", "template.parameters.0"),
            (NUMBER, {"text": "Oi", "to": "+1"}, "k", "to"),
            (NUMBER, None, None, "idempotency-key"),
            (NUMBER, None, "ção", "idempotency-key"),
        ]
        for number, wish, key, field in wrong:
            problem = chat.send(number, wish, key)
            assert (problem.status, problem.body["errors"][0]["field"]) == (422, field)

    def test_where_nothing_is_set_up_says_so(self, deployment: Deployment, chat: Chat) -> None:
        chat.write(WA_ID)
        deployment.configure(WHATSAPP_PHONE_NUMBER_ID="")
        forget()
        problem = chat.send(NUMBER)
        assert problem.status == 409
        assert "docs/messages.md" in problem.body["detail"]

    def test_without_a_token_says_so(self, deployment: Deployment, chat: Chat) -> None:
        chat.write(WA_ID)
        deployment.rotate("WhatsAppSecret", app_secret="x", verify_token="y")
        problem = chat.send(NUMBER)
        assert (problem.status, problem.body["detail"]) == (
            409,
            "the secret does not hold access_token",
        )

    def test_by_so_many_requests(self, chat: Chat) -> None:
        chat.write(WA_ID)
        chat.send(NUMBER, key="warm")
        chat.whatsapp.told()
        with counted() as requests:
            chat.send(NUMBER)
        assert requests == [
            *["GetItem", "GetItem", "TransactWriteItems"],
            *["GetItem", "UpdateItem", "GetItem", "UpdateItem", "GetItem"],
        ]
        with counted() as requests:
            chat.hear(chat.whatsapp.told()[0])
        assert requests == ["GetItem", "GetItem", "UpdateItem", "GetItem", "UpdateItem"]


class TestRefused:
    def test_looks_the_same_at_once_and_later(self, chat: Chat) -> None:
        at_once, later = "+5511912345678", "+5521976543210"
        for code in (130472, 131026, 131056, 190, 250, 999_999):
            chat.whatsapp.refuse(at_once[1:], code)
            chat.whatsapp.fail(later[1:], code)
            sent = chat.send(at_once, TEMPLATE, key=f"1-{code}")
            assert (sent.status, sent.body["state"]) == (201, "failed")
            accepted = chat.send(later, TEMPLATE, key=f"2-{code}").body
            chat.hear_all()
            failed = chat.message(later, accepted["message_id"])
            own = {"message_id", "conversation", "provider_id"}
            assert [name for name in failed if failed[name] != sent.body[name]] == [
                name for name in failed if name in own
            ]
            failure = failed["failure"]
            assert (failure["code"], failure["details"]) == (code, f"refused with {code}")
            assert set(failure["reason"]) == set(failure["what_to_do"]) == {"pt", "en"}

    def test_is_listed_until_something_else_is_sent(self, chat: Chat) -> None:
        chat.whatsapp.fail("5511987654321", 131026)
        chat.send(NUMBER, TEMPLATE)
        assert chat.conversations(failed="true").body["items"] == []
        chat.hear_all()
        (failed,) = chat.conversations(failed="true").body["items"]
        assert (failed["number"], failed["failed"]) == (NUMBER, True)
        assert chat.conversations(failed="true", agent="bia").body["items"] == []
        assert len(chat.conversations(failed="true", agent="me").body["items"]) == 1
        chat.send(NUMBER, TEMPLATE, key="k2")
        assert chat.conversations(failed="true").body["items"] == []

    def test_is_sent_anew_later_where_the_code_allows_it(
        self, chat: Chat, clock: StoppedClock
    ) -> None:
        chat.whatsapp.refuse("5511987654321", 131056)
        sent = chat.send(NUMBER, TEMPLATE).body
        assert sent["retry_at"] == "2026-03-02T12:01:00Z"
        clock.advance(seconds=59)
        chat.retry()
        assert chat.whatsapp.messages == []
        clock.advance(seconds=1)
        for _ in range(2):
            chat.retry()
        assert len(chat.whatsapp.messages) == 1
        chat.hear_all()
        message = chat.message(NUMBER, sent["message_id"])
        assert (message["state"], message["attempts"], message["retry_at"]) == ("read", 2, None)
        assert message["failure"]["code"] == 131056
        assert chat.conversations(failed="true").body["items"] == []

    def test_is_not_sent_anew_when_the_session_is_over(
        self, chat: Chat, clock: StoppedClock
    ) -> None:
        chat.write(WA_ID)
        clock.advance(hours=23, minutes=59)
        chat.whatsapp.refuse(WA_ID, 131056)
        sent = chat.send(NUMBER).body
        clock.advance(minutes=1)
        chat.retry()
        message = chat.message(NUMBER, sent["message_id"])
        assert (message["state"], message["failure"]["code"]) == ("failed", 131047)
        assert (message["retry_at"], chat.whatsapp.messages) == (None, [])


class TestUncertain:
    """Short time-outs make the same of the orders as the real ones."""

    @pytest.fixture(autouse=True)
    def hurried(self, monkeypatch: pytest.MonkeyPatch) -> None:
        timeout = urllib3.Timeout(connect=1, read=0.2)
        monkeypatch.setattr(whatsapp_http.WhatsApp.__init__, "__defaults__", (timeout,))

    def test_is_never_sent_again_and_settled_by_what_is_told(
        self, chat: Chat, clock: StoppedClock
    ) -> None:
        keys = {"taken": "read", "lost": "uncertain"}
        for key in keys:
            chat.whatsapp.hang_up("5511987654321", takes=key == "taken")
            sent = chat.send(NUMBER, TEMPLATE, key)
            assert (sent.status, sent.body["state"]) == (202, "uncertain")
        for _ in range(3):
            clock.advance(hours=1)
            chat.retry()
            assert [chat.send(NUMBER, TEMPLATE, key).status for key in keys] == [202, 202]
        assert len(chat.whatsapp.messages) == 1
        chat.hear_all()
        states = {key: chat.send(NUMBER, TEMPLATE, key).body["state"] for key in keys}
        assert states == keys

    def test_is_what_a_dead_worker_left(
        self, chat: Chat, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def dies(*_: Any) -> None:
            raise Unavailable("it died")

        monkeypatch.setattr(whatsapp_http.WhatsApp, "send", dies)
        assert chat.send(NUMBER, TEMPLATE).status == 503
        assert chat.send(NUMBER, TEMPLATE).body["state"] == "sending"
        clock.advance(seconds=90)
        chat.retry()
        assert chat.send(NUMBER, TEMPLATE).body["state"] == "uncertain"

    def test_is_not_what_never_reached_whatsapp(self, chat: Chat) -> None:
        chat.deployment.configure(WHATSAPP_URL="http://127.0.0.1:1")
        forget()
        sent = chat.send(NUMBER, TEMPLATE).body
        assert (sent["state"], sent["failure"]["code"]) == ("failed", 131016)
        assert sent["retry_at"]


class TestRead:
    def conversation(self, chat: Chat, *minutes: int) -> None:
        """The customer wrote so many minutes ago, and it is told in this order."""
        for minute in minutes:
            at = chat.clock.now - timedelta(minutes=minute)
            chat.write(WA_ID, f"há {minute}", timestamp=str(int(at.timestamp())))

    @staticmethod
    def texts(page: Any) -> list[str]:
        return [each["text"].removeprefix("há ") for each in page["items"]]

    def test_is_in_the_order_of_time_and_then_of_arrival(self, chat: Chat) -> None:
        self.conversation(chat, 5, 9, 7, 9)
        found = chat.messages(NUMBER, limit="3")
        assert [each["text"] for each in found] == ["há 9", "há 9", "há 7", "há 5"]
        assert [each["arrival"] for each in found] == [2, 4, 3, 1]
        newest = chat.messages(NUMBER, limit="3", order="newest")
        assert newest == found[::-1]

    def test_skips_nothing_that_comes_late_and_shows_nothing_twice(self, chat: Chat) -> None:
        self.conversation(chat, 8, 6, 4, 2)
        first = chat.page(NUMBER, limit="2").body
        self.conversation(chat, 9, 7, 1)
        second = chat.page(NUMBER, limit="2", cursor=first["cursor"]).body
        third = chat.page(NUMBER, limit="2", cursor=second["cursor"]).body
        fourth = chat.page(NUMBER, limit="2", cursor=third["cursor"]).body
        pages = [self.texts(page) for page in (first, second, third, fourth)]
        assert pages == [["8", "6"], ["4", "2"], ["9", "7"], ["1"]]
        assert (fourth["cursor"], third["later"]) == (None, None)
        nothing = chat.page(NUMBER, cursor=fourth["later"]).body
        assert (nothing["items"], nothing["cursor"]) == ([], None)
        self.conversation(chat, 3)
        assert self.texts(chat.page(NUMBER, cursor=nothing["later"]).body) == ["3"]
        assert self.texts(chat.page(NUMBER, cursor=fourth["later"]).body) == ["3"]

    def test_may_begin_before_anybody_wrote(self, chat: Chat) -> None:
        nothing = chat.page(NUMBER).body
        assert (nothing["items"], nothing["cursor"]) == ([], None)
        self.conversation(chat, 3, 5)
        assert self.texts(chat.page(NUMBER, cursor=nothing["later"]).body) == ["5", "3"]

    def test_of_long_messages_has_short_pages(self, chat: Chat) -> None:
        for number in range(3):
            chat.write(WA_ID, str(number) * 60_000, image={"caption": "x" * 99_000})
        sizes = []
        query = {"limit": "10"}
        while True:
            page = chat.page(NUMBER, **query).body
            sizes.append(len(page["items"]))
            if page["cursor"] is None:
                break
            query["cursor"] = page["cursor"]
        assert sizes == [2, 1]

    def test_by_a_cursor_that_is_not_its_own_is_refused(self, chat: Chat) -> None:
        for cursor in ("x", "", "eyJ"):
            assert chat.page(NUMBER, cursor=cursor).status == 422
        later = chat.page(NUMBER).body["later"]
        assert chat.page("+5521976543210", cursor=later).status == 422
        assert chat.page(NUMBER, cursor=later, order="newest").status == 422

    def test_of_one_message_needs_its_conversation(self, chat: Chat) -> None:
        chat.write(WA_ID)
        (message,) = chat.messages(NUMBER)
        assert chat.message(NUMBER, message["message_id"]) == message
        assert chat.message("+5521976543210", message["message_id"])["status"] == 404
        assert chat.message(NUMBER, "0" * 32)["status"] == 404
        assert chat.read(NUMBER, message_id="0" * 32).status == 404
        assert chat.read("+5521976543210").status == 404


class TestList:
    def test_has_the_latest_first(self, chat: Chat, clock: StoppedClock) -> None:
        numbers = [f"+55219765432{index:02}" for index in range(5)]
        for number in numbers:
            clock.advance(minutes=1)
            chat.write(number[1:])
        clock.advance(minutes=1)
        chat.send(numbers[1])
        page = chat.conversations(limit="3").body
        rest = chat.conversations(limit="3", cursor=page["cursor"]).body
        order = [numbers[index] for index in (1, 4, 3, 2, 0)]
        assert [each["number"] for each in (*page["items"], *rest["items"])] == order
        assert rest["cursor"] is None
        mine = chat.conversations(agent="me").body["items"]
        assert [each["number"] for each in mine] == [numbers[1]]
        assert chat.conversations(agent="bia").body["items"] == []

    def test_is_of_a_customer_with_all_of_their_numbers(
        self, chat: Chat, clock: StoppedClock
    ) -> None:
        other = "5521976543210"
        draft = {"name": "Carla Moura", "mobile": NUMBER, "phone": f"+{other}"}
        request = http(
            "POST /customers",
            headers={"content-type": "application/json"},
            body=json.dumps(draft).encode(),
            claims=BIA,
        )
        carla = chat.deployment.ask("ManageCustomers", request).body["customer_id"]
        for number in (WA_ID, other, "5531912345678"):
            clock.advance(minutes=1)
            chat.write(number)
        found = chat.conversations(customer_id=carla).body
        assert [each["wa_id"] for each in found["items"]] == [other, WA_ID]
        assert {each["customer"]["name"] for each in found["items"]} == {"Carla Moura"}
        assert chat.one("+5531912345678").body["customer"] is None
        assert chat.conversations(customer_id=carla, failed="true").body["items"] == []
        assert chat.conversations(customer_id="nobody").body["items"] == []

    def test_is_for_users_of_the_company(self, chat: Chat) -> None:
        request = http("GET /conversations", claims=user("[customer]"))
        assert chat.deployment.ask("SendMessages", request).status == 403
