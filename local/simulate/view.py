"""Shows a running simulation: a live screen in a terminal, plain lines anywhere else.

Here is how it is shown, and the days that are played; `live_view` has the live part.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from rich.console import Console, RenderableType
from rich.layout import Layout
from rich.live import Live
from rich.padding import Padding
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from local.simulate.centre import Centre
from local.simulate.people import BRASILIA
from local.words import figures, mask, span

SECONDS_BETWEEN_LINES = 5
OPERATOR_ROWS = 10
LONG_WAIT = timedelta(minutes=1)
STATES = {"queued": "waiting", "ringing": "ringing", "answered": "talking"}
STYLES = {
    "waiting": "yellow",
    "ringing": "yellow",
    "ringing back": "magenta",
    "talking": "green",
    "wrap-up": "cyan",
    "off": "dim",
}


class Scene(Protocol):
    """What there is to see at a moment."""

    def screen(self) -> RenderableType: ...

    def line(self) -> str: ...


@dataclass
class Days:
    """The people as simulated, the missed calls as the API gives them."""

    centre: Centre
    progress: float = 0
    summary: dict[str, Any] = field(default_factory=dict)
    open_calls: Sequence[dict[str, Any]] = ()
    recoveries: Sequence[dict[str, Any]] = ()

    def screen(self) -> RenderableType:
        return _screen(self)

    def line(self) -> str:
        calls = self.centre.calls
        waiting = sum(call.is_waiting for call in calls)
        summary = "  ".join(f"{name} {value}" for name, value in figures(self.summary))
        clock = f"{local(self.centre.now):%a %H:%M}"
        return f"{clock}  calls {len(calls)} ({waiting} waiting)  {summary}"


@contextmanager
def watching(*, plain: bool) -> Iterator[Callable[[Scene], None]]:
    """Gives the function that shows a scene, and leaves the terminal as it was."""
    console = Console(highlight=False)
    if plain or not console.is_terminal or console.is_dumb_terminal:
        yield _Lines(console).show
        return
    with Live(console=console, screen=True, auto_refresh=False) as live:
        yield lambda scene: live.update(scene.screen(), refresh=True)


class _Lines:
    """A line every few seconds, for logs and terminals that cannot move the cursor."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next = 0.0

    def show(self, scene: Scene) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + SECONDS_BETWEEN_LINES
        self._console.print(scene.line(), soft_wrap=True)


def _screen(scene: Days) -> RenderableType:
    screen = Layout()
    screen.split_column(
        Layout(_header(scene), size=3),
        Layout(name="body"),
        Layout(footer(figures(scene.summary), "Missed calls, as the API sums them up"), size=3),
    )
    screen["body"].split_row(Layout(name="centre"), Layout(name="product"))
    screen["centre"].split_column(
        Layout(_calls(scene)), Layout(_operators(scene), size=OPERATOR_ROWS + 3)
    )
    screen["product"].split_column(
        Layout(_open_calls(scene), ratio=3), Layout(_recoveries(scene), ratio=2)
    )
    return screen


def _header(scene: Days) -> RenderableType:
    clock = f"{local(scene.centre.now):%A %d %b  %H:%M}"
    return header("Retorno · simulated call centre", clock, scene.progress)


def _calls(scene: Days) -> RenderableType:
    table = table_of("customer", "queue", "state", "for")
    for call in sorted(scene.centre.calls, key=lambda call: (not call.is_waiting, call.since)):
        age = scene.centre.now - call.since
        style = "bold red" if call.is_waiting and age > LONG_WAIT else ""
        customer = "withheld" if call.customer.withheld else mask(call.customer.number)
        state = styled(STATES[call.stage])
        table.add_row(customer, call.queue or "call back", state, Text(span(age), style))
    waiting = sum(call.is_waiting for call in scene.centre.calls)
    return panel(table, f"Calls now: {len(scene.centre.calls)}, {waiting} waiting")


def _operators(scene: Days) -> RenderableType:
    now = scene.centre.now
    table = table_of("operator", "does", "for")
    for operator in sorted(scene.centre.operators, key=lambda operator: operator.doing == "off"):
        age = "" if operator.doing == "off" else span(now - operator.since)
        table.add_row(operator.name, styled(operator.doing), age)
    return panel(table, "Operators")


def _open_calls(scene: Days) -> RenderableType:
    table = table_of("customer", "queue", "age", "tries")
    for item in scene.open_calls:
        age = span(scene.centre.now - datetime.fromisoformat(item["missed_at"]))
        table.add_row(_whom(item), item["queue"], age, str(item["attempts"]))
    return panel(table, f"Open missed calls: {len(scene.open_calls)}")


def _recoveries(scene: Days) -> RenderableType:
    lines = [
        Text.assemble(
            (item["recovered_by_agent"], "bold green"),
            f" recovered {_whom(item)} after ",
            (span(timedelta(seconds=item["recovery_seconds"])), "bold"),
        )
        for item in scene.recoveries
    ]
    return panel(Padding(Text("\n").join(lines), (0, 1)), "Latest recoveries")


def _whom(item: dict[str, Any]) -> str:
    if item["customer"]:
        return str(item["customer"]["name"])
    return mask(item["number"]) if item["number"] else "withheld"


def header(title: str, clock: str, progress: float) -> RenderableType:
    line = Table.grid(expand=True, padding=(0, 2))
    line.add_column()
    line.add_column(justify="center")
    line.add_column(ratio=1)
    line.add_row(
        Text(title, style="bold"),
        Text(clock, style="bold cyan"),
        ProgressBar(total=1, completed=progress),
    )
    return Panel(line)


def footer(counted: Sequence[tuple[str, str]], title: str) -> RenderableType:
    line = Table.grid(expand=True)
    for _ in counted:
        line.add_column(justify="center")
    line.add_row(*(Text.assemble((f"{name} ", "dim"), (value, "bold")) for name, value in counted))
    return Panel(line, title=title)


def table_of(*columns: str) -> Table:
    table = Table(box=None, expand=True, padding=(0, 1), header_style="dim")
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def panel(content: RenderableType, title: str) -> Panel:
    return Panel(content, title=title, padding=0)


def styled(doing: str) -> Text:
    return Text(doing, STYLES.get(doing, ""))


def local(moment: datetime) -> datetime:
    return moment.astimezone(BRASILIA)
