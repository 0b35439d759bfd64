"""The providers that Retorno knows."""

from collections.abc import Mapping

from retorno.telephony.amazon_connect import AmazonConnect
from retorno.telephony.asterisk import Asterisk
from retorno.telephony.canonical import Canonical
from retorno.telephony.ports import Provider, WebhookProvider
from retorno.telephony.twilio import Twilio
from retorno.telephony.zenvia import Zenvia

CANONICAL: WebhookProvider = Canonical()
ASTERISK: WebhookProvider = Asterisk()
TWILIO: WebhookProvider = Twilio()
AMAZON_CONNECT = AmazonConnect()
ZENVIA: WebhookProvider = Zenvia()
ZENVIA_DID: WebhookProvider = Zenvia("zenvia-did", received=True)

PROVIDERS: Mapping[str, Provider] = {
    each.name: each for each in (CANONICAL, ASTERISK, TWILIO, AMAZON_CONNECT, ZENVIA, ZENVIA_DID)
}
