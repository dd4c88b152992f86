"""Comparisons of made-up models and the reports about them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.synthetic_results import result, right

from lunagpt.errors import EvaluationError
from lunagpt.evaluation.comparison import ComparedModel, Comparison, Sample, compare_results
from lunagpt.evaluation.findings import chance_sentence, duel_sentence, hollow_wins, summary
from lunagpt.evaluation.report import markdown_report
from lunagpt.evaluation.report_html import html_report
from lunagpt.evaluation.report_rows import question
from lunagpt.evaluation.results import Result

NASTY = '<script>alert("x")</script>|*`_'


def compare(*columns: list, names: tuple[str, ...] = ("um", "dois"), **others: object) -> Comparison:
    models = [ComparedModel(name, f"pasta/{name}", "ab" * 32, 1000) for name in names]
    return compare_results(models, columns, **others)


def results(grammar: float, nats: float, score: float, similar: list[float], seed: int) -> list[Result]:
    gold = [str(i) for i in range(60)]
    return [
        result("lacunas", right(300, 0.25, seed), title="Lacunas", chance=0.25),
        result("pares", right(300, grammar, seed), title="Pares mínimos", chance=0.5),
        result("sts", similar, title="Semelhança", metric="pearson", chance=0.0, expected=gold),
        result(
            "texto",
            [nats + 0.01 * (i % 5) for i in range(40)],
            title="Texto",
            metric="bits_per_byte",
            chance=None,
            weights=[100.0] * 40,
        ),
        result("qa", [score] * 20, title="Perguntas", metric="f1", chance=None),
        result("qa", [0.0] * 20, title="Perguntas", metric="exact_match", chance=None),
    ]


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    first = results(0.8, 2.0, 0.2, [float(i % 7) + 0.1 * i for i in range(60)], 0)
    second = results(0.5, 1.9, 0.3, [float((i * 37) % 11) for i in range(60)], 1)
    measured = ("mean_latency_ms", "std_latency_ms", "p95_latency_ms", "mean_token_ms", "tokens_per_second")
    return compare(
        first,
        [*second, result("só o segundo", [1.0], chance=None)],
        samples=(
            Sample("lacunas", "Lacunas", "lacunas-3", f"Qual? {NASTY}", "certo", ("A", NASTY), (1.0, 0.0)),
        ),
        speed={"um": {"128 tokens × 1": dict.fromkeys(measured, 12.5)}},
        settings={"Semente": "0"},
        machine={"Processador": "de teste"},
        created="28/11/2026 12:00",
        notices=("Aviso aos leitores.",),
    )


def verdicts(comparison: Comparison) -> dict[str, str]:
    return {task.task: task.duels[0].verdict for task in comparison.tasks}


def test_only_common_tasks_with_their_main_metric_are_tested(comparison: Comparison) -> None:
    assert [t.task for t in comparison.tasks] == ["lacunas", "pares", "sts", "texto", "qa"]
    assert [t.results[0].metric for t in comparison.others] == ["exact_match"]


def test_directions(comparison: Comparison) -> None:
    found = verdicts(comparison)
    assert found["lacunas"] == "empate"
    assert found["pares"] == "pior"
    assert found["texto"] == "melhor"  # fewer bits per byte
    assert found["qa"] == "melhor"


def test_models_asked_differently_are_not_tested() -> None:
    found = compare([result("t", [1.0, 0.0])], [result("t", [1.0, 1.0], prompt_hash="ffffffffffff")])
    assert found.tasks[0].duels[0].test is None
    assert "nenhuma tarefa pôde ser testada" in duel_sentence(found, 1)


def test_items_are_paired_by_id_not_by_place() -> None:
    first, second = result("t", [1.0] * 12 + [0.0] * 4), result("t", [1.0] * 12 + [0.0] * 4)
    for name in ("item_ids", "per_item", "expected", "predictions"):
        getattr(second, name).reverse()
    test = compare([first], [second]).tasks[0].duels[0].test
    assert test is not None
    assert (test.ties, test.difference) == (16, 0.0)


def test_sentences(comparison: Comparison) -> None:
    sentence = duel_sentence(comparison, 1)
    assert "em 2 das 5 tarefas: Texto e Perguntas" in sentence
    assert "dois é melhor que um" in sentence
    assert "e pior em" in sentence
    assert "Pares mínimos" in sentence
    assert "nas outras" in sentence or "na outra" in sentence
    assert chance_sentence(comparison) == (
        "Tarefas acima do acaso, das 3 que têm esse nível: um, 2 (Pares mínimos e Semelhança); dois, nenhuma."
    )
    equal = compare([result("t", [1.0, 0.0])], [result("t", [1.0, 0.0])])
    assert duel_sentence(equal, 1) == (
        "Entre um e dois não há diferença demonstrada: na única tarefa ela cabe no acaso."
    )
    assert "nada pôde ser comparado" in summary(compare([], []))[0]


def test_a_difference_below_chance_is_called_a_bias() -> None:
    worse = compare(
        [result("t", [0.0] * 60, chance=0.25)], [result("t", [1.0] * 12 + [0.0] * 48, chance=0.25)]
    )
    assert verdicts(worse) == {"t": "melhor"}
    assert "mostra um viés, não um conhecimento" in hollow_wins(worse)[0]


def test_markdown_has_every_part_and_lets_nothing_break_out(comparison: Comparison) -> None:
    text = markdown_report(comparison)
    for part in (
        "Resultados",
        "dois contra um",
        "Itens em que",
        "Velocidade",
        "Como foi feito",
    ):
        assert f"## {part}" in text
    assert "<script" not in text.replace("\\<script", "")
    assert NASTY not in text
    rows = [re.sub(r"\\\|", "", line) for line in text.splitlines() if line.startswith("| Pares")]
    widths = {line.count("|") for line in rows[:1]}
    assert widths == {6}


class Checker(HTMLParser):
    """Finds open tags, forbidden attributes and everything that would need the network or a script."""

    VOID = frozenset({"meta", "br", "hr", "img"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.problems: list[str] = []
        self.images = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if tag in ("script", "link", "iframe", "object", "form"):
            self.problems.append(tag)
        self.problems += [
            f"{tag} {name}" for name in names if name in ("style", "src", "href") or name[:2] == "on"
        ]
        if tag == "svg" and names.get("role") == "img":
            self.images += 1
            if not names.get("aria-label"):
                self.problems.append("picture without words")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"misplaced </{tag}>")


def check_page(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    assert checker.problems == []
    assert checker.open == []
    return checker


@pytest.mark.parametrize("write", [markdown_report, html_report])
def test_speeds_of_a_busy_machine_are_marked(
    comparison: Comparison, write: Callable[[Comparison], str]
) -> None:
    measured = comparison.speed["um"]["128 tokens × 1"]
    calm, busy = (
        write(replace(comparison, speed={"um": {"128 tokens × 1": {**measured, "cpu_share": share}}}))
        for share in (0.9, 0.2)
    )
    assert "ocupada com outra coisa" not in calm
    assert "ocupada com outra coisa" in busy
    assert "um \\*" in busy or "um *" in busy


def test_long_items_lose_the_end_of_their_longest_line() -> None:
    passage = "palavra " * 300
    sample = Sample("t", "T", "1", f"{passage}\nQual é?\nA) sim\nB) não", "", ("A",), (1.0,))
    lines = question(sample)
    assert lines[1:] == ["Qual é?", "A) sim", "B) não"]
    assert lines[0].endswith("palavra…")
    assert 500 < sum(map(len, lines)) <= 700


def test_html_is_closed_safe_and_described(comparison: Comparison) -> None:
    page = html_report(comparison)
    assert check_page(page).images == 3 + 3 + 1  # values, differences, radar
    assert NASTY not in page
    assert "&lt;script&gt;" in page
    assert '<html lang="pt-BR">' in page
    assert "prefers-color-scheme:dark" in page
    assert "://" not in page


def test_the_policy_allows_exactly_this_style_sheet(comparison: Comparison) -> None:
    import base64
    import hashlib

    page = html_report(comparison)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src &#x27;sha256-{digest}&#x27;" in page
    assert "default-src &#x27;none&#x27;" in page


def test_the_data_are_plain_json_without_items(comparison: Comparison) -> None:
    text = json.dumps(comparison.to_dict(), allow_nan=False)
    assert "lacunas-0" not in text
    assert json.loads(text)["tasks"][1]["duels"][0]["verdict"] == "pior"


def test_a_comparison_without_common_tasks_still_makes_a_page() -> None:
    nothing = compare([result("a", [1.0])], [result("b", [1.0])])
    check_page(html_report(nothing))
    assert "nada pôde ser comparado" in markdown_report(nothing)


def test_charts(comparison: Comparison, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from lunagpt.evaluation.charts import draw_bars, draw_radar

    draw_bars(comparison, tmp_path / "barras.png")
    draw_bars(comparison, tmp_path / "barras.svg")
    assert (tmp_path / "barras.png").read_bytes().startswith(b"\x89PNG")
    first = (tmp_path / "barras.svg").read_bytes()
    assert b"Pares m" in first
    draw_bars(comparison, tmp_path / "barras.svg")
    assert (tmp_path / "barras.svg").read_bytes() == first
    draw_radar(comparison, tmp_path / "radar.png")
    with pytest.raises(EvaluationError, match=r"\.png ou \.svg"):
        draw_bars(comparison, tmp_path / "barras.jpg")
    few = compare([result("t", [1.0, 0.0])], [result("t", [1.0, 1.0])])
    with pytest.raises(EvaluationError, match="ao menos 3 tarefas"):
        draw_radar(few, tmp_path / "radar.png")
