"""`luna index`, `luna ask`, the options and slash commands on documents: with real documents and no model."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from tests.scripted_engine import ScriptedEngine

from lunagpt import cli
from lunagpt.chat import LunaChat
from lunagpt.commands import opening, texts
from lunagpt.data.grounding_format import NO_ANSWER
from lunagpt.rag import DocumentStore, is_base
from lunagpt.rag.folder_sync import SyncProgress
from lunagpt.utils import index_documents


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LUNA_HOME", str(tmp_path / "luna"))
    monkeypatch.setattr(sys, "argv", ["luna"])


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documentos"
    (folder / "regras").mkdir(parents=True)
    (folder / "regras" / "piscina.md").write_text(
        "# Regulamento da piscina\n\nA piscina funciona das 8h às 21h. Às segundas-feiras ela fica "
        "fechada.\n\n"
        "## Multas\n\nA multa por descumprir as regras é de R$ 180,00.\n",
        encoding="utf-8",
    )
    (folder / "contrato.txt").write_text("O aluguel mensal é de R$ 1.250,00.", encoding="utf-8")
    (folder / "quebrado.pdf").write_bytes(b"nada disto")
    return folder


@pytest.fixture
def base(documents: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert cli.main(["index", str(documents), "-o", str(tmp_path / "base"), "--no-vectors"]) == 0
    capsys.readouterr()
    return tmp_path / "base"


def test_indexing_tells_what_was_read_and_what_was_not(
    documents: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "base"
    assert cli.main(["index", str(documents), "-o", str(target), "--no-vectors"]) == 0
    out = capsys.readouterr().out
    assert "2 arquivos novos" in out
    assert "quebrado.pdf" in out
    assert f'Base "{target}": 2 documentos em {DocumentStore.load(target).chunk_count} trechos.' in out
    assert is_base(target)
    with DocumentStore.load(target) as store:
        assert store.words_only

    (documents / "novo.txt").write_text("O síndico é Carlos.", encoding="utf-8")
    assert cli.main(["index", str(documents), "-o", str(target), "--no-vectors"]) == 0
    out = capsys.readouterr().out
    assert "1 arquivo novo" in out
    assert "2 sem mudança" in out


def test_ctrl_c_while_reading_keeps_what_was_read(
    documents: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(state: SyncProgress) -> str:
        raise KeyboardInterrupt

    target = tmp_path / "minha base"
    monkeypatch.setattr("lunagpt.rag.folder_sync._BATCH_FILES", 1)
    with monkeypatch.context() as patch:
        patch.setattr("lunagpt.commands.index._reading", interrupt)
        assert cli.main(["index", str(documents), "-o", str(target), "--no-vectors"]) == 130
    assert texts.INDEX_STOPPED in capsys.readouterr().out
    with DocumentStore.load(target) as store:
        assert len(store) == 1
    assert cli.main(["index", str(documents), "-o", str(target), "--no-vectors"]) == 0
    out = capsys.readouterr().out
    assert "1 arquivo novo, 1 sem mudança" in out
    assert f"luna ask --rag '{target}'" in out, "a path with spaces is quoted for the shell"


def test_a_base_among_its_documents_is_not_one_of_them(
    documents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert cli.main(["index", str(documents), "-o", str(documents / "base"), "--no-vectors"]) == 0
        assert "luna.db" not in capsys.readouterr().out


def test_a_folder_with_files_that_cannot_be_read_warns(
    documents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["ask", "--rag", str(documents), "qual é o aluguel mensal?"]) == 0
    told = capsys.readouterr()
    assert told.err.startswith("Aviso: Fora da busca, por não poderem ser lidos: 1 arquivo. ")
    assert told.out.endswith("[1] contrato.txt\n"), "a file without a title is cited by its name"
    assert cli.main(["ask", "--rag", str(documents / "contrato.txt"), "qual?"]) == 1
    assert "Diga a pasta em que o arquivo está." in capsys.readouterr().err
    assert cli.main(["ask", "--knowledge-base", str(documents), "x?"]) == 0
    assert "Procurei por “x” nos seus documentos (2 documentos)." in capsys.readouterr().out
    for nothing in ("?!", "", "  "):
        assert cli.main(["ask", "--rag", str(documents), nothing]) == 2
        assert "A pergunta não tem nenhuma palavra. Escreva" in capsys.readouterr().err


def test_the_specified_program_does_the_same(
    documents: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "index_rag"
    arguments = ["--dir", str(documents), "--output", str(target), "--no-vectors", "--file-type", "md"]
    assert index_documents.main(arguments) == 0
    assert "1 arquivo novo" in capsys.readouterr().out
    assert index_documents.main(["--help"]) == 0
    assert "python -m lunagpt.utils.index_documents" in capsys.readouterr().out
    assert index_documents.main([]) == 2
    assert "Falta o argumento --dir" in capsys.readouterr().err


def test_indexing_what_cannot_be_indexed(
    documents: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "vazia").mkdir()
    assert cli.main(["ask", "--rag", str(tmp_path / "vazia"), "quem?"]) == 0
    assert 'Aviso: Não há nenhum documento em "' in capsys.readouterr().err
    assert cli.main(["index", str(tmp_path / "nenhuma")]) == 1
    assert "Não há pasta em" in capsys.readouterr().err
    assert cli.main(["index", str(documents / "contrato.txt")]) == 1
    assert "é um arquivo. Diga a pasta em que ele está." in capsys.readouterr().err
    assert cli.main(["index", str(documents), "-o", str(documents)]) == 1
    assert texts.INDEX_INTO_ITSELF in capsys.readouterr().err


def test_where_nothing_can_be_read_no_base_is_left(
    documents: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty, target = tmp_path / "vazia", tmp_path / "nova"
    empty.mkdir()
    for stands_before in (False, True):
        if stands_before:
            target.mkdir()
        assert cli.main(["index", str(empty), "-o", str(target), "--no-vectors"]) == 1
        assert f'Não há o que indexar em "{empty}"' in capsys.readouterr().out
        assert target.exists() == stands_before
        assert not stands_before or not list(target.iterdir())
    base = tmp_path / "base"
    assert cli.main(["index", str(documents), "-o", str(base), "--no-vectors"]) == 0
    (documents / "contrato.txt").unlink()
    (documents / "regras" / "piscina.md").unlink()
    assert cli.main(["index", str(documents), "-o", str(base), "--no-vectors"]) == 1
    assert "ficou sem documentos" in capsys.readouterr().out
    assert is_base(base)


def test_asking_documents(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ask", "--rag", str(base), "Em que dia a piscina fica fechada?"]) == 0
    assert capsys.readouterr().out == (
        "“Às segundas-feiras ela fica fechada.” [1]\n\n[1] Regulamento da piscina (regras/piscina.md)\n"
    )
    assert cli.main(["ask", "--rag", str(base), "quem", "pintou", "a", "fachada"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(NO_ANSWER)
    assert "“quem pintou a fachada” nos seus documentos (2 documentos)" in out


def test_asking_a_folder_or_the_encyclopaedia(documents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ask", "--rag", str(documents), "qual é o aluguel mensal?"]) == 0
    assert "R$ 1.250,00" in capsys.readouterr().out
    assert cli.main(["ask", "Quem descobriu o Brasil?"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Pedro Álvares Cabral")
    assert "[1] Chegada dos portugueses ao Brasil (Enciclopédia Luna)" in out
    assert cli.main(["ask", "--rag", str(documents / "nada"), "x"]) == 1
    assert "Não há base nem pasta" in capsys.readouterr().err


def test_asking_in_json(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ask", "--json", "--rag", str(base), "valor da multa por descumprir as regras"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["grounding"] == "extractive"
    assert told["span"] == "R$ 180,00"
    (citation,) = told["citations"]
    passage = told["passages"][citation["number"] - 1]
    assert passage["content"][citation["start"] : citation["end"]] == citation["quote"]
    assert citation["source"] == "regras/piscina.md"
    assert 0 <= citation["score"] <= 1


def test_asking_a_model_that_thinks(
    base: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = ScriptedEngine(lambda _messages: "A multa por descumprir as regras é de R$ 180,00. [1]")
    engine.thoughts = "O trecho fala em multa."
    monkeypatch.setattr("lunagpt.commands.ask.DeferredEngine", lambda *_arguments: engine)
    question = ["ask", "--rag", str(base), "Qual é o valor da multa por descumprir as regras?"]
    assert cli.main(question) == 0
    hidden = capsys.readouterr()
    assert hidden.out.startswith("A multa por descumprir")
    assert hidden.err == ""
    assert cli.main([*question, "--show-thinking"]) == 0
    shown = capsys.readouterr()
    assert shown.out == hidden.out
    assert shown.err == f"{texts.THINKING_PROMPT}O trecho fala em multa.\n\n"
    assert cli.main([*question, "--show-thinking", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["thinking"], told["grounding"]) == ("O trecho fala em multa.", "model")


# -- in a conversation ---------------------------------------------------------------------------------------


class Conversation:
    """The command line over a scripted engine that cannot answer from passages."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.engine = ScriptedEngine(lambda messages: f"modelo: {messages[-1]['content']}")
        self.settings: opening.ChatSettings | None = None
        self._patch, self._capsys = monkeypatch, capsys
        monkeypatch.setattr("lunagpt.commands.chat.open_chat", self._open)

    def _open(self, settings: opening.ChatSettings) -> LunaChat:
        self.settings = settings
        chat = LunaChat(self.engine, params=settings.sampling())
        chat.model_reads_passages = False
        return opening.connect(chat, settings, encyclopedia=settings.encyclopedia)

    def __call__(self, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
        self._patch.setattr(sys, "stdin", io.StringIO(stdin))
        code = cli.main(arguments)
        captured = self._capsys.readouterr()
        return code, captured.out, captured.err


@pytest.fixture
def luna(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Conversation:
    return Conversation(monkeypatch, capsys)


def test_the_encyclopaedia_answers_from_the_first_minute(luna: Conversation) -> None:
    code, out, err = luna("chat", "Quem descobriu o Brasil?")
    assert (code, err) == (0, "")
    assert out.startswith("Pedro Álvares Cabral comandou a esquadra")
    assert out.endswith("[1].\n\n[1] Chegada dos portugueses ao Brasil (Enciclopédia Luna)\n")
    assert luna("chat", "oi")[1] == "modelo: oi\n"
    assert luna("chat", "--no-enciclopedia", "Quem descobriu o Brasil?")[1].startswith("modelo: ")
    assert luna("--query", "Quem descobriu o Brasil?", "--disable-rag")[1].startswith("modelo: ")


def test_documents_in_a_conversation(luna: Conversation, base: Path) -> None:
    code, out, err = luna(
        "--interactive", "--rag", "--knowledge-base", str(base),
        stdin="Em que dia a piscina fica fechada?\n/fontes\n/rag off\nEm que dia a piscina fica "
              "fechada?\n/fontes\n"
        "/rag on\nEm que dia a piscina fica fechada?\n",
    )  # fmt: skip
    assert code == 0
    answers = [block for block in out.split("\n\n") if not block.startswith("[1] ")]
    assert answers[0] == "“Às segundas-feiras ela fica fechada.” [1]"
    assert answers[1].startswith("Não encontrei isso na Enciclopédia Luna")
    assert answers[2].startswith("“Às segundas")
    assert "Busca: Em que dia a piscina fica fechada?" in err
    assert "«Às segundas-feiras ela fica fechada.»" in " ".join(err.split())
    assert "relevância 0," in err
    assert "citado" in err
    assert texts.RAG_IS_OFF in err
    assert texts.RAG_IS_ON in err


def test_switches(luna: Conversation) -> None:
    _, out, err = luna(
        "chat",
        stdin="/fontes\n/enciclopedia off\nQuem descobriu o Brasil?\n/fontes\n/enciclopédia on\n"
        "/rag on\n/rag talvez\n/enciclopedia\n",
    )
    assert out == "modelo: Quem descobriu o Brasil?\n"
    told = [line for line in err.splitlines() if line]
    assert told[0] == texts.NO_ANSWER_YET
    assert told[1] == texts.ENCYCLOPEDIA_IS_OFF
    assert told[2] == texts.NO_SOURCES
    assert told[3] == texts.ENCYCLOPEDIA_IS_ON
    assert told[4].startswith("Não há documentos para consultar.")
    assert told[5] == 'Não entendi "talvez". Use /rag on ou /rag off.'
    assert told[6] == texts.ENCYCLOPEDIA_IS_OFF


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["chat", "--rag"], "A opção --rag precisa saber onde procurar"),
        (["--rag", "--interactive"], "A opção --rag precisa saber onde procurar"),
        (["chat", "--rag", "--disable-rag"], "As opções --rag e --disable-rag se contradizem"),
        (
            ["--knowledge-base", "x", "--disable-rag"],
            "As opções --knowledge-base e --disable-rag se contradizem",
        ),
        (["ask"], "Falta o argumento PERGUNTA."),
        (["index"], "Falta o argumento PASTA."),
    ],
)
def test_mistakes(luna: Conversation, arguments: list[str], message: str) -> None:
    code, out, err = luna(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"Erro: {message}")
    assert luna.settings is None


def test_a_base_named_in_the_configuration(luna: Conversation, base: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"rag:\n  knowledge_base_path: {base}\n", encoding="utf-8")
    assert luna("chat", "--rag", "--config", str(config), "oi")[0] == 0
    assert cli.main(["ask", "--config", str(config), "qual é o aluguel mensal?"]) == 0


def test_a_base_that_is_missing_ends_with_a_sentence(luna: Conversation) -> None:
    code, out, err = luna("chat", "--knowledge-base", "/nao/existe", "oi")
    assert (code, out) == (1, "")
    assert err.startswith('Erro: Não há base nem pasta de documentos em "/nao/existe"')


def test_answers_to_a_file_carry_their_sources(luna: Conversation, base: Path, tmp_path: Path) -> None:
    questions, answers = tmp_path / "perguntas.txt", tmp_path / "respostas.txt"
    questions.write_text("Em que dia a piscina fica fechada?\noi\n", encoding="utf-8")
    arguments = ["--input", str(questions), "--output", str(answers), "--knowledge-base", str(base)]
    assert luna(*arguments)[0] == 0
    assert answers.read_text(encoding="utf-8") == (
        "Pergunta: Em que dia a piscina fica fechada?\nResposta: “Às segundas-feiras ela fica fechada.” [1]\n"
        "[1] Regulamento da piscina (regras/piscina.md)\n\nPergunta: oi\nResposta: modelo: oi\n"
    )
