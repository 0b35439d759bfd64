"""The whole system on one machine: an embedded cloud with this project's template deployed in it.

`python -m local up` starts it, `python -m local --help` says the rest.
"""
