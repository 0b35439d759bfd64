"""The table of call-back campaigns."""

from collections.abc import Sequence

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.models import Model

from retorno.callback_campaigns.model import Campaign
from retorno.dynamodb import assign, bind, delete, unavailable_on_trouble, update

LIST = "callback_campaigns"

# More than a call centre has queues.
MAX_CAMPAIGNS = 200


class CampaignItem(Model):
    """`list_name` "callback_campaigns", `campaign_id` "vendas", and all of it as JSON."""

    list_name = UnicodeAttribute(hash_key=True, default=LIST)
    campaign_id = UnicodeAttribute(range_key=True)
    version = NumberAttribute()
    campaign = UnicodeAttribute()


class CampaignStore:
    def __init__(self, table_name: str) -> None:
        self._item = bind(CampaignItem, table_name)

    def all(self) -> Sequence[Campaign]:
        """By id, as they are at this moment. Raises Unavailable."""
        with unavailable_on_trouble():
            found = self._item.query(LIST, consistent_read=True, limit=MAX_CAMPAIGNS)
            return [_read(item) for item in found]

    def get(self, campaign_id: str) -> Campaign | None:
        """Raises Unavailable."""
        with unavailable_on_trouble():
            try:
                return _read(self._item.get(LIST, campaign_id, consistent_read=True))
            except self._item.DoesNotExist:
                return None

    def save(self, campaign: Campaign) -> None:
        """Of version 1 as a new one. Raises Refused where somebody wrote it since; Unavailable."""
        item = self._item
        unchanged = (
            item.version == campaign.version - 1
            if campaign.version > 1
            else item.campaign_id.does_not_exist()
        )
        values = {"version": campaign.version, "campaign": campaign.model_dump_json()}
        update(item(LIST, campaign.campaign_id), assign(item, values), unchanged)

    def delete(self, campaign: Campaign) -> None:
        """Raises Refused where somebody wrote it since; Unavailable."""
        item = self._item
        delete(item(LIST, campaign.campaign_id), item.version == campaign.version)


def _read(item: CampaignItem) -> Campaign:
    return Campaign.model_validate_json(item.campaign)
