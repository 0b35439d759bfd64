"""Keeps customers, and finds them by name and by number."""

from functools import cache
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.manage_customers.schema import CustomerList, CustomerView
from retorno import clock
from retorno import cursor as cursors
from retorno.customers.model import MAX_TEXT_LENGTH, CustomerDraft, Stored
from retorno.customers.service import CustomerRecords, customer_records
from retorno.errors import InvalidInput
from retorno.http import (
    Api,
    Cursor,
    CustomerId,
    IfMatch,
    Limit,
    answer,
    created,
    expected_version,
    no_content,
)
from retorno.settings import CustomerSettings

app = Api()


@cache
def customers() -> CustomerRecords:
    return customer_records(CustomerSettings.from_environment())


@app.get(
    "/customers",
    tags=["customers"],
    summary="Customers by the beginning of their name, or who has a number; else all, by name",
)
def page(
    name: Annotated[str | None, Query(max_length=MAX_TEXT_LENGTH)] = None,
    number: Annotated[str | None, Query(max_length=256, description="In any written form")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> CustomerList:
    if name and number:
        raise InvalidInput("number", "goes without a name")
    list_name = f"customers {name!r} {number!r}"
    if number:
        start = cursors.decode(list_name, cursor, "held")
        found = customers().by_number(number, limit, start)
    else:
        start = cursors.decode(list_name, cursor, "customer_id", "name_key")
        found = customers().by_name(name or "", limit, start)
    return CustomerList.of(found, cursors.encode(list_name, found.next_start))


@app.post("/customers", tags=["customers"], summary="Makes a customer", status_code=201)
def create(draft: Annotated[CustomerDraft, Body()]) -> Response[CustomerView]:
    stored = customers().create(draft, clock.now())
    location = f"/customers/{stored.customer.customer_id}"
    return created(CustomerView.of(stored), location, stored.version)


@app.get("/customers/<customer_id>", tags=["customers"], summary="A customer")
def one(customer_id: CustomerId) -> Response[CustomerView]:
    return _shown(customers().one(customer_id))


@app.put(
    "/customers/<customer_id>",
    tags=["customers"],
    summary="Replaces all that is known of a customer",
)
def replace(
    customer_id: CustomerId, draft: Annotated[CustomerDraft, Body()], if_match: IfMatch = None
) -> Response[CustomerView]:
    expected = expected_version(if_match)
    return _shown(customers().replace(customer_id, draft, expected, clock.now()))


@app.delete(
    "/customers/<customer_id>",
    tags=["customers"],
    summary="Deletes a customer; for supervisors",
    status_code=204,
)
def delete(customer_id: CustomerId, if_match: IfMatch = None) -> Response[str]:
    customers().delete(customer_id, expected_version(if_match))
    return no_content()


def _shown(stored: Stored) -> Response[CustomerView]:
    return answer(CustomerView.of(stored), version=stored.version)


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
