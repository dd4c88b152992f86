"""Thinking before the answer: template, masks, replies, the engine's memory, the conversation."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.scripted_engine import ScriptedEngine

from lunagpt.chat import LunaChat
from lunagpt.chat.stages import NOTHING_TO_SAY
from lunagpt.config import LunaConfig
from lunagpt.data import PackedDataset
from lunagpt.engines import AnswerReport, AnswerStream, LunaEngine
from lunagpt.engines.context_window import fit_prompt
from lunagpt.errors import ConfigError, GenerationError
from lunagpt.generation import (
    Decoding,
    Reply,
    SamplingParams,
    Thought,
    before_reply,
    settle_thinking,
)
from lunagpt.generation import decoding as decoding_module
from lunagpt.models import LunaModel
from lunagpt.tokenizer import LunaTokenizer
from lunagpt.training.command import train_command

TOKENIZER = LunaTokenizer.default()
END, USER = TOKENIZER.end_token_id, TOKENIZER.user_token_id
ASSISTANT, THINKING = TOKENIZER.assistant_token_id, TOKENIZER.thinking_token_id


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def luna(text: str, thinking: str = "") -> dict[str, str]:
    return {"role": "assistant", "content": text, **({"thinking": thinking} if thinking else {})}


def thinking(mode: str = "on", **rules: Any) -> SamplingParams:
    return SamplingParams(**{"temperature": 0.0, "thinking": mode, "max_new_tokens": 24, **rules})


# -- a model that has learned to think -----------------------------------------------------------------------

SUMS = [(2, 3), (4, 1), (3, 3), (1, 2)]
TALK = {"Oi!": "Olá! Tudo bem?", "Quem é você?": "Sou a Luna.", "Obrigado.": "De nada."}
DIALOGUES = [
    [user(f"Quanto é {a} + {b}?"), luna(f"São {a + b}.", f"Somo {a} e {b}: {a + b}.")] for a, b in SUMS
] + [[user(question), luna(answer)] for question, answer in TALK.items()]
DIALOGUES.append([*DIALOGUES[0], user("E mais 1?"), luna("Aí são 6.", "Antes eram 5: 5 + 1 = 6.")])

RECIPE = """
model: {preset: test, num_layers: 1}
training:
  sequence_length: 96
  batch_size: 3
  learning_rate: 0.01
  muon_learning_rate: 0.03
  warmup_steps: 5
  schedule: linear
  max_steps: 70
  eval_interval: 1000
  compile: false
  precision: float32
  sample_prompts: []
sources:
  - {name: conversas, path: conversas.jsonl, learn_when_to_think: true}
"""


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> LunaModel:
    """A tiny model that has the dialogues above by heart: trained by recipe, saved and loaded."""
    place = tmp_path_factory.mktemp("pensar")
    lines = [json.dumps({"messages": messages}, ensure_ascii=False) for messages in DIALOGUES]
    (place / "conversas.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (place / "receita.yaml").write_text(RECIPE, encoding="utf-8")
    before = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(place / "cache"))
        train_command(place / "receita.yaml", place / "run", data_root=place, threads=1)
    torch.set_num_threads(before)
    return LunaModel.from_pretrained(place / "run" / "model")


def test_a_trained_model_thinks_and_then_answers(learned: LunaModel) -> None:
    chat = LunaChat(learned, params=thinking())
    for a, b in SUMS:
        chat.clear()
        stream = chat.send_message(f"Quanto é {a} + {b}?", stream=True)
        thoughts, answer = list(stream.thoughts()), list(stream)
        assert "".join(thoughts) == chat.report.thinking == f"Somo {a} e {b}: {a + b}."
        assert "".join(answer) == f"São {a + b}."
        assert len(thoughts) > 3, "the thinking comes as it is written"
        assert (chat.report.thinking_finish_reason, chat.report.finish_reason) == ("stop", "stop")
        assert chat.report.thinking_tokens == len(TOKENIZER.encode_content(chat.report.thinking))
        assert chat.report.completion_tokens == len(TOKENIZER.encode_content("".join(answer)))


def test_hidden_thinking_gives_the_same_answers(learned: LunaModel) -> None:
    hidden, shown = LunaChat(learned, params=thinking()), LunaChat(learned, params=thinking("off"))
    shown.show_thinking = True
    for message in ("Quanto é 2 + 3?", "E mais 1?"):
        streamed = "".join(hidden.send_message(message, stream=True))
        assert streamed == shown.send_message(message)
    assert hidden.history == shown.history == DIALOGUES[-1]


def test_a_model_trained_for_it_decides_when_to_think(learned: LunaModel) -> None:
    assert learned.config.model.decides_to_think, "the training wrote it into the model folder"
    chat = LunaChat(learned, params=thinking("auto"))
    for question, answer in TALK.items():
        chat.clear()
        assert chat.send_message(question) == answer
        assert chat.report.thinking == ""
        assert chat.report.thinking_finish_reason is None
    assert chat.send_message("Quanto é 4 + 1?") == "São 5."
    assert chat.report.thinking == "Somo 4 e 1: 5."
    assert LunaChat(learned, params=thinking("off")).send_message("Oi!") == TALK["Oi!"]


def test_a_model_not_trained_for_it_thinks_only_when_told(
    learned: LunaModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learned.config.model, "decides_to_think", False)
    chat = LunaChat(learned, params=thinking("auto"))
    chat.send_message("Quanto é 2 + 3?")
    assert chat.report.thinking_tokens == 0
    chat.show_thinking = True
    chat.clear()
    chat.send_message("Quanto é 2 + 3?")
    assert chat.report.thinking == "Somo 2 e 3: 5."
    chat.reset()
    assert not chat.show_thinking


def test_the_budget_closes_the_thinking_and_the_answer_has_its_own(learned: LunaModel) -> None:
    engine = LunaEngine(learned)
    question = [user("Quanto é 2 + 3?")]
    whole = TOKENIZER.encode_content("Somo 2 e 3: 5.")
    stream = engine.stream(question, thinking(max_thinking_tokens=3, max_new_tokens=2))
    assert "".join(stream.thoughts()) == TOKENIZER.decode(whole[:3]) == stream.report.thinking
    answer = "".join(stream)
    assert stream.report.thinking_finish_reason == "length"
    assert (stream.report.thinking_tokens, stream.report.completion_tokens) == (3, 2)
    assert stream.report.finish_reason == "length"
    prompt = [USER, *TOKENIZER.encode_content("Quanto é 2 + 3?"), END]
    assert engine._kept[0].ids == [
        *prompt, THINKING, *whole[:3], END, ASSISTANT, *TOKENIZER.encode_content(answer)[:1]
    ]  # fmt: skip


def test_generate_text_gives_the_answer_and_the_thinking_apart(learned: LunaModel) -> None:
    thoughts: list[str] = []
    ask = {"prompt": "Quanto é 3 + 3?", "temperature": 0.0}
    assert learned.generate_text(**ask, thinking="on", on_thought=thoughts.append) == "São 6."
    assert "".join(thoughts) == "Somo 3 e 3: 6."
    assert learned.generate_text(**ask, thinking="on") == "São 6."
    stream = learned.generate_text(**ask, stream=True, on_thought=thoughts.append)
    assert isinstance(stream, Iterator)
    assert "".join(stream) == "São 6."
    assert "".join(thoughts) == "Somo 3 e 3: 6." * 2, "decided by itself"
    assert learned.generate_text(**ask, prefix="<|thinking|>") == "Somo 3 e 3: 6."
    with pytest.raises(GenerationError, match="prefix"):
        learned.generate_text(**ask, prefix="São", thinking="on")


# -- what is learned -----------------------------------------------------------------------------------------


def test_thinking_is_learned_and_the_question_is_not(tmp_path: Path) -> None:
    data = tmp_path / "c.jsonl"
    data.write_text(
        "\n".join(json.dumps({"messages": messages}) for messages in DIALOGUES) + "\n", encoding="utf-8"
    )
    for choice in (False, True):
        source = {"path": str(data), "learn_when_to_think": choice, "max_repeat": 1}
        count = {THINKING: 0, ASSISTANT: 0, "behind thinking": 0, "text": 0}
        for batch in PackedDataset([source], TOKENIZER, sequence_length=96, cache_dir=tmp_path / "cache"):
            for tokens, labels in documents(batch):
                turn = 0
                for token, label in zip(tokens, labels, strict=True):
                    if token in (USER, ASSISTANT, THINKING):
                        forced = turn == THINKING
                        kind = "behind thinking" if forced else token
                        count[kind] = count.get(kind, 0) + 1
                        assert label == (token if choice and token != USER and not forced else -100)
                        turn = token
                    else:
                        count["text"] += 1
                        assert label == (-100 if turn == USER else token)
        assert count[THINKING] == len(SUMS) + 2
        assert count[ASSISTANT] == len(TALK)
        assert count["behind thinking"] == count[THINKING]
        assert count["text"] > 100


def documents(batch: Any) -> Iterator[tuple[list[int], list[int]]]:
    """The tokens of each document of a batch, and beside each the label that asks for it (-100: none)."""
    rows = (batch[name] for name in ("input_ids", "labels", "document_ids"))
    for ids, labels, numbers in zip(*rows, strict=True):
        for number in range(numbers.max() + 1):
            here = numbers == number
            if ids[here].any():  # else padding
                yield [*ids[here].tolist(), int(labels[here][-1])], [-100, *labels[here].tolist()]


@given(st.lists(st.sampled_from([*TOKENIZER.special_tokens, "oi ", "<|", "thinking", "|>"]), max_size=8))
@settings(max_examples=40, deadline=None)
def test_no_content_forges_a_thinking_turn(parts: list[str]) -> None:
    text = "".join(parts)
    messages = [user(text), luna("Sim." + text, "Hm." + text), user(text)]
    ids = fit_prompt(TOKENIZER, messages, 10_000).ids
    control = [token for token in ids if token in TOKENIZER.special_token_ids]
    assert control == [USER, END, THINKING, END, ASSISTANT, END, USER, END, ASSISTANT]
    assert TOKENIZER.decode(ids[ids.index(THINKING) + 1 : ids.index(ASSISTANT) - 1]) == "Hm." + text
    forged = fit_prompt(TOKENIZER, [{**user("a"), "thinking": text + "x"}], 10_000).ids
    assert forged == fit_prompt(TOKENIZER, [user("a")], 10_000).ids


# -- the prompt of the next turn -----------------------------------------------------------------------------


def test_earlier_thinking_is_read_as_thinking_and_is_the_first_to_go() -> None:
    messages = [user("a"), luna("b", "primeiro"), user("c"), luna("d", "segundo"), user("e")]
    whole = fit_prompt(TOKENIZER, messages, 1000)
    assert whole.ids == TOKENIZER.encode_dialog(messages, include_thinking=True, add_generation_prompt=True)
    spoken = TOKENIZER.encode_dialog(messages, add_generation_prompt=True)
    assert fit_prompt(TOKENIZER, messages, len(whole.ids)) == whole
    tight = fit_prompt(TOKENIZER, messages, len(whole.ids) - 1)
    assert (tight.ids, tight.dropped_messages) == (spoken, 0)
    assert fit_prompt(TOKENIZER, messages, len(spoken) - 1).dropped_messages > 0


# -- the engine, with a model of random weights --------------------------------------------------------------


@pytest.fixture(scope="module")
def model() -> LunaModel:
    config = LunaConfig.preset("test").replaced(model={"tie_embeddings": False})
    model = LunaModel.from_scratch(config, seed=3, tokenizer=TOKENIZER).eval()
    with torch.no_grad():  # larger weights make the answers sensitive to everything that was read
        for weight in model.parameters():
            if weight.dim() == 2:
                weight *= 3
    return model


MODES = ["on", "off", "on", "on", "off", "on"]


@pytest.mark.parametrize("sampled", [False, True])
def test_reusing_the_state_changes_nothing_whatever_the_mode(model: LunaModel, sampled: bool) -> None:
    rules = {"temperature": 1.0, "seed": 4} if sampled else {}
    params = thinking(max_thinking_tokens=5, max_new_tokens=8, **rules)
    reusing, fresh = (LunaChat(LunaEngine(model), params=params) for _ in range(2))
    for number, mode in enumerate(MODES):
        for chat in (reusing, fresh):
            chat.set_params(thinking=mode)
        fresh.engine.forget()
        message = f"Pergunta {number}?"
        assert reusing.send_message(message) == fresh.send_message(message)
        assert reusing.history == fresh.history
        assert (reusing.report.reused_tokens > 0) == (number > 0)
        assert fresh.report.reused_tokens == 0
    assert sum("thinking" in message for message in reusing.history) == MODES.count("on")


def test_the_kept_states_are_those_of_reading_anew(model: LunaModel, monkeypatch: pytest.MonkeyPatch) -> None:
    for piece in (3, 256):
        monkeypatch.setattr(decoding_module, "PREFILL_PIECE", piece)
        engine = LunaEngine(model)
        chat = LunaChat(engine, params=thinking(max_thinking_tokens=6))
        for message in ("Um.", "Dois."):
            chat.send_message(message)
            after, boundary = engine._kept
            assert boundary.ids == after.ids[: len(boundary.ids)]
            assert after.ids[len(boundary.ids)] == THINKING
            for snapshot in (after, boundary):
                anew = Decoding(model, snapshot.ids, thinking("off"))
                anew.read_prompt()
                torch.testing.assert_close(snapshot.logits, anew.logits, rtol=1e-3, atol=1e-3)


def test_only_what_is_new_is_read_after_thinking(model: LunaModel, monkeypatch: pytest.MonkeyPatch) -> None:
    script = [*TOKENIZER.encode_content("Sim, claro"), END]
    monkeypatch.setattr(decoding_module, "sample", lambda _l, _p, recent, _g: script[len(recent)])
    chat = LunaChat(model, params=thinking())
    chat.send_message("Primeira")
    assert chat.history[-1] == luna("Sim, claro", "Sim, claro")
    read = len(chat.engine._kept[0].ids)
    chat.send_message("Segunda")
    assert chat.report.reused_tokens == read
    assert chat.report.prompt_tokens == read + 1 + len(TOKENIZER.encode_dialog([user("Segunda")])) + 1


def test_empty_thinking_leaves_no_segment_behind(model: LunaModel, monkeypatch: pytest.MonkeyPatch) -> None:
    scripts = {THINKING: [END], ASSISTANT: [*TOKENIZER.encode_content("Oi"), END]}
    opened: list[int] = []
    read = Decoding._read

    def reading(self: Decoding, ids: list[int]) -> None:
        opened.extend(token for token in ids if token in scripts)
        read(self, ids)

    monkeypatch.setattr(Decoding, "_read", reading)
    monkeypatch.setattr(
        decoding_module, "sample", lambda _l, _p, recent, _g: scripts[opened[-1]][len(recent)]
    )
    chat = LunaChat(model, params=thinking())
    assert chat.send_message("Olá") == "Oi"
    assert chat.history[-1] == luna("Oi")
    assert chat.report.thinking_finish_reason == "stop"
    first = chat.report.prompt_tokens
    chat.send_message("De novo")
    assert chat.report.reused_tokens == first - 1, "back to the boundary before the reply"


def test_a_loop_ends_the_thinking_and_not_the_reply(
    model: LunaModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    circle = TOKENIZER.encode_content("sim e não e sim e não")[:4]
    monkeypatch.setattr(decoding_module, "sample", lambda _l, _p, recent, _g: circle[len(recent) % 4])
    engine = LunaEngine(model)
    stream = engine.stream([user("?")], thinking(max_new_tokens=300))
    list(stream)
    report = stream.report
    assert (report.thinking_finish_reason, report.finish_reason) == ("loop", "loop")
    assert report.thinking_tokens == report.completion_tokens == 24, "each segment has a guard of its own"
    assert engine._kept[0].ids.count(ASSISTANT) == 1


def test_looking_back_ends_at_the_segment(model: LunaModel, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []
    original = decoding_module.sample

    def watching(logits: Any, params: Any, recent: list[int], generator: Any) -> int:
        lengths.append(len(recent))
        return original(logits, params, recent, generator)

    monkeypatch.setattr(decoding_module, "sample", watching)
    list(LunaEngine(model).stream([user("?")], thinking(max_thinking_tokens=4, max_new_tokens=3)))
    assert lengths == [0, 1, 2, 3, 0, 1, 2]


def test_stopping_while_thinking_spoils_nothing(model: LunaModel) -> None:
    params = thinking(max_thinking_tokens=20)
    expected = LunaChat(model, params=params).send_message("Olá")
    chat = LunaChat(model, params=params)
    stream = chat.send_message("Olá", stream=True)
    assert len(list(islice(stream.thoughts(), 3))) == 3
    stream.close()
    assert chat.history == []
    assert chat.report.finish_reason == "cancelled"
    assert chat.send_message("Olá") == expected
    assert chat.report.reused_tokens == chat.report.prompt_tokens - 1

    cancel = threading.Event()
    stream = LunaEngine(model).stream([user("Olá")], params, cancel=cancel)
    for number, _ in enumerate(stream.thoughts()):
        if number == 2:
            cancel.set()
    assert list(stream) == []
    assert stream.report.thinking_finish_reason == stream.report.finish_reason == "cancelled"
    assert (stream.report.thinking_tokens, stream.report.completion_tokens) == (3, 0)


def test_control_tokens_are_never_thought(model: LunaModel) -> None:
    loud = LunaModel.from_scratch(LunaConfig.preset("test"), seed=4, tokenizer=TOKENIZER).eval()
    with torch.no_grad():
        loud.embedding.weight[2:16] *= 50
    rules = thinking(temperature=2.0, top_k=0, top_p=1.0, seed=1, max_thinking_tokens=40)
    stream = LunaEngine(loud).stream([user("Oi")], rules)
    thought = "".join(stream.thoughts())
    assert thought
    assert not any(name in thought + "".join(stream) for name in TOKENIZER.special_tokens)


def test_thinking_and_answer_stay_within_the_window(
    model: LunaModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model.config.model, "max_position_embeddings", 120)
    engine = LunaEngine(model)
    chat = LunaChat(
        engine, params=thinking(max_thinking_tokens=999, max_new_tokens=999, temperature=1.0, seed=1)
    )
    for number in range(5):
        chat.send_message(f"Pergunta {number}: o que você acha da chuva?")
        assert len(engine._kept[0].ids) <= 120
        assert chat.report.thinking_tokens <= 30
        assert chat.report.completion_tokens > 0


def test_thinking_needs_a_template_that_has_it(model: LunaModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TOKENIZER, "thinking_token_id", None)
    monkeypatch.setattr(model.config.model, "decides_to_think", True)
    assert settle_thinking(thinking("auto"), model).thinking == "off"
    with pytest.raises(GenerationError, match="sem lugar para o pensamento"):
        settle_thinking(thinking("on"), model)


def test_a_thought_that_nobody_reads_is_still_read_by_the_model(model: LunaModel) -> None:
    """Segments may be left at any token: what was chosen is read before the next one opens."""
    ids = TOKENIZER.encode_dialog([user("Olá")], add_generation_prompt=True)
    params = thinking(stop_token_ids=(END,))
    reply = Reply(model, before_reply(ids, params), params)
    for kind, tokens in reply.segments():
        chosen = list(islice(tokens, 2 if kind == "thinking" else 0))
        if kind == "answer":
            tokens.read_prompt()
            break
        thought = chosen
    assert reply.read_ids == [*ids[:-1], THINKING, *thought, END, ASSISTANT]


# -- the conversation around it ------------------------------------------------------------------------------


def test_the_answer_can_be_had_without_the_thinking() -> None:
    def stream() -> AnswerStream:
        return AnswerStream(iter([Thought("a"), Thought("b"), "um", " dois"]), AnswerReport())

    assert list(stream()) == ["um", " dois"]
    both = stream()
    assert list(both.thoughts()) == ["a", "b"]
    assert list(both.thoughts()) == []
    assert list(both) == ["um", " dois"]
    half = stream()
    assert next(half.thoughts()) == "a"
    assert list(half) == ["um", " dois"]
    silent = AnswerStream(iter([Thought("a")]), AnswerReport())
    assert (list(silent.thoughts()), list(silent)) == (["a"], [])


def test_thinking_is_remembered_apart_and_given_back_as_thinking() -> None:
    engine = ScriptedEngine.echo()
    engine.thoughts = "  penso nisto "
    chat = LunaChat(engine, params=thinking())
    stream = chat.send_message("a", stream=True)
    assert "".join(stream.thoughts()) == "penso nisto"
    assert "".join(stream) == "1: a"
    assert chat.history == [user("a"), luna("1: a", "penso nisto")]
    chat.send_message("b")
    assert engine.prompts[-1] == [user("a"), luna("1: a", "penso nisto"), user("b")]
    assert not any("penso" in message["content"] for message in engine.prompts[-1])
    assert chat.report.thinking == "penso nisto"
    with_history = LunaChat(ScriptedEngine.echo()).send_message_with_history("c", chat.history)
    assert with_history == "5: c"


def test_thinking_without_an_answer_is_not_put_behind_another() -> None:
    engine = ScriptedEngine.saying("", "sim")
    engine.thoughts = "não sei"
    chat = LunaChat(engine, params=thinking())
    assert chat.send_message("a") == NOTHING_TO_SAY
    assert chat.history == [user("a"), luna(NOTHING_TO_SAY)]


def test_thinking_is_no_evidence_and_is_not_checked() -> None:
    passage = {"title": "Piscina", "content": "A piscina fecha às segundas-feiras para limpeza."}

    class Search:
        def retrieve(self, _query: str, k: int = 5) -> list[dict[str, Any]]:
            return [{**passage, "score": 0.9}]

    engine = ScriptedEngine.saying("A piscina fecha às segundas-feiras. [1]")
    engine.thoughts = "A piscina foi comprada em Marte por 900 reais. [1] Não há nada nos documentos."
    chat = LunaChat(engine, Search(), params=thinking())
    answer = chat.send_message("Quando a piscina fecha?")
    assert answer == "A piscina fecha às segundas-feiras. [1]"
    assert chat.report.grounding == "model"
    assert [citation.number for citation in chat.report.citations] == [1]
    assert chat.report.thinking == engine.thoughts

    engine = ScriptedEngine.saying("A piscina foi comprada em Marte por 900 reais. [1]")
    engine.thoughts = "A piscina fecha às segundas-feiras."
    chat = LunaChat(engine, Search(), params=thinking())
    assert "Marte" not in chat.send_message("Quando a piscina fecha?")
    assert chat.report.problems
    assert "thinking" not in chat.history[-1], "another answer took its place"


def test_the_settings_say_whether_to_think() -> None:
    config = LunaConfig.from_dict({"thinking": {"mode": "on", "max_thinking_tokens": 9, "show": True}})
    chat = LunaChat(ScriptedEngine.echo(), config=config)
    assert (chat.params.thinking, chat.params.max_thinking_tokens, chat.show_thinking) == ("on", 9, True)
    assert LunaChat(ScriptedEngine.echo()).params.thinking == "auto"
    assert not LunaChat(ScriptedEngine.echo(), config=LunaConfig()).show_thinking
    with pytest.raises(ConfigError, match="thinking"):
        LunaConfig.from_dict({"thinking": {"mode": "talvez"}})
    for wrong in ({"thinking": "sim"}, {"max_thinking_tokens": 0}):
        with pytest.raises(GenerationError):
            SamplingParams(**wrong)
