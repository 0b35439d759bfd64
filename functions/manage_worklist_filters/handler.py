"""Saved filters of the worklist: one's own, and those that leaders share."""

from functools import cache
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.manage_worklist_filters.schema import FilterList, FilterView
from retorno.http import Api, IfMatch, answer, created, expected_version, no_content
from retorno.settings import TelemarketingSetupSettings
from retorno.telemarketing.setup.model import FilterDraft, SavedFilter
from retorno.telemarketing.setup.service import Filters
from retorno.telemarketing.setup.service import filters as filters_of
from retorno.users import LEADERS

app = Api()

TAGS = ["telemarketing"]

FilterId = Annotated[str, Path(max_length=64)]


@cache
def filters() -> Filters:
    return filters_of(TelemarketingSetupSettings.from_environment())


@app.get("/telemarketing/filters", tags=TAGS, summary="One's own filters, and the shared ones")
def seen() -> FilterList:
    return FilterList(items=[FilterView.of(each) for each in filters().seen_by(app.user.name)])


@app.post(
    "/telemarketing/filters",
    tags=TAGS,
    summary="Saves a filter; leaders share theirs if they like",
    status_code=201,
)
def save(draft: Annotated[FilterDraft, Body()]) -> Response[FilterView]:
    saved = filters().add(draft, app.user.name, leads=_leads())
    location = f"/telemarketing/filters/{saved.filter_id}"
    return created(FilterView.of(saved), location, saved.version)


@app.get("/telemarketing/filters/<filter_id>", tags=TAGS, summary="A filter")
def one(filter_id: FilterId) -> Response[FilterView]:
    return _shown(filters().one(filter_id, app.user.name))


@app.put("/telemarketing/filters/<filter_id>", tags=TAGS, summary="Changes a filter")
def change(
    filter_id: FilterId, draft: Annotated[FilterDraft, Body()], if_match: IfMatch = None
) -> Response[FilterView]:
    expected, user = expected_version(if_match), app.user.name
    return _shown(filters().change(filter_id, draft, expected, user, leads=_leads()))


@app.delete(
    "/telemarketing/filters/<filter_id>", tags=TAGS, summary="Deletes a filter", status_code=204
)
def remove(filter_id: FilterId, if_match: IfMatch = None) -> Response[str]:
    filters().remove(filter_id, expected_version(if_match), app.user.name, leads=_leads())
    return no_content()


def _leads() -> bool:
    return bool(app.user.groups & LEADERS)


def _shown(saved: SavedFilter) -> Response[FilterView]:
    return answer(FilterView.of(saved), version=saved.version)


def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    return app.resolve(event, context)
