"""How telemarketing is set up: campaigns, what is done in them, and what may come of it."""

import re
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Annotated, ClassVar, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    StringConstraints,
    model_validator,
)

from retorno.callback_campaigns.model import Queue
from retorno.calling_rules.model import Purpose
from retorno.customers.model import Customer, OptionalText, Text
from retorno.dispositions.model import Code
from retorno.errors import InvalidInput
from retorno.frozen import Frozen
from retorno.phone import NumberPlan

MAX_SCRIPT_LENGTH = 8_000
# With so many, what a script becomes and its copy in a conversation are still one item of DynamoDB.
MAX_PLACEHOLDERS = 50
MAX_RETRY_MINUTES = 92 * 24 * 60
MAX_RELATIVE_DAYS = 366

T = TypeVar("T", bound="Entry")
LastingT = TypeVar("LastingT", bound="Lasting")
ListedT = TypeVar("ListedT", bound="Listed")


Name = Annotated[Text, StringConstraints(max_length=120)]
Count = Annotated[int, Field(ge=1, le=10_000_000)]
Money = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=2)]
"""In the company's own currency."""


class Entry(Frozen):
    """A part of the set-up. `version` counts what people changed."""

    list_name: ClassVar[str]
    called: ClassVar[str]

    name: Name
    version: int = 1
    used: bool = Field(False, description="History may name it: it is retired, and never deleted")

    @property
    @abstractmethod
    def key(self) -> str:
        """What it is known by within its list."""

    def changed(self, draft: BaseModel) -> Self:
        """As a person wants it now."""
        return self.model_copy(update={**dict(draft), "version": self.version + 1})


class Draft(Frozen):
    name: Name
    retired: bool = Field(False, description="It stays known, and is given no more")


class Lasting(Entry, Draft):
    """What history names."""


class Listed(Lasting):
    code: Code

    @property
    def key(self) -> str:
        return self.code


# --- Scripts --------------------------------------------------------------------------------------

_VALUES: Mapping[str, Callable[[Customer, str, "Campaign"], str | None]] = {
    "customer.name": lambda customer, _agent, _campaign: customer.name,
    "customer.first_name": lambda customer, _agent, _campaign: customer.name.partition(" ")[0],
    "customer.code": lambda customer, _agent, _campaign: customer.code,
    "customer.document": lambda customer, _agent, _campaign: customer.document,
    "customer.city": lambda customer, _agent, _campaign: customer.city,
    "agent.name": lambda _customer, agent, _campaign: agent,
    "campaign.name": lambda _customer, _agent, campaign: campaign.name,
}
PLACEHOLDERS = tuple(f"{{{name}}}" for name in _VALUES)

# A brace that opens always begins one: what a person meant as one is never read out as it stands.
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}?")


def _with_known_placeholders(script: str) -> str:
    found = [match[0] for match in _PLACEHOLDER.finditer(script)]
    for text in found:
        if text not in PLACEHOLDERS:
            raise ValueError(f"{text[:40]} is none of {' '.join(PLACEHOLDERS)}")
    if len(found) > MAX_PLACEHOLDERS:
        raise ValueError(f"has more than {MAX_PLACEHOLDERS} placeholders")
    return script


ScriptText = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_SCRIPT_LENGTH),
    AfterValidator(_with_known_placeholders),
]


def filled(script: str, customer: Customer, agent: str, campaign: "Campaign") -> str:
    """What the agent reads out: each placeholder is replaced, once, by what it stands for, or by
    nothing where that is not known. What stands in its place is text, whatever it holds.
    """
    return _PLACEHOLDER.sub(
        lambda match: _VALUES[match[1]](customer, agent, campaign) or "", script
    )


class ScriptVersion(Frozen):
    """A script as it once was. Who wrote it, and when, is not said of the usual ones."""

    version: int
    script: str | None
    since: datetime | None
    by: str | None


# --- Action types, outcomes, and reasons for no contact -------------------------------------------


class ActionTypeDraft(Draft):
    """What an agent does with a customer: an offer, a survey, a visit arranged."""

    script: Annotated[
        ScriptText | None, Field(description=f"May hold {' '.join(PLACEHOLDERS)}")
    ] = None


class ActionType(Listed, ActionTypeDraft):
    """`script_version` counts the scripts that its code has had."""

    list_name = "action_types"
    called = "action type"

    script_version: int = 1
    script_since: datetime | None = None
    script_by: str | None = None

    @property
    def current_script(self) -> ScriptVersion:
        return ScriptVersion(
            version=self.script_version,
            script=self.script,
            since=self.script_since,
            by=self.script_by,
        )

    def rewritten(self, by: str, now: datetime) -> Self:
        """With its script as the next version."""
        number = self.script_version + 1
        return self.model_copy(
            update={"script_version": number, "script_since": now, "script_by": by}
        )


class OutcomeFlag(StrEnum):
    CONTACT = "contact"
    """The customer was spoken to."""
    SALE = "sale"
    DO_NOT_CALL = "do_not_call"
    NOT_INTERESTED = "not_interested"
    FINAL = "final"
    """Nothing more is to be done with the customer in this campaign."""


# What must be true, too, and what cannot be.
_REQUIRES = {
    OutcomeFlag.SALE: frozenset({OutcomeFlag.CONTACT, OutcomeFlag.FINAL}),
    OutcomeFlag.DO_NOT_CALL: frozenset({OutcomeFlag.FINAL}),
    OutcomeFlag.NOT_INTERESTED: frozenset({OutcomeFlag.CONTACT}),
}
_EXCLUDES = frozenset({OutcomeFlag.SALE, OutcomeFlag.NOT_INTERESTED})


def _of_one_mind(flags: frozenset[OutcomeFlag]) -> frozenset[OutcomeFlag]:
    for flag, required in _REQUIRES.items():
        if flag in flags and (missing := sorted(required - flags)):
            raise ValueError(f"{flag} without {' and '.join(missing)}")
    if flags >= _EXCLUDES:
        raise ValueError(f"{' and '.join(sorted(_EXCLUDES))} at once")
    return flags


class OutcomeDraft(Draft):
    """What came of a contact."""

    flags: Annotated[frozenset[OutcomeFlag], AfterValidator(_of_one_mind)] = frozenset()


class Outcome(Listed, OutcomeDraft):
    list_name = "outcomes"
    called = "outcome"


class NoContactReasonDraft(Draft):
    """Why the customer was not spoken to."""

    retry_minutes: Annotated[
        int, Field(ge=1, le=MAX_RETRY_MINUTES, description="The wait that is proposed")
    ]


class NoContactReason(Listed, NoContactReasonDraft):
    list_name = "no_contact_reasons"
    called = "reason"


def _action_type(code: str, name: str, script: str) -> ActionType:
    return ActionType(code=code, name=name, script=script, used=True)


def _outcome(code: str, name: str, *flags: OutcomeFlag) -> Outcome:
    return Outcome(code=code, name=name, flags=frozenset(flags), used=True)


def _reason(code: str, name: str, retry_minutes: int) -> NoContactReason:
    return NoContactReason(code=code, name=name, retry_minutes=retry_minutes, used=True)


_SPOKE, _FINAL = OutcomeFlag.CONTACT, OutcomeFlag.FINAL


@cache
def all_usual() -> Sequence[Listed]:
    """What a new deployment begins with; any of them can be changed or retired, and others added.

    They are in no table until they are changed, so nothing could say whether history knows them:
    all are taken to be used.
    """
    return (
        _action_type(
            "oferta",
            "Oferta por telefone",
            "Olá, {customer.first_name}! Aqui é {agent.name}. Tudo bem?\n"
            "Estou ligando por causa da nossa campanha {campaign.name}. "
            "Posso contar em um minuto?\n\n"
            "Se agora não for uma boa hora: qual é o melhor dia e horário para eu ligar de novo?",
        ),
        _action_type(
            "pos_venda",
            "Pós-venda",
            "Olá, {customer.first_name}! Aqui é {agent.name}.\n"
            "Quero saber como foi a sua compra. Chegou tudo certo? De 0 a 10, que nota você dá?\n\n"
            "Ficou alguma dúvida em que eu possa ajudar?",
        ),
        _action_type(
            "cadastro",
            "Atualização de cadastro",
            "Olá, {customer.first_name}! Aqui é {agent.name}.\n"
            "Ligo para conferir o seu cadastro. Você ainda está em {customer.city}?\n"
            "Seus telefones e e-mail continuam os mesmos?",
        ),
        _outcome("venda", "Venda realizada", _SPOKE, OutcomeFlag.SALE, _FINAL),
        _outcome("em_negociacao", "Em negociação", _SPOKE),
        _outcome("ligar_depois", "Pediu para ligar depois", _SPOKE),
        _outcome("ja_tem", "Já comprou ou já tem", _SPOKE, _FINAL),
        _outcome("sem_interesse", "Sem interesse", _SPOKE, OutcomeFlag.NOT_INTERESTED, _FINAL),
        _outcome("fora_do_perfil", "Fora do perfil", _SPOKE, _FINAL),
        _outcome("nao_ligar", "Pediu para não ligar mais", _SPOKE, OutcomeFlag.DO_NOT_CALL, _FINAL),
        _outcome("numero_errado", "Número errado", _FINAL),
        _reason("nao_atendeu", "Ninguém atendeu", 120),
        _reason("ocupado", "Ocupado", 15),
        _reason("caixa_postal", "Caixa postal", 240),
        _reason("desligado", "Desligado ou fora de área", 240),
        _reason("ausente", "A pessoa não estava", 180),
        _reason("queda", "A ligação caiu", 5),
    )


def usual(kind: type[T]) -> dict[str, T]:
    """By code."""
    return {entry.key: entry for entry in all_usual() if isinstance(entry, kind)}


# --- Campaigns ------------------------------------------------------------------------------------


class CampaignDraft(Draft):
    """A campaign as a person sets it up; both of its days are part of it."""

    begins_on: date
    ends_on: date
    active: bool = True
    queue: Annotated[Queue, Field(description="Whose agents are the campaign's team")]
    goal_contacts: Count | None = None
    goal_sales: Count | None = None
    goal_value: Annotated[Money | None, Field(description="Of all sales together")] = None
    purpose: Annotated[Purpose, Field(description="What the rules for calling out go by")] = (
        Purpose.TELEMARKETING
    )
    dialling: bool = Field(False, description="A scheduled contact is dialled, too, at its time")
    caller_id: Annotated[
        str | None, Field(max_length=40, description="Shown to customers; null for the stack's")
    ] = None
    action_types: Annotated[
        tuple[Code, ...], Field(max_length=50, description="Those allowed; all when empty")
    ] = ()

    def checked(self, plan: NumberPlan) -> Self:
        """It, the number that it shows in E.164. Raises InvalidInput, which names the field."""
        if self.ends_on < self.begins_on:
            raise InvalidInput("ends_on", "is before begins_on")
        if self.caller_id is None:
            return self
        shown = plan.parse(self.caller_id)
        if shown is None:
            raise InvalidInput("caller_id", "is not a phone number")
        return self.model_copy(update={"caller_id": shown.e164})


class Campaign(Lasting, CampaignDraft):
    list_name = "campaigns"
    called = "campaign"

    campaign_id: str

    @property
    def key(self) -> str:
        return self.campaign_id

    def runs_on(self, day: date) -> bool:
        return self.active and not self.retired and self.begins_on <= day <= self.ends_on

    def allows(self, action_type: str) -> bool:
        return not self.action_types or action_type in self.action_types


# --- Saved filters --------------------------------------------------------------------------------


def _day(value: object) -> object:
    """One way or the other: pydantic would take a number for the seconds since 1970."""
    if isinstance(value, str):
        return date.fromisoformat(value)
    if type(value) is int and abs(value) <= MAX_RELATIVE_DAYS:
        return value
    if isinstance(value, date):
        return value
    raise ValueError(f"is neither a date nor at most {MAX_RELATIVE_DAYS} days from today")


Day = Annotated[int | date, BeforeValidator(_day)]
"""A date; or so many days from the day on which the filter is used."""


class Criteria(Frozen):
    """Which customers of a worklist a filter takes: those who suit all that it says. Days are
    included, both the first and the last."""

    city: OptionalText = None
    tag: OptionalText = None
    last_outcome: Code | None = None
    last_reason: Code | None = None
    operations_min: Annotated[int | None, Field(ge=0, description="Operations ended so far")] = None
    operations_max: Annotated[int | None, Field(ge=0)] = None
    scheduled_from: Annotated[
        Day | None, Field(description="A date, or days from today: 0 is today, -1 yesterday")
    ] = None
    scheduled_to: Day | None = None
    linked_from: Day | None = None
    linked_to: Day | None = None
    agent: OptionalText = None

    @model_validator(mode="after")
    def _has_no_empty_range(self) -> Self:
        for name in ("scheduled", "linked"):
            since, until = getattr(self, f"{name}_from"), getattr(self, f"{name}_to")
            if type(since) is type(until) and since is not None and until < since:
                raise ValueError(f"{name}_to is before {name}_from")
        least, most = self.operations_min, self.operations_max
        if least is not None and most is not None and most < least:
            raise ValueError("operations_max is less than operations_min")
        return self


class FilterDraft(Frozen):
    """`shared` ones are everybody's to use, and leaders' to change."""

    name: Name
    shared: bool = False
    criteria: Criteria


class SavedFilter(Entry, FilterDraft):
    """`owner` is the user who made it."""

    list_name = "filters"
    called = "filter"

    filter_id: str
    owner: str

    @property
    def key(self) -> str:
        return self.filter_id
