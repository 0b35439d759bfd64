"""Zenvia Voice: the secret in the address, what each shape and status means, and whole calls."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retorno.calls.model import Call, CallRules, derive, fold
from retorno.errors import InvalidInput, NotAuthenticated
from retorno.phone import NumberPlan
from retorno.telephony.ports import Direction, Reading, WebhookRequest
from retorno.telephony.providers import ZENVIA, ZENVIA_DID
from tests.support.zenvia import COMPANY, CUSTOMER, Json, leg, received, two_legs

BRASILIA = timezone(timedelta(hours=-3))
BEGAN = datetime(2026, 3, 2, 9, 0, tzinfo=BRASILIA)
NOW = BEGAN + timedelta(hours=1)
PLAN = NumberPlan()
ENTRIES = {"": ZENVIA, "did": ZENVIA_DID}


def after(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def naive(at: datetime, zone: Any) -> str:
    return at.astimezone(zone).replace(tzinfo=None).isoformat()


def read(payload: Any, entry: str = "") -> Reading:
    return ENTRIES[entry].read(json.dumps(payload).encode(), PLAN, NOW)


def call_of(*payloads: Json, entry: str = "") -> Call:
    """The one call that all payloads tell of."""
    events = [event for payload in payloads for event in read(payload, entry).events]
    ((call_id, facts),) = fold(events).items()
    return derive(call_id, facts, CallRules(plan=PLAN))


def in_any_order(*payloads: Json) -> st.SearchStrategy[list[Json]]:
    """All of the payloads, some of them twice."""
    again = st.lists(st.sampled_from(payloads), max_size=3)
    return again.flatmap(lambda twice: st.permutations([*payloads, *twice]))


def operator(status: str | None = None, **told: Any) -> Json:
    return leg("4000", "ramal", status, **told)


def dialled(status: str | None, total: int, talk: int = 0, **told: Any) -> Json:
    """An operator rang a customer, and it is over."""
    target = leg(CUSTOMER, "movel", status, at=after(2), total=total, talk=talk, **told)
    return two_legs(51, BEGAN, operator(), target)


class TestSecret:
    BASE = "https://api.example.com/webhooks/zenvia/"

    def verify(self, behind: str, secrets: list[str]) -> None:
        ZENVIA.verify(WebhookRequest(self.BASE + behind, {}, b"{}"), secrets, NOW)

    @pytest.mark.parametrize("behind", ["abc", "abc/did", "abc?x=1", "%61bc"])
    @pytest.mark.parametrize("secrets", [["abc"], ["new", "abc"]])
    def test_any_that_is_valid_is_taken(self, behind: str, secrets: list[str]) -> None:
        self.verify(behind, secrets)

    @pytest.mark.parametrize("behind", ["", "ab", "abcd", "ABC", "did/abc", "x?abc", "ação", "%ED"])
    def test_another_is_refused_and_not_repeated(self, behind: str) -> None:
        with pytest.raises(NotAuthenticated) as refusal:
            self.verify(behind, ["abc"])
        assert not behind or behind not in str(refusal.value)

    def test_without_secrets_nothing_is_taken(self) -> None:
        with pytest.raises(NotAuthenticated):
            self.verify("", [])

    def test_is_not_shown_with_the_request(self) -> None:
        assert "abc" not in repr(WebhookRequest(f"{self.BASE}abc", {"a": "abc"}, b"abc"))


class TestStatus:
    @pytest.mark.parametrize(
        ("status", "end"),
        [
            ("atendida", "completed"),
            ("Atendida", "completed"),
            ("sem resposta", "no_answer"),
            ("SEM  RESPOSTA", "no_answer"),
            ("ocupado", "no_answer"),
            ("congestionado", "failed"),
            ("falha", "failed"),
            ("não existe", "failed"),
            ("nao existe", "failed"),
            ("na\u0303o existe", "failed"),
            ("desconhecido", "failed"),
            ("cancelada", "cancelled"),
            ("chamando", "cancelled"),
            ("preparando", "cancelled"),
            (None, "cancelled"),
            ("", "cancelled"),
        ],
    )
    def test_of_the_second_leg_says_how_the_call_ended(self, status: str | None, end: str) -> None:
        reading = read(dialled(status, 30))
        assert reading.unknown == []
        assert call_of(dialled(status, 30)).status == end

    @pytest.mark.parametrize(
        ("status", "origin", "end"),
        [
            (None, "sem resposta", "no_answer"),
            ("preparando", "cancelada", "cancelled"),
            ("", "falha", "failed"),
            ("ocupado", "falha", "no_answer"),
        ],
    )
    def test_of_the_first_leg_counts_where_the_second_was_never_rung(
        self, status: str | None, origin: str, end: str
    ) -> None:
        target = leg(CUSTOMER, "movel", status)
        call = call_of(two_legs(51, BEGAN, operator(origin, total=20), target))
        assert (call.status, call.ended_at) == (end, after(20))

    @pytest.mark.parametrize(
        ("status", "cause", "reason"),
        [
            ("ocupado", "17. ocupado", "ocupado, 17. ocupado"),
            ("ocupado", "indefinido", "ocupado"),
            ("ocupado", None, "ocupado"),
            (None, "16. normal", "cancelled"),
            ("falha", "9" * 128, "falha, " + "9" * 121),
        ],
    )
    def test_is_kept_with_the_cause(self, status: str | None, cause: str, reason: str) -> None:
        assert call_of(dialled(status, 30, cause=cause)).end_reason == reason

    @pytest.mark.parametrize(
        ("status", "stage"),
        [
            ("preparando", "queued"),
            ("chamando", "ringing"),
            ("atendida", "answered"),
            ("ocupado", "queued"),
            (None, "queued"),
        ],
    )
    def test_while_the_call_goes_on(self, status: str | None, stage: str) -> None:
        target = leg(CUSTOMER, "movel", status, total=9, talk=None)
        call = call_of(two_legs(51, BEGAN, operator("atendida"), target, "curso"))
        assert (call.status, call.ended_at) == (stage, None)

    def test_a_call_that_is_yet_to_be_made_has_not_ended(self) -> None:
        target = leg(CUSTOMER)
        call = call_of(two_legs(51, BEGAN, operator(), target, "criada", ativa=False))
        assert (call.status, call.ended_at) == ("queued", None)

    @pytest.mark.parametrize(("active", "status"), [(False, "no_answer"), (None, "ringing")])
    def test_without_an_overall_status_it_is_over_when_it_is_not_active(
        self, active: bool | None, status: str
    ) -> None:
        call = dialled("ocupado", 30) | {"status_geral": None, "ativa": active}
        assert call_of(call).status == status

    @pytest.mark.parametrize(
        ("payload", "unknown"),
        [
            (dialled("caixa postal", 30), ["destino.status=caixa postal"]),
            (dialled("ocupado", 3) | {"status_geral": "pausada"}, ["status_geral=pausada"]),
            (received(51, BEGAN, "estacionada", 9, 0), ["status=estacionada"]),
        ],
    )
    def test_that_no_document_lists_is_named_and_ends_nothing(
        self, payload: Json, unknown: list[str]
    ) -> None:
        assert read(payload).unknown == unknown
        assert call_of(payload).ended_at is None

    def test_and_kind_of_the_first_leg_do_not_stand_in_the_way_of_the_second(self) -> None:
        target = leg(CUSTOMER, "Móvel", "ocupado")
        payload = two_legs(51, BEGAN, leg(COMPANY, "fax", "muda"), target)
        assert read(payload).unknown == ["origem.status=muda", "origem.tipo=fax"]
        assert call_of(payload).status == "no_answer"


class TestDirection:
    @pytest.mark.parametrize(
        ("origin", "target", "extension_id", "entry", "direction", "agent"),
        [
            ("4000", CUSTOMER, 300, "", Direction.OUTBOUND_MANUAL, "4000"),
            ("4000", CUSTOMER, None, "did", Direction.OUTBOUND_MANUAL, "4000"),
            (CUSTOMER, "4000", None, "", Direction.INBOUND, "4000"),
            (CUSTOMER, "4000", 300, "did", Direction.INBOUND, "4000"),
            (COMPANY, CUSTOMER, 300, "", Direction.OUTBOUND_MANUAL, None),
            (COMPANY, CUSTOMER, None, "", Direction.OUTBOUND_AUTO, None),
            (CUSTOMER, COMPANY, None, "did", Direction.INBOUND, None),
        ],
    )
    def test_follows_from_the_legs_and_else_from_the_entry(
        self,
        origin: str,
        target: str,
        extension_id: int | None,
        entry: str,
        direction: Direction,
        agent: str | None,
    ) -> None:
        one, other = (
            leg(each, "ramal" if each == "4000" else "movel") for each in (origin, target)
        )
        payload = two_legs(51, BEGAN, one, other, ramal_id_origem=extension_id)
        call = call_of(payload, entry=entry)
        assert (call.direction, call.number, call.agent) == (direction, CUSTOMER, agent)
        assert (call.call_id, call.provider) == ("zenvia-51", "zenvia")

    def test_from_extension_to_extension_is_internal(self) -> None:
        payload = two_legs(51, BEGAN, leg("4000", "ramal"), leg("4001", "ramal", "atendida"))
        call = call_of(payload)
        assert (call.internal, call.number, call.missed) == (True, None, False)

    @pytest.mark.parametrize("number", ["+5510987654321", "anonymous", "", None, "0"])
    def test_a_number_that_does_not_exist_is_no_number(self, number: str | None) -> None:
        missed = received(51, BEGAN, "sem resposta", 20, 0, numero_origem=number)
        call = call_of(missed)
        assert (call.number, call.missed) == (None, True)


class TestTimes:
    def test_with_an_offset_are_as_they_say(self) -> None:
        call = call_of(dialled("ocupado", 30))
        assert (call.queued_at, call.ringing_at, call.ended_at) == (BEGAN, after(2), after(32))

    def test_without_one_the_calls_is_utc_and_the_legs_is_brasilias(self) -> None:
        """As in events in real time, where both tell the same moment, three hours apart."""
        origin = leg(COMPANY, "fixo", "chamando") | {"data_inicio": naive(BEGAN, BRASILIA)}
        target = {"tipo": "movel", "numero": CUSTOMER, "data_inicio": naive(after(5), BRASILIA)}
        event = {"id": 51, "origem": origin, "destino": target, "gravar_audio": False, "tags": ""}
        call = call_of(event | {"data_criacao": naive(BEGAN, UTC)})
        assert (call.queued_at, call.ringing_at, call.ended_at) == (BEGAN, after(5), None)

    def test_without_one_those_of_an_extensions_leg_are_brasilias(self) -> None:
        call = call_of(TestReceivedCall.RINGS, TestReceivedCall.ANSWERS, entry="did")
        assert (call.ringing_at, call.answered_at) == (after(10), after(18))

    def test_brasilia_once_had_summer_time(self) -> None:
        payload = TestReceivedCall.RINGS | {"data_criacao": "2018-12-03T09:00:00"}
        summer = datetime(2018, 12, 3, 11, 0, tzinfo=UTC)
        assert call_of(payload, entry="did").ringing_at == summer

    def test_in_a_report_one_without_offset_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match="data_inicio"):
            read(received(51, BEGAN, "ocupado", 9, 0) | {"data_inicio": "2026-03-02 09:00:00"})

    @pytest.mark.parametrize(
        "at", ["1999-12-31T20:59:59-03:00", "2026-03-05T09:00:00-03:00", "9999-12-31T23:59:59"]
    )
    def test_of_a_broken_clock_are_refused(self, at: str) -> None:
        with pytest.raises(InvalidInput) as refusal:
            read(dialled("ocupado", 30) | {"data_criacao": at})
        assert refusal.value.field == "data_criacao"
        assert refusal.value.reason == "is before the year 2000 or in the future"


class TestDialledCall:
    RINGS_OPERATOR = two_legs(
        51, BEGAN, operator("chamando"), leg(CUSTOMER, "movel", "preparando"), "curso"
    )
    RINGS = two_legs(
        51, BEGAN, operator("atendida"), leg(CUSTOMER, "movel", "chamando", at=after(2)), "curso"
    )
    # Sent two seconds after the answer.
    TALKS = two_legs(
        51,
        BEGAN,
        operator("atendida"),
        leg(CUSTOMER, "movel", "atendida", at=after(2), total=12, talk=None),
        "curso",
    )

    @given(in_any_order(RINGS_OPERATOR, RINGS, TALKS, dialled("atendida", 70, 60)))
    def test_answered(self, payloads: list[Json]) -> None:
        call = call_of(*payloads)
        assert (call.direction, call.status, call.agent) == ("outbound_manual", "completed", "4000")
        assert (call.number, call.answered_by) == (CUSTOMER, "human")
        assert (call.answered_at, call.ended_at, call.talk_seconds) == (after(12), after(72), 60)

    @given(in_any_order(RINGS_OPERATOR, RINGS, dialled("atendida", 16, 6, cause="16. normal")))
    def test_answered_for_no_longer_than_a_voicemail(self, payloads: list[Json]) -> None:
        call = call_of(*payloads)
        assert (call.talk_seconds, call.answered_by) == (6, "voicemail")
        assert (call.status, call.end_reason) == ("completed", "atendida, 16. normal")

    @given(in_any_order(RINGS_OPERATOR, RINGS, dialled("ocupado", 5, cause="17. ocupado")))
    def test_busy(self, payloads: list[Json]) -> None:
        call = call_of(*payloads)
        assert (call.status, call.ring_seconds, call.talk_seconds) == ("no_answer", 5, None)
        assert (call.answered_at, call.end_reason) == (None, "ocupado, 17. ocupado")

    def test_the_operators_own_leg_is_no_answer(self) -> None:
        """Their telephone is picked up before the customer's rings."""
        own = TestReceivedCall.ANSWERS | {"id": "51", "ramal": 4000}
        call = call_of(own, dialled("sem resposta", 30))
        assert (call.status, call.answered_at, call.talk_seconds) == ("no_answer", None, None)

    def test_an_answer_whose_talk_is_not_told_has_no_time(self) -> None:
        payload = dialled("atendida", 70)
        payload["destino"] = payload["destino"] | {"duracao_falada_segundos": None}
        call = call_of(payload)
        assert (call.status, call.answered_at, call.talk_seconds) == ("completed", None, None)

    def test_talk_without_a_status_is_an_answer(self) -> None:
        call = call_of(dialled(None, 70, 60, cause="16. normal"))
        assert (call.status, call.talk_seconds) == ("completed", 60)
        assert call.end_reason == "16. normal"

    def test_more_talk_than_call_begins_with_the_leg(self) -> None:
        call = call_of(dialled("atendida", 10, 60))
        assert (call.answered_at, call.talk_seconds) == (after(2), 10)

    def test_what_is_told_in_talk_without_a_beginning_never_makes_the_talk_longer(self) -> None:
        """The leg's seconds may run from where it began, which is not told: the call's count."""
        target = leg(CUSTOMER, "movel", "atendida", total=10, talk=None)
        talks = two_legs(51, BEGAN, operator("atendida", total=25), target, "curso")
        call = call_of(talks)
        assert (call.status, call.answered_at) == ("answered", after(25))
        assert call_of(talks, dialled("atendida", 70, 55)).answered_at == after(17)

    def test_an_end_without_a_beginning_is_that_of_the_longer_leg(self) -> None:
        target = leg(CUSTOMER, "movel", "atendida", total=10, talk=6)
        call = call_of(two_legs(51, BEGAN, operator("atendida", total=25), target))
        assert (call.answered_at, call.ended_at, call.talk_seconds) == (after(19), after(25), 6)


class TestReceivedCall:
    RINGS: ClassVar[Json] = {
        "data_criacao": naive(after(10), BRASILIA),
        "duracao_falada_segundos": 0,
        "ativo": True,
        "tipo": "ramal",
        "id": "51",
        "ramal": 9000,
        "status": "chamando",
        "duracao_segundos": 0,
    }
    ANSWERS: ClassVar[Json] = RINGS | {
        "data_atendimento": naive(after(18), BRASILIA),
        "status": "atendida",
        "duracao_segundos": 8,
    }
    HANGS_UP: ClassVar[Json] = ANSWERS | {
        "ativo": False,
        "duracao_segundos": 68,
        "motivo_desconexao": "",
    }
    ENDS = two_legs(
        51,
        BEGAN,
        leg(CUSTOMER, "movel", "atendida", at=BEGAN, total=78, talk=78),
        leg("9000", "ramal", "atendida", at=after(10), total=68, talk=60),
    )
    REPORTED = received(51, BEGAN, "atendida", 78, 60, ramal_id=300, ramal="9000")
    QUEUED: ClassVar[Json] = {"id": 430, "data_inicio": after(4).isoformat()}
    MISSED_IN_QUEUE = received(
        51, BEGAN, "Não atendida", 42, 0, fila=QUEUED, ramal={}, tempo_espera=35, ativa=0
    )
    WAITED = received(51, BEGAN, "atendida", 39, 39, ramal_id=None)

    @given(in_any_order(RINGS, ANSWERS, HANGS_UP, ENDS, REPORTED))
    def test_answered(self, payloads: list[Json]) -> None:
        call = call_of(*payloads, entry="did")
        assert (call.direction, call.status, call.agent) == ("inbound", "completed", "9000")
        assert (call.number, call.missed) == (CUSTOMER, False)
        assert (call.answered_at, call.ended_at, call.talk_seconds) == (after(18), after(78), 60)

    @given(in_any_order(MISSED_IN_QUEUE, WAITED))
    def test_missed_in_a_queue_though_the_menu_picked_up(self, payloads: list[Json]) -> None:
        call = call_of(*payloads)
        assert (call.direction, call.missed, call.queue) == ("inbound", True, "430")
        assert (call.number, call.queued_at, call.wait_seconds) == (CUSTOMER, after(4), 35)
        assert call.answered_at is None

    def test_the_wait_in_a_queue_ends_with_its_own_seconds(self) -> None:
        assert call_of(self.MISSED_IN_QUEUE).ended_at == after(39)

    @pytest.mark.parametrize(
        "by", [{"ramal_id": 300}, {"ramal": "9000"}, {"ramal": {}, "fila": {"id": 430}}]
    )
    def test_an_extension_or_a_queue_is_a_persons_answer(self, by: Json) -> None:
        call = call_of(received(51, BEGAN, "atendida", 78, 60, **by))
        assert (call.status, call.missed, call.talk_seconds) == ("completed", False, 60)

    def test_missed_in_one_queue_and_answered_in_the_next(self) -> None:
        entered = {"id": 431, "data_inicio": after(39).isoformat()}
        answered = received(
            51, BEGAN, "Atendida", 120, None, fila=entered, ramal={"ramal": "4099"}, tempo_espera=11
        )
        call = call_of(self.MISSED_IN_QUEUE, answered)
        assert (call.missed, call.agent, call.queue) == (False, "4099", "430")
        assert (call.answered_at, call.ended_at) == (after(50), after(120))

    def test_answered_in_a_queue_that_does_not_tell_when(self) -> None:
        row = self.MISSED_IN_QUEUE | {"status": "Atendida", "tempo_espera": None}
        call = call_of(row | {"duracao_falada_segundos": None, "ramal": {"id": 3, "ramal": "4099"}})
        assert (call.status, call.missed, call.answered_at) == ("completed", False, None)

    @pytest.mark.parametrize("fila", [None, {}, []])
    def test_without_an_extension_or_a_queue_it_was_a_menu_that_answered(self, fila: Any) -> None:
        caller = leg(CUSTOMER, "movel", "atendida", at=BEGAN, total=39)
        number = leg(COMPANY, "fixo", "atendida", at=BEGAN, total=39, talk=39)
        for payload in (self.WAITED | {"fila": fila}, two_legs(51, BEGAN, caller, number)):
            call = call_of(payload, entry="did")
            assert (call.status, call.missed, call.queue) == ("cancelled", True, None)

    @pytest.mark.parametrize(
        ("status", "end"),
        [("sem resposta", "no_answer"), ("cancelada", "cancelled"), ("ocupado", "no_answer")],
    )
    def test_missed_by_an_extension(self, status: str, end: str) -> None:
        reported = received(51, BEGAN, status, 20, 0, ramal_id=300)
        ends = two_legs(
            51,
            BEGAN,
            leg(CUSTOMER, "movel", "atendida", at=BEGAN, total=20),
            leg("9000", "ramal", status, at=BEGAN, total=20),
        )
        for payload in (reported, ends):
            call = call_of(payload, entry="did")
            assert (call.status, call.missed, call.ended_at) == (end, True, after(20))

    def test_that_still_goes_on_has_not_ended(self) -> None:
        call = call_of(self.REPORTED | {"ativa": True, "duracao_falada_segundos": None})
        assert (call.status, call.ended_at) == ("answered", None)

    def test_an_extensions_leg_does_not_end_the_call(self) -> None:
        call = call_of(self.RINGS | {"status": "sem resposta", "ativo": False}, entry="did")
        assert (call.status, call.ended_at, call.agent) == ("ringing", None, "9000")

    def test_a_number_without_extension_is_answered_by_a_menu(self) -> None:
        call = call_of(self.ANSWERS | {"ramal": None}, entry="did")
        assert (call.status, call.answered_at) == ("ringing", None)


class TestPayload:
    @pytest.mark.parametrize(
        ("payload", "field"),
        [
            (b"", "body"),
            (b"{", "body"),
            (b"\xff", "body"),
            (b"[" * 100_000, "body"),
            (b"[]", "body"),
            (b"null", "body"),
            (b"{}", "body"),
            (b'{"saldo": "56.86"}', "body"),
            (b'{"origem": {}, "destino": {}}', "id"),
        ],
        ids=lambda value: repr(value[:30]),
    )
    def test_that_is_no_call_names_what_is_wrong(self, payload: bytes, field: str) -> None:
        with pytest.raises(InvalidInput) as refusal:
            ZENVIA.read(payload, PLAN, NOW)
        assert refusal.value.field == field

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"id": None}, "id"),
            ({"id": ""}, "id"),
            ({"id": " "}, "id"),
            ({"id": "a/b"}, "id"),
            ({"id": True}, "id"),
            ({"id": "9" * 200}, "id"),
            ({"data_criacao": None}, "data_criacao"),
            ({"data_criacao": "ontem"}, "data_criacao"),
            ({"origem": None}, "origem"),
            ({"destino": []}, "destino"),
            ({"destino": {"duracao_segundos": -1}}, "destino.duracao_segundos"),
            ({"destino": {"duracao_segundos": 10**9}}, "destino.duracao_segundos"),
            ({"destino": {"duracao_falada_segundos": "x"}}, "destino.duracao_falada_segundos"),
            ({"destino": {"numero": "9" * 129}}, "destino.numero"),
            ({"destino": {"status": "a\u0000b"}}, "destino.status"),
            ({"destino": {"status": "\ud800"}}, "destino.status"),
            ({"destino": {"data_inicio": "ontem"}}, "destino.data_inicio"),
        ],
    )
    def test_that_cannot_be_so_names_the_field(self, changes: Json, field: str) -> None:
        with pytest.raises(InvalidInput) as refusal:
            read(dialled("ocupado", 30) | changes)
        assert refusal.value.field == field

    @given(
        st.sampled_from(
            [dialled("ocupado", 30), TestReceivedCall.REPORTED, TestReceivedCall.RINGS]
        ),
        st.data(),
    )
    def test_anything_in_any_field_is_read_or_refused(
        self, payload: Json, data: st.DataObject
    ) -> None:
        scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
        values = scalars | st.lists(scalars) | st.dictionaries(st.text(), scalars)
        name = data.draw(st.sampled_from(sorted(payload)))
        hostile = payload | {name: data.draw(values)}
        with suppress(InvalidInput):
            assert read(hostile).taken == 1

    def test_ids_are_numbers_or_text(self) -> None:
        as_text, as_number = (call_of(dialled("ocupado", 30) | {"id": id}) for id in ("51", 51))
        assert as_text == as_number

    def test_blank_is_not_told(self) -> None:
        blank = {"data_inicio": "", "status": " ", "duracao_segundos": "", "numero": "", "tipo": ""}
        payload = dialled("ocupado", 30) | {"ativa": "", "status_geral": "", "destino": blank}
        call = call_of(payload)
        assert (call.status, call.ended_at, call.number) == ("queued", None, None)

    def test_a_message_in_a_voicemail_names_no_call(self) -> None:
        message = {"id": 1411, "ramal_id": 300, "ramal": "9000", "numero_telefone": CUSTOMER}
        reading = read(message | {"data_mensagem": BEGAN.isoformat(), "duracao_segundos": 5})
        assert (reading.taken, reading.ignored, reading.events) == (0, 1, ())
