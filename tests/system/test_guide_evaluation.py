"""The guide on evaluation keeps its word: its commands, its Python and its task files run."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest

from lunagpt import cli
from lunagpt.evaluation import evaluate, load_evaluation, load_tasks
from lunagpt.evaluation.evaluation_data import data_files
from lunagpt.evaluation.suites import load_suite
from lunagpt.evaluation.task import shipped_tasks

GUIDE = Path(__file__).parents[2] / "docs" / "avaliacao.md"
TEXT = GUIDE.read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall(TEXT)


def write(path: Path, rows: Sequence[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the data that the guide speaks of."""
    fruit = [
        {"question": "Qual é doce?", "choices": ["limão", "manga"], "answer_index": i % 2} for i in range(8)
    ]
    write(tmp_path / "meus-dados" / "frutas.jsonl", fruit)
    write(tmp_path / "minhas-perguntas.jsonl", fruit)
    proverb = {"task": "proverb_completion", "context": "Água mole", "choices": ["em pedra dura", "azul"]}
    write(tmp_path / "corpus" / "eval" / "proverbios.jsonl", [{**proverb, "answer_index": 0}])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_commands_run(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line for language, block in BLOCKS if language == "bash" for line in block.splitlines()]
    commands = [line for line in lines if line.startswith("luna evaluate luna-nano")]
    assert len(commands) >= 4
    (home / "contaminacao.json").write_text(
        '{"format": "lunagpt-contamination-1", "ngram": 13, "seconds": 0, "training": {}, "tasks": {}}'
    )
    for line in commands:
        if "outra-pasta" in line:  # stands for the reader's own models
            continue
        arguments = [part for part in shlex.split(line)[1:] if part != "--limit" and not part.isdigit()]
        limit = "1" if "comportamentos" in line else "2"
        assert cli.main([*arguments, "--limit", limit, "--threads", "1"]) == 0, line
        output = capsys.readouterr().out
        assert "luna-nano" in output
        assert max(map(len, output.splitlines())) <= 80


def test_results_are_written_and_tables_fit_the_screen(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["evaluate", "luna-nano", "--limit", "4", "--json", "r.json", "--seed", "3", "--threads", "1"]
    assert cli.main(arguments) == 0
    output = capsys.readouterr().out
    assert "acaso" in output
    assert "Tarefas comparadas com os dados de treino: 3 de 3" in output  # all are in the shipped report
    saved = load_evaluation(home / "r.json")
    assert saved.seed == 3
    assert {result.task for result in saved.results} == {"pares_luna", "perguntas_luna", "proverbios"}
    assert all(result.n == min(4, len(result.item_ids)) for result in saved.results)


def test_mistakes_are_explained(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", "nada", "--threads", "1"]) == 1
    assert 'Não há modelo em "nada"' in capsys.readouterr().err
    assert cli.main(["evaluate", "luna-nano", "--suite", "lenta"]) == 1
    assert "rapida" in capsys.readouterr().err
    assert cli.main(["evaluate", "luna-nano", "--suite", "rapida", "--task", "enem"]) == 2
    assert "não combinam" in capsys.readouterr().err


def test_task_files_and_python_run(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "minhas-tarefas").mkdir()
    for language, block in BLOCKS:
        if language == "yaml":
            name = block.splitlines()[0].removeprefix("# ")
            (home / "minhas-tarefas" / name).write_text(block, encoding="utf-8")
    tasks = load_tasks(home / "minhas-tarefas")
    assert [task.name for task in tasks] == ["frutas", "frutas_exemplos"]
    evaluation = evaluate("luna-nano", tasks, home / "meus-dados")
    assert [result.n for result in evaluation.results] == [8, 4]
    programs = [block for language, block in BLOCKS if language == "python"]
    assert len(programs) == 2
    for program in programs:
        exec(compile(program.replace("limit=100", "limit=1"), str(GUIDE), "exec"), {})
    assert "Fim do provérbio" in capsys.readouterr().out


def test_the_table_of_tasks_is_complete() -> None:
    table = TEXT.split("## Tarefas")[1]
    listed = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", table, re.MULTILINE))
    assert listed == {task.name: task.file for task in shipped_tasks() if task.file}
    quick = set(re.findall(r"^\| `(\w+)` .*\| × \|", table, re.MULTILINE))
    assert quick == {entry.task.name for entry in load_suite("rapida").entries}


def test_every_kind_of_row_has_a_task() -> None:
    kinds = {task.kind for task in shipped_tasks() if task.kind}
    section = TEXT.split("## Formato dos dados")[1].split("## ")[0]
    named = {kind for kind in re.findall(r"`(\w+)`", section) if f"`{kind}`" in section and kind in kinds}
    assert named == kinds
    assert data_files(GUIDE.parents[1] / "src" / "lunagpt" / "assets" / "avaliacao")
