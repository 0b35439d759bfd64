"""Whatever is told of messages, in any order, again, and with whatever failing in between: all of
it is shown, once, and as it was."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from botocore.client import BaseClient
from hypothesis import given, settings
from hypothesis import strategies as st

from local.whatsapp import Fate, Taken, WhatsApp
from retorno.messages.model import (
    Delivery,
    Message,
    MessageDirection,
    MessageState,
    MessageWish,
    Target,
    Template,
    Told,
    tracked_by,
)
from retorno.messages.service import Deliveries
from tests.support.correspondence import NOON, Correspondence, Killed, Reader, store
from tests.support.turns import Job, Table, every_order

CARLA, DIEGO, BRUNA = "551187654321", "5521976543210", "BR.4711"
CONVERSATIONS = {
    CARLA: "+551187654321",
    DIEGO: "+552176543210",
    BRUNA: "whatsapp:BR.4711",
}
TEXT = MessageWish(text="Olá")
TEMPLATE = MessageWish(template=Template(name="retorno"))

SEEDS = range(15)
ACTIONS = 120


def seen(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """All that is shown of messages but the order in which they arrived."""
    hidden = {"ordinal", "inbound", "revision"}
    shown = [each.model_dump(mode="json", exclude=hidden) for each in messages]
    return sorted(shown, key=lambda each: (each["at"], each["message_id"]))


# --- Any order, any repetition ------------------------------------------------------------------


def published(correspondence: Correspondence, *, with_tracker: bool) -> list[bytes]:
    """What WhatsApp tells of two messages of ours and two of the customer, one status each."""
    whatsapp = correspondence.whatsapp
    told = whatsapp.told()
    whatsapp.write(CARLA, "Oi", name="Carla")
    correspondence.wait(seconds=5)
    whatsapp.write(CARLA, "Tem alguém aí?", name="Carla M.")
    told += whatsapp.told()
    read, refused = whatsapp.messages
    correspondence.wait(seconds=5)
    told += [
        whatsapp.payload({"statuses": [whatsapp.status(read, name)]})
        for name in ("sent", "delivered", "read")
    ]
    error = {"code": 131026, "title": "Undeliverable", "message": "Undeliverable"}
    told += [
        whatsapp.payload({"statuses": [whatsapp.status(refused, "delivered")]}),
        whatsapp.payload({"statuses": [whatsapp.status(refused, "failed", errors=[error])]}),
    ]
    return told if with_tracker else [untracked(each) for each in told]


def untracked(payload: bytes) -> bytes:
    """As of a WhatsApp that does not say our own word again."""
    told = json.loads(payload)
    for status in told["entry"][0]["changes"][0]["value"].get("statuses", ()):
        status.pop("biz_opaque_callback_data", None)
    return json.dumps(told).encode()


def outcome(
    order: Callable[[list[bytes]], list[bytes]], early: int, *, with_tracker: bool
) -> tuple[list[dict[str, Any]], Any]:
    """What is known when all is told; the first so many are told before our last order is
    answered."""
    correspondence = Correspondence()
    with correspondence.going_on():
        correspondence.send(CARLA, TEMPLATE, "1")
        rest: list[bytes] = []

        def tell() -> None:
            payloads = order(published(correspondence, with_tracker=with_tracker))
            for payload in payloads[:early]:
                assert correspondence.hear(payload)
            rest.extend(payloads[early:])

        correspondence.client.before_answer = tell
        correspondence.send(CARLA, TEMPLATE, "2")
        for payload in rest:
            assert correspondence.hear(payload)
        conversation = correspondence.conversations.one(CARLA)
        hidden = {"revision": True, "last_outbound": True, "last_message": {"ordinal"}}
        return seen(correspondence.messages(CONVERSATIONS[CARLA])), conversation.model_dump(
            exclude=hidden  # type: ignore[arg-type]
        )


@settings(max_examples=60)
@given(data=st.data(), early=st.integers(0, 12), with_tracker=st.booleans())
def test_any_order_and_repetition_comes_to_the_same(
    data: st.DataObject, early: int, with_tracker: bool
) -> None:
    def shuffled(payloads: list[bytes]) -> list[bytes]:
        again = data.draw(st.lists(st.sampled_from(payloads), max_size=6))
        return data.draw(st.permutations([*payloads, *again]))

    in_order = outcome(lambda payloads: payloads, 0, with_tracker=with_tracker)
    assert outcome(shuffled, early, with_tracker=with_tracker) == in_order
    messages, conversation = in_order
    states = sorted(each["attempts"][-1]["told"]["refusal"] is None for each in messages
                    if each["attempts"])  # fmt: skip
    assert (len(messages), states) == (4, [False, True])
    assert (conversation["failed"], conversation["inbound"]) == (True, 2)


def test_an_answer_and_a_status_at_the_same_time_find_each_other() -> None:
    """Each order of their requests: the one says whose an id is, the other what became of it."""
    table = Table()
    target = Target(conversation=CONVERSATIONS[CARLA], ordinal=1, attempt=1)
    told = Told(deliveries={Delivery.DELIVERED: NOON})
    world = Correspondence()

    def jobs() -> Sequence[Job]:
        nonlocal world
        world = Correspondence(trouble=at_the_table)
        world.client.before_answer = dies
        world.send(CARLA, TEMPLATE, "1")
        (taken,) = world.whatsapp.messages
        deliveries = Deliveries(store())
        return [
            lambda: deliveries.tell(taken.wamid, Told(), target, NOON),
            lambda: deliveries.tell(taken.wamid, told, None, NOON),
        ]

    def at_the_table() -> tuple[bool, bool]:
        table.give_way()
        return False, False

    def served(_: BaseClient, operation: str, parameters: Any) -> Any:
        return world.serve(operation, parameters)

    with patch.object(BaseClient, "_make_api_call", served):
        orders = 0
        for _ in every_order(table, jobs):
            orders += 1
            message = store().message(target.conversation, target.ordinal)
            assert message
            assert message.state is MessageState.DELIVERED
    assert orders > 20


def dies() -> None:
    raise Killed


# --- Anything at all ----------------------------------------------------------------------------


class History:
    """Customers write, agents answer, workers die, tables fail, WhatsApp tells when it likes."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.world = Correspondence(seed, trouble=self.trouble)
        self.world.whatsapp.fate = self.fate
        self.untold: list[bytes] = []
        self.heard: list[bytes] = []
        self.written: dict[str, list[str]] = defaultdict(list)
        self.readers = {each: Reader(self.world, each) for each in CONVERSATIONS.values()}
        self.shown: dict[str, list[Message]] = defaultdict(list)
        self.in_trouble = True

    def trouble(self) -> tuple[bool, bool]:
        if not self.in_trouble or self.random.random() > 0.06:
            return False, False
        if self.random.random() < 0.3:
            raise Killed
        return self.random.choice([(True, False), (False, True)])

    def fate(self, _: str) -> Fate:
        return self.random.choice(
            [
                *[Fate(reaches=name) for name in ("read", "read", "delivered", "sent")],
                Fate(failed=131026),
                Fate(failed=131000),
                Fate(refused=131056),
                Fate(refused=132001),
                Fate(silent=True),
                Fate(silent=True, taken=False),
            ]
        )

    def live(self) -> None:
        acts = [self.write, self.write, self.send, self.send, self.tell, self.tell, self.look]
        for _ in range(ACTIONS):
            self.random.choice([*acts, self.tell, self.world.check, self.read])()
            self.world.wait(seconds=self.random.choice([0, 1, 30, 100, 4000]))
        self.in_trouble = False
        for _ in range(60):
            self.world.check()
            self.world.wait(minutes=30)
            self.tell(everything=True)
        for payload in self.random.sample(self.heard, len(self.heard) // 2):
            self.world.hear(payload)
        for conversation in self.readers:
            self.look(conversation, to_the_end=True)

    def write(self) -> None:
        who = self.random.choice(list(CONVERSATIONS))
        self.written[CONVERSATIONS[who]].append(self.world.whatsapp.write(who, "Oi"))

    def send(self) -> None:
        who = self.random.choice(list(CONVERSATIONS))
        address = f"whatsapp:{who}" if who == BRUNA else who
        key = str(self.random.randrange(30))
        wish = self.random.choice([TEXT, TEMPLATE])
        agent = self.random.choice(["ana", "bia"])
        self.world.send(address, wish, f"{key} {wish.digest_for(who)}", agent)

    def tell(self, *, everything: bool = False) -> None:
        told = self.world.whatsapp.told()
        self.untold += [each if self.keeps_word(each) else untracked(each) for each in told]
        self.random.shuffle(self.untold)
        for payload in self.untold.copy():
            if not everything and self.random.random() < 0.6:
                continue
            if self.world.hear(payload):
                self.untold.remove(payload)
                self.heard.append(payload)
                if self.random.random() < 0.2:
                    self.untold.append(payload)

    @staticmethod
    def keeps_word(payload: bytes) -> bool:
        """Of every third message WhatsApp does not say our own word again."""
        (change,) = json.loads(payload)["entry"][0]["changes"]
        statuses = change["value"].get("statuses", ())
        return not any(is_wordless(status["id"]) for status in statuses)

    def look(self, conversation: str | None = None, *, to_the_end: bool = False) -> None:
        where = conversation or self.random.choice(list(self.readers))
        self.in_trouble, before = False, self.in_trouble
        found = self.readers[where].read() if to_the_end else self.readers[where].page()[0]
        self.shown[where] += found
        self.in_trouble = before

    def read(self) -> None:
        self.in_trouble, before = False, self.in_trouble
        for each in self.world.conversations.page(None, False, 10, None).conversations:
            if self.random.random() < 0.5:
                self.world.conversations.read(each.number or each.conversation, None)
        self.in_trouble = before


def is_wordless(wamid: str) -> bool:
    return sum(wamid.encode()) % 3 == 0


@pytest.fixture(params=SEEDS)
def history(request: pytest.FixtureRequest) -> Iterator[History]:
    history = History(request.param)
    with history.world.going_on():
        history.live()
        yield history


def last_orders(whatsapp: WhatsApp) -> dict[tuple[str, int], Taken]:
    """By message and attempt, which were never ordered twice."""
    orders: dict[tuple[str, int], Taken] = {}
    for taken in whatsapp.messages:
        tracked = tracked_by(taken.order["biz_opaque_callback_data"])
        assert tracked
        assert tracked not in orders
        orders[tracked] = taken
    return orders


def test_after_any_history_all_is_shown_once_and_as_it_was(history: History) -> None:
    orders = last_orders(history.world.whatsapp)
    ours = 0
    for conversation in CONVERSATIONS.values():
        messages = history.world.messages(conversation)
        assert [each.order for each in messages] == sorted(each.order for each in messages)
        arrived = sorted(each.ordinal for each in messages)
        assert arrived == list(range(1, len(messages) + 1))
        assert sorted(each.ordinal for each in history.shown[conversation]) == arrived
        received = [each for each in messages if each.direction is MessageDirection.INBOUND]
        assert sorted(each.wamid or "" for each in received) == sorted(
            history.written[conversation]
        )
        sent = [each for each in messages if each.direction is MessageDirection.OUTBOUND]
        ours += len(sent)
        for message in sent:
            check(message, orders)
        check_record(history, conversation, messages)
    assert ours
    assert {message_id for message_id, _ in orders} <= {
        each.message_id
        for conversation in CONVERSATIONS.values()
        for each in history.world.messages(conversation)
    }


def check(message: Message, orders: dict[tuple[str, int], Taken]) -> None:
    """What is known of a message is what WhatsApp did with it, and it was sent anew only after it
    had failed."""
    assert message.check_at is None
    assert all(each.told.refusal for each in message.attempts[:-1])
    for attempt in range(1, len(message.attempts)):
        before = orders.get((message.message_id, attempt))
        assert before is None or before.fate.failed is not None
    taken = orders.get((message.message_id, len(message.attempts)))
    if taken is None:
        assert message.state in (MessageState.FAILED, MessageState.UNCERTAIN)
    elif message.provider_id is None:
        # Its answer was lost, and it is one of which WhatsApp does not say our word again.
        assert message.state is MessageState.UNCERTAIN
        assert is_wordless(taken.wamid)
    else:
        assert message.provider_id == taken.wamid
        failed = taken.fate.failed is not None
        assert message.state == (MessageState.FAILED if failed else taken.fate.reaches)


def check_record(history: History, conversation: str, messages: list[Message]) -> None:
    record = store().conversation(conversation)
    assert record
    received = [each for each in messages if each.direction is MessageDirection.INBOUND]
    sent = [each for each in messages if each.direction is MessageDirection.OUTBOUND]
    assert (record.arrivals, record.inbound) == (len(messages), len(received))
    assert 0 <= record.unread <= len(received)
    assert record.last_inbound_at == max((each.at for each in received), default=None)
    assert record.last_message
    assert record.last_message.ordinal == messages[-1].ordinal
    last = max(sent, key=lambda each: each.ordinal, default=None)
    assert record.failed == (last is not None and last.state is MessageState.FAILED)
