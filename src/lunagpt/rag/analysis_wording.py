"""What an analysis of a base found, in Portuguese sentences: shared by the Markdown and the HTML report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from lunagpt.rag.analysis import Analysis
from lunagpt.rag.passages import Passage, context_line
from lunagpt.reporting.numbers import count, number, percent
from lunagpt.reporting.wording import listing, shortened

TITLE = "Análise da base de documentos"
_MAIN_TOPICS = 3
_QUOTE = 180  # characters of a passage that are shown
_FEW_WORDS = 25
_SHORT_SHARE = 0.2
_GOOD_RETRIEVAL = 0.9
_DUPLICATE_SHARE = 0.05

COVERAGE_NOTE = (
    "A relevância vai de 0 a 1 e estima a probabilidade de o melhor trecho responder à pergunta; o limiar é "
    "o que separa resposta de “não encontrei”. Ela tem o mesmo sentido com qualquer modelo de vetores."
)
RETRIEVAL_NOTE = (
    "Cada título da amostra foi buscado como se fosse uma pergunta. Como os trechos levam o título do "
    "documento, é uma verificação de funcionamento: um valor baixo indica títulos repetidos ou vetores com "
    "defeito."
)
GEOMETRY_NOTE = (
    "O cosseno médio entre trechos ao acaso diz se os vetores usam o espaço todo (perto de 0) ou apontam "
    "para o mesmo lado (perto de 1). Há modelos que ficam entre 0,7 e 0,9 por construção: compare só bases "
    "do mesmo modelo."
)


def summary(analysis: Analysis) -> str:
    """The base in two or three sentences."""
    sentences = [
        f"A base tem {count(analysis.documents, 'documento', 'documentos')}, em "
        f"{count(analysis.passages, 'trecho', 'trechos')}"
    ]
    topics = [topic.label for topic in analysis.topics[:_MAIN_TOPICS]]
    if len(analysis.topics) > 1:
        sentences[0] += f". Os maiores assuntos: {'; '.join(topics)}"
    text = sentences[0] + "."
    if analysis.coverage:
        covered = len(analysis.coverage) - len(analysis.gaps)
        total = len(analysis.coverage)
        text += (
            f" Das {total} perguntas de referência, {covered} {'têm' if covered != 1 else 'tem'} resposta "
            f"provável ({percent(covered / total, 0)})."
            if total > 1
            else f" A pergunta de referência {'tem' if covered else 'não tem'} resposta provável."
        )
    return text


def figures(analysis: Analysis) -> list[tuple[str, str]]:
    """The numbers that a reader looks for first, each with what it counts."""
    quality = analysis.quality
    shown = [
        (number(analysis.documents, 0), "documentos"),
        (number(analysis.passages, 0), "trechos"),
        (number(len(analysis.topics), 0), "assuntos"),
    ]
    if analysis.coverage:
        covered = 1 - len(analysis.gaps) / len(analysis.coverage)
        shown.append((percent(covered, 0), "das perguntas com resposta"))
    if quality.model:
        shown.append((percent(quality.embedded_share, 0), "dos trechos com vetor"))
    return shown


def advice(analysis: Analysis) -> list[str]:
    """What to do about what was found; empty if all is well."""
    quality, found = analysis.quality, []
    if analysis.gaps:
        first = listing([f"“{gap.query}”" for gap in analysis.gaps[:_MAIN_TOPICS]])
        rest = len(analysis.gaps) - _MAIN_TOPICS
        more = f" e mais {rest}" if rest > 0 else ""
        found.append(f"Acrescente documentos que respondam a {first}{more}.")
    if not quality.model:
        found.append(
            "A base não tem vetores e só encontra as palavras da pergunta. Para buscar também pelo sentido, "
            'instale o modelo (pip install "lunagpt[rag]") e indexe de novo.'
        )
    elif quality.embedded_share < 1:
        missing = analysis.passages - round(quality.embedded_share * analysis.passages)
        verb = "está" if missing == 1 else "estão"
        found.append(
            f"{count(missing, 'trecho', 'trechos')} ainda {verb} sem vetor: rode a indexação até o fim."
        )
    if quality.self_retrieval < _GOOD_RETRIEVAL:
        found.append(
            f"Só {percent(quality.self_retrieval, 0)} dos títulos levam ao próprio documento: procure "
            "títulos repetidos ou que não dizem nada."
        )
    if quality.duplicate_share > _DUPLICATE_SHARE:
        found.append(
            f"{percent(quality.duplicate_share, 0)} dos trechos repetem outros quase por inteiro: remova as "
            "cópias, que tomam o lugar de outras respostas."
        )
    if analysis.without_passages:
        found.append(
            f"{count(analysis.without_passages, 'documento não tem', 'documentos não têm')} texto que se "
            "possa buscar: confira se são imagens digitalizadas ou arquivos vazios."
        )
    short = sum(length < _FEW_WORDS for length in analysis.lengths)
    if short > _SHORT_SHARE * len(analysis.lengths):
        found.append(
            f"{percent(short / len(analysis.lengths), 0)} dos trechos têm menos de {_FEW_WORDS} palavras e "
            "dizem pouco sozinhos: junte notas curtas num documento só."
        )
    return found


def quality_rows(analysis: Analysis) -> Iterator[tuple[str, str]]:
    """Names and values of the figures on search; what was not measured is left out."""
    quality = analysis.quality
    yield "Nota média (0 a 1)", number(quality.mean_score)
    if not math.isnan(quality.self_retrieval):
        sample = count(quality.sample_size, "título", "títulos")
        yield f"O título leva ao documento ({sample})", percent(quality.self_retrieval, 0)
    if quality.query_scores:
        yield "Relevância média das consultas de teste", number(quality.query_relevance)
    yield "Trechos que repetem outro", percent(quality.duplicate_share)
    if quality.model:
        yield "Trechos com vetor", percent(quality.embedded_share)
        yield "Dimensões dos vetores", number(quality.dimension, 0)
    if not math.isnan(quality.mean_cosine):
        yield "Cosseno médio entre trechos ao acaso", number(quality.mean_cosine)
    if not math.isnan(quality.effective_dimensions):
        yield "Dimensões efetivas", number(quality.effective_dimensions, 0)


def length_sentence(lengths: Sequence[int]) -> str:
    """How long the passages are."""
    ordered = sorted(lengths)
    middle = ordered[len(ordered) // 2]
    low, high = ordered[len(ordered) // 20], ordered[-1 - len(ordered) // 20]
    return (
        f"Metade dos trechos tem até {count(middle, 'palavra', 'palavras')}; nove em cada dez têm de "
        f"{number(low, 0)} a {number(high, 0)}."
    )


def place(passage: Passage) -> str:
    """Where a passage stands: title, headings, page."""
    line = context_line(passage.title or passage.document_id, passage.heading_path)
    return line if passage.page is None else f"{line}, página {passage.page}"


def quote(passage: Passage) -> str:
    """The beginning of a passage."""
    return shortened(passage.content, _QUOTE)
