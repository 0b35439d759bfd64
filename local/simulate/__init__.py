"""A small call centre that rings, misses and wins back, played against a running stack.

`people`, `centre` and `carrier` are the simulation: virtual time, no I/O, one seed. `truth` reckons
what the product should find. `__main__` plays them against the API, and `view` shows it.
"""
