"""The providers that Retorno knows."""

from collections.abc import Mapping

from retorno.telephony.asterisk import Asterisk
from retorno.telephony.canonical import Canonical
from retorno.telephony.ports import Provider
from retorno.telephony.twilio import Twilio

CANONICAL: Provider = Canonical()
ASTERISK: Provider = Asterisk()
TWILIO: Provider = Twilio()

PROVIDERS: Mapping[str, Provider] = {each.name: each for each in (CANONICAL, ASTERISK, TWILIO)}
