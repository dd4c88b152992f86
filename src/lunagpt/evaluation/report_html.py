"""The report of a comparison as one HTML file with charts."""

from __future__ import annotations

from collections.abc import Sequence

from lunagpt.evaluation import findings, report_rows
from lunagpt.evaluation.comparison import Comparison, TaskComparison, floor, radar_tasks
from lunagpt.reporting import charts
from lunagpt.reporting.charts import Mark, Row, Scale
from lunagpt.reporting.html import Html, element, facts, join, page, pairs, paragraph, section, table
from lunagpt.reporting.numbers import count, number, percent, points

_SHARES = Scale(0.0, 1.0, lambda share: percent(share, 0), (0.0, 0.25, 0.5, 0.75, 1.0))


def html_report(comparison: Comparison) -> str:
    """The whole report as one HTML file with charts."""
    sentences = findings.summary(comparison)
    body = [paragraph(sentences[0], class_="lead")]
    notes = [*sentences[1:], *findings.hollow_wins(comparison), *comparison.notices]
    if notes:
        body.append(element("div", *(paragraph(note) for note in notes), class_="box"))
    if comparison.tasks:
        body.append(_overview(comparison))
        body.append(_results(comparison))
        body += [_duel(comparison, other) for other in range(1, len(comparison.models))]
        body.append(_radar(comparison))
    if comparison.samples:
        body.append(_samples(comparison))
    if comparison.speed:
        body.append(_speed(comparison))
    body.append(_making(comparison))
    title = findings.heading(comparison)
    return page(title, body, description=sentences[0])


def _overview(comparison: Comparison) -> Html:
    answered = sum(task.results[0].n for task in comparison.tasks)
    figures = [
        (number(len(comparison.models), 0), "modelos"),
        (number(len(comparison.tasks), 0), "tarefas" if len(comparison.tasks) != 1 else "tarefa"),
        (number(answered, 0), "itens por modelo"),
    ]
    if len(comparison.models) == 2:
        found = comparison.findings(1)
        shown = len(found["melhor"]) + len(found["pior"])
        figures.append((f"{shown}", "diferenças demonstradas" if shown != 1 else "diferença demonstrada"))
    return facts(figures)


def _results(comparison: Comparison) -> Html:
    names = [model.name for model in comparison.models]
    shares = [task for task in comparison.tasks if task.results[0].is_share]
    parts: list[Html] = []
    if shares:
        rows = [
            Row(
                task.title,
                f"{task.results[0].metric_title}, n = {number(task.results[0].n, 0)}",
                tuple(
                    Mark(i, m.value, m.low, m.high, hollow=not m.says_something)
                    for i, m in enumerate(task.results)
                ),
                floor(task.results[0]),
                findings.spoken(task, names),
            )
            for task in shares
        ]
        key = charts.legend(
            names, [(charts.chance_sample(), "acaso"), (charts.hollow_sample(), "vazio: não passa do acaso")]
        )
        caption = element("figcaption", "Valor de cada modelo com o intervalo de 95 %.")
        parts.append(element("figure", caption, key, charts.strips(rows, _SHARES), class_="chart"))
    note = paragraph(findings.CHANCE_NOTE, class_="soft")
    numbers = _values(comparison, comparison.tasks, "Valores e intervalos de 95 %")
    if comparison.others:
        caption_text = "Outras medidas das mesmas tarefas, sem teste de significância"
        numbers = join((numbers, _values(comparison, comparison.others, caption_text)))
    return section("Resultados", *parts, note, numbers)


def _values(comparison: Comparison, tasks: Sequence[TaskComparison], caption: str) -> Html:
    headers = report_rows.value_headers(comparison)
    rows = []
    for task, cells in zip(tasks, report_rows.value_rows(tasks), strict=True):
        shown = [
            join((value, *(element("small", part) for part in more if part)))
            for value, *more in map(report_rows.value_parts, task.results)
        ]
        rows.append([*cells[:3], *shown])
    return table(headers, rows, right=range(1, len(headers)), caption=caption)


def _duel(comparison: Comparison, other: int) -> Html:
    first, second = comparison.models[0].name, comparison.models[other].name
    tested = [task for task in comparison.tasks if task.duels[other - 1].test and task.results[0].is_share]
    parts: list[Html] = []
    if tested:
        rows = []
        for task in tested:
            duel = task.duels[other - 1]
            test = duel.test
            assert test is not None
            mark = Mark(other, test.difference, test.low, test.high, hollow=duel.verdict == "empate")
            words = f"{points(test.difference)}, intervalo de {points(test.low)} a {points(test.high)}"
            verdict = findings.verdict_words(duel)
            rows.append(Row(task.title, verdict, (mark,), spoken=f"{words}; {verdict}"))
        ends = [end for row in rows for mark in row.marks for end in (mark.low, mark.high)]
        scale = charts.round_scale(ends, lambda d: number(100 * d, 0, signed=True), include=(0.0,))
        caption = element(
            "figcaption",
            f"Pontos percentuais de {second} menos {first}, com o intervalo de 95 %: "
            f"à direita do traço, {second} acerta mais. Vazio: a diferença cabe no acaso.",
        )
        parts.append(element("figure", caption, charts.strips(rows, scale, zero=True), class_="chart"))
    numbers = table(
        report_rows.DUEL_HEADERS,
        report_rows.duel_rows(comparison, other),
        right=(1, 2, 3, 4),
        caption=f"{second} menos {first}",
    )
    return section(f"{second} contra {first}", *parts, numbers)


def _radar(comparison: Comparison) -> Html:
    tasks = radar_tasks(comparison)
    if not tasks:
        return Html("")
    names = [model.name for model in comparison.models]
    series = [
        [Mark(i, t.results[i].value, t.results[i].low, t.results[i].high) for t in tasks]
        for i in range(len(names))
    ]
    said = "; ".join(f"{t.title}: {findings.spoken(t, names)}" for t in tasks)
    drawing = charts.radar(
        [t.title for t in tasks], series, [floor(t.results[0]) for t in tasks], spoken=said
    )
    key = charts.legend(names, [(charts.chance_sample(), "acaso")])
    caption = element("figcaption", "De 0 % no centro a 100 % na borda; os traços grossos são os intervalos.")
    return section("Perfil", element("figure", caption, key, drawing, class_="chart"))


def _samples(comparison: Comparison) -> Html:
    names = [model.name for model in comparison.models]
    intro = paragraph(
        "Uma amostra dos itens em que um modelo acerta e outro erra, sorteada com a semente da comparação: "
        "nem os melhores nem os piores.",
        class_="soft",
    )
    blocks = []
    for sample in comparison.samples:
        heading = join((sample.title, " ", element("small", sample.item_id, class_="soft")))
        blocks += [
            element("h3", heading),
            element("blockquote", *map(paragraph, report_rows.question(sample))),
            pairs(report_rows.answer_rows(sample, names)),
        ]
    return section("Itens em que os modelos diferem", intro, *blocks)


def _speed(comparison: Comparison) -> Html:
    rows = report_rows.speed_rows(comparison)
    numbers = table(report_rows.SPEED_HEADERS, rows, right=range(2, 7), caption="Velocidade e memória")
    return section(
        "Velocidade e memória", numbers, paragraph(report_rows.speed_note(comparison), class_="soft")
    )


def _making(comparison: Comparison) -> Html:
    models = table(
        report_rows.MODEL_HEADERS,
        [[*row[:3], element("code", row[3])] for row in map(report_rows.model_row, comparison.models)],
        right=(1,),
        caption="Modelos",
    )
    prompts = [
        (task.title, element("code", task.results[0].prompt_hash))
        for task in comparison.tasks
        if task.results[0].prompt_hash
    ]
    parts = [pairs(report_rows.circumstances(comparison)), models]
    if prompts:
        title = element(
            "summary", f"Resumos SHA-256 dos prompts ({count(len(prompts), 'tarefa', 'tarefas')})"
        )
        parts.append(element("details", title, pairs(prompts)))
    if len(comparison.models) > 1:
        parts.append(paragraph(findings.METHOD, class_="soft"))
    return section("Como foi feito", *parts)
