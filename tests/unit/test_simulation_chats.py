"""The simulated conversations without a stack: what is written beforehand, and what the API may
tell of what was said.
"""

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any

from local.simulate.chats import (
    ANSWER,
    ASKS,
    ASKS_IN_PARTS,
    CHATS,
    HAS_NO_SESSION,
    INVITES,
    IS_TOLD_TWICE,
    NO_SESSION,
    NOT_ON_WHATSAPP,
    READ,
    STORIES,
    TEMPLATE,
    Chat,
    Sends,
    chat_differences,
    plan,
    summary,
)
from local.simulate.people import Customer, settle

NOW = datetime(2026, 3, 5, 17, 30, tzinfo=UTC)
WORDS = {"pt": "Por isso", "en": "For that"}
EXPLAINED = {"reason": WORDS, "what_to_do": WORDS}
WHERE = "ana's chat with +55 81 ••••-4321"


# --- What is written beforehand -------------------------------------------------------------------


def planned(seed: int) -> list[tuple[str, str, list[Any]]]:
    customers = settle(60, seed=1, start=NOW)
    return [(each.customer.line, each.agent, list(each.steps)) for each in plan_of(customers, seed)]


def plan_of(customers: list[Customer], seed: int = 1) -> list[Chat]:
    return plan(customers, ["ana", "bia"], seed)


def test_the_same_seed_repeats_and_another_does_not() -> None:
    assert planned(1) == planned(1) != planned(2)


def test_each_story_is_told_to_somebody_who_can_be_written_to() -> None:
    chats = plan_of(settle(300, seed=1, start=NOW))
    assert len(chats) == CHATS
    assert {tuple(chat.steps) for chat in chats} == set(STORIES)
    assert {chat.agent for chat in chats} == {"ana", "bia"}
    assert all(chat.customer.line[0] in "6789" for chat in chats)
    assert not any(chat.customer.withheld for chat in chats)


def test_of_few_customers_few_are_written_to() -> None:
    assert len(plan_of(settle(3, seed=1, start=NOW))) <= 3


def test_whatsapp_knows_some_mobiles_without_their_ninth_digit() -> None:
    chat = chat_of()
    chat.customer.area = "11"
    assert chat.address == "5511987654321"
    chat.customer.area = "81"
    assert chat.address == "558187654321"
    assert chat.addresses == {"558187654321", "5581987654321"}


def test_of_texts_written_at_once_the_last_is_told_first() -> None:
    first, last = ASKS_IN_PARTS.texts
    now = NOW + timedelta(microseconds=7)
    assert ASKS_IN_PARTS.told(now) == [(last, NOW), (first, NOW - timedelta(seconds=1))]
    chat = chat_of()
    chat.wrote(ASKS_IN_PARTS.told(now))
    assert [said.text for said in chat.in_order] == [first, last]
    chat.wrote(IS_TOLD_TWICE.told(now))
    assert (len(IS_TOLD_TWICE.told(now)), chat.unread) == (2, 3)


# --- What the API tells of it ---------------------------------------------------------------------


def chat_of() -> Chat:
    customer = next(each for each in settle(9, seed=1, start=NOW) if not each.withheld)
    customer.area, customer.line = "81", "87654321"
    return Chat(customer, "ana", deque())


def held() -> Chat:
    """The customer asked, was answered, and a template later did not arrive."""
    chat = chat_of()
    chat.wrote(ASKS.told(NOW))
    for step in (Sends(READ, ANSWER), Sends(NOT_ON_WHATSAPP, template=TEMPLATE)):
        chat.answered(step, {"message_id": "m", "at": NOW.isoformat()})
        chat.ordered()
    return chat


def as_told(chat: Chat) -> list[dict[str, Any]]:
    """By an API that agrees."""
    return [
        {
            **said.told,
            "template": said.template and {"name": said.template},
            "failure": said.code and {"code": said.code, **EXPLAINED},
        }
        for said in chat.in_order
    ]


def test_an_api_that_agrees_is_told_nothing_of() -> None:
    chat = held()
    assert list(chat_differences(chat, chat.told, as_told(chat))) == []
    assert list(chat_differences(chat_of(), {}, [])) == []


def test_whatever_the_api_tells_otherwise_is_told() -> None:
    chat = held()
    asked, answer, template = as_told(chat)
    answer["state"] = "delivered"
    template["failure"]["what_to_do"] = {"pt": "Espere", "en": ""}
    conversation = chat.told | {"unread": 2, "failed": False}
    assert list(chat_differences(chat, conversation, [asked, answer, template, asked])) == [
        f"{WHERE}: unread is 1, but the API says 2",
        f"{WHERE}: failed is True, but the API says False",
        f"{WHERE}, message 2: state is read, but the API says delivered",
        f"{WHERE}, message 3: code is 131026, but the API says not explained",
        f"{WHERE}, message 4: nobody wrote it",
    ]


def test_messages_in_another_order_and_lost_ones_are_told() -> None:
    chat = held()
    asked, answer, template = as_told(chat)
    assert list(chat_differences(chat, chat.told, [answer, asked, template]))
    told = list(chat_differences(chat, chat.told, [asked, answer]))
    assert f"{WHERE}, message 3: template is {TEMPLATE}, but the API says None" in told


def test_what_is_sent_twice_and_what_is_not_refused_is_told() -> None:
    chat = chat_of()
    chat.answered(HAS_NO_SESSION, {"message_id": "m"})
    chat.answered(INVITES, {"detail": "no"})
    chat.ordered()
    assert list(chat_differences(chat, {}, [])) == [
        f"{WHERE}: a text without a session was not refused",
        f"{WHERE}: refused, since no",
        f"{WHERE}: WhatsApp was sent 1 messages, but 0 were written",
    ]


def test_the_verdict_says_what_was_said() -> None:
    chat = held()
    chat.answered(HAS_NO_SESSION, {"code": NO_SESSION, **EXPLAINED})
    assert chat.complaints == []
    assert summary([chat]) == (
        "3 in 1 conversations, 1 refused for want of a session, 1 failed (131026)"
    )
    assert summary([chat_of()]).endswith("none failed")
