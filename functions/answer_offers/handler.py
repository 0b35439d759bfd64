"""Sets queues up, shows who is offered to whom, and takes the agents' answers."""

from collections.abc import Sequence
from functools import cache
from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.answer_offers.schema import (
    OfferDetail,
    OfferFacts,
    OfferList,
    OfferView,
    QueueList,
    QueueView,
    RejectionRequest,
)
from retorno import clock
from retorno import cursor as cursors
from retorno.calls.model import Call
from retorno.calls.service import CallReader, call_reader
from retorno.customers.service import CustomerDirectory, customer_directory
from retorno.http import Api, Cursor, IfMatch, Limit, QueueInPath, answer, expected_version
from retorno.offers.model import Offer, QueueDraft, State
from retorno.offers.model import Queue as QueueOf
from retorno.offers.service import OfferRecords, Offers, Queues, offer_records
from retorno.offers.service import offers as offers_of
from retorno.offers.service import queues as queues_of
from retorno.quotes.service import QuoteReader, quote_reader
from retorno.recovery.service import MissedCalls, missed_calls
from retorno.settings import AnswerOfferSettings
from retorno.telemarketing.assignments.service import PendingContacts, pending_contacts
from retorno.telephony.ports import MAX_NAME_LENGTH
from retorno.times import Period
from retorno.users import LEADERS

# How many earlier calls of the number are shown with an offer.
RECENT_CALLS = 5

OfferId = Annotated[str, Path(max_length=64)]

app = Api()
settings = cache(AnswerOfferSettings.from_environment)


@cache
def queues() -> Queues:
    return queues_of(settings())


@cache
def offers() -> Offers:
    return offers_of(settings())


@cache
def records() -> OfferRecords:
    return offer_records(settings())


@cache
def calls() -> CallReader:
    return call_reader(settings())


@cache
def missed() -> MissedCalls:
    return missed_calls(settings())


@cache
def directory() -> CustomerDirectory:
    return customer_directory(settings())


@cache
def quotes() -> QuoteReader:
    return quote_reader(settings())


@cache
def telemarketing() -> PendingContacts:
    return pending_contacts(settings())


@app.get("/queues", tags=["offers"], summary="The queues that were set up, by name")
def queue_page(limit: Limit = 50, cursor: Cursor = None) -> QueueList:
    position = cursors.decode("queues", cursor, "start")
    found = queues().page(limit, position["start"] if position else None)
    following = {"start": found.next_start} if found.next_start else None
    return QueueList(
        items=[QueueView.of(queue) for queue in found.queues],
        cursor=cursors.encode("queues", following),
    )


@app.get("/queues/<queue>", tags=["offers"], summary="How a queue gives out its calls")
def one_queue(queue: QueueInPath) -> Response[QueueView]:
    return _set_up(queues().one(queue))


@app.put(
    "/queues/<queue>",
    tags=["offers"],
    summary="Sets a queue up, or with If-Match sets it up anew",
    responses={201: {"description": "Set up"}, 200: {"description": "Set up anew"}},
)
def put_queue(
    queue: QueueInPath, draft: Annotated[QueueDraft, Body()], if_match: IfMatch = None
) -> Response[QueueView]:
    if if_match is None:
        return _set_up(queues().register(queue, draft, clock.now()), HTTPStatus.CREATED)
    return _set_up(queues().change(queue, draft, expected_version(if_match), clock.now()))


def _set_up(queue: QueueOf, status: HTTPStatus = HTTPStatus.OK) -> Response[QueueView]:
    return answer(QueueView.of(queue), status, version=queue.version)


@app.get(
    "/offers",
    tags=["offers"],
    summary="The offers of a queue that stand, the longest waiting first",
)
def page(
    queue: Annotated[str, Query(min_length=1, max_length=MAX_NAME_LENGTH)],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> OfferList:
    list_name = f"offers {queue!r}"
    position = cursors.decode(list_name, cursor, "start")
    found = records().page(queue, limit, position["start"] if position else None)
    following = {"start": found.next_start} if found.next_start else None
    standing = [waiting.offer for waiting in found.items if waiting.offer]
    return OfferList(items=shown(standing), cursor=cursors.encode(list_name, following))


@app.get(
    "/offers/me", tags=["offers"], summary="The call that is offered to you; 404 while none is"
)
def mine() -> OfferDetail:
    return detail(records().to(app.user.agent))


@app.get("/offers/<offer_id>", tags=["offers"], summary="An offer, and what became of it")
def one(offer_id: OfferId) -> OfferDetail:
    is_leader = bool(app.user.groups & LEADERS)
    return detail(records().one(offer_id, None if is_leader else app.user.agent))


@app.post(
    "/offers/<offer_id>/accept",
    tags=["offers"],
    summary="Connects the call to you; told again, it is the same answer",
    responses={
        200: {"description": "The telephone system connects it"},
        202: {"description": "Nobody knows yet whether it does"},
    },
)
def accept(offer_id: OfferId) -> Response[OfferFacts]:
    offer = offers().accept(offer_id, app.user.agent, clock.now())
    is_known = offer.state is State.CONNECTED
    status = HTTPStatus.OK if is_known else HTTPStatus.ACCEPTED
    return answer(OfferFacts.model_validate(offer), status)


@app.post(
    "/offers/<offer_id>/reject", tags=["offers"], summary="Has the call offered to somebody else"
)
def reject(
    offer_id: OfferId, rejection: Annotated[RejectionRequest | None, Body()] = None
) -> OfferFacts:
    reason = rejection.reason if rejection else None
    offer = offers().reject(offer_id, app.user.agent, reason, clock.now())
    return OfferFacts.model_validate(offer)


def shown(of: Sequence[Offer]) -> list[OfferView]:
    found = {call.call_id: call for call in calls().some([offer.call_id for offer in of])}
    known = [offer for offer in of if offer.call_id in found]
    links = directory().links([found[offer.call_id].lookup for offer in known])
    return [
        OfferView.of(offer, found[offer.call_id], link)
        for offer, link in zip(known, links, strict=True)
    ]


def detail(offer: Offer) -> OfferDetail:
    now = clock.now()
    call = calls().one(offer.call_id)
    (link,) = directory().links([call.lookup])
    customer_id = link.customer.customer_id if link.customer else None
    return OfferDetail.brief(
        OfferView.of(offer, call, link),
        calls=earlier_than(call),
        missed=missed().open_of(call.number_key, now) if call.number_key else [],
        quotes=quotes().open_of(call.number_key, customer_id),
        pending=telemarketing().of(customer_id, now) if customer_id else [],
    )


def earlier_than(call: Call) -> list[Call]:
    """The last calls of its number, but for itself."""
    if call.number is None:
        return []
    recent = calls().of_number(call.number, Period(), RECENT_CALLS + 1, None).calls
    return [each for each in recent if each.call_id != call.call_id][:RECENT_CALLS]


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
