"""What a caller hears, as TwiML (https://www.twilio.com/docs/voice/twiml).

Addresses are relative: Twilio asks where it asked before, whatever proxy stands in front.
"""

from collections.abc import Sequence
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

from retorno.menus.model import Language, Prompt, Recording, Speech
from retorno.menus.service import Script
from retorno.menus.walk import PAUSE_SECONDS, Act, Ask, Enqueue, GoOn, Last, Position
from retorno.menus.words import WORDS

CONTENT_TYPE = "text/xml; charset=utf-8"

# A call that came in is over, and the sides of one that goes out are connected.
NOTHING_MORE = "<Response />"


def document(menu: str, script: Script) -> str:
    response = ET.Element("Response")
    for act in script.acts:
        _add(response, menu, script.language, act)
    return ET.tostring(response, encoding="unicode")


def apology(menu: str, language: Language, at: Position) -> str:
    """Asks for patience, and then goes on where the caller is."""
    sorry = Speech(kind="speak", text=WORDS[language].one_moment)
    return document(menu, Script(language, [sorry, GoOn(PAUSE_SECONDS, at)]))


def _add(response: ET.Element, menu: str, language: Language, act: Act) -> None:
    match act:
        case Speech() | Recording():
            _add_prompts(response, language, [act])
        case Ask():
            ends = {"finishOnKey": "#"}
            if act.digits is not None:
                # Then "#" is a key like any other.
                ends = {"numDigits": str(act.digits), "finishOnKey": ""}
            gather = ET.SubElement(
                response,
                "Gather",
                ends,
                action=_address(menu, act.then),
                timeout=str(act.seconds),
                actionOnEmptyResult="true",
            )
            _add_prompts(gather, language, act.prompts)
        case Enqueue():
            waiting = {"waitUrl": _address(menu, act.waiting)} if act.waiting else {}
            afterwards = _address(menu, act.afterwards)
            ET.SubElement(response, "Enqueue", waiting, action=afterwards).text = act.queue
        case GoOn():
            ET.SubElement(response, "Pause", length=str(act.seconds))
            ET.SubElement(response, "Redirect").text = _address(menu, act.at)
        case Last.LEAVE_QUEUE:
            ET.SubElement(response, "Leave")
        case Last.HANG_UP:
            ET.SubElement(response, "Hangup")


def _add_prompts(parent: ET.Element, language: Language, prompts: Sequence[Prompt]) -> None:
    for prompt in prompts:
        if isinstance(prompt, Speech):
            ET.SubElement(parent, "Say", language=language).text = prompt.text
        else:
            ET.SubElement(parent, "Play").text = prompt.url


def _address(menu: str, at: Position) -> str:
    query = urlencode(at.model_dump(mode="json", exclude_defaults=True))
    return f"{menu}?{query}" if query else menu
