"""`luna --input`: questions from a file, answers to the screen or to another."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest
from tests.scripted_engine import ScriptedEngine
from tests.scripted_luna import Luna, luna_fixture  # noqa: F401 - the fixture `luna`

from lunagpt.errors import GenerationError


def test_a_file_of_questions(luna: Luna, tmp_path: Path) -> None:
    questions = tmp_path / "perguntas.txt"
    questions.write_bytes("\ufeffUm?\n\n  Dois?  \r\nolá".encode() + b" \xff\n")
    answers = tmp_path / "novo" / "respostas.txt"
    code, out, err = luna("--input", str(questions), "--output", str(answers))
    assert (code, out) == (0, "")
    assert err == f"3 respostas em {answers}\n"
    assert answers.read_text(encoding="utf-8") == (
        "Pergunta: Um?\nResposta: 1: Um?\n\n"
        "Pergunta: Dois?\nResposta: 1: Dois?\n\n"
        "Pergunta: olá \ufffd\nResposta: 1: olá \ufffd\n"
    )
    code, out, err = luna("--input", str(questions))
    assert (code, out, err) == (0, answers.read_text(encoding="utf-8") + "\n", "")


def test_a_question_that_fails_leaves_its_reason(luna: Luna, tmp_path: Path) -> None:
    questions, answers = tmp_path / "p.txt", tmp_path / "r.txt"
    questions.write_text("a\nb\nc\n", encoding="utf-8")
    luna.engine = ScriptedEngine.saying("um", GenerationError("Não deu."), "três")
    code, _, err = luna("--input", str(questions), "--output", str(answers))
    assert code == 1
    assert "Erro: Não deu.\n" in err
    assert re.findall(r"Resposta: .*|\[sem resposta\].*", answers.read_text(encoding="utf-8")) == [
        "Resposta: um",
        "[sem resposta] Não deu.",
        "Resposta: três",
    ]


def test_ctrl_c_keeps_the_answers_so_far(luna: Luna, tmp_path: Path) -> None:
    questions, answers = tmp_path / "p.txt", tmp_path / "r.txt"
    questions.write_text("a\nb\nc\n", encoding="utf-8")
    answers.write_text("antigo", encoding="utf-8")
    replies = iter(["um", "dois"])

    def reply(_messages: object) -> str:
        try:
            return next(replies)
        except StopIteration:
            raise KeyboardInterrupt from None

    luna.engine = ScriptedEngine(reply)
    code, _, err = luna("--input", str(questions), "--output", str(answers))
    assert code == 130
    assert f"Interrompido: 2 de 3 respostas em {answers}" in err
    assert answers.read_text(encoding="utf-8").count("Resposta:") == 2


@pytest.mark.parametrize("content", [None, b"", b"\n  \n"])
def test_a_file_without_questions_is_an_error(luna: Luna, tmp_path: Path, content: bytes | None) -> None:
    questions = tmp_path / "p.txt"
    if content is not None:
        questions.write_bytes(content)
    code, out, err = luna("--input", str(questions), "--output", str(tmp_path / "r.txt"))
    assert (code, out) == (1, "")
    assert f'"{questions}"' in err
    assert not (tmp_path / "r.txt").exists()
    assert luna.settings == [], "the model is not loaded for nothing"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252", "utf-8-sig"])
def test_questions_are_read_in_the_encodings_of_windows(luna: Luna, tmp_path: Path, encoding: str) -> None:
    questions = tmp_path / "minhas perguntas, à mão.txt"
    questions.write_bytes("Você já almoçou?\r\nSão 3 irmãos?\r\n".encode(encoding))
    code, out, _ = luna("--input", str(questions))
    assert code == 0
    assert re.findall("Pergunta: (.*)", out) == ["Você já almoçou?", "São 3 irmãos?"]


def test_a_picture_is_no_file_of_questions(luna: Luna, tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    code, out, err = luna("--input", str(tmp_path / "p.txt"))
    assert (code, out) == (1, "")
    assert "não é texto (parece uma imagem)" in err


@pytest.mark.parametrize(
    ("output", "problem"), [("p.txt/r.txt", "já existe|como se fosse uma pasta"), ("pasta", "é uma pasta")]
)
def test_an_output_that_cannot_be_written_is_refused_at_once(
    luna: Luna, tmp_path: Path, output: str, problem: str
) -> None:
    (tmp_path / "p.txt").write_text("a\n", encoding="utf-8")
    (tmp_path / "pasta").mkdir()
    code, out, err = luna("--input", str(tmp_path / "p.txt"), "--output", str(tmp_path / output))
    assert (code, out) == (1, "")
    assert re.search(f"Não consegui gravar .*: ({problem})", err)
    assert luna.engine.prompts == []


def test_answers_are_printed_if_the_file_cannot_be_written_in_the_end(
    luna: Luna, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("lunagpt.commands.files.atomic_write_text", full)
    (tmp_path / "p.txt").write_text("a\nb\n", encoding="utf-8")
    code, out, err = luna("--input", str(tmp_path / "p.txt"), "--output", str(tmp_path / "r.txt"))
    assert code == 1
    assert out.count("Resposta: ") == 2
    assert "não há mais espaço em disco. Confira o caminho" in err
