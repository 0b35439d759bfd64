"""WhatsApp's webhooks read, and its orders written, in their published form."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retorno.errors import InvalidInput, NotAuthenticated
from retorno.messages.model import (
    Conversation,
    Delivery,
    Message,
    MessageDirection,
    Template,
)
from retorno.messages.whatsapp import Reading, order_of, read, refusal_of, sign, verify
from retorno.phone import NumberPlan

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
PLAN = NumberPlan("BR")
WROTE_AT = str(int(NOW.timestamp()) - 60)

# A change of an account, which is no news of messages.
ACCOUNT_UPDATE = {"value": {"event": "VERIFIED_ACCOUNT"}, "field": "account_update"}


def payload(*values: object) -> bytes:
    changes = [{"value": value, "field": "messages"} for value in values]
    entry = {"id": "102290129340398", "changes": changes}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


def told(*values: object) -> Reading:
    return read(payload(*values), PLAN, NOW)


def wrote(**message: Any) -> dict[str, Any]:
    text = {"id": "wamid.1", "from": "551187654321", "timestamp": WROTE_AT, "type": "text"}
    contact = {"profile": {"name": "Carla"}, "wa_id": "551187654321", "user_id": "BR.4711"}
    return {"contacts": [contact], "messages": [{**text, "text": {"body": "Oi"}, **message}]}


def status(**fields: Any) -> dict[str, Any]:
    usual = {
        "id": "wamid.2",
        "status": "sent",
        "timestamp": WROTE_AT,
        "recipient_id": "551187654321",
    }
    return {"statuses": [{**usual, **fields}]}


class TestMessage:
    def test_is_the_customers(self) -> None:
        (received,) = told(wrote()).received
        assert received.message.at == NOW - timedelta(minutes=1)
        assert (received.message.text, received.message.type) == ("Oi", "text")
        assert received.contact.number == "+5511987654321"
        assert received.contact.wa_id == "551187654321"
        assert received.contact.user_id == "BR.4711"
        assert received.contact.name == "Carla"
        assert received.message.conversation == "+551187654321"
        assert received.opens_session

    @pytest.mark.parametrize(
        ("kind", "content", "words"),
        [
            ("image", {"id": "1", "mime_type": "image/jpeg", "caption": "A nota"}, "A nota"),
            ("video", {"id": "1", "mime_type": "video/mp4"}, None),
            ("document", {"id": "1", "filename": "nota.pdf"}, "nota.pdf"),
            ("audio", {"id": "1", "voice": True}, None),
            ("sticker", {"id": "1", "animated": False}, None),
            ("button", {"payload": "p", "text": "Sim"}, "Sim"),
            ("interactive", {"type": "list_reply", "list_reply": {"title": "Azul"}}, "Azul"),
            ("interactive", {"type": "button_reply", "button_reply": {"title": "Não"}}, "Não"),
            ("reaction", {"message_id": "wamid.9", "emoji": "👍"}, "👍"),
            ("reaction", {"message_id": "wamid.9"}, None),
            ("location", {"latitude": -23.5, "longitude": -46.6, "name": "Loja"}, "Loja"),
            ("order", {"catalog_id": "1", "text": "Dois", "product_items": []}, "Dois"),
            ("hologram", {"depth": 3}, None),
        ],
    )
    def test_of_any_kind_is_kept_whole(self, kind: str, content: Any, words: str | None) -> None:
        given_ = wrote(type=kind, **{kind: content})
        del given_["messages"][0]["text"]
        (received,) = told(given_).received
        assert received.message.content == {kind: content}
        assert (received.message.type, received.message.text) == (kind, words)

    def test_with_contacts_names_them(self) -> None:
        people = [{"name": {"formatted_name": "Ana"}}, {"name": {}}, "?"]
        (received,) = told(wrote(type="contacts", contacts=people)).received
        assert received.message.text == "Ana"

    def test_that_whatsapp_does_not_support_is_still_one(self) -> None:
        errors = [{"code": 131051, "title": "Message type unknown"}]
        (received,) = told(wrote(type="unsupported", text=None, errors=errors)).received
        assert received.message.content["errors"] == errors

    def test_answers_another(self) -> None:
        (received,) = told(wrote(context={"from": "5511", "id": "wamid.0"})).received
        assert received.message.reply_to == "wamid.0"

    def test_of_whatsapps_own_opens_no_session(self) -> None:
        value = wrote(type="system", system={"body": "Carla changed her number"})
        (received,) = told(value).received
        assert not received.opens_session

    @pytest.mark.parametrize("sender", [{"from_user_id": "BR.4711"}, {"from": "BR.4711"}, {}])
    def test_may_be_of_a_user_without_a_phone(self, sender: dict[str, str]) -> None:
        value = wrote(**sender)
        if "from" not in sender:
            del value["messages"][0]["from"]
        value["contacts"] = [{"profile": {"username": "carla.m"}, "user_id": "BR.4711"}]
        (received,) = told(value).received
        assert received.contact.number is received.contact.wa_id is None
        assert received.message.conversation == "whatsapp:BR.4711"
        assert received.contact.name == "carla.m"

    def test_of_a_foreign_number_keeps_its_country(self) -> None:
        value = wrote(**{"from": "351912345678"})
        value["contacts"] = []
        (received,) = told(value).received
        assert received.contact.number == "+351912345678"

    @pytest.mark.parametrize(
        "broken",
        [
            {"id": None},
            {"id": ""},
            {"id": "x" * 513},
            {"timestamp": "yesterday"},
            {"timestamp": None},
            {"timestamp": "-5"},
            {"timestamp": "1"},
            {"timestamp": str(int(NOW.timestamp()) + 90_000)},
            {"timestamp": "9" * 11},
            {"from": None, "from_user_id": None},
            {"from": "anonymous"},
            {"group_id": "g1"},
            {"note": "\ud83d"},
            {"note": "x" * 100_001},
        ],
    )
    def test_that_cannot_be_read_is_kept_and_the_others_are_taken(self, broken: Any) -> None:
        value = wrote(**broken)
        value["contacts"] = []
        reading = told(wrote(), value, status())
        assert (len(reading.received), len(reading.statuses), reading.left) == (1, 1, 1)
        kept = json.loads(reading.unread)
        assert [change["value"] for change in kept["entry"][0]["changes"]] == [value]
        again = read(reading.unread, PLAN, NOW)
        assert (again.received, again.statuses, again.left) == ([], [], 1)


class TestStatus:
    @pytest.mark.parametrize("name", [*Delivery])
    def test_is_told_once_with_its_time(self, name: Delivery) -> None:
        (found,) = told(status(status=name.value)).statuses
        assert found.wamid == "wamid.2"
        assert found.told.deliveries == {name: NOW - timedelta(minutes=1)}
        assert found.told.refusal is None

    def test_of_a_failure_has_its_code(self) -> None:
        error = {
            "code": 130472,
            "title": "User's number is part of an experiment",
            "error_data": {"details": "Failed to send"},
        }
        (found,) = told(status(status="failed", errors=[error])).statuses
        assert found.told.refusal
        assert (found.told.refusal.code, found.told.refusal.details) == (130472, "Failed to send")

    @pytest.mark.parametrize("errors", [None, [], [{}], ["?"], [{"code": "130472"}], {"code": 1}])
    def test_of_a_failure_may_lack_its_code(self, errors: object) -> None:
        (found,) = told(status(status="failed", errors=errors)).statuses
        assert found.told.refusal
        assert found.told.refusal.code is None

    def test_that_nobody_knows_is_kept(self) -> None:
        reading = told(status(status="teleported"))
        assert (reading.statuses, reading.left) == ([], 1)

    def test_needs_no_phone(self) -> None:
        (found,) = told(status(recipient_id=None, recipient_user_id="BR.4711")).statuses
        assert found.wamid == "wamid.2"

    def test_brings_our_own_word_back(self) -> None:
        (found,) = told(status(biz_opaque_callback_data="retorno:1:1")).statuses
        assert found.tracker == "retorno:1:1"


class TestPayload:
    @pytest.mark.parametrize(
        "body", [b"", b"{", b"[]", b"null", b'"entry"', b'{"entry": {}}', b'{"entry": [1]}',
                 b'{"entry": [], "x": NaN}', b"[" * 100_000, b"\xff"],
    )  # fmt: skip
    def test_that_is_none_is_refused(self, body: bytes) -> None:
        with pytest.raises(InvalidInput):
            read(body, PLAN, NOW)

    @pytest.mark.parametrize("value", [None, 1, "x", [], {}, {"messages": {}}, {"errors": [{}]}])
    def test_with_nothing_that_is_known_is_kept(self, value: object) -> None:
        reading = told(value)
        assert (reading.received, reading.statuses, reading.left) == ([], [], 1)

    def test_of_another_kind_is_kept(self) -> None:
        body = json.dumps({"entry": [{"id": "1", "changes": [ACCOUNT_UPDATE]}, {}]}).encode()
        reading = read(body, PLAN, NOW)
        assert reading.left == 2

    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["id", "from", "timestamp", "type", "text", "body", "status", "errors", "code",
                     "messages", "statuses", "contacts", "wa_id", "profile", "name", "context"]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=20,
    )  # fmt: skip

    @given(values, values, values)
    def test_of_any_shape_is_read_or_kept(self, one: Any, two: Any, three: Any) -> None:
        lists = {"messages": [one, wrote()["messages"][0]], "statuses": [two], "contacts": three}
        reading = told(lists, one)
        assert reading.received
        assert bool(reading.left) == bool(reading.unread)


class TestSignature:
    def test_holds_for_its_body_and_secret_alone(self) -> None:
        signature = sign("secret", b"body")
        verify("secret", signature, b"body")
        for wrong in [("other", signature, b"body"), ("secret", signature, b"Body")]:
            with pytest.raises(NotAuthenticated):
                verify(*wrong)

    # RFC 4231, test case 2.
    def test_is_the_published_one(self) -> None:
        assert sign("Jefe", b"what do ya want for nothing?") == (
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        )

    @pytest.mark.parametrize("signature", ["", "sha256=", "sha1=abc", "é", "\ud83d"])
    def test_of_another_form_does_not_hold(self, signature: str) -> None:
        with pytest.raises(NotAuthenticated):
            verify("secret", signature, b"body")


class TestOrder:
    MESSAGE = Message(
        message_id="0" * 32,
        conversation="+551187654321",
        direction=MessageDirection.OUTBOUND,
        at=NOW,
        type="text",
        text="Olá",
    ).attempted(NOW)
    CONVERSATION = Conversation(conversation="+551187654321", number="+5511987654321")

    def test_of_a_text(self) -> None:
        assert order_of(self.MESSAGE, self.CONVERSATION) == {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "biz_opaque_callback_data": f"retorno:{'0' * 32}:1",
            "to": "5511987654321",
            "type": "text",
            "text": {"body": "Olá"},
        }

    def test_of_a_template(self) -> None:
        template = Template(name="retorno_1", parameters=("Carla", "10h"))
        message = self.MESSAGE.model_copy(update={"type": "template", "template": template})
        assert order_of(message, self.CONVERSATION)["template"] == {
            "name": "retorno_1",
            "language": {"code": "pt_BR"},
            "components": [
                {
                    "type": "body",
                    "parameters": [
                        {"type": "text", "text": "Carla"},
                        {"type": "text", "text": "10h"},
                    ],
                }
            ],
        }

    def test_goes_to_the_very_id_that_the_customer_wrote_with(self) -> None:
        known = self.CONVERSATION.model_copy(update={"wa_id": "551187654321", "user_id": "BR.1"})
        assert order_of(self.MESSAGE, known)["to"] == "551187654321"

    def test_goes_to_a_user_who_shows_no_number(self) -> None:
        user = Conversation(conversation="whatsapp:BR.1", user_id="BR.1")
        order = order_of(self.MESSAGE, user)
        assert order["recipient"] == "BR.1"
        assert "to" not in order


def test_a_code_is_a_number_of_a_sensible_size() -> None:
    for code in (True, 2**40, "190", None, 1.5):
        assert refusal_of({"code": code}, NOW).code is None
