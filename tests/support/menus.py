"""Menus to be tested with: one that a call centre could have, and any that is valid."""

from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from retorno.errors import InvalidInput
from retorno.menus.model import Tree

WAITING = {
    "prompt": {"kind": "speak", "text": "Se preferir que liguemos de volta, digite 1."},
    "music": "https://media.example.com/espera.mp3",
    "key": "1",
    "then": "ligamos",
}

WELCOME: dict[str, Any] = {
    "name": "Atendimento",
    "language": "pt-BR",
    "start": "ola",
    "nodes": {
        "ola": {"kind": "speak", "text": "Bem-vindo à Loja & Cia.", "next": "principal"},
        "principal": {
            "kind": "menu",
            "prompt": {"kind": "speak", "text": "Vendas, 1. Suporte, 2. Não ligar mais, 9."},
            "options": {"1": "vendas", "2": "suporte", "9": "sair", "#": "ola"},
            "on_silence": "vendas",
            "on_wrong_key": "suporte",
            "repeats": 1,
        },
        "vendas": {"kind": "queue", "name": "vendas", "waiting": WAITING},
        "suporte": {"kind": "queue", "name": "suporte"},
        "ligamos": {"kind": "callback", "queue": "vendas", "next": "fim"},
        "sair": {"kind": "do_not_call", "next": "fim"},
        "fim": {"kind": "hang_up"},
    },
}

FIRST_WORDS: dict[str, Any] = {
    "name": "Retorno",
    "use": "first_words",
    "language": "pt-BR",
    "start": "pergunta",
    "nodes": {
        "pergunta": {
            "kind": "menu",
            "prompt": {"kind": "speak", "text": "Para falar conosco, 1. Para não receber mais, 9."},
            "options": {"1": "falar", "9": "sair"},
            "on_silence": "fim",
            "repeats": 0,
        },
        "falar": {"kind": "connect"},
        "sair": {"kind": "do_not_call", "next": "fim"},
        "fim": {"kind": "hang_up"},
    },
}

KEYS = "0123456789*#"
ENDS = {"incoming": ("queue", "hang_up"), "first_words": ("connect", "hang_up")}
BETWEEN = {
    "incoming": ("speak", "play", "menu", "callback", "do_not_call"),
    "first_words": ("speak", "play", "menu", "do_not_call"),
}

texts = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cn"]), min_size=1, max_size=20
).filter(str.strip)
prompts = st.one_of(
    st.builds(lambda text: {"kind": "speak", "text": text}, texts),
    st.just({"kind": "play", "url": "https://media.example.com/a.mp3"}),
)


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Ways that take no key lead to later nodes, those that take one to any."""
    use = draw(st.sampled_from(sorted(ENDS)))
    count = draw(st.integers(1, 12))
    nodes: dict[str, dict[str, Any]] = {}
    for index in range(count):
        is_last = index == count - 1
        kinds = ENDS[use] if is_last else ENDS[use] + BETWEEN[use]
        later = st.integers(index + 1, max(index + 1, count - 1)).map(lambda each: f"n{each}")
        anywhere = st.integers(0, count - 1).map(lambda each: f"n{each}")
        nodes[f"n{index}"] = draw(_node(draw(st.sampled_from(kinds)), later, anywhere))
    tree = _of_reached(use, nodes)
    assume(not _is_too_deep(tree))
    return tree


def _node(
    kind: str, later: st.SearchStrategy[str], anywhere: st.SearchStrategy[str]
) -> st.SearchStrategy[dict[str, Any]]:
    fields: dict[str, st.SearchStrategy[Any]] = {"kind": st.just(kind)}
    if kind in ("speak", "play", "callback", "do_not_call"):
        fields["next"] = later
    match kind:
        case "speak":
            fields["text"] = texts
        case "play":
            fields["url"] = st.just("https://media.example.com/b.mp3")
        case "menu":
            fields |= {
                "prompt": prompts,
                "options": st.dictionaries(st.sampled_from(KEYS), anywhere, min_size=1),
                "on_silence": later,
                "on_wrong_key": st.none() | later,
                "repeats": st.integers(0, 2),
            }
        case "queue":
            waiting = st.fixed_dictionaries(
                {"prompt": prompts, "key": st.sampled_from(KEYS), "then": anywhere}
            )
            fields |= {
                "name": st.sampled_from(["vendas", "suporte"]),
                "waiting": st.none() | waiting,
            }
        case "callback":
            fields |= {"queue": st.just("retorno"), "words": st.none() | prompts}
    return st.fixed_dictionaries(fields)


def _of_reached(use: str, nodes: dict[str, dict[str, Any]]) -> Tree:
    """Without the nodes that no way leads to."""
    reached, looking = set(), ["n0"]
    while looking:
        name = looking.pop()
        if name not in reached:
            reached.add(name)
            looking += _targets(nodes[name])
    kept = {name: each for name, each in nodes.items() if name in reached}
    return Tree.model_validate(
        {"name": "Qualquer", "language": "pt-BR", "use": use, "start": "n0", "nodes": kept}
    )


def _is_too_deep(tree: Tree) -> bool:
    """Of all that may be wrong with a tree, those that are drawn here have this alone."""
    try:
        tree.check()
    except InvalidInput as problem:
        return "keys away" in problem.reason
    return False


def _targets(node: dict[str, Any]) -> list[str]:
    ways = [node.get("next"), node.get("on_silence"), node.get("on_wrong_key")]
    ways += node.get("options", {}).values()
    ways.append((node.get("waiting") or {}).get("then"))
    return [way for way in ways if way]
