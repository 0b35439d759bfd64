"""What a deployed stack is known by: the addresses, names and keys that its callers need."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from local.errors import CloudError

ROOT = Path(__file__).parent.parent
HOME = ROOT / ".local"


@dataclass(frozen=True)
class Stack:
    """One stack of the embedded cloud; `stack.json` in the cloud's home holds it for others."""

    name: str
    stage: str
    settings: dict[str, str]
    """Parameters of the template that were chosen."""
    region: str
    port: int
    endpoint_url: str
    api_url: str
    live_url: str
    resources: dict[str, str]
    """Physical ids by logical id."""
    tokens: dict[str, str] = field(repr=False)
    """An ID token for a user of each group, good for one shift."""
    webhook_secret: str = field(repr=False)
    twilio_secret: str = field(repr=False)
    zenvia_secret: str = field(repr=False)
    dial_secret: str = field(repr=False)
    """Signs orders to call; empty where a provider's credentials took its place."""

    @classmethod
    def read(cls, home: Path = HOME) -> Self:
        """Raises `CloudError` when nothing was ever deployed from this home."""
        try:
            return cls(**json.loads(_file(home).read_text()))
        except (FileNotFoundError, TypeError):  # none, or one that an older version wrote
            raise CloudError("Nothing is deployed here yet: run `python -m local up`.") from None

    def write(self, home: Path) -> None:
        _file(home).write_text(json.dumps(asdict(self), indent=2) + "\n")


def _file(home: Path) -> Path:
    return home / "stack.json"
