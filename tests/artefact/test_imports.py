"""Functions load nothing large that they do not use before their first event."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.artefact.lambda_runtime import BUILD, LAYER, PYTHON
from tests.support.functions import functions

LISTING = Path(__file__).parent / "loaded_modules.py"

ROUTED = {
    logical_id
    for logical_id, properties in functions().items()
    if any(event["Type"] == "HttpApi" for event in properties.get("Events", {}).values())
}

# Who loads what is large; all else is loaded by nobody. Holidays, time zones and the description of
# the API are loaded by whoever is asked for them.
LARGE = {
    "aws_lambda_powertools.event_handler": ROUTED,
    "aws_lambda_powertools.event_handler.openapi.models": set(),
    "cryptography": {"PushUpdates"},
    "holidays": set(),
    "phonenumbers.carrier": set(),
    "phonenumbers.geocoder": set(),
    "phonenumbers.timezone": set(),
    "retorno.realtime.sights": {"PublishUpdates", "FulfilPersonalData"},
}

# Who takes and keeps calls does it without those whom they are about, and what is said of them.
OF_CALLS_ALONE = (
    "IngestCalls",
    "IngestConnectContacts",
    "ReconcileZenvia",
    "StoreDeferredCalls",
    "SweepCalls",
)
NOT_OF_CALLS = {"retorno.customers.model", "retorno.dispositions.service", "retorno.imports.model"}


@pytest.fixture(scope="module")
def loaded() -> Mapping[str, Sequence[str]]:
    """The modules that each function loads, by its logical id."""
    handlers = {
        logical_id: properties["Handler"].rpartition(".")[0]
        for logical_id, properties in functions().items()
    }
    asked = [part for each, module in handlers.items() for part in (str(BUILD / each), module)]
    told = subprocess.run(
        [PYTHON, LISTING, *asked],
        env={"PYTHONPATH": str(LAYER), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        check=True,
    )
    found = json.loads(told.stdout)
    return {logical_id: found[module] for logical_id, module in handlers.items()}


@pytest.mark.parametrize("module", LARGE)
def test_what_is_large_is_loaded_by_who_uses_it(
    module: str, loaded: Mapping[str, Sequence[str]]
) -> None:
    assert {each for each, modules in loaded.items() if module in modules} == LARGE[module]


@pytest.mark.parametrize("logical_id", OF_CALLS_ALONE)
def test_calls_are_taken_without_what_is_about_them(
    logical_id: str, loaded: Mapping[str, Sequence[str]]
) -> None:
    assert NOT_OF_CALLS.isdisjoint(loaded[logical_id])


def test_who_asks_loads_nothing_of_who_does(loaded: Mapping[str, Sequence[str]]) -> None:
    assert "retorno.calls.service" not in loaded["ReadDashboard"]
    assert "retorno.personal_data.fulfilment" not in loaded["ManagePersonalData"]
