"""What the live part looks like: operators as the API knows them, calls as the exchange does."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from statistics import median
from typing import Any

from rich.console import RenderableType
from rich.layout import Layout
from rich.text import Text

from local.simulate.floor import WRAP_UP_SECONDS, Console
from local.simulate.switch import Call, Switch
from local.simulate.view import footer, header, local, panel, styled, table_of
from local.words import mask, span

LAST_DIALS = 14

# As operators read them.
STATES = {
    "available": "disponível",
    "on_offer": "em oferta",
    "dialling": "discando",
    "busy": "em ligação",
    "wrap_up": "pós-atendimento",
    "paused": "pausa",
    "offline": "fora",
}
RESULTS = {
    "human": ("answered", "green"),
    "voicemail": ("voicemail", "yellow"),
    "busy": ("busy", "yellow"),
    "no_answer": ("no answer", "yellow"),
    "operator_no_answer": ("operator did not pick up", "red"),
}


@dataclass
class LiveScene:
    """`contacts` counts those on the lists by state."""

    switch: Switch
    consoles: Sequence[Console]
    progress: float = 0
    operators: Sequence[dict[str, Any]] = ()
    contacts: Counter[str] = field(default_factory=Counter)

    def screen(self) -> RenderableType:
        screen = Layout()
        screen.split_column(
            Layout(header("Retorno · live", f"{_clock():%H:%M:%S}", self.progress), size=3),
            Layout(name="body"),
            Layout(footer(self._counted(), "Contacts on the call lists, and dials"), size=3),
        )
        screen["body"].split_row(Layout(name="centre"), Layout(self._dials()))
        screen["centre"].split_column(Layout(self._operators()), Layout(self._waiting()))
        return screen

    def line(self) -> str:
        states = Counter(each["presence"]["state"] for each in self.operators)
        doing = ", ".join(f"{count} {STATES[state]}" for state, count in states.most_common())
        figures = "  ".join(f"{name} {value}" for name, value in self._counted())
        return f"{_clock():%H:%M:%S}  {doing or 'nobody is there'}  {figures}"

    def _operators(self) -> RenderableType:
        table = table_of("operator", "estado", "for")
        now = datetime.now(UTC)
        for each in self.operators:
            presence = each["presence"]
            state = STATES[presence["state"]]
            reason = f" ({presence['reason']})" if presence["reason"] else ""
            age = max(timedelta(), now - datetime.fromisoformat(presence["since"]))
            is_there = presence["state"] != "offline"
            table.add_row(each["name"], styled(f"{state}{reason}"), span(age) if is_there else "")
        return panel(table, "Operators, as the API knows them")

    def _waiting(self) -> RenderableType:
        table = table_of("caller", "queue", "waits")
        now = datetime.now(UTC)
        waiting = [call for call in self.switch.calls.copy().values() if call.waits]
        for call in waiting:
            table.add_row(_whom(call), call.queue, span(now - call.began))
        return panel(table, f"Waiting callers: {len(waiting)}")

    def _dials(self) -> RenderableType:
        table = table_of("rung back", "by", "free for", "result")
        for call in islice(reversed(self.dials()), LAST_DIALS):
            wait = self.seconds_free(call)
            after = "" if wait is None else f"{wait:.1f} s"
            table.add_row(_whom(call), call.agent, after, _result(call))
        return panel(table, "Last dials")

    def _counted(self) -> list[tuple[str, str]]:
        dials = self.dials()
        answered = sum(call.answered_by == "human" for call in dials)
        waits = [wait for call in dials if (wait := self.seconds_free(call)) is not None]
        return [
            *((state, str(count)) for state, count in sorted(self.contacts.items())),
            ("dials", str(len(dials))),
            ("answered", str(answered)),
            ("free to dial", f"{median(waits):.1f} s" if waits else "–"),
        ]

    def dials(self) -> list[Call]:
        calls = self.switch.calls.copy().values()
        return [call for call in calls if not call.came_in]

    def seconds_free(self, call: Call) -> float | None:
        """For how long the operator had been free as the order for a call came: since they said so,
        or since the wrap-up of their last call."""
        ends = [
            other.ended_at + timedelta(seconds=WRAP_UP_SECONDS)
            for other in self.switch.calls.copy().values()
            if other.agent == call.agent and other.ended_at
        ]
        begins = [each.begins for each in self.consoles if each.agent == call.agent]
        free = [moment for moment in chain(ends, *begins) if moment <= call.began]
        return (call.began - max(free)).total_seconds() if free else None


def _result(call: Call) -> Text:
    if not call.ended_at:
        return Text("in talk" if call.talked_at else "ringing", "cyan")
    text, style = RESULTS.get(call.result, (call.result, "red"))
    return Text(text, style)


def _whom(call: Call) -> str:
    if call.customer is None or call.customer.withheld:
        return "withheld"
    return call.customer.name or mask(call.customer.number)


def _clock() -> datetime:
    return local(datetime.now(UTC))
