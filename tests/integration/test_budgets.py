"""What happens often asks for just as much as the budgets in benchmarks/ say.

No less either: docs/performance.md shows the same figures.
"""

import pytest

from benchmarks import budgets, dollars


def test_everything_asks_dynamodb_for_what_its_budget_says() -> None:
    assert {each.name: list(each.cost) for each in budgets.spent()} == budgets.BUDGETS


def test_everything_costs_as_many_dollars_as_its_budget_says() -> None:
    found = {
        pace: {each.name: each.dollars() for each in dollars.costed(happened)}
        for pace, happened in dollars.happenings().items()
    }
    assert found.keys() == dollars.BUDGETS.keys()
    for pace, budget in dollars.BUDGETS.items():
        assert found[pace] == pytest.approx(budget, rel=0.05), pace
