"""Shared runs of words between training and evaluation files: found where they are, and only there."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunagpt.errors import DataError
from lunagpt.evaluation.contamination import find_contamination, main
from lunagpt.evaluation.contamination_report import ContaminationReport, load_report
from lunagpt.evaluation.word_runs import RunIndex, WordHasher, run_hashes, texts_of

TEXT = (
    "O vapor saiu de Corumbá na madrugada de domingo com doze passageiros e uma carga de farinha que "
    "ninguém quis assinar; subiu o rio sem pressa, parando em cada porto para trocar notícias "
    "por galinhas e limões."
)
WORDS = TEXT.split()


def write_jsonl(path: Path, *rows: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.fixture
def evaluation(tmp_path: Path) -> Path:
    return write_jsonl(
        tmp_path / "eval" / "prova.jsonl.gz",
        {"id": "trecho", "question": " ".join(WORDS[5:20])},
        {"id": "doze-palavras", "question": " ".join(WORDS[5:17]) + " azuis"},
        {"id": "curto-inteiro", "question": " ".join(WORDS[5:14])},
        {"id": "contexto", "context": TEXT, "question": "Quantos passageiros?"},
        {
            "id": "limpo",
            "question": "Em que ano a ferrovia chegou ao planalto, segundo o relatório da comissão de obras?",
        },
        {"id": "curto-demais", "question": "O que é?"},
    )


def test_dirty_rows_are_found_whatever_the_layout(tmp_path: Path, evaluation: Path) -> None:
    shouted = TEXT.upper().replace("CORUMBÁ", "CORUMBA").replace(" ", "  ")
    inside = json.dumps([{"role": "user", "content": f"Leia:\n{shouted}"}], ensure_ascii=False)
    for name, row in (("a", {"text": f"Antes. {TEXT} Depois."}), ("b", {"messages": inside})):
        training = write_jsonl(tmp_path / name / "dados.jsonl", {"text": "Nada em comum aqui."}, row)
        report = find_contamination([training], [evaluation])
        (task,) = report.tasks.values()
        assert task.dirty_ids == ("trecho", "curto-inteiro", "contexto")
        assert (task.items, task.checked, task.dirty, task.half_dirty, task.only_context) == (6, 5, 3, 3, 1)
        assert task.by_source == {f"{name}/dados": 3}
        assert task.share == 3 / 5
        assert report.training[f"{name}/dados"][0] == 2


def test_a_run_does_not_reach_over_the_border_of_two_texts(tmp_path: Path, evaluation: Path) -> None:
    training = write_jsonl(
        tmp_path / "t.jsonl", {"text": " ".join(WORDS[:12])}, {"text": " ".join(WORDS[12:22])}
    )
    (task,) = find_contamination([training], [evaluation]).tasks.values()
    assert task.dirty == 0


def test_parquet_text_and_folders_are_read(tmp_path: Path, evaluation: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")

    folder = tmp_path / "treino"
    folder.mkdir()
    (folder / "livro.txt").write_text(TEXT, encoding="utf-8")
    (folder / "MANIFEST.md").write_text(TEXT, encoding="utf-8")  # describes the data, is none of it
    parquet.write_table(pyarrow.table({"text": ["Outro.", TEXT]}), folder / "partes.parquet")
    (task,) = find_contamination([folder], [evaluation.parent]).tasks.values()
    assert task.by_source == {"treino/livro": 3, "treino/partes": 3}


def test_another_size_of_run(tmp_path: Path, evaluation: Path) -> None:
    training = write_jsonl(tmp_path / "t.jsonl", {"text": " ".join(WORDS[5:17])})
    (long,) = find_contamination([training], [evaluation]).tasks.values()
    (short,) = find_contamination([training], [evaluation], ngram=9).tasks.values()
    assert long.dirty_ids == ("curto-inteiro",)
    assert short.dirty_ids == ("trecho", "doze-palavras", "curto-inteiro", "contexto")
    with pytest.raises(DataError, match="a partir de 2"):
        find_contamination([training], [evaluation], ngram=1)


def test_the_report_is_stored_and_read_by_the_command(
    tmp_path: Path, evaluation: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_jsonl(tmp_path / "sft" / "train-math.jsonl", {"text": TEXT})
    out, table = tmp_path / "r.json", tmp_path / "r.md"
    arguments = ["sft/*.jsonl", "--eval", "eval", "--data-root", str(tmp_path), "-o", str(out)]
    assert main([*arguments, "--markdown", str(table)]) == 0
    assert table.read_text(encoding="utf-8") == capsys.readouterr().out
    assert "| prova | 6 | 5 | 3 (60,0 %) | 3 | 1 | sft/train-math (3) |" in table.read_text(encoding="utf-8")
    report = load_report(out)
    assert report.to_dict() == json.loads(out.read_text(encoding="utf-8"))
    assert report.task("prova.jsonl.gz") == report.task("prova")
    assert report.task("outra") is None
    assert main(["nada.txt", "--eval", "eval", "--data-root", str(tmp_path)]) == 1
    assert "Erro: Não encontrei" in capsys.readouterr().err
    assert main(["sft"]) == 2
    assert "--eval" in capsys.readouterr().err
    assert main([*arguments, "-o", str(out / "dentro-de-um-arquivo.json")]) == 1
    assert "Erro: Não consegui gravar" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("sources", "labels"),
    [
        (["sft/train-math.parquet"], ["sft/train-math"]),
        (["train-math"], ["sft/train-math"]),
        (["sft/"], ["sft/train-math", "sft/train-dolly"]),
        (["pretrain/docs-*.parquet"], ["pretrain/docs-000"]),
        (["dados/pretrain/*.parquet"], []),
        (["math", "luna/conversa.jsonl"], []),
        ([], []),
    ],
)
def test_sources_of_a_card_are_matched(sources: list[str], labels: list[str]) -> None:
    counts = {"sft/train-math": 5, "sft/train-dolly": 2, "pretrain/docs-000": 1}
    raw = {"items": 9, "checked": 9, "dirty": 6, "half_dirty": 0, "only_context": 0, "dirty_ids": []}
    report = _report({"enem": {**raw, "by_source": counts}})
    assert [label for label, _ in report.overlapping("enem", sources)] == labels
    assert report.overlapping("oab", sources) == []


def test_a_file_that_is_no_report_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    for text in ("{}", "nada", '{"format": "outro"}', "[]"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match="não é um relatório"):
            load_report(path)


def test_columns_that_only_describe_a_row_are_no_text() -> None:
    row = {
        "id": "x",
        "source": "y",
        "question": "q",
        "choices": ["a", "b"],
        "answers": {"text": ["c"]},
        "n": 3,
    }
    assert list(texts_of(row)) == [("question", "q"), ("choices", "a"), ("choices", "b"), ("answers", "c")]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(0, 30), st.integers(2, 6))
def test_runs_are_found_exactly_where_a_plain_search_finds_them(
    text: list[int], start: int, size: int
) -> None:
    words = [f"p{number}" for number in text]
    item = words[start : start + size] or ["p0", "p1"]
    index = RunIndex(ngram=size, shortest=1)
    index.add(0, " ".join(item))
    index.close()
    found, count = index.find([" ".join(words)])
    length = min(size, len(item))
    places = [words[i : i + length] for i in range(len(words) - length + 1)]
    expected = {tuple(item[i : i + length]) in map(tuple, places) for i in range(len(item) - length + 1)}
    assert count == len(words)
    assert set(found.tolist()) == expected


def test_the_rolling_hash_is_that_of_each_run_by_itself() -> None:
    numbers = np.array(WordHasher()(TEXT), np.uint64)
    rolled = dict(run_hashes(numbers, 3, 7))
    assert sorted(rolled) == [3, 4, 5, 6, 7]
    for length, hashes in rolled.items():
        for place in range(len(hashes)):
            ((_, alone),) = run_hashes(numbers[place : place + length], length, length)
            assert alone == hashes[place]
    assert len({int(value) for hashes in rolled.values() for value in hashes}) == sum(
        map(len, rolled.values())
    )


def _report(tasks: dict[str, dict[str, object]]) -> ContaminationReport:
    import tempfile

    raw = {"format": "lunagpt-contamination-1", "ngram": 13, "seconds": 0, "training": {}, "tasks": tasks}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.json"
        path.write_text(json.dumps(raw), encoding="utf-8")
        return load_report(path)
