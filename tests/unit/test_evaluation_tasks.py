"""Tasks and suites as files, and measuring with a model whose preferences are known."""

from __future__ import annotations

import gzip
import json
import math
import random
import runpy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lunagpt.errors import EvaluationError
from lunagpt.evaluation import evaluate, load_evaluation, load_suite, load_tasks, save_evaluation
from lunagpt.evaluation.by_likelihood import gap_place
from lunagpt.evaluation.contamination_report import ContaminationReport, TaskOverlap
from lunagpt.evaluation.evaluation_data import data_files, default_data, shipped_data
from lunagpt.evaluation.evaluator import NO_FILE
from lunagpt.evaluation.language_models import LogLikelihood, PartialModel, cut_at, plain_dialogue
from lunagpt.evaluation.provenance import training_sources
from lunagpt.evaluation.results import Result, recompute
from lunagpt.evaluation.suites import suite_names
from lunagpt.evaluation.task import render, select_tasks, shipped_tasks


class Oracle(PartialModel):
    """Likes texts with a favourite word in them; answers with a fixed text; its vectors count letters."""

    name = "oráculo"
    kind = "engine"
    capabilities = frozenset({"loglikelihood", "generate", "embed"})

    def __init__(self, favourites: Sequence[str] = (), answer: str = "") -> None:
        self.favourites = favourites
        self.answer = answer
        self.asked: list[tuple[str, str]] = []
        self.path: Path | None = None

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[LogLikelihood]:
        self.asked += pairs
        return [self._one(context + text, len(text.encode())) for context, text in pairs]

    def _one(self, text: str, size: int) -> LogLikelihood:
        liked = any(word in text for word in self.favourites)
        return LogLikelihood(-0.1 * size if liked else -1.0 * size, 1, size, liked)

    def generate(self, prompts: Sequence[Any], **settings: Any) -> list[str]:
        return [self.answer for _ in prompts]

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        letters = "abcdefghijklmnopqrstuvwxyz"
        return np.array([[text.lower().count(c) for c in letters] for text in texts], dtype=np.float32)


def write(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return path


def only(evaluation: Any, metric: str) -> Result:
    return next(result for result in evaluation.results if result.metric == metric)


# -- files ---------------------------------------------------------------------------------------------------


def test_shipped_tasks_and_suites_are_sound() -> None:
    tasks = shipped_tasks()
    names = [task.name for task in tasks]
    assert len(set(names)) == len(names)
    assert len({task.title for task in tasks if task.file}) == sum(task.file is not None for task in tasks)
    hashes = {task.name: task.prompt_hash for task in tasks}
    assert hashes["hatebr"] != hashes["hatebr_exemplos"] != hashes["hatebr_sonda"]
    assert suite_names() == ["completa", "rapida"]
    complete = load_suite("completa")
    assert {entry.task.name for entry in complete.entries} == {task.name for task in tasks if task.file}
    assert all(entry.limit for entry in load_suite("rapida").entries)


def test_a_task_of_ones_own_needs_no_code(tmp_path: Path) -> None:
    (tmp_path / "frutas.yaml").write_text(
        'title: Frutas\nmethod: choice\nfile: frutas\nprompt: "P: {question}\\nR:"\nmetrics: [accuracy]\n'
    )
    (tmp_path / "frutas_2.yaml").write_text("base: frutas\ntitle: Frutas, com um exemplo\nshots: 1\n")
    rows = [
        {"question": f"Qual é doce, {i}?", "choices": ["limão", "manga"], "answer_index": i % 2}
        for i in range(6)
    ]
    data = write(tmp_path / "frutas.jsonl", rows)
    model = Oracle(["manga"])
    evaluation = evaluate(model, load_tasks(tmp_path), data)
    first, second = evaluation.results
    assert (first.task, first.n, first.value) == ("frutas", 6, 0.5)
    assert first.predictions == ["manga"] * 6
    assert (second.task, second.n, second.shots) == ("frutas_2", 5, 1)
    assert model.asked[0][0] == "P: Qual é doce, 0?\nR:"
    with_example = [context for context, _ in model.asked if context.count("P:") == 2]
    assert len(with_example) == 10
    assert all("\n\nP: Qual é doce" in context for context in with_example)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title: X\nmethod: choice\nfile: x\nmetrics: [accuracia]\n", "accuracia"),
        ("title: X\nmethod: chute\nfile: x\nmetrics: [accuracy]\n", "method"),
        ("title: X\nmethod: choice\nmetrics: [accuracy]\n", "file"),
        ("title: X\nmethod: choice\nfile: x\nmetrics: [accuracy]\npromt: a\n", "prompt"),
        ("base: nada\ntitle: X\n", "nada"),
    ],
)
def test_wrong_task_files_say_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(EvaluationError, match=message):
        load_tasks(tmp_path)


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(EvaluationError, match='quis dizer "proverbios"'):
        select_tasks(["proverbio"], shipped_tasks())
    with pytest.raises(EvaluationError, match="completa, rapida"):
        load_suite("lenta")


def test_templates_take_braces_in_the_data_as_they_are() -> None:
    assert render("{question}!", {"question": "{choice} e {", "id": 1}) == "{choice} e {!"
    assert render("{context}\n\n{question}", {"context": None, "question": "Oi"}) == "Oi"
    with pytest.raises(EvaluationError, match="'contexto'"):
        render("{contexto}", {"context": "x"})


def test_data_is_found_by_name_and_descriptions_are_no_data(tmp_path: Path, monkeypatch: Any) -> None:
    write(tmp_path / "a.jsonl.gz", [{"text": "um"}])
    (tmp_path / "MANIFEST.md").write_text("descrição")
    assert list(data_files(tmp_path)) == ["a"]
    assert data_files(tmp_path)["a"].rows == [{"text": "um", "id": "1"}]
    monkeypatch.setenv("LUNA_EVAL_DATA", str(tmp_path))
    assert default_data() == [shipped_data(), tmp_path]
    with pytest.raises(EvaluationError, match="Não encontrei"):
        data_files(tmp_path / "nada")
    with pytest.raises(EvaluationError, match="Falta dizer"):
        data_files([])
    other = tmp_path / "outra"
    other.mkdir()
    write(other / "a.jsonl", [{"text": "dois"}])
    with pytest.raises(EvaluationError, match="mesmo nome"):
        data_files([tmp_path, other])


# -- methods -------------------------------------------------------------------------------------------------


def test_multiple_choice_by_length_normalised_likelihood(tmp_path: Path) -> None:
    rows = [
        {
            "task": "multiple_choice",
            "question": "Q",
            "choices": ["certa e bem comprida", "não"],
            "answer_index": 0,
        },
        {"task": "multiple_choice", "question": "Q", "choices": ["a", "errada", "b"], "answer": "b"},
    ]
    evaluation = evaluate(Oracle(["certa"]), None, write(tmp_path / "prova.jsonl", rows))
    result = only(evaluation, "accuracy")
    assert (result.task, result.title) == ("prova", "prova")
    assert result.per_item[0] == 1
    assert result.predictions[0] == "A"  # alternatives differ between rows: letters
    assert result.chance == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert result.constant == 0.5


def test_labels_are_compared_with_their_own_likelihood(tmp_path: Path) -> None:
    """A model that always likes "Sim" is not swayed by it, one that likes the text with it is."""
    rows = [
        {
            "task": "classification",
            "context": text,
            "question": "Bom?",
            "choices": ["Sim", "Não"],
            "answer": gold,
        }
        for text, gold in [("ótimo", "Sim"), ("ruim", "Não")] * 4
    ]
    data = write(tmp_path / "c.jsonl", rows)
    biased = only(evaluate(Oracle(["Sim"]), None, data), "accuracy")
    assert biased.predictions == ["Sim"] * 8  # both scores are 0: the first label
    aware = Oracle(["ótimo\nPergunta: Bom?\nResposta: Sim", "ruim\nPergunta: Bom?\nResposta: Não"])
    result = only(evaluate(aware, None, data), "macro_f1")
    assert result.value == 1
    assert result.constant == pytest.approx(1 / 3)
    assert result.chance == pytest.approx(0.5, abs=0.1)
    assert not result.value_is_mean
    assert recompute(result, [0, 1, 2]) == 1


def test_gaps_are_filled(tmp_path: Path) -> None:
    row = {"task": "cloze", "context": "O ____ mia.", "choices": ["gato", "cão"], "answer_index": 0}
    model = Oracle(["gato"])
    assert only(evaluate(model, None, write(tmp_path / "c.jsonl", [row])), "accuracy").value == 1
    assert ("Frase: O ", "gato mia.") in model.asked


def test_a_pronoun_is_found_by_its_tokens_and_the_rest_is_scored(tmp_path: Path) -> None:
    row = {
        "task": "winograd_pronoun",
        "context": "Ela viu a mala e ela caiu.",
        "choices": ["Ana", "mala"],
        "answer_index": 1,
        "tokens": ["Ela", "viu", "a", "mala", "e", "ela", "caiu", "."],
        "pronoun_token_span": [5, 6],
    }
    task = next(task for task in shipped_tasks() if task.name == "winograd_pronoun")
    start, end = gap_place(task, row)
    assert row["context"][start:end] == "ela"
    assert start > 5
    model = Oracle(["e mala"])
    assert only(evaluate(model, None, write(tmp_path / "w.jsonl", [row])), "accuracy").value == 1
    assert ("Frase: Ela viu a mala e mala", " caiu.") in model.asked
    with pytest.raises(EvaluationError, match="lacuna"):
        gap_place(task.model_copy(update={"gap_span": None}), row)


def test_extractive_answers(tmp_path: Path) -> None:
    rows = [
        {"task": "extractive_qa", "context": "A casa é azul.", "question": "Cor?", "answers": ["azul"]},
        {
            "task": "extractive_qa",
            "context": "A casa é azul.",
            "question": "Preço?",
            "answers": [],
            "answerable": False,
        },
    ]
    data = write(tmp_path / "q.jsonl", rows)
    right = evaluate(Oracle(answer="Azul [1]."), None, data)
    assert only(right, "f1").per_item == [1, 0]
    assert only(right, "answerable").per_item == [1, 0]
    refusing = evaluate(Oracle(answer="Os documentos não trazem essa informação."), None, data)
    assert only(refusing, "exact_match").per_item == [0, 1]
    assert only(refusing, "exact_match").constant == 0.5
    assert only(refusing, "answerable").value == 0.5


def test_arithmetic_counts_the_last_number(tmp_path: Path) -> None:
    rows = [
        {"task": "math", "question": "1+1?", "answer": "2"},
        {"task": "math", "question": "3+3?", "answer": "6"},
    ]
    result = only(
        evaluate(Oracle(answer="1 + 1 = 2,0"), None, write(tmp_path / "m.jsonl", rows)), "exact_match"
    )
    assert result.per_item == [1, 0]
    assert result.constant == 0.5


def test_retrieval_by_vectors(tmp_path: Path) -> None:
    documents = ["aaa bbb", "ccc ddd", "eee fff", "ggg hhh"]
    rows = [
        {"task": "retrieval_document", "id": f"d{i}", "context": text} for i, text in enumerate(documents)
    ]
    rows += [
        {"task": "retrieval_query", "id": "q1", "question": "aab", "answer": "d0"},
        {"task": "retrieval_query", "id": "q2", "question": "hhg", "answer": "d3"},
        {"task": "retrieval_query", "id": "q3", "question": "ee", "answer": "d1"},
    ]
    evaluation = evaluate(Oracle(), None, write(tmp_path / "r.jsonl", rows))
    result = only(evaluation, "recall_at_1")
    assert result.per_item == [1, 1, 0]
    assert result.predictions == ["d0", "d3", "d2"]
    assert result.chance == 0.25
    assert only(evaluation, "recall_at_10").value == 1
    limited = evaluate(Oracle(), None, tmp_path / "r.jsonl", limit=1)
    assert only(limited, "mrr").n == 1
    assert only(limited, "recall_at_1").chance == 0.25  # the collection stays whole


def test_similarity_and_probe(tmp_path: Path) -> None:
    words = ["abc", "def", "ghi", "jkl", "mno", "pqr", "stu", "vwx"]
    rows = [
        {"task": "sts", "context": w, "question": w if i % 2 else words[i - 1], "answer": 4.0 * (i % 2)}
        for i, w in enumerate(words)
    ]
    result = only(evaluate(Oracle(), None, write(tmp_path / "s.jsonl", rows)), "pearson")
    assert result.value > 0.9
    assert result.low <= result.value <= result.high
    labelled = [
        {
            "context": ("bom dia" if i % 2 else "xyz") + "k" * (i // 2 % 3),
            "choices": ["n", "s"],
            "answer_index": i % 2,
        }
        for i in range(40)
    ]
    write(tmp_path / "hatebr.jsonl", labelled)
    tasks = select_tasks(["hatebr_sonda"], shipped_tasks())
    assert only(evaluate(Oracle(), tasks, tmp_path), "accuracy").value == 1
    few = evaluate(Oracle(), tasks, tmp_path, limit=4)
    assert "poucas linhas" in few.skipped["hatebr_sonda"]


def test_text_is_measured_in_bits_per_byte(tmp_path: Path) -> None:
    (tmp_path / "um.txt").write_text("a" * 10)
    evaluation = evaluate(Oracle(["a"]), None, tmp_path / "um.txt")
    result = only(evaluation, "bits_per_byte")
    assert result.value == pytest.approx(0.1 / math.log(2))
    assert (result.weights, result.chance, result.verdict) == ([10.0], None, "")
    assert not result.higher_is_better


# -- evaluator -----------------------------------------------------------------------------------------------


def test_samples_depend_on_the_seed_alone(tmp_path: Path) -> None:
    rows = [
        {"id": f"i{i}", "task": "minimal_pair", "choices": ["a b", "b a"], "answer_index": 0}
        for i in range(50)
    ]
    data = write(tmp_path / "p.jsonl", rows)
    first, again, other = (evaluate(Oracle(), None, data, limit=9, seed=s).results[0] for s in (1, 1, 2))
    assert first.item_ids == again.item_ids != other.item_ids
    assert first.n == 9
    assert first.item_ids == sorted(first.item_ids, key=lambda name: int(name[1:]))


def test_what_a_model_cannot_do_is_left_out_by_name(tmp_path: Path) -> None:
    class Silent(Oracle):
        capabilities = frozenset({"generate"})

    rows = [{"task": "minimal_pair", "choices": ["a", "b"], "answer_index": 0}]
    evaluation = evaluate(Silent(), None, write(tmp_path / "p.jsonl", rows))
    assert evaluation.results == []
    assert evaluation.skipped == {"p": "este modelo não dá a probabilidade de um texto"}


def test_a_suite_names_the_files_it_misses(tmp_path: Path) -> None:
    write(tmp_path / "proverbios.jsonl", [{"context": "Água mole", "choices": ["a", "b"], "answer_index": 0}])
    evaluation = evaluate(Oracle(), load_suite("rapida"), tmp_path)
    assert [result.task for result in evaluation.results] == ["pares_luna", "perguntas_luna", "proverbios"]
    assert evaluation.skipped["cloze_reap"] == NO_FILE
    with pytest.raises(EvaluationError, match="Nenhum arquivo dos dados serve"):
        evaluate(Oracle(), select_tasks(["enem"], shipped_tasks()), tmp_path)


def test_verdicts() -> None:
    base = Result("t", "T", "accuracy", 0.6, 0.55, 0.65, 9, 0.5, 0.52, "h", [], [], [], [])
    assert base.verdict == "acima do acaso"
    assert base.says_something
    assert replace(base, low=0.49).verdict == "dentro do acaso"
    assert replace(base, low=0.51).verdict == "não supera resposta fixa"
    assert replace(base, value=0.3, low=0.2, high=0.4).verdict == "abaixo do acaso"


def test_results_survive_the_disk(tmp_path: Path) -> None:
    (tmp_path / "um.txt").write_text("a" * 10)
    evaluation = evaluate(Oracle(["a"]), None, tmp_path / "um.txt")
    save_evaluation(evaluation, tmp_path / "r.json")
    again = load_evaluation(tmp_path / "r.json")
    assert again.results[0].value == pytest.approx(evaluation.results[0].value)
    assert again.results[0].item_ids == ["1"]
    assert again.model["name"] == "oráculo"
    (tmp_path / "r.json").write_text('{"format": "outro"}')
    with pytest.raises(EvaluationError, match="saiba ler"):
        load_evaluation(tmp_path / "r.json")


def test_a_model_trained_on_the_test_is_not_called_clean(tmp_path: Path) -> None:
    rows = [
        {"id": f"i{i}", "task": "minimal_pair", "choices": ["certa", "erro"], "answer_index": i % 2}
        for i in range(4)
    ]
    data = write(tmp_path / "p.jsonl", rows)
    card = tmp_path / "README.md"
    card.write_text("---\nlicense: apache-2.0\ndatasets:\n  - sft/train-x\n---\n# Modelo\n")
    assert training_sources(tmp_path) == ["sft/train-x"]
    overlap = TaskOverlap("p", 4, 4, 2, 2, 0, {"sft/train-x": 2}, ("i0", "i2"))
    report = ContaminationReport(13, {}, {"p": overlap})
    model = Oracle(["certa"])
    assert not evaluate(model, None, data, contamination=report).results[0].checked  # no card
    model.path = tmp_path
    result = evaluate(model, None, data, contamination=report).results[0]
    assert result.checked
    assert result.contamination is not None
    assert result.contamination.dirty == 2
    assert result.value == 0.5
    assert result.contamination.clean_value == 0  # the right ones were those it had read
    card.write_text("---\ndatasets: [pretrain/outro]\n---\n")
    clean = evaluate(model, None, data, contamination=report).results[0]
    assert clean.checked
    assert clean.contamination is None
    card.write_text("# Sem cabeçalho")
    assert training_sources(tmp_path) is None


def test_dialogues_are_written_out_for_models_without_them() -> None:
    messages = [{"role": "system", "content": "Seja breve."}, {"role": "user", "content": "Oi?"}]
    assert plain_dialogue(messages) == "Seja breve.\n\nOi?\nResposta:"
    assert cut_at("sim\nPergunta: x", ["\n"]) == "sim"
    assert cut_at("sim", ["\n"]) == "sim"


def test_the_shipped_sets_are_as_their_script_makes_them() -> None:
    script = Path(__file__).parents[2] / "benchmarks" / "own_evaluation.py"
    own_evaluation = runpy.run_path(str(script))
    for name, make in (
        ("pares_luna", own_evaluation["pair_rows"]),
        ("perguntas_luna", own_evaluation["question_rows"]),
    ):
        rows = data_files(shipped_data())[name].rows
        assert rows == make(random.Random(0))
        assert len({row["id"] for row in rows}) == len(rows)
        for row in rows:
            assert row["choices"][row["answer_index"]] == row["answer"]
            assert len(set(row["choices"])) == len(row["choices"])
