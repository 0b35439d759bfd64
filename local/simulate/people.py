"""Who is in the simulation: customers with a telephone, operators with a shift. All invented."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from random import Random

# Brazil has had no daylight saving time since 2019.
BRASILIA = timezone(timedelta(hours=-3), "BRT")

QUEUES = ("vendas", "suporte", "financeiro")
SHIFTS = ((8, 14), (14, 20))
NAMES = ("Ana", "Bruno", "Carla", "Diego", "Elisa", "Fábio", "Iara", "João", "Lucas", "Marina")
SURNAMES = ("Almeida", "Barros", "Castro", "Duarte", "Esteves", "Furtado", "Leal", "Moura", "Prado")

AREA_CODES = ("11", "11", "11", "19", "21", "31", "41", "51", "71", "81")
MOBILE_FIRST_DIGITS, FIXED_FIRST_DIGITS = "6789", "2345"
FIXED_LINE_SHARE = 0.25
WITHHELD_SHARE = 0.04
KNOWN_SHARE = 0.8

# What becomes of each call to somebody; the last goes on for ever.
HABITS = (
    ("talks",),
    ("is away", "talks"),
    ("is busy", "talks"),
    ("has a voicemail", "talks"),
    ("has a voicemail",),
    ("is away",),
)
HABIT_SHARES = (0.5, 0.15, 0.1, 0.1, 0.05, 0.1)

MOBILE_SPELLINGS = (
    "+55{area}9{line}",
    "55{area}9{line}",
    "{area}9{line}",
    "0{area}9{line}",
    "({area}) 9{line}",
    "sip:+55{area}9{line}@trunk.example",
    # Without the ninth digit, as old trunks and contact lists have them.
    "{area}{line}",
    "+55{area}{line}",
)
FIXED_SPELLINGS = ("+55{area}{line}", "55{area}{line}", "{area}{line}", "0{area}{line}")


def at_hour(day: datetime, hour: int) -> datetime:
    """The full hour, in Brasília, of the day that a moment is in."""
    local = day.astimezone(BRASILIA).replace(hour=hour, minute=0, second=0, microsecond=0)
    return local.astimezone(UTC)


@dataclass(eq=False)
class Customer:
    """`name` is None for somebody whom the company does not know. `line` is the number's last eight
    digits. `random` is this person's own stream, so that what happens to one person does not change
    what another one does.
    """

    name: str | None
    area: str
    line: str
    spellings: Sequence[str]
    random: Random
    habit: Sequence[str]
    on_call: str | None = None
    needs_help: bool = False
    last_rung_back: datetime | None = None

    @property
    def withheld(self) -> bool:
        return not self.spellings

    @property
    def number(self) -> str:
        ninth_digit = "9" if self.line[0] in MOBILE_FIRST_DIGITS else ""
        return f"+55{self.area}{ninth_digit}{self.line}"

    def fate(self, times_called: int) -> str:
        """What becomes of the first call to them, the second, and so on."""
        return self.habit[min(times_called, len(self.habit)) - 1]

    def spell_number(self) -> str:
        """The number as some telephone system writes it today."""
        if self.withheld:
            return "anonymous"
        return self.random.choice(self.spellings).format(area=self.area, line=self.line)


@dataclass(eq=False)
class Operator:
    name: str
    queues: tuple[str, ...]
    shift: tuple[int, int]
    random: Random
    since: datetime
    doing: str = "off"

    def on_shift(self, moment: datetime) -> bool:
        begins, ends = self.shift
        return begins <= moment.astimezone(BRASILIA).hour < ends


def hire(count: int, seed: int, start: datetime) -> list[Operator]:
    """Operators of alternating shifts, each trained for two of the three queues."""
    return [
        Operator(
            name=_operator_name(index),
            queues=(QUEUES[index % 3], QUEUES[(index + 1) % 3]),
            shift=SHIFTS[index % 2],
            random=Random(f"{seed} operator {index}"),
            since=start,
        )
        for index in range(count)
    ]


def _operator_name(index: int) -> str:
    rounds, name = divmod(index, len(NAMES))
    return f"{NAMES[name]} {rounds + 1}" if rounds else NAMES[name]


def settle(count: int, seed: int, start: datetime) -> list[Customer]:
    """Customers with numbers of their own.

    The numbers depend on the start too: two runs against one stack share no customer, or one would
    win back the other's.
    """
    random = Random(f"{seed} {start.isoformat()}")
    lines = random.sample(range(10_000_000), count)
    habits = Random(f"{seed} habits").choices(HABITS, HABIT_SHARES, k=count)
    return [
        _customer(random, f"{line:07}", Random(f"{seed} {n}"), habits[n])
        for n, line in enumerate(lines)
    ]


def _customer(identity: Random, digits: str, own: Random, habit: Sequence[str]) -> Customer:
    fixed = identity.random() < FIXED_LINE_SHARE
    first_digit = identity.choice(FIXED_FIRST_DIGITS if fixed else MOBILE_FIRST_DIGITS)
    withheld = identity.random() < WITHHELD_SHARE
    spellings = FIXED_SPELLINGS if fixed else MOBILE_SPELLINGS
    name = f"{identity.choice(NAMES)} {identity.choice(SURNAMES)}"
    return Customer(
        name=name if identity.random() < KNOWN_SHARE and not withheld else None,
        area=identity.choice(AREA_CODES),
        line=first_digit + digits,
        spellings=() if withheld else spellings,
        random=own,
        habit=habit,
    )
