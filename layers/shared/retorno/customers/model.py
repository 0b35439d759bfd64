"""A customer, whom a number belongs to, and which customer a call is linked to.

No call is written to when it is linked: `link` says it each time, from what is known of the
number and from what people chose.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
)

from retorno.customers.lookup import Lookup
from retorno.errors import InvalidInput
from retorno.frozen import Frozen
from retorno.phone import NumberPlan, match_key
from retorno.text import fold

# DynamoDB writes at most 100 items at once, and a customer is written at once: the record, a
# document and a code that go and one of each that comes, each number that goes, each that comes.
MAX_NUMBERS = 47
MAX_BRANCHES = 40
MAX_CONTACTS = 40
MAX_TAGS = 30
MAX_TEXT_LENGTH = 200
MAX_WRITTEN_NUMBER_LENGTH = 256

# What lists are in the order of; so little of a long name that a cursor can hold it.
NAME_KEY_LENGTH = 50


def _in_one_line(value: object) -> object:
    if not isinstance(value, str):
        return value
    if re.search("[\ud800-\udfff]", value):
        raise ValueError("holds half a character")
    return " ".join(value.split())


def _none_if_blank(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


Text = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_TEXT_LENGTH), BeforeValidator(_in_one_line)
]
OptionalText = Annotated[Text | None, BeforeValidator(_none_if_blank)]
WrittenNumber = Annotated[
    Annotated[str, StringConstraints(max_length=MAX_WRITTEN_NUMBER_LENGTH)] | None,
    BeforeValidator(_none_if_blank),
]
PartId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


def document_key(document: str) -> str:
    """What all written forms of a document have in common: its letters and digits."""
    return "".join(char for char in fold(document).upper() if char.isalnum())


def _with_letter_or_digit(document: str | None) -> str | None:
    if document is not None and not document_key(document):
        raise ValueError("has no letter and no digit")
    return document


Document = Annotated[OptionalText, AfterValidator(_with_letter_or_digit)]


# Files hold the tags of a customer in one cell.
TAG_SEPARATORS = ",;|"
Tag = Annotated[Text, Field(pattern=rf"^[^{TAG_SEPARATORS}]*$")]


def _each_once(tags: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tags))


Tags = Annotated[tuple[Tag, ...], Field(max_length=MAX_TAGS), AfterValidator(_each_once)]


def name_key(name: str) -> str:
    """What names are sorted and searched by. Never empty, whatever the name is made of."""
    return (fold(name) or name)[:NAME_KEY_LENGTH]


class Reached(Frozen):
    """Whoever has a name and numbers; the numbers are in E.164."""

    name: str
    phone: str | None = None
    mobile: str | None = None

    def lines(self) -> Iterator[tuple[Literal["phone", "mobile"], str]]:
        if self.phone:
            yield "phone", self.phone
        if self.mobile:
            yield "mobile", self.mobile


class Branch(Reached):
    id: str


class Contact(Reached):
    id: str
    branch_id: str | None = None


class Place(Frozen):
    """Where a number stands with a customer: their own where neither branch nor contact is."""

    branch: str | None = None
    contact: str | None = None
    line: Literal["phone", "mobile"]


class Customer(Reached):
    """`code` is what another system knows the customer by; it and the document are unique."""

    customer_id: str
    code: str | None = None
    document: str | None = None
    tags: tuple[str, ...] = ()
    owner: str | None = None
    city: str | None = None
    branches: tuple[Branch, ...] = ()
    contacts: tuple[Contact, ...] = ()

    def numbers(self) -> dict[str, list[Place]]:
        """Where each number stands, by match key."""
        branch_names = {branch.id: branch.name for branch in self.branches}
        found: dict[str, list[Place]] = {}
        for line, number in self.lines():
            found.setdefault(match_key(number), []).append(Place(line=line))
        for branch in self.branches:
            for line, number in branch.lines():
                place = Place(branch=branch.name, line=line)
                found.setdefault(match_key(number), []).append(place)
        for contact in self.contacts:
            branch_name = branch_names.get(contact.branch_id or "")
            for line, number in contact.lines():
                place = Place(branch=branch_name, contact=contact.name, line=line)
                found.setdefault(match_key(number), []).append(place)
        return found


@dataclass(frozen=True, slots=True)
class Stored:
    """A customer as the table has it: each write is a version.

    `held` says since when it has each number, as a stamp by match key. `written_by` is who wrote
    the version, where that was no person.
    """

    customer: Customer
    version: int
    held: Mapping[str, str]
    written_by: str | None = None


class BranchDraft(Frozen):
    """Without an `id` it gets one."""

    id: PartId | None = None
    name: Text
    phone: WrittenNumber = None
    mobile: WrittenNumber = None


class ContactDraft(BranchDraft):
    branch_id: PartId | None = Field(None, description="The `id` of one of the branches")


class CustomerDraft(Frozen):
    """A customer as a person writes it, numbers in any form."""

    name: Text
    code: Annotated[
        OptionalText, Field(description="What another system knows them by; unique")
    ] = None
    document: Annotated[Document, Field(description="CPF, CNPJ, NIF, …; unique")] = None
    tags: Tags = ()
    owner: Annotated[OptionalText, Field(description="The operator who looks after them")] = None
    city: OptionalText = None
    phone: WrittenNumber = None
    mobile: WrittenNumber = None
    branches: Annotated[tuple[BranchDraft, ...], Field(max_length=MAX_BRANCHES)] = ()
    contacts: Annotated[tuple[ContactDraft, ...], Field(max_length=MAX_CONTACTS)] = ()

    def customer(self, customer_id: str, plan: NumberPlan, new_id: Callable[[], str]) -> Customer:
        """Raises InvalidInput, which names the field."""
        customer = Customer(
            customer_id=customer_id,
            **self.model_dump(include={"name", "code", "document", "tags", "owner", "city"}),
            **_numbers(self, plan, ""),
            branches=tuple(
                Branch(
                    id=branch.id or new_id(),
                    name=branch.name,
                    **_numbers(branch, plan, f"branches.{index}."),
                )
                for index, branch in enumerate(self.branches)
            ),
            contacts=tuple(
                Contact(
                    id=contact.id or new_id(),
                    name=contact.name,
                    branch_id=contact.branch_id,
                    **_numbers(contact, plan, f"contacts.{index}."),
                )
                for index, contact in enumerate(self.contacts)
            ),
        )
        _check_parts(customer)
        return customer


def _numbers(
    draft: CustomerDraft | BranchDraft, plan: NumberPlan, path: str
) -> dict[str, str | None]:
    return {
        "phone": e164(draft.phone, plan, f"{path}phone"),
        "mobile": e164(draft.mobile, plan, f"{path}mobile"),
    }


def e164(written: str | None, plan: NumberPlan, field: str) -> str | None:
    """Raises InvalidInput where what is written is no number."""
    if written is None:
        return None
    number = plan.parse(written)
    if number is None:
        raise InvalidInput(field, "is not a phone number")
    return number.e164


def contact_key(contact: Contact) -> tuple[str | None, str]:
    """A contact is known by name, within their branch."""
    return contact.branch_id, name_of(contact)


def name_of(reached: Reached) -> str:
    """The name that a branch or contact is known by within its customer."""
    return fold(reached.name) or reached.name


def _check_parts(customer: Customer) -> None:
    _check_unique("branches", "id", [branch.id for branch in customer.branches])
    _check_unique("branches", "name", [name_of(branch) for branch in customer.branches])
    _check_unique("contacts", "id", [contact.id for contact in customer.contacts])
    _check_unique("contacts", "name", [contact_key(contact) for contact in customer.contacts])
    branch_ids = {branch.id for branch in customer.branches}
    for index, contact in enumerate(customer.contacts):
        if contact.branch_id is not None and contact.branch_id not in branch_ids:
            raise InvalidInput(f"contacts.{index}.branch_id", "is none of the branches")
    if len(customer.numbers()) > MAX_NUMBERS:
        raise InvalidInput("contacts", f"more than {MAX_NUMBERS} numbers in all")


def _check_unique(parts: str, field: str, values: Sequence[Any]) -> None:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise InvalidInput(f"{parts}.{index}.{field}", "is there already")


class Choice(Frozen):
    """What a person said of a number at a call: from that call on, it is that customer.

    `customer_id` is None where they took an earlier choice back.
    """

    at: datetime
    customer_id: str | None


class NumberLine(Frozen):
    """What is known of a number: since when which customers have it, and what people chose.

    Of a number that very many share, `holders` are those that had it first.
    """

    holders: Mapping[str, datetime] = {}
    choices: tuple[Choice, ...] = ()

    def remembered(self, at: datetime) -> str | None:
        """The choice that held when a call began."""
        made = [choice for choice in self.choices if choice.at <= at]
        return max(made, key=lambda choice: choice.at).customer_id if made else None

    def candidates(self, at: datetime, existing: Mapping[str, Customer]) -> list[str]:
        """Who had the number when a call began, or else who had it first."""
        holders = {each: since for each, since in self.holders.items() if each in existing}
        first = min(holders.values(), default=at)
        return [each for each, since in holders.items() if since <= max(at, first)]


class Sought(Frozen):
    """Who is looked for, by one of these. A code may be an id, as exports write it; `number_key` is
    a match key.
    """

    customer_id: str | None = None
    code: str | None = None
    document: str | None = None
    number_key: str | None = None


class CustomerRef(Frozen):
    """`places` are where the call's number stands with the customer; none if it does not."""

    customer_id: str
    name: str
    places: tuple[Place, ...] = ()

    @classmethod
    def of(cls, customer: Customer, number_key: str | None) -> Self:
        places = customer.numbers().get(number_key, []) if number_key else []
        return cls(customer_id=customer.customer_id, name=customer.name, places=tuple(places))


class Link(Frozen):
    """The customer of a call, how that is known, and otherwise whom to choose from."""

    customer: CustomerRef | None = None
    candidates: tuple[CustomerRef, ...] = ()
    how: Literal["chosen", "remembered", "only_match"] | None = None


def link(lookup: Lookup, line: NumberLine, existing: Mapping[str, Customer]) -> Link:
    """Which customer a call belongs to: what a person said of this call; else what was chosen
    for its number before it; else the one customer that had the number when the call began, or
    first had it after that.

    `existing` are customers by id: a choice of one that is not there counts for nothing.
    """

    def ref(customer_id: str) -> CustomerRef:
        return CustomerRef.of(existing[customer_id], lookup.number_key)

    if lookup.chosen == "":
        return Link(how="chosen")
    if lookup.chosen and lookup.chosen in existing:
        return Link(customer=ref(lookup.chosen), how="chosen")
    remembered = line.remembered(lookup.at)
    if remembered and remembered in existing:
        return Link(customer=ref(remembered), how="remembered")
    candidates = line.candidates(lookup.at, existing)
    if len(candidates) == 1:
        return Link(customer=ref(candidates[0]), how="only_match")
    by_name = sorted(map(ref, candidates), key=lambda each: (name_key(each.name), each.customer_id))
    return Link(candidates=tuple(by_name))
