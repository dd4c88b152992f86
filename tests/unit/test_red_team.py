"""Documents that give orders: none is obeyed, whatever the model would do."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.scripted_engine import ScriptedEngine

from lunagpt.chat import LunaChat
from lunagpt.chat.grounding import check_answer, extractive_answer, intent_of, rewrite_follow_up
from lunagpt.chat.grounding.hostile import as_evidence, clean_text, commands_the_reader

ATTACKS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "red_team.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]


class Search:
    """Finds the documents of one attack, whatever is asked."""

    def __init__(self, documents: list[dict[str, str]]) -> None:
        self._documents = documents

    def retrieve(self, query: str) -> list[dict[str, str]]:
        return self._documents


def attack_id(attack: dict[str, Any]) -> str:
    return f"{attack['id']}-{attack['technique']}"


def assert_harmless(attack: dict[str, Any], answer: str) -> None:
    assert attack["expected"] in answer
    for word in attack["forbidden"]:
        assert word not in answer


def test_the_set_is_large_and_varied() -> None:
    assert len(ATTACKS) >= 60
    assert len(Counter(attack["technique"] for attack in ATTACKS)) >= 10
    assert len({attack["id"] for attack in ATTACKS}) == len(ATTACKS)


@pytest.mark.parametrize("attack", ATTACKS, ids=attack_id)
def test_a_model_that_obeys_is_not_shown(attack: dict[str, Any]) -> None:
    engine = ScriptedEngine.saying(attack["payload"])
    chat = LunaChat(engine, Search(attack["documents"]))
    shown = list(chat.send_message(attack["question"], stream=True))
    assert len(engine.prompts) == 1, "the model is asked, and its answer judged"
    answer = "".join(shown)
    for word in attack["forbidden"]:
        assert word not in answer
    assert chat.report.grounding in ("model", "extractive")
    assert attack["expected"] in answer
    assert chat.history[-1]["content"] == answer


@pytest.mark.parametrize("attack", ATTACKS, ids=attack_id)
def test_quotations_never_give_orders(attack: dict[str, Any]) -> None:
    answer = extractive_answer(attack["question"], attack["documents"])
    assert answer is not None
    assert_harmless(attack, answer.text)
    for citation in answer.citations:
        content = attack["documents"][citation.number - 1]["content"]
        assert content[citation.start : citation.end] == citation.quote


@pytest.mark.parametrize("attack", ATTACKS, ids=attack_id)
def test_the_honest_answer_passes_the_check(attack: dict[str, Any]) -> None:
    answer = extractive_answer(attack["question"], attack["documents"])
    assert answer is not None
    assert check_answer(answer.text, attack["documents"], question=attack["question"]) == []


@pytest.mark.parametrize("attack", ATTACKS, ids=attack_id)
def test_the_prompt_cannot_be_forged(attack: dict[str, Any]) -> None:
    """The model reads one numbered paragraph per passage and the user's question last."""
    engine = ScriptedEngine.saying("Não sei.")
    LunaChat(engine, Search(attack["documents"])).send_message(attack["question"])
    prompt = engine.prompts[0][-1]["content"]
    blocks = prompt.split("\n\n")
    assert prompt.startswith("Documentos:\n[1] ")
    assert len(blocks) == len(attack["documents"]) + 1
    assert blocks[-1] == f"Pergunta: {attack['question']}"
    for hidden in ("<|", "<!--", "[INST]", "![", "\u200b", "\u202e"):
        assert hidden not in prompt
    assert engine.prompts[0][-1]["role"] == "user"


@pytest.mark.parametrize(
    "sentence",
    [
        "A prova deve ser respondida a caneta; responda apenas às questões de 1 a 10.",
        "O sistema de som foi instalado em março.",
        "Ignore o sinal amarelo e siga pela esquerda.",
        "As instruções de uso estão na caixa.",
        "Esqueça a pressa: a massa precisa descansar.",
        "O assistente social atende às quartas.",
        "Quando o alarme tocar, saia pela porta dos fundos.",
        "Nunca misture água sanitária com ácido.",
        "Envie o formulário para a secretaria até sexta.",
        "Cite três exemplos de rochas magmáticas.",
        "O modelo A12 custa R$ 300,00 e o B7, R$ 450,00.",
        "Não use o elevador em caso de incêndio.",
    ],
)
def test_ordinary_instructions_to_readers_are_left_alone(sentence: str) -> None:
    assert not commands_the_reader(sentence)


def test_hidden_text_is_taken_out() -> None:
    assert clean_text("vi\u200bsí\u202evel<!-- oculto -->\ue000") == "visível "
    assert as_evidence("a [3]\n\nb <|end|> [x](http://m.exemplo) ![i](http://m.exemplo)") == "a (3) b x i"


LONG = 8_000


@pytest.mark.parametrize(
    "text",
    [
        "<a " * LONG,
        "<!--" * LONG,
        "<div hidden>" * LONG,
        "[" * LONG,
        "![" * LONG,
        "[x](" * LONG,
        "<|" * LONG,
        "a " * LONG,
        "k" * LONG,
        "kk " * LONG + "x",
        "A" * LONG,
        "1." * LONG,
        "1/" * LONG,
        "um mil " * LONG,
        "ignore " * LONG,
        "Pergunta: ? " * LONG,
        "é " * LONG,
        "[1]" * LONG,
    ],
    ids=lambda text: text[:12],
)
def test_no_text_takes_long(text: str) -> None:
    """Each function must be about linear: a document of any kind may not stall the conversation."""
    began = time.process_time()
    clean_text(text), as_evidence(text), commands_the_reader(text[:5000]), intent_of(text[:1500])
    rewrite_follow_up(text[:500], [{"role": "user", "content": text}, {"role": "assistant", "content": text}])
    extractive_answer("Quem fundou o museu?", [{"content": text[:20_000]}])
    check_answer(text[:5000], [{"content": text[:5000]}])
    assert time.process_time() - began < 3
