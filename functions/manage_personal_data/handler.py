"""Takes requests to erase and to export one person's data, and holds on it."""

from functools import cache
from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Header
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.manage_personal_data.schema import ErasureView, ExportView, HoldView
from retorno import clock
from retorno.http import Api, JobId, NumberInPath, answer, no_content
from retorno.personal_data.model import ErasureWish, HoldWish, Key, Kind, PersonWish
from retorno.personal_data.service import PersonalDataRequests, personal_data_requests
from retorno.settings import PersonalDataSettings

app = Api()

TAGS = ["personal data"]

IdempotencyKey = Annotated[Key, Header(alias="Idempotency-Key", description="One for each request")]


@cache
def requests() -> PersonalDataRequests:
    return personal_data_requests(PersonalDataSettings.from_environment())


@app.post(
    "/personal-data/erasures",
    tags=TAGS,
    summary="Erases one person, as far as the law lets: figures stay, without who; for admins",
    status_code=202,
)
def erase(wish: Annotated[ErasureWish, Body()], key: IdempotencyKey) -> Response[ErasureView]:
    begun = requests().erase(wish, key, app.user.name, clock.now())
    location = f"/personal-data/erasures/{begun.request_id}"
    return answer(ErasureView.of(begun), HTTPStatus.ACCEPTED, location=location)


@app.get(
    "/personal-data/erasures/<erasure_id>", tags=TAGS, summary="How far an erasure is; for admins"
)
def one_erasure(erasure_id: JobId) -> ErasureView:
    return ErasureView.of(requests().one(Kind.ERASURE, erasure_id))


@app.post(
    "/personal-data/exports",
    tags=TAGS,
    summary="Writes all that is kept of one person into a file; for supervisors",
    status_code=202,
)
def export(wish: Annotated[PersonWish, Body()], key: IdempotencyKey) -> Response[ExportView]:
    begun = requests().export(wish, key, app.user.name, clock.now())
    view = ExportView.of(begun, requests().download_url(begun))
    location = f"/personal-data/exports/{begun.request_id}"
    return answer(view, HTTPStatus.ACCEPTED, location=location)


@app.get(
    "/personal-data/exports/<export_id>",
    tags=TAGS,
    summary="How far an export is, and where its file is; for supervisors",
)
def one_export(export_id: JobId) -> ExportView:
    found = requests().one(Kind.EXPORT, export_id)
    return ExportView.of(found, requests().download_url(found))


@app.put(
    "/personal-data/holds/<number>",
    tags=TAGS,
    summary="Forbids that a number's owner is erased, and that their data expires; for admins",
)
def hold(number: NumberInPath, wish: Annotated[HoldWish, Body()]) -> HoldView:
    return HoldView.of(requests().hold(number, wish, app.user.name, clock.now()))


@app.get("/personal-data/holds/<number>", tags=TAGS, summary="Who holds it, and why; for admins")
def one_hold(number: NumberInPath) -> HoldView:
    return HoldView.of(requests().held(number))


@app.delete("/personal-data/holds/<number>", tags=TAGS, summary="Lifts a hold; for admins")
def lift(number: NumberInPath) -> Response[str]:
    requests().lift(number, clock.now())
    return no_content()


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
