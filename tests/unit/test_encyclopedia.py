"""The built-in encyclopaedia: small, quick to open, only read; its articles joined and its questions held
out."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from lunagpt.errors import DataError, StoreError
from lunagpt.rag.encyclopedia import ASSET, NAME, Encyclopedia, built_in
from lunagpt.rag.encyclopedia_build import build, database_of, is_held_out, join_articles, read_rows


def row(number: int, title: str, text: str, qa: list[tuple[str, str]] = (), **more: Any) -> dict[str, Any]:
    pairs = [{"q": question, "a": answer} for question, answer in qa]
    names = {"id": f"t-{number}", "title": title, "aliases": [], "area": "teste"}
    return {**names, "text": text, "qa": pairs, "see": [], **more}


def write(folder: Path, *rows: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "a.jsonl").write_text("\n".join(json.dumps(entry) for entry in rows), encoding="utf-8")
    return folder


@pytest.mark.performance
def test_the_asset_is_small_and_opens_quickly() -> None:
    path = Path(str(resources.files("lunagpt") / "assets" / "enciclopedia" / ASSET))
    assert path.stat().st_size < 4_000_000
    began = time.process_time()
    encyclopedia = Encyclopedia.from_file(path)
    assert time.process_time() - began < 0.3
    assert encyclopedia.count > 2700
    encyclopedia.close()


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("Quem descobriu o Brasil?", "Chegada dos portugueses ao Brasil"),
        ("capital da australia", "Austrália"),
        ("quem escreveu dom casmurro", "Dom Casmurro"),
        ("O que é fotossíntese?", "Fotossíntese"),
        ("altura do pico da neblina", "Pico da Neblina"),
        ("zumbi dos palmares", "Zumbi dos Palmares"),
    ],
)
def test_the_article_that_answers_comes_first(query: str, title: str) -> None:
    first = built_in().retrieve(query, 3)[0]
    assert first.title == title
    assert first.score > 0.5
    assert first.metadata["source"] == NAME
    assert first.metadata["built_in"] is True


def test_relevance_falls_from_the_first_on_and_k_and_threshold_hold() -> None:
    found = built_in().retrieve("Quem descobriu o Brasil?", 5)
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)
    assert all(0 <= p.score <= 1 for p in found)
    assert len(built_in().retrieve("Quem descobriu o Brasil?", 2)) == 2
    assert all(p.score >= 0.5 for p in built_in().retrieve("Quem descobriu o Brasil?", 5, threshold=0.5))


@pytest.mark.parametrize("query", ["", "   ", "?!", '"', "* OR (", "a" * 5000, "\0", "🦜"])
def test_any_query_is_survived(query: str) -> None:
    assert isinstance(built_in().retrieve(query), list)


def test_it_augments_a_context() -> None:
    text = built_in().augment_context("Quem descobriu o Brasil?", "Contexto.")
    assert text.startswith("[1] Chegada dos portugueses ao Brasil: ")
    assert text.endswith("Contexto.")
    assert built_in().augment_context("xyzzy", "Contexto.") == "Contexto."


def test_titles_that_occur_twice_are_joined_and_held_out_questions_left_out(tmp_path: Path) -> None:
    questions = [(f"Pergunta número {n}?", f"Resposta {n}.") for n in range(60)]
    source = write(
        tmp_path / "fonte",
        row(1, "Natal", "Natal é a capital do Rio Grande do Norte.", questions, aliases=["Cidade do Sol"]),
        row(
            2, "natal", "O Natal é a festa de 25 de dezembro.", [("Quando é o Natal?", "Em 25 de dezembro.")]
        ),
        row(3, "Peru", "O Peru é um país da América do Sul."),
    )
    (natal, peru) = join_articles(read_rows(source))
    assert natal.texts == [
        "Natal é a capital do Rio Grande do Norte.",
        "O Natal é a festa de 25 de dezembro.",
    ]
    stored = {question for question, _ in natal.questions}
    for question, _ in questions:
        assert (question not in stored) is is_held_out("t-1", question)
    assert 1 <= 60 - len(stored & {question for question, _ in questions}) <= 20
    encyclopedia = Encyclopedia(database_of([natal, peru]))
    assert encyclopedia.retrieve("cidade do sol")[0].title == "Natal"
    assert "festa de 25 de dezembro" in encyclopedia.retrieve("festa de dezembro")[0].content


def test_building_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    source = write(
        tmp_path / "fonte", row(1, "Abacaxi", "O abacaxi é uma fruta.", [("O que é?", "Uma fruta.")])
    )
    assert build(source, tmp_path / "a.gz") == build(source, tmp_path / "b.gz") == (1, 1)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    command = [sys.executable, "-m", "lunagpt.rag.encyclopedia", "build", "--source", str(source)]
    done = subprocess.run(
        [*command, "--output", str(tmp_path / "c.gz")], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("1 verbetes e 1 perguntas")
    assert (tmp_path / "c.gz").read_bytes() == (tmp_path / "a.gz").read_bytes()


def test_bad_sources_and_damaged_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Não há arquivos"):
        build(tmp_path, tmp_path / "x.gz")
    (tmp_path / "a.jsonl").write_text('{"id": 1}', encoding="utf-8")
    with pytest.raises(DataError, match="linha 1"):
        build(tmp_path, tmp_path / "x.gz")
    for content in (b"nada", gzip.compress(b"nada"), gzip.compress(b"SQLite format 3\0" + b"x" * 500)):
        (tmp_path / "x.gz").write_bytes(content)
        with pytest.raises(StoreError, match="LunaGPT"):
            Encyclopedia.from_file(tmp_path / "x.gz")
    with pytest.raises(StoreError, match="Não consegui abrir"):
        Encyclopedia.from_file(tmp_path / "nenhum.gz")
