"""What the law asks of a menu. Each rule belongs to a profile of rules for calling, and holds
where that is switched on. None of it is legal advice."""

from collections.abc import Sequence
from datetime import date

from pydantic import Field

from retorno.calling_rules.model import Profile, Source, Standing, Text
from retorno.frozen import Frozen


class MenuRule(Frozen):
    """`max_options` are those of the first menu that a caller hears."""

    id: str
    profile: str
    title: Text
    max_options: int = Field(ge=1)
    source: Source
    checked_on: date
    standing: Standing


RULES = (
    MenuRule(
        id="pt-dl-134-2009/first-menu",
        profile="pt-dl-134-2009",
        title=Text(
            pt="O menu inicial tem no máximo cinco opções",
            en="The first menu has at most five options",
        ),
        max_options=5,
        source=Source(
            title="Centro de Contacto: Decreto-Lei 134/2009",
            url="http://www.centrodecontacto.com/regulacao-dos-centros-telefonicos/"
            "decreto-lei-n-o-134-2009-servicos-de-promocao-informacao-e-apoio-aos-consumidores/",
        ),
        checked_on=date(2026, 11, 22),
        standing=Standing.SECONDARY,
    ),
)


def rules_of(profiles: Sequence[Profile]) -> tuple[MenuRule, ...]:
    """The rules that come with profiles."""
    chosen = {profile.id for profile in profiles}
    return tuple(rule for rule in RULES if rule.profile in chosen)
