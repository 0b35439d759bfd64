"""What a row of a file tells of a customer, and how a customer is written as rows.

A row tells of the customer, and of one branch, of one contact, or of one of each. Rows merge: a
filled cell sets, a blank one erases nothing, so several rows may tell of one customer.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

from pydantic import TypeAdapter, ValidationError

from retorno.customers.model import (
    MAX_BRANCHES,
    MAX_CONTACTS,
    MAX_NUMBERS,
    TAG_SEPARATORS,
    Branch,
    Contact,
    Customer,
    Document,
    Tags,
    Text,
    contact_key,
    document_key,
    e164,
    name_of,
)
from retorno.errors import InvalidInput
from retorno.frozen import DEFERRED, Frozen
from retorno.imports.model import Problem, Row, Vocabulary
from retorno.phone import NumberPlan
from retorno.text import fold

# The first name of each column is the one that is written.
COLUMNS: Mapping[str, Sequence[str]] = {
    field: names.split(", ")
    for field, names in {
        "code": "código, code, id, código externo, código do cliente, external code",
        "name": "nome, razão social, cliente, nome do cliente, nome fantasia, name, customer, "
        "customer name, company, company name",
        "document": "documento, cpf, cnpj, cpf/cnpj, cnpj/cpf, nif, nipc, document, tax id, vat",
        "tags": "etiquetas, etiqueta, tags, tag, marcadores",
        "owner": "atendente, responsável, vendedor, operador, owner, agent",
        "city": "cidade, município, localidade, city",
        "phone": "telefone, fixo, telefone fixo, tel, phone, landline, telephone",
        "mobile": "celular, telemóvel, telefone celular, mobile, cell, cell phone",
        "branch": "filial, nome da filial, branch, branch name",
        "branch_phone": "telefone da filial, fixo da filial, branch phone",
        "branch_mobile": "celular da filial, telemóvel da filial, branch mobile",
        "contact": "contato, contacto, nome do contato, nome do contacto, contact, contact name",
        "contact_phone": "telefone do contato, telefone do contacto, fixo do contato, "
        "fixo do contacto, contact phone",
        "contact_mobile": "celular do contato, celular do contacto, telemóvel do contato, "
        "telemóvel do contacto, contact mobile",
    }.items()
}
HEADER = [names[0] for names in COLUMNS.values()]
VOCABULARY = Vocabulary(COLUMNS, required=[["name"]])

# The namespace of the ids of imported customers: one file makes the same ones wherever it goes.
NAMESPACE = UUID("3e0e5f3c-6c1e-5d0b-9d3f-0a6f4c1d7b52")

_TEXT: TypeAdapter[str] = TypeAdapter(Text, config=DEFERRED)
_READERS: Mapping[str, TypeAdapter[Any]] = {
    "document": TypeAdapter(Document, config=DEFERRED),
    "tags": TypeAdapter(Tags, config=DEFERRED),
}
_NUMBERS = frozenset(
    f"{whose}{line}" for whose in ("", "branch_", "contact_") for line in ("phone", "mobile")
)
_LIMITS = {"branch": MAX_BRANCHES, "contact": MAX_CONTACTS}
# Fields of the customer itself that a cell sets as it is.
_OWN = ("name", "document", "tags", "owner", "city", "phone", "mobile")


class Told(Frozen):
    """What a row tells, read; numbers are in E.164."""

    name: str
    code: str | None = None
    document: str | None = None
    tags: tuple[str, ...] | None = None
    owner: str | None = None
    city: str | None = None
    phone: str | None = None
    mobile: str | None = None
    branch: str | None = None
    branch_phone: str | None = None
    branch_mobile: str | None = None
    contact: str | None = None
    contact_phone: str | None = None
    contact_mobile: str | None = None

    @property
    def customer_id(self) -> str:
        """The id of the customer where it is new: of its code, else of its document, else of its
        name and own numbers. A code that is an id is that id: so an export comes back."""
        if self.code:
            return as_id(self.code) or str(uuid5(NAMESPACE, f"code {self.code}"))
        if self.document:
            return str(uuid5(NAMESPACE, f"document {document_key(self.document)}"))
        numbers = " ".join(filter(None, (self.phone, self.mobile)))
        return str(uuid5(NAMESPACE, f"name {fold(self.name) or self.name} {numbers}"))


def read(row: Row, plan: NumberPlan) -> tuple[Told | None, list[Problem]]:
    """What a row tells, and what of it cannot be taken; None where nothing can."""
    problems = list(row.problems)
    if row.unfit:
        return None, problems
    values: dict[str, Any] = {}
    for field, cell in row.cells.items():
        try:
            values[field] = _read(field, cell, plan)
        except InvalidInput as error:
            problems.append(Problem(field=field, reason=error.reason))
        except ValidationError as error:
            reason = error.errors()[0]["msg"].removeprefix("Value error, ")
            problems.append(Problem(field=field, reason=reason))
    for whose in ("branch", "contact"):
        for field in (f"{whose}_phone", f"{whose}_mobile"):
            if field in values and whose not in values:
                problems.append(Problem(field=field, reason=f"there is no {whose} that has it"))
    if "name" not in values:
        if "name" not in row.cells:
            problems.append(Problem(field="name", reason="is missing"))
        return None, problems
    return Told(**values), problems


def _read(field: str, cell: str, plan: NumberPlan) -> Any:
    if field in _NUMBERS:
        return e164(cell, plan, field)
    if field == "code":
        code = _TEXT.validate_python(cell)
        return as_id(code) or code
    if field == "tags":
        parts = (part.strip() for part in re.split(f"[{TAG_SEPARATORS}]", cell))
        return _READERS[field].validate_python([part for part in parts if part])
    return _READERS.get(field, _TEXT).validate_python(cell)


def as_id(code: str) -> str | None:
    """The id that a code is; None where it is none."""
    try:
        return str(UUID(code))
    except ValueError:
        return None


def merge(
    told: Told, customer_id: str, before: Customer | None, new_id: Callable[[], str]
) -> tuple[Customer, list[Problem]]:
    """The customer with what a row tells; and what of that it cannot have."""
    problems: list[Problem] = []
    values = {name: getattr(told, name) for name in _OWN if getattr(told, name) is not None}
    known = before or Customer(customer_id=customer_id, name=told.name)
    if told.code and told.code != known.customer_id:
        if known.code in (None, told.code):
            values["code"] = told.code
        else:
            problems.append(Problem(field="code", reason="the customer has another code"))
    customer = known.model_copy(update=values)
    for add, field in ((_with_branch, "branch"), (_with_contact, "contact")):
        more = add(customer, told, new_id)
        if more is None:
            problems.append(Problem(field=field, reason=f"more than {_LIMITS[field]}"))
        else:
            customer = more
    if len(customer.numbers()) > MAX_NUMBERS:
        problems.append(Problem(field="row", reason=f"more than {MAX_NUMBERS} numbers in all"))
        return known, problems
    return customer, problems


def _with_branch(customer: Customer, told: Told, new_id: Callable[[], str]) -> Customer | None:
    """None where there would be too many."""
    if not told.branch:
        return customer
    numbers = _filled(phone=told.branch_phone, mobile=told.branch_mobile)
    new = Branch(id="", name=told.branch)
    branches = {name_of(branch): branch for branch in customer.branches}
    found = branches.get(name_of(new)) or new.model_copy(update={"id": new_id()})
    branches[name_of(new)] = found.model_copy(update=numbers)
    if len(branches) > MAX_BRANCHES:
        return None
    return customer.model_copy(update={"branches": tuple(branches.values())})


def _with_contact(customer: Customer, told: Told, new_id: Callable[[], str]) -> Customer | None:
    """Of the row's branch, where it names one. None where there would be too many."""
    if not told.contact:
        return customer
    branch_ids = {name_of(branch): branch.id for branch in customer.branches}
    branch = Branch(id="", name=told.branch) if told.branch else None
    numbers = _filled(phone=told.contact_phone, mobile=told.contact_mobile)
    branch_id = branch_ids.get(name_of(branch)) if branch else None
    new = Contact(id="", name=told.contact, branch_id=branch_id)
    contacts = {contact_key(contact): contact for contact in customer.contacts}
    found = contacts.get(contact_key(new)) or new.model_copy(update={"id": new_id()})
    contacts[contact_key(new)] = found.model_copy(update=numbers)
    if len(contacts) > MAX_CONTACTS:
        return None
    return customer.model_copy(update={"contacts": tuple(contacts.values())})


def _filled(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}


def written(customer: Customer) -> Iterator[list[str]]:
    """The rows that make the customer again: one for each branch and each contact, or just one."""
    branches = {branch.id: branch for branch in customer.branches}
    parts: list[tuple[Branch | None, Contact | None]] = [
        *((branch, None) for branch in customer.branches),
        *((branches.get(contact.branch_id or ""), contact) for contact in customer.contacts),
    ]
    for branch, contact in parts or [(None, None)]:
        told = {
            **customer.model_dump(include={"name", "document", "owner", "city", "phone", "mobile"}),
            "code": customer.code or customer.customer_id,
            "tags": ", ".join(customer.tags),
        }
        for whose, part in (("branch", branch), ("contact", contact)):
            if part:
                told |= {
                    whose: part.name,
                    f"{whose}_phone": part.phone,
                    f"{whose}_mobile": part.mobile,
                }
        yield [told.get(field) or "" for field in COLUMNS]
