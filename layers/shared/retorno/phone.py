"""Phone numbers as providers write them, brought to one form and to one key to match by.

The same person appears as `+5511987654321`, `(11) 8765-4321`, `015 11 98765-4321` and
`sip:+5511987654321@host`. A `NumberPlan` reads any of these into a `PhoneNumber`, and
`match_key` gives the text under which calls of the same line meet. The numbering rules are those
of the package `phonenumbers`; this module adds what that package does not know of Brazilian logs.
"""

import re
import string
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType, ValidationResult

_BRAZIL = 55

# Longer than any SIP address that a provider sends. A longer text is not cut, since half a number
# could be another customer's.
_LONGEST_TEXT = 256

# Phones put the left-to-right marks around a number that is copied from their contacts.
_SURROUNDINGS = string.whitespace + "\u200e\u202a\u202c"

# RFC 3261 name-addr: `"Name" <address>;parameters`. The last bracket counts, because the name
# before it is the caller's own choice and may imitate a number.
_NAME_AND_ADDRESS = re.compile(r".*<([^<>]*)>[^<>]*")

# A number and nothing else: words such as "anonymous", and identities such as "client:maria", do
# not match. A SIP address without "@" is a host, whose IP address would read as a number.
_NUMBER = re.compile(
    r"""
    (?: (?:tel|callto|whatsapp): | sips?:(?=[^@]*@) )?
    (?P<number> \(? \+? [\d \t().\-/\u2010-\u2015\u2212]* )
    (?: (?:x|ext\.?|ramal) [ ]* \d{1,6} )?
    (?: [;@].* )?
    """,
    re.VERBOSE | re.IGNORECASE,
)

# In Brazil a carrier's code follows the 00 that a person dials, but not the 00 that trunks write
# in place of "+"; logs hold the latter.
_INTERNATIONAL_PREFIX = re.compile(r"^00(?=[1-9]\d{6})")

# The prefix of a local collect call; the long-distance one, 90, is known to `phonenumbers`.
_LOCAL_COLLECT_PREFIX = re.compile(r"^9090(?=\d{8})")

# Until 2016 Brazil's mobiles had eight digits, starting with 6 to 9, and then took a 9 in front
# (Anatel, Resolução 553/2010); landlines start with 2 to 5. Nextel's trunking lines kept eight
# digits starting with 7, which `phonenumbers` still accepts, but were switched off in March 2018.
_MISSING_NINTH_DIGIT = re.compile(r"^([1-9]\d)(?=[6-9]\d{7}$)")
_REDUNDANT_NINTH_DIGIT = re.compile(r"^(\+55\d\d)9(?=[6-9]\d{7}$)")

# Twilio may spell a withheld caller's word on a telephone's keypad: ANONYMOUS is +266696687.
# https://www.twilio.com/en-us/changelog/upcoming-changes-to-withheld-caller-ids-behavior-for-dial-calls
_WITHHELD = frozenset(
    f"+{phonenumbers.convert_alpha_characters_in_number(word)}"
    for word in ("ANONYMOUS", "BLOCKED", "RESTRICTED", "UNAVAILABLE", "UNKNOWN")
)


# What a number becomes whose owner was erased. It is no number of any plan, and its own match key.
ERASED = "erased-"


class NumberKind(StrEnum):
    """What stands behind a number, as far as the number itself tells."""

    MOBILE = "mobile"
    FIXED_LINE = "fixed_line"
    SERVICE = "service"
    """A company's line that is not tied to a place: 0800, 0300, 0303, 4004; 707 in Portugal."""
    OTHER = "other"
    """Countries where mobiles look like landlines, and ranges that `phonenumbers` cannot name."""


_KINDS = {
    PhoneNumberType.MOBILE: NumberKind.MOBILE,
    PhoneNumberType.FIXED_LINE: NumberKind.FIXED_LINE,
    PhoneNumberType.TOLL_FREE: NumberKind.SERVICE,
    PhoneNumberType.PREMIUM_RATE: NumberKind.SERVICE,
    PhoneNumberType.SHARED_COST: NumberKind.SERVICE,
    PhoneNumberType.UAN: NumberKind.SERVICE,
}


def match_key(e164: str) -> str:
    """The text that all ways of writing one line share, and that no other line has.

    It is the E.164 number, and for a Brazilian mobile the country, area code and last eight
    digits: `+5511987654321` gives `+551187654321`. A Brazilian mobile whose last eight digits
    start with 0 to 5 keeps its ninth digit, without which `+5511933334444` would share the key of
    the landline `+551133334444`: written without that digit, the two cannot be told apart.

    `e164` is what `NumberPlan.parse` gave. A key is for matching: dial the number instead.
    """
    return _REDUNDANT_NINTH_DIGIT.sub(r"\1", e164)


def is_erased(number: str | None) -> bool:
    """Whether it stands where a number was, or its key, of somebody who was erased since."""
    return number is not None and number.startswith(ERASED)


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A line that can be called, made by `NumberPlan.parse`.

    `e164` is the whole number ("+5511987654321"), with a Brazilian mobile's ninth digit.
    `area_code` is Brazil's two-digit DDD, None for service numbers and other countries.
    `country` is the ISO 3166 code ("BR"), empty where the number does not tell.
    """

    e164: str
    kind: NumberKind
    area_code: str | None
    country: str

    @property
    def match_key(self) -> str:
        """The key of `match_key` for this number."""
        return match_key(self.e164)


@dataclass(frozen=True, slots=True)
class NumberPlan:
    """What a deployment assumes of a number that is written without country or area code.

    `country` is the ISO 3166 code of a region that `phonenumbers` knows. `area_code` is a
    Brazilian DDD for numbers of eight or nine digits, which match nobody where it is None.
    Raises ValueError for a country or an area code that does not exist.
    """

    country: str = "BR"
    area_code: str | None = None

    def __post_init__(self) -> None:
        if self.country not in phonenumbers.SUPPORTED_REGIONS:
            raise ValueError(f"unknown country: {self.country!r}")
        if self.area_code is not None:
            landline = self.parse(f"+55{self.area_code}20000000")
            if self.country != "BR" or landline is None or landline.area_code != self.area_code:
                raise ValueError(f"no area code of {self.country}: {self.area_code!r}")

    def parse(self, text: str | None) -> PhoneNumber | None:
        """The number in `text`; None where it is withheld, an extension, a name or no number.

        Reads plain and punctuated numbers, `tel:`, `whatsapp:` and SIP addresses with or without
        a name, trunk zero, carrier codes, collect prefixes, `00` for "+", and Brazilian mobiles
        without their ninth digit. Never raises, whatever `text` holds.

        A number without "+" must be valid in the plan's country, so a source that leaves the "+"
        off foreign numbers (WhatsApp) has to put it back first. Emergency and public utility
        numbers (190, 112) have no E.164 form, and give None.
        """
        written = _written_number(text)
        if written is None:
            return None
        if self.country == "BR":
            written = _LOCAL_COLLECT_PREFIX.sub("", written)
        number = _read(written, self.country)
        # Only now, so that 4004-1234 is the nationwide service and no local landline.
        if number is None and self.area_code and re.fullmatch(r"\d{8,9}", written):
            number = _read(f"+55{self.area_code}{written}", self.country)
        return number

    def is_extension(self, text: str | None) -> bool:
        """Whether `text` is a PBX extension, so that its call is internal and no customer's.

        That is a bare number of two to six digits, but for the country's emergency numbers, which
        a PBX cannot give away. Other short public numbers count as extensions: switchboards do
        number their desks 1052 or 156, those services never call, and taking an internal call for
        a customer's would count a missed call that nobody made.
        """
        written = _written_number(text)
        return (
            written is not None
            and re.fullmatch(r"\d{2,6}", written) is not None
            and not phonenumbers.is_emergency_number(written, self.country)
        )


def _written_number(text: str | None) -> str | None:
    """The ASCII digits of the number in `text`, after a "+" where it is international."""
    if text is None or len(text) > _LONGEST_TEXT:
        return None
    # NFKC turns full-width forms and the many kinds of space into their ASCII counterparts.
    text = unicodedata.normalize("NFKC", text)
    name_and_address = _NAME_AND_ADDRESS.fullmatch(text.strip(_SURROUNDINGS))
    address = name_and_address[1] if name_and_address else text
    match = _NUMBER.fullmatch(address.strip(_SURROUNDINGS))
    if match is None:
        return None
    plus = "+" if "+" in match["number"] else ""
    digits = phonenumbers.normalize_digits_only(match["number"])
    return _INTERNATIONAL_PREFIX.sub("+", plus + digits)


def _read(written: str, country: str) -> PhoneNumber | None:
    """The number of `written`, digits with or without "+", as one dials it in `country`."""
    if written in _WITHHELD:
        return None
    try:
        number = phonenumbers.parse(written, country)
    except phonenumbers.NumberParseException:
        return None
    national = phonenumbers.national_significant_number(number)
    if number.country_code == _BRAZIL:
        national = _MISSING_NINTH_DIGIT.sub(r"\g<1>9", national)
        number.national_number = int(national)
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    # `phonenumbers` reads past surplus digits, a trunk zero after "+44". What is not known to exist
    # gets no such help.
    may_exist = phonenumbers.is_valid_number(number) or (
        e164 == written and _may_exist_abroad(number)
    )
    if not may_exist:
        return None
    region = phonenumbers.region_code_for_number(number)
    kind = _KINDS.get(phonenumbers.number_type(number), NumberKind.OTHER)
    has_area_code = region == "BR" and kind in (NumberKind.MOBILE, NumberKind.FIXED_LINE)
    return PhoneNumber(
        e164=e164,
        kind=kind,
        area_code=national[:2] if has_area_code else None,
        country=region if region in phonenumbers.SUPPORTED_REGIONS else "",
    )


def _may_exist_abroad(number: phonenumbers.PhoneNumber) -> bool:
    """Whether a number outside the known ranges may still be a customer's.

    The ranges of other countries change faster than a deployment's `phonenumbers`, so there a
    right length is enough. In Brazil it is not: lengths from 8 to 11 digits are right somewhere,
    while an area code that does not exist tells a mistake.
    """
    return (
        number.country_code != _BRAZIL
        and phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
    )
