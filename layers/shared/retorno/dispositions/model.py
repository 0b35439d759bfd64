"""Dispositions: the words that operators sum a call up in, and what each of them means."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import cache
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from retorno.frozen import Frozen

Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+([_-][a-z0-9]+)*$", max_length=40)]
Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]


class Flag(StrEnum):
    HUMAN_ANSWERED = "human_answered"
    VOICEMAIL = "voicemail"
    CUSTOMER_CONTACT = "customer_contact"
    SALE = "sale"
    DO_NOT_CALL = "do_not_call"
    NOT_INTERESTED = "not_interested"
    CALLBACK_WANTED = "callback_wanted"
    FINAL = "final"


# What only a person can have said.
OF_A_PERSON = frozenset(Flag) - {Flag.VOICEMAIL, Flag.FINAL}


class Meaning(Frozen):
    """What a disposition says. Retired ones stay known, since calls name them, but are given no
    more.
    """

    label: Label = Field(description="What operators read")
    flags: frozenset[Flag] = frozenset()
    retired: bool = False

    @model_validator(mode="after")
    def _is_of_one_mind(self) -> Self:
        if Flag.VOICEMAIL in self.flags and (said := sorted(self.flags & OF_A_PERSON)):
            raise ValueError(f"a voicemail cannot be {' or '.join(said)}")
        if Flag.CUSTOMER_CONTACT in self.flags and Flag.HUMAN_ANSWERED not in self.flags:
            raise ValueError("customer_contact without human_answered")
        return self


class Disposition(Meaning):
    """One of the list."""

    code: Code


def _disposition(code: str, label: str, *flags: Flag) -> Disposition:
    return Disposition(code=code, label=label, flags=frozenset(flags))


_SPOKE = (Flag.HUMAN_ANSWERED, Flag.CUSTOMER_CONTACT)


@cache
def usual() -> Sequence[Disposition]:
    """What a new deployment begins with; any can be changed or retired, and others added."""
    return (
        _disposition("resolvido", "Resolvido com o cliente", *_SPOKE, Flag.FINAL),
        _disposition("venda", "Venda realizada", *_SPOKE, Flag.SALE, Flag.FINAL),
        _disposition("ligar_depois", "Pediu para ligar depois", *_SPOKE, Flag.CALLBACK_WANTED),
        _disposition("sem_interesse", "Sem interesse", *_SPOKE, Flag.NOT_INTERESTED, Flag.FINAL),
        _disposition(
            "nao_ligar", "Pediu para não ligar mais", *_SPOKE, Flag.DO_NOT_CALL, Flag.FINAL
        ),
        _disposition("outra_pessoa", "Outra pessoa atendeu", Flag.HUMAN_ANSWERED),
        _disposition("numero_errado", "Número errado", Flag.HUMAN_ANSWERED, Flag.FINAL),
        _disposition("caixa_postal", "Caiu na caixa postal", Flag.VOICEMAIL),
        _disposition("nao_atendeu", "Ninguém atendeu"),
        _disposition("queda", "A ligação caiu"),
    )


def listed(changed: Iterable[Disposition]) -> list[Disposition]:
    """The usual ones with what was changed and added, by label."""
    by_code = {each.code: each for each in (*usual(), *changed)}
    return sorted(by_code.values(), key=lambda each: each.label.casefold())
