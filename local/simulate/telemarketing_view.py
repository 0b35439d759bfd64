"""What the campaign looks like: its agents, its lists, and what came of it last."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Protocol

from rich.console import RenderableType
from rich.layout import Layout
from rich.text import Text

from local.simulate.campaign import STATES, Book, Case, End
from local.simulate.view import footer, header, local, panel, table_of
from local.words import money

LAST_ENDS = 14
# As agents read them.
RESULTS = {
    "venda": ("venda", "bold green"),
    "sem_interesse": ("sem interesse", "red"),
    "nao_atendeu": ("não atendeu", "yellow"),
    "ocupado": ("ocupado", "yellow"),
    "ligar_depois": ("ligar depois", "cyan"),
    "em_negociacao": ("em negociação", "cyan"),
}


class AtDesk(Protocol):
    agent: str
    case: Case | None


@dataclass
class CampaignScene:
    book: Book
    desks: Sequence[AtDesk]

    def screen(self) -> RenderableType:
        screen = Layout()
        screen.split_column(
            Layout(
                header("Retorno · telemarketing", f"{_clock():%H:%M:%S}", self._share()), size=3
            ),
            Layout(name="body"),
            Layout(footer(self._counted(), "Customers on the lists, and operations"), size=3),
        )
        screen["body"].split_row(Layout(self._agents()), Layout(self._ends()))
        return screen

    def line(self) -> str:
        figures = "  ".join(f"{name} {value}" for name, value in self._counted())
        return f"{_clock():%H:%M:%S}  {figures}"

    def _agents(self) -> RenderableType:
        table = table_of("agent", "with", "operations", "sales")
        for desk in self.desks:
            ends = [end for end in self.book.ends.copy() if end.agent == desk.agent]
            sales = sum(end.act.sells for end in ends)
            case = desk.case
            table.add_row(desk.agent, case.name if case else "", str(len(ends)), str(sales))
        return panel(table, "Agents")

    def _ends(self) -> RenderableType:
        table = table_of("customer", "by", "result", "value")
        for end in islice(reversed(self.book.ends.copy()), LAST_ENDS):
            value = money(end.case.price) if end.act.sells else ""
            table.add_row(end.case.name, end.agent, _result(end), value)
        return panel(table, "Last operations")

    def _counted(self) -> list[tuple[str, str]]:
        states = Counter(case.state for case in self.book.cases.values())
        sales = [end.case.price for end in self.book.ends.copy() if end.act.sells]
        return [
            *((state.replace("_", " "), str(states[state])) for state in STATES),
            ("operations", str(len(self.book.ends))),
            ("sales", str(len(sales))),
            ("sold", money(sum(sales))),
        ]

    def _share(self) -> float:
        cases = self.book.cases.values()
        return sum(not case.acts for case in cases) / len(cases)


def _result(end: End) -> Text:
    text, style = RESULTS[end.act.code or ""]
    return Text(text, style)


def _clock() -> datetime:
    return local(datetime.now(UTC))
