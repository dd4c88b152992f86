"""luna-nano, the model inside the package: it is there, and it can hold a short conversation."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lunagpt.chat import LunaChat
from lunagpt.commands.opening import set_threads
from lunagpt.generation import SamplingParams
from lunagpt.model_folders import EMBEDDED
from lunagpt.models import LunaModel, verify_folder

FOLDER = Path(str(resources.files("lunagpt") / "assets" / EMBEDDED))
BEST = SamplingParams(temperature=0.0)


@pytest.fixture(scope="module")
def model() -> LunaModel:
    return LunaModel.from_pretrained(FOLDER)


@pytest.fixture
def chat(model: LunaModel) -> LunaChat:
    return LunaChat(model, params=BEST)


def test_the_folder_is_whole_and_small(model: LunaModel) -> None:
    files = verify_folder(FOLDER)["files"]
    assert sum(entry["size"] for entry in files.values()) < 40_000_000
    assert "README.md" in files
    assert model.tokenizer.vocab_size == model.config.model.vocab_size == 16_384


@pytest.mark.parametrize("greeting", ["Oi!", "Olá, tudo bem?", "Bom dia!", "boa noite"])
def test_it_greets_and_ends_its_turn(chat: LunaChat, greeting: str) -> None:
    answer = chat.send_message(greeting)
    assert chat.report.finish_reason == "stop"
    assert 3 <= len(answer) <= 600
    assert re.search(r"[.!?…]\W*$", answer), answer


def test_it_says_who_it_is(chat: LunaChat) -> None:
    assert "Luna" in chat.send_message("Quem é você?")


def test_it_ends_its_turns_without_loops(model: LunaModel) -> None:
    chat = LunaChat(model, params=SamplingParams(seed=1))
    for message in ["Oi!", "Como você funciona?", "E o que você sabe fazer?", "Obrigado, até mais!"]:
        chat.send_message(message)
        assert chat.report.finish_reason == "stop", chat.history


def test_a_pipe_on_a_fresh_home_prints_an_answer(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "lunagpt.cli", "chat"],
        input="Olá\n",
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={"HOME": str(tmp_path), "PATH": "", "PYTHONPATH": ":".join(sys.path)},
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.strip()


@pytest.mark.performance
def test_first_token_within_five_seconds_and_forty_tokens_a_second(model: LunaModel) -> None:
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "lunagpt.cli", "--query", "Olá"], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.read(1)
    assert time.perf_counter() - started < 5
    process.stdout.read()
    process.wait()

    set_threads(None)
    chat = LunaChat(model)
    started, tokens = time.perf_counter(), 0
    while tokens < 200:
        chat.send_message("Conte uma história longa sobre uma viagem.")
        tokens += chat.report.completion_tokens
        chat.clear()
    assert tokens / (time.perf_counter() - started) >= 40


def test_its_vectors_serve_a_search_of_the_callers_own(model: LunaModel) -> None:
    """Vectors of `encode_text` in a FAISS index, as the specification's example uses them."""
    faiss = pytest.importorskip("faiss")
    documents = [
        "A piscina funciona de terça a domingo, das 8h às 21h.",
        "O caderno universitário custa dezoito reais.",
        "A reunião será na sala 2, depois do almoço.",
    ]

    def unit(vectors: np.ndarray) -> np.ndarray:
        return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)

    index = faiss.IndexFlatIP(model.config.model.hidden_size)
    index.add(unit(np.array([model.encode_text(text, pooling="mean") for text in documents])))

    class CustomRAG:
        def retrieve(self, query: str, k: int = 2) -> list[dict[str, Any]]:
            vector = unit(model.encode_text(query, pooling="mean"))
            scores, places = index.search(vector.reshape(1, -1).astype("float32"), k)
            return [
                {"content": documents[place], "score": float(score)}
                for score, place in zip(scores[0], places[0], strict=True)
            ]

    chat = LunaChat(model)
    answer = chat.send_message_with_custom_rag("Quanto custa o caderno universitário?", CustomRAG())
    assert answer == f"“{documents[1]}” [1]"
    assert chat.report.grounding == "extractive"
