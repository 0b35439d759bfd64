"""Retorno: no missed customer is lost."""

import gc

# What is loaded stays: to look it through for garbage, fifty times, is a twentieth of a cold start.
gc.set_threshold(50_000)
