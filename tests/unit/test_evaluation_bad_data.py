"""Data that does not fit: every mistake is an error in Portuguese that says where it is."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lunagpt import cli
from lunagpt.errors import DataError, EvaluationError
from lunagpt.evaluation import evaluate
from lunagpt.evaluation.language_models import LogLikelihood, PartialModel
from lunagpt.evaluation.task import select_tasks, shipped_tasks

CHOICE = {"task": "multiple_choice", "question": "Quanto é 1 + 1?", "choices": ["um", "dois"]}
PASSAGE = {"task": "extractive_qa", "context": "O céu é azul.", "question": "Que cor tem o céu?"}


class Constant(PartialModel):
    """Finds everything equally likely, writes nothing, has one vector."""

    name = "constante"
    kind = "luna"
    capabilities = frozenset({"loglikelihood", "generate", "embed"})

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[LogLikelihood]:
        return [LogLikelihood(-1.0, 1, len(text.encode()), False) for _, text in pairs]

    def generate(self, prompts: Sequence[Any], **settings: Any) -> list[str]:
        return ["" for _ in prompts]

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        return np.ones((len(texts), 2), dtype=np.float32)


def written(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([CHOICE], 'linha 1 não tem a coluna "answer"'),
        ([CHOICE | {"answer": "três"}], '"três", que não está entre as alternativas'),
        ([CHOICE | {"id": "a7", "answer_index": 2}], "linha a7 tem answer_index 2, .* de 0 a 1"),
        ([CHOICE | {"answer_index": "B"}], "answer_index B"),
        ([CHOICE | {"choices": "um;dois", "answer_index": 0}], 'não tem uma lista na coluna "choices"'),
        ([CHOICE | {"question": None, "answer_index": 0}], "não tem nada na coluna .*question"),
        ([{"pergunta": "Qual?", "choices": ["a", "b"], "answer_index": 0}], "não tem nada na coluna"),
        ([PASSAGE | {"answerable": True}], 'não tem a coluna "answer"'),
        ([PASSAGE | {"answers": "azul"}], 'não tem uma lista na coluna "answers"'),
        ([{"task": "math", "question": "1 + 1?", "answer": "dois"}], "nenhum número em answer"),
        ([{"task": "sts", "context": "a", "question": "b", "answer": "muito"}], '"muito" .* um número'),
        ([{"task": "cloze", "context": "Sem lacuna.", "choices": ["a", "b"], "answer_index": 0}], "lacuna"),
        (
            [
                {"task": "retrieval_document", "id": "d1", "context": "O céu."},
                {"task": "retrieval_query", "id": "q1", "question": "O quê?", "answer": "d2"},
            ],
            'linha q1 pede o documento "d2"',
        ),
        ([{"foo": 1}], "coluna text"),
    ],
)
def test_a_row_that_does_not_fit_is_named(rows: list[dict[str, Any]], words: str, tmp_path: Path) -> None:
    path = written(tmp_path / "dados.jsonl", *rows)
    found = evaluate(Constant(), None, path)
    assert found.results == []
    (reason,) = found.skipped.values()
    with pytest.raises(EvaluationError, match=words):
        raise EvaluationError(reason)


def test_without_a_task_column_the_columns_say_what_a_row_is(tmp_path: Path) -> None:
    choice = {key: value for key, value in CHOICE.items() if key != "task"}
    (result,) = evaluate(Constant(), None, written(tmp_path / "x.jsonl", choice | {"answer": "dois"})).results
    assert (result.metric, result.value) == ("accuracy", 1.0)


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="Não encontrei"):
        evaluate(Constant(), None, tmp_path / "nada.jsonl")
    (tmp_path / "vazio.jsonl").write_text("")
    with pytest.raises(EvaluationError, match="nenhuma linha legível"):
        evaluate(Constant(), None, tmp_path / "vazio.jsonl")
    with pytest.raises(EvaluationError, match="linhas são do tipo adivinha"):
        evaluate(Constant(), None, written(tmp_path / "x.jsonl", CHOICE | {"task": "adivinha"}))
    (tmp_path / "x.docx").write_text("x")
    with pytest.raises(DataError, match="formato"):
        evaluate(Constant(), None, tmp_path / "x.docx")


def test_a_broken_file_costs_its_own_tasks_only(tmp_path: Path) -> None:
    written(tmp_path / "proverbios.jsonl", CHOICE | {"context": "Água mole", "answer_index": 0})
    (tmp_path / "enem.jsonl.gz").write_bytes(gzip.compress(b'{"a": 1}\n' * 99)[:30])
    tasks = select_tasks(["enem", "proverbios"], shipped_tasks())
    found = evaluate(Constant(), tasks, tmp_path)
    assert [result.task for result in found.results] == ["proverbios"]
    assert "Não consegui ler" in found.skipped["enem"]


def test_unknown_tasks_are_named() -> None:
    with pytest.raises(EvaluationError, match='Você quis dizer "enem"'):
        select_tasks(["enen"], shipped_tasks())
    with pytest.raises(EvaluationError, match=r"docs/avaliacao\.md"):
        select_tasks(["xyz"], shipped_tasks())


def test_the_command_fails_if_nothing_could_be_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "dados.jsonl", CHOICE)
    assert cli.main(["evaluate", "aleatorio:test", "--data", str(path), "--threads", "1"]) == 1
    printed = capsys.readouterr()
    assert printed.out.startswith("test sem treino (LunaGPT")
    assert "Nada pôde ser medido." in printed.out
    assert 'dados: A linha 1 não tem a coluna "answer".' in printed.out


def test_results_that_could_not_be_written_are_known_before_measuring(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "arquivo").write_text("")
    under_a_file = str(tmp_path / "arquivo" / "r.json")
    assert cli.main(["evaluate", "nem-se-abre", "--json", under_a_file]) == 1
    assert "Não consegui gravar" in capsys.readouterr().err
    assert cli.main(["compare", "nem-se-abre", "nem-este", "-o", under_a_file]) == 1
    assert "Não consegui gravar" in capsys.readouterr().err


def test_models_of_one_name_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "dados.jsonl", CHOICE | {"answer_index": 0})
    words = ["aleatorio:test", "aleatorio:test", "--data", str(path), "--threads", "1"]
    assert cli.main(["evaluate", *words, "--json", str(tmp_path / "saída")]) == 0
    names = sorted(file.name for file in (tmp_path / "saída").iterdir())
    assert names == ["test-sem-treino--2-.json", "test-sem-treino.json"]
    assert "test sem treino (2) (LunaGPT" in capsys.readouterr().out
