"""The analysis of a base as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from lunagpt.rag import analysis_wording as wording
from lunagpt.rag.analysis import Analysis
from lunagpt.reporting.markdown import bar, escaped, table
from lunagpt.reporting.numbers import number, percent
from lunagpt.reporting.wording import listing

_MOST_PAIRS = 10


def markdown_report(analysis: Analysis) -> str:
    """The whole analysis as Markdown, with bars of block characters."""
    return "\n\n".join(_blocks(analysis)) + "\n"


def _blocks(analysis: Analysis) -> Iterator[str]:
    yield f"# {wording.TITLE}"
    yield f"**{escaped(wording.summary(analysis))}**"
    if tips := wording.advice(analysis):
        yield "## O que fazer"
        yield "\n".join(f"- {escaped(tip)}" for tip in tips)
    yield "## Do que a base fala"
    yield _topics(analysis)
    if analysis.coverage:
        yield "## Perguntas de referência"
        yield from _coverage(analysis)
    yield "## Qualidade da busca"
    yield from _quality(analysis)
    if analysis.quality.duplicates:
        yield "## Trechos repetidos"
        yield from _duplicates(analysis)
    yield "## Documentos e trechos"
    kinds = [f"{number(n, 0)} de tipo {kind}" for kind, n in analysis.file_types.items()]
    yield escaped(f"Documentos: {listing(kinds)}. {wording.length_sentence(analysis.lengths)}")
    yield "## Como foi feito"
    yield table(("Dado", "Valor"), [[escaped(n), escaped(v)] for n, v in analysis.settings.items()])
    yield METHOD if not analysis.by_vectors else METHOD_VECTORS


def _topics(analysis: Analysis) -> str:
    largest = max((topic.share for topic in analysis.topics), default=1.0)
    rows = [
        [escaped(topic.label), percent(topic.share), bar(topic.share / largest), escaped("; ".join(examples))]
        for topic, examples in zip(analysis.topics, analysis.examples, strict=True)
    ]
    return table(("Assunto", "Trechos", "", "Documentos típicos"), rows, right=(1,))


def _coverage(analysis: Analysis) -> Iterator[str]:
    yield wording.COVERAGE_NOTE
    rows = [
        [
            escaped(q.query),
            number(q.relevance),
            bar(q.relevance, 10),
            "provável" if q.covered else "**não encontrada**",
        ]
        for q in sorted(analysis.coverage, key=lambda q: q.relevance)
    ]
    yield table(("Pergunta", "Relevância", "", "Resposta"), rows, right=(1,))
    for gap in analysis.gaps:
        yield f"**{escaped(gap.query)}**: os trechos mais próximos"
        nearest = [f"- {escaped(wording.place(p))}: {escaped(wording.quote(p))}" for p in gap.passages]
        yield "\n".join(nearest or ["- nenhum trecho tem as palavras da pergunta"])


def _quality(analysis: Analysis) -> Iterator[str]:
    rows = [[escaped(name), escaped(value)] for name, value in wording.quality_rows(analysis)]
    yield table(("Medida", "Valor"), rows, right=(1,))
    yield wording.RETRIEVAL_NOTE
    if analysis.quality.model:
        yield wording.GEOMETRY_NOTE
    if scores := analysis.quality.query_scores:
        tested = [[escaped(query), number(score), bar(score, 10)] for query, score in scores.items()]
        yield table(("Consulta de teste", "Relevância", ""), tested, right=(1,))


def _duplicates(analysis: Analysis) -> Iterator[str]:
    pairs = analysis.quality.duplicates
    yield "\n".join(
        f"- “{escaped(a)}” e “{escaped(b)}”: {percent(s, 0)} das sequências de cinco palavras em comum"
        for a, b, s in pairs[:_MOST_PAIRS]
    )
    if len(pairs) > _MOST_PAIRS:
        yield f"E mais {number(len(pairs) - _MOST_PAIRS, 0)} pares."


_LABELS = "O nome de cada um são as palavras que mais o distinguem dos outros."
METHOD = f"Os assuntos são grupos de trechos com palavras em comum (k-médias sobre TF-IDF). {_LABELS}"
METHOD_VECTORS = (
    f"Os assuntos são grupos de trechos de sentido próximo (k-médias sobre os vetores). {_LABELS}"
)
