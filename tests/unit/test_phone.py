"""Every way of writing a number leads to one line, and no two lines meet under one key."""

from collections.abc import Callable

import phonenumbers
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from retorno.phone import NumberKind, NumberPlan, PhoneNumber, match_key

BRAZIL = NumberPlan()
SAO_PAULO = NumberPlan(area_code="11")
PORTUGAL = NumberPlan("PT")
PLANS = [BRAZIL, SAO_PAULO, PORTUGAL]

NO_AREA_CODES = "10 20 23 25 26 29 30 36 39 40 50 52 56 57 58 59 60 70 72 76 78 80 90".split()  # noqa: SIM905
AREA_CODES = [str(code) for code in range(10, 100) if str(code) not in NO_AREA_CODES]
CARRIERS = ["12", "14", "15", "21", "23", "31", "41", "43", "65", "99"]

MOBILE = PhoneNumber("+5511987654321", NumberKind.MOBILE, "11", "BR")
LANDLINE = PhoneNumber("+551133334444", NumberKind.FIXED_LINE, "11", "BR")
LISBON = PhoneNumber("+351212345678", NumberKind.FIXED_LINE, None, "PT")
PORTUGUESE_MOBILE = PhoneNumber("+351912345678", NumberKind.MOBILE, None, "PT")


def e164_of(number: PhoneNumber | None) -> str | None:
    return number.e164 if number else None


# --- Ways of writing one number -----------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "+5511987654321",
        "5511987654321",
        "005511987654321",
        "00 55 (11) 98765-4321",
        "11987654321",
        "011987654321",
        "01511987654321",
        "021 11 98765-4321",
        "0 41 11 98765 4321",
        "+55 0 11 98765-4321",
        "+55 (011) 98765-4321",
        "55 0 11 98765 4321",
        "9011987654321",
        "90 15 11 98765-4321",
        "9090 11 98765-4321",
        # The ninth digit missing.
        "+551187654321",
        "551187654321",
        "1187654321",
        "01187654321",
        "015 11 8765-4321",
        "90 15 11 8765-4321",
        "00551187654321",
        # Punctuation and look-alikes.
        "(11) 98765-4321",
        "(+55) 11 98765-4321",
        "+55.11.98765.4321",
        "11/98765-4321",
        "  +55 11 98765-4321\r\n",
        "+55\u00a011\u00a098765\u201343\u201121",
        "+55\u200911\u3000987654321",
        "＋５５（１１）９８７６５－４３２１",
        "+٥٥١١٩٨٧٦٥٤٣٢١",
        "\u202a+55 11 98765-4321\u202c",
        # Addresses and names.
        "tel:+5511987654321",
        "TEL: (11) 98765-4321",
        "tel:+5511987654321;ext=12",
        "+5511987654321;ext=12",
        "11 98765-4321 ramal 22",
        "11 98765-4321 x22",
        "11 98765-4321 ext. 22",
        "whatsapp:+5511987654321",
        "sip:+5511987654321@203.0.113.7:5060",
        "SIPS:011987654321@sip.example.com;user=phone",
        "sip:+5511987654321;phone-context=example.com@sip.example.com",
        "5511987654321@s.whatsapp.net",
        '"Maria Silva" <5511987654321>',
        "Maria <sip:+5511987654321@host>;tag=1a2b",
        '"Maria <3" <tel:+5511987654321>',
        '"21999998888" <sip:+5511987654321@host>',
        "<+5511987654321>",
    ],
)
def test_a_brazilian_mobile_is_read_however_it_is_written(text: str) -> None:
    assert BRAZIL.parse(text) == MOBILE


@pytest.mark.parametrize(
    "text", ["+551133334444", "1133334444", "01133334444", "0151133334444", "(11) 3333-4444"]
)
def test_a_landline_takes_no_ninth_digit(text: str) -> None:
    assert BRAZIL.parse(text) == LANDLINE


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("987654321", MOBILE),
        ("98765-4321", MOBILE),
        ("8765-4321", MOBILE),
        ("9090 98765-4321", MOBILE),
        ("sip:987654321@host", MOBILE),
        ("3333-4444", LANDLINE),
        ("9090 3333-4444", LANDLINE),
    ],
)
def test_a_number_without_area_code_belongs_to_the_plans_or_to_nobody(
    text: str, number: PhoneNumber
) -> None:
    assert SAO_PAULO.parse(text) == number
    assert e164_of(NumberPlan(area_code="21").parse(text)) == number.e164.replace("+5511", "+5521")
    assert BRAZIL.parse(text) is None


def test_the_plans_area_code_is_given_to_no_number_that_has_its_own() -> None:
    assert e164_of(SAO_PAULO.parse("21 98765-4321")) == "+5521987654321"
    assert SAO_PAULO.parse("+55 987654321") is None
    assert SAO_PAULO.parse("(90) 98765-4321") is None


@pytest.mark.parametrize("area_code", AREA_CODES)
def test_every_area_code_has_landlines_and_mobiles(area_code: str) -> None:
    landline = BRAZIL.parse(f"{area_code}33334444")
    mobile = BRAZIL.parse(f"{area_code}987654321")
    assert landline == PhoneNumber(
        f"+55{area_code}33334444", NumberKind.FIXED_LINE, area_code, "BR"
    )
    assert mobile == PhoneNumber(f"+55{area_code}987654321", NumberKind.MOBILE, area_code, "BR")


@pytest.mark.parametrize("area_code", NO_AREA_CODES)
@pytest.mark.parametrize("subscriber", ["987654321", "87654321", "22223333"])
def test_an_area_code_that_does_not_exist_has_no_numbers(area_code: str, subscriber: str) -> None:
    assert SAO_PAULO.parse(f"+55{area_code}{subscriber}") is None
    assert SAO_PAULO.parse(f"({area_code}) {subscriber}") is None


@pytest.mark.parametrize(
    ("text", "e164"),
    [
        ("0800 123 4567", "+558001234567"),
        ("+55 0800 123 4567", "+558001234567"),
        ("+558001234567", "+558001234567"),
        ("8001234567", "+558001234567"),
        ("0800 123 456", "+55800123456"),
        ("0300 123 4567", "+553001234567"),
        ("0303 123 4567", "+553031234567"),
        ("0500 123 4567", "+555001234567"),
        ("4004-1234", "+5540041234"),
        ("3003-1234", "+5530031234"),
        ("+5540041234", "+5540041234"),
    ],
)
@pytest.mark.parametrize("plan", [BRAZIL, SAO_PAULO])
def test_a_service_number_has_no_area_code_and_is_its_own_key(
    plan: NumberPlan, text: str, e164: str
) -> None:
    number = plan.parse(text)
    assert number == PhoneNumber(e164, NumberKind.SERVICE, None, "BR")
    assert number.match_key == e164


# --- Abroad -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+351912345678", PORTUGUESE_MOBILE),
        ("00351 912 345 678", PORTUGUESE_MOBILE),
        ("sip:+351912345678@host", PORTUGUESE_MOBILE),
        ("+351 21 234 5678", LISBON),
        ("+351707123456", PhoneNumber("+351707123456", NumberKind.SERVICE, None, "PT")),
        ("+13235550171", PhoneNumber("+13235550171", NumberKind.OTHER, None, "US")),
        ("+80012345678", PhoneNumber("+80012345678", NumberKind.SERVICE, None, "")),
        # Out of the known ranges, of the right length: rather matched than lost.
        ("+15556667775", PhoneNumber("+15556667775", NumberKind.OTHER, None, "")),
        ("0015556667775", PhoneNumber("+15556667775", NumberKind.OTHER, None, "")),
        ("+351412345678", PhoneNumber("+351412345678", NumberKind.OTHER, None, "PT")),
        # Brazil's, seen from anywhere.
        ("+551187654321", MOBILE),
        ("00551187654321", MOBILE),
    ],
)
@pytest.mark.parametrize("plan", PLANS)
def test_an_international_number_is_the_same_in_every_plan(
    plan: NumberPlan, text: str, number: PhoneNumber
) -> None:
    assert plan.parse(text) == number


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize(
    "text",
    [
        "0351912345678",
        "0351229123456",  # 0, 35, area code 12 and a landline, were 35 a carrier
        "+3510912345678",
        "+35191234567",
        "+3519123456789",
        "+1555666777",
        "+15556667",
        "+200000000000",
        "+999123456789",
        "+5510999999999",
        "+551112345678",
        "+55119876543210",
        "+5511700001111",
        "+55987654321",
    ],
)
def test_a_number_that_cannot_be_is_none(plan: NumberPlan, text: str) -> None:
    assert plan.parse(text) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("912345678", PORTUGUESE_MOBILE),
        ("912 345 678", PORTUGUESE_MOBILE),
        ("351912345678", PORTUGUESE_MOBILE),
        ('"Rui" <sip:912345678@host>', PORTUGUESE_MOBILE),
        ("21 234 56 78", LISBON),
        ("808123456", PhoneNumber("+351808123456", NumberKind.SERVICE, None, "PT")),
        # 266 is Évora, though ANONYMOUS is +266696687 on a keypad.
        ("266696687", PhoneNumber("+351266696687", NumberKind.FIXED_LINE, None, "PT")),
        ("11987654321", None),
        ("412345678", None),
        ("9090912345678", None),  # a collect prefix is Brazil's alone
    ],
)
def test_a_national_number_in_portugal(text: str, number: PhoneNumber | None) -> None:
    assert PORTUGAL.parse(text) == number


@given(st.from_regex(r"9[1236][0-9]{7}|2[12][0-9]{7}", fullmatch=True))
def test_all_portuguese_forms_are_one_line(national: str) -> None:
    plain = f"+351{national}"
    forms = [
        plain,
        national,
        f"351{national}",
        f"00351{national}",
        f"{national[:3]} {national[3:6]} {national[6:]}",
        f"+351 ({national[:2]}) {national[2:5]}-{national[5:]}",
        f"sip:{plain}@host",
        f'"Rui" <tel:{national}>',
    ]
    assert {e164_of(PORTUGAL.parse(form)) for form in forms} == {plain}
    assert match_key(plain) == plain
    assert PORTUGAL.parse(f"0351{national}") is None
    assert PORTUGAL.parse(f"+3510{national}") is None


# --- No number at all ---------------------------------------------------------------------------


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "   ",
        "+",
        "()",
        "0",
        "00000000000",
        "-1",
        "anonymous",
        "Anonymous",
        "unknown",
        "Restricted",
        "private",
        "withheld",
        "unavailable",
        "asterisk",
        "NONE",
        "Maria 2",
        "sip:anonymous@anonymous.invalid",
        '"Anonymous" <sip:anonymous@anonymous.invalid>',
        '"11987654321" <sip:anonymous@anonymous.invalid>',
        '"<+5511987654321>" <sip:anonymous@anonymous.invalid>',
        "client:maria",
        "client:5511987654321",
        "agent11987654321",
        "sip:35.198.1.10",
        "sip:joao@35.198.1.10",
        "+1800FLOWERS",
        "11 98765-4321 / 11 3333-4444",
        "190",
        "192",
        "112",
        "4001",
        "62291",
        "sip:4001@pbx",
        # ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN and UNAVAILABLE on a keypad.
        "+266696687",
        "+7378742833",
        "+2562533",
        "+8656696",
        "+86282452253",
        # Hostile.
        "\x00",
        "+5511987654321\x00",
        "+55\x1b[31m11987654321",
        "+5511987654321\n+5511987654321",
        "\u202e+5511987654321",
        "+55 11 98765-4321 📞",
        "\ud800",
        "שלום",
        "<" * 200,
        "(" * 200,
        "1" * 200,
        "+55" + "1" * 200,
        "9" * 100_000,
        "+5511987654321" + " " * 100_000,
        "\ufdfa" * 200,
    ],
)
def test_what_holds_no_number_is_none(plan: NumberPlan, text: str | None) -> None:
    assert plan.parse(text) is None


@given(
    st.one_of(
        st.text(),
        st.text(alphabet="+0123456789 ()-.<>@:;\"'xsiptel\u00a0\u2013٣\u202a", max_size=40),
        st.from_regex(r"(\+|00|0|9090)?(55|351|1|44)?\d{3,13}", fullmatch=True),
        st.from_regex(r"\+(7|20|49|8\d|97\d|800|881)\d{4,14}", fullmatch=True),
    ),
    st.sampled_from(PLANS),
)
@example("1170001111", BRAZIL)
@example("900123456", SAO_PAULO)
@example("+200000000000", BRAZIL)
def test_parse_takes_any_text_and_its_result_again(text: str, plan: NumberPlan) -> None:
    plan.is_extension(text)
    number = plan.parse(text)
    if number is not None:
        assert plan.parse(number.e164) == number
        assert plan.parse(number.match_key) == number
        assert match_key(number.e164) == number.match_key


# --- Extensions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "12",
        "201",
        "4001",
        "1052",
        "156",
        "62291",
        "910000",
        "0012",
        " 4001 ",
        "sip:4001@pbx.example.com",
        '"Ana" <4001>',
        "tel:4001",
    ],
)
def test_a_short_number_is_an_extension(text: str) -> None:
    assert all(plan.is_extension(text) for plan in PLANS)


@pytest.mark.parametrize(
    "text",
    [None, "", "1", "1234567", "+4001", "anonymous", "4001a", "client:4001", "3333-4444", "112"],
)
def test_other_texts_are_no_extensions(text: str | None) -> None:
    assert not any(plan.is_extension(text) for plan in PLANS)


def test_an_emergency_number_is_one_only_in_its_country() -> None:
    assert not BRAZIL.is_extension("190")
    assert PORTUGAL.is_extension("190")


# --- The plan -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("country", "area_code"),
    [
        ("XX", None),
        ("", None),
        ("br", None),
        ("BR", "10"),
        ("BR", "30"),
        ("BR", "011"),
        ("BR", "800"),
        ("BR", ""),
        ("PT", "21"),
        ("PT", "11"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(country: str, area_code: str | None) -> None:
    with pytest.raises(ValueError, match=r"unknown country|no area code"):
        NumberPlan(country, area_code)


@pytest.mark.parametrize("area_code", AREA_CODES)
def test_a_plan_takes_every_area_code(area_code: str) -> None:
    assert NumberPlan(area_code=area_code).area_code == area_code


# --- One line, one key --------------------------------------------------------------------------

area_codes = st.sampled_from(AREA_CODES)
landlines = st.from_regex(r"[2-5][0-9]{7}", fullmatch=True)
mobiles = st.from_regex(r"9[0-9]{8}", fullmatch=True)


def written_forms(
    area_code: str, subscriber: str, carrier: str, punctuate: Callable[[str], str]
) -> list[str]:
    """What providers, people and switchboards make of a line that has its area code."""
    national = area_code + subscriber
    return [
        f"+55{national}",
        f"55{national}",
        f"0055{national}",
        national,
        f"0{national}",
        f"0{carrier}{national}",
        f"90{national}",
        f"90{carrier}{national}",
        f"+550{national}",
        f"({area_code}) {punctuate(subscriber)}",
        f"+55 {area_code} {punctuate(subscriber)}",
        f"0{carrier} {area_code} {punctuate(subscriber)}",
        f"sip:+55{national}@host;user=phone",
        f"tel:+55-{area_code}-{subscriber};ext=9",
        f"whatsapp:+55{national}",
        f'"Loja 24 horas" <55{national}>',
        f"55{national}@s.whatsapp.net",
    ]


punctuations = st.sampled_from(
    [
        lambda digits: f"{digits[:-4]}-{digits[-4:]}",
        lambda digits: f"{digits[:-4]}\u2013{digits[-4:]}",
        lambda digits: f"{digits[:-4]}.{digits[-4:]}",
        "\u00a0".join,
        lambda digits: digits.translate({ord("0") + n: ord("０") + n for n in range(10)}),
    ]
)


@given(area_codes, st.one_of(landlines, mobiles), st.sampled_from(CARRIERS), punctuations)
@example("55", "33334444", "15", str)
@example("55", "987654321", "55", str)
def test_all_forms_of_a_brazilian_line_share_its_key(
    area_code: str, subscriber: str, carrier: str, punctuate: Callable[[str], str]
) -> None:
    e164 = f"+55{area_code}{subscriber}"
    subscribers = [subscriber]
    if subscriber[0] == "9" and subscriber[1] in "6789":
        subscribers.append(subscriber[1:])
    for digits in subscribers:
        for form in written_forms(area_code, digits, carrier, punctuate):
            number = BRAZIL.parse(form)
            assert e164_of(number) == e164, form
            assert number is not None
            assert number.match_key == match_key(e164), form
            assert number.area_code == area_code, form


@given(area_codes, st.one_of(landlines, mobiles))
@example("11", "909012345")
def test_the_area_code_can_be_left_out_where_the_plan_has_it(
    area_code: str, subscriber: str
) -> None:
    # 4004-1234 and 90012-3456 are services where they have no area code.
    assume(BRAZIL.parse(subscriber) is None)
    plan = NumberPlan(area_code=area_code)
    subscribers = [subscriber]
    if subscriber[0] == "9" and subscriber[1] in "6789":
        subscribers.append(subscriber[1:])
    for digits in subscribers:
        for form in (digits, f"{digits[:-4]}-{digits[-4:]}", f"9090{digits}", f"tel:{digits}"):
            assert e164_of(plan.parse(form)) == f"+55{area_code}{subscriber}", form


@pytest.mark.parametrize(
    ("e164", "key"),
    [
        ("+5511987654321", "+551187654321"),
        ("+5511960000000", "+551160000000"),
        ("+5511959999999", "+5511959999999"),
        ("+5511900000000", "+5511900000000"),
        ("+551133334444", "+551133334444"),
        ("+351912345678", "+351912345678"),
    ],
)
def test_the_ninth_digit_leaves_the_key_where_a_mobile_is_known_without_it(
    e164: str, key: str
) -> None:
    assert match_key(e164) == key


@pytest.mark.parametrize(
    ("one", "another"),
    [
        ("11 93333-4444", "11 3333-4444"),
        ("11 90333-4444", "11 3333-4444"),
        ("11 98765-4321", "21 98765-4321"),
        ("11 98765-4321", "11 98765-4322"),
        ("11 99876-5432", "11 98765-4329"),
        ("11 4004-1234", "4004-1234"),
        ("0800 123 4567", "0800 123 456"),
        ("0300 123 4567", "0303 123 4567"),
        ("+351912345678", "34 91234-5678"),
        ("+5511987654321", "+15119876543"),
    ],
)
def test_near_lines_have_different_keys(one: str, another: str) -> None:
    numbers = BRAZIL.parse(one), BRAZIL.parse(another)
    assert numbers[0] is not None
    assert numbers[1] is not None
    assert numbers[0].match_key != numbers[1].match_key


@st.composite
def near_pairs(draw: st.DrawFn) -> tuple[str, str]:
    """Two texts that differ by a digit: changed, dropped, added, or swapped for an area code."""
    digits = draw(area_codes) + draw(st.one_of(landlines, mobiles))
    place = draw(st.integers(0, len(digits) - 1))
    digit = draw(st.sampled_from("0123456789"))
    other = draw(
        st.sampled_from(
            [
                digits[:place] + digit + digits[place + 1 :],
                digits[:place] + digits[place + 1 :],
                digits[:place] + digit + digits[place:],
                digits[:2] + "9" + digits[2:],
                digits[:2] + digits[3:],
                draw(area_codes) + digits[2:],
                draw(area_codes) + draw(st.one_of(landlines, mobiles)),
                f"800{digits[-7:]}",
                digits[-8:],
            ]
        )
    )
    return f"+55{digits}", f"+55{other}"


@given(near_pairs())
@example(("+5511933334444", "+551133334444"))
def test_two_lines_never_share_a_key(pair: tuple[str, str]) -> None:
    one, another = (BRAZIL.parse(text) for text in pair)
    assume(one is not None and another is not None and one.e164 != another.e164)
    assert one is not None
    assert another is not None
    assert one.match_key != another.match_key


def test_the_package_still_knows_the_ranges_that_the_keys_rest_on() -> None:
    """A landline from 6 to 9 would take the place of mobiles written without their ninth digit."""
    for first in "6789":
        number = phonenumbers.parse(f"+5511{first}0000000")
        assert phonenumbers.number_type(number) != phonenumbers.PhoneNumberType.FIXED_LINE
