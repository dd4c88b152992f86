"""Words that exclude one another: what begins does not end, Monday is not Tuesday."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from lunagpt.chat.grounding.words import fold

# One set of alternatives a line, parted by "/"; the words of one alternative mean the same. Behind "~" stand
# those that a range holds together: "de segunda a sexta" tells of Wednesday, "das 8h às 18h" when it closes.
_ALTERNATIVES = """
~abre abrem abrir abriu aberto aberta abertos abertas / fecha fecham fechar fechou fechado fechada encerra
~começa começam começar começou começaram início inicia iniciou / termina terminam terminou término acaba fim
~entrada entra entram entrar / saída sai saem sair
~segunda segundas / terça terças / quarta quartas / quinta quintas / sexta sextas / sábado sábados / domingo\
 domingos
~janeiro / fevereiro / março / abril / maio / junho / julho / agosto / setembro / outubro / novembro /\
 dezembro
~verão / outono / inverno / primavera
~manhã / tarde / noite / madrugada
ontem / hoje / amanhã
primeiro primeira / último última
primeiro primeira / segundo segunda / terceiro terceira / quarto quarta / quinto quinta / sexto sexta
ida / volta
compra comprar comprou / venda vender vendeu
nasceu nascimento / morreu morte
mínimo mínima mínimos mínimas / máximo máxima máximos máximas
maior maiores / menor menores
melhor melhores / pior piores
mais / menos
""".strip().splitlines()

_Place = tuple[int, int]  # line and alternative


@lru_cache(maxsize=1)
def _places() -> Mapping[str, frozenset[_Place]]:
    table: dict[str, set[_Place]] = {}
    for line, alternatives in enumerate(_ALTERNATIVES):
        for side, forms in enumerate(alternatives.removeprefix("~").split("/")):
            for form in forms.split():
                table.setdefault(fold(form), set()).add((line, side))
    return {form: frozenset(places) for form, places in table.items()}


def exclude(first: str, second: str, *, in_range: bool = False) -> bool:
    """Whether two words (folded) are different alternatives of one thing ("abre", "encerram").

    Args:
        first, second: the words.
        in_range: the text of one of them tells a range; alternatives that it may hold do not count.
    """
    mine, theirs = _places().get(first, frozenset()), _places().get(second, frozenset())
    return mine.isdisjoint(theirs) and any(
        line == other and not (in_range and _ALTERNATIVES[line].startswith("~"))
        for line, _ in mine
        for other, _ in theirs
    )
