"""Where a number is, which time it is there, and which days are holidays.

A number tells where its line was given out, not where its phone is: that is all that anyone who
dials can know, and what the rules for calling go by.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import phonenumbers

from retorno.phone import PhoneNumber

if TYPE_CHECKING:
    from holidays import HolidayBase

DAY = timedelta(days=1)

# Brazil's 67 area codes, by state (Anatel, Plano Geral de Códigos Nacionais). What
# `phonenumbers` says of their time zones is wrong for 81, 93 and 94.
_BRAZIL = {
    "AC": ("America/Rio_Branco", "68"),
    "AL": ("America/Maceio", "82"),
    "AM": ("America/Manaus", "92 97"),
    "AP": ("America/Belem", "96"),
    "BA": ("America/Bahia", "71 73 74 75 77"),
    "CE": ("America/Fortaleza", "85 88"),
    "DF": ("America/Sao_Paulo", "61"),
    "ES": ("America/Sao_Paulo", "27 28"),
    "GO": ("America/Sao_Paulo", "62 64"),
    "MA": ("America/Fortaleza", "98 99"),
    "MG": ("America/Sao_Paulo", "31 32 33 34 35 37 38"),
    "MS": ("America/Campo_Grande", "67"),
    "MT": ("America/Cuiaba", "65 66"),
    "PA": ("America/Belem", "91 93 94"),
    "PB": ("America/Fortaleza", "83"),
    "PE": ("America/Recife", "81 87"),
    "PI": ("America/Fortaleza", "86 89"),
    "PR": ("America/Sao_Paulo", "41 42 43 44 45 46"),
    "RJ": ("America/Sao_Paulo", "21 22 24"),
    "RN": ("America/Fortaleza", "84"),
    "RO": ("America/Porto_Velho", "69"),
    "RR": ("America/Boa_Vista", "95"),
    "RS": ("America/Sao_Paulo", "51 53 54 55"),
    "SC": ("America/Sao_Paulo", "47 48 49"),
    "SE": ("America/Maceio", "79"),
    "SP": ("America/Sao_Paulo", "11 12 13 14 15 16 17 18 19"),
    "TO": ("America/Araguaina", "63"),
}
STATES = {code: state for state, (_, codes) in _BRAZIL.items() for code in codes.split()}

# Half of the towns of area code 97 keep Acre's time, and a number does not say which half.
_BOTH_OF_AMAZONAS = ("America/Manaus", "America/Eirunepe")
# The one exchange of Fernando de Noronha; its mobiles are numbered as Recife's.
_NORONHA = "+55813619"

# Portugal's islands, by the prefix of their landlines. Its mobiles do not tell an island.
_PORTUGUESE_ISLANDS = {
    "+351291": ("30", "Atlantic/Madeira"),
    "+351292": ("20", "Atlantic/Azores"),
    "+351295": ("20", "Atlantic/Azores"),
    "+351296": ("20", "Atlantic/Azores"),
}
_PORTUGUESE_PREFIX = len("+351291")

_UNKNOWN_ZONE = "Etc/Unknown"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a number is.

    `country` is its ISO 3166 code, empty where the number does not tell. `state` is the ISO 3166-2
    code without the country ("RJ", and "20" for the Azores), None where there is none to tell.
    `zones` are IANA's, at least one: more where the number may be in either, the likeliest first.
    """

    country: str
    state: str | None
    zones: tuple[str, ...]

    def day_at(self, moment: datetime) -> date:
        """The date there."""
        return moment.astimezone(ZoneInfo(self.zones[0])).date()

    def beginning_of(self, day: date) -> datetime:
        """When a day begins there, in UTC."""
        return moment_of(day, time.min, self.zones[0])


def place_of(number: PhoneNumber) -> Place:
    """Where a number is.

    An area code that reaches into another state, as 61 does, is of the state that most of it is
    in; one that reaches into another time zone is of both where they are of a size (97), and else
    of the greater. A Brazilian number without an area code (0800) has Brasília's time.
    """
    if number.country == "BR":
        return _place_in_brazil(number)
    if number.country == "PT":
        prefix = number.e164[:_PORTUGUESE_PREFIX]
        state, zone = _PORTUGUESE_ISLANDS.get(prefix, (None, "Europe/Lisbon"))
        return Place("PT", state, (zone,))
    # Its table of all countries' numbers is needed for abroad alone.
    from phonenumbers import timezone  # noqa: PLC0415

    zones = timezone.time_zones_for_number(phonenumbers.parse(number.e164))
    known = tuple(zone for zone in zones if zone != _UNKNOWN_ZONE)
    return Place(number.country, None, known or ("UTC",))


def _place_in_brazil(number: PhoneNumber) -> Place:
    if number.area_code is None:
        return Place("BR", None, ("America/Sao_Paulo",))
    state = STATES[number.area_code]
    if number.area_code == "97":
        return Place("BR", state, _BOTH_OF_AMAZONAS)
    if number.e164.startswith(_NORONHA):
        return Place("BR", state, ("America/Noronha",))
    return Place("BR", state, (_BRAZIL[state][0],))


def moment_of(day: date, at: time, zone: str) -> datetime:
    """When it is `at` o'clock on a day in a zone, in UTC.

    Of a time that comes twice, when clocks go back, the first; a time that is skipped counts as
    if they had not gone forward.
    """
    return datetime.combine(day, at, ZoneInfo(zone)).astimezone(UTC)


# The days on which banks do no business are those on which the exchange does none.
_EXCHANGES = {"BR": "BVMF"}


@dataclass(frozen=True, slots=True)
class Calendar:
    """The holidays of a country, or of a state: the country's own and its state's.

    `with_optional` adds those that custom or employers keep and no law gives to all: in Brazil
    Carnival, Ash Wednesday, Corpus Christi, 28 October, and the eves of Christmas and New Year;
    `of_banks` those of the financial market (in Brazil B3's), where they are known. Municipal
    holidays are not known. A country or state of which the package `holidays` knows nothing has
    none.
    """

    country: str
    state: str | None = None
    with_optional: bool = False
    of_banks: bool = False

    @property
    def _days(self) -> "HolidayBase":
        return _holidays(self.country, self.state, self.with_optional, self.of_banks)

    def is_holiday(self, day: date) -> bool:
        return day in self._days

    def nth_business_day(self, day: date) -> int | None:
        """Which business day of its month a day is, from 1; None for a weekend and a holiday."""
        if not self._days.is_working_day(day):
            return None
        return int(self._days.get_working_days_count(day.replace(day=1), day))


def has_state(country: str, state: str) -> bool:
    """Whether a state's own holidays are known."""
    import holidays  # noqa: PLC0415

    return state in holidays.list_supported_countries().get(country, ())


@cache
def _holidays(
    country: str, state: str | None, with_optional: bool, of_banks: bool
) -> "HolidayBase":
    """Years are worked out as they are asked for."""
    # It takes a fifth of a second to import, and who only asks where a number is has no use for it.
    import holidays  # noqa: PLC0415

    states = holidays.list_supported_countries().get(country)
    if states is None:
        return holidays.HolidayBase()
    calendar = holidays.country_holidays(country, subdiv=state if state in states else None)
    if with_optional and "optional" in calendar.supported_categories:
        calendar = holidays.country_holidays(
            country, subdiv=calendar.subdiv, categories=("public", "optional")
        )
    if of_banks and country in _EXCHANGES:
        return calendar + holidays.financial_holidays(_EXCHANGES[country])
    return calendar
