"""Placing calls for people: once, by the rules, and never a second time by chance."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from uuid import uuid4

from retorno import clock
from retorno.agents.service import agents
from retorno.calendars import place_of
from retorno.calling_rules.model import Facts
from retorno.calling_rules.service import CallingRules, calling_rules
from retorno.calls.service import (
    CallReader,
    OutgoingCalls,
    call_reader,
    outgoing_calls,
)
from retorno.connect_dialling import ConnectDialler
from retorno.dialling.model import Asker, Dial, DialState, DialWish, Step, dial_id_of
from retorno.dialling.store import DialPage, DialStore
from retorno.dynamodb import Refused
from retorno.errors import Conflict, InvalidInput, NotFound, Unavailable
from retorno.phone import NumberPlan, PhoneNumber
from retorno.secrets import credential
from retorno.settings import DialProvider, DialSettings
from retorno.telephony import asterisk_dialling, twilio_dialling, zenvia_dialling
from retorno.telephony.canonical_dialling import CanonicalDialler
from retorno.telephony.ports import (
    TELEPHONE,
    DialFailed,
    Dialler,
    DialRefused,
    DialUncertain,
)
from retorno.times import Period

# Each loser of a race looks again at what the winner wrote; so many losses are no race.
MAX_LOOKS = 20

# No rule allows as many calls a day.
COUNTED_CALLS = 50

NEVER_ORDERED = "it was never ordered"


def new_owner() -> str:
    return uuid4().hex


class Orders:
    """Has the telephone system place calls, each once, and keeps what became of the orders.

    `dialler` is asked for each time: what it needs may be set, or changed, meanwhile.
    """

    def __init__(
        self, store: DialStore, outgoing: OutgoingCalls, dialler: Callable[[], Dialler]
    ) -> None:
        self._store = store
        self._outgoing = outgoing
        self._dialler = dialler

    def give(self, dial: Dial, webhooks_url: str, now: datetime) -> Dial:
        """Raises Refused where somebody else does so, or did; Conflict, Unavailable."""
        dialler = self._dialler()
        mine = self._store.save(dial.ordered(dialler.name, now).reserved(new_owner(), now))
        try:
            call_id = dialler.dial(mine.order(webhooks_url))
        except DialRefused as refusal:
            ended = mine.ended(DialState.REFUSED, reason=str(refusal))
        except DialFailed as failure:
            wait = failure.retry_after
            retry_at = None if wait is None else now + timedelta(seconds=wait)
            ended = mine.ended(DialState.FAILED, reason=str(failure), retry_at=retry_at)
        except DialUncertain as doubt:
            ended = mine.ended(DialState.UNCERTAIN, reason=str(doubt))
        else:
            ended = mine.ended(DialState.PLACED, call_id=call_id)
        return self._store.save(ended)

    def look_up(self, dial: Dial, webhooks_url: str, now: datetime) -> Dial:
        """Ends as failed where it is sure that no call was placed.

        Raises Refused where somebody else looks; Conflict, Unavailable.
        """
        dialler = self._dialler()
        if dial.provider != dialler.name:
            return dial.ended(DialState.UNCERTAIN, reason="another telephone system was asked")
        mine = self._store.save(dial.reserved(new_owner(), now))
        try:
            call_id = dialler.find(mine.order(webhooks_url))
        except DialUncertain as doubt:
            return self._store.save(mine.ended(DialState.UNCERTAIN, reason=str(doubt)))
        if call_id is not None:
            return self._store.save(mine.ended(DialState.PLACED, call_id=call_id))
        known = DialState.FAILED if dial.would_be_listed(now) else DialState.UNCERTAIN
        return self._store.save(mine.ended(known, reason="the telephone system knows of no call"))

    def begin(self, dial: Dial) -> None:
        """Lets the call of a placed dial be known before its provider tells of it. Raises
        Unavailable.
        """
        if beginning := dial.beginning:
            self._outgoing.begin(beginning)


class Attempts:
    """The calls of call lists, which are never ordered twice. They are known by their dial's id."""

    def __init__(self, store: DialStore, orders: Orders) -> None:
        self._store = store
        self._orders = orders

    def place(self, dial: Dial, webhooks_url: str, now: datetime) -> Dial:
        """Orders a new dial. If somebody ordered it before, it is what became of that.

        Raises Conflict where no telephone system is set up; Unavailable.
        """
        try:
            return self._begun(self._orders.give(dial, webhooks_url, now))
        except Refused:
            return self.find_out(dial, webhooks_url, now)

    def find_out(self, dial: Dial, webhooks_url: str, now: datetime) -> Dial:
        """What became of a dial whose worker may have died; one that was never ordered fails, and
        no longer can be. It orders nothing. Raises Conflict, Unavailable.
        """
        for _ in range(MAX_LOOKS):
            found = self._store.get(dial.dial_id)
            try:
                if found is None:
                    return self._store.save(dial.ended(DialState.FAILED, reason=NEVER_ORDERED))
                if found.next_step(now) is Step.LOOK_UP:
                    found = self._orders.look_up(found, webhooks_url, now)
                return self._begun(found)
            except Refused:
                continue
        raise Unavailable("the call is being looked up by too many at once")

    def _begun(self, dial: Dial) -> Dial:
        self._orders.begin(dial)
        return dial


class Dialling:
    """Has a telephone system ring an operator and then a customer.

    `telephone_of` knows what rings for an agent, if somebody said it.
    """

    def __init__(
        self,
        store: DialStore,
        calls: CallReader,
        orders: Orders,
        rules: CallingRules,
        telephone_of: Callable[[str], str | None],
        plan: NumberPlan,
        caller_id: str | None = None,
    ) -> None:
        self._store = store
        self._calls = calls
        self._orders = orders
        self._rules = rules
        self._telephone_of = telephone_of
        self._plan = plan
        self._caller_id = caller_id

    def place(
        self,
        wish: DialWish,
        key: str,
        asker: Asker,
        webhooks_url: str,
        now: datetime,
        caller_id: str | None = None,
    ) -> Dial:
        """Places the call, or says what has become of it: the same person's same key is the same
        call. The customer is shown `caller_id`, or else the stack's. It comes back placed, or still
        reserved or uncertain: then it is to be asked again.

        Raises InvalidInput; CallForbidden where a rule forbids it; Conflict where the telephone
        system does; Unavailable where no call was placed, and it may be asked again.
        """
        dial = self._advance(wish, key, asker, webhooks_url, now, caller_id or self._caller_id)
        if dial.state is DialState.REFUSED:
            raise Conflict(f"no call was placed: {dial.reason}")
        if dial.state is DialState.FAILED:
            when = f", not before {dial.retry_at.isoformat()}" if dial.retry_at else ""
            raise Unavailable(f"no call was placed: {dial.reason}; try again with the key{when}")
        self._orders.begin(dial)
        return dial

    def _advance(
        self,
        wish: DialWish,
        key: str,
        asker: Asker,
        webhooks_url: str,
        now: datetime,
        caller_id: str | None,
    ) -> Dial:
        dial_id = dial_id_of(asker, key)
        for _ in range(MAX_LOOKS):
            dial = self._store.get(dial_id) or self._new(dial_id, wish, asker, caller_id, now)
            if dial.wish_digest != wish.digest:
                raise InvalidInput("Idempotency-Key", "was used for another request")
            try:
                match dial.next_step(now):
                    case Step.NONE:
                        return dial
                    case Step.DIAL:
                        self._check_rules(dial, now)
                        return self._orders.give(dial, webhooks_url, now)
                    case Step.LOOK_UP:
                        found = self._orders.look_up(dial, webhooks_url, now)
                        if found.state is not DialState.FAILED:
                            return found
            except Refused:
                continue
        raise Unavailable("the call is being asked for by too many at once")

    def _new(
        self, dial_id: str, wish: DialWish, asker: Asker, caller_id: str | None, now: datetime
    ) -> Dial:
        telephone = wish.telephone or self._telephone_of(asker.agent) or asker.agent
        if not TELEPHONE.fullmatch(telephone):
            raise InvalidInput("telephone", "is required: your name is none")
        return Dial(
            dial_id=dial_id,
            wish_digest=wish.digest,
            number=self._number(wish).e164,
            purpose=wish.called_for,
            telephone=telephone,
            agent=asker.agent,
            asked_by=asker.name,
            missed_call_id=wish.missed_call_id,
            asked_at=now,
            caller_id=caller_id,
            ordered_at=now,
        )

    def _number(self, wish: DialWish) -> PhoneNumber:
        if wish.missed_call_id is None:
            return self._parsed(wish.number)
        try:
            missed = self._calls.one(wish.missed_call_id)
        except NotFound:
            raise InvalidInput("missed_call_id", "is no call") from None
        number = self._plan.parse(missed.number)
        if not missed.missed or number is None:
            raise InvalidInput("missed_call_id", "is no missed call of a known number")
        return number

    def _parsed(self, number: str | None) -> PhoneNumber:
        parsed = self._plan.parse(number)
        if parsed is None:
            raise InvalidInput("number", "is not a phone number")
        return parsed

    def _check_rules(self, dial: Dial, now: datetime) -> None:
        facts = Facts(calls_that_day=self._calls_that_day(dial.number, now), automated=False)
        check = self._rules.check(dial.number, dial.purpose, now, facts)
        if not check.decision.allowed:
            raise check.refusal

    def _calls_that_day(self, number: str, now: datetime) -> int:
        place = place_of(self._parsed(number))
        that_day = Period.between(place.beginning_of(place.day_at(now)), now)
        calls = self._calls.of_number(number, that_day, COUNTED_CALLS, None).calls
        return sum(call.rang_customer for call in calls)


class DialRecords:
    """What became of dials."""

    def __init__(self, store: DialStore) -> None:
        self._store = store

    def one(self, dial_id: str, agent: str | None) -> Dial:
        """Of anyone where no agent is said. Raises NotFound also for another's; Unavailable."""
        dial = self._store.get(dial_id)
        if dial is None or agent not in (None, dial.agent):
            raise NotFound("there is no such dial")
        return dial

    def of_agent(self, agent: str, limit: int, start: Mapping[str, str] | None) -> DialPage:
        """Newest first. Raises Unavailable."""
        return self._store.of_agent(agent, limit, start)


def dialler(settings: DialSettings) -> Dialler:
    """Raises Conflict where what the telephone system needs is not set; Unavailable."""

    def secret(field: str) -> str:
        return credential(settings.dial_secret, field)

    def needed(name: str, value: str | None) -> str:
        if value is None:
            raise Conflict(f"the stack's parameter {name} is not set: see docs/dialling.md")
        return value

    match settings.dial_provider:
        case DialProvider.NONE:
            raise Conflict("no telephone system is set up to place calls: see docs/dialling.md")
        case DialProvider.CANONICAL:
            url = needed("DialUrl", settings.dial_url)
            return CanonicalDialler(url, secret("current"), clock.now)
        case DialProvider.TWILIO:
            needed("CallerId", settings.caller_id)
            return twilio_dialling.TwilioDialler(
                secret("account_sid"),
                secret("auth_token"),
                settings.dial_url or twilio_dialling.API_URL,
            )
        case DialProvider.ZENVIA:
            return zenvia_dialling.ZenviaDialler(
                secret("access_token"), clock.now, settings.dial_url or zenvia_dialling.API_URL
            )
        case DialProvider.AMAZON_CONNECT:
            needed("CallerId", settings.caller_id)
            return ConnectDialler(
                needed("ConnectInstanceArn", settings.connect_instance_arn),
                needed("DialFlow", settings.dial_flow),
                clock.now,
            )
        case DialProvider.ASTERISK:
            return asterisk_dialling.AsteriskDialler(
                needed("DialUrl", settings.dial_url),
                secret("username"),
                secret("password"),
                needed("DialFlow", settings.dial_flow),
            )


def orders(settings: DialSettings) -> Orders:
    return Orders(_dials(settings), outgoing_calls(settings), partial(dialler, settings))


def attempts(settings: DialSettings) -> Attempts:
    return Attempts(_dials(settings), orders(settings))


def dialling(settings: DialSettings) -> Dialling:
    return Dialling(
        _dials(settings),
        call_reader(settings),
        orders(settings),
        calling_rules(settings),
        agents(settings).telephone_of,
        settings.number_plan,
        settings.caller_id,
    )


def dial_records(settings: DialSettings) -> DialRecords:
    return DialRecords(_dials(settings))


def _dials(settings: DialSettings) -> DialStore:
    return DialStore(settings.dials_table, settings.calls_kept_days)
