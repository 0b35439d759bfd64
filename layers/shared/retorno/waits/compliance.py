"""What is counted of waits, and what the counts say of a period: docs/waiting_times.md."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil, floor, log
from typing import NamedTuple, Self

from retorno.counters.model import Amounts, Cell, Contribution, Told
from retorno.errors import InvalidInput
from retorno.frozen import Frozen
from retorno.waits.model import DayType, Outcome, Wait

SCOPE = "waits"
# Comes after all that follows a day.
LAST_VALUE = "\U0010ffff"

MAX_DAYS_OF_QUEUE = 366
MAX_DAYS = 92

RATE_DIGITS = 4

# A longest wait cannot be added up, but waits of some length can: each length is a tenth longer
# than the one before. The last is for all that is longer than four hours.
STEP = 1.1
LENGTHS = 102
LENGTH_NAMES = [f"up_to_{length}" for length in range(LENGTHS)]


def length_of(seconds: float) -> int:
    """Which of the lengths a wait has; 0 is up to a second."""
    return min(ceil(log(max(seconds, 1)) / log(STEP)), LENGTHS - 1)


def longest_of(length: int) -> int:
    """The whole seconds that no wait of a length is longer than, but for the last length's."""
    return floor(STEP**length) + 1 if length else 1


class Figures(Frozen):
    """Of waits that began in a period, without those that go on and are within their limit.

    `left_in_time` are callers who were gone before the limit: nobody knows whether they would have
    been answered in time. Shares are None where there is nothing to divide by.
    """

    waits: int = 0
    answered: int = 0
    left: int = 0
    unknown: int = 0
    in_time: int = 0
    breaches: int = 0
    left_in_time: int = 0
    waited_seconds: int = 0

    @property
    def share_in_time(self) -> float | None:
        judged = self.in_time + self.breaches
        return round(self.in_time / judged, RATE_DIGITS) if judged else None

    @property
    def average_seconds(self) -> float | None:
        ended = self.answered + self.left
        return round(self.waited_seconds / ended, 1) if ended else None


NAMES = frozenset({*Figures.model_fields, *LENGTH_NAMES})


class Group(NamedTuple):
    """Waits that are judged alike. `limit_seconds` is None where they are only counted."""

    queue: str
    day_type: DayType
    rule: str
    limit_seconds: int | None


def told_of(wait: Wait) -> Told:
    """What a wait adds to the counters from its revision on."""
    return Told(f"{SCOPE}#{wait.call_id}", 2 * wait.revision, contribution_of(wait))


def contribution_of(wait: Wait) -> Contribution:
    amounts = {name: amount for name, amount in _amounts(wait).items() if amount}
    if not amounts:
        return {}
    group = Group(wait.queue or "", wait.day_type, wait.rule, wait.limit_seconds)
    name = _name(wait.day, group)
    return {Cell(scope_of(queue), name): amounts for queue in (None, group.queue)}


def _amounts(wait: Wait) -> Mapping[str, int]:
    goes_on_in_time = wait.outcome is Outcome.WAITING and not wait.breached
    if goes_on_in_time or wait.outcome is Outcome.NONE:
        return {}
    is_answered, is_gone = wait.outcome is Outcome.ANSWERED, wait.outcome is Outcome.LEFT
    is_in_time = wait.limit_seconds is not None and not wait.breached
    figures = Figures(
        waits=1,
        answered=is_answered,
        left=is_gone,
        unknown=wait.outcome is Outcome.UNKNOWN,
        in_time=is_answered and is_in_time,
        breaches=wait.breached,
        left_in_time=is_gone and is_in_time,
        waited_seconds=round(wait.seconds or 0),
    )
    lengths = {} if wait.seconds is None else {LENGTH_NAMES[length_of(wait.seconds)]: 1}
    return {**figures.model_dump(), **lengths}


def scope_of(queue: str | None) -> str:
    """None for all queues."""
    return SCOPE if queue is None else f"{SCOPE}#queue#{queue}"


def _name(day: date, group: Group) -> str:
    """ "2026-03-02#peak#90#br-portaria-2014-2008/financial#sac": a queue may have any name."""
    limit = "" if group.limit_seconds is None else group.limit_seconds
    return f"{day.isoformat()}#{group.day_type}#{limit}#{group.rule}#{group.queue}"


def _group(name: str) -> Group:
    _, day_type, limit, rule, queue = name.split("#", 4)
    return Group(queue, DayType(day_type), rule, int(limit) if limit else None)


class Line(NamedTuple):
    """`longest_seconds` is at most a tenth more than the longest; None where no wait has ended."""

    figures: Figures
    longest_seconds: int | None

    @classmethod
    def of(cls, amounts: Amounts) -> "Line":
        lengths = [n for n, name in enumerate(LENGTH_NAMES) if amounts.get(name)]
        return cls(Figures(**amounts), longest_of(lengths[-1]) if lengths else None)


@dataclass(frozen=True, slots=True)
class Report:
    total: Line
    groups: Sequence[tuple[Group, Line]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which report: of a queue, None for all; of the days from `first` to `last`, both included."""

    queue: str | None
    first: date
    last: date

    @classmethod
    def asked(cls, queue: str | None, since: date | None, until: date | None, today: date) -> Self:
        """Of today where no day is said. Raises InvalidInput for a period that is too long."""
        wanted = cls(queue, since or until or today, until or today)
        if wanted.last < wanted.first:
            raise InvalidInput("to", "is before from")
        most = MAX_DAYS if queue is None else MAX_DAYS_OF_QUEUE
        if (wanted.last - wanted.first).days >= most:
            raise InvalidInput("from", f"no more than {most} days are shown at once")
        return wanted

    def cells(self) -> tuple[Cell, Cell]:
        """The first and the last."""
        scope = scope_of(self.queue)
        last = f"{self.last.isoformat()}#{LAST_VALUE}"
        return Cell(scope, self.first.isoformat()), Cell(scope, last)


def report_of(rows: Iterable[tuple[str, Amounts]]) -> Report:
    """What rows come to: group by group, by queue and type of day, and all together."""
    sums: dict[Group, Counter[str]] = {}
    for name, amounts in rows:
        if amounts:
            sums.setdefault(_group(name), Counter()).update(amounts)
    total = Counter[str]()
    for amounts in sums.values():
        total.update(amounts)
    groups = sorted(sums.items(), key=lambda each: [str(part) for part in each[0]])
    return Report(Line.of(total), [(group, Line.of(amounts)) for group, amounts in groups])
