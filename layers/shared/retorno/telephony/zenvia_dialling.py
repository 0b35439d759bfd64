"""Placing calls through Zenvia Voice (https://totalvoice.github.io/totalvoice-docs, Criar Chamada).

It rings `numero_origem`, the operator, and then `numero_destino`. No key makes an order safe to
repeat: an order is found again by its tag in the report of calls.
"""

import json
from datetime import timedelta

import urllib3

from retorno.clock import Clock
from retorno.errors import Unavailable
from retorno.telephony import zenvia
from retorno.telephony.dial_http import TIMEOUT, DialHttp, call_id_in
from retorno.telephony.ports import DialOrder, DialRefused, DialUncertain
from retorno.telephony.zenvia_reports import RETRIES, ZenviaReport

API_URL = "https://voice-api.zenvia.com"
BRAZIL = "+55"

# How far Zenvia's clock may be from ours.
CLOCK_SKEW = timedelta(minutes=5)


class ZenviaDialler:
    """Numbers go out as Zenvia's examples have them: area code and number."""

    name = zenvia.NAME

    def __init__(
        self, token: str, clock: Clock, api_url: str = API_URL, timeout: urllib3.Timeout = TIMEOUT
    ) -> None:
        headers = {"Access-Token": token, "Content-Type": "application/json"}
        self._http = DialHttp(headers, timeout=timeout)
        self._url = f"{api_url}/chamada"
        self._report = ZenviaReport(
            urllib3.PoolManager(),
            api_url,
            "chamada/relatorio",
            token,
            timeout=timeout,
            retries=RETRIES.new(total=0),
        )
        self._clock = clock

    def dial(self, order: DialOrder) -> str:
        if not order.number.startswith(BRAZIL):
            raise DialRefused("Zenvia Voice calls Brazilian numbers alone")
        if order.menu_url:
            raise DialRefused("Zenvia Voice runs no menu of ours before it connects")
        wanted = {
            "numero_origem": order.telephone.removeprefix(BRAZIL),
            "numero_destino": order.number.removeprefix(BRAZIL),
            "gravar_audio": False,
            "tags": order.attempt_id,
        }
        if order.caller_id:
            wanted["bina_destino"] = order.caller_id.removeprefix(BRAZIL)
        answer = self._http.order(self._url, body=json.dumps(wanted).encode())
        if isinstance(answer, dict) and answer.get("sucesso") is False:
            raise DialRefused("Zenvia Voice made no call of the order")
        created = answer.get("dados") if isinstance(answer, dict) else None
        return f"{zenvia.NAME}-{call_id_in(created, 'id')}"

    def find(self, order: DialOrder) -> str | None:
        try:
            for row in self._report.rows(order.ordered_at - CLOCK_SKEW, self._clock()):
                call = json.loads(row)
                if isinstance(call, dict) and call.get("tags") == order.attempt_id:
                    return f"{zenvia.NAME}-{call_id_in(call, 'id')}"
        except Unavailable as error:
            raise DialUncertain(f"Zenvia Voice's report: {error}") from None
        return None
