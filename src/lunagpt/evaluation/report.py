"""The report of a comparison as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from lunagpt.evaluation import findings, report_rows
from lunagpt.evaluation.comparison import Comparison
from lunagpt.reporting import markdown
from lunagpt.reporting.markdown import escaped


def markdown_report(comparison: Comparison) -> str:
    """The whole report as Markdown: the result first, then the tables, examples and circumstances."""
    return "\n\n".join(_blocks(comparison)) + "\n"


def _blocks(comparison: Comparison) -> Iterator[str]:
    names = [model.name for model in comparison.models]
    yield f"# {escaped(findings.heading(comparison))}"
    sentences = findings.summary(comparison)
    yield f"**{escaped(sentences[0])}**"
    yield from map(escaped, (*sentences[1:], *findings.hollow_wins(comparison)))
    yield from (f"> {escaped(notice)}" for notice in comparison.notices)
    if comparison.tasks:
        yield "## Resultados"
        headers = report_rows.value_headers(comparison)
        yield _table(headers, report_rows.value_rows(comparison.tasks), right=range(1, len(headers)))
        yield findings.CHANCE_NOTE
        if comparison.others:
            yield "Outras medidas das mesmas tarefas, sem teste de significância:"
            yield _table(headers, report_rows.value_rows(comparison.others), right=range(1, len(headers)))
        for other in range(1, len(names)):
            yield f"## {escaped(names[other])} contra {escaped(names[0])}"
            yield _table(
                report_rows.DUEL_HEADERS, report_rows.duel_rows(comparison, other), right=(1, 2, 3, 4)
            )
        if len(names) > 1:
            yield findings.METHOD
    if comparison.samples:
        yield "## Itens em que os modelos diferem"
        for sample in comparison.samples:
            yield f"**{escaped(sample.title)}**, item {escaped(sample.item_id)}"
            yield "  \n".join(f"> {escaped(line)}" for line in report_rows.question(sample))
            answers = report_rows.answer_rows(sample, names)
            yield "\n".join(f"- {escaped(name)}: {escaped(answer)}" for name, answer in answers)
    if comparison.speed:
        yield "## Velocidade e memória"
        yield _table(report_rows.SPEED_HEADERS, report_rows.speed_rows(comparison), right=range(2, 7))
        yield report_rows.speed_note(comparison)
    yield "## Como foi feito"
    yield _table(("Dado", "Valor"), report_rows.circumstances(comparison))
    yield _table(report_rows.MODEL_HEADERS, map(report_rows.model_row, comparison.models), right=(1,))


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    cells = [[escaped(cell) for cell in row] for row in rows]
    return markdown.table([escaped(header) for header in headers], cells, right=right)
