"""A telemarketing campaign without any I/O: what becomes of each of its customers, written
beforehand from one seed; what was done with them; and where the API tells that otherwise.

Only who does something with the team's customers depends on who is the first to get them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from itertools import cycle, zip_longest
from random import Random
from typing import Any, NamedTuple

from local.words import money

Answer = Mapping[str, Any]

SUPERVISOR = "supervisor"
AT_WORK = ("Beatriz", "Caio", "Heitor", "Olívia")
ABSENT = "Regina"
TEAM = (*AT_WORK, ABSENT)

STATES = ("not_acted", "scheduled", "concluded")
# The list that a customer is in after it.
LEADS_TO = {
    "concluded": "concluded",
    "no_contact": "scheduled",
    "postponed": "scheduled",
    "scheduled": "scheduled",
    "schedule_deleted": "not_acted",
}

SALE = "venda"

# In real time. What is made of a schedule only after its time comes a minute or two late.
SOON = timedelta(seconds=20)
NOT_TODAY = timedelta(days=1)

# The next are those who are called twice: the others are called while they wait.
HIGHEST_PRIORITY, NEXT_PRIORITY, USUAL_PRIORITIES = 9, 8, range(1, 8)
CENTS = (1990, 24990)


class Act(NamedTuple):
    """`what` is the history's word for it, and `code` the outcome or the reason with which it ends
    an operation; None where there is no operation. `wait` is how long until the next contact; of
    who is called again without one, the reason says it.
    """

    what: str
    code: str | None = None
    wait: timedelta | None = None

    @property
    def sells(self) -> bool:
        return self.code == SALE


BUYS = Act("concluded", SALE)
DECLINES = Act("concluded", "sem_interesse")
IS_AWAY = Act("no_contact", "nao_atendeu", SOON)
IS_BUSY = Act("no_contact", "ocupado")
ASKS_FOR_A_MOMENT = Act("postponed", "ligar_depois", SOON)
THINKS_IT_OVER = Act("postponed", "em_negociacao", NOT_TODAY)
IS_CALLED_SOONER = Act("scheduled", wait=SOON)
IS_PUT_OFF = Act("scheduled", wait=NOT_TODAY)
IS_UNSCHEDULED = Act("schedule_deleted")
IS_GIVEN_AWAY = Act("assigned")

Story = tuple[Act, ...]

STORIES: Sequence[Story] = (
    (BUYS,),
    (DECLINES,),
    (IS_BUSY,),
    (THINKS_IT_OVER,),
    (IS_AWAY, BUYS),
    (IS_AWAY, DECLINES),
    (ASKS_FOR_A_MOMENT, BUYS),
)
STORY_SHARES = (0.26, 0.22, 0.12, 0.12, 0.12, 0.08, 0.08)

# What happens to a few, each of them an agent's own: nobody else may get them in between.
RARE_STORIES: Sequence[Story] = (
    (THINKS_IT_OVER, IS_CALLED_SOONER, BUYS),
    (THINKS_IT_OVER, IS_UNSCHEDULED, DECLINES),
    (THINKS_IT_OVER, IS_GIVEN_AWAY),
)

# Of the absent agent's customers: at its time the team takes over, and others just wait.
STORIES_OF_THE_ABSENT: Sequence[Story] = (
    (IS_CALLED_SOONER, BUYS),
    (),
    (IS_PUT_OFF, IS_CALLED_SOONER, DECLINES),
    (),
    (IS_GIVEN_AWAY, BUYS),
    (IS_PUT_OFF, IS_UNSCHEDULED),
    (IS_PUT_OFF,),
)


@dataclass(eq=False)
class Case:
    """A customer of the campaign. `acts` are still to come; `history` has what was done, and by
    whom, the first first. `agent` is None for the team's."""

    code: str
    agent: str | None
    priority: int
    acts: list[Act]
    price: Decimal
    customer_id: str = ""
    name: str = ""
    state: str = "not_acted"
    waits: bool = False
    """For a time that comes soon."""
    operations: list[str] = field(default_factory=list)
    history: list[tuple[str, str | None]] = field(default_factory=list)

    @property
    def needs_no_operation(self) -> bool:
        return bool(self.acts) and self.acts[0].code is None

    @property
    def heir(self) -> str:
        """Who gets them when they are given away."""
        return AT_WORK[(TEAM.index(self.agent or ABSENT) + 1) % len(AT_WORK)]


class End(NamedTuple):
    """Of an operation."""

    agent: str
    case: Case
    act: Act


def plan(codes: Sequence[str], seed: int) -> list[Case]:
    """The first is whom everybody wants."""
    random = Random(f"{seed} telemarketing")
    owners = cycle((None, *TEAM))
    rare, left = iter(RARE_STORIES), cycle(STORIES_OF_THE_ABSENT)
    cases: list[Case] = []
    for code, owner in zip(codes, owners, strict=False):
        [story] = random.choices(STORIES, STORY_SHARES)
        if owner == ABSENT:
            story = next(left)
        elif owner:
            story = next(rare, story)
        price = Decimal(random.randrange(*CENTS)).scaleb(-2)
        priority = random.choice(USUAL_PRIORITIES)
        if any(act.wait == SOON for act in story):
            priority = NEXT_PRIORITY
        cases.append(Case(code, owner, priority, list(story), price))
    cases[0].priority = HIGHEST_PRIORITY
    return cases


class Book:
    """What really happened, as those who did it tell. A customer is in one agent's hands at a time,
    and to see to that is the product's: `complaints` say where it did not."""

    def __init__(self, cases: Iterable[Case]) -> None:
        self.cases = {case.code: case for case in cases}
        self.ends: list[End] = []
        self.refused = 0
        self.complaints: set[str] = set()
        self._in_hands: dict[Case, str] = {}

    @property
    def is_closed(self) -> bool:
        """Nothing is still to come."""
        return not any(case.acts for case in self.cases.values())

    def linked(self, rows: Iterable[Answer]) -> None:
        """The customers as the campaign's list has them once they are linked."""
        for row in rows:
            case = self.cases[row["customer"]["code"]]
            case.customer_id, case.name = row["customer_id"], row["customer"]["name"]
            case.history.append(("linked", SUPERVISOR))

    def handed(self, row: Answer, agent: str) -> Case | None:
        """The customer whom an agent was handed; None for one with whom nothing is to be done."""
        case = self.cases[row["customer"]["code"]]
        holder = self._in_hands.get(case, agent)
        if holder != agent:
            self.complaints.add(f"{case.code} was handed to {agent} while {holder} had them")
        if case.agent not in (agent, None) and not (case.agent == ABSENT and case.waits):
            self.complaints.add(f"{case.code} was handed to {agent}, but is {case.agent}'s")
        if row["due"] != case.waits:
            due, was = ("due", "was not") if row["due"] else ("not due", "was")
            self.complaints.add(f"{case.code} was handed out as {due}, and {was}")
        if not case.acts or case.needs_no_operation:
            self.complaints.add(f"{case.code} was handed to {agent}, and is {case.state}")
            return None
        self._in_hands[case] = agent
        return case

    def opened(self, case: Case, operation_id: str, agent: str) -> None:
        """Told twice, it is one."""
        if operation_id in case.operations:
            return
        if case.waits:
            case.history.append(("due", None))
            case.waits = False
        self._in_hands[case] = agent
        case.operations.append(operation_id)
        case.history.append(("opened", agent))

    def edited(self, case: Case, agent: str) -> None:
        case.history.append(("edited", agent))

    def refuse(self, case: Case, agent: str, holder: str) -> None:
        """Somebody else has the customer."""
        self.refused += 1
        if self._in_hands.get(case) != holder:
            self.complaints.add(f"{agent} was refused {case.code} for {holder}, who has them not")

    def done(self, case: Case, by: str) -> None:
        """The next act of the customer's story."""
        act = case.acts[0]
        if act.code:
            self._in_hands.pop(case, None)
            self.ends.append(End(by, case, act))
        if act == IS_GIVEN_AWAY:
            case.agent = case.heir
        case.state = LEADS_TO.get(act.what, case.state)
        case.waits = act.wait == SOON
        case.history.append((act.what, by))
        # The last thing: who looks whether all is over must not find it half told.
        del case.acts[0]

    # --- What the API should tell -----------------------------------------------------------------

    def summary(self) -> str:
        """As "5 agents, 71 operations, 60 customers: 18 sold for R$ 2.310,40, …"."""
        figures, gauges = _figures(self.ends), _gauges(self.cases.values())
        return (
            f"{len(TEAM)} agents, {figures['attempts']} operations, {gauges['linked']} customers: "
            f"{figures['sales']} sold for {money(figures['sales_value'])}, "
            f"{figures['not_interested']} not interested, {gauges['scheduled']} scheduled, "
            f"{gauges['not_acted']} not acted on; {self.refused} refused while another had them"
        )

    def left_over(self) -> Iterator[str]:
        """Whose story did not come to its end."""
        for case in self.cases.values():
            if case.acts:
                waited = "at the time that was set" if case.waits else "at all"
                yield f"{case.code} was not handed to anybody {waited}"

    def list_differences(self, agent: str, state: str, page: Answer) -> Iterator[str]:
        """Of a list as the agent sees it: their own customers, and the team's."""
        cases = [case for case in self.cases.values() if case.agent in (agent, None)]
        expected = {case.code for case in cases if case.state == state}
        found = {row["customer"]["code"] for row in page["items"]}
        for code in sorted(expected - found):
            yield f"{code} is {state}, but is not in {agent}'s list"
        for code in sorted(found - expected):
            yield f"{code} is {self.cases[code].state}, but is in {agent}'s list of {state}"
        if page["counts"][state] != len(expected):
            yield f"{agent} has {len(expected)} {state}, but the API counts {page['counts'][state]}"

    def statistics_differences(self, statistics: Answer) -> Iterator[str]:
        """Of all, and of each agent; the team's customers are nobody's."""
        rows = {each["group"] or "the team": each for each in statistics["items"]}
        yield from _row_differences("all", statistics["total"], self.cases.values(), self.ends)
        for agent in (*TEAM, None):
            cases = [case for case in self.cases.values() if case.agent == agent]
            ends = [end for end in self.ends if end.agent == agent]
            who = agent or "the team"
            yield from _row_differences(who, rows.pop(who, {}), cases, ends)
        for who in rows:
            yield f"the statistics know {who}, who did nothing"


def history_differences(case: Case, items: Sequence[Answer]) -> Iterator[str]:
    """The first entry that is another."""
    found = [(item["what"], item["by"]) for item in reversed(items)]
    for number, (told, seen) in enumerate(zip_longest(case.history, found), 1):
        if told != seen:
            yield f"{case.code}: entry {number} is {_words(told)}, but the API says {_words(seen)}"
            return


def _words(entry: tuple[str, str | None] | None) -> str:
    if entry is None:
        return "none"
    what, by = entry
    return f"{what} by {by}" if by else what


def _row_differences(
    who: str, row: Answer, cases: Iterable[Case], ends: Iterable[End]
) -> Iterator[str]:
    """A group that the statistics do not have counts nothing."""
    for expected, found, when in (
        (_figures(ends), row, ""),
        (_gauges(cases), row.get("now", {}), " now"),
    ):
        for name, count in expected.items():
            told = found.get(name, 0)
            if Decimal(told) != count:
                yield f"{who}: {name} is {count}{when}, but the statistics say {told}"


def _gauges(cases: Iterable[Case]) -> dict[str, int]:
    """By the names that they have in the statistics."""
    cases = list(cases)
    states = Counter(case.state for case in cases)
    return {
        "linked": len(cases),
        **{state: states[state] for state in STATES},
        "acted": sum(bool(case.operations) for case in cases),
        # Whoever was due was acted on.
        "overdue": 0,
        "to_team": 0,
    }


def _figures(ends: Iterable[End]) -> dict[str, int | Decimal]:
    """By the names that they have in the statistics."""
    ends = list(ends)
    acts = Counter(end.act for end in ends)
    whats = Counter(end.act.what for end in ends)
    return {
        "attempts": len(ends),
        "concluded": whats["concluded"],
        "scheduled": len(ends) - whats["concluded"],
        "contacts": len(ends) - whats["no_contact"],
        "no_contacts": whats["no_contact"],
        "sales": acts[BUYS],
        "sales_value": sum((end.case.price for end in ends if end.act is BUYS), Decimal()),
        "not_interested": acts[DECLINES],
    }
