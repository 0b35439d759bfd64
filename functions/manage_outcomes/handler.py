"""What may come of a contact: outcomes, and reasons for there being none."""

from functools import cache
from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.manage_outcomes.schema import NoContactReasonList, OutcomeList
from retorno.dispositions.model import Code
from retorno.http import Api, IfMatch, answer, expected_version, no_content
from retorno.settings import TelemarketingSetupSettings
from retorno.telemarketing.setup.model import (
    ListedT,
    NoContactReason,
    NoContactReasonDraft,
    Outcome,
    OutcomeDraft,
)
from retorno.telemarketing.setup.service import SettingUp, Setup
from retorno.telemarketing.setup.service import setting_up as setting_up_of
from retorno.telemarketing.setup.service import setup as setup_of

app = Api()
settings = cache(TelemarketingSetupSettings.from_environment)

TAGS = ["telemarketing"]

CodeInPath = Annotated[Code, Path()]


@cache
def setup() -> Setup:
    return setup_of(settings())


@cache
def setting_up() -> SettingUp:
    return setting_up_of(settings())


@app.get("/telemarketing/outcomes", tags=TAGS, summary="All outcomes")
def outcomes() -> OutcomeList:
    return OutcomeList(items=list(setup().outcomes()))


@app.get("/telemarketing/outcomes/<code>", tags=TAGS, summary="An outcome")
def outcome(code: CodeInPath) -> Response[Outcome]:
    return _shown(setup().outcome(code))


@app.put(
    "/telemarketing/outcomes/<code>",
    tags=TAGS,
    summary="Adds an outcome, or with If-Match changes one",
    responses={201: {"description": "New"}, 200: {"description": "Changed"}},
)
def put_outcome(
    code: CodeInPath, draft: Annotated[OutcomeDraft, Body()], if_match: IfMatch = None
) -> Response[Outcome]:
    if if_match is None:
        return _shown(setting_up().add(Outcome(code=code, **dict(draft))), HTTPStatus.CREATED)
    return _shown(setting_up().change(Outcome, code, draft, expected_version(if_match)))


@app.delete(
    "/telemarketing/outcomes/<code>",
    tags=TAGS,
    summary="Deletes an outcome that was never given, and retires another",
    status_code=204,
)
def remove_outcome(code: CodeInPath, if_match: IfMatch = None) -> Response[str]:
    return _removed(Outcome, code, if_match)


@app.get("/telemarketing/no-contact-reasons", tags=TAGS, summary="All reasons for no contact")
def reasons() -> NoContactReasonList:
    return NoContactReasonList(items=list(setup().reasons()))


@app.get("/telemarketing/no-contact-reasons/<code>", tags=TAGS, summary="A reason for no contact")
def reason(code: CodeInPath) -> Response[NoContactReason]:
    return _shown(setup().reason(code))


@app.put(
    "/telemarketing/no-contact-reasons/<code>",
    tags=TAGS,
    summary="Adds a reason for no contact, or with If-Match changes one",
    responses={201: {"description": "New"}, 200: {"description": "Changed"}},
)
def put_reason(
    code: CodeInPath, draft: Annotated[NoContactReasonDraft, Body()], if_match: IfMatch = None
) -> Response[NoContactReason]:
    if if_match is None:
        new = NoContactReason(code=code, **dict(draft))
        return _shown(setting_up().add(new), HTTPStatus.CREATED)
    return _shown(setting_up().change(NoContactReason, code, draft, expected_version(if_match)))


@app.delete(
    "/telemarketing/no-contact-reasons/<code>",
    tags=TAGS,
    summary="Deletes a reason that was never given, and retires another",
    status_code=204,
)
def remove_reason(code: CodeInPath, if_match: IfMatch = None) -> Response[str]:
    return _removed(NoContactReason, code, if_match)


def _removed(kind: type[ListedT], key: str, if_match: str | None) -> Response[str]:
    setting_up().remove(kind, key, expected_version(if_match))
    return no_content()


def _shown(entry: ListedT, status: HTTPStatus = HTTPStatus.OK) -> Response[ListedT]:
    return answer(entry, status, version=entry.version)


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
