"""Retorno: no missed customer is lost."""
