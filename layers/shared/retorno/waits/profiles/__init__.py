"""The rules that a queue can go by: a JSON file for each law. None of it is legal advice."""

from functools import cache
from importlib.resources import files

from retorno.waits.model import Profile, Rule

OF_COUNTRY = {"BR": "br-decreto-11034-2022/waiting", "PT": "pt-dl-134-2009/waiting"}


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


@cache
def all_rules() -> dict[str, Rule]:
    """By id."""
    return {rule.id: rule for profile in all_profiles().values() for rule in profile.rules}
