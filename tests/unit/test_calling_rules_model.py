"""When the rules let a centre call: the decision, and the moment that it gives."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from retorno.calendars import Calendar
from retorno.calling_rules.model import (
    SEARCH,
    WEEK,
    Decision,
    Entry,
    Facts,
    Hours,
    Origin,
    Profile,
    Purpose,
    Rule,
    Scope,
    Window,
    decide,
)
from retorno.calling_rules.profiles import OF_COUNTRY, all_profiles, chosen
from retorno.phone import NumberPlan, PhoneNumber

PROFILES = all_profiles()
BRAZILIAN = chosen((), "BR")
TELEMARKETING = Purpose.TELEMARKETING

SAO_PAULO = "11987654321"
RIO = "21987654321"
VITORIA = "27987654321"
ACRE = "68987654321"
AMAZONAS = "97987654321"
LISBON = "+351912345678"
AZORES = "+351296123456"


def number_of(written: str) -> PhoneNumber:
    number = NumberPlan().parse(written)
    assert number
    return number


def local(text: str, zone: str = "America/Sao_Paulo") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def ask(
    written: str,
    at: datetime,
    purpose: Purpose = TELEMARKETING,
    profiles: Sequence[Profile] | None = None,
    facts: Facts | None = None,
    entries: Sequence[Entry] = (),
    **options: Any,
) -> Decision:
    given_profiles = BRAZILIAN if profiles is None else profiles
    return decide(number_of(written), purpose, at, given_profiles, facts, entries, **options)


def entry(**said: Any) -> Entry:
    listed = {
        "number": "+5511987654321",
        "number_key": "+551187654321",
        "origin": Origin.CUSTOMER,
        "scope": Scope.TELEMARKETING,
        "effective_from": date(2026, 3, 2),
        "added_at": datetime(2026, 3, 2, 12, tzinfo=UTC),
        "added_by": "ana",
        "said_at": datetime(2026, 3, 2, 12, tzinfo=UTC),
    }
    return Entry.model_validate(listed | said)


class TestHours:
    @pytest.mark.parametrize(
        ("written", "at", "following"),
        [
            # Monday to Friday.
            (SAO_PAULO, "2026-03-02T09:00", "2026-03-02T09:00"),
            (SAO_PAULO, "2026-03-02T08:59:59.999999", "2026-03-02T09:00"),
            (SAO_PAULO, "2026-03-02T20:59:59.999999", "2026-03-02T20:59:59.999999"),
            (SAO_PAULO, "2026-03-02T21:00", "2026-03-03T09:00"),
            # Saturday and Sunday.
            (SAO_PAULO, "2026-03-06T21:00", "2026-03-07T10:00"),
            (SAO_PAULO, "2026-03-07T16:00", "2026-03-09T09:00"),
            (SAO_PAULO, "2026-03-08T12:00", "2026-03-09T09:00"),
            # Good Friday, and a Saturday after it.
            (SAO_PAULO, "2026-04-02T22:00", "2026-04-04T10:00"),
            # A holiday at the turn of the year.
            (SAO_PAULO, "2025-12-31T21:00", "2026-01-02T09:00"),
            # Rio's own law is narrower, and it keeps Saint George's Day.
            (RIO, "2026-03-02T08:30", "2026-03-02T09:00"),
            (RIO, "2026-03-06T18:00", "2026-03-09T09:00"),
            (RIO, "2026-04-22T18:00", "2026-04-24T09:00"),
            (SAO_PAULO, "2026-04-23T12:00", "2026-04-23T12:00"),
            # Carnival's Tuesday is a holiday of Rio's, Monday is not.
            (RIO, "2026-02-16T18:00", "2026-02-18T09:00"),
            (VITORIA, "2026-03-02T18:59", "2026-03-02T18:59"),
            (VITORIA, "2026-03-02T19:00", "2026-03-03T09:00"),
        ],
    )
    def test_are_of_the_day_and_the_state(self, written: str, at: str, following: str) -> None:
        decision = ask(written, local(at))
        assert decision.next_allowed_at == local(following)
        assert decision.allowed == (at == following)

    def test_are_in_the_numbers_own_time(self) -> None:
        assert ask(ACRE, local("2026-03-02T09:00")).next_allowed_at == local("2026-03-02T11:00")
        assert ask(ACRE, local("2026-03-02T22:59")).allowed

    def test_must_suit_every_zone_that_the_number_may_be_in(self) -> None:
        # Manaus is an hour behind São Paulo, and Eirunepé two.
        assert ask(AMAZONAS, local("2026-03-02T10:00")).next_allowed_at == local("2026-03-02T11:00")
        assert ask(AMAZONAS, local("2026-03-02T21:59")).allowed
        assert ask(AMAZONAS, local("2026-03-02T22:00")).next_allowed_at == local("2026-03-03T11:00")

    @pytest.mark.parametrize(
        ("written", "zone", "at", "following"),
        [
            (LISBON, "Europe/Lisbon", "2026-03-28T22:00", "2026-03-29T09:00"),
            (LISBON, "Europe/Lisbon", "2026-10-24T22:00", "2026-10-25T09:00"),
            (AZORES, "Atlantic/Azores", "2026-03-28T22:00", "2026-03-29T09:00"),
            (AZORES, "Europe/Lisbon", "2026-03-02T09:30", "2026-03-02T10:00"),
            # No day of rest, and no holiday, is in it.
            (LISBON, "Europe/Lisbon", "2026-04-24T22:00", "2026-04-25T09:00"),
        ],
    )
    def test_keep_to_the_clock_when_it_is_changed(
        self, written: str, zone: str, at: str, following: str
    ) -> None:
        decision = ask(written, local(at, zone), profiles=chosen((), "PT"))
        assert decision.next_allowed_at == local(following, zone)

    def test_may_count_optional_holidays(self) -> None:
        carnival = local("2026-02-16T12:00")
        assert ask(SAO_PAULO, carnival).allowed
        kept = ask(SAO_PAULO, carnival, optional_holidays=True)
        # Monday, Tuesday and Ash Wednesday.
        assert kept.next_allowed_at == local("2026-02-19T09:00")

    @pytest.mark.parametrize(
        "window",
        [
            {"days": [], "since": "09:00", "until": "10:00"},
            {"days": ["monday"], "since": "10:00", "until": "10:00"},
            {"days": ["monday"], "since": "22:00", "until": "06:00"},
            {"days": ["someday"], "since": "09:00", "until": "10:00"},
        ],
    )
    def test_that_are_none_are_refused(self, window: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            Window.model_validate(window)


class TestPurpose:
    @pytest.mark.parametrize(
        ("purpose", "written", "forbidden"),
        [
            (TELEMARKETING, SAO_PAULO, True),
            (Purpose.COLLECTION, SAO_PAULO, False),
            (Purpose.COLLECTION, VITORIA, True),
            (Purpose.SERVICE, VITORIA, False),
            (Purpose.REQUESTED_CALLBACK, RIO, False),
            (Purpose.ABANDONED_CALLBACK, RIO, False),
            # Portugal's hours are for all calls, but for what was agreed before.
            (Purpose.ABANDONED_CALLBACK, LISBON, True),
            (Purpose.SERVICE, LISBON, True),
            (Purpose.REQUESTED_CALLBACK, LISBON, False),
        ],
    )
    def test_decides_which_rules_bear(
        self, purpose: Purpose, written: str, forbidden: bool
    ) -> None:
        late = local("2026-03-01T23:30")
        decision = ask(written, late, purpose, list(PROFILES.values()))
        assert decision.allowed is not forbidden

    def test_without_a_profile_all_is_allowed(self) -> None:
        decision = ask(RIO, local("2026-03-01T03:00"), profiles=[])
        assert (decision.allowed, decision.findings) == (True, ())

    def test_a_state_of_another_country_is_another(self) -> None:
        """Spain's code is ES, too."""
        decision = ask("+34912345678", local("2026-03-01T03:00"))
        assert decision.findings == ()


class TestCallsADay:
    def test_are_two_where_the_number_is(self) -> None:
        at = local("2026-03-02T12:00")
        assert ask(SAO_PAULO, at, facts=Facts(calls_that_day=1)).allowed
        refused = ask(SAO_PAULO, at, facts=Facts(calls_that_day=2))
        assert refused.next_allowed_at == local("2026-03-03T09:00")
        assert [each.rule.id for each in refused.findings if not each.allows] == [
            "br-telecom-code-2019/calls-a-day"
        ]

    def test_begin_anew_at_the_numbers_own_midnight(self) -> None:
        night = ask(ACRE, local("2026-03-03T01:00"), facts=Facts(calls_that_day=2))
        (_, limit) = night.findings
        assert limit.next_allowed_at == local("2026-03-03T02:00")

    def test_of_a_friday_leave_saturday(self) -> None:
        refused = ask(SAO_PAULO, local("2026-03-06T12:00"), facts=Facts(calls_that_day=5))
        assert refused.next_allowed_at == local("2026-03-07T10:00")


class TestOtherRules:
    def test_rio_must_see_who_calls(self) -> None:
        at = local("2026-03-02T12:00")
        withheld = ask(RIO, at, facts=Facts(caller_id_withheld=True))
        assert (withheld.allowed, withheld.next_allowed_at) == (False, None)
        assert ask(SAO_PAULO, at, facts=Facts(caller_id_withheld=True)).allowed

    def test_no_machine_rings_again_soon_after_an_abandoned_call(self) -> None:
        at = local("2026-03-02T12:00", "Europe/London")
        facts = Facts(last_abandoned_at=at - timedelta(hours=1))
        british = "+447400123456"
        refused = ask(british, at, profiles=[PROFILES["uk-ofcom"]], facts=facts)
        assert refused.next_allowed_at == at + timedelta(hours=71)
        by_hand = facts.model_copy(update={"automated": False})
        assert ask(british, at, profiles=[PROFILES["uk-ofcom"]], facts=by_hand).allowed


class TestDoNotCall:
    at = local("2026-03-03T12:00")

    @pytest.mark.parametrize("purpose", list(Purpose))
    @pytest.mark.parametrize("scope", list(Scope))
    def test_forbids_what_its_scope_says(self, scope: Scope, purpose: Purpose) -> None:
        listed = entry(scope=scope)
        decision = ask(SAO_PAULO, self.at, purpose, entries=[listed])
        forbids = purpose is TELEMARKETING or (
            scope is Scope.ALL and purpose is not Purpose.REQUESTED_CALLBACK
        )
        assert decision.allowed is not forbids
        assert decision.forbidden_by == ((listed,) if forbids else ())
        assert decision.next_allowed_at == (None if forbids else self.at)

    def test_of_all_forbids_what_was_asked_for_before_it(self) -> None:
        listed = entry(scope=Scope.ALL)
        for asked, allowed in ((-1, False), (0, False), (1, True)):
            facts = Facts(requested_at=listed.said_at + timedelta(seconds=asked))
            purpose = Purpose.REQUESTED_CALLBACK
            decision = ask(SAO_PAULO, self.at, purpose, facts=facts, entries=[listed])
            assert decision.allowed is allowed

    @pytest.mark.parametrize("first", list(Scope))
    def test_said_again_forbids_what_was_asked_for_in_between(self, first: Scope) -> None:
        hour = timedelta(hours=1)
        early = entry(scope=first)
        again = early.joined_with(entry(scope=Scope.ALL, said_at=early.said_at + 2 * hour))
        assert again.added_at == early.added_at
        facts = Facts(requested_at=early.said_at + hour)
        purpose = Purpose.REQUESTED_CALLBACK
        assert ask(SAO_PAULO, self.at, purpose, facts=facts, entries=[early]).allowed
        assert not ask(SAO_PAULO, self.at, purpose, facts=facts, entries=[again]).allowed

    def test_begins_on_its_day_where_the_number_is(self) -> None:
        listed = entry(effective_from=date(2026, 3, 4))
        before = ask(ACRE, local("2026-03-04T01:59"), Purpose.TELEMARKETING, [], entries=[listed])
        assert before.allowed
        after = ask(ACRE, local("2026-03-04T02:00"), Purpose.TELEMARKETING, [], entries=[listed])
        assert (after.allowed, after.forbidden_by) == (False, (listed,))

    def test_what_would_be_open_only_then_never_is(self) -> None:
        listed = entry(effective_from=date(2026, 3, 4))
        decision = ask(SAO_PAULO, local("2026-03-03T21:00"), entries=[listed])
        assert (decision.next_allowed_at, decision.forbidden_by) == (None, ())

    @given(
        scopes=st.lists(st.sampled_from(Scope), min_size=3, max_size=3),
        days=st.lists(st.dates(date(2026, 1, 1), date(2026, 12, 31)), min_size=3, max_size=3),
    )
    def test_joined_forbids_what_any_does_in_any_order(
        self, scopes: list[Scope], days: list[date]
    ) -> None:
        a, b, c = (
            entry(scope=scope, effective_from=day) for scope, day in zip(scopes, days, strict=True)
        )
        joined = a.joined_with(b).joined_with(c)
        assert joined == c.joined_with(a).joined_with(b)
        assert joined.joined_with(b) == joined
        assert joined.effective_from == min(days)
        assert (joined.scope is Scope.ALL) == (Scope.ALL in scopes)


class TestProfiles:
    @pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
    def test_a_rule_is_named_after_its_profile(self, profile: Profile) -> None:
        for rule in profile.rules:
            assert rule.id.startswith(f"{profile.id}/")
            assert rule.source.url.startswith(("https://", "http://"))
            assert rule.purposes

    def test_have_rules_of_different_names(self) -> None:
        ids = [rule.id for profile in PROFILES.values() for rule in profile.rules]
        assert len(ids) == len(set(ids))

    def test_a_country_has_its_own(self) -> None:
        for country, ids in OF_COUNTRY.items():
            assert tuple(profile.id for profile in chosen((), country)) == ids
            assert {profile.country for profile in chosen((), country)} == {country}

    def test_can_be_chosen(self) -> None:
        assert [profile.id for profile in chosen(["us-tcpa"], "BR")] == ["us-tcpa"]
        assert chosen(["none"], "BR") == ()
        with pytest.raises(KeyError, match="br-law"):
            chosen(["br-law"], "BR")


# --- Whatever is asked --------------------------------------------------------------------------

ZONES = {
    "America/Sao_Paulo": SAO_PAULO,
    "America/Rio_Branco": ACRE,
    "Atlantic/Azores": AZORES,
    "Europe/Lisbon": LISBON,
    "America/New_York": "+12125550123",
}
NUMBERS = [*ZONES.values(), RIO, VITORIA, AMAZONAS, "8136191234", "+447400123456"]

# Brazil's clocks changed until 2019.
moments = st.integers(0, 14 * 365 * 24 * 60).map(
    lambda minutes: datetime(2017, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
facts = st.builds(
    Facts,
    calls_that_day=st.integers(0, 3),
    last_abandoned_at=st.none() | moments,
    automated=st.booleans(),
    caller_id_withheld=st.sampled_from([False, False, True]),
)
times = st.integers(0, 24 * 60 - 1).map(lambda minute: time(minute // 60, minute % 60))


@st.composite
def windows(draw: st.DrawFn) -> Window:
    since, until = sorted(draw(st.lists(times, min_size=2, max_size=2, unique=True)))
    days = draw(st.lists(st.sampled_from(WEEK), min_size=1, unique=True))
    return Window(days=tuple(days), since=since, until=until)


def profile_of(index: int, *rules: Rule) -> Profile:
    (any_profile, *_) = PROFILES.values()
    return Profile(id=f"own-{index}", title=any_profile.title, rules=rules)


@st.composite
def own_profiles(draw: st.DrawFn) -> Profile:
    (hours, *_) = PROFILES["us-tcpa"].rules
    assert isinstance(hours, Hours)
    opened = tuple(draw(st.lists(windows(), min_size=1, max_size=3)))
    own = hours.model_copy(
        update={"windows": opened, "holidays": draw(st.sampled_from(["nation", "state", None]))}
    )
    return profile_of(draw(st.integers(0, 9)), own)


some_profiles = st.lists(st.sampled_from(list(PROFILES.values())) | own_profiles(), max_size=4)


def facts_at(later: datetime, decision: Decision, at: datetime, facts: Facts) -> Facts:
    """Nobody calls in the meantime, so another day has no calls yet."""
    same_day = decision.place.day_at(later) == decision.place.day_at(at)
    return facts if same_day else facts.model_copy(update={"calls_that_day": 0})


@settings(deadline=None)  # The first one loads the holidays.
@given(
    written=st.sampled_from(NUMBERS),
    purpose=st.sampled_from(Purpose),
    at=moments,
    profiles=some_profiles,
    facts=facts,
    fractions=st.lists(st.floats(0, 1, exclude_max=True), max_size=8),
)
def test_the_next_moment_is_the_first_that_is_allowed(
    written: str,
    purpose: Purpose,
    at: datetime,
    profiles: list[Profile],
    facts: Facts,
    fractions: list[float],
) -> None:
    decision = ask(written, at, purpose, profiles, facts)
    following = decision.next_allowed_at
    assert decision.allowed == (following == at)
    assert decision.allowed == all(finding.allows for finding in decision.findings)
    if following is not None:
        then = facts_at(following, decision, at, facts)
        assert ask(written, following, purpose, profiles, then).allowed
    until = following or at + SEARCH
    for before in [at + (until - at) * fraction for fraction in fractions]:
        if before < until:
            meanwhile = facts_at(before, decision, at, facts)
            assert not ask(written, before, purpose, profiles, meanwhile).allowed


@settings(deadline=None)  # The first one loads the holidays.
@given(
    written=st.sampled_from(NUMBERS),
    purpose=st.sampled_from(Purpose),
    at=moments,
    profiles=some_profiles,
    facts=facts,
)
def test_several_profiles_allow_what_each_of_them_does(
    written: str, purpose: Purpose, at: datetime, profiles: list[Profile], facts: Facts
) -> None:
    together = ask(written, at, purpose, profiles, facts)
    apart = [ask(written, at, purpose, [profile], facts) for profile in profiles]
    assert together.allowed == all(decision.allowed for decision in apart)
    if together.next_allowed_at:
        for decision in apart:
            assert decision.next_allowed_at
            assert decision.next_allowed_at <= together.next_allowed_at


@settings(deadline=None)  # The first one loads the holidays.
@given(zone=st.sampled_from(list(ZONES)), at=moments, window=windows())
@example(
    "Europe/Lisbon",
    datetime(2026, 10, 25, 1, 15, tzinfo=UTC),
    Window(days=WEEK, since=time(0, 30), until=time(3)),
)
@example(
    "Atlantic/Azores",
    datetime(2026, 3, 29, 0, 59, tzinfo=UTC),
    Window(days=WEEK, since=time(0), until=time(2)),
)
def test_a_window_is_what_the_clock_on_the_wall_says(
    zone: str, at: datetime, window: Window
) -> None:
    (hours, *_) = PROFILES["us-tcpa"].rules
    own = hours.model_copy(update={"windows": (window,)})
    there = at.astimezone(ZoneInfo(zone))
    offsets = {(there + step).utcoffset() for step in (timedelta(days=-1), timedelta(days=1))}
    # Of an hour that comes twice, or never, the decision may be the stricter one.
    assume(len(offsets) == 1 or window.until >= time(4))
    in_window = WEEK[there.weekday()] in window.days and (
        window.since <= there.time() < window.until
    )
    assert ask(ZONES[zone], at, profiles=[profile_of(0, own)]).allowed == in_window


def test_hours_that_no_moment_has_in_common_are_never() -> None:
    (hours, *_) = PROFILES["us-tcpa"].rules
    apart = [
        profile_of(
            index,
            hours.model_copy(
                update={"windows": (Window(days=(day,), since=time(9), until=time(18)),)}
            ),
        )
        for index, day in enumerate(WEEK[:2])
    ]
    assert ask(SAO_PAULO, local("2026-03-02T12:00"), profiles=apart).next_allowed_at is None


def test_holidays_may_shut_a_weekly_window_for_weeks() -> None:
    """25 December and 1 January are Fridays in 2026: the next Friday is a week later still."""
    (hours, *_) = PROFILES["br-telecom-code-2019"].rules
    fridays = Window(days=(WEEK[4],), since=time(9), until=time(18))
    own = profile_of(0, hours.model_copy(update={"windows": (fridays,)}))
    decision = ask(SAO_PAULO, local("2026-12-18T18:00"), profiles=[own])
    assert decision.next_allowed_at == local("2027-01-08T09:00")
    assert Calendar("BR").is_holiday(date(2027, 1, 1))
