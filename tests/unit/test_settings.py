"""What a deployment decides, read from the environment."""

from datetime import timedelta
from typing import get_type_hints

import pytest
from pydantic import ValidationError

from retorno.settings import (
    CallAgeSettings,
    CallSettings,
    IngestSettings,
    RecoveryRequires,
    RecoverySettings,
    Settings,
)

CALLS = {"COUNTRY": "BR", "CALLS_TABLE": "calls"}
RECOVERY = CALLS | {
    "RECOVERIES_TABLE": "recoveries",
    "SHORT_ABANDON_SECONDS": "5",
    "PERSON_TALK_SECONDS": "15",
    "RECOVERY_REQUIRES": "person",
    "RECOVERY_WINDOW_DAYS": "7",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that says nothing of Retorno."""
    for settings in (IngestSettings, RecoverySettings, CallAgeSettings):
        for name in get_type_hints(settings):
            monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def fields_refused(settings: type[Settings]) -> set[str]:
    with pytest.raises(ValidationError) as refusal:
        settings.from_environment()
    return {str(error["loc"][0]) for error in refusal.value.errors()}


def say(environment: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, text in variables.items():
        environment.setenv(name, text)


def test_variables_have_the_fields_names_in_capitals(environment: pytest.MonkeyPatch) -> None:
    say(environment, CALLS | {"AREA_CODE": "11", "calls_table": "another"})
    settings = CallSettings.from_environment()
    assert (settings.country, settings.area_code, settings.calls_table) == ("BR", "11", "calls")


def test_every_variable_that_is_missing_is_named(environment: pytest.MonkeyPatch) -> None:
    say(environment, {"COUNTRY": "BR"})
    assert fields_refused(IngestSettings) == {
        "calls_table",
        "deferred_calls_queue",
        "kept_payloads_bucket",
        "webhook_secret",
        "twilio_secret",
        "zenvia_secret",
    }


def test_an_empty_variable_is_as_good_as_none(environment: pytest.MonkeyPatch) -> None:
    say(environment, CALLS | {"CALLS_TABLE": ""})
    assert fields_refused(CallSettings) == {"calls_table"}
    say(environment, CALLS | {"AREA_CODE": "", "INTERNAL_NUMBERS": ""})
    settings = CallSettings.from_environment()
    assert (settings.area_code, settings.internal_numbers) == (None, ())


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("+551133334444", ("+551133334444",)),
        ("11 3333-4444, 4004-1234", ("11 3333-4444", "4004-1234")),
        (" , +551133334444,, ", ("+551133334444",)),
    ],
)
def test_lists_are_separated_by_commas(
    environment: pytest.MonkeyPatch, text: str, numbers: tuple[str, ...]
) -> None:
    say(environment, CALLS | {"INTERNAL_NUMBERS": text})
    assert CallSettings.from_environment().internal_numbers == numbers


def test_durations_are_in_the_unit_of_their_name(environment: pytest.MonkeyPatch) -> None:
    say(environment, RECOVERY | {"CALL_MAX_HOURS": "1.5", "RECOVERY_WINDOW_DAYS": "0.5"})
    assert CallAgeSettings.from_environment().call_max_age == timedelta(minutes=90)
    assert RecoverySettings.from_environment().recovery_window == timedelta(hours=12)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("SHORT_ABANDON_SECONDS", "-1"),
        ("PERSON_TALK_SECONDS", "-0.5"),
        ("PERSON_TALK_SECONDS", "a while"),
        ("RECOVERY_WINDOW_DAYS", "0"),
        ("RECOVERY_WINDOW_DAYS", "-7"),
        ("RECOVERY_REQUIRES", "Person"),
        ("RECOVERY_REQUIRES", "nothing"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(
    environment: pytest.MonkeyPatch, variable: str, text: str
) -> None:
    say(environment, RECOVERY | {variable: text})
    assert fields_refused(RecoverySettings) == {variable.lower()}


@pytest.mark.parametrize("text", ["0", "-4", "soon"])
def test_calls_are_not_closed_before_they_begin(environment: pytest.MonkeyPatch, text: str) -> None:
    say(environment, CALLS | {"CALL_MAX_HOURS": text})
    assert fields_refused(CallAgeSettings) == {"call_max_hours"}


@pytest.mark.parametrize("requires", list(RecoveryRequires))
def test_each_way_to_recover_can_be_chosen(
    environment: pytest.MonkeyPatch, requires: RecoveryRequires
) -> None:
    say(environment, RECOVERY | {"RECOVERY_REQUIRES": requires.value})
    assert RecoverySettings.from_environment().recovery_requires is requires
