"""Places calls for operators: their telephone rings, and then the customer is called."""

from functools import cache
from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Path, Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.place_calls.schema import DialList, DialView
from retorno import clock
from retorno import cursor as cursors
from retorno.dialling.model import Asker, DialState, DialWish, Key
from retorno.dialling.service import Dialling, DialRecords, dial_records, dialling
from retorno.errors import NotAllowed
from retorno.http import Api, Cursor, Limit, answer
from retorno.settings import DialSettings
from retorno.telephony.ports import MAX_NAME_LENGTH
from retorno.users import LEADERS

app = Api()
settings = cache(DialSettings.from_environment)


@cache
def dials() -> Dialling:
    return dialling(settings())


@cache
def records() -> DialRecords:
    return dial_records(settings())


@app.post(
    "/dials",
    tags=["dials"],
    summary="Rings you and then a customer; asked again with the same key, it is the same call",
    status_code=201,
)
def place(
    wish: Annotated[DialWish, Body()],
    key: Annotated[Key, Header(alias="Idempotency-Key", description="One for each call")],
) -> Response[DialView]:
    asker = Asker(name=app.user.name, agent=app.user.agent)
    webhooks_url = app.base_url(settings().public_url)
    dial = dials().place(wish, key, asker, webhooks_url, clock.now())
    is_placed = dial.state is DialState.PLACED
    status = HTTPStatus.CREATED if is_placed else HTTPStatus.ACCEPTED
    return answer(DialView.of(dial), status, location=f"/dials/{dial.dial_id}")


@app.get(
    "/dials", tags=["dials"], summary="An operator's dials, newest first; your own if not said"
)
def page(
    agent: Annotated[
        str,
        Query(
            min_length=1,
            max_length=MAX_NAME_LENGTH,
            description="me, or for supervisors anyone's name",
        ),
    ] = "me",
    limit: Limit = 20,
    cursor: Cursor = None,
) -> DialList:
    whose = app.user.agent if agent == "me" else agent
    if whose != app.user.agent and not _is_leader():
        raise NotAllowed("other operators' dials are for supervisors")
    list_name = f"dials of {whose}"
    start = cursors.decode(list_name, cursor, "dial_id", "asked_at")
    found = records().of_agent(whose, limit, start)
    return DialList(
        items=[DialView.of(dial) for dial in found.dials],
        cursor=cursors.encode(list_name, found.next_start),
    )


@app.get("/dials/<dial_id>", tags=["dials"], summary="What became of a dial")
def one(dial_id: Annotated[str, Path(max_length=64)]) -> DialView:
    return DialView.of(records().one(dial_id, None if _is_leader() else app.user.agent))


def _is_leader() -> bool:
    return bool(app.user.groups & LEADERS)


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
