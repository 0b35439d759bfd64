"""How long callers may wait, and whether they did."""
