"""The profiles that a deployment can switch on: a JSON file each. None of it is legal advice."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from retorno.calling_rules.model import Profile

NONE = "none"

OF_COUNTRY = {
    "BR": ("br-telecom-code-2019", "br-rj-7853-2018", "br-es-10626-2017"),
    "PT": ("pt-dl-134-2009",),
}


@cache
def all_profiles() -> dict[str, Profile]:
    """By id."""
    found = sorted(files(__name__).iterdir(), key=lambda file: file.name)
    profiles = [
        Profile.model_validate_json(file.read_text(encoding="utf-8"))
        for file in found
        if file.name.endswith(".json")
    ]
    return {profile.id: profile for profile in profiles}


def chosen(names: Sequence[str], country: str) -> Sequence[Profile]:
    """The profiles of these ids; the country's own where none is named, and "none" for none.

    Raises KeyError for an unknown id.
    """
    if tuple(names) == (NONE,):
        return ()
    return [all_profiles()[name] for name in names or OF_COUNTRY[country]]
