"""A telephone system of one's own, as docs/dialling.md asks for, that does as it is told."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.exchange import HANGS_UP, Answering, Asked, Exchange


@dataclass
class Switchboard(Exchange):
    """Takes orders as docs/dialling.md says, and keeps its word: one attempt is one call.

    `loses` answers are lost on their way back, after the calls were placed.
    """

    placed: list[dict[str, Any]] = field(default_factory=list)
    loses: int = 0
    before_answer: Callable[[], object] = lambda: None

    def answer(self, asked: Asked) -> Answering:
        self.asked.append(asked)
        if self.answers:
            return self.answers.pop(0)
        if asked.method == "GET":
            return self.found(asked.query["attempt_id"])
        self.placed.append(asked.json)
        self.before_answer()
        if self.loses:
            self.loses -= 1
            return HANGS_UP
        return self.found(asked.json["attempt_id"])

    def found(self, attempt_id: str) -> Answering:
        is_there = any(order["attempt_id"] == attempt_id for order in self.placed)
        return Answering(200, {"call_id": f"call-{attempt_id}"}) if is_there else Answering(404)

    @property
    def methods(self) -> list[str]:
        return [asked.method for asked in self.asked]
