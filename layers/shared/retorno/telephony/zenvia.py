"""Zenvia Voice, which was TotalVoice (https://totalvoice.github.io/totalvoice-docs).

Its webhooks and the rows of its reports tell of a call in one of three shapes, with the vendor's
names for the fields: two legs, `origem` and `destino`; a received call, flat; and an extension's
leg by itself. docs/providers.md says what they mean here, and how that is known.
"""

import hmac
import unicodedata
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated, ClassVar
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
)
from pydantic_core import PydanticCustomError

from retorno.errors import InvalidInput, NotAuthenticated
from retorno.frozen import Frozen
from retorno.phone import NumberPlan
from retorno.telephony.parties import identify
from retorno.telephony.ports import (
    CALL_ID,
    ENDS,
    MAX_NAME_LENGTH,
    CallEvent,
    Direction,
    Reading,
    Stage,
    WebhookRequest,
)
from retorno.telephony.validation import IN_RANGE, Name, Time, json_of, validated

NAME = "zenvia"
PATH = "/webhooks/zenvia/"
MAX_SECONDS = 999_999

STAGES = {
    "preparando": Stage.QUEUED,
    "chamando": Stage.RINGING,
    "atendida": Stage.ANSWERED,
    "sem resposta": Stage.NO_ANSWER,
    "nao atendida": Stage.NO_ANSWER,
    "ocupado": Stage.NO_ANSWER,
    "cancelada": Stage.CANCELLED,
    "congestionado": Stage.FAILED,
    "falha": Stage.FAILED,
    "nao existe": Stage.FAILED,
    "desconhecido": Stage.FAILED,
}
OVER = "finalizada"
OVERALL = frozenset({"criada", "curso", OVER})
EXTENSION = "ramal"
KINDS = frozenset({EXTENSION, "movel", "fixo"})
UNDEFINED = "indefinido"


class Zenvia:
    """`received`: what comes by this way tells of calls that customers made.

    The shape cannot say so where both legs are telephone numbers. Each way has its own name, by
    which its payloads are kept; the calls are of one provider.
    """

    def __init__(self, name: str = NAME, *, received: bool = False) -> None:
        self.name = name
        self._received = received

    def verify(self, request: WebhookRequest, secrets: Sequence[str], now: datetime) -> None:
        """Zenvia signs nothing: a secret stands in the address, behind PATH."""
        behind = urlsplit(request.url).path.rpartition(PATH)[2]
        given = unquote(behind.partition("/")[0]).encode(errors="replace")
        if not any(hmac.compare_digest(secret.encode(), given) for secret in secrets):
            raise NotAuthenticated("the address is not the one that was agreed")

    def payload(self, request: WebhookRequest) -> bytes:
        return request.body

    def read(self, payload: bytes, plan: NumberPlan, now: datetime) -> Reading:
        """One webhook, or one row of a report."""
        entry = json_of(payload)
        if not isinstance(entry, dict):
            raise InvalidInput("body", "is not an object")
        if entry.keys() >= VOICEMAIL:
            return Reading(taken=0, events=(), ignored=1)
        shape = next((shape for shape in SHAPES if entry.keys() >= shape.known_by), None)
        if shape is None:
            raise InvalidInput("body", "has none of the shapes of a call")
        told = validated(shape, entry, "body", now)
        events = told.events(plan, received=self._received)
        return Reading(taken=1, events=events, unknown=told.unknown())


# --- What may stand in a field --------------------------------------------------------------------


def _call_id(told: str) -> str:
    call_id = f"{NAME}-{told}"
    if not CALL_ID.fullmatch(call_id):
        raise PydanticCustomError("id", "is not the id of a call")
    return call_id


def _none_if_blank(told: object) -> object:
    told = told.strip() if isinstance(told, str) else told
    return None if told in ("", {}, []) else told


def _extension(told: object) -> object:
    """Reports tell an extension as an object."""
    return told.get("ramal") if isinstance(told, dict) else told


def _in_utc(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _in_brasilia(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=_brasilia())


@cache
def _brasilia() -> ZoneInfo:
    return ZoneInfo("America/Sao_Paulo")


MAY_BE_BLANK = BeforeValidator(_none_if_blank)

CallId = Annotated[str, Field(min_length=1), AfterValidator(_call_id)]
Text = Annotated[Name | None, MAY_BE_BLANK]
Flag = Annotated[bool | None, MAY_BE_BLANK]
Extension = Annotated[Text, BeforeValidator(_extension)]
Seconds = Annotated[Annotated[int, Field(ge=0, le=MAX_SECONDS)] | None, MAY_BE_BLANK]
# Of times without an offset, a call's own is in UTC and a leg's is Brasília's.
CallTime = Annotated[datetime, AfterValidator(_in_utc), IN_RANGE]
LegTime = Annotated[datetime, AfterValidator(_in_brasilia), IN_RANGE]


# --- The shapes -----------------------------------------------------------------------------------


class Told(Frozen):
    model_config = ConfigDict(coerce_numbers_to_str=True)


class Part(Told):
    """What is told alike of a leg and of a whole call."""

    status: Text = None
    duracao_segundos: Seconds = None
    duracao_falada_segundos: Seconds = None

    @property
    def stage(self) -> Stage | None:
        """None where no status is told, or one that nobody knows."""
        return STAGES.get(_plain(self.status))

    @property
    def unknown_status(self) -> str | None:
        return None if self.stage else self.status

    @property
    def answered(self) -> bool:
        talked = self.status is None and bool(self.duracao_falada_segundos)
        return talked or self.stage is Stage.ANSWERED

    def end(self, began: datetime) -> datetime:
        return began + timedelta(seconds=self.duracao_segundos or 0)

    def answer(self, began: datetime, until: datetime, *, over: bool) -> datetime | None:
        """When the talk began that lasted until a moment. While it goes on it may not be told."""
        if self.duracao_segundos is None or (over and self.duracao_falada_segundos is None):
            return None
        return max(began, until - timedelta(seconds=self.duracao_falada_segundos or 0))

    def end_stage(self, *, answered: bool) -> Stage | None:
        """None where the status may mean any."""
        if answered:
            return Stage.COMPLETED
        if self.unknown_status:
            return None
        return self.stage if self.stage in ENDS else Stage.CANCELLED


class CallShape(Told):
    """A shape in which a call is told of, and the fields that it is known by."""

    known_by: ClassVar[frozenset[str]]

    id: CallId

    @abstractmethod
    def events(self, plan: NumberPlan, *, received: bool) -> list[CallEvent]: ...

    @abstractmethod
    def unknown(self) -> list[str]:
        """The values that no document of the vendor lists."""


class Leg(Part):
    numero: Text = None
    tipo: Text = None
    data_inicio: Annotated[LegTime | None, MAY_BE_BLANK] = None
    motivo_desconexao: Text = None

    @property
    def is_extension(self) -> bool:
        return _plain(self.tipo) == EXTENSION

    @property
    def unknown_kind(self) -> str | None:
        return None if _plain(self.tipo) in KINDS else self.tipo

    @property
    def was_rung(self) -> bool:
        return self.status is not None and self.stage is not Stage.QUEUED

    @property
    def reason(self) -> str | None:
        cause = None if _plain(self.motivo_desconexao) == UNDEFINED else self.motivo_desconexao
        return ", ".join(text for text in (self.status, cause) if text)[:MAX_NAME_LENGTH] or None


class TwoLegs(CallShape):
    """A call, while it goes on and when it is over.

    The first leg is the operator, whose telephone rings first, or a customer, whom Zenvia itself
    picks up: it is the second that is to be reached, and that tells of an answer.
    """

    known_by = frozenset({"origem", "destino"})

    data_criacao: CallTime
    ativa: Flag = None
    status_geral: Text = None
    ramal_id_origem: Text = None
    origem: Leg
    destino: Leg

    def events(self, plan: NumberPlan, *, received: bool) -> list[CallEvent]:
        direction = self._direction(received=received)
        parties = identify(direction, self.origem.numero, self.destino.numero, plan)
        extension = next((leg for leg in (self.origem, self.destino) if leg.is_extension), None)
        told = CallEvent(
            call_id=self.id,
            provider=NAME,
            occurred_at=self.data_criacao,
            stage=Stage.QUEUED,
            direction=direction,
            caller=parties.caller,
            callee=parties.callee,
            number=parties.number,
            agent=extension.numero if extension else None,
        )
        by_person = direction is not Direction.INBOUND or self.destino.is_extension
        answered = self.destino.answered and by_person
        return [
            told,
            *_later(told, self._rang_at, Stage.RINGING),
            *_later(told, self._answered_at if answered else None, Stage.ANSWERED),
            *(self._end(told, answered=answered) if self._is_over else ()),
        ]

    def _direction(self, *, received: bool) -> Direction:
        if self.origem.is_extension:
            return Direction.OUTBOUND_MANUAL
        if self.destino.is_extension:
            return Direction.INBOUND
        if self.ramal_id_origem:
            return Direction.OUTBOUND_MANUAL
        return Direction.INBOUND if received else Direction.OUTBOUND_AUTO

    @property
    def _is_over(self) -> bool:
        """A call that is yet to be made is not active either."""
        return _plain(self.status_geral) == OVER if self.status_geral else self.ativa is False

    @property
    def _until(self) -> datetime:
        """When it ended, or when this was told."""
        if self.destino.data_inicio:
            return self.destino.end(self.destino.data_inicio)
        # Seconds then count from the call's beginning: it is the longer leg that says how long.
        legs = (self.origem, self.destino)
        return max(leg.end(leg.data_inicio or self.data_criacao) for leg in legs)

    @property
    def _rang_at(self) -> datetime | None:
        """At the latest: the earliest of what is told stands."""
        rings = self.destino.stage is Stage.RINGING and not self._is_over
        return self.destino.data_inicio or (self._until if rings else None)

    @property
    def _answered_at(self) -> datetime | None:
        began = self.destino.data_inicio or self.data_criacao
        return self.destino.answer(began, self._until, over=self._is_over)

    def _end(self, told: CallEvent, *, answered: bool) -> list[CallEvent]:
        ended_by = self.destino if answered or self.destino.was_rung else self.origem
        return _later(told, self._until, ended_by.end_stage(answered=answered), ended_by.reason)

    def unknown(self) -> list[str]:
        overall = None if _plain(self.status_geral) in OVERALL else self.status_geral
        unknown = _named("status_geral", overall)
        for name, leg in (("origem", self.origem), ("destino", self.destino)):
            unknown += _named(f"{name}.status", leg.unknown_status)
            unknown += _named(f"{name}.tipo", leg.unknown_kind)
        return unknown


class Queue(Told):
    id: Text = None
    data_inicio: Annotated[Time | None, MAY_BE_BLANK] = None


class ReceivedCall(CallShape, Part):
    """A call that a customer made, as the reports of numbers (DID) and of queues list it."""

    known_by = frozenset({"numero_origem", "numero_destino"})

    data_inicio: Time
    numero_origem: Text
    numero_destino: Text
    ativa: Flag = None
    ramal: Extension = None
    ramal_id: Text = None
    fila: Annotated[Queue | None, MAY_BE_BLANK] = None
    tempo_espera: Seconds = None

    def events(self, plan: NumberPlan, *, received: bool) -> list[CallEvent]:
        parties = identify(Direction.INBOUND, self.numero_origem, self.numero_destino, plan)
        told = CallEvent(
            call_id=self.id,
            provider=NAME,
            occurred_at=self._entered_at or self.data_inicio,
            stage=Stage.QUEUED if self.fila else Stage.RINGING,
            direction=Direction.INBOUND,
            caller=parties.caller,
            callee=parties.callee,
            number=parties.number,
            queue=self.fila.id if self.fila else None,
            agent=self.ramal,
        )
        # A menu picks up, too: an answer is a person's where a queue or an extension gave it.
        answered = self.answered and bool(self.fila or self.ramal or self.ramal_id)
        over = self.ativa is False
        until = self.end(self.data_inicio)
        answered_at = self._waited_until or self.answer(self.data_inicio, until, over=over)
        return [
            told,
            *_later(told, answered_at if answered else None, Stage.ANSWERED),
            *(self._end(told, answered=answered) if over else ()),
        ]

    @property
    def _entered_at(self) -> datetime | None:
        return self.fila.data_inicio if self.fila else None

    @property
    def _waited_until(self) -> datetime | None:
        if self._entered_at is None or self.tempo_espera is None:
            return None
        return self._entered_at + timedelta(seconds=self.tempo_espera)

    def _end(self, told: CallEvent, *, answered: bool) -> list[CallEvent]:
        ended_at = self.end(self.data_inicio)
        if not answered:
            ended_at = self._waited_until or ended_at
        # Who was not answered in one queue may have been in the next.
        leaves_queue = self.fila is not None and not answered
        stage = self.end_stage(answered=answered)
        ended = _later(told, ended_at, stage, self.status)
        return [replace(event, leaves_queue=leaves_queue) for event in ended]

    def unknown(self) -> list[str]:
        return _named("status", self.unknown_status)


class ExtensionLeg(CallShape, Part):
    """An extension's leg by itself, in real time. It does not tell how the call ended.

    Nor does it say who called: only of a received call is the extension's answer an answer.
    """

    known_by = frozenset({"tipo", "ativo", "data_criacao"})

    data_criacao: LegTime
    data_atendimento: Annotated[LegTime | None, MAY_BE_BLANK] = None
    ramal: Extension = None

    def events(self, plan: NumberPlan, *, received: bool) -> list[CallEvent]:
        told = CallEvent(
            call_id=self.id,
            provider=NAME,
            occurred_at=self.data_criacao,
            stage=Stage.RINGING,
            direction=Direction.INBOUND if received else None,
            agent=self.ramal,
        )
        answered = received and self.ramal is not None and self.answered
        until = self.end(self.data_criacao)
        answered_at = self.data_atendimento or self.answer(self.data_criacao, until, over=False)
        return [told, *_later(told, answered_at if answered else None, Stage.ANSWERED)]

    def unknown(self) -> list[str]:
        return _named("status", self.unknown_status)


SHAPES: tuple[type[CallShape], ...] = (TwoLegs, ReceivedCall, ExtensionLeg)

# A message left for an extension; it does not say of which call.
VOICEMAIL = frozenset({"numero_telefone", "data_mensagem"})


def _later(
    told: CallEvent, at: datetime | None, stage: Stage | None, reason: str | None = None
) -> list[CallEvent]:
    """What is told, at another time and stage; nothing where either is not known."""
    if at is None or stage is None:
        return []
    return [replace(told, occurred_at=at, stage=stage, reason=reason)]


def _named(name: str, value: str | None) -> list[str]:
    return [f"{name}={value}"] if value else []


def _plain(text: str | None) -> str:
    """A word whatever its case and its accents."""
    letters = unicodedata.normalize("NFKD", (text or "").casefold())
    return " ".join("".join(c for c in letters if not unicodedata.combining(c)).split())
