"""What happens often asks DynamoDB for just as much as benchmarks/budgets.json says."""

from benchmarks.budgets import BUDGETS, spent


def test_everything_costs_what_its_budget_says() -> None:
    """No less either: docs/performance.md shows the same figures."""
    assert {each.name: list(each.cost) for each in spent()} == BUDGETS
