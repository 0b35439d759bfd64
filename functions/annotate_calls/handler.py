"""Takes what people say of a call: how it ended, whose it is, and notes."""

from datetime import datetime
from functools import cache
from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Body
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.annotate_calls.schema import (
    CustomerChosen,
    CustomerRequest,
    DispositionGiven,
    DispositionRequest,
    NoteList,
    NoteRequest,
    NoteView,
)
from retorno import clock
from retorno.calling_rules.model import Listing, Origin
from retorno.calling_rules.service import DoNotCallList, Wanted, do_not_call_list
from retorno.calls.annotation import CallAnnotation, CallLinking, call_annotation, call_linking
from retorno.calls.model import Note
from retorno.http import Api, CallId
from retorno.quotes.service import Quotes
from retorno.quotes.service import quotes as quotes_of
from retorno.settings import AnnotationSettings

app = Api()


settings = cache(AnnotationSettings.from_environment)


@cache
def do_not_call() -> DoNotCallList:
    return do_not_call_list(settings())


def forbid(number: str, by: str, now: datetime) -> None:
    do_not_call().put(Wanted(number, Listing(origin=Origin.DISPOSITION)), by, now)


@cache
def annotation() -> CallAnnotation:
    return call_annotation(settings(), forbid)


@cache
def linking() -> CallLinking:
    return call_linking(settings())


@cache
def quotes() -> Quotes:
    return quotes_of(settings())


@app.put(
    "/calls/<call_id>/disposition", tags=["calls"], summary="Sums a call up; the last one counts"
)
def dispose(call_id: CallId, wanted: Annotated[DispositionRequest, Body()]) -> DispositionGiven:
    call = annotation().dispose(call_id, wanted.code, app.user.agent, clock.now())
    return DispositionGiven.of(call)


@app.put(
    "/calls/<call_id>/customer",
    tags=["calls"],
    summary="Says whose a call is, and its quotes; later calls of its number remember it",
)
def choose(call_id: CallId, wanted: Annotated[CustomerRequest, Body()]) -> CustomerChosen:
    link = linking()(call_id, wanted.customer_id, app.user.agent, clock.now())
    quotes().follow(call_id)
    return CustomerChosen.of(call_id, link)


@app.post(
    "/calls/<call_id>/notes",
    tags=["calls"],
    summary="Writes a note; the same words of the same person are the same note",
    status_code=201,
)
def add_note(call_id: CallId, written: Annotated[NoteRequest, Body()]) -> tuple[NoteView, int]:
    note = Note(call_id=call_id, text=written.text, by=app.user.agent, at=clock.now())
    return NoteView.of(annotation().note(note)), HTTPStatus.CREATED


@app.get("/calls/<call_id>/notes", tags=["calls"], summary="The notes on a call")
def notes(call_id: CallId) -> NoteList:
    return NoteList(items=[NoteView.of(note) for note in annotation().notes(call_id)])


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
