"""Where a number is, which time it is there, and which days are holidays."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, time
from importlib import import_module
from pkgutil import iter_modules
from zoneinfo import ZoneInfo

import phonenumbers
import pytest
from phonenumbers import geodata, tzdata

from retorno.calendars import STATES, Calendar, Place, moment_of, place_of
from retorno.phone import NumberPlan

BRAZIL = Calendar("BR")
RIO = Calendar("BR", "RJ")


def place(written: str) -> Place:
    number = NumberPlan().parse(written)
    assert number
    return place_of(number)


class TestPlace:
    def test_every_area_code_of_brazil_has_one_state(self) -> None:
        assert len(STATES) == 67
        assert len(set(STATES.values())) == 27
        landlines = [NumberPlan().parse(f"+55{code}32345678") for code in range(11, 100)]
        assert {line.area_code for line in landlines if line and line.area_code} == STATES.keys()

    def test_the_states_are_those_of_the_towns(self) -> None:
        """`phonenumbers` names the town of each landline: "Ubatuba - SP"."""
        towns: dict[str, Counter[str]] = defaultdict(Counter)
        for module in iter_modules(geodata.__path__):
            data = import_module(f"phonenumbers.geodata.{module.name}")
            for prefix, names in getattr(data, "data", {}).items():
                if prefix.startswith("55") and " - " in (town := names.get("pt", "")):
                    towns[prefix[2:4]][town.rpartition(" - ")[2]] += 1
        assert {code: states.most_common(1)[0][0] for code, states in towns.items()} == STATES

    @pytest.mark.parametrize(
        ("written", "country", "state", "zones"),
        [
            ("(11) 98765-4321", "BR", "SP", ("America/Sao_Paulo",)),
            ("61 3333-4444", "BR", "DF", ("America/Sao_Paulo",)),
            ("68 98765-4321", "BR", "AC", ("America/Rio_Branco",)),
            ("69 98765-4321", "BR", "RO", ("America/Porto_Velho",)),
            ("81 98765-4321", "BR", "PE", ("America/Recife",)),
            ("81 3619-1234", "BR", "PE", ("America/Noronha",)),
            ("91 98765-4321", "BR", "PA", ("America/Belem",)),
            ("92 98765-4321", "BR", "AM", ("America/Manaus",)),
            ("97 98765-4321", "BR", "AM", ("America/Manaus", "America/Eirunepe")),
            ("0800 123 4567", "BR", None, ("America/Sao_Paulo",)),
            ("+351 912 345 678", "PT", None, ("Europe/Lisbon",)),
            ("+351 211 234 567", "PT", None, ("Europe/Lisbon",)),
            ("+351 291 123 456", "PT", "30", ("Atlantic/Madeira",)),
            ("+351 292 123 456", "PT", "20", ("Atlantic/Azores",)),
            ("+351 296 123 456", "PT", "20", ("Atlantic/Azores",)),
            ("+1 212 555 0123", "US", None, ("America/New_York",)),
            ("+34 912 345 678", "ES", None, ("Europe/Madrid",)),
            ("+800 1234 5678", "", None, ("UTC",)),
        ],
    )
    def test_is_told_by_the_number(
        self, written: str, country: str, state: str | None, zones: tuple[str, ...]
    ) -> None:
        assert place(written) == Place(country, state, zones)

    def test_a_number_that_may_be_in_many_zones_names_them_all(self) -> None:
        assert {"America/New_York", "Pacific/Honolulu"} < set(place("+1 800 234 5678").zones)

    def test_every_zone_that_a_number_can_have_exists(self) -> None:
        named = {zone for zones in tzdata.TIMEZONE_DATA.values() for zone in zones}
        for zone in named - {"Etc/Unknown"}:
            assert ZoneInfo(zone)

    def test_tells_the_day_there(self) -> None:
        acre = place("68 98765-4321")
        assert acre.day_at(datetime(2026, 3, 2, 4, 59, tzinfo=UTC)) == date(2026, 3, 1)
        assert acre.beginning_of(date(2026, 3, 2)) == datetime(2026, 3, 2, 5, tzinfo=UTC)


class TestMoment:
    @pytest.mark.parametrize(
        ("day", "at", "zone", "moment"),
        [
            (date(2026, 1, 5), time(9), "America/Sao_Paulo", "2026-01-05T12:00Z"),
            # Brazil's last summer time; since 2019 there is none.
            (date(2019, 1, 7), time(9), "America/Sao_Paulo", "2019-01-07T11:00Z"),
            (date(2026, 3, 28), time(9), "Europe/Lisbon", "2026-03-28T09:00Z"),
            (date(2026, 3, 29), time(9), "Europe/Lisbon", "2026-03-29T08:00Z"),
            (date(2026, 10, 25), time(9), "Europe/Lisbon", "2026-10-25T09:00Z"),
            # Comes twice, and is skipped.
            (date(2026, 10, 25), time(1, 30), "Europe/Lisbon", "2026-10-25T00:30Z"),
            (date(2026, 3, 29), time(1, 30), "Europe/Lisbon", "2026-03-29T01:30Z"),
        ],
    )
    def test_is_that_of_the_zones_clock(self, day: date, at: time, zone: str, moment: str) -> None:
        assert moment_of(day, at, zone) == datetime.fromisoformat(moment)


class TestCalendar:
    @pytest.mark.parametrize(
        ("calendar", "day", "is_holiday"),
        [
            (BRAZIL, date(2026, 9, 7), True),
            (BRAZIL, date(2026, 4, 3), True),
            # Black Consciousness Day is of the nation since 2024, and was of Rio's before.
            (BRAZIL, date(2023, 11, 20), False),
            (RIO, date(2023, 11, 20), True),
            (BRAZIL, date(2026, 11, 20), True),
            (BRAZIL, date(2026, 4, 23), False),
            (RIO, date(2026, 4, 23), True),
            (RIO, date(2026, 9, 7), True),
            # Carnival and Corpus Christi.
            (BRAZIL, date(2026, 2, 17), False),
            (BRAZIL, date(2026, 6, 4), False),
            (Calendar("BR", with_optional=True), date(2026, 2, 17), True),
            (Calendar("BR", "SP", with_optional=True), date(2026, 6, 4), True),
            (Calendar("BR", "SP", with_optional=True), date(2026, 7, 9), True),
            (Calendar("PT"), date(2026, 4, 25), True),
            (Calendar("PT"), date(2026, 7, 1), False),
            (Calendar("PT", "30"), date(2026, 7, 1), True),
            # What nobody knows has no holidays, and a country its own without its state's.
            (Calendar(""), date(2026, 1, 1), False),
            (Calendar("BR", "ZZ"), date(2026, 9, 7), True),
        ],
    )
    def test_knows_the_holidays_of(self, calendar: Calendar, day: date, is_holiday: bool) -> None:
        assert calendar.is_holiday(day) is is_holiday


@pytest.mark.parametrize("code", ["81", "93", "94"])
def test_phonenumbers_is_wrong_of_some_area_codes(code: str) -> None:
    """Why there is a table: the day that this fails, it can go."""
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    numbers = [phonenumbers.parse(f"+55{code}{line}") for line in ("987654321", "32345678")]
    said = [phonenumbers.timezone.time_zones_for_number(number)[0] for number in numbers]
    (zone,) = place(f"+55{code}987654321").zones
    assert any(
        noon.astimezone(ZoneInfo(each)).hour != noon.astimezone(ZoneInfo(zone)).hour
        for each in said
    )
