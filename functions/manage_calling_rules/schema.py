"""Rules, decisions and the do-not-call list as the API shows them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from retorno.calling_rules.model import (
    Entry,
    Finding,
    Listing,
    Origin,
    Profile,
    Removal,
    Scope,
)
from retorno.calling_rules.service import Check, OnList, Outcome
from retorno.errors import InvalidInput
from retorno.frozen import Frozen, Strict

Note = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]

REFUSED = "refused"

IMPORT = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {
                "schema": {
                    "type": "string",
                    "description": "A number a line; or a header and the columns number, "
                    "effective_from (a date) and note, separated by commas or semicolons; UTF-8",
                }
            }
        },
    }
}


class RuleView(Frozen):
    """One rule, and what it says of the call."""

    id: str
    reason: str = Field(description="The rule in Portuguese, for operators")
    detail: str = Field(description="The rule in English")
    source: str
    source_url: str
    checked_on: date = Field(description="When the source was last read")
    standing: str = Field(description="primary, secondary or unverified: how far it was checked")
    allows: bool
    next_allowed_at: datetime | None = Field(description="By this rule alone")

    @classmethod
    def of(cls, finding: Finding) -> "RuleView":
        rule = finding.rule
        return cls(
            id=rule.id,
            reason=rule.title.pt,
            detail=rule.title.en,
            source=rule.source.title,
            source_url=rule.source.url,
            checked_on=rule.checked_on,
            standing=rule.standing,
            allows=finding.allows,
            next_allowed_at=finding.next_allowed_at,
        )


class EntryView(Frozen):
    model_config = ConfigDict(from_attributes=True)

    number: str = Field(description="In E.164")
    origin: Origin
    scope: Scope
    effective_from: date
    added_at: datetime
    added_by: str
    said_at: datetime = Field(description="When its scope was last asked for")
    note: str | None

    @classmethod
    def of(cls, entry: Entry) -> "EntryView":
        return cls.model_validate(entry)


class RemovalView(EntryView):
    removed_at: datetime
    removed_by: str
    reason: str

    @classmethod
    def of_removal(cls, removal: Removal) -> "RemovalView":
        return cls(
            **EntryView.of(removal.entry).model_dump(),
            **removal.model_dump(exclude={"entry"}),
        )


class CallingWindowView(Frozen):
    """Whether a number may be called. None of it is legal advice."""

    number: str = Field(description="In E.164")
    country: str
    state: str | None = Field(description="ISO 3166-2 without the country: RJ")
    time_zones: list[str] = Field(description="Where the number may be, the likeliest first")
    at: datetime
    allowed: bool
    next_allowed_at: datetime | None = Field(description="Null where it is not within three months")
    rules: list[RuleView] = Field(description="Those that bear on the number and the purpose")
    forbidden_by: list[EntryView] = Field(description="What of the do-not-call list forbids it")
    do_not_call: list[EntryView] = Field(description="All that the list says of the number")

    @classmethod
    def of(cls, check: Check, at: datetime) -> "CallingWindowView":
        decision = check.decision
        return cls(
            number=check.number.e164,
            country=decision.place.country,
            state=decision.place.state,
            time_zones=list(decision.place.zones),
            at=at,
            allowed=decision.allowed,
            next_allowed_at=decision.next_allowed_at,
            rules=[RuleView.of(finding) for finding in decision.findings],
            forbidden_by=[EntryView.of(entry) for entry in decision.forbidden_by],
            do_not_call=[EntryView.of(entry) for entry in check.entries],
        )


class ProfileView(Frozen):
    """A law or code as data. None of it is legal advice."""

    id: str
    title: Mapping[str, str]
    country: str | None
    state: str | None
    on: bool = Field(description="Whether this deployment goes by it")
    rules: list[dict[str, Any]] = Field(description="As their file says them")

    @classmethod
    def of(cls, profile: Profile, on: bool) -> "ProfileView":
        return cls(**profile.model_dump(mode="json"), on=on)


class ProfileList(Frozen):
    items: list[ProfileView]


class ListingRequest(Strict):
    origin: Origin = Origin.CUSTOMER
    scope: Scope = Scope.TELEMARKETING
    effective_from: date | None = Field(
        default=None, description="Today, where the number is, if not said"
    )
    note: Note | None = None

    def listing(self) -> Listing:
        return Listing(**self.model_dump())


class NumberOnListView(Frozen):
    number: str = Field(description="In E.164")
    entries: list[EntryView] = Field(description="One for each origin; none for a number not on it")
    removals: list[RemovalView] = Field(description="What was taken off the list")

    @classmethod
    def of(cls, found: OnList) -> "NumberOnListView":
        return cls(
            number=found.number.e164,
            entries=[EntryView.of(entry) for entry in found.entries],
            removals=[RemovalView.of_removal(removal) for removal in found.removals],
        )


class EntryList(Frozen):
    items: list[EntryView]
    cursor: str | None = Field(description="Where the next page begins; null at the end")


class RowView(Frozen):
    line: int = Field(description="Of the body, from 1")
    outcome: str = Field(description="added, changed, unchanged, repeated or refused")
    reason: str | None

    @classmethod
    def of(cls, line: int, outcome: Outcome | InvalidInput) -> "RowView":
        if isinstance(outcome, InvalidInput):
            return cls(line=line, outcome=REFUSED, reason=str(outcome))
        return cls(line=line, outcome=outcome, reason=None)


class ImportView(Frozen):
    counts: dict[str, int] = Field(description="How many rows had each outcome")
    rows: list[RowView]

    @classmethod
    def of(cls, lines: Sequence[int], outcomes: Sequence[Outcome | InvalidInput]) -> "ImportView":
        rows = [RowView.of(*row) for row in zip(lines, outcomes, strict=True)]
        return cls(counts=Counter(row.outcome for row in rows), rows=rows)
