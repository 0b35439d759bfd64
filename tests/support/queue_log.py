"""A queue_log of a busy day, and what a careful person reads in it line by line.

The reading shares nothing with the product: it is what the product is held against.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from random import Random

WINDOW = 7 * 24 * 3600
PERSON_TALKS = 15
AGENTS = ("Ana Souza", "Bia", "SIP/1003", "José")


def write(seed: int, calls: int = 220) -> list[str]:
    """Lines in the order of their times; numbers and call ids are the seed's own."""
    random = Random(seed)
    people = [
        f"{random.choice((11, 21, 85))}9{seed:02}{n:02}{n * 37 % 10000:04}" for n in range(25)
    ]
    people = [f"{p[:3]}{random.randint(6, 9)}{p[4:]}" for p in people]
    lines: list[tuple[int, str]] = []
    now = 1_700_000_000 + seed * 1_000_000
    for number in range(calls):
        now += random.randint(20, 400)
        call_id = f"{now}.{seed}{number:04}"
        person = random.choice(people)
        make = random.choice((_answered, _abandoned, _timed_out, _rang_out, _rang_out, _overflowed))
        lines += [(at, f"{at}|{call_id}|{rest}") for at, rest in make(now, person, random)]
        if random.random() < 0.1:
            lines.append((now, f"{now}|NONE|NONE|SIP/1003|PAUSE|lunch"))
        if random.random() < 0.1:
            lines.append(random.choice(lines[-3:]))
    return [text for _, text in sorted(lines, key=lambda line: line[0])]


def _written(person: str, random: Random) -> str:
    """One of the ways in which switchboards write a mobile's number."""
    area, rest = person[:2], person[3:]
    return random.choice((person, f"+55{person}", f"0{person}", f"{area}{rest}", f"55{area}{rest}"))


Lines = list[tuple[int, str]]


def _entered(at: int, person: str, random: Random, queue: str = "201") -> tuple[int, str]:
    caller = "anonymous" if random.random() < 0.05 else _written(person, random)
    return at, f"{queue}|NONE|ENTERQUEUE||{caller}|1"


def _answered(at: int, person: str, random: Random) -> Lines:
    hold, talk = random.randint(1, 60), random.randint(5, 300)
    agent = random.choice(AGENTS)
    lines = [_entered(at, person, random), (at + hold, f"201|{agent}|CONNECT|{hold}|1.1|1")]
    if random.random() < 0.9:
        end = random.choice(("COMPLETEAGENT", "COMPLETECALLER"))
        lines.append((at + hold + talk, f"201|{agent}|{end}|{hold}|{talk}|1"))
    return lines


def _abandoned(at: int, person: str, random: Random) -> Lines:
    wait = random.randint(1, 90)
    rings = (at + wait // 2, f"201|{random.choice(AGENTS)}|RINGNOANSWER|{wait * 400}")
    lines = [_entered(at, person, random), rings]
    return lines if random.random() < 0.1 else [*lines, (at + wait, f"201|NONE|ABANDON|1|1|{wait}")]


def _timed_out(at: int, person: str, random: Random) -> Lines:
    return [_entered(at, person, random), (at + 60, "201|NONE|EXITWITHTIMEOUT|1|1|60")]


def _overflowed(at: int, person: str, random: Random) -> Lines:
    lines = [*_timed_out(at, person, random), _entered(at + 60, person, random, "202")]
    wait = random.randint(1, 50)
    if random.random() < 0.5:
        return [*lines, (at + 60 + wait, f"202|NONE|ABANDON|1|1|{wait}")]
    connected = (at + 60 + wait, f"202|Bia|CONNECT|{wait}|1.1|1")
    return [*lines, connected, (at + 160 + wait, f"202|Bia|COMPLETECALLER|{wait}|100|1")]


def _rang_out(at: int, person: str, random: Random) -> Lines:
    agent, number = random.choice(AGENTS), _written(person, random)
    lines = [(at, f"NONE|{agent}|OUTDIAL|{number}")]
    rang = random.randint(1, 30)
    if random.random() < 0.5:
        end = random.choice((f"OUTCANCEL|{number}||{rang}", f"OUTCONGESTION|{number}"))
        return [*lines, (at + rang, f"NONE|{agent}|{end}")]
    talk = random.choice((random.randint(1, 14), random.randint(15, 400)))
    end = f"OUTANSWER|{number}|COMPLETEAGENT|{rang}|{talk}"
    return [*lines, (at + rang + talk, f"NONE|{agent}|{end}")]


@dataclass
class Read:
    """One call as a person reads it."""

    entered: int | None = None
    began: int | None = None
    answered: int | None = None
    ended: int | None = None
    outgoing: bool = False
    person: str | None = None
    talk: int = 0
    outcome: str = "open"
    won_by: str | None = None
    seconds: int | None = None
    attempts: int = 0

    @property
    def is_missed(self) -> bool:
        return not self.outgoing and self.answered is None and self.ended is not None

    @property
    def hangs(self) -> bool:
        """Nobody answered, and the log does not say how it ended."""
        return not self.outgoing and self.answered is None and self.ended is None


def read(lines: list[str]) -> dict[str, Read]:
    """By call id; times in epoch seconds. Calls without an end stay without."""
    calls: dict[str, Read] = defaultdict(Read)
    for line in sorted(set(lines), key=lambda text: (int(text.split("|")[0]), _after_exit(text))):
        at, call_id, _, _, event, *data = line.split("|")
        if call_id != "NONE":
            _follow(calls[call_id], int(at), event, data)
    for missed in calls.values():
        if missed.is_missed:
            _judge(missed, calls)
    return dict(calls)


def _after_exit(line: str) -> int:
    """Within one second a caller leaves a queue before entering the next."""
    return {"EXITWITHTIMEOUT": 0, "ENTERQUEUE": 1}.get(line.split("|")[4], 2)


def _follow(call: Read, at: int, event: str, data: list[str]) -> None:
    call.began = at if call.began is None else call.began
    if event == "ENTERQUEUE":
        call.entered = at if call.entered is None else call.entered
        call.person, call.ended = call.person or _person(data[1]), None
    elif event == "CONNECT":
        call.answered, call.ended = at, None
    elif event in ("COMPLETEAGENT", "COMPLETECALLER"):
        call.ended, call.talk = at, int(data[1])
    elif event in ("ABANDON", "EXITWITHTIMEOUT"):
        call.ended = at
    elif event.startswith("OUT"):
        call.outgoing, call.person = True, _person(data[0])
        if event != "OUTDIAL":
            call.ended = at
        if event == "OUTANSWER":
            call.talk = int(data[3])
            call.answered = at - call.talk


def _person(written: str) -> str | None:
    """Area code and last eight digits."""
    digits = re.sub(r"\D", "", written).removeprefix("0")
    digits = digits.removeprefix("55") if len(digits) > 11 else digits
    return digits[:2] + digits[-8:] if len(digits) >= 10 else None


def _judge(missed: Read, calls: dict[str, Read]) -> None:
    assert missed.ended is not None
    if missed.person is None:
        return
    later = {
        call_id: call
        for call_id, call in calls.items()
        if call.person == missed.person and call.began is not None and call.began >= missed.ended
    }
    answers = sorted(
        (call.answered, call_id)
        for call_id, call in later.items()
        if call.answered is not None
        and (not call.outgoing or (call.ended is not None and call.talk >= PERSON_TALKS))
        and call.answered <= missed.ended + WINDOW
    )
    until = missed.ended + WINDOW
    if answers:
        until, missed.won_by = answers[0]
        outgoing = calls[missed.won_by].outgoing
        missed.outcome = "recovered" if outgoing else "returned"
        missed.seconds = until - missed.ended if outgoing else None
    missed.attempts = sum(
        call.outgoing
        and call.ended is not None
        and call.talk < PERSON_TALKS
        and (call.began or 0) <= until
        for call in later.values()
    )
