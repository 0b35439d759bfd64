"""What makes a tree a menu, and what is said of one that is none."""

import copy
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from pydantic import ValidationError

from retorno.calling_rules.profiles import chosen
from retorno.errors import InputTooLarge, InvalidInput
from retorno.menus.model import MAX_DEPTH, MAX_NODES, Tree, Use
from retorno.menus.rules import RULES, rules_of
from tests.support.menus import FIRST_WORDS, WELCOME, trees

HANG_UP = {"kind": "hang_up"}
PROMPT = {"kind": "speak", "text": "Digite."}


def tree(nodes: dict[str, Any], **fields: Any) -> Tree:
    said = {"name": "URA", "language": "pt-BR", "start": "a", "nodes": nodes, **fields}
    return Tree.model_validate(said)


def menu(options: dict[str, str], on_silence: str = "fim", **fields: Any) -> dict[str, Any]:
    common = {"kind": "menu", "prompt": PROMPT, "options": options, "on_silence": on_silence}
    return {**common, **fields}


def speak(following: str) -> dict[str, Any]:
    return {"kind": "speak", "text": "Olá.", "next": following}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The welcome with one thing in it otherwise."""
    wrong = copy.deepcopy(WELCOME)
    *outer, last = path.split("/")
    inner = wrong
    for name in outer:
        inner = inner[name]
    inner[last] = value
    return wrong


@pytest.mark.parametrize("said", [WELCOME, FIRST_WORDS])
def test_a_good_menu_is_taken(said: dict[str, Any]) -> None:
    good = Tree.model_validate(said)
    good.check(RULES)
    assert Tree.model_validate_json(good.model_dump_json()) == good


def test_the_menus_of_the_manual_are_good() -> None:
    manual = Path(__file__).parents[2] / "docs" / "menus.md"
    written = re.findall(r"```json\n(.*?)```", manual.read_text(encoding="utf-8"), re.DOTALL)
    menus = [Tree.model_validate_json(each) for each in written]
    assert [menu.use for menu in menus] == [Use.INCOMING, Use.FIRST_WORDS]
    for menu in menus:
        menu.check(RULES)


@given(trees())
def test_any_good_menu_is_the_same_once_written_and_read(good: Tree) -> None:
    good.check()
    assert Tree.model_validate_json(good.model_dump_json(exclude_none=True)) == good


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("language", "en-US", "language"),
        ("start", "a b", "start"),
        ("nodes", {}, "nodes"),
        ("nodes/ola/kind", "sing", "nodes.ola"),
        ("nodes/ola/text", "  ", "nodes.ola.speak.text"),
        ("nodes/ola/text", "a\x00b", "nodes.ola.speak.text"),
        ("nodes/ola/text", "a\x0bb", "nodes.ola.speak.text"),
        ("nodes/ola/text", "á" * 1001, "nodes.ola.speak.text"),
        ("nodes/ola/next", None, "nodes.ola.speak.next"),
        ("nodes/ola/voice", "ana", "nodes.ola.speak.voice"),
        ("nodes/principal/options", {}, "nodes.principal.menu.options"),
        ("nodes/principal/options", {"12": "fim"}, "nodes.principal.menu.options.12.[key]"),
        ("nodes/principal/options", {"A": "fim"}, "nodes.principal.menu.options.A.[key]"),
        ("nodes/principal/repeats", 6, "nodes.principal.menu.repeats"),
        ("nodes/principal/seconds", 0, "nodes.principal.menu.seconds"),
        ("nodes/vendas/name", "v" * 65, "nodes.vendas.queue.name"),
        ("nodes/vendas/waiting/key", "10", "nodes.vendas.queue.waiting.key"),
        ("nodes/vendas/waiting/music", "http://a.example/b", "nodes.vendas.queue.waiting.music"),
        ("nodes/vendas/waiting/music", "https:///b", "nodes.vendas.queue.waiting.music"),
        ("nodes/vendas/waiting/music", "https://a.example/ b", "nodes.vendas.queue.waiting.music"),
        ("nodes/sair/scope", "some", "nodes.sair.do_not_call.scope"),
    ],
)
def test_a_field_that_cannot_be_so_is_named(path: str, value: Any, field: str) -> None:
    with pytest.raises(ValidationError) as problem:
        Tree.model_validate(changed(path, value))
    assert [".".join(map(str, each["loc"])) for each in problem.value.errors()] == [field]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (tree({"fim": HANG_UP}), "start"),
        (tree({"a": speak("b")}), "nodes.a.next"),
        (tree({"a": menu({"1": "b"}), "fim": HANG_UP}), "nodes.a.options.1"),
        (tree({"a": menu({"1": "fim"}, "b"), "fim": HANG_UP}), "nodes.a.on_silence"),
        (
            tree({"a": menu({"1": "fim"}, on_wrong_key="b"), "fim": HANG_UP}),
            "nodes.a.on_wrong_key",
        ),
        (
            Tree.model_validate(changed("nodes/vendas/waiting/then", "b")),
            "nodes.vendas.waiting.then",
        ),
        (tree({"a": speak("fim"), "fim": HANG_UP, "b": HANG_UP}), "nodes.b"),
        (tree({"a": {"kind": "connect"}}), "nodes.a.kind"),
        (tree({"a": {"kind": "queue", "name": "v"}}, use="first_words"), "nodes.a.kind"),
        (
            tree(
                {"a": {"kind": "callback", "queue": "v", "next": "fim"}, "fim": HANG_UP},
                use="first_words",
            ),
            "nodes.a.kind",
        ),
    ],
)
def test_what_does_not_fit_together_is_named(wrong: Tree, field: str) -> None:
    with pytest.raises(InvalidInput) as problem:
        wrong.check()
    assert problem.value.field == field


@pytest.mark.parametrize(
    "nodes",
    [
        {"a": speak("a")},
        {"a": speak("b"), "b": speak("a")},
        {"a": menu({"1": "fim"}, "a"), "fim": HANG_UP},
        {"a": menu({"1": "fim"}, "fim", on_wrong_key="b"), "b": speak("a"), "fim": HANG_UP},
        {
            "a": {"kind": "callback", "queue": "v", "next": "b"},
            "b": {"kind": "do_not_call", "next": "a"},
        },
    ],
)
def test_nobody_goes_round_without_a_key(nodes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="goes round without a key: ") as problem:
        tree(nodes).check()
    told = problem.value.reason.partition(": ")[2].split(", ")
    assert problem.value.field == f"nodes.{told[0]}"
    assert told[0] == told[-1]
    for one, other in pairwise(told):
        assert other in nodes[one].values(), told


def test_a_key_may_lead_back() -> None:
    tree({"a": menu({"1": "fim", "0": "b"}), "b": speak("a"), "fim": HANG_UP}).check()


def in_a_row(menus: int) -> dict[str, Any]:
    nodes = {f"m{index}": menu({"1": f"m{index + 1}"}) for index in range(menus)}
    return {"a": speak("m0"), **nodes, f"m{menus}": speak("fim"), "fim": HANG_UP}


def test_no_node_is_too_far_away() -> None:
    tree(in_a_row(MAX_DEPTH)).check()
    with pytest.raises(InvalidInput, match="more than 6 keys away") as problem:
        tree(in_a_row(MAX_DEPTH + 1)).check()
    assert problem.value.field == f"nodes.m{MAX_DEPTH + 1}"


def chain(length: int) -> dict[str, Any]:
    nodes = {f"n{index}": speak(f"n{index + 1}") for index in range(1, length - 2)}
    return {"a": speak("n1"), **nodes, f"n{length - 2}": speak("fim"), "fim": HANG_UP}


def test_a_menu_has_an_end_to_its_size() -> None:
    tree(chain(MAX_NODES)).check()
    with pytest.raises(ValidationError, match="at most 100 items"):
        tree(chain(MAX_NODES + 1))
    large = chain(MAX_NODES)
    for each in large.values():
        if "text" in each:
            each["text"] = "\N{GRINNING FACE}" * 1000
    with pytest.raises(InputTooLarge):
        tree(large).check()


def options(count: int) -> dict[str, Any]:
    return menu(dict.fromkeys("123456789"[:count], "fim"))


class TestFirstMenu:
    PORTUGAL = rules_of(chosen((), "PT"))

    def test_has_at_most_five_options_in_portugal(self) -> None:
        tree({"a": speak("b"), "b": options(5), "fim": HANG_UP}).check(self.PORTUGAL)
        with pytest.raises(InvalidInput, match="pt-dl-134-2009/first-menu") as problem:
            tree({"a": speak("b"), "b": options(6), "fim": HANG_UP}).check(self.PORTUGAL)
        assert problem.value.field == "nodes.b.options"

    def test_is_the_only_one_that_counts(self) -> None:
        nodes = {"a": menu({"1": "b"}), "b": options(9), "fim": HANG_UP}
        tree(nodes).check(self.PORTUGAL)

    def test_is_of_those_who_ring(self) -> None:
        tree({"a": options(6), "fim": HANG_UP}, use="first_words").check(self.PORTUGAL)

    @pytest.mark.parametrize(("profiles", "country"), [((), "BR"), (("none",), "PT")])
    def test_may_be_as_long_as_it_likes_elsewhere(
        self, profiles: tuple[str, ...], country: str
    ) -> None:
        nodes = {"a": options(9), "fim": HANG_UP}
        tree(nodes).check(rules_of(chosen(profiles, country)))
