"""Customers as the API shows them."""

from pydantic import Field

from retorno.customers.model import Customer, Place, Stored
from retorno.customers.service import Found, FoundPage
from retorno.frozen import Frozen


class CustomerView(Customer):
    version: int = Field(description="Of the ETag")

    @classmethod
    def of(cls, stored: Stored) -> "CustomerView":
        return cls(**stored.customer.model_dump(), version=stored.version)


class FoundCustomerView(CustomerView):
    matches: list[Place] = Field(description="Where the number that was asked for stands")

    @classmethod
    def of_found(cls, found: Found) -> "FoundCustomerView":
        view = CustomerView.of(found.stored)
        return cls(**view.model_dump(), matches=list(found.places))


class CustomerList(Frozen):
    items: list[FoundCustomerView]
    cursor: str | None = Field(description="Where the next page begins; null at the end")

    @classmethod
    def of(cls, page: FoundPage, cursor: str | None) -> "CustomerList":
        return cls(items=[FoundCustomerView.of_found(found) for found in page.items], cursor=cursor)
