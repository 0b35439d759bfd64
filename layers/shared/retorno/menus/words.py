"""What every menu says beside its own words."""

from collections.abc import Mapping
from dataclasses import dataclass

from retorno.menus.model import Language


@dataclass(frozen=True, slots=True)
class Words:
    wrong_key: str
    one_moment: str
    still_waiting: str
    callback_asked: str
    callback_failed: str
    type_number: str
    no_number: str
    read_back: str
    do_not_call_noted: str
    do_not_call_failed: str


WORDS: Mapping[Language, Words] = {
    Language.BRAZIL: Words(
        wrong_key="Opção inválida.",
        one_moment="Desculpe, estamos com uma dificuldade. Aguarde um momento, por favor.",
        still_waiting="Desculpe, a fila está cheia agora. Continue na linha, por favor.",
        callback_asked="Anotado. Ligaremos de volta, e o seu lugar na fila está guardado.",
        callback_failed="Desculpe, não conseguimos anotar o seu pedido. Fique na linha para falar "
        "com um atendente.",
        type_number="Digite o número para o qual devemos ligar, com o DDD, e depois a tecla "
        "jogo da velha.",
        no_number="Este número não é válido.",
        read_back="O número é {digits}. Para confirmar, digite 1. Para digitar de novo, digite 2.",
        do_not_call_noted="Anotado. O seu número não receberá mais as nossas ligações.",
        do_not_call_failed="Desculpe, não conseguimos anotar o seu pedido. Por favor, diga-o a um "
        "atendente.",
    ),
    Language.PORTUGAL: Words(
        wrong_key="Opção inválida.",
        one_moment="Pedimos desculpa, estamos com uma dificuldade. Aguarde um momento, por favor.",
        still_waiting="Pedimos desculpa, a fila está cheia neste momento. Mantenha-se em linha, "
        "por favor.",
        callback_asked="Está registado. Vamos ligar-lhe de volta, e o seu lugar na fila está "
        "guardado.",
        callback_failed="Pedimos desculpa, não foi possível registar o seu pedido. Mantenha-se em "
        "linha para falar com um assistente.",
        type_number="Marque o número para o qual devemos ligar e, no fim, a tecla cardinal.",
        no_number="Esse número não é válido.",
        read_back="O número é {digits}. Para confirmar, prima 1. Para marcar de novo, prima 2.",
        do_not_call_noted="Está registado. O seu número não voltará a receber as nossas chamadas.",
        do_not_call_failed="Pedimos desculpa, não foi possível registar o seu pedido. Por favor, "
        "diga-o a um assistente.",
    ),
}

# Of a menu that cannot be read nobody knows which voice it has: it is that of the country.
LANGUAGES: Mapping[str, Language] = {"BR": Language.BRAZIL, "PT": Language.PORTUGAL}
