"""Placing calls through Amazon Connect: StartOutboundVoiceContact.

Connect calls the customer, and the contact flow brings in the operator, whom it is told as the
attributes `agent` and `telephone`.
"""

import functools
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ParamValidationError,
)

from retorno import aws
from retorno.clock import Clock
from retorno.telephony.amazon_connect import AmazonConnect
from retorno.telephony.dial_http import call_id_in
from retorno.telephony.ports import DialFailed, DialOrder, DialRefused, DialUncertain

CONFIG = Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 1})

# Connect took nothing on, and may be asked again.
TOO_MUCH = frozenset({"LimitExceededException", "ThrottlingException", "TooManyRequestsException"})

# A token stands for one contact for 7 days (the API reference of StartOutboundVoiceContact).
TOKEN_LASTS = timedelta(days=7) - timedelta(hours=1)


@functools.cache
def client() -> Any:
    return aws.client("connect", config=CONFIG)


class ConnectDialler:
    """The attempt's id is the order's token: sent again, it is the contact that it already is."""

    name = AmazonConnect.name

    def __init__(self, instance_arn: str, contact_flow_id: str, clock: Clock) -> None:
        self._instance_id = instance_arn.rpartition("/")[2]
        self._contact_flow_id = contact_flow_id
        self._clock = clock

    def dial(self, order: DialOrder) -> str:
        if order.menu_url:
            raise DialRefused("Amazon Connect runs no menu of ours before it connects")
        try:
            answer = client().start_outbound_voice_contact(
                InstanceId=self._instance_id,
                ContactFlowId=self._contact_flow_id,
                DestinationPhoneNumber=order.number,
                SourcePhoneNumber=order.caller_id,
                ClientToken=order.attempt_id,
                Attributes={"agent": order.agent, "telephone": order.telephone},
            )
        except ClientError as error:
            raise _meaning(error) from None
        except ParamValidationError:
            raise DialRefused("Amazon Connect takes no order of this form") from None
        except (ConnectTimeoutError, EndpointConnectionError):
            raise DialFailed("Amazon Connect cannot be reached") from None
        except BotoCoreError:
            raise DialUncertain("Amazon Connect took the order and did not answer") from None
        return call_id_in(answer, "ContactId")

    def find(self, order: DialOrder) -> str | None:
        """None while the token lasts: then the order is as good as the look for it."""
        if self._clock() > order.ordered_at + TOKEN_LASTS:
            raise DialUncertain("Amazon Connect has forgotten the order")
        return None


def _meaning(error: ClientError) -> Exception:
    code = error.response["Error"]["Code"]
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    says = f"Amazon Connect answered {code}"
    if code in TOO_MUCH:
        return DialFailed(says)
    return DialUncertain(says) if status >= HTTPStatus.INTERNAL_SERVER_ERROR else DialRefused(says)
