"""A caller on Twilio's network: asks what to do, does it as Twilio would, and presses keys.

Whatever Twilio would not take in its place (https://www.twilio.com/docs/voice/twiml) fails the
test at once.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urljoin
from xml.etree import ElementTree as ET

# Says what a document at an address is, for a form.
Fetch = Callable[[str, Mapping[str, str]], str]

SPOKEN = {"Say", "Play", "Pause"}
# What may stand in a document, by where it is.
IN_A_CALL = {*SPOKEN, "Gather", "Enqueue", "Redirect", "Hangup"}
IN_A_QUEUE = {*SPOKEN, "Gather", "Redirect", "Leave", "Hangup"}
BEFORE_CONNECTING = {*SPOKEN, "Gather", "Redirect", "Hangup"}

ATTRIBUTES: Mapping[str, set[str]] = {
    "Say": {"language"},
    "Play": set(),
    "Pause": {"length"},
    "Gather": {"action", "numDigits", "finishOnKey", "timeout", "actionOnEmptyResult"},
    "Enqueue": {"action", "waitUrl"},
    "Redirect": set(),
    "Leave": set(),
    "Hangup": set(),
}

MAX_REQUESTS = 1_000
MAX_QUEUE_NAME = 64

INBOUND = {"Direction": "inbound", "CallStatus": "in-progress"}
DIALLED = {"Direction": "outbound-dial", "CallStatus": "in-progress", "ParentCallSid": "CA0parent"}


class End(StrEnum):
    QUEUED = "queued"
    """They wait for an operator, and press nothing more."""
    HUNG_UP = "hung_up"
    OVER = "over"
    """Nothing is left to do: a call that came in is dropped, one that goes out is connected."""
    ENDLESS = "endless"


@dataclass(frozen=True)
class Asking:
    url: str
    told: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Wait:
    """What is heard in a queue, and who is asked when it is left."""

    waiting: str
    afterwards: str


class Caller:
    """Presses `keys` as it is asked for them, "" for nothing, and nothing when there are no more.

    `heard` is what it was told and played, `asked` the addresses that were asked for that, and
    `queue` where it waits or waited last.
    """

    def __init__(
        self,
        fetch: Fetch,
        form: Mapping[str, str],
        keys: Iterable[str] = (),
        *,
        called: bool = False,
    ) -> None:
        self._fetch = fetch
        self._form = {**form, **(DIALLED if called else INBOUND)}
        self._verbs = BEFORE_CONNECTING if called else IN_A_CALL
        self._keys = iter(keys)
        self._wait: Wait | None = None
        self.heard: list[str] = []
        self.asked: list[str] = []
        self.queue: str | None = None

    def call(self, url: str, told: Mapping[str, str] | None = None) -> End:
        following: Asking | End = Asking(url, told or {})
        while isinstance(following, Asking):
            if len(self.asked) == MAX_REQUESTS:
                return End.ENDLESS
            self.asked.append(following.url)
            following = self._do(following)
            if following is End.OVER and self._wait:
                following = Asking(self._wait.waiting)
        return following

    def _do(self, asking: Asking) -> Asking | End:
        said = self._fetch(asking.url, {**self._form, **asking.told})
        response = ET.fromstring(said)  # noqa: S314
        assert response.tag == "Response"
        for verb in response:
            assert verb.tag in (IN_A_QUEUE if self._wait else self._verbs), verb.tag
            assert set(verb.attrib) <= ATTRIBUTES[verb.tag], verb.attrib
            following = self._follow(asking.url, verb)
            if following:
                return following
        return End.OVER

    def _follow(self, url: str, verb: ET.Element) -> Asking | End | None:
        match verb.tag:
            case "Gather":
                return self._press(url, verb)
            case "Enqueue":
                return self._enter_queue(url, verb)
            case "Redirect":
                return Asking(urljoin(url, verb.text))
            case "Leave":
                assert self._wait
                left, self._wait = self._wait, None
                return Asking(left.afterwards, {"QueueResult": "leave"})
            case "Hangup":
                return End.HUNG_UP
        self._hear(verb)
        return None

    def _hear(self, verb: ET.Element) -> None:
        if verb.tag == "Pause":
            assert int(verb.attrib["length"]) > 0
        else:
            assert verb.text
            self.heard.append(verb.text)

    def _press(self, url: str, gather: ET.Element) -> Asking | End:
        assert gather.attrib["actionOnEmptyResult"] == "true"
        assert int(gather.attrib["timeout"]) > 0
        for verb in gather:
            assert verb.tag in SPOKEN
            self._hear(verb)
        pressed = next(self._keys, None)
        if pressed is None and self._wait:
            return End.QUEUED
        digits = pressed or ""
        if finish := gather.attrib.get("finishOnKey", "#"):
            digits = digits.partition(finish)[0]
        if "numDigits" in gather.attrib:
            digits = digits[: int(gather.attrib["numDigits"])]
        return Asking(urljoin(url, gather.attrib["action"]), {"Digits": digits})

    def _enter_queue(self, url: str, enqueue: ET.Element) -> Asking | End:
        assert enqueue.text
        assert len(enqueue.text) <= MAX_QUEUE_NAME
        self.queue = enqueue.text
        if "waitUrl" not in enqueue.attrib:
            return End.QUEUED
        waiting, afterwards = (urljoin(url, enqueue.attrib[name]) for name in ("waitUrl", "action"))
        self._wait = Wait(waiting, afterwards)
        return Asking(waiting)
