"""The live part without a stack: its reckoning, its operators, and what it shows."""

from collections import deque
from datetime import UTC, datetime, timedelta
from threading import Event as Signal
from typing import Any, cast

import pytest
from rich.console import Console as Terminal

from local.client import Client
from local.live import Watcher
from local.simulate.audit import account, disagreements
from local.simulate.chats import Chat
from local.simulate.feed import Feed
from local.simulate.floor import PAUSE, REASONS, WRAP_UP_SECONDS, Console
from local.simulate.live_view import LiveScene
from local.simulate.people import Customer, hire, settle
from local.simulate.quotes import Sales, Seller
from local.simulate.switch import Call, Order, Switch
from local.simulate.truth import Outcome, Truth

NOW = datetime(2026, 3, 5, 17, 30, tzinfo=UTC)
LIMITS = {"vendas": 2}


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.fixture
def customer() -> Customer:
    return person()


def person(*habit: str) -> Customer:
    customer = next(each for each in settle(9, seed=1, start=NOW) if not each.withheld)
    customer.habit = habit or ("talks",)
    return customer


def dialled(customer: Customer, times: int = 1) -> Switch:
    switch = Switch("x", 1, [customer])
    for attempt in range(times):
        order = Order(str(attempt), customer.number, "4001", "ana")
        switch.place(order, at(600 * attempt))
    switch.advance(at(600 * times))
    return switch


def contact(customer: Customer, state: str, attempts: int, of: str = "vendas") -> dict[str, Any]:
    return {
        "contact_id": "0123456789",
        "list_name": of,
        "number": customer.number,
        "state": state,
        "attempts": attempts,
    }


def operator(state: str) -> dict[str, Any]:
    since = NOW.isoformat()
    presence = {"state": state, "reason": "café" if state == "paused" else None, "since": since}
    return {"agent": "ana", "name": "Ana", "presence": presence}


def told(
    switch: Switch, *contacts: dict[str, Any], operators: tuple[dict[str, Any], ...] = ()
) -> list[str]:
    calls = list(switch.calls.values())
    return disagreements(calls, contacts, operators, lambda name: LIMITS.get(name, 3))


# --- The reckoning --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("habit", "dials", "state"),
    [("talks", 1, "reached"), ("is away", 1, "waiting"), ("is away", 2, "blocked")],
)
def test_a_contact_is_what_the_exchange_saw(habit: str, dials: int, state: str) -> None:
    customer = person(habit)
    switch = dialled(customer, dials)
    assert told(switch, contact(customer, state, dials), operators=(operator("offline"),)) == []
    others = {"reached", "waiting", "blocked"} - {state}
    for other in others:
        assert told(switch, contact(customer, other, dials)) == [
            f"contact 01234567 of vendas is {state}, but the API says {other}"
        ]


def test_each_broken_word_is_told() -> None:
    customer = person("is away")
    switch = dialled(customer, 3)
    assert told(switch, contact(customer, "blocked", 2), operators=(operator("dialling"),)) == [
        "ana is still dialling",
        "contact 01234567 of vendas was dialled 3 times, and 2 is the limit",
        "contact 01234567 of vendas was dialled 3 times, but the API says 2",
    ]
    assert told(switch) == ["x-1 was placed to somebody on no list"]
    assert told(switch, contact(customer, "blocked", 3, of="queue:suporte")) == []


def test_what_becomes_of_a_promise_is_its_own_unless_it_was_kept() -> None:
    kept, broken = person("talks"), person("is away")
    expired = contact(broken, "expired", 1, of="promise:1")
    assert told(dialled(broken), expired) == []
    assert told(dialled(kept), expired) == [
        "contact 01234567 of promise:1 is reached, but the API says expired"
    ]


def test_a_telephone_that_is_rung_twice_is_told(customer: Customer) -> None:
    switch = Switch("x", 1, [customer])
    for attempt in ("1", "2"):
        switch.place(Order(attempt, customer.number, "4001", "ana"), NOW)
    switch.advance(at(600))
    assert "x-2: ana was in a call already" in told(switch, contact(customer, "reached", 2))


def test_what_the_exchange_saw_is_part_of_the_truth() -> None:
    reached, missed, withheld = settle(3, seed=1, start=NOW)
    reached.habit = ("has a voicemail", "talks")
    withheld.spellings = ()
    switch = Switch("x", 1, [reached, missed, withheld])
    for each in (reached, missed, withheld):
        switch.ring_in(each, "vendas", 20, NOW)
    for attempt, seconds in (("1", 60), ("2", 600)):
        switch.place(Order(attempt, reached.number, "4001", "ana"), at(seconds))
    switch.place(Order("3", "+5511900000000", "4002", "bia"), at(60))
    switch.advance(at(1200))
    truth = Truth()
    blocked = contact(missed, "blocked", 2) | {"misses": ["x-2"]}
    won = contact(reached, "reached", 2) | {"misses": []}
    account(switch.calls.values(), [blocked, won], truth)
    won_back = switch.attempts["2"].call_id
    assert truth.outcomes() == {
        "x-1": Outcome("recovered", won_back),
        "x-2": Outcome("blocked"),
        "x-3": Outcome("open"),
    }


# --- Operators ------------------------------------------------------------------------------------


class Api:
    """What a console asks of the API: it is in these states in turn, and keeps what it says."""

    def __init__(self, *states: str) -> None:
        self._states = list(states)
        self.said: list[tuple[str, ...]] = []

    def me(self) -> dict[str, Any]:
        return {"presence": {"state": self._states.pop(0)}}

    def say(self, state: str, reason: str | None = None) -> None:
        self.said.append((state, reason) if reason else (state,))

    def offer(self) -> dict[str, Any] | None:
        return {"offer_id": f"offer {len(self._states) // 2}"}

    def answer_offer(self, offer_id: str, answer: str) -> None:
        self.said.append((answer, offer_id))


class Shift(Signal):
    """Ends with the states that the API has; nobody waits for it."""

    def __init__(self, api: Api) -> None:
        super().__init__()
        self._api = api
        self.waits: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        return not self._api._states


def console_of(api: Api, seed: int = 1) -> Console:
    """One whose operator talks with nobody."""
    [ana] = hire(1, seed, NOW)
    client = cast(Client, api)
    return Console(ana, client, Seller(ana.name, client, list, {}), seed)


def worked(*states: str, seed: int = 1) -> tuple[Api, Shift, Console]:
    api = Api(*states)
    shift = Shift(api)
    console = console_of(api, seed)
    console.work(shift)
    return api, shift, console


def test_an_operator_comes_works_and_goes() -> None:
    api, _, console = worked("available", "busy")
    assert api.said == [("available",), ("offline",)]
    assert len(console.begins) == 1


def test_who_was_paused_by_the_product_comes_back() -> None:
    api, shift, console = worked("paused", "available")
    assert api.said == [("available",), ("available",), ("offline",)]
    assert any(wait and PAUSE[0] <= wait <= PAUSE[1] for wait in shift.waits)
    assert len(console.begins) == 2


def test_each_offer_is_answered_once_or_never() -> None:
    said = [said for seed in range(60) for said in worked(*["on_offer"] * 4, seed=seed)[0].said]
    offers = [answer for answer in said if answer[0] in ("accept", "reject")]
    assert {answer[0] for answer in offers} == {"accept", "reject"}
    # Each sees two offers, twice.
    assert 100 < len(offers) < 120


def test_some_pause_and_say_why() -> None:
    said = [said for seed in range(60) for said in worked(*["busy"] * 9, seed=seed)[0].said]
    reasons = {each[1] for each in said if each[0] == "paused"}
    assert reasons
    assert reasons <= set(REASONS)


# --- What there is to see -------------------------------------------------------------------------


def test_the_screen_shows_operators_dials_and_contacts(customer: Customer) -> None:
    customer.name = "Carla Moura"
    scene, _ = scene_of(customer)
    terminal = Terminal(width=200, height=30, record=True)
    terminal.print(scene.screen())
    shown = terminal.export_text()
    for words in ("Ana", "pausa (café)", "Carla Moura", "answered", "4.0 s", "blocked 2"):
        assert words in shown
    for words in ("Oi, tudo bem?", "received", "41", "••••-4321", "gone", "up to number 0"):
        assert words in shown
    assert "1 pausa" in scene.line()
    assert "free to dial 4.0 s" in scene.line()


def test_how_long_an_operator_was_free_counts_from_the_wrap_up(customer: Customer) -> None:
    scene, console = scene_of(customer)
    [first] = scene.dials()
    assert first.ended_at
    again, _ = scene.switch.place(Order("2", customer.number, "4000", console.agent), at(700))
    free_from = first.ended_at + timedelta(seconds=WRAP_UP_SECONDS)
    assert scene.seconds_free(again) == (at(700) - free_from).total_seconds()
    stranger = Call("y", customer.number, customer, "", at(0), agent="nobody")
    assert scene.seconds_free(stranger) is None


def change(seq: int, kind: str, *, gone: bool, view: dict[str, Any]) -> dict[str, Any]:
    return {"seq": seq, "kind": kind, "id": "x", "gone": gone, "view": view}


def scene_of(customer: Customer) -> tuple[LiveScene, Console]:
    """An operator who was free for four seconds before they were given a call."""
    console = console_of(Api())
    console.begins.append(at(-4))
    switch = Switch("x", 1, [customer])
    switch.place(Order("1", customer.number, "4000", console.agent), NOW)
    switch.advance(at(600))
    sales = Sales(cast(Client, Api()), [console.seller], NOW)
    chat = Chat(customer, "ana", deque())
    chat.wrote([("Oi, tudo bem?", NOW)])
    feed = Feed(cast(Watcher, None), cast(Client, Api()), 1)
    feed.newest.extend(
        [
            change(41, "agent", gone=False, view={"name": "Ana", "presence": {"state": "paused"}}),
            change(40, "call", gone=True, view={"number": "+5511987654321", "status": "completed"}),
        ]
    )
    scene = LiveScene(switch, [console], sales, [chat], feed, operators=[operator("paused")])
    scene.contacts.update(blocked=2, reached=1)
    return scene, console
