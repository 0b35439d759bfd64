"""The providers that Retorno knows."""

from collections.abc import Mapping

from retorno.telephony.amazon_connect import AmazonConnect
from retorno.telephony.asterisk import Asterisk
from retorno.telephony.canonical import Canonical
from retorno.telephony.ports import Provider, WebhookProvider
from retorno.telephony.twilio import Twilio

CANONICAL: WebhookProvider = Canonical()
ASTERISK: WebhookProvider = Asterisk()
TWILIO: WebhookProvider = Twilio()
AMAZON_CONNECT = AmazonConnect()

PROVIDERS: Mapping[str, Provider] = {
    each.name: each for each in (CANONICAL, ASTERISK, TWILIO, AMAZON_CONNECT)
}
