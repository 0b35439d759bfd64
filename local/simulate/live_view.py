"""What the live part looks like: operators as the API knows them, calls as the exchange does."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from operator import itemgetter
from statistics import median
from typing import Any

from rich.console import RenderableType
from rich.layout import Layout
from rich.text import Text

from local.simulate.chats import Chat
from local.simulate.feed import Feed
from local.simulate.floor import WRAP_UP_SECONDS, Console
from local.simulate.people import Customer
from local.simulate.quotes import Sales
from local.simulate.switch import Call, Switch
from local.simulate.view import footer, header, local, panel, styled, table_of
from local.words import mask, span

LAST_DIALS = 14
LAST_MESSAGES = 14
# Columns, so that all else is seen in a narrow terminal.
NAME, WORDS = 12, 13

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
KINDS = {"missed_call": "missed", "conversation": "chat", "contact_due": "due"}
MESSAGE_STYLES = {"failed": "red", "read": "green", "received": "cyan"}


@dataclass
class LiveScene:
    """`contacts` counts those on the lists by state."""

    switch: Switch
    consoles: Sequence[Console]
    sales: Sales
    chats: Sequence[Chat]
    feed: Feed
    progress: float = 0
    operators: Sequence[dict[str, Any]] = ()
    contacts: Counter[str] = field(default_factory=Counter)

    def screen(self) -> RenderableType:
        screen = Layout()
        screen.split_column(
            Layout(header("Retorno · live", f"{_clock():%H:%M:%S}", self.progress), size=3),
            Layout(name="body"),
            Layout(
                footer(self._counted(), "Call lists, dials, quotes, messages, and the live feed"),
                size=3,
            ),
        )
        screen["body"].split_row(
            Layout(name="centre"), Layout(name="reached"), Layout(self._feed(), ratio=1)
        )
        screen["reached"].split_column(Layout(self._dials()), Layout(self._messages()))
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
        waiting = [call for call in self.switch.all_calls() if call.waits]
        for call in waiting:
            table.add_row(_whom(call.customer), call.queue, span(now - call.began))
        return panel(table, f"Waiting callers: {len(waiting)}")

    def _dials(self) -> RenderableType:
        table = table_of("rung back", "by", "free for", "result")
        for call in islice(reversed(self.dials()), LAST_DIALS):
            wait = self.seconds_free(call)
            after = "" if wait is None else f"{wait:.1f} s"
            table.add_row(_whom(call.customer), call.agent, after, _result(call))
        return panel(table, "Last dials")

    def _messages(self) -> RenderableType:
        table = table_of("customer", "message", "becomes")
        table.columns[0].max_width, table.columns[1].max_width = NAME, WORDS
        said = [(each.place, chat, each) for chat in self.chats for each in chat.said.copy()]
        said.sort(key=itemgetter(0), reverse=True)
        for _, chat, each in said[:LAST_MESSAGES]:
            becomes = Text(str(each.code or each.state), MESSAGE_STYLES.get(each.state, ""))
            table.add_row(_whom(chat.customer), Text(each.text or f"[{each.template}]"), becomes)
        return panel(table, f"WhatsApp: {len(said)} messages")

    def _feed(self) -> RenderableType:
        table = table_of("#", "what", "who", "is")
        table.columns[2].max_width = NAME
        for change in self.feed.newest.copy():
            kind = KINDS.get(change["kind"], change["kind"])
            table.add_row(str(change["seq"]), kind, _named(change), styled(_state(change)))
        cuts = f", cut off {self.feed.cuts} times" if self.feed.cuts else ""
        return panel(table, f"Live, up to number {self.feed.after}{cuts}")

    def _counted(self) -> list[tuple[str, str]]:
        dials = self.dials()
        answered = sum(call.answered_by == "human" for call in dials)
        waits = [wait for call in dials if (wait := self.seconds_free(call)) is not None]
        return [
            *((state, str(count)) for state, count in sorted(self.contacts.items())),
            ("dials", str(len(dials))),
            ("answered", str(answered)),
            ("free to dial", f"{median(waits):.1f} s" if waits else "–"),
            *self.sales.counted(),
            ("messages", str(sum(len(chat.said) for chat in self.chats))),
            ("live", f"#{self.feed.after}"),
        ]

    def dials(self) -> list[Call]:
        return [call for call in self.switch.all_calls() if not call.came_in]

    def seconds_free(self, call: Call) -> float | None:
        """For how long the operator had been free as the order for a call came: since they said so,
        or since the wrap-up of their last call."""
        ends = [
            other.ended_at + timedelta(seconds=WRAP_UP_SECONDS)
            for other in self.switch.all_calls()
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


def _whom(customer: Customer | None) -> str:
    if customer is None or customer.withheld:
        return "withheld"
    return customer.name or mask(customer.number)


def _named(change: Mapping[str, Any]) -> str:
    """Whom or what a change of the feed is of."""
    view = change["view"] or {}
    customer = view.get("customer") or {}
    name, number = view.get("name") or customer.get("name"), view.get("number")
    return str(name or (f"••••-{number[-4:]}" if number else change["id"]))


def _state(change: Mapping[str, Any]) -> str:
    view = change["view"] or {}
    if change["gone"]:
        return "gone"
    if view.get("unread"):
        return f"{view['unread']} unread"
    presence = view.get("presence") or {}
    state = str(view.get("state") or view.get("status") or presence.get("state") or "")
    return STATES.get(state, state)


def _clock() -> datetime:
    return local(datetime.now(UTC))
