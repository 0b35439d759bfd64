"""What a campaign may be, and what its calls go by."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from retorno.callback_campaigns.model import CampaignDraft, Result, Waits
from retorno.calling_rules.model import Purpose, Weekday, Window, decide
from retorno.calling_rules.profiles import all_profiles
from retorno.errors import InvalidInput
from retorno.phone import NumberPlan
from retorno.settings import DialProvider

PLAN = NumberPlan("BR", "11")
FIELDS = {"name": "Retorno", "monitored_queue": "vendas", "callback_queue": "vendas"}
MORNINGS = Window(days=(Weekday.MONDAY,), since=time(9), until=time(12))


def draft(**fields: Any) -> CampaignDraft:
    return CampaignDraft.model_validate(FIELDS | fields)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "  "),
        ("monitored_queue", ""),
        ("max_attempts", 0),
        ("max_attempts", 21),
        ("max_calls_a_day", 0),
        ("min_gap_minutes", 0),
        ("waits", {"busy": 0}),
        ("waits", {"no_answer": 7 * 24 * 60 + 1}),
        ("menu", "../../etc"),
        ("purpose", "fun"),
        ("hours", [{"days": [], "since": "09:00", "until": "12:00"}]),
    ],
)
def test_what_cannot_be_is_named(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as refused:
        draft(**{field: value})
    assert refused.value.errors()[0]["loc"][0] == field


@pytest.mark.parametrize(
    ("fields", "provider", "named"),
    [
        ({"profiles": ["br-law"]}, DialProvider.TWILIO, "profiles"),
        ({"caller_id": "4007"}, DialProvider.TWILIO, "caller_id"),
        ({"menu": "loja"}, DialProvider.ASTERISK, "menu"),
    ],
)
def test_what_the_stack_does_not_have_is_named(
    fields: dict[str, Any], provider: DialProvider, named: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        draft(**fields).campaign("vendas", PLAN, provider)
    assert refused.value.field == named


def test_the_shown_number_is_written_as_all_are() -> None:
    campaign = draft(caller_id="3132-1000").campaign("vendas", PLAN, DialProvider.TWILIO)
    assert (campaign.caller_id, campaign.paused, campaign.version) == ("+551131321000", False, 1)


def test_a_result_has_its_wait_and_any_other_that_of_no_answer() -> None:
    waits = Waits(busy=1, no_answer=2, voicemail=3, failed=4)
    minutes = {result: waits.after(result) / timedelta(minutes=1) for result in Result}
    assert minutes == {
        Result.BUSY: 1,
        Result.NO_ANSWER: 2,
        Result.VOICEMAIL: 3,
        Result.FAILED: 4,
        Result.UNKNOWN: 2,
        Result.HUMAN: 2,
    }


def test_its_own_hours_hold_beside_the_rules() -> None:
    of_the_stack = [all_profiles()["br-telecom-code-2019"]]
    profiles = draft(hours=[MORNINGS]).chosen_profiles(of_the_stack)
    number = PLAN.parse("11987654321")
    assert number
    # A Monday in São Paulo, 13:00: the code would allow it.
    at = datetime(2026, 3, 2, 16, tzinfo=UTC)
    decision = decide(number, Purpose.TELEMARKETING, at, profiles)
    assert [each.rule.id for each in decision.findings if not each.allows] == ["campaign/hours"]
    assert decision.next_allowed_at == datetime(2026, 3, 9, 12, tzinfo=UTC)


def test_without_hours_and_profiles_of_its_own_the_stacks_hold() -> None:
    of_the_stack = [all_profiles()["br-telecom-code-2019"]]
    assert draft().chosen_profiles(of_the_stack) == of_the_stack
    assert draft(profiles=[]).chosen_profiles(of_the_stack) == []
