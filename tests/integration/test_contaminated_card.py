"""From training files to the printed table: a model whose card names a file with an item of the test is not
called clean, by `luna evaluate` and by `luna compare`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lunagpt import LunaConfig, LunaModel, cli
from lunagpt.evaluation import contamination

SEEN = (
    "Numa rua estreita do centro velho de Salvador, que loja vende ainda hoje chapéus de palha feitos à mão?"
)
CHOICES = ["a da esquina", "nenhuma"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Training data, a test that shares one of its four items, the report on both, and a model."""
    folder = tmp_path_factory.mktemp("contaminada")
    questions = [SEEN, *(f"A pergunta número {i} não se parece com nada do que foi lido?" for i in range(3))]
    rows = [{"question": text, "choices": CHOICES, "answer_index": 0} for text in questions]
    (folder / "prova.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "treino").mkdir()
    for name, text in (("passeios", f"Guia. {SEEN} A da esquina."), ("receitas", "Bata os ovos. " * 20)):
        line = json.dumps({"text": text})
        (folder / "treino" / f"{name}.jsonl").write_text(line + "\n", encoding="utf-8")
    arguments = [str(folder / "treino"), "--eval", str(folder / "prova.jsonl")]
    assert contamination.main([*arguments, "-o", str(folder / "relatorio.json")]) == 0
    LunaModel.from_scratch(LunaConfig.preset("test"), seed=0).save(folder / "modelo")
    return folder


def card(folder: Path, *sources: str) -> None:
    lines = [
        "---",
        "language: pt",
        *(["datasets:"] if sources else []),
        *(f"  - {s}" for s in sources),
        "---",
    ]
    (folder / "modelo" / "README.md").write_text("\n".join(lines) + "\n# Um modelo\n", encoding="utf-8")


def evaluated(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    common = ["--data", str(folder / "prova.jsonl"), "--contamination", str(folder / "relatorio.json")]
    assert cli.main(["evaluate", str(folder / "modelo"), *common, "--threads", "1"]) == 0
    return " ".join(capsys.readouterr().out.split())


def test_a_score_is_clean_only_if_the_card_names_other_files(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card(folder, "treino/passeios", "treino/receitas")
    printed = evaluated(folder, capsys)
    assert "%*" in printed
    assert "NÃO É LIMPO: itens que estão nos dados de treino: 1 (treino/passeios)." in printed
    assert "comparadas com os dados de treino: 1 de 1; sem itens em comum: 0." in printed
    card(folder, "treino/receitas")
    printed = evaluated(folder, capsys)
    assert "%*" not in printed
    assert "sem itens em comum: 1." in printed
    card(folder)
    assert "o cartão do modelo não diz em que arquivos" in evaluated(folder, capsys)


def test_a_comparison_marks_it_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card(folder, "treino/*")
    output = folder / "comparacao"
    models = [str(folder / "modelo"), "aleatorio:test"]
    options = ["--data", str(folder / "prova.jsonl"), "--contamination", str(folder / "relatorio.json")]
    code = cli.main(["compare", *models, *options, "-o", str(output), "--no-speed", "--threads", "1"])
    assert code == 0, capsys.readouterr().err
    report = (output / "relatorio.md").read_text(encoding="utf-8").replace("\u00a0", " ")
    assert report.count("1 item no treino") == 1  # of the model with the card
