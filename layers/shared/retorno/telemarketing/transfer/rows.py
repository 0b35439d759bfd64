"""What the rows of telemarketing files tell, and how operations and history are written as rows.

A row is taken whole, or refused: half a link or half an operation would say something else.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter, ValidationError

from retorno.customers.model import Customer, Document, Sought, Text
from retorno.errors import InvalidInput
from retorno.frozen import DEFERRED, Frozen
from retorno.imports.model import Problem, Row, Vocabulary
from retorno.phone import NumberPlan
from retorno.telemarketing.assignments.model import AgentName, Entry, Priority
from retorno.telemarketing.operations.model import (
    MAX_CONVERSATION,
    Conversation,
    Operation,
    PastOperation,
    Value,
)
from retorno.text import fold

T = TypeVar("T")


def _names(**names: str) -> Mapping[str, Sequence[str]]:
    return {field: text.split(", ") for field, text in names.items()}


# By which of these a row names its customer, the first that is filled.
CUSTOMER = _names(
    customer_id="id do cliente, customer_id, customer id",
    code="código, código do cliente, código externo, code, customer code, external code",
    document="documento, cpf, cnpj, cpf/cnpj, cnpj/cpf, nif, nipc, document, tax id, vat",
    phone="telefone, celular, telemóvel, fixo, tel, número, phone, mobile, telephone, number",
)
LINKS = Vocabulary(
    {
        **CUSTOMER,
        **_names(
            agent="atendente, responsável, vendedor, operador, agent, owner",
            priority="prioridade, priority",
            action="ação, action",
        ),
    },
    required=[list(CUSTOMER)],
)
HISTORY = Vocabulary(
    {
        **CUSTOMER,
        **_names(
            campaign="campanha, campaign",
            agent="atendente, responsável, vendedor, operador, agent, owner",
            at="quando, data, data e hora, data/hora, when, at, date, date and time",
            action_type="tipo de ação, ação, action type, action",
            outcome="retorno, resultado, outcome, result",
            reason="motivo, motivo sem contato, motivo sem contacto, reason, no contact reason",
            conversation="conversa, observação, observações, anotações, conversation, notes",
            value="valor, valor da venda, value, amount",
            scheduled_for="agendado para, reagendado para, próximo contato, próximo contacto, "
            "scheduled for, next contact",
        ),
    },
    required=[list(CUSTOMER), ["campaign"], ["agent"], ["at"], ["outcome", "reason"]],
    limits={"conversation": MAX_CONVERSATION},
)

# What the imports are called.
LINK_ROWS = "telemarketing-link-rows"
HISTORY_ROWS = "telemarketing-history-rows"
VOCABULARIES: Mapping[str, Vocabulary] = {LINK_ROWS: LINKS, HISTORY_ROWS: HISTORY}

# Folded, as people write them.
LINK_WORDS = frozenset({"vincular", "incluir", "adicionar", "link", "add"})
UNLINK_WORDS = frozenset({"desvincular", "excluir", "remover", "retirar", "unlink", "remove"})
TEAM_WORDS = frozenset({"equipe", "equipa", "team"})

# Groups of three digits are thousands, whatever stands between them; at most two digits at the end
# are cents. So 1.234 is a thousand and more, as no price has three decimals.
_CURRENCY = re.compile(r"^(?:r\$|€|eur|brl)\s*|\s*(?:€|eur|brl)$", re.IGNORECASE)
_MONEY = (
    re.compile(r"(?P<whole>\d+)(?:[.,](?P<cents>\d{1,2}))?", re.ASCII),
    re.compile(r"(?P<whole>[1-9]\d{0,2}(?:\.\d{3})+)(?:,(?P<cents>\d{1,2}))?", re.ASCII),
    re.compile(r"(?P<whole>[1-9]\d{0,2}(?:,\d{3})+)(?:\.(?P<cents>\d{1,2}))?", re.ASCII),
    re.compile(r"(?P<whole>[1-9]\d{0,2}(?:\s\d{3})+)(?:[.,](?P<cents>\d{1,2}))?"),
)
_DAY_FIRST = re.compile(
    r"(?P<day>\d{1,2})(?P<mark>[/.-])(?P<month>\d{1,2})(?P=mark)(?P<year>\d{4})"
    r"(?:(?:,?\s+|\s+às\s+)(?P<hour>\d{1,2})[:h](?P<minute>\d{2})(?::(?P<second>\d{2}))?)?",
    re.ASCII | re.IGNORECASE,
)
_YEAR_FIRST = re.compile(r"\d{4}-\d{2}-\d{2}(?P<time>[T ]\d{2}:?\d{2}.*)?", re.ASCII)
YEARS = range(1970, 2200)

_TEXT: TypeAdapter[str] = TypeAdapter(Text, config=DEFERRED)
_DOCUMENT: TypeAdapter[str | None] = TypeAdapter(Document, config=DEFERRED)
_AGENT: TypeAdapter[str] = TypeAdapter(AgentName, config=DEFERRED)
_PRIORITY: TypeAdapter[int] = TypeAdapter(Priority, config=DEFERRED)
_VALUE: TypeAdapter[Decimal] = TypeAdapter(Value, config=DEFERRED)
_CONVERSATION: TypeAdapter[str] = TypeAdapter(Conversation, config=DEFERRED)


class LinkTold(Frozen):
    """What a row of links tells. `agent` is None for the team; where the row says neither, whoever
    is linked already stays with their agent."""

    customer: Sought
    agent: str | None = None
    keeps_agent: bool = False
    priority: int | None = None
    unlinks: bool = False


class HistoryTold(Frozen):
    """What a row of a previous system's history tells; what it names is not looked up yet."""

    customer: Sought
    campaign: str
    agent: str
    at: datetime
    action_type: str | None = None
    outcome: str | None = None
    reason: str | None = None
    conversation: str = ""
    value: Decimal | None = None
    scheduled_for: datetime | None = None


def money(text: str) -> Decimal:
    """R$ 1.234,56, 1234.56, 1,234.56, 12,5. Raises ValueError."""
    bare = _CURRENCY.sub("", text.strip())
    for written in _MONEY:
        if found := written.fullmatch(bare):
            whole = re.sub(r"\D", "", found["whole"])
            return _VALUE.validate_python(Decimal(f"{whole}.{found['cents'] or '0'}"))
    raise ValueError("is no amount, such as 1.234,56")


def moment(text: str, zone: ZoneInfo, *, needs_time: bool = False) -> datetime:
    """In UTC: 02/03/2026 14:05, 2026-03-02 14:05:00, 2026-03-02T14:05:00-03:00, or a day alone,
    which is its beginning. Times without an offset are the zone's; of one that clocks show twice
    it is the first.

    Raises ValueError.
    """
    if found := _DAY_FIRST.fullmatch(text):
        has_time = found["hour"] is not None
        parts = ("year", "month", "day", "hour", "minute", "second")
        read = _in_range(datetime, *(int(found[part] or 0) for part in parts))
    elif found := _YEAR_FIRST.fullmatch(text):
        has_time = found["time"] is not None
        read = _in_range(datetime.fromisoformat, text)
    else:
        raise ValueError("is no time, such as 02/03/2026 14:05")
    if needs_time and not has_time:
        raise ValueError("needs a time of day, such as 02/03/2026 14:05")
    if read.year not in YEARS:
        raise ValueError(f"is in the year {read.year}")
    return read.replace(tzinfo=read.tzinfo or zone).astimezone(UTC)


def _in_range(make: Callable[..., datetime], *parts: Any) -> datetime:
    try:
        return make(*parts)
    except ValueError:
        raise ValueError("is no day or time that there is") from None


class _Cells:
    """Reads the cells of a row, and notes what cannot be read."""

    def __init__(self, row: Row) -> None:
        self._cells = row.cells
        self.problems = list(row.problems)
        self.is_good = not row.unfit

    def read(self, field: str, read: Callable[[str], T]) -> T | None:
        """None for a blank cell, and for one that cannot be read."""
        cell = self._cells.get(field)
        if cell is None:
            return None
        try:
            return read(cell)
        except ValidationError as error:
            self.refuse(field, error.errors()[0]["msg"].removeprefix("Value error, "))
        except ValueError as error:
            self.refuse(field, str(error))
        return None

    def need(self, field: str, read: Callable[[str], T]) -> T | None:
        if field not in self._cells:
            self.refuse(field, "is missing")
        return self.read(field, read)

    def customer(self, plan: NumberPlan) -> Sought | None:
        """Whom the row names: by the first that is filled."""
        readers: Mapping[str, tuple[str, Callable[[str], str | None]]] = {
            "customer_id": ("customer_id", _TEXT.validate_python),
            "code": ("code", _TEXT.validate_python),
            "document": ("document", _DOCUMENT.validate_python),
            "phone": ("number_key", lambda cell: _number_key(cell, plan)),
        }
        field = next((field for field in readers if field in self._cells), None)
        if field is None:
            self.refuse("customer", "is named by none of code, document, phone and customer_id")
            return None
        name, read = readers[field]
        value = self.read(field, read)
        return Sought(**{name: value}) if value else None

    def refuse(self, field: str, reason: str) -> None:
        self.is_good = False
        self.problems.append(Problem(field=field, reason=reason))


def _number_key(cell: str, plan: NumberPlan) -> str:
    number = plan.parse(cell)
    if number is None:
        raise ValueError("is not a phone number")
    return number.match_key


def read_link(row: Row, plan: NumberPlan) -> tuple[LinkTold | None, Sequence[Problem]]:
    """What a row tells, and what of it could not be read; None where the row is refused."""
    cells = _Cells(row)
    if row.unfit:
        return None, cells.problems
    customer = cells.customer(plan)
    agent = cells.read("agent", _AGENT.validate_python)
    told: dict[str, Any] = {
        "agent": None if agent and fold(agent) in TEAM_WORDS else agent,
        "keeps_agent": agent is None,
        "priority": cells.read("priority", _priority),
        "unlinks": cells.read("action", _unlinks) or False,
    }
    if customer is None or not cells.is_good:
        return None, cells.problems
    return LinkTold(customer=customer, **told), cells.problems


def _priority(cell: str) -> int:
    if not re.fullmatch(r"[0-9]", cell):
        raise ValueError("is no priority from 0 to 9")
    return _PRIORITY.validate_python(int(cell))


def _unlinks(cell: str) -> bool:
    word = fold(cell)
    if word not in LINK_WORDS | UNLINK_WORDS:
        raise ValueError("is neither vincular nor desvincular")
    return word in UNLINK_WORDS


def read_history(
    row: Row, plan: NumberPlan, zone: ZoneInfo, now: datetime
) -> tuple[HistoryTold | None, Sequence[Problem]]:
    """What a row tells, and what of it could not be read; None where the row is refused."""
    cells = _Cells(row)
    if row.unfit:
        return None, cells.problems
    customer = cells.customer(plan)
    told: dict[str, Any] = {
        "campaign": cells.need("campaign", _TEXT.validate_python),
        "agent": cells.need("agent", _AGENT.validate_python),
        "at": cells.need("at", lambda cell: moment(cell, zone)),
        "action_type": cells.read("action_type", _TEXT.validate_python),
        "outcome": cells.read("outcome", _TEXT.validate_python),
        "reason": cells.read("reason", _TEXT.validate_python),
        "conversation": cells.read("conversation", _CONVERSATION.validate_python) or "",
        "value": cells.read("value", money),
        "scheduled_for": cells.read(
            "scheduled_for", lambda cell: moment(cell, zone, needs_time=True)
        ),
    }
    if told["outcome"] and told["reason"]:
        cells.refuse("reason", "is of a row without an outcome, and this has one")
    elif cells.is_good and not told["outcome"] and not told["reason"]:
        cells.refuse("outcome", "is missing, and so is the reason why there was no contact")
    if told["at"] and told["at"] > now:
        cells.refuse("at", "is in the future")
    if customer is None or not cells.is_good:
        return None, cells.problems
    return HistoryTold(customer=customer, **told), cells.problems


Names = Mapping[str, Sequence[tuple[str, str]]]
"""Of campaigns, action types, outcomes and reasons, by field: pairs of a code and a name."""


def past_operation(told: HistoryTold, customer_id: str, names: Names) -> PastOperation:
    """What a row tells of a customer. Raises InvalidInput where it names what there is not."""

    def code(field: str) -> str | None:
        cell = getattr(told, field)
        return None if cell is None else named(cell, names[field], field)

    return PastOperation(
        campaign_id=named(told.campaign, names["campaign"], "campaign"),
        customer_id=customer_id,
        agent=told.agent,
        ended_at=told.at,
        action_type=code("action_type"),
        outcome=code("outcome"),
        reason=code("reason"),
        conversation=told.conversation,
        value=told.value,
        scheduled_for=told.scheduled_for,
    )


def named(cell: str, names: Iterable[tuple[str, str]], field: str) -> str:
    """The code of what a cell names, by its code or by its name. Raises InvalidInput."""
    known = dict(names)
    if cell in known:
        return cell
    found = [code for code, name in known.items() if fold(cell) in (fold(code), fold(name))]
    if len(found) != 1:
        several = "is the name of several: say its code"
        raise InvalidInput(field, several if found else "is not known")
    return found[0]


# --- What goes out ------------------------------------------------------------------------------

# The columns of a history row, so that an export can be taken in elsewhere; then others.
OPERATION_HEADER = [
    "campanha",
    "código",
    "cliente",
    "documento",
    "atendente",
    "quando",
    "tipo de ação",
    "retorno",
    "motivo",
    "conversa",
    "valor",
    "agendado para",
    "situação",
    "início",
    "operação",
    "ligação",
    "segundos de conversa",
    "quem atendeu",
    "importada",
]
ENTRY_HEADER = [
    "campanha",
    "código",
    "cliente",
    "documento",
    "número",
    "quando",
    "por",
    "o que",
    "operação",
    "mudanças",
]


def operation_row(operation: Operation, customer: Customer | None, zone: ZoneInfo) -> list[str]:
    """`customer` is None where there is none any more."""
    value = operation.value
    return [
        operation.campaign_id,
        *_customer_cells(operation.customer_id, customer),
        operation.agent,
        _local(operation.ended_at, zone),
        operation.action_type or "",
        operation.outcome or "",
        operation.reason or "",
        operation.conversation,
        "" if value is None else f"{value:.2f}".replace(".", ","),
        _local(operation.scheduled_for, zone),
        operation.stage,
        _local(operation.started_at, zone),
        operation.operation_id,
        operation.call_id or "",
        "" if operation.talk_seconds is None else f"{operation.talk_seconds:.0f}",
        operation.answered_by or "",
        "sim" if operation.imported else "",
    ]


def entry_row(entry: Entry, customer: Customer | None, zone: ZoneInfo) -> list[str]:
    changes = {name: value for name, value in entry.changes.items() if value is not None}
    return [
        entry.campaign_id,
        *_customer_cells(entry.customer_id, customer),
        str(entry.number),
        _local(entry.at, zone),
        entry.by or "",
        entry.what,
        "" if entry.operation is None else str(entry.operation),
        json.dumps(changes, ensure_ascii=False) if changes else "",
    ]


def _customer_cells(customer_id: str, customer: Customer | None) -> list[str]:
    if customer is None:
        return [customer_id, "", ""]
    return [customer.code or customer_id, customer.name, customer.document or ""]


def _local(at: datetime | None, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%d/%m/%Y %H:%M:%S}" if at else ""
