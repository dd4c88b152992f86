"""The command line with a real model, small and untrained, from the folder to the screen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lunagpt import cli
from lunagpt.commands import texts
from lunagpt.config import LunaConfig
from lunagpt.models import LunaModel


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = LunaConfig.preset("test").replaced(model={"tie_embeddings": False, "name": "luna-teste"})
    return LunaModel.from_scratch(config, seed=0).save(tmp_path_factory.mktemp("modelos") / "luna-teste")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNA_HOME", str(tmp_path / "luna"))
    monkeypatch.setenv("LUNA_HARDWARE__CPU_THREADS", "1")  # tests share the machine
    monkeypatch.setattr(sys, "argv", ["luna"])


def in_a_process(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lunagpt.cli", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        check=False,
    )


def test_questions_through_a_pipe(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--model", str(folder), "--max-tokens", "12", "--seed", "4"]
    result = in_a_process("chat", *flags, stdin="Olá!\nTudo bem?\n")
    assert (result.returncode, result.stderr) == (0, "")
    first, second = result.stdout.rstrip("\n").split("\n\n")
    assert first.strip()
    assert second.strip()
    # the same seed says the same, whichever way it is asked
    assert cli.main(["--query", "Olá!", *flags]) == 0
    assert capsys.readouterr().out == first + "\n"
    assert cli.main(["chat", "Olá!", *flags]) == 0
    assert capsys.readouterr().out == first + "\n"


def test_mistakes_end_with_code_two_and_failures_with_one(tmp_path: Path) -> None:
    wrong = in_a_process("chat", "--modelo", "x")
    assert wrong.returncode == 2
    assert wrong.stdout == ""
    assert wrong.stderr.startswith("Erro: Não conheço a opção --modelo. Você quis dizer --model?\n")
    assert '"python -m lunagpt.cli chat --help"' in wrong.stderr
    module = subprocess.run([sys.executable, "-m", "lunagpt", "nada"], capture_output=True, encoding="utf-8")
    assert (module.returncode, module.stderr.splitlines()[-1]) == (
        2,
        'Veja como usar com "python -m lunagpt --help".',
    )
    missing = in_a_process("--model", str(tmp_path / "nada"), stdin="Olá\n")
    assert missing.returncode == 1
    assert missing.stdout == ""
    assert missing.stderr.startswith("Erro: Não há pasta de modelo em")
    assert "Traceback" not in missing.stderr


def test_a_file_of_questions_a_config_and_the_environment(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, questions = tmp_path / "minha.yaml", tmp_path / "perguntas.txt"
    config.write_text(f"model:\n  base_path: {folder}\n", encoding="utf-8")
    questions.write_text("Quem é você?\nO que é a Lua?\n", encoding="utf-8")
    flags = ["--input", str(questions), "--max-tokens", "6", "--seed", "1"]
    assert cli.main([*flags, "--config", str(config), "--output", str(tmp_path / "a.txt")]) == 0
    answers = (tmp_path / "a.txt").read_text(encoding="utf-8")
    assert answers.count("Pergunta: ") == answers.count("Resposta: ") == 2
    monkeypatch.setenv("LUNA_MODEL__BASE_PATH", str(folder))
    assert cli.main([*flags, "--output", str(tmp_path / "b.txt")]) == 0
    assert (tmp_path / "b.txt").read_text(encoding="utf-8") == answers


def test_info_tells_what_is_in_a_folder_and_finds_damage(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["info", str(folder)]) == 0
    out = capsys.readouterr().out
    parameters = LunaModel.from_pretrained(folder).num_parameters()
    assert "luna-teste" in out
    assert f"{parameters / 1e6:.3g} milhões".replace(".", ",") in out
    assert "todos conferem" in out

    damaged = tmp_path / "estragado"
    damaged.mkdir()
    for path in folder.rglob("*"):
        if path.is_file():
            (damaged / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
            (damaged / path.relative_to(folder)).write_bytes(path.read_bytes())
    weights = damaged / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    for arguments in (["info", str(damaged)], ["chat", "--model", str(damaged), "oi"]):
        assert cli.main(arguments) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("Erro: ")
        assert "model.safetensors" in captured.err


def test_tokenizer_training_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from lunagpt.tokenizer import LunaTokenizer

    text = tmp_path / "textos.txt"
    text.write_text("A lua ilumina a rua. A rua acorda com a lua.\n" * 20, encoding="utf-8")
    output = tmp_path / "tokenizador"
    assert cli.main(["tokenizer", "train", str(text), "--vocab-size", "290", "--output", str(output)]) == 0
    captured = capsys.readouterr()
    assert str(output) in captured.out
    assert captured.err.splitlines()[0] == "Lendo e contando palavras"
    assert LunaTokenizer.from_pretrained(output).vocab_size == 290
    assert cli.main(["tokenizer", "train", str(tmp_path / "nada.txt"), "--output", str(output)]) == 1
    assert capsys.readouterr().err.startswith("Erro: ")


def test_training_hands_everything_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from lunagpt.training import command

    calls: list[tuple[tuple[object, ...], dict[str, object]]] = []
    reasons = iter(["max_steps", "signal"])

    def train(*args: object, **kwargs: object) -> dict[str, object]:
        calls.append((args, kwargs))
        reason = next(reasons)
        return {"stop_reason": reason} | ({} if reason == "signal" else {"model": Path("minha pasta/model")})

    monkeypatch.setattr(command, "train_command", train)
    assert cli.main(["train", "configs/treino/nano.yaml"]) == 0
    assert capsys.readouterr().out == texts.TRAIN_DONE.format(model="'minha pasta/model'") + "\n"
    flags = ["--run-dir", "r", "--preset", "test", "--data-root", "d", "--base-model", "b", "--resume"]
    flags += ["--max-steps", "9", "--max-minutes", "1,5", "--decay-now", "3", "--threads", "2"]
    flags += ["--set", "training.seed=1", "--set", "training.batch_size=2"]
    assert cli.main(["train", "receita.yaml", *flags]) == 130
    assert capsys.readouterr().out == ""
    assert calls[0][0] == (Path("configs/treino/nano.yaml"), Path("runs/nano"))
    assert calls[0][1]["resume"] is False
    assert calls[1] == (
        (Path("receita.yaml"), Path("r")),
        {
            "preset": "test",
            "data_root": Path("d"),
            "base_model": Path("b"),
            "resume": True,
            "max_steps": 9,
            "max_minutes": 1.5,
            "decay_now": 3,
            "threads": 2,
            "changes": ["training.seed=1", "training.batch_size=2"],
        },
    )
    reasons = iter(["max_minutes"])
    assert cli.main(["train", "receita.yaml", "--resume-from", "ponto"]) == 0
    assert calls[2][1]["resume"] == Path("ponto")
    assert "com --resume continua" in capsys.readouterr().out
