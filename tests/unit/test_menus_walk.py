"""Callers in menus, as Twilio would lead them: what they hear, and where they come to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from functions.serve_menus.schema import heard_in, position_in
from functions.serve_menus.twiml import document
from retorno.errors import Unavailable
from retorno.menus.model import DoNotCall, HangUp, Queue, Tree, Use
from retorno.menus.service import Script
from retorno.menus.walk import MAX_TURNS, Stage, Walk
from retorno.menus.words import WORDS
from retorno.phone import NumberPlan
from tests.support.caller import Caller, End
from tests.support.menus import FIRST_WORDS, KEYS, WELCOME, trees

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CUSTOMER = "+5511987654321"
COMPANY = "+551130001000"
PLAN = NumberPlan("BR", "11")
SAYS = WORDS[Tree.model_validate(WELCOME).language]
URL = "https://api.example.com/webhooks/twilio/menus/loja"


@dataclass
class Done:
    """What menus brought about. `troubles` are met first, one by one; None is none."""

    troubles: list[Unavailable | None] = field(default_factory=list)
    queues: list[str] = field(default_factory=list)
    callbacks: list[tuple[str, str]] = field(default_factory=list)
    forbidden: list[str] = field(default_factory=list)

    def _meet(self) -> None:
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble:
            raise trouble

    def enter_queue(self, queue: str) -> None:
        self.queues.append(queue)

    def call_back(self, number: str, queue: str) -> None:
        self._meet()
        self.callbacks.append((number, queue))

    def do_not_call(self, number: str, node: DoNotCall) -> None:
        self._meet()
        self.forbidden.append(number)


@dataclass
class Call:
    end: End
    caller: Caller
    done: Done


def call(
    tree: Tree | dict[str, Any],
    keys: Iterable[str] = (),
    number: str = CUSTOMER,
    troubles: Iterable[Unavailable | None] = (),
    told: Mapping[str, str] | None = None,
    query: str = "",
) -> Call:
    menu = tree if isinstance(tree, Tree) else Tree.model_validate(tree)
    done = Done(list(troubles))

    def fetch(url: str, form: Mapping[str, str]) -> str:
        at = position_in(dict(parse_qsl(urlsplit(url).query)))
        heard = heard_in(urlencode(form).encode(), PLAN, NOW)
        acts = Walk(menu, at, heard, done, PLAN).acts()
        return document("loja", Script(menu.language, acts))

    called = menu.use is Use.FIRST_WORDS
    sides = {"From": COMPANY, "To": number} if called else {"From": number, "To": COMPANY}
    caller = Caller(fetch, {"CallSid": "CA1", **sides}, keys, called=called)
    return Call(caller.call(URL + query, told), caller, done)


class TestMenu:
    def test_a_key_leads_on(self) -> None:
        made = call(WELCOME, ["2"])
        assert (made.end, made.caller.queue, made.done.queues) == (
            End.QUEUED,
            "suporte",
            ["suporte"],
        )
        assert made.caller.heard == [
            "Bem-vindo à Loja & Cia.",
            "Vendas, 1. Suporte, 2. Não ligar mais, 9.",
        ]

    def test_silence_is_asked_again_and_then_led_on(self) -> None:
        made = call(WELCOME)
        assert made.caller.queue == "vendas"
        asked = [text for text in made.caller.heard if text.startswith("Vendas")]
        assert len(asked) == 2

    def test_a_wrong_key_is_told_and_asked_again(self) -> None:
        made = call(WELCOME, ["7", "2"])
        assert made.caller.heard.count(SAYS.wrong_key) == 1
        assert made.caller.queue == "suporte"

    def test_wrong_keys_have_a_way_of_their_own(self) -> None:
        assert call(WELCOME, ["7", "7"]).caller.queue == "suporte"
        assert call(WELCOME, ["7", ""]).caller.queue == "vendas"

    def test_the_hash_is_a_key(self) -> None:
        made = call(WELCOME, ["#", "2"])
        assert made.caller.heard.count("Bem-vindo à Loja & Cia.") == 2
        assert made.caller.queue == "suporte"

    def test_who_goes_round_is_led_on_at_last(self) -> None:
        made = call(WELCOME, ["#"] * 2 * MAX_TURNS)
        assert (made.end, made.caller.queue) == (End.QUEUED, "vendas")
        assert made.caller.heard.count("Bem-vindo à Loja & Cia.") == MAX_TURNS + 1


class TestQueue:
    def test_a_caller_who_waits_hears_it_again(self) -> None:
        made = call(WELCOME, ["1", "", "5", ""])
        assert (made.end, made.caller.queue) == (End.QUEUED, "vendas")
        assert made.caller.heard.count("https://media.example.com/espera.mp3") == 4

    def test_a_key_asks_for_a_call_back(self) -> None:
        made = call(WELCOME, ["1", "", "1"])
        assert made.end is End.HUNG_UP
        assert made.done.callbacks == [(CUSTOMER, "vendas")]
        assert made.caller.heard[-1] == SAYS.callback_asked

    @pytest.mark.parametrize(
        "result", ["bridged", "hangup", "redirected", "redirected-from-bridged"]
    )
    def test_it_is_over_after_the_talk(self, result: str) -> None:
        made = call(WELCOME, told={"QueueResult": result}, query="?node=vendas&stage=left_queue")
        assert (made.end, made.caller.heard) == (End.OVER, [])

    @pytest.mark.parametrize("result", ["queue-full", "error", "system-shutdown", "leave", "new"])
    def test_a_caller_whom_it_does_not_take_stays(self, result: str) -> None:
        made = call(WELCOME, told={"QueueResult": result}, query="?node=suporte&stage=left_queue")
        assert (made.end, made.caller.queue) == (End.QUEUED, "suporte")
        assert made.caller.heard == [SAYS.still_waiting]


class TestCallback:
    @pytest.mark.parametrize("withheld", ["anonymous", "+266696687", "", "1007"])
    def test_who_withholds_their_number_types_it(self, withheld: str) -> None:
        made = call(WELCOME, ["1", "1", "21987654321#", "1"], number=withheld)
        assert made.done.callbacks == [("+5521987654321", "vendas")]
        assert made.end is End.HUNG_UP
        read = "2, 1, 9, 8, 7, 6, 5, 4, 3, 2, 1"
        assert any(read in text for text in made.caller.heard)

    def test_a_number_can_be_typed_again(self) -> None:
        typed = ["999#", "21987654321#", "2", "987654321", "1"]
        made = call(WELCOME, ["1", "1", *typed], number="anonymous")
        assert made.done.callbacks == [("+5511987654321", "vendas")]
        assert made.caller.heard.count(SAYS.no_number) == 1

    def test_who_types_none_waits(self) -> None:
        made = call(WELCOME, ["1", "1"], number="anonymous")
        assert (made.end, made.caller.queue, made.done.callbacks) == (End.QUEUED, "vendas", [])
        assert made.caller.heard[-1] == SAYS.callback_failed

    def test_what_cannot_be_written_is_tried_again(self) -> None:
        made = call(WELCOME, ["1", "1"], troubles=[Unavailable(), Unavailable()])
        assert made.done.callbacks == [(CUSTOMER, "vendas")]
        assert made.caller.heard.count(SAYS.one_moment) == 2

    def test_a_typed_number_is_not_asked_for_again(self) -> None:
        keys = ["1", "1", "21987654321#", "1"]
        made = call(WELCOME, keys, number="anonymous", troubles=[Unavailable()])
        assert made.done.callbacks == [("+5521987654321", "vendas")]

    def test_who_cannot_be_called_back_waits(self) -> None:
        made = call(WELCOME, ["1", "1"], troubles=[Unavailable()] * 3)
        assert (made.end, made.caller.queue) == (End.QUEUED, "vendas")
        assert made.caller.heard[-1] == SAYS.callback_failed


class TestFirstWords:
    def test_connect(self) -> None:
        made = call(FIRST_WORDS, ["1"])
        assert made.end is End.OVER
        assert made.caller.heard == ["Para falar conosco, 1. Para não receber mais, 9."]

    def test_hang_up(self) -> None:
        assert call(FIRST_WORDS).end is End.HUNG_UP

    def test_never_again(self) -> None:
        made = call(FIRST_WORDS, ["9"])
        assert (made.end, made.done.forbidden) == (End.HUNG_UP, [CUSTOMER])
        assert made.caller.heard[-1] == SAYS.do_not_call_noted

    def test_never_again_is_tried_again(self) -> None:
        made = call(FIRST_WORDS, ["9"], troubles=[Unavailable()])
        assert made.done.forbidden == [CUSTOMER]

    def test_nobody_is_told_that_it_is_noted_when_it_is_not(self) -> None:
        for made in (
            call(FIRST_WORDS, ["9"], troubles=[Unavailable()] * 3),
            call(WELCOME, ["9"], number="anonymous"),
        ):
            assert made.done.forbidden == []
            assert made.caller.heard[-1] == SAYS.do_not_call_failed


numbers = st.sampled_from([CUSTOMER, "anonymous"])
presses = st.lists(st.sampled_from([*KEYS, "", "11912345678#"]), max_size=60)
troubles = st.lists(st.sampled_from([None, Unavailable()]), max_size=8)


@given(trees(), presses, numbers, troubles)
def test_everybody_comes_to_an_end_and_nobody_is_dropped(
    tree: Tree, keys: list[str], number: str, troubles: list[Unavailable | None]
) -> None:
    made = call(tree, keys, number, troubles)
    hangs_up = any(isinstance(node, HangUp) for node in tree.nodes.values())
    last = End.QUEUED if tree.use is Use.INCOMING else End.OVER
    assert made.end in {last, End.HUNG_UP} if hangs_up else {last}


stages = st.sampled_from([*Stage, "x"])
counts = st.sampled_from(["0", "2", "30", "101", "-1", "x"])
positions = st.fixed_dictionaries(
    {"stage": stages},
    optional={
        "turns": counts,
        "tries": counts,
        "number": st.sampled_from([CUSTOMER, "<&>", "1" * 30]),
        "version": st.sampled_from(["0", "1", "x"]),
        "other": st.just("x"),
    },
)
forms = st.fixed_dictionaries(
    {},
    optional={
        "Digits": st.sampled_from(["", "1", "<9>", "\x0b1", "１１", "1" * 500]),
        "QueueResult": st.sampled_from(["", "leave", "bridged", "x"]),
    },
)


@given(trees(), st.data(), positions, forms)
def test_whatever_is_asked_is_answered(
    tree: Tree, data: st.DataObject, position: dict[str, str], told: dict[str, str]
) -> None:
    node = data.draw(st.sampled_from(sorted(tree.nodes)))
    # What is heard in a queue alone goes on for ever outside of one.
    assume(not isinstance(tree.nodes[node], Queue) or position["stage"] not in ("wait", "key"))
    made = call(tree, told=told, query=f"?{urlencode({'node': node, **position})}")
    is_over = tree.use is Use.FIRST_WORDS or told.get("QueueResult") == "bridged"
    assert made.end in {End.QUEUED, End.HUNG_UP} or (made.end is End.OVER and is_over)


def test_an_end_is_never_far() -> None:
    """A silent caller, in the longest way that a menu can have."""
    nodes: dict[str, Any] = {
        f"n{index}": {
            "kind": "menu",
            "prompt": {"kind": "speak", "text": "Digite."},
            "options": {"1": "n0"},
            "on_silence": f"n{index + 1}",
            "repeats": 5,
        }
        for index in range(99)
    }
    nodes["n99"] = {"kind": "hang_up"}
    tree = {"name": "Longo", "language": "pt-PT", "start": "n0", "nodes": nodes}
    made = call(tree)
    assert made.end is End.HUNG_UP
    assert len(made.caller.asked) == 1 + 99 * 6
