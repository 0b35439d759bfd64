"""Promises customers a time at which they are called back."""

from functools import cache
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Path, Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.schedule_callbacks.schema import PromiseList, PromiseView
from retorno import clock
from retorno import cursor as cursors
from retorno.dialling.model import Asker, Key
from retorno.http import (
    Api,
    Cursor,
    Day,
    IfMatch,
    Limit,
    answer,
    created,
    expected_version,
    no_content,
)
from retorno.observability import with_metrics
from retorno.promises.model import Promise, PromiseFilter, PromiseWish, State
from retorno.promises.service import Promises
from retorno.promises.service import promises as promises_of
from retorno.settings import PromiseSettings
from retorno.telephony.ports import MAX_NAME_LENGTH
from retorno.users import LEADERS

app = Api()
settings = cache(PromiseSettings.from_environment)

CallbackId = Annotated[str, Path(max_length=64)]
Name = Annotated[str | None, Query(min_length=1, max_length=MAX_NAME_LENGTH)]


@cache
def promises() -> Promises:
    return promises_of(settings())


@app.post(
    "/callbacks",
    tags=["callbacks"],
    summary="Promises a call at a time; asked again with the same key, it is the same promise",
    status_code=201,
)
def make(
    wish: Annotated[PromiseWish, Body()],
    key: Annotated[Key, Header(alias="Idempotency-Key", description="One for each promise")],
) -> Response[PromiseView]:
    promise = promises().make(wish, key, _asker(), clock.now())
    location = f"/callbacks/{promise.promise_id}"
    return created(PromiseView.of(promise), location, promise.version)


@app.get(
    "/callbacks",
    tags=["callbacks"],
    summary="The promises of a day, by their time: today if neither day nor state is said; those "
    "of a state, the latest first. Go on until the cursor is null, even past a short page",
)
def page(
    day: Annotated[Day, Query(description="In the company's own time zone")] = None,
    agent: Name = None,
    queue: Name = None,
    state: Annotated[State | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PromiseList:
    if day is None and state is None:
        day = clock.now().astimezone(settings().time_zone).date()
    wanted = PromiseFilter(day, agent, queue, state)
    list_name = f"callbacks {wanted!r}"
    start = cursors.decode(list_name, cursor, "promise_id", "at")
    found = promises().page(wanted, limit, start)
    return PromiseList(
        items=[PromiseView.of(promise) for promise in found.promises],
        cursor=cursors.encode(list_name, found.next_start),
    )


@app.get("/callbacks/<callback_id>", tags=["callbacks"], summary="What became of a promise")
def one(callback_id: CallbackId) -> Response[PromiseView]:
    return _shown(promises().one(callback_id))


@app.put(
    "/callbacks/<callback_id>",
    tags=["callbacks"],
    summary="Promises another call instead, also where one was missed",
)
def change(
    callback_id: CallbackId, wish: Annotated[PromiseWish, Body()], if_match: IfMatch = None
) -> Response[PromiseView]:
    expected = expected_version(if_match)
    return _shown(promises().change(callback_id, wish, expected, _own_only(), clock.now()))


@app.delete(
    "/callbacks/<callback_id>",
    tags=["callbacks"],
    summary="Cancels a promise that nobody has called for yet",
    status_code=204,
)
def cancel(callback_id: CallbackId, if_match: IfMatch = None) -> Response[str]:
    promises().cancel(callback_id, expected_version(if_match), _own_only(), clock.now())
    return no_content()


def _asker() -> Asker:
    return Asker(name=app.user.name, agent=app.user.agent)


def _own_only() -> Asker | None:
    return None if app.user.groups & LEADERS else _asker()


def _shown(promise: Promise) -> Response[PromiseView]:
    return answer(PromiseView.of(promise), version=promise.version)


@with_metrics
def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
