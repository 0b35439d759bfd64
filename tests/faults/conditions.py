"""The conditions on which the stores write: all of them, found in their code, and how to break one.

A site is a place where a write is said to hold only if something stands.
"""

import ast
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from pynamodb.transactions import TransactWrite

from retorno import dynamodb
from retorno.dynamodb import PreparedUpdate, Write

LAYER = Path(dynamodb.__file__).parent
CONDITION = "condition"

# Where a condition stands among what each is given, without a name.
PLACES = {"Write": 1, "PreparedUpdate": 2, "update": 2, "delete": 1}


class Site(NamedTuple):
    """`name` is like "callbacks.store.ContactStore.reserve" with, of several there, a number."""

    name: str
    module: str
    file: str
    first: int
    last: int


@cache
def sites() -> dict[str, Site]:
    found: dict[str, Site] = {}
    for path in sorted(LAYER.rglob("*.py")):
        if path == LAYER / "dynamodb.py":
            continue
        module = ".".join(path.relative_to(LAYER).with_suffix("").parts)
        seen: Counter[str] = Counter()
        for function, call in _conditional(ast.parse(path.read_text(encoding="utf-8")), ()):
            name = f"{module}.{function}"
            seen[name] += 1
            name += f" {seen[name]}" if seen[name] > 1 else ""
            found[name] = Site(name, module, str(path), call.lineno, call.end_lineno or 0)
    return found


def _conditional(node: ast.AST, within: tuple[str, ...]) -> Iterator[tuple[str, ast.Call]]:
    for child in ast.iter_child_nodes(node):
        names = within
        if isinstance(child, ast.ClassDef | ast.FunctionDef):
            names = (*within, child.name)
        if isinstance(child, ast.Call) and _has_condition(child):
            yield ".".join(within), child
        yield from _conditional(child, names)


def _has_condition(call: ast.Call) -> bool:
    if any(keyword.arg == CONDITION for keyword in call.keywords):
        return True
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    return name in PLACES and len(call.args) > PLACES[name]


@contextmanager
def broken(site: Site) -> Iterator[None]:
    """Writes there hold whatever stands."""
    module = import_module(f"retorno.{site.module}")

    patches = [
        patch.object(Write, "__init__", _without_condition(site, Write.__init__)),
        patch.object(TransactWrite, "save", _without_condition(site, TransactWrite.save)),
        patch.object(PreparedUpdate, "__init__", _without_condition(site, PreparedUpdate.__init__)),
    ]
    patches += [
        patch.object(module, name, _without_condition(site, getattr(module, name)))
        for name in ("update", "delete")
        if hasattr(module, name)
    ]
    with ExitStack() as stack:
        for each in patches:
            stack.enter_context(each)
        yield


def _without_condition(site: Site, do: Callable[..., Any]) -> Callable[..., Any]:
    names = do.__code__.co_varnames[: do.__code__.co_argcount]

    def done(*args: Any, **kwargs: Any) -> Any:
        caller = sys._getframe(1)
        is_here = caller.f_code.co_filename == site.file
        if is_here and site.first <= caller.f_lineno <= site.last:
            given = dict(zip(names, args, strict=False)) | kwargs
            return do(**given | {CONDITION: None})
        return do(*args, **kwargs)

    return done
