"""The analysis of a base as one HTML file with charts."""

from __future__ import annotations

import math

import numpy as np

from lunagpt.rag import analysis_report
from lunagpt.rag import analysis_wording as wording
from lunagpt.rag.analysis import Analysis
from lunagpt.reporting import charts
from lunagpt.reporting.charts import Mark, Row, Scale
from lunagpt.reporting.html import Html, element, facts, items, join, page, pairs, paragraph, section, table
from lunagpt.reporting.numbers import count, number, percent
from lunagpt.reporting.wording import listing

_UNIT = Scale(0.0, 1.0, lambda value: number(value, 1), (0.0, 0.2, 0.4, 0.6, 0.8, 1.0))
_MOST_QUESTIONS = 60  # in the chart; the worst ones
_MOST_PAIRS = 10
_OPEN_GAPS = 5
_LENGTH_BINS = 24


def html_report(analysis: Analysis) -> str:
    """The whole analysis as one HTML file."""
    body = [
        paragraph(wording.summary(analysis), class_="lead"),
        facts(wording.figures(analysis)),
    ]
    if tips := wording.advice(analysis):
        body.append(element("div", element("h3", "O que fazer"), items(tips), class_="box"))
    body.append(_topics(analysis))
    if analysis.coverage:
        body.append(_questions(analysis))
    body.append(_search(analysis))
    if analysis.quality.duplicates:
        body.append(_repetitions(analysis))
    body.append(_sizes(analysis))
    method = analysis_report.METHOD_VECTORS if analysis.by_vectors else analysis_report.METHOD
    body.append(section("Como foi feito", pairs(analysis.settings.items()), paragraph(method, class_="soft")))
    return page(wording.TITLE, body, description=wording.summary(analysis))


def _topics(analysis: Analysis) -> Html:
    largest = max((topic.share for topic in analysis.topics), default=1.0)
    rows = [
        Row(topic.label, percent(topic.share), (Mark(0, topic.share),), spoken=percent(topic.share))
        for topic in analysis.topics
    ]
    caption = element("figcaption", "Parte dos trechos em cada assunto.")
    chart = element("figure", caption, charts.bars(rows, Scale(0.0, largest)), class_="chart")
    details = table(
        ("Assunto", "Outras palavras", "Documentos típicos"),
        [
            (topic.label, listing(topic.terms[3:8]), "; ".join(examples))
            for topic, examples in zip(analysis.topics, analysis.examples, strict=True)
        ],
        caption="O que há em cada assunto",
    )
    return section("Do que a base fala", chart, details)


def _questions(analysis: Analysis) -> Html:
    ordered = sorted(analysis.coverage, key=lambda q: q.relevance)
    rows = [
        Row(
            q.query,
            "resposta provável" if q.covered else "não encontrada",
            (Mark(0 if q.covered else 1, q.relevance),),
            chance=q.threshold,
            spoken=f"relevância {number(q.relevance)}, limiar {number(q.threshold)}",
        )
        for q in ordered[:_MOST_QUESTIONS]
    ]
    key = charts.legend(
        ["resposta provável", "não encontrada"], [(charts.chance_sample(), "limiar de relevância")]
    )
    caption = element("figcaption", "Relevância do melhor trecho para cada pergunta, da pior à melhor.")
    parts = [
        paragraph(wording.COVERAGE_NOTE, class_="soft"),
        element("figure", caption, key, charts.strips(rows, _UNIT), class_="chart"),
    ]
    if len(ordered) > _MOST_QUESTIONS:
        rest = count(len(ordered) - _MOST_QUESTIONS, "pergunta", "perguntas")
        parts.append(paragraph(f"O gráfico deixa de fora as {rest} de maior relevância.", class_="soft"))
    if analysis.gaps:
        parts.append(element("h3", "Lacunas e os trechos mais próximos"))
    for i, gap in enumerate(analysis.gaps):
        nearest = [
            join((element("b", wording.place(p)), f" ({number(p.score)}): ", wording.quote(p)))
            for p in gap.passages
        ]
        content = items(nearest) if nearest else paragraph("Nenhum trecho tem as palavras da pergunta.")
        title = element("summary", f"{gap.query} (relevância {number(gap.relevance)})")
        parts.append(element("details", title, content, open=i < _OPEN_GAPS))
    return section("Perguntas de referência", *parts)


def _search(analysis: Analysis) -> Html:
    quality = analysis.quality
    parts = [
        table(("Medida", "Valor"), wording.quality_rows(analysis), right=(1,), caption="Medidas da busca"),
        paragraph(wording.RETRIEVAL_NOTE, class_="soft"),
    ]
    if quality.cosine_counts and not math.isnan(quality.mean_cosine):
        low, high = quality.cosine_span
        ticks = tuple(low + (high - low) * i / 4 for i in range(5))
        scale = Scale(low, high, lambda value: number(value, 2), ticks)
        said = (
            f"Cosseno entre pares de trechos ao acaso: de {number(low)} a {number(high)}, "
            f"em média {number(quality.mean_cosine)}"
        )
        drawing = charts.histogram(quality.cosine_counts, scale, spoken=said)
        caption = element("figcaption", said + ".")
        parts += [
            element("figure", caption, drawing, class_="chart"),
            paragraph(wording.GEOMETRY_NOTE, class_="soft"),
        ]
    if quality.query_scores:
        rows = [
            Row(query, number(score), (Mark(0, score),), spoken=number(score))
            for query, score in quality.query_scores.items()
        ]
        caption = element("figcaption", "Relevância do melhor trecho para cada consulta de teste.")
        parts.append(element("figure", caption, charts.strips(rows, _UNIT), class_="chart"))
    return section("Qualidade da busca", *parts)


def _repetitions(analysis: Analysis) -> Html:
    duplicates = analysis.quality.duplicates
    rows = [(a, b, percent(share, 0)) for a, b, share in duplicates[:_MOST_PAIRS]]
    content = table(("Trecho de", "e de", "Em comum"), rows, right=(2,), caption="Os pares mais parecidos")
    rest = len(duplicates) - len(rows)
    more = paragraph(f"E mais {count(rest, 'par', 'pares')}.", class_="soft") if rest > 0 else Html("")
    note = paragraph(
        "Parte das sequências de cinco palavras que os dois trechos têm em comum.", class_="soft"
    )
    return section("Trechos repetidos", note, content, more)


def _sizes(analysis: Analysis) -> Html:
    kinds = [f"{number(n, 0)} de tipo {kind}" for kind, n in analysis.file_types.items()]
    longest = float(max(analysis.lengths))
    counts, _ = np.histogram(analysis.lengths, bins=_LENGTH_BINS, range=(0.0, longest))
    ticks = tuple(longest * i / 4 for i in range(5))
    scale = Scale(0.0, longest, lambda value: number(value, 0), ticks)
    said = wording.length_sentence(analysis.lengths)
    drawing = charts.histogram([int(c) for c in counts], scale, spoken=f"Palavras por trecho. {said}")
    caption = element("figcaption", f"Palavras por trecho. {said}")
    intro = paragraph(f"Documentos: {listing(kinds)}.")
    return section("Documentos e trechos", intro, element("figure", caption, drawing, class_="chart"))
