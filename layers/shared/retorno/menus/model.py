"""A voice menu (URA) is a tree as data: nodes by name, each of which says which one comes next.

A caller who presses nothing is led along the ways that take no key. Those never go round, so
that everybody comes to an end: to a queue, to the operator, or to a node that hangs up.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from retorno.calling_rules.model import Scope
from retorno.customers.model import Text
from retorno.errors import InputTooLarge, InvalidInput
from retorno.frozen import Strict
from retorno.menus.rules import MenuRule

# It stands in addresses.

MAX_NODES = 100
# So many keys have to be pressed at most, to come to any node.
MAX_DEPTH = 6
# A menu is one item of DynamoDB's, which takes 400 KB.
MAX_TREE_BYTES = 200_000

# What XML cannot hold, not even escaped.
UNSPEAKABLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _speakable(text: str) -> str:
    if UNSPEAKABLE.search(text):
        raise ValueError("holds a character that cannot be spoken")
    return text


# A provider's own limits: 4,096 characters to be spoken, 64 of a queue's name.
Spoken = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000),
    AfterValidator(_speakable),
]
QueueName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=64),
    AfterValidator(_speakable),
]
RecordingUrl = Annotated[
    str, StringConstraints(pattern=r"^https://[^\s/?#]+[\x21-\x7e]*$", max_length=2_000)
]
NodeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
Key = Annotated[str, StringConstraints(pattern=r"^[0-9*#]$")]


class Language(StrEnum):
    """The voice that speaks."""

    BRAZIL = "pt-BR"
    PORTUGAL = "pt-PT"


class Use(StrEnum):
    INCOMING = "incoming"
    """Customers who ring hear it."""
    FIRST_WORDS = "first_words"
    """Customers whom Retorno calls hear it before they are connected."""


class Speech(Strict):
    kind: Literal["speak"]
    text: Spoken


class Recording(Strict):
    kind: Literal["play"]
    url: RecordingUrl


Prompt = Annotated[Speech | Recording, Field(discriminator="kind")]


class Speak(Speech):
    next: NodeName


class Play(Recording):
    next: NodeName


class Menu(Strict):
    """Asks for one key, and again up to `repeats` times after silence or a wrong key."""

    kind: Literal["menu"]
    prompt: Prompt
    options: Annotated[Mapping[Key, NodeName], Field(min_length=1)]
    on_silence: NodeName
    on_wrong_key: Annotated[
        NodeName | None, Field(description="As on_silence where it is not said")
    ] = None
    repeats: Annotated[int, Field(ge=0, le=5)] = 2
    seconds: Annotated[int, Field(ge=1, le=30, description="To press a key in")] = 5


class Waiting(Strict):
    """What a caller hears while they wait, again and again. `key` takes them out of the queue."""

    prompt: Prompt
    music: RecordingUrl | None = None
    key: Key
    then: NodeName


class Queue(Strict):
    """The caller waits for an operator; without `waiting`, to the provider's music."""

    kind: Literal["queue"]
    name: QueueName
    waiting: Waiting | None = None


class Callback(Strict):
    """A call back is asked for, with the place that the caller had in the queue. One that cannot
    be asked for waits in that queue."""

    kind: Literal["callback"]
    queue: QueueName
    words: Annotated[Prompt | None, Field(description="Heard once it is asked for")] = None
    next: NodeName


class DoNotCall(Strict):
    """The customer's number goes on the do-not-call list."""

    kind: Literal["do_not_call"]
    scope: Scope = Scope.ALL
    words: Annotated[Prompt | None, Field(description="Heard once it is on the list")] = None
    next: NodeName


class Connect(Strict):
    """Of first words: the customer and the operator are connected."""

    kind: Literal["connect"]


class HangUp(Strict):
    kind: Literal["hang_up"]


Node = Annotated[
    Speak | Play | Menu | Queue | Callback | DoNotCall | Connect | HangUp,
    Field(discriminator="kind"),
]

OF_ONE_USE: Mapping[type[BaseModel], Use] = {
    Queue: Use.INCOMING,
    Callback: Use.INCOMING,
    Connect: Use.FIRST_WORDS,
}


class Way(NamedTuple):
    """From one node to another. `field` is where the first one says it."""

    field: str
    target: str
    takes_key: bool = False


def ways(node: Node) -> Iterator[Way]:
    match node:
        case Speak() | Play() | Callback() | DoNotCall():
            yield Way("next", node.next)
        case Menu():
            yield Way("on_silence", node.on_silence)
            if node.on_wrong_key:
                yield Way("on_wrong_key", node.on_wrong_key)
            for key, target in node.options.items():
                yield Way(f"options.{key}", target, takes_key=True)
        case Queue(waiting=Waiting() as waiting):
            yield Way("waiting.then", waiting.then, takes_key=True)


class Tree(Strict):
    """A whole menu, as people write it. `start` is where a call comes in."""

    name: Annotated[Text, Field(description="What people read")]
    use: Use = Use.INCOMING
    language: Language
    start: NodeName
    nodes: Annotated[Mapping[NodeName, Node], Field(min_length=1, max_length=MAX_NODES)]

    def check(self, rules: tuple[MenuRule, ...] = ()) -> None:
        """Raises InvalidInput, which names the path of what is wrong; InputTooLarge."""
        if len(self.model_dump_json().encode()) > MAX_TREE_BYTES:
            raise InputTooLarge("nodes", f"are more than {MAX_TREE_BYTES} bytes")
        self._check_targets()
        self._check_use()
        self._check_silence()
        self._check_depth()
        for rule in rules:
            self._check_first_menu(rule)

    def _check_targets(self) -> None:
        if self.start not in self.nodes:
            raise InvalidInput("start", f"there is no node {self.start}")
        for name, node in self.nodes.items():
            for way in ways(node):
                if way.target not in self.nodes:
                    raise InvalidInput(
                        f"nodes.{name}.{way.field}", f"there is no node {way.target}"
                    )

    def _check_use(self) -> None:
        for name, node in self.nodes.items():
            if OF_ONE_USE.get(type(node), self.use) is not self.use:
                raise InvalidInput(f"nodes.{name}.kind", f"{node.kind} is not for {self.use}")

    def _check_silence(self) -> None:
        """Whoever presses nothing comes to an end."""
        led = {
            name: [way.target for way in ways(node) if not way.takes_key]
            for name, node in self.nodes.items()
        }
        try:
            TopologicalSorter(led).prepare()
        except CycleError as error:
            # Each follows the one after it in the sorter's list: there, targets come first.
            round_trip = error.args[1][::-1]
            raise InvalidInput(
                f"nodes.{round_trip[0]}", f"goes round without a key: {', '.join(round_trip)}"
            ) from None

    def _check_depth(self) -> None:
        reached: set[str] = set()
        frontier = {self.start}
        for _ in range(MAX_DEPTH + 1):
            reached |= (level := self._without_key(frontier))
            found = {
                way.target for name in level for way in ways(self.nodes[name]) if way.takes_key
            }
            frontier = found - reached
        if frontier:
            raise InvalidInput(f"nodes.{min(frontier)}", f"is more than {MAX_DEPTH} keys away")
        if unreached := sorted(set(self.nodes) - reached):
            raise InvalidInput(f"nodes.{unreached[0]}", "no way leads to it")

    def _without_key(self, names: set[str]) -> set[str]:
        """All that these lead to without a key, themselves included."""
        reached: set[str] = set()
        to_look_at = list(names)
        while to_look_at:
            name = to_look_at.pop()
            if name not in reached:
                reached.add(name)
                to_look_at += [way.target for way in ways(self.nodes[name]) if not way.takes_key]
        return reached

    def _check_first_menu(self, rule: MenuRule) -> None:
        """The first menu is the one that is heard before any key was pressed."""
        if self.use is not Use.INCOMING:
            return
        name, node = self.start, self.nodes[self.start]
        while isinstance(node, Speak | Play | Callback | DoNotCall):
            name, node = node.next, self.nodes[node.next]
        if isinstance(node, Menu) and len(node.options) > rule.max_options:
            raise InvalidInput(f"nodes.{name}.options", f"{rule.title.en} ({rule.id})")


class StoredMenu(Strict):
    """A version of a menu. Calls that began with it go on with it for a day after it is
    `retired`, replaced or deleted."""

    menu: str
    version: int
    tree: Tree
    changed_at: datetime
    changed_by: str
    retired: bool = False
