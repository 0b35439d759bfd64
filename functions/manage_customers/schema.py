"""Customers as the API shows them."""

from pydantic import BaseModel, Field

from retorno.customers.model import Customer, Place
from retorno.customers.service import Found, FoundPage


class CustomerView(Customer):
    version: int = Field(description="Of the ETag")


class FoundCustomerView(CustomerView):
    matches: list[Place] = Field(description="Where the number that was asked for stands")

    @classmethod
    def of(cls, found: Found) -> "FoundCustomerView":
        stored = found.stored
        values = stored.customer.model_dump()
        return cls(**values, version=stored.version, matches=list(found.places))


class CustomerList(BaseModel):
    items: list[FoundCustomerView]
    cursor: str | None = Field(description="Where the next page begins; null at the end")

    @classmethod
    def of(cls, page: FoundPage, cursor: str | None) -> "CustomerList":
        return cls(items=[FoundCustomerView.of(found) for found in page.items], cursor=cursor)
