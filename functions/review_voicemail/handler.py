"""Lists the answers that may have been a voicemail's, and takes the verdict of who listened."""

from functools import cache
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.review_voicemail.schema import (
    ReportList,
    SuspectList,
    SuspectView,
    VerdictRequest,
    VerdictView,
)
from retorno import clock
from retorno import cursor as cursors
from retorno.calls.service import CallReview, call_review
from retorno.http import Api, CallId, Cursor, Limit
from retorno.settings import VoicemailSettings
from retorno.voicemail.service import VoicemailReviews, voicemail_reviews

app = Api()
settings = cache(VoicemailSettings.from_environment)


@cache
def reviews() -> VoicemailReviews:
    return voicemail_reviews(settings())


@cache
def reviewing() -> CallReview:
    return call_review(settings())


@app.get(
    "/voicemail-reviews",
    tags=["voicemail"],
    summary="Short answers that nothing else tells a person's from a voicemail's",
)
def suspects(limit: Limit = 50, cursor: Cursor = None) -> SuspectList:
    start = cursors.decode("suspects", cursor, "call_id", "answered_at")
    page = reviews().suspects(limit, start)
    return SuspectList(
        items=[SuspectView.of(answer) for answer in page.answers],
        cursor=cursors.encode("suspects", page.next_start),
    )


@app.get(
    "/voicemail-reviews/reports",
    tags=["voicemail"],
    summary="By week: how well the talk-time threshold agrees with people, and which would best",
)
def reports(limit: Annotated[int, Query(ge=1, le=52)] = 4, cursor: Cursor = None) -> ReportList:
    position = cursors.decode("voicemail reports", cursor, "week")
    found = reviews().reports(limit, position["week"] if position else None)
    following = {"week": found[-1].week.isoformat()} if len(found) == limit else None
    return ReportList(items=list(found), cursor=cursors.encode("voicemail reports", following))


@app.post(
    "/voicemail-reviews/<call_id>",
    tags=["voicemail"],
    summary="Says for good who answered a call; recovery follows",
)
def review(call_id: CallId, verdict: Annotated[VerdictRequest, Body()]) -> VerdictView:
    call = reviewing()(call_id, verdict.answered_by, app.user.name, clock.now())
    return VerdictView.of(call)


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
