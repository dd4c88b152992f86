"""Looking things up in a conversation: what is asked of the model, what is shown, what is reported."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.scripted_engine import ScriptedEngine

from lunagpt.chat import LunaChat
from lunagpt.config import LunaConfig
from lunagpt.data.grounding_format import NO_ANSWER
from lunagpt.errors import GenerationError, StoreError
from lunagpt.rag import DocumentStore, RAGSystem

POOL = {
    "title": "Regulamento da piscina",
    "content": "A piscina funciona de terça a domingo, das 8h às 21h. Às segundas-feiras ela fica fechada.",
    "page": 3,
}
FEE = {"title": "Multas", "content": "A multa por atraso é de R$ 50,00."}


class Search:
    """Finds the same passages for every question, and remembers the questions."""

    def __init__(self, *passages: Any) -> None:
        self.passages = list(passages)
        self.queries: list[str] = []

    def retrieve(self, query: str, k: int = 5) -> list[Any]:
        self.queries.append(query)
        return self.passages


def quoting(*passages: Any) -> tuple[LunaChat, ScriptedEngine, Search]:
    """A chat whose model cannot answer from passages."""
    engine, search = ScriptedEngine(lambda _messages: "do modelo"), Search(*passages)
    chat = LunaChat(engine, search)
    chat.model_reads_passages = False
    return chat, engine, search


@pytest.mark.parametrize(
    "question",
    [
        "Posso ter um gato?",
        "Oi! Devo avisar alguém antes?",
        "E até quando eu posso reclamar?",
        "O que acontece se eu fizer barulho?",
        "Tenho direito a desconto?",
    ],
)
def test_what_one_may_or_must_is_never_made_up_beside_documents(question: str) -> None:
    chat, engine, _ = quoting(POOL)
    assert chat.send_message(question).startswith(NO_ANSWER)
    assert engine.prompts == []


@pytest.mark.parametrize(
    "message",
    ["Posso te contar uma coisa?", "Posso fazer uma pergunta?", "Onde eu moro?", "Qual é o meu nome?"],
)
def test_talk_beside_documents_stays_talk(message: str) -> None:
    assert quoting(POOL)[0].send_message(message) == "do modelo"


def test_a_small_model_is_not_asked_where_a_quotation_answers() -> None:
    chat, engine, _ = quoting(FEE, POOL)
    answer = chat.send_message("Em que dia a piscina fecha?")
    assert answer == "“Às segundas-feiras ela fica fechada.” [1]"
    assert engine.prompts == []
    report = chat.report
    assert (report.grounding, report.query) == ("extractive", "Em que dia a piscina fecha?")
    assert report.passages == (POOL, FEE), "what is quoted comes first"
    assert [(c.number, c.passage["page"]) for c in report.citations] == [(1, 3)]
    assert report.finish_reason == "stop"
    assert chat.history[-1] == {"role": "assistant", "content": answer}


def test_follow_ups_are_searched_in_full() -> None:
    chat, _, search = quoting(FEE, POOL)
    chat.send_message("Qual é o valor da multa por atraso?")
    chat.send_message("E por barulho?")
    assert search.queries == ["Qual é o valor da multa por atraso?", "Qual é o valor da multa por barulho?"]


def test_talk_is_not_looked_up() -> None:
    chat, engine, search = quoting(POOL)
    assert chat.send_message("oi, tudo bem?") == "do modelo"
    assert search.queries == []
    assert engine.prompts == [[{"role": "user", "content": "oi, tudo bem?"}]]
    assert (chat.report.grounding, chat.report.query, chat.report.citations) == (None, None, ())


def test_what_is_not_there_is_refused_with_what_was_searched() -> None:
    chat, engine, _ = quoting(POOL)
    answer = chat.send_message("Quem pintou a fachada do prédio?")
    assert answer.startswith(NO_ANSWER)
    assert "Procurei por “Quem pintou a fachada do prédio” nos seus documentos." in answer
    assert "“Regulamento da piscina”, p. 3" in answer
    assert engine.prompts == []
    assert chat.report.grounding == "refusal"


def test_a_personal_message_without_an_answer_is_talk() -> None:
    chat, engine, _ = quoting(POOL)
    assert chat.send_message("Por que eu não consigo esquecer meu ex?") == "do modelo"
    assert chat.report.grounding is None
    assert len(engine.prompts) == 1


def test_a_reading_model_gets_numbered_evidence_and_is_checked() -> None:
    engine = ScriptedEngine.saying(
        "Ela fecha às segundas-feiras [1].", "Custa R$ 60,00 [1].", "A multa é de R$ 50,00 [1]."
    )
    chat = LunaChat(engine, Search(POOL, FEE), system_prompt="Seja breve.")
    assert chat.send_message("Em que dia a piscina fecha?") == "Ela fecha às segundas-feiras [1]."
    assert engine.prompts[0][0] == {"role": "system", "content": "Seja breve."}
    assert engine.prompts[0][-1]["content"] == (
        "Documentos:\n[1] Regulamento da piscina: A piscina funciona de terça a domingo, das 8h às 21h. Às "
        "segundas-feiras ela fica fechada.\n\n[2] Multas: A multa por atraso é de R$ 50,00.\n\n"
        "Pergunta: Em que dia a piscina fecha?"
    )
    assert chat.report.grounding == "model"
    assert [citation.number for citation in chat.report.citations] == [1]

    assert (
        chat.send_message("Qual é o valor da multa por atraso?") == "“A multa por atraso é de R$ 50,00.” [1]"
    )
    assert chat.report.grounding == "extractive"
    assert [problem.kind for problem in chat.report.problems] == ["figure"]
    assert chat.history[1]["content"] == "Ela fecha às segundas-feiras [1].", "evidence is not kept"

    assert chat.send_message("Qual é o valor da multa por atraso?") == "A multa é de R$ 50,00 [1]."


def test_nothing_shown_is_taken_back() -> None:
    """Sentences are shown once checked; what follows a bad one is not shown, and nothing is put in its
    place."""
    good, bad = "Ela fecha às segundas-feiras [1].", "Em 2031 será demolida [1]."
    chat = LunaChat(ScriptedEngine.saying(f"{good} {bad} Fim.", bad), Search(POOL))
    shown: list[str] = []
    for piece in chat.send_message("Em que dia a piscina fecha?", stream=True):
        shown.append(piece)
    assert shown == [good]
    assert chat.history[-1]["content"] == good
    assert chat.report.grounding == "model"
    assert chat.report.problems[0].text == "2031"

    shown = list(chat.send_message("Em que dia a piscina fecha?", stream=True))
    assert shown == ["“Às segundas-feiras ela fica fechada.” [1]"]


def test_the_first_sentence_is_shown_before_the_last_is_written() -> None:
    written: list[str] = []

    def pieces(_messages: Any) -> str:
        return "Ela fecha às segundas-feiras [1]. Funciona das 8h às 21h nos outros dias [1]."

    class Watching(ScriptedEngine):
        def _pieces(self, *arguments: Any) -> Any:
            for piece in super()._pieces(*arguments):
                written.append(piece)
                yield piece

    stream = LunaChat(Watching(pieces), Search(POOL)).send_message("Quando fecha a piscina?", stream=True)
    assert next(iter(stream)) == "Ela fecha às segundas-feiras [1]."
    assert not "".join(written).endswith("dias [1].")


def test_stopping_a_checked_answer_keeps_the_sentences_shown() -> None:
    cancel = threading.Event()
    chat = LunaChat(
        ScriptedEngine.saying("Ela fecha às segundas-feiras [1]. Funciona das 8h às 21h [1]."), Search(POOL)
    )
    for _ in chat.send_message("Quando fecha a piscina?", stream=True, cancel=cancel):
        cancel.set()
    assert chat.history[-1]["content"] == "Ela fecha às segundas-feiras [1]."
    assert chat.report.finish_reason == "cancelled"


def test_evidence_fits_into_the_window_and_keeps_the_passage_that_answers() -> None:
    engine = ScriptedEngine.saying("A multa por atraso é de R$ 50,00 [1].", "A multa é de R$ 50,00 [9].")
    engine.context_window = 320
    filler = [{"title": f"Ata {n}", "content": f"Na reunião {n} falou-se do jardim. " * 8} for n in range(4)]
    chat = LunaChat(engine, Search(*filler, FEE))
    assert chat.send_message("Qual é o valor da multa por atraso?") == "A multa por atraso é de R$ 50,00 [1]."
    prompt = engine.prompts[0][-1]["content"]
    assert len(prompt) < 320 * 4
    assert "[1] Multas: A multa por atraso" in prompt
    assert chat.report.citations[0].passage is FEE
    answer = chat.send_message("Qual é o valor da multa por atraso?")
    assert answer == "“A multa por atraso é de R$ 50,00.” [1]"


def test_documents_first_then_the_encyclopaedia() -> None:
    chat, engine, search = quoting(POOL)
    chat.enable_encyclopedia()
    answer = chat.send_message("Quem descobriu o Brasil?")
    assert answer.startswith(
        "Não encontrei isso nos seus documentos; na Enciclopédia Luna: Pedro Álvares Cabral"
    )
    assert search.queries == ["Quem descobriu o Brasil?"]
    assert chat.report.citations[0].passage["title"] == "Chegada dos portugueses ao Brasil"
    assert chat.send_message("Onde ele nasceu?").startswith(("Não encontrei", NO_ANSWER))
    assert search.queries[-1] == "Onde Pedro Álvares Cabral nasceu?"

    refused = chat.send_message("Quem pintou a fachada do prédio?")
    assert "nos seus documentos e na Enciclopédia Luna" in refused
    chat.disable_encyclopedia()
    chat.disable_rag()
    assert chat.send_message("Quem descobriu o Brasil?") == "do modelo"
    chat.enable_rag()
    assert chat.send_message("Em que dia a piscina fecha?").startswith("“Às segundas-feiras")
    assert len(engine.prompts) == 1


def test_the_encyclopaedia_alone() -> None:
    """What it does not have goes to the model, but a small model is not asked for facts that it would
    invent."""
    engine = ScriptedEngine(lambda _messages: "do modelo")
    chat = LunaChat(engine, encyclopedia=True)
    chat.model_reads_passages = False
    assert chat.send_message("Por que os grilos de Xiririca cantam desafinados?") == "do modelo"
    unsourced = chat.send_message("Quem venceu o torneio de xadrez de Xiririca em 1911?")
    assert unsourced.startswith(
        "Não encontrei isso na Enciclopédia Luna, e sem uma fonte eu poderia inventar"
    )
    assert (chat.report.grounding, len(engine.prompts)) == ("refusal", 1)
    chat.model_reads_passages = True
    assert chat.send_message("Quem venceu o torneio de xadrez de Xiririca em 1911?") == "do modelo"
    assert chat.ask("Quem venceu o torneio de xadrez de Xiririca em 1911?").startswith(NO_ANSWER)
    assert chat.ask("Quem descobriu o Brasil?").startswith("Pedro Álvares Cabral")


def test_asking_needs_somewhere_to_look() -> None:
    with pytest.raises(StoreError, match="Não há onde procurar"):
        LunaChat(ScriptedEngine.echo()).ask("Quem?")
    with pytest.raises(StoreError, match="Não há documentos"):
        LunaChat(ScriptedEngine.echo()).enable_rag()
    with pytest.raises(StoreError, match="Não há base nem pasta"):
        LunaChat(ScriptedEngine.echo()).enable_rag("/nao/existe")


@pytest.mark.parametrize(
    "result",
    [
        FEE,
        FEE["content"],
        (FEE, 0.9),
        (FEE["content"], 0.9),
        SimpleNamespace(content=FEE["content"], title="Multas"),
        (SimpleNamespace(content=FEE["content"]), 0.9),
    ],
)
def test_search_engines_may_answer_in_several_forms(result: Any) -> None:
    chat = LunaChat(ScriptedEngine.echo())
    chat.model_reads_passages = False
    answer = chat.send_message_with_custom_rag("Qual é o valor da multa por atraso?", Search(result))
    assert answer == "“A multa por atraso é de R$ 50,00.” [1]"
    assert chat.history[-1]["content"] == answer
    assert not chat.rag_enabled


@pytest.mark.parametrize("result", [3, {"text": "x"}, None, (1, 2)])
def test_a_search_engine_that_answers_otherwise_is_told_so(result: Any) -> None:
    with pytest.raises(GenerationError, match="resultado 1 da busca não serve"):
        LunaChat(ScriptedEngine.echo()).send_message_with_custom_rag("Quanto é a multa?", Search(result))


def test_an_engine_that_only_augments_the_context_works_too() -> None:
    class Augmenting:
        def augment_context(self, query: str, context: str | None = None) -> str:
            return FEE["content"]

    chat = LunaChat(ScriptedEngine.echo())
    chat.model_reads_passages = False
    assert "R$ 50,00" in chat.send_message_with_custom_rag(
        "Qual é o valor da multa por atraso?", Augmenting()
    )


def test_a_base_and_a_folder_of_documents(tmp_path: Path) -> None:
    folder = tmp_path / "conhecimento"
    folder.mkdir()
    (folder / "piscina.md").write_text(f"# {POOL['title']}\n\n{POOL['content']}\n", encoding="utf-8")
    store = DocumentStore(tmp_path / "base", embedder=False)
    store.add_documents([FEE])
    store.close()

    chat = LunaChat(ScriptedEngine.echo())
    chat.model_reads_passages = False
    chat.enable_rag(knowledge_base_path=tmp_path / "base")
    assert (
        chat.send_message("Qual é o valor da multa por atraso?") == "“A multa por atraso é de R$ 50,00.” [1]"
    )
    chat.enable_rag(knowledge_base_path=folder)
    assert "segundas-feiras" in chat.send_message("Em que dia a piscina fica fechada?")
    chat.rag_system.close()

    config = LunaConfig.from_dict({"rag": {"knowledge_base_path": str(tmp_path / "base")}})
    assert LunaChat(ScriptedEngine.echo(), config=config).rag_enabled
    off = LunaConfig.from_dict({"rag": {"knowledge_base_path": str(tmp_path / "base"), "enabled": False}})
    assert not LunaChat(ScriptedEngine.echo(), config=off).rag_enabled


def test_a_rag_system_answers(tmp_path: Path) -> None:
    rag = RAGSystem(embedding_model=False)
    rag.document_store.add_documents([POOL | {"id": "piscina"}, FEE | {"id": "multas"}])
    chat = LunaChat(ScriptedEngine.echo(), rag_system=rag)
    chat.model_reads_passages = False
    assert "segundas-feiras" in chat.send_message("Em que dia a piscina fica fechada?")
    assert chat.report.citations[0].passage.document_id == "piscina"
    assert "(2 documentos)" in chat.send_message("Quem pintou a fachada do prédio?")


def test_the_custom_search_of_the_specification() -> None:
    """Vectors of the caller's in a FAISS index, dictionaries with content and score, a threshold of its
    own."""
    faiss = pytest.importorskip("faiss")
    documents = [
        "O LunaGPT utiliza uma arquitetura híbrida com transformers e state-space models.",
        "Mixture of Experts permite eficiência computacional mantendo alta capacidade.",
        "A base de conhecimento é consultada antes da resposta.",
    ]

    def encode(text: str) -> np.ndarray:
        words = ["arquitetura", "mixture", "base"]
        return np.array([float(word in text.lower()) for word in words] + [0.01], dtype=np.float32)

    index = faiss.IndexFlatIP(4)
    vectors = np.array([encode(document) for document in documents])
    index.add(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

    class CustomRAG:
        def retrieve(self, query: str, k: int = 5) -> list[dict[str, Any]]:
            vector = encode(query)
            scores, places = index.search((vector / np.linalg.norm(vector)).reshape(1, -1), k)
            return [
                {"content": documents[place], "score": float(score)}
                for score, place in zip(scores[0], places[0], strict=True)
                if place != -1 and score > 0.7
            ]

    chat = LunaChat(model=ScriptedEngine.echo())
    chat.model_reads_passages = False
    response = chat.send_message_with_custom_rag("Como o LunaGPT utiliza Mixture of Experts?", CustomRAG())
    assert response == f"“{documents[1]}” [1]"
