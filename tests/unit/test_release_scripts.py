"""The scripts that ship a model: its targets, its card, the answers to read, the default."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lunagpt.errors import DataError, EvaluationError
from lunagpt.evaluation.language_models import PartialModel
from lunagpt.evaluation.results import Evaluation, Result, load_evaluation, save_evaluation

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import card
import card_training
import default_model
import reading
import recall
import target_measures
import targets
from grounded import Item

SPEECH, PAIRS = targets.TARGETS[0], next(t for t in targets.TARGETS if t.name == "pares_minimos_pt")


def result(name: str, metric: str, value: float, **changes: Any) -> Result:
    made = target_measures._result(name, metric, [value] * 4, "hash", "sha", 4, 1.0)
    return replace(made, low=value - 0.1, high=value + 0.1, **changes)


# -- the table of targets ------------------------------------------------------------------------------------


def test_what_is_missing() -> None:
    assert targets.missing(PAIRS, result(PAIRS.name, PAIRS.metric, 0.92)) == "cumpre"
    assert targets.missing(PAIRS, result(PAIRS.name, PAIRS.metric, 0.8)) == "faltam 12,0"
    assert targets.missing(SPEECH, result(SPEECH.name, SPEECH.metric, 1.07)) == "cumpre"
    assert targets.missing(SPEECH, result(SPEECH.name, SPEECH.metric, 1.58)) == "faltam 0,50"
    assert targets.missing(SPEECH, None) == "não medido"


class Fake(PartialModel):
    """A model whose measurements are counted."""

    kind = "luna"

    def __init__(self, weights: str) -> None:
        self.name, self.weights = "luna-teste", weights

    def describe(self) -> dict[str, Any]:
        return {"sha256": self.weights}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(targets, "OTHER_STORES", (tmp_path / "avaliacao",))
    (tmp_path / "alvos").mkdir()
    (tmp_path / "avaliacao").mkdir()
    return tmp_path


@pytest.fixture
def column(store: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], targets.Column]:
    """A column of a fake model with the given weights."""

    def make(weights: str) -> targets.Column:
        monkeypatch.setattr(targets, "open_language_model", lambda given, name: Fake(weights))
        return targets.Column("modelo", "luna-teste", store / "alvos")

    return make


def test_what_is_stored_is_not_measured_again(store: Path, column: Callable[[str], Any]) -> None:
    calls: list[int | None] = []

    def run(model: Any, limit: int | None) -> list[Result]:
        calls.append(limit)
        return [result(PAIRS.name, PAIRS.metric, 0.5, limit=limit)]

    wanted = [target_measures.Measurement(PAIRS.name, "hash", "sha", run, target_measures.MODELS)]
    first = column("a")
    first.complete(wanted, 4, None)
    column("a").complete(wanted, 4, None)
    column("a").complete(wanted, 3, None)  # more was measured than is asked for
    assert calls == [4]
    assert load_evaluation(store / "alvos" / "luna-teste.json").model["weights"] == "a"

    column("a").complete(wanted, None, None)  # all of them is more
    other_prompt = [replace(wanted[0], prompt_hash="other")]
    column("a").complete(other_prompt, 4, None)
    column("b").complete(wanted, 4, None)
    assert calls == [4, None, 4, 4]


def test_results_of_the_same_weights_elsewhere_serve(store: Path, column: Callable[[str], Any]) -> None:
    elsewhere = Evaluation({"name": "x", "sha256": "a"}, [result(PAIRS.name, PAIRS.metric, 0.5)])
    save_evaluation(elsewhere, store / "avaliacao" / "x.json")
    assert column("a").of(PAIRS) is not None
    assert column("b").of(PAIRS) is None


def test_a_measurement_for_other_kinds_is_left_out(column: Callable[[str], Any]) -> None:
    wanted = [
        target_measures.Measurement("x", "", "", lambda m, n: pytest.fail("asked"), frozenset({"gguf"}))
    ]
    column("a").complete(wanted, None, None)


def test_the_page(store: Path) -> None:
    stored = Evaluation({"name": "luna-teste"}, [result(PAIRS.name, PAIRS.metric, 0.95, constant=0.53)])
    save_evaluation(stored, store / "r.json")
    quoted = [result("squad_pt_dev, com conferência", "f1", 0.15)]
    page = targets.page([targets.Column(str(store / "r.json"), "luna-teste", store)], quoted, "comando")
    lines = {line.split(" | ")[0].removeprefix("| "): line for line in page.splitlines() if line[:2] == "| "}
    assert lines[PAIRS.title].endswith("| **≥ 92,0** | 95,0 ±10,0 (4) | – | 53,0 | cumpre |")
    assert lines["SQuAD, na conversa: F1"].endswith("| – | 15,0 ±10,0 (4) | 0,0 | não medido |")
    assert "luna-teste cumpre 1 de" in page
    assert f"{SPEECH.title} (não medido)" in page


def test_one_example_before_the_question() -> None:
    asked: list[str] = []

    class Continues(PartialModel):
        def generate(self, prompts: Any, **options: Any) -> list[str]:
            asked.extend(prompts)
            return [" azul "]

    example = Item("De que cor é o mar?", [{"content": "O mar é verde."}], ["verde"])
    system = target_measures.one_shot(Continues(), example)
    reply = system(Item("De que cor é o céu?", [{"content": "O céu é azul."}], ["azul"]))
    assert (reply.words, reply.refused) == ("azul", False)
    assert "Pergunta: De que cor é o mar?\nResposta: verde\n\nTexto: O céu é azul." in asked[0]
    assert asked[0].endswith("De que cor é o céu?\nResposta:")


# -- answers to read -----------------------------------------------------------------------------------------


def test_verdicts_are_counted() -> None:
    text = "veredito: limpa\n\nveredito: grafia, sentido\nveredito: limpa\nveredito: Sentido\n"
    assert reading.counted(text).splitlines() == [
        "2 de 4 limpas: 50 % (95 %: 15 a 85 %).",
        "concordância: 0",
        "grafia: 1",
        "sentido: 2",
    ]


@pytest.mark.parametrize("wrong", ["veredito:", "veredito: ruim", "veredito: limpa, grafia"])
def test_a_missing_verdict_is_told(wrong: str) -> None:
    with pytest.raises(DataError, match="respostas 2"):
        reading.counted(f"veredito: limpa\n{wrong}\n")
    with pytest.raises(DataError, match="todas"):
        reading.counted("nada")


def test_questions_are_held_out_different_and_from_every_file(tmp_path: Path) -> None:
    (tmp_path / "luna").mkdir()
    for name in reading.FILES:
        rows: list[dict[str, Any]] = [
            {"split": split, "messages": [{"role": "user", "content": f"{name} {split} {i // 2}"}]}
            for split in ("train", "valid")
            for i in range(6)
        ]
        if name == "documentos":
            for row in rows:
                row["documents"] = [{"id": 1, "content": "Um trecho."}]
        lines = [json.dumps(row) for row in rows]
        (tmp_path / "luna" / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    drawn = reading.questions(tmp_path, 12)
    assert drawn == reading.questions(tmp_path, 12)
    assert len({question.text for question in drawn}) == 12
    assert {question.source for question in drawn} == set(reading.FILES)
    assert all("valid" in question.text for question in drawn)
    assert any("Um trecho." in question.text for question in drawn)
    with pytest.raises(DataError, match="Só há 24"):
        reading.questions(tmp_path, 25)


# -- the card ------------------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "mini-ajuste"
    folder.mkdir()
    record = {"recipe": "mini-ajuste", "model": "m", "steps": 160, "tokens": 10_000_000, "seconds": 5400.0}
    record |= {"stop_reason": "max_steps", "device": "H200"}
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    rows = [{"kind": "train", "step": step, "loss": loss} for step, loss in ((10, 3.21), (160, 1.5))]
    (folder / "log.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    return folder


def test_the_training_is_told_from_its_runs(run: Path) -> None:
    line = card_training.training([run]).splitlines()[-1]
    assert line == "| `configs/treino/mini-ajuste.yaml` | 160 | 10.000.000 | 1,5 h | H200 | 3,21 → 1,50 |"
    assert card_training.total([run, run]) == "20 milhões de tokens em 3 h (H200)"
    assert card_training.curves([run]) == "![Curvas de mini-ajuste](curvas-mini-ajuste.png)"
    sources = card_training.sources([run]).splitlines()[2:]
    assert sources[0].startswith("| `enciclopedia/*.jsonl` | 2,05 milhões | 20,5 % |")
    shares = [float(line.split("|")[3].strip(" %").replace(",", ".")) for line in sources]
    assert sum(shares) == pytest.approx(100, abs=0.5)


def test_an_unfinished_run_has_no_card(run: Path) -> None:
    (run / "run.json").write_text('{"recipe": "mini-ajuste"}', encoding="utf-8")
    with pytest.raises(DataError, match="Não há treino terminado"):
        card_training.training([run])
    with pytest.raises(DataError, match="--runs"):
        card_training.total([])


def test_only_fields_that_occur_are_computed() -> None:
    values = {"a": lambda: "1", "b": lambda: pytest.fail("computed")}
    assert card.filled("{a} e {a}", values) == "1 e 1"


def test_a_card_wants_the_targets_of_its_own_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card, "TARGETS", tmp_path / "alvos.md")
    with pytest.raises(DataError, match=r"targets\.py luna-x"):
        card.targets_table("luna-x")
    (tmp_path / "alvos.md").write_text("# Alvos\n\n| a |\n\nluna-x cumpre 1 de 2 alvos.\n", encoding="utf-8")
    assert card.targets_table("luna-x").startswith("| a |")
    with pytest.raises(DataError):
        card.targets_table("luna-xis")


def test_a_whole_card(tmp_path: Path, run: Path) -> None:
    from lunagpt import LunaConfig, LunaModel
    from lunagpt.models import verify_folder

    config = LunaConfig(model={"preset": "test", "name": "luna-x", "hidden_size": 32, "num_layers": 1})
    folder = LunaModel.from_scratch(config, seed=0).save(tmp_path / "luna-x")
    (run / "curves.png").write_bytes(b"png")
    template = tmp_path / "cartao.md"
    template.write_text("{forma}\n{total}\n{curvas}\n{numero}\n{dialogos}\n{comando}\n", encoding="utf-8")
    asked = {"model": folder, "data_root": "", "runs": [run], "template": template, "dialogues": 1, "seed": 0}
    text = card.write_card(argparse.Namespace(**asked), "python benchmarks/card.py …")
    assert "1 camada de largura 32" in text
    assert "**1.**" in text
    assert "> **Você:** Oi!" in text
    assert not re.search(r"\{[a-z_]+\}", text)
    assert {"README.md", "curvas-mini-ajuste.png"} <= verify_folder(folder)["files"].keys()


# -- the default ---------------------------------------------------------------------------------------------


def test_only_a_report_of_present_weights_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(default_model, "shipped_models", lambda: {"luna-nano": tmp_path})
    monkeypatch.setattr(default_model, "fingerprint", lambda folder: "abc")
    overall = {"n": 428, "passed": 11, "value": 0.03, "low": 0.01, "high": 0.05, "trivial": 0.01}
    path = tmp_path / "luna-nano.json"

    def written(weights: str) -> Path:
        content = {"suite": "comportamentos", "overall": overall, "weights": weights}
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    name, told = default_model.verdict(written("abc"))
    assert (name, told["model"], told["n"], told["low"]) == ("luna-nano", "abc", 428, 0.01)
    with pytest.raises(EvaluationError, match="pesos de agora"):
        default_model.verdict(written("def"))


# ---- looking back ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "asked", "expected", "answer", "right"),
    [
        ("repeat", "Repita: o gato azul", "o gato azul", "O gato azul.", True),
        ("repeat", "Repita: o gato azul", "o gato azul", "o gato", False),
        ("facts", "Quanto custa o café?", "O café custa R$ 7,90 [2].", "Custa R$ 7,90 [1].", True),
        ("facts", "Quanto custa o café?", "O café custa R$ 7,90 [2].", "O café custa R$ 7,95 [2].", False),
        ("facts", "Quem cuida da quadra?", "Quem cuida da quadra é Ana [1].", "A Ana.", True),
        ("facts", "Quem cuida do teatro?", recall.NO_ANSWER, "Os documentos não dizem.", True),
        ("facts", "Quem cuida do teatro?", recall.NO_ANSWER, "É a Ana.", False),
        ("thread", "Qual é o meu nome?", "Seu nome é Igor.", "Você se chama Igor.", True),
        ("thread", "Qual é o meu nome?", "Seu nome é Igor.", "Seu nome é Ana.", False),
        ("thread", "Onde eu moro?", "Você ainda não me contou onde mora.", "Não sei onde você mora.", True),
        ("thread", "Onde eu moro?", "Você ainda não me contou onde mora.", "Você mora em Faro.", False),
        (
            "thread",
            "Qual é o meu nome?",
            "Seu nome é Igor.",
            "Seu nome é Ana, Rui, Eva, Igor, Zeca, Lia, Davi, Caio, Sara ou Noé.",
            False,
        ),
    ],
)
def test_an_answer_is_right_by_what_it_adds(
    kind: str, asked: str, expected: str, answer: str, right: bool
) -> None:
    assert recall.is_right(kind, asked, expected, answer) is right
