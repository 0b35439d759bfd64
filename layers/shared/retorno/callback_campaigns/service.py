"""Call-back campaigns as people set them up."""

from collections.abc import Callable, Sequence

from retorno.callback_campaigns.model import Campaign, CampaignDraft
from retorno.callback_campaigns.store import MAX_CAMPAIGNS, CampaignStore
from retorno.dynamodb import Refused
from retorno.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    Unavailable,
)
from retorno.phone import NumberPlan
from retorno.settings import CallbackCampaignSettings, DialProvider

# Each loser of a race looks again at what the winner wrote; so many losses are no race.
MAX_LOOKS = 20


class Campaigns:
    """A `provider` is the telephone system that will place the calls."""

    def __init__(self, store: CampaignStore, plan: NumberPlan) -> None:
        self._store = store
        self._plan = plan

    def all(self) -> Sequence[Campaign]:
        """By id. Raises Unavailable."""
        return self._store.all()

    def one(self, campaign_id: str) -> Campaign:
        """Raises NotFound, Unavailable."""
        found = self._store.get(campaign_id)
        if found is None:
            raise NotFound("there is no such campaign")
        return found

    def add(self, campaign_id: str, draft: CampaignDraft, provider: DialProvider) -> Campaign:
        """Raises InvalidInput; PreconditionRequired where there is one of that id; Conflict where
        there are too many; Unavailable.
        """
        campaign = draft.campaign(campaign_id, self._plan, provider)
        if len(self._store.all()) >= MAX_CAMPAIGNS:
            raise Conflict(f"there are {MAX_CAMPAIGNS} campaigns already")
        try:
            self._store.save(campaign)
        except Refused:
            raise PreconditionRequired(
                "the campaign exists; If-Match must say which version was seen"
            ) from None
        return campaign

    def change(
        self, campaign_id: str, draft: CampaignDraft, provider: DialProvider, expected: int | None
    ) -> Campaign:
        """Its contacts go on by the new rules. `expected` is the version that a person saw, None
        for any. Raises NotFound, PreconditionFailed, InvalidInput, Unavailable.
        """
        changed = draft.campaign(campaign_id, self._plan, provider)

        def write(before: Campaign) -> Campaign:
            _check_version(before, expected)
            if changed.monitored_queue != before.monitored_queue:
                # Who was missed in the old one would be on its list, and nobody take them off.
                raise InvalidInput("monitored_queue", "stays; begin another campaign for another")
            after = changed.model_copy(
                update={"paused": before.paused, "version": before.version + 1}
            )
            self._store.save(after)
            return after

        return self._decided(campaign_id, write)

    def pause(self, campaign_id: str, *, paused: bool) -> Campaign:
        """Or resumes it. Raises NotFound, Unavailable."""

        def write(before: Campaign) -> Campaign:
            if before.paused == paused:
                return before
            after = before.model_copy(update={"paused": paused, "version": before.version + 1})
            self._store.save(after)
            return after

        return self._decided(campaign_id, write)

    def remove(self, campaign_id: str, expected: int | None) -> Campaign:
        """Raises NotFound, PreconditionFailed, Unavailable."""

        def write(before: Campaign) -> Campaign:
            _check_version(before, expected)
            self._store.delete(before)
            return before

        return self._decided(campaign_id, write)

    def _decided(self, campaign_id: str, write: Callable[[Campaign], Campaign]) -> Campaign:
        """Looks and writes until nobody wrote in between."""
        for _ in range(MAX_LOOKS):
            try:
                return write(self.one(campaign_id))
            except Refused:
                continue
        raise Unavailable("the campaign is being written by too many at once")


def _check_version(campaign: Campaign, expected: int | None) -> None:
    if expected not in (None, campaign.version):
        raise PreconditionFailed("the campaign was changed since; look at it again")


def campaigns(settings: CallbackCampaignSettings) -> Campaigns:
    return Campaigns(CampaignStore(settings.callback_campaigns_table), settings.number_plan)
