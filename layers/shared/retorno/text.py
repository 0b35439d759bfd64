"""Texts that people write, brought to what two ways of writing one thing have in common."""

import unicodedata


def fold(text: str) -> str:
    """Without accents, case and surplus space: "  JOSÉ\\t da Silva" is "jose da silva"."""
    parts = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return " ".join("".join(part for part in parts if not unicodedata.combining(part)).split())
