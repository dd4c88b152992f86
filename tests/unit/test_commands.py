"""The command line without a model: a scripted engine answers, everything around it is real."""

from __future__ import annotations

import errno
import io
import os
import re
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.scripted_engine import ScriptedEngine
from tests.scripted_luna import Luna, luna_fixture  # noqa: F401 - the fixture `luna`

import lunagpt
from lunagpt import cli
from lunagpt.chat import LunaChat
from lunagpt.commands import opening, places, slash, texts
from lunagpt.commands.chat import banner
from lunagpt.commands.console import PlainConsole, read_message
from lunagpt.commands.wrapping import WordWrapper
from lunagpt.errors import GenerationError, ModelFolderError
from lunagpt.utils import hardware

# -- asking --------------------------------------------------------------------------------------------------


def test_a_question_on_the_command_line(luna: Luna) -> None:
    assert luna("chat", "Quem é você?") == (0, "1: Quem é você?\n", "")
    assert luna("chat", "quem", "é", "você") == (0, "1: quem é você\n", "")
    assert luna("--query", "Olá") == (0, "1: Olá\n", "")


def test_a_pipe_is_one_conversation_and_only_answers_come_out(luna: Luna) -> None:
    assert luna("chat", stdin="Olá\n") == (0, "1: Olá\n", "")
    assert luna("--interactive", stdin="um\n\n  \ndois\ntrês") == (0, "1: um\n\n3: dois\n\n5: três\n", "")
    assert luna("chat", stdin="") == (0, "", "")


def test_commands_work_in_a_pipe_and_speak_on_the_error_output(luna: Luna) -> None:
    code, out, err = luna("chat", stdin="um\n/clear\ndois\n/ajuda\n/sair\nnunca\n")
    assert (code, out) == (0, "1: um\n\n1: dois\n")
    assert texts.CLEARED in err
    assert all(name in err for command in slash.COMMANDS for name in command.names)


@pytest.mark.parametrize("farewell", ["sair", "Sair", "/sair", "/exit", "/quit", "/bye", "/EXIT agora"])
def test_ways_to_leave(luna: Luna, farewell: str) -> None:
    assert luna("chat", stdin=f"um\n{farewell}\ndois\n")[:2] == (0, "1: um\n")


def test_an_unknown_command_is_never_sent_to_the_model(luna: Luna) -> None:
    code, out, err = luna("chat", stdin="/limpa\n/persona x\n/\n")
    assert (code, out) == (0, "")
    assert luna.engine.prompts == []
    assert "Não conheço o comando /limpa. Você quis dizer /limpar?" in err
    assert "Não conheço o comando /persona." in err


def test_paths_and_words_with_a_slash_are_messages(luna: Luna) -> None:
    code, out, _ = luna("chat", stdin="/etc/passwd é o quê?\ne/ou\nquero sair\n")
    assert (code, out) == (0, "1: /etc/passwd é o quê?\n\n3: e/ou\n\n5: quero sair\n")


def test_reset_brings_the_settings_back(luna: Luna) -> None:
    luna("chat", "--system", "Breve.", "--temperature", "0,25", stdin="um\n/reset\ndois\n")
    assert luna.engine.prompts[-1] == [
        {"role": "system", "content": "Breve."},
        {"role": "user", "content": "dois"},
    ]
    assert luna.engine.params[-1].temperature == 0.25


def test_three_quotation_marks_hold_several_lines(luna: Luna) -> None:
    out = luna("chat", stdin='"""um\n\ndois"""\n"""junto"""\n"""\ntrês\n"""\n"""aberto\nfim')[1]
    assert out == "1: um\n\ndois\n\n3: junto\n\n5: três\n\n7: aberto\nfim\n"


def test_bytes_that_are_no_text_do_not_end_the_program(luna: Luna) -> None:
    assert luna("chat", stdin=b"ol\xe1\r\n\xff\xfe\n")[:2] == (0, "1: ol\ufffd\n\n3: \ufffd\ufffd\n")


def test_all_options_arrive(luna: Luna, tmp_path: Path) -> None:
    flags = ["--config", "c.yaml", "--model", "m", "--system", "s", "--temperature", "0", "--top-p", "0,5"]
    flags += [
        "--max-tokens",
        "7",
        "--seed",
        "0",
        "--verbose",
        "--show-thinking",
        "--max-thinking-tokens",
        "9",
    ]
    expected = opening.ChatSettings(
        Path("c.yaml"), Path("m"), "s", 0.0, 0.5, 7, 0, True, show_thinking=True, max_thinking_tokens=9
    )
    luna("chat", *flags, "oi")
    luna("--query", "oi", *flags)
    luna(*flags, stdin="oi")
    assert luna.settings == [expected] * 3
    params = luna.engine.params[-1]
    assert (params.temperature, params.top_p, params.max_new_tokens, params.seed) == (0.0, 0.5, 7, 0)
    assert (params.thinking, params.max_thinking_tokens) == ("on", 9)


def test_verbose_shows_the_stages(luna: Luna) -> None:
    _, out, err = luna("chat", "--verbose", "oi")
    assert out == "1: oi\n"
    assert re.search(r"\[preparar\] 1 mensagens.*\[gerar\] 1 tokens lidos.*fim: stop", err, re.DOTALL)


# -- thinking ------------------------------------------------------------------------------------------------


def test_shown_thinking_goes_beside_the_answers(luna: Luna) -> None:
    luna.engine.thoughts = "um e um"
    assert luna("chat", "oi") == (0, "1: oi\n", "")
    thought = f"{texts.THINKING_PROMPT}um e um\n\n"
    assert luna("chat", "--show-thinking", "oi") == (0, "1: oi\n", thought)
    assert luna("--interactive", "--show-thinking", stdin="a\nb\n") == (0, "1: a\n\n3: b\n", thought * 2)
    shortened = f"{texts.THINKING_PROMPT}um e\n\n"
    assert luna("--query", "oi", "--show-thinking", "--max-thinking-tokens", "2")[2] == shortened


def test_thinking_is_switched_in_the_conversation(luna: Luna) -> None:
    luna.engine.thoughts = "hm"
    talk = "a\n/thinking on\nb\n/pensamento off\nc\n/thinking\nd\n/thinking talvez\n"
    code, out, err = luna("chat", stdin=talk)
    assert (code, out) == (0, "1: a\n\n3: b\n\n5: c\n\n7: d\n")
    on = f"{texts.THINKING_IS_ON} {texts.THINKING_ALWAYS}\n{texts.THINKING_PROMPT}hm\n\n"
    doubt = 'Não entendi "talvez". Use /thinking on ou /thinking off.\n'
    assert err == f"{on}{texts.THINKING_IS_OFF}\n{on}{doubt}"
    answers = [prompt[-2] for prompt in luna.engine.prompts[1:]]
    assert [answer.get("thinking") for answer in answers] == [None, "hm", None]
    luna.engine.decides_to_think = True
    assert luna("chat", stdin="/thinking on\n")[2] == f"{texts.THINKING_IS_ON}\n"


def test_a_file_of_answers_has_the_thinking_apart(luna: Luna, tmp_path: Path) -> None:
    luna.engine.thoughts = "um e um"
    questions = tmp_path / "perguntas.txt"
    questions.write_text("Quanto é?\n", encoding="utf-8")
    hidden = luna("--input", str(questions))[1]
    assert hidden == "Pergunta: Quanto é?\nResposta: 1: Quanto é?\n\n"
    shown = luna("--input", str(questions), "--show-thinking")[1]
    assert shown == "Pergunta: Quanto é?\nPensamento: um e um\nResposta: 1: Quanto é?\n\n"


# -- failing -------------------------------------------------------------------------------------------------


def test_errors_are_one_sentence_on_the_error_output(luna: Luna) -> None:
    luna.engine = ScriptedEngine.saying(GenerationError("Não deu. Tente de novo."))
    assert luna("chat", "oi") == (1, "meia\n", "Erro: Não deu. Tente de novo.\n")


def test_a_failing_turn_does_not_end_a_pipe(luna: Luna) -> None:
    luna.engine = ScriptedEngine.saying("um", GenerationError("Não deu."), "três")
    assert luna("chat", stdin="a\nb\nc\n") == (1, "um\n\nmeia\n\ntrês\n", "Erro: Não deu.\n")
    assert luna("chat", stdin="/sair\n") == (0, "", "")


def test_an_unexpected_error_is_written_down(luna: Luna, tmp_path: Path) -> None:
    luna.engine = ScriptedEngine.saying(ZeroDivisionError("lá dentro"))
    code, _, err = luna("chat", "oi")
    logs = list((tmp_path / "luna" / "logs" / "errors").glob("*.log"))
    assert code == 1
    assert (
        err
        == f"Erro: Algo deu errado dentro do LunaGPT (ZeroDivisionError). Os detalhes estão em {logs[0]}\n"
    )
    assert "ZeroDivisionError: lá dentro" in logs[0].read_text(encoding="utf-8")
    assert lunagpt.__version__ in logs[0].read_text(encoding="utf-8")
    assert stat.S_IMODE(logs[0].stat().st_mode) == 0o600

    luna.engine = ScriptedEngine.saying(ZeroDivisionError("de novo"))
    assert "Traceback" in luna("chat", "--verbose", "oi")[2]
    assert logs[0].read_text(encoding="utf-8").count("=== ") == 2


def test_what_the_system_refuses_is_said_in_portuguese(luna: Luna) -> None:
    luna.engine = ScriptedEngine.saying(PermissionError(errno.EACCES, "Permission denied", "/x/y"))
    assert luna("chat", "oi")[2].startswith('Erro: Não consegui usar "/x/y": falta permissão. Confira ')
    luna.engine = ScriptedEngine.saying(RuntimeError("I/O error: No space left on device (os error 28)"))
    assert "não há mais espaço em disco" in luna("chat", "oi")[2]


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid"), reason="pastas sem permissão são de POSIX")
def test_an_unexpected_error_without_a_place_for_the_log(
    luna: Luna, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "arquivo").touch()
    monkeypatch.setenv("LUNA_HOME", str(tmp_path / "arquivo"))
    luna.engine = ScriptedEngine.saying(ZeroDivisionError())
    assert luna("chat", "oi")[::2] == (
        1,
        f"Erro: {texts.UNEXPECTED_NO_LOG.format(kind='ZeroDivisionError')}\n",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["chta"], 'Não conheço o comando "chta". Você quis dizer chat?'),
        (["--modle", "x"], "Não conheço a opção --modle. Você quis dizer --model?"),
        (["chat", "--temperatura", "1"], "Não conheço a opção --temperatura. Você quis dizer --temperature?"),
        (["chat", "-x"], "Não conheço a opção -x."),
        (["chat", "--model"], "A opção --model precisa de um valor."),
        (["chat", "--verbose=sim"], "A opção --verbose não aceita valor."),
        (["chat", "--temperature", "quente"], 'Na opção --temperature: "quente" não é um número.'),
        (["chat", "--temperature", "11"], "Na opção --temperature: 11 não serve; use um número de 0 a 10."),
        (["chat", "--top-p", "0"], "Na opção --top-p: 0 não serve; use um número maior que 0 e até 1."),
        (["chat", "--top-p", "nan"], "Na opção --top-p: nan não serve; use um número maior que 0 e até 1."),
        (["chat", "--max-tokens", "1.5"], 'Na opção --max-tokens: "1.5" não é um número inteiro.'),
        (["chat", "--max-tokens", "0"], "Na opção --max-tokens: 0 não serve; use um inteiro a partir de 1."),
        (["--model", "x", "chat"], "A opção --model vem depois do comando: luna chat --model ..."),
        (
            ["--query", "a", "--interactive"],
            "As opções --interactive e --query não combinam: use uma de cada vez.",
        ),
        (["--output", "x"], "A opção --output só serve junto com --input."),
        (["tokenizer"], "Falta dizer o comando."),
        (["train"], "Falta o argumento RECEITA."),
        (["info", "a", "b"], "Sobrou na linha de comando: b"),
        (["index", "documentos", "--output"], "A opção --output precisa de um valor."),
        (["ask", "--rag"], "A opção --rag precisa de um valor."),
        (["ask", "--rag", "base"], "Falta o argumento PERGUNTA."),
        (
            ["ask", "--rag", "base", "?!"],
            "A pergunta não tem nenhuma palavra. Escreva o que quer saber.",
        ),
        (
            ["chat", "--rag", "--disable-rag", "x"],
            "As opções --rag e --disable-rag se contradizem: use só uma.",
        ),
    ],
)
def test_mistakes_on_the_command_line(luna: Luna, arguments: list[str], message: str) -> None:
    code, out, err = luna(*arguments)
    assert (code, out) == (2, "")
    known = ("chat", "tokenizer", "train", "info", "index", "ask")
    command = f"luna {arguments[0]}" if arguments[0] in known else "luna"
    assert err == f'Erro: {message}\nVeja como usar com "{command} --help".\n'
    assert luna.settings == []


ENGLISH = re.compile(
    r"\b(usage|options|commands|arguments|show|this|exit code|default|required|error|try|for)\b", re.I
)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--help"],
        ["chat", "--help"],
        ["train", "--help"],
        ["tokenizer", "--help"],
        ["tokenizer", "train", "--help"],
        ["inspect", "experts", "--help"],
        ["upcycle", "--help"],
        ["grow", "--help"],
        ["average", "--help"],
        ["pack", "--help"],
        ["info", "--help"],
        ["index", "--help"],
        ["ask", "--help"],
        ["evaluate", "--help"],
        ["compare", "--help"],
        ["inspect", "--help"],
    ],
)
@pytest.mark.parametrize("columns", [40, 80])
def test_help_is_portuguese_and_fits_the_screen(
    luna: Luna, arguments: list[str], columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    code, out, err = luna(*arguments)
    assert (code, err) == (0, "")
    assert out.startswith("Uso: luna")
    assert "--help" in out
    assert not ENGLISH.search(re.sub(r"--[\w-]+|luna \w+( \w+)?", "", out))
    assert all(len(line) <= columns for line in out.splitlines())


def test_help_has_a_short_name_too(luna: Luna) -> None:
    assert luna("-h") == luna("--help")
    assert luna("ask", "-h") == luna("ask", "--help")


def test_version(luna: Luna) -> None:
    assert luna("--version") == (0, f"LunaGPT {lunagpt.__version__}\n", "")


# -- parts ---------------------------------------------------------------------------------------------------


@given(
    st.lists(st.text(alphabet=st.sampled_from("ab \n"), max_size=9), max_size=20),
    st.integers(5, 30),
    st.integers(0, 4),
)
def test_wrapping_moves_only_white_space_and_respects_the_edge(
    pieces: list[str], width: int, column: int
) -> None:
    wrapper = WordWrapper(width, column)
    shown = "".join(map(wrapper.feed, pieces)) + wrapper.finish()
    assert re.sub(r"\s", "", shown) == re.sub(r"\s", "", "".join(pieces))
    assert shown.split() == "".join(pieces).split()
    for number, line in enumerate(shown.split("\n")):
        words = line.split()
        start = column if number == 0 else 0
        assert start + len(line.rstrip()) <= width or len(words) <= 1


@given(st.text(alphabet=st.sampled_from("abc  \n"), max_size=80))
def test_wrapping_does_not_depend_on_the_pieces(text: str) -> None:
    whole = WordWrapper(12, 3)
    expected = whole.feed(text) + whole.finish()
    letters = WordWrapper(12, 3)
    assert "".join(map(letters.feed, text)) + letters.finish() == expected


def test_wrapping_keeps_breaks_and_indents_and_counts_wide_letters() -> None:
    wrapper = WordWrapper(40)
    listing = "Lista:\n  - um\n\n    código\n"
    assert wrapper.feed(listing) + wrapper.finish() == listing
    wide = WordWrapper(6, 0, lambda text: 2 * len(text))
    assert wide.feed("日本 語です ") + wide.finish() == "日本\n語です\n"


def test_messages_are_read_until_the_input_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("um\n"))
    console = PlainConsole()
    assert read_message(console) == "um"
    assert read_message(console) is None


def test_places_follow_luna_home_or_the_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LUNA_HOME", str(tmp_path))
    assert places.data_folder() == tmp_path
    assert places.log_folder("errors") == tmp_path / "logs" / "errors"
    monkeypatch.delenv("LUNA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "casa"))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert places.data_folder().name == "lunagpt"
    assert places.log_folder("errors").parts[-1] == "errors"


def test_private_files_are_private_even_in_a_new_folder(tmp_path: Path) -> None:
    path = places.private_file(tmp_path / "a" / "b" / "historico")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.write_text("fica")
    assert places.private_file(path).read_text() == "fica"


def test_which_model_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lunagpt.config import LunaConfig

    chosen, configured = tmp_path / "a", tmp_path / "b"
    chosen.mkdir()
    configured.mkdir()
    config = LunaConfig.from_dict({"model": {"base_path": str(configured)}})
    assert opening.model_folder(chosen, config) == chosen
    assert opening.model_folder(None, config) == configured
    with pytest.raises(ModelFolderError, match="Não há pasta de modelo em"):
        opening.model_folder(tmp_path / "c", config)
    assert opening.model_folder(Path("luna-nano")).name == "luna-nano"
    monkeypatch.setattr(opening, "default_model", lambda: tmp_path)
    assert opening.model_folder(None, LunaConfig()) == tmp_path


def test_a_broken_config_or_model_is_a_clear_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("modle: {}\n", encoding="utf-8")
    assert cli.main(["chat", "--config", str(config), "oi"]) == 1
    assert "modle" in capsys.readouterr().err
    assert cli.main(["chat", "--model", str(tmp_path / "nada"), "oi"]) == 1
    assert capsys.readouterr().err.startswith("Erro: Não há pasta de modelo em")


def test_threads_are_at_least_one_and_at_most_what_is_there_and_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cores = hardware.physical_cores()
    assert 1 <= cores <= (os.cpu_count() or 1)
    for limit, threads in (("1", 1), ("9999", cores), ("", cores), ("0", 1), ("dois", cores)):
        monkeypatch.setenv("OMP_NUM_THREADS", limit)
        assert hardware.usable_threads() == threads


def test_the_banner_names_the_model_and_its_limits() -> None:
    text = banner(LunaChat(ScriptedEngine.echo()))
    assert "roteiro" in text
    assert "erra" in text
    assert "/sair" in text
    assert all(len(line) <= 80 for line in text.splitlines())
