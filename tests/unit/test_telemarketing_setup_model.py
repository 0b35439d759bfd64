"""What the set-up of telemarketing may be, and what scripts become."""

from datetime import date
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from retorno.customers.model import Customer
from retorno.errors import InvalidInput
from retorno.phone import NumberPlan
from retorno.telemarketing.setup.model import (
    MAX_PLACEHOLDERS,
    MAX_SCRIPT_LENGTH,
    PLACEHOLDERS,
    ActionType,
    ActionTypeDraft,
    Campaign,
    CampaignDraft,
    Criteria,
    FilterDraft,
    NoContactReason,
    NoContactReasonDraft,
    Outcome,
    OutcomeDraft,
    OutcomeFlag,
    all_usual,
    filled,
    usual,
)

PLAN = NumberPlan("BR", "11")
FIELDS = {
    "name": "Planos de verão",
    "begins_on": "2026-03-01",
    "ends_on": "2026-03-31",
    "queue": "vendas",
}
CAMPAIGN = Campaign.model_validate(FIELDS | {"campaign_id": "verao"})
CARLA = Customer(
    customer_id="c1", name="Carla Moura Dias", code="4711", document="123.456.789-09", city="Bauru"
)


def campaign(**fields: Any) -> CampaignDraft:
    return CampaignDraft.model_validate(FIELDS | fields).checked(PLAN)


def refusal(kind: type[BaseModel], **fields: Any) -> tuple[str, str]:
    """The field that is refused, and why."""
    with pytest.raises(ValidationError) as refused:
        kind.model_validate(fields)
    (error,) = refused.value.errors()
    return ".".join(str(part) for part in error["loc"]), error["msg"]


class TestCampaign:
    @pytest.mark.parametrize(
        ("day", "fields", "runs"),
        [
            (date(2026, 2, 28), {}, False),
            (date(2026, 3, 1), {}, True),
            (date(2026, 3, 31), {}, True),
            (date(2026, 4, 1), {}, False),
            (date(2026, 3, 15), {"active": False}, False),
            (date(2026, 3, 15), {"retired": True}, False),
        ],
    )
    def test_runs_on_both_its_days_and_those_between(
        self, day: date, fields: dict[str, bool], runs: bool
    ) -> None:
        assert CAMPAIGN.model_copy(update=fields).runs_on(day) is runs

    def test_may_be_of_one_day(self) -> None:
        assert campaign(ends_on="2026-03-01").ends_on == date(2026, 3, 1)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("name", "  "),
            ("name", "\ud800"),
            ("name", "n" * 121),
            ("queue", ""),
            ("queue", "q" * 129),
            ("begins_on", "2026-02-30"),
            ("ends_on", None),
            ("goal_contacts", 0),
            ("goal_sales", 1.5),
            ("goal_value", "-1"),
            ("goal_value", "10.005"),
            ("goal_value", "NaN"),
            ("goal_value", "99999999999"),
            ("purpose", "fun"),
            ("caller_id", "1" * 41),
            ("action_types.0", ["Oferta!"]),
        ],
    )
    def test_what_cannot_be_is_named(self, field: str, value: object) -> None:
        fields = FIELDS | {field.partition(".")[0]: value}
        assert refusal(CampaignDraft, **fields)[0] == field

    @pytest.mark.parametrize(
        ("fields", "named"),
        [({"ends_on": "2026-02-28"}, "ends_on"), ({"caller_id": "4007"}, "caller_id")],
    )
    def test_what_does_not_fit_together_is_named(self, fields: dict[str, Any], named: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            campaign(**fields)
        assert refused.value.field == named

    def test_the_shown_number_is_written_as_all_are(self) -> None:
        assert campaign(caller_id="3132-1000").caller_id == "+551131321000"

    def test_allows_all_action_types_or_those_that_it_names(self) -> None:
        assert CAMPAIGN.allows("oferta")
        some = CAMPAIGN.model_copy(update={"action_types": ("oferta", "cadastro")})
        assert [some.allows(code) for code in ("cadastro", "pos_venda")] == [True, False]


def read_out(script: str, customer: Customer = CARLA, agent: str = "ana.souza") -> str:
    draft = ActionTypeDraft(name="Oferta", script=script)
    assert draft.script
    return filled(draft.script, customer, agent, CAMPAIGN)


# What no placeholder can begin in.
plain = st.text(st.characters(exclude_characters="{", exclude_categories=["Cs"]), max_size=30)
anything = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


class TestScript:
    def test_is_filled_with_who_is_called_who_calls_and_what_for(self) -> None:
        script = (
            "{customer.first_name}, ou {customer.name}, {customer.document}, nº {customer.code}, "
            "de {customer.city}: {agent.name} liga por {campaign.name}. Até já, {customer.name}!"
        )
        assert read_out(script) == (
            "Carla, ou Carla Moura Dias, 123.456.789-09, nº 4711, de Bauru: ana.souza liga por "
            "Planos de verão. Até já, Carla Moura Dias!"
        )

    def test_of_what_is_not_known_nothing_is_read_out(self) -> None:
        nobody = Customer(customer_id="c2", name="Ari")
        script = "{customer.first_name} [{customer.city}{customer.code}{customer.document}]"
        assert read_out(script, nobody) == "Ari []"

    @given(
        parts=st.lists(plain | st.sampled_from(PLACEHOLDERS), max_size=MAX_PLACEHOLDERS),
        name=anything,
        city=anything,
        agent=anything,
    )
    def test_data_is_text_whatever_it_holds(
        self, parts: list[str], name: str, city: str, agent: str
    ) -> None:
        script = "".join(parts)
        assume(script and script == script.strip())
        customer = CARLA.model_copy(update={"name": name, "city": city})
        values = {
            "{customer.name}": name,
            "{customer.first_name}": name.partition(" ")[0],
            "{customer.code}": "4711",
            "{customer.document}": "123.456.789-09",
            "{customer.city}": city,
            "{agent.name}": agent,
            "{campaign.name}": "Planos de verão",
        }
        expected = "".join(values.get(part, part) for part in parts)
        assert read_out(script, customer, agent) == expected

    @pytest.mark.parametrize(
        "data", ["{agent.name}", "{customer.code}", "{0.__class__}", "%(city)s", r"\1 \g<0>", "{"]
    )
    def test_data_that_looks_like_a_placeholder_is_data(self, data: str) -> None:
        customer = CARLA.model_copy(update={"name": data})
        assert read_out("Olá, {customer.name}!", customer) == f"Olá, {data}!"

    @pytest.mark.parametrize(
        "text",
        [
            "{cliente}",
            "{customer}",
            "{customer.first_name",
            "{customer.phone}",
            "{ customer.name }",
            "{Customer.name}",
            "{customer.name!r}",
            "{customer.name:>1000000}",
            "{customer.name.__class__}",
            "{{customer.name}}",
            "{}",
            "{",
        ],
    )
    def test_with_an_unknown_placeholder_is_refused(self, text: str) -> None:
        field, reason = refusal(ActionTypeDraft, name="Oferta", script=f"Olá, {text}")
        assert field == "script"
        assert text[:12] in reason or reason.startswith("Value error, { is none of")
        assert "{customer.first_name}" in reason

    @given(st.lists(st.sampled_from([*PLACEHOLDERS, "{", "}", "customer.name", "x", " "])))
    def test_is_taken_where_each_brace_begins_a_placeholder(self, parts: list[str]) -> None:
        script = "".join(parts).strip()
        assume(script and len(parts) <= MAX_PLACEHOLDERS)
        rest = script
        for placeholder in PLACEHOLDERS:
            rest = rest.replace(placeholder, "-")
        if "{" in rest:
            assert refusal(ActionTypeDraft, name="Oferta", script=script)[0] == "script"
        else:
            assert "{" not in read_out(script)

    @pytest.mark.parametrize(
        "script",
        [
            " \n ",
            "\ud800",
            "s" * (MAX_SCRIPT_LENGTH + 1),
            "{agent.name}" * (MAX_PLACEHOLDERS + 1),
        ],
    )
    def test_is_neither_empty_nor_too_long(self, script: str) -> None:
        assert refusal(ActionTypeDraft, name="Oferta", script=script)[0] == "script"

    def test_keeps_its_lines(self) -> None:
        assert read_out("  Olá!\n\nTudo bem? }\n") == "Olá!\n\nTudo bem? }"


class TestOutcome:
    @pytest.mark.parametrize(
        "flags",
        [
            "sale",
            "sale contact",
            "sale final",
            "do_not_call",
            "not_interested",
            "sale contact final not_interested",
            "win",
        ],
    )
    def test_flags_that_contradict_each_other_are_refused(self, flags: str) -> None:
        field, _ = refusal(OutcomeDraft, name="Venda", flags=flags.split())
        assert field.startswith("flags")

    @pytest.mark.parametrize(
        "flags",
        [
            "",
            "contact",
            "final",
            "sale contact final",
            "do_not_call final",
            "not_interested contact",
        ],
    )
    def test_others_are_taken(self, flags: str) -> None:
        draft = OutcomeDraft.model_validate({"name": "Venda", "flags": flags.split()})
        assert draft.flags == {OutcomeFlag(flag) for flag in flags.split()}


@pytest.mark.parametrize("minutes", [0, -5, 92 * 24 * 60 + 1, None])
def test_the_proposed_wait_is_bounded(minutes: int | None) -> None:
    named = refusal(NoContactReasonDraft, name="Ocupado", retry_minutes=minutes)[0]
    assert named == "retry_minutes"


def test_the_usual_ones_are_what_people_might_write() -> None:
    kinds: list[tuple[type[Any], type[BaseModel]]] = [
        (ActionType, ActionTypeDraft),
        (Outcome, OutcomeDraft),
        (NoContactReason, NoContactReasonDraft),
    ]
    for kind, draft in kinds:
        for entry in usual(kind).values():
            assert draft.model_validate(entry.model_dump())
    assert len({(entry.list_name, entry.key) for entry in all_usual()}) == len(all_usual())


class TestCriteria:
    def test_days_are_dates_or_counted_from_today(self) -> None:
        told = {"scheduled_from": 0, "scheduled_to": 7, "linked_from": "2026-03-01"}
        criteria = Criteria.model_validate(told)
        assert (criteria.scheduled_from, criteria.scheduled_to) == (0, 7)
        assert criteria.linked_from == date(2026, 3, 1)
        # As the table keeps them.
        assert Criteria.model_validate_json(criteria.model_dump_json()) == criteria

    @pytest.mark.parametrize("day", [367, -367, 1.5, True, "amanhã", "2026-02-30", "7", 86400, []])
    def test_any_other_day_is_refused(self, day: object) -> None:
        assert refusal(Criteria, scheduled_from=day)[0] == "scheduled_from"

    @pytest.mark.parametrize(
        "fields",
        [
            {"scheduled_from": 3, "scheduled_to": 2},
            {"linked_from": "2026-03-02", "linked_to": "2026-03-01"},
            {"operations_min": 2, "operations_max": 1},
        ],
    )
    def test_a_range_that_takes_nothing_is_refused(self, fields: dict[str, Any]) -> None:
        field, _ = refusal(FilterDraft, name="Nada", criteria=fields)
        assert field == "criteria"

    @pytest.mark.parametrize(
        ("field", "value"),
        [("operations_min", -1), ("last_outcome", "Venda!"), ("city", "c" * 201)],
    )
    def test_what_nobody_can_have_is_named(self, field: str, value: object) -> None:
        assert refusal(Criteria, **{field: value})[0] == field
