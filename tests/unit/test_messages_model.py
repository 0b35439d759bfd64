"""What becomes of a message follows from what was told of it, in whatever order that comes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retorno.messages.model import (
    MAX_ATTEMPTS,
    SESSION,
    Contact,
    Conversation,
    Delivery,
    Message,
    MessageDirection,
    MessageState,
    Refusal,
    Told,
    contact_at,
    tracked_by,
    tracker_of,
)
from retorno.messages.refusals import SESSION_OVER, all_explanations, explained
from retorno.phone import NumberPlan

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
FORWARD = [
    MessageState.SENDING,
    MessageState.ACCEPTED,
    MessageState.SENT,
    MessageState.DELIVERED,
    MessageState.READ,
    MessageState.FAILED,
]

# Codes that an agent may see (https://developers.facebook.com/docs/whatsapp/cloud-api/support).
DOCUMENTED = (
    *(130472, 131047, 131026, 131049, 131050, 131042, 131044, 131056, 130429, 131048, 80007),
    *(4, 368, 131031, 130497, 132000, 132001, 132005, 132007, 132008, 132012, 132015, 132016),
    *(131051, 131052, 131053, 131000, 131016, 190, 0, 10, *range(200, 300)),
)

moments = st.integers(0, 10).map(lambda seconds: NOON + timedelta(seconds=seconds))
refusals = st.builds(
    Refusal, at=moments, code=st.sampled_from([None, 0, 131026, 131047]), details=st.just("")
)
news = st.builds(
    Told,
    deliveries=st.dictionaries(st.sampled_from(Delivery), moments, max_size=3),
    refusal=st.none() | refusals,
)


def outgoing(**fields: object) -> Message:
    message = Message(
        message_id="m1",
        conversation="+551187654321",
        direction=MessageDirection.OUTBOUND,
        at=NOON,
        type="text",
        text="Olá",
    )
    return message.model_copy(update=fields).attempted(NOON)


def incoming(at: datetime, **fields: object) -> Message:
    message = Message(
        message_id="m2",
        conversation="+551187654321",
        direction=MessageDirection.INBOUND,
        at=at,
        type="text",
        text="Oi",
    )
    return message.model_copy(update=fields)


def failed(code: int | None, at: datetime = NOON) -> Told:
    return Told(refusal=Refusal(at=at, code=code))


class TestNews:
    @given(st.data(), st.lists(news, max_size=8))
    def test_comes_to_the_same_in_any_order_and_again(
        self, data: st.DataObject, told: list[Told]
    ) -> None:
        again = data.draw(st.lists(st.sampled_from(told), max_size=5)) if told else []
        shuffled = data.draw(st.permutations([*told, *again]))
        in_order, in_disorder = outgoing(), outgoing()
        for each in told:
            in_order = in_order.with_news(1, "wamid.1", each)
        for each in shuffled:
            in_disorder = in_disorder.with_news(1, "wamid.1", each)
        assert in_order == in_disorder

    @pytest.mark.parametrize("code", [0, -1])
    def test_of_two_failures_at_once_leave_the_same_one_in_any_order(self, code: int) -> None:
        known, unknown = failed(code), failed(None)
        assert known | unknown == unknown | known

    @given(st.lists(news, max_size=8))
    def test_moves_a_message_forward_only(self, told: list[Told]) -> None:
        message = outgoing()
        for each in told:
            after = message.with_news(1, "wamid.1", each)
            assert FORWARD.index(after.state) >= FORWARD.index(message.state)
            message = after

    def test_of_a_delivery_after_a_failure_is_shown_beside_it(self) -> None:
        message = outgoing().with_news(1, "wamid.1", failed(131026))
        message = message.with_news(1, "wamid.1", Told(deliveries={Delivery.DELIVERED: NOON}))
        assert message.state is MessageState.FAILED
        assert message.refusal is not None
        assert message.told_at(Delivery.DELIVERED) == NOON

    def test_settles_what_was_in_doubt(self) -> None:
        doubted = outgoing().doubted()
        assert doubted.state is MessageState.UNCERTAIN
        known = doubted.with_news(1, "wamid.1", Told())
        assert (known.state, known.provider_id) == (MessageState.ACCEPTED, "wamid.1")
        assert known.doubted() == known


class TestTriedAgain:
    def test_only_where_the_code_allows_it(self) -> None:
        by_itself = {2, 4, 80007, 130429, 131000, 131016, 131048, 131056}
        for code in [*DOCUMENTED, *by_itself, None, -1, 999_999]:
            message = outgoing().with_news(1, None, failed(code))
            assert (message.retry_at is not None) == (code in by_itself), code

    def test_later_each_time_and_not_for_ever(self) -> None:
        message, waits = outgoing(), []
        now = NOON
        while True:
            message = message.with_news(len(message.attempts), None, failed(131056, now))
            if message.retry_at is None:
                break
            waits.append(message.retry_at - now)
            now = message.retry_at
            assert message.check_at == now
            message = message.attempted(now)
        assert waits == [timedelta(minutes=minutes) for minutes in (1, 4, 16)]
        assert (len(message.attempts), message.state) == (MAX_ATTEMPTS, MessageState.FAILED)

    def test_not_after_a_day(self) -> None:
        late = NOON + timedelta(hours=23, minutes=30)
        assert outgoing().with_news(1, None, failed(131048, late)).retry_at is None

    def test_not_when_it_arrived_after_all(self) -> None:
        message = outgoing().with_news(1, "wamid.1", failed(131000))
        assert message.retry_at
        message = message.with_news(1, "wamid.1", Told(deliveries={Delivery.READ: NOON}))
        assert (message.retry_at, message.check_at) == (None, None)

    def test_is_another_attempt_whose_failure_does_not_hide_the_first(self) -> None:
        message = outgoing().with_news(1, None, failed(131056)).attempted(NOON)
        assert message.state is MessageState.SENDING
        message = message.with_news(2, "wamid.2", Told(deliveries={Delivery.SENT: NOON}))
        assert (message.state, message.provider_id) == (MessageState.SENT, "wamid.2")
        assert message.refusal
        assert message.refusal.code == 131056


class TestExplanation:
    def test_is_there_for_every_code_that_is_documented(self) -> None:
        unknown = explained(999_999)
        for code in DOCUMENTED:
            assert explained(code) != unknown, code

    def test_is_sensible_for_what_nobody_knows(self) -> None:
        assert explained(None) == explained(999_999) == explained(-1)
        assert "não conhece" in explained(None).reason.pt

    def test_is_of_one_entry_alone(self) -> None:
        for code in DOCUMENTED:
            assert len([each for each in all_explanations() if each.is_of(code)]) == 1, code

    def test_is_whole_in_both_languages(self) -> None:
        for each in all_explanations():
            for words in (each.reason, each.what_to_do):
                assert len(words.pt) > 5
                assert len(words.en) > 5
                assert words.pt != words.en

    def test_of_an_experiment_says_so(self) -> None:
        explanation = explained(130472)
        assert "período de experiência" in explanation.reason.pt
        assert (explanation.retry_after, explanation.by_itself) == (None, False)

    def test_of_too_many_marketing_messages_waits_a_day(self) -> None:
        assert explained(131049).retry_after == 24 * 3600


class TestSession:
    def test_is_open_for_a_day_and_no_longer(self) -> None:
        conversation = Conversation(conversation="c").with_contact(Contact(), NOON, True)
        last = NOON + SESSION
        assert conversation.is_open(last - timedelta(microseconds=1))
        assert not conversation.is_open(last)
        assert not Conversation(conversation="c").is_open(NOON)

    @given(st.permutations([0, 5, 10]))
    def test_counts_from_the_last_message_whenever_that_is_told(self, order: list[int]) -> None:
        conversation = Conversation(conversation="c")
        for hours in order:
            at = NOON + timedelta(hours=hours)
            contact = Contact(wa_id=str(hours), name=f"name {hours}")
            conversation = conversation.with_contact(contact, at, True)
        assert conversation.session_until == NOON + timedelta(hours=34)
        assert (conversation.wa_id, conversation.name) == ("10", "name 10")

    def test_is_not_opened_by_whatsapp_itself(self) -> None:
        conversation = Conversation(conversation="c").with_contact(Contact(), NOON, False)
        assert conversation.session_until is None

    def test_over_is_explained_as_whatsapp_would(self) -> None:
        assert explained(SESSION_OVER).codes == (SESSION_OVER,)


class TestConversation:
    @given(st.permutations(range(5)))
    def test_counts_each_message_and_shows_the_last(self, order: list[int]) -> None:
        conversation = Conversation(conversation="c")
        for number in order:
            at = NOON + timedelta(seconds=number)
            message = incoming(at, message_id=str(number)) if number % 2 else outgoing(at=at)
            conversation = conversation.with_message(conversation.numbered(message))
        assert (conversation.arrivals, conversation.inbound, conversation.unread) == (5, 2, 2)
        assert conversation.last_message
        assert conversation.last_message.at == NOON + timedelta(seconds=4)

    def test_is_read_up_to_what_was_seen(self) -> None:
        conversation = Conversation(conversation="c")
        messages = []
        for number in range(3):
            messages.append(conversation.numbered(incoming(NOON, message_id=str(number))))
            conversation = conversation.with_message(messages[-1])
        seen = conversation.read_up_to(messages[1])
        assert (seen.unread, seen.read_up_to(messages[0]).unread) == (1, 1)
        assert seen.read_up_to(None).unread == 0

    def test_has_failed_if_its_last_message_has(self) -> None:
        conversation = Conversation(conversation="c")
        first = conversation.numbered(outgoing())
        conversation = conversation.with_message(first)
        failing = conversation.with_change(first.with_news(1, None, failed(131026)))
        assert failing.failed
        second = failing.numbered(outgoing())
        moved_on = failing.with_message(second)
        assert not moved_on.failed
        assert moved_on.with_change(first.with_news(1, None, failed(131026))) == moved_on


class TestAddress:
    PLAN = NumberPlan("BR", "11")

    @pytest.mark.parametrize(
        "text",
        [
            "(11) 98765-4321",
            "+551187654321",
            "whatsapp:+5511987654321",
            "987654321",
            "5511987654321",
        ],
    )
    def test_is_a_number_in_any_form(self, text: str) -> None:
        contact = contact_at(text, self.PLAN)
        assert contact
        assert contact.conversation == "+551187654321"

    def test_is_a_user_who_shows_none(self) -> None:
        contact = contact_at("whatsapp:BR.1349120865", self.PLAN)
        assert contact == Contact(user_id="BR.1349120865")
        assert contact.conversation == "whatsapp:BR.1349120865"

    @pytest.mark.parametrize("text", ["", "BR.1349", "whatsapp:", "whatsapp:BR", "anonymous", "é"])
    def test_is_nothing_else(self, text: str) -> None:
        assert contact_at(text, self.PLAN) is None


class TestTracker:
    def test_is_read_as_it_was_written(self) -> None:
        message_id = "0123456789abcdef" * 2
        assert tracked_by(tracker_of(message_id, 3)) == (message_id, 3)

    @pytest.mark.parametrize("text", [None, "", "retorno:1:1", "other", "retorno:" + "0" * 32])
    def test_of_others_is_none_of_ours(self, text: str | None) -> None:
        assert tracked_by(text) is None
