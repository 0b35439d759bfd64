"""The tables of assignments and of what was done with them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, KeysOnlyProjection
from pynamodb.models import Model

from retorno.dynamodb import Write, bind, unavailable_on_trouble
from retorno.retention import KeptItem, expiry
from retorno.settings import AssignmentTableSettings
from retorno.telemarketing.assignments.model import (
    DUE_PLACES,
    Assignment,
    Change,
    Entry,
    State,
)
from retorno.times import Period, read_stamp, stamp

TO_CHECK = "assignment"
NUMBER_LENGTH = 9

# The embedded cloud is slow with many thousands in one campaign.
READ_TIMEOUT_SECONDS = 8

SEPARATOR = "#"


class ByLine(GlobalSecondaryIndex["AssignmentItem"]):
    class Meta:
        index_name = "by_line"
        projection = KeysOnlyProjection()

    line = UnicodeAttribute(hash_key=True)
    place = UnicodeAttribute(range_key=True)


class ByState(GlobalSecondaryIndex["AssignmentItem"]):
    class Meta:
        index_name = "by_state"
        projection = KeysOnlyProjection()

    campaign_state = UnicodeAttribute(hash_key=True)
    place = UnicodeAttribute(range_key=True)


class ByCustomer(GlobalSecondaryIndex["AssignmentItem"]):
    class Meta:
        index_name = "by_customer"
        projection = KeysOnlyProjection()

    customer_id = UnicodeAttribute(hash_key=True)
    campaign_id = UnicodeAttribute(range_key=True)


class ByCheck(GlobalSecondaryIndex["AssignmentItem"]):
    class Meta:
        index_name = "by_check"
        projection = KeysOnlyProjection()

    to_check = UnicodeAttribute(hash_key=True)
    check_at = UnicodeAttribute(range_key=True)


class AssignmentItem(Model):
    """`campaign_id` "natal", `customer_id` "5f3c…", and all of it as JSON."""

    campaign_id = UnicodeAttribute(hash_key=True)
    customer_id = UnicodeAttribute(range_key=True)
    # Counts the writes of this item: a change holds only if nobody wrote since it was read.
    revision = NumberAttribute()
    assignment = UnicodeAttribute()

    # For the indexes alone: "natal#agent:ana#not_acted" or "natal#team#not_acted", and
    # "natal#not_acted"; TO_CHECK where there is a check_at.
    line = UnicodeAttribute(null=True)
    campaign_state = UnicodeAttribute(null=True)
    place = UnicodeAttribute(null=True)
    to_check = UnicodeAttribute(null=True)
    check_at = UnicodeAttribute(null=True)

    by_line = ByLine()
    by_state = ByState()
    by_customer = ByCustomer()
    by_check = ByCheck()


class ByCampaign(GlobalSecondaryIndex["EntryItem"]):
    class Meta:
        index_name = "by_campaign"
        projection = AllProjection()

    campaign_id = UnicodeAttribute(hash_key=True)
    at = UnicodeAttribute(range_key=True)


class EntryItem(KeptItem):
    """`contact` "natal#5f3c…", `number` "000000017", and all of it as JSON."""

    contact = UnicodeAttribute(hash_key=True)
    number = UnicodeAttribute(range_key=True)
    campaign_id = UnicodeAttribute()
    at = UnicodeAttribute()
    entry = UnicodeAttribute()

    by_campaign = ByCampaign()

    def kept_from(self, now: datetime) -> datetime:
        return read_stamp(self.at)


Key = tuple[str, str]
"""The ids of a campaign and of a customer."""


class Spot(NamedTuple):
    """Who stands at a place of a line."""

    place: str
    key: Key


@dataclass(frozen=True, slots=True)
class EntryPage:
    """Where the next page begins is None at the end."""

    entries: Sequence[Entry]
    next_start: Mapping[str, str] | None


class AssignmentStore:
    """`kept_days` are those of the history."""

    def __init__(self, assignments_table: str, history_table: str, kept_days: int = 0) -> None:
        self._item = bind(AssignmentItem, assignments_table, READ_TIMEOUT_SECONDS)
        self._kept_days = kept_days
        self._entry = bind(EntryItem, history_table)

    def get(self, campaign_id: str, customer_id: str) -> Assignment | None:
        """As it is at this moment. Raises Unavailable."""
        with unavailable_on_trouble():
            try:
                return read(self._item.get(campaign_id, customer_id, consistent_read=True))
            except self._item.DoesNotExist:
                return None

    def get_many(self, keys: Sequence[Key]) -> dict[Key, Assignment]:
        """As they are at this moment; those that exist. Raises Unavailable."""
        with unavailable_on_trouble():
            found = self._item.batch_get(list(keys), consistent_read=True) if keys else []
            assignments = [read(item) for item in found]
        return {(each.campaign_id, each.customer_id): each for each in assignments}

    def of_campaign(
        self, campaign_id: str, limit: int, start: str | None
    ) -> tuple[list[Assignment], str | None]:
        """As they are at this moment, those unlinked included, by customer; and where the next
        page begins, None at the end. Raises Unavailable.
        """
        behind = None if start is None else self._item.customer_id > start
        with unavailable_on_trouble():
            found = self._item.query(
                campaign_id, behind, consistent_read=True, limit=limit, page_size=limit
            )
            page = [read(item) for item in found]
        return page, page[-1].customer_id if found.last_evaluated_key else None

    def writing(self, after: Assignment) -> Write[Any]:
        """Part of a transaction: it holds where nobody wrote the assignment since it was read."""
        item = self._item
        before = after.revision - 1
        unchanged = item.revision == before if before else item.revision.does_not_exist()
        listed = after.state is not State.UNLINKED
        return Write(
            item(
                after.campaign_id,
                after.customer_id,
                revision=after.revision,
                assignment=after.model_dump_json(exclude_defaults=True),
                line=line_of(after.campaign_id, after.shown_to, after.state) if listed else None,
                campaign_state=line_of_all(after.campaign_id, after.state) if listed else None,
                place=after.place if listed else None,
                to_check=TO_CHECK if after.check_at else None,
                check_at=stamp(after.check_at) if after.check_at else None,
            ),
            unchanged,
        )

    def changing(self, change: Change) -> list[Write[Any]]:
        """The same, with what is told of the change."""
        return [self.writing(change.after), Write(self._entry_item(change.entry))]

    def _entry_item(self, entry: Entry) -> EntryItem:
        return self._entry(
            contact_of(entry.campaign_id, entry.customer_id),
            f"{entry.number:0{NUMBER_LENGTH}}",
            campaign_id=entry.campaign_id,
            at=stamp(entry.at),
            entry=entry.model_dump_json(),
            expires_at=expiry(entry.at, self._kept_days),
        )

    def along(self, line: str, start: str | None, *, latest_first: bool = False) -> Iterator[Spot]:
        """The spots of a line behind a place, in its order or the other way round.

        Raises Unavailable.
        """
        place = self._item.place
        index: Any = self._item.by_state if line.count(SEPARATOR) == 1 else self._item.by_line
        behind = None if start is None else place < start if latest_first else place > start
        with unavailable_on_trouble():
            for item in index.query(line, behind, scan_index_forward=not latest_first):
                yield Spot(item.place, (item.campaign_id, item.customer_id))

    def due_along(self, line: str) -> Iterator[Spot]:
        """The spots of those in a line whose time has come. Raises Unavailable."""
        with unavailable_on_trouble():
            for item in self._item.by_line.query(line, self._item.place.startswith(DUE_PLACES)):
                yield Spot(item.place, (item.campaign_id, item.customer_id))

    def to_check(self, now: datetime, limit: int) -> list[Key]:
        """Those that are to be looked at by now, the longest due first. Raises Unavailable."""
        with unavailable_on_trouble():
            found = self._item.by_check.query(
                TO_CHECK, self._item.check_at <= stamp(now), limit=limit, page_size=limit
            )
            return [(item.campaign_id, item.customer_id) for item in found]

    def of_customer(self, customer_id: str, limit: int) -> list[Key]:
        """In which campaigns a customer is, or was. Raises Unavailable."""
        with unavailable_on_trouble():
            found = self._item.by_customer.query(customer_id, limit=limit, page_size=limit)
            return [(item.campaign_id, item.customer_id) for item in found]

    def history(
        self, campaign_id: str, customer_id: str, limit: int, start: Mapping[str, str] | None
    ) -> EntryPage:
        """What was done, the last first. Raises Unavailable."""
        earlier = self._entry.number < start["number"] if start else None
        with unavailable_on_trouble():
            found = self._entry.query(
                contact_of(campaign_id, customer_id),
                earlier,
                scan_index_forward=False,
                limit=limit,
                page_size=limit,
            )
            entries = [read_entry(item) for item in found]
        last = found.last_evaluated_key
        return EntryPage(entries, {"number": last["number"]["S"]} if last else None)

    def all_history(self, campaign_id: str, customer_id: str) -> Iterator[Entry]:
        """What was done, the first first. Raises Unavailable."""
        with unavailable_on_trouble():
            for item in self._entry.query(contact_of(campaign_id, customer_id)):
                yield read_entry(item)

    def kept_history(self, campaign_id: str, customer_id: str) -> Iterator[KeptItem]:
        """The same, as items. Raises Unavailable."""
        with unavailable_on_trouble():
            yield from self._entry.query(contact_of(campaign_id, customer_id), consistent_read=True)

    def rewrite(self, entry: Entry) -> None:
        """An entry that tells less than it did. Raises Unavailable."""
        with unavailable_on_trouble():
            self._entry_item(entry).save()

    def history_of_campaign(self, campaign_id: str, period: Period) -> Iterator[Entry]:
        """Whatever was done in a campaign, in its order. Raises Unavailable."""
        between = self._entry.at.between(stamp(period.since), stamp(period.until))
        with unavailable_on_trouble():
            for item in self._entry.by_campaign.query(campaign_id, between):
                yield read_entry(item)


def contact_of(campaign_id: str, customer_id: str) -> str:
    """ "natal#5f3c…" """
    return f"{campaign_id}{SEPARATOR}{customer_id}"


def line_of(campaign_id: str, agent: str | None, state: State) -> str:
    """ "natal#agent:ana#scheduled"; the team's is "natal#team#scheduled"."""
    whose = f"agent:{agent}" if agent else "team"
    return SEPARATOR.join((campaign_id, whose, state))


def line_of_all(campaign_id: str, state: State) -> str:
    """ "natal#scheduled" """
    return f"{campaign_id}{SEPARATOR}{state}"


def read(item: AssignmentItem) -> Assignment:
    return Assignment.model_validate_json(item.assignment)


def read_image(image: Mapping[str, Any]) -> Assignment | None:
    """Of the table's stream; None of what is no assignment."""
    written = image.get("assignment")
    return Assignment.model_validate_json(written["S"]) if written else None


def read_entry(item: EntryItem) -> Entry:
    return Entry.model_validate_json(item.entry)


def assignment_store(settings: AssignmentTableSettings) -> AssignmentStore:
    return AssignmentStore(
        settings.assignments_table,
        settings.assignment_history_table,
        settings.operations_kept_days,
    )
