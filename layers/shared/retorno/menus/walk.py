"""A caller's way through a menu: what they hear next, from where they are and what they did.

Nothing is remembered of a call between two steps. Whoever speaks to the caller is given, with each
question, the position to come back with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import Field

from retorno.errors import Unavailable
from retorno.frozen import Strict
from retorno.menus.model import (
    Callback,
    Connect,
    DoNotCall,
    HangUp,
    Menu,
    NodeName,
    Play,
    Prompt,
    Queue,
    Recording,
    Speak,
    Speech,
    Tree,
    Use,
    Waiting,
)
from retorno.menus.words import WORDS
from retorno.phone import NumberPlan
from retorno.telephony.ports import CallEvent

# Who has pressed so many keys is going round: from here on, they are led as if they pressed none.
MAX_TURNS = 30
MAX_TRIES = 2

PAUSE_SECONDS = 5
# Between two times that a waiting caller hears their menu, where there is no music.
WAITING_SECONDS = 15
TYPING_SECONDS = 10
CONFIRMS = "1"


class Stage(StrEnum):
    """What a caller has come to a node for."""

    ENTER = "enter"
    KEY = "key"
    """They were asked for a key of a menu, or while they wait in a queue."""
    WAIT = "wait"
    LEFT_QUEUE = "left_queue"
    TYPED = "typed"
    """They were asked for their number."""
    CONFIRMED = "confirmed"
    """They were asked whether it was understood."""
    AGAIN = "again"
    """Their number is known, and what they asked for could not be written down before."""


class Position(Strict):
    """Where a caller is: in which version of the menu, at which of its nodes, and for what.

    `turns` counts the keys that led them on, `tries` what was tried at the node. `number` is the
    one that they typed.
    """

    version: Annotated[int, Field(ge=1)] | None = None
    use: Use = Use.INCOMING
    node: NodeName | None = None
    stage: Stage = Stage.ENTER
    turns: Annotated[int, Field(ge=0, le=1_000)] = 0
    tries: Annotated[int, Field(ge=0, le=100)] = 0
    number: Annotated[str, Field(max_length=20)] | None = None


class QueueEnd(StrEnum):
    """How a caller left a queue, as far as it matters here."""

    LEFT = "left"
    """By a key."""
    OVER = "over"
    """They talked with an operator, hung up, or were taken elsewhere."""
    REFUSED = "refused"
    """The queue is full, or did not work."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What came from the caller. `call` is what the provider tells of the call."""

    call: CallEvent
    digits: str = ""
    queue_end: QueueEnd | None = None

    @property
    def number(self) -> str | None:
        """The customer's, of a call in or out; None where it is withheld."""
        return self.call.number or self.call.leg_number


@dataclass(frozen=True, slots=True)
class Ask:
    """Says the prompts, and takes `digits` digits; any number of them up to a "#" where it is None.

    `then` comes after `seconds` without one, too, and is told what was pressed.
    """

    prompts: Sequence[Prompt]
    then: Position
    digits: int | None = 1
    seconds: int = 5


@dataclass(frozen=True, slots=True)
class Enqueue:
    """Puts the caller into a queue. They hear what is at `waiting`, over and over."""

    queue: str
    waiting: Position | None
    afterwards: Position


@dataclass(frozen=True, slots=True)
class GoOn:
    """After a pause of so many seconds."""

    seconds: int
    at: Position


class Last(StrEnum):
    LEAVE_QUEUE = "leave_queue"
    HANG_UP = "hang_up"


# What is done in turn. After the last one a call that came in is over, and the sides of one that
# goes out are connected.
Act = Prompt | Ask | Enqueue | GoOn | Last


class Deeds(Protocol):
    """What a menu brings about for its caller."""

    def enter_queue(self, queue: str) -> None: ...

    def call_back(self, number: str, queue: str) -> None:
        """Raises Unavailable."""

    def do_not_call(self, number: str, node: DoNotCall) -> None:
        """Raises Unavailable."""


class Walk:
    """One step of one caller."""

    def __init__(
        self, tree: Tree, at: Position, heard: Heard, deeds: Deeds, plan: NumberPlan
    ) -> None:
        self._tree = tree
        self._words = WORDS[tree.language]
        self._at = at
        self._heard = heard
        self._deeds = deeds
        self._plan = plan
        self._acts: list[Act] = []

    def acts(self) -> list[Act]:
        name = self._at.node or self._tree.start
        self._at = self._at.model_copy(update={"node": name})
        match self._at.stage, self._tree.nodes[name]:
            case Stage.KEY, Menu() as menu:
                self._take_key(menu)
            case Stage.WAIT, Queue(waiting=Waiting() as waiting):
                self._wait(waiting)
            case Stage.KEY, Queue(waiting=Waiting() as waiting):
                self._take_waiting_key(waiting)
            case Stage.LEFT_QUEUE, (Queue() | Callback()) as node:
                self._leave_queue(node)
            case Stage.TYPED, Callback() as node:
                self._take_number(node)
            case Stage.CONFIRMED, Callback() as node:
                self._take_confirmation(node)
            case Stage.AGAIN, Callback() as node:
                self._call_back(node)
            case _:
                self._enter(name, self._at.tries)
        return self._acts

    def _enter(self, name: str, tries: int = 0) -> None:
        self._at = self._at.model_copy(
            update={"node": name, "stage": Stage.ENTER, "tries": tries, "number": None}
        )
        match self._tree.nodes[name]:
            case (Speak() | Play()) as said:
                self._acts.append(said)
                self._enter(said.next)
            case Menu() as menu if self._at.turns >= MAX_TURNS:
                self._enter(menu.on_silence)
            case Menu() as menu:
                self._ask(menu.prompt, stage=Stage.KEY, seconds=menu.seconds)
            case Queue() as queue:
                self._enqueue(queue)
            case Callback() as callback:
                self._call_back(callback)
            case DoNotCall() as forbid:
                self._do_not_call(forbid)
            case HangUp():
                self._acts.append(Last.HANG_UP)
            case Connect():
                pass

    def _take_key(self, menu: Menu) -> None:
        key = self._heard.digits
        if key in menu.options:
            self._turn_to(menu.options[key])
        elif self._at.tries < menu.repeats:
            wrong = [self._speech(self._words.wrong_key)] if key else []
            self._ask(
                *wrong,
                menu.prompt,
                stage=Stage.KEY,
                seconds=menu.seconds,
                tries=self._at.tries + 1,
            )
        else:
            self._enter((menu.on_wrong_key if key else None) or menu.on_silence)

    def _turn_to(self, name: str) -> None:
        self._at = self._then(turns=min(self._at.turns + 1, MAX_TURNS))
        self._enter(name)

    def _enqueue(self, node: Queue | Callback) -> None:
        queue = node.name if isinstance(node, Queue) else node.queue
        waits = isinstance(node, Queue) and node.waiting is not None
        self._deeds.enter_queue(queue)
        self._acts.append(
            Enqueue(
                queue,
                self._then(stage=Stage.WAIT, tries=0, number=None) if waits else None,
                self._then(stage=Stage.LEFT_QUEUE, tries=0, number=None),
            )
        )

    def _wait(self, waiting: Waiting) -> None:
        if waiting.music:
            music = Recording(kind="play", url=waiting.music)
            self._ask(waiting.prompt, music, stage=Stage.KEY, seconds=1)
        else:
            self._ask(waiting.prompt, stage=Stage.KEY, seconds=WAITING_SECONDS)

    def _take_waiting_key(self, waiting: Waiting) -> None:
        if self._heard.digits == waiting.key:
            self._acts.append(Last.LEAVE_QUEUE)
        else:
            self._wait(waiting)

    def _leave_queue(self, node: Queue | Callback) -> None:
        waiting = node.waiting if isinstance(node, Queue) else None
        match self._heard.queue_end:
            case QueueEnd.LEFT if waiting:
                self._turn_to(waiting.then)
            case QueueEnd.OVER:
                pass
            case _:
                self._say(self._words.still_waiting)
                self._acts.append(GoOn(PAUSE_SECONDS, self._then(stage=Stage.ENTER)))

    def _call_back(self, node: Callback) -> None:
        number = self._at.number or self._heard.number
        if number is None:
            self._ask_for_number(node)
            return
        try:
            self._deeds.call_back(number, node.queue)
        except Unavailable:
            if not self._tries_again():
                self._fall_back(node)
        else:
            self._end(node, self._words.callback_asked)

    def _fall_back(self, node: Callback) -> None:
        """Who cannot be called back waits."""
        self._say(self._words.callback_failed)
        self._enqueue(node)

    def _ask_for_number(self, node: Callback) -> None:
        if self._at.tries > MAX_TRIES:
            self._fall_back(node)
        else:
            prompt = self._speech(self._words.type_number)
            self._ask(prompt, stage=Stage.TYPED, digits=None, seconds=TYPING_SECONDS, number=None)

    def _take_number(self, node: Callback) -> None:
        number = self._plan.parse(self._heard.digits)
        if number:
            digits = ", ".join(self._heard.digits)
            prompt = self._speech(self._words.read_back.format(digits=digits))
            self._ask(prompt, stage=Stage.CONFIRMED, seconds=TYPING_SECONDS, number=number.e164)
        else:
            self._say(self._words.no_number)
            self._ask_again_for_number(node)

    def _take_confirmation(self, node: Callback) -> None:
        if self._heard.digits == CONFIRMS:
            self._call_back(node)
        else:
            self._ask_again_for_number(node)

    def _ask_again_for_number(self, node: Callback) -> None:
        self._at = self._then(tries=self._at.tries + 1)
        self._ask_for_number(node)

    def _do_not_call(self, node: DoNotCall) -> None:
        number = self._heard.number
        try:
            if number:
                self._deeds.do_not_call(number, node)
        except Unavailable:
            if self._tries_again():
                return
            number = None
        if number:
            self._end(node, self._words.do_not_call_noted)
        else:
            self._say(self._words.do_not_call_failed)
            self._enter(node.next)

    def _tries_again(self) -> bool:
        """Whether what could not be written down is tried once more, in a moment."""
        if self._at.tries >= MAX_TRIES:
            return False
        self._say(self._words.one_moment)
        again = self._then(stage=Stage.AGAIN, tries=self._at.tries + 1)
        self._acts.append(GoOn(PAUSE_SECONDS, again))
        return True

    def _end(self, node: Callback | DoNotCall, words: str) -> None:
        self._acts.append(node.words or self._speech(words))
        self._enter(node.next)

    def _then(self, **changes: object) -> Position:
        return self._at.model_copy(update=changes)

    @staticmethod
    def _speech(text: str) -> Speech:
        return Speech(kind="speak", text=text)

    def _say(self, text: str) -> None:
        self._acts.append(self._speech(text))

    def _ask(
        self,
        *prompts: Prompt,
        stage: Stage,
        seconds: int,
        digits: int | None = 1,
        **changes: object,
    ) -> None:
        then = self._then(stage=stage, **changes)
        self._acts.append(Ask(prompts, then, digits, seconds))
