"""The conversation: what the engine reads, what is remembered, what the caller gets."""

from __future__ import annotations

import threading
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.scripted_engine import ScriptedEngine

from lunagpt.chat import LunaChat
from lunagpt.chat.stages import NOTHING_TO_SAY
from lunagpt.engines import AnswerReport, AnswerStream
from lunagpt.errors import GenerationError
from lunagpt.generation import SamplingParams


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def luna(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def test_each_turn_stands_on_the_ones_before() -> None:
    engine = ScriptedEngine.saying("Oi!", "Estou bem.")
    chat = LunaChat(engine)
    assert chat.send_message("Olá") == "Oi!"
    assert chat.send_message("Tudo bem?") == "Estou bem."
    assert engine.prompts == [[user("Olá")], [user("Olá"), luna("Oi!"), user("Tudo bem?")]]
    assert chat.history == [user("Olá"), luna("Oi!"), user("Tudo bem?"), luna("Estou bem.")]
    assert chat.report.finish_reason == "stop"


@given(
    st.lists(st.text(alphabet=st.sampled_from("ab \n\t"), max_size=5), max_size=12),
)
def test_streamed_pieces_join_to_the_answer_without_outer_space(pieces: list[str]) -> None:
    class Raw:
        name = "cru"

        def stream(self, messages: object, params: object, *, cancel: object = None) -> AnswerStream:
            return AnswerStream(iter(pieces), AnswerReport(finish_reason="stop"))

    expected = "".join(pieces).strip() or NOTHING_TO_SAY
    chat = LunaChat(Raw())
    streamed = list(chat.send_message("?", stream=True))
    assert "".join(streamed) == expected
    assert all(streamed)
    assert chat.send_message("?") == expected
    assert chat.history[-1] == luna(expected)


def test_the_answer_comes_while_it_is_written() -> None:
    said: list[str] = []

    def reply(_messages: object) -> str:
        return "um dois três"

    engine = ScriptedEngine(reply)
    stream = LunaChat(engine).send_message("conte", stream=True)
    assert engine.prompts == [], "nothing is read before somebody listens"
    for piece in stream:
        said.append(piece)
    assert said == ["um", " dois", " três"]


def test_history_of_the_caller_is_not_doubled_nor_mixed_with_the_chat() -> None:
    engine = ScriptedEngine.echo()
    chat = LunaChat(engine, system_prompt="Seja breve.")
    chat.send_message("antes")
    messages = [
        {"role": "system", "content": "Você é especialista em IA."},
        user("O que é aprendizado profundo?"),
        luna("Uma parte do aprendizado de máquina."),
        user("E redes neurais?"),
    ]
    given_messages = [dict(message) for message in messages]
    assert chat.send_message_with_history("E redes neurais?", messages) == "4: E redes neurais?"
    assert engine.prompts[-1] == messages == given_messages
    assert chat.send_message_with_history("E redes neurais?", messages[:-1]) == "4: E redes neurais?"
    assert engine.prompts[-1] == messages
    assert chat.send_message_with_history("Só isto", []) == "2: Só isto"
    assert engine.prompts[-1][0]["content"] == "Seja breve."
    assert chat.history == [user("antes"), luna("2: antes")]
    assert "".join(chat.send_message_with_history("x", messages, stream=True)) == "5: x"


def test_thinking_stays_with_its_answer_and_other_fields_of_messages_are_left_out() -> None:
    engine = ScriptedEngine.echo()
    answer = {**luna("r"), "thinking": "segredo"}
    messages = [{**user("a"), "thinking": "não é da Luna"}, {**answer, "nota": "5"}]
    LunaChat(engine).send_message_with_history("b", messages)
    assert engine.prompts[-1] == [user("a"), answer, user("b")]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "robot", "content": "x"},
        {"content": "x"},
        {"role": "user"},
        {"role": "user", "content": 3},
        {**luna("r"), "thinking": 3},
    ],
)
def test_odd_messages_are_refused(message: dict[str, str]) -> None:
    engine = ScriptedEngine.echo()
    with pytest.raises(GenerationError, match="histórico não serve"):
        LunaChat(engine).send_message_with_history("oi", [message])
    assert engine.prompts == []


def test_system_prompt_is_read_first_and_can_change() -> None:
    engine = ScriptedEngine.echo()
    chat = LunaChat(engine, system_prompt="  Um.  ")
    chat.send_message("a")
    chat.set_system_prompt("Dois.")
    chat.send_message("b")
    chat.set_system_prompt("   ")
    chat.send_message("c")
    assert [prompt[0]["content"] for prompt in engine.prompts] == ["Um.", "Dois.", "a"]
    assert chat.system_prompt is None


def test_clear_keeps_the_settings_and_reset_does_not() -> None:
    engine = ScriptedEngine.echo()
    chat = LunaChat(engine, system_prompt="Primeiro.", params=SamplingParams(temperature=0.5))
    chat.set_system_prompt("Segundo.")
    chat.set_params(temperature=0.1, max_new_tokens=7)
    chat.send_message("a")
    chat.clear()
    assert chat.history == []
    chat.send_message("b")
    assert engine.prompts[-1] == [{"role": "system", "content": "Segundo."}, user("b")]
    assert engine.params[-1] == SamplingParams(temperature=0.1, max_new_tokens=7)
    chat.reset()
    assert chat.history == []
    chat.send_message("c")
    assert engine.prompts[-1] == [{"role": "system", "content": "Primeiro."}, user("c")]
    assert engine.params[-1] == SamplingParams(temperature=0.5)


def test_a_stopped_answer_keeps_what_was_said() -> None:
    chat = LunaChat(ScriptedEngine.saying("um dois três quatro", "sim"))
    stream = chat.send_message("conte", stream=True)
    assert list(islice(stream, 2)) == ["um", " dois"]
    stream.close()
    assert chat.history == [user("conte"), luna("um dois")]
    assert chat.send_message("mais?") == "sim"

    cancel = threading.Event()
    chat = LunaChat(ScriptedEngine.saying("um dois três quatro"))
    heard = []
    for piece in chat.send_message("conte", stream=True, cancel=cancel):
        heard.append(piece)
        if len(heard) == 3:
            cancel.set()
    assert "".join(heard) == "um dois três"
    assert chat.history == [user("conte"), luna("um dois três")]
    assert chat.report.finish_reason == "cancelled"


def test_an_answer_stopped_before_its_first_word_leaves_no_trace() -> None:
    cancel = threading.Event()
    cancel.set()
    chat = LunaChat(ScriptedEngine.saying("um"))
    assert chat.send_message("conte", cancel=cancel) == ""
    assert chat.history == []


def test_a_failed_answer_leaves_no_trace() -> None:
    chat = LunaChat(ScriptedEngine.saying(GenerationError("falhou"), "agora sim"))
    with pytest.raises(GenerationError, match="falhou"):
        chat.send_message("a")
    assert chat.history == []
    assert chat.send_message("b") == "agora sim"
    assert chat.history == [user("b"), luna("agora sim")]


@pytest.mark.parametrize("message", ["", "   ", "\n\r\n\t"])
def test_an_empty_message_is_refused(message: str) -> None:
    engine = ScriptedEngine.echo()
    with pytest.raises(GenerationError, match="vazia"):
        LunaChat(engine).send_message(message)
    assert engine.prompts == []


def test_messages_are_cleaned_but_not_reworded() -> None:
    engine = ScriptedEngine.echo()
    LunaChat(engine).send_message("  linha 1\r\n  linha 2\rção\udcff \ud83d\ude00 1º\0 ")
    assert engine.prompts[-1] == [user("linha 1\n  linha 2\nção\ufffd 😀 1º\ufffd")]


def test_a_lost_middle_of_a_message_is_told(caplog: pytest.LogCaptureFixture) -> None:
    class Cutting(ScriptedEngine):
        def stream(self, *args: object, **kwargs: object) -> AnswerStream:
            stream = super().stream(*args, **kwargs)
            stream.report.skipped_tokens = 321
            return stream

    LunaChat(Cutting(lambda _messages: "ok")).send_message("longa")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "321 tokens do meio ficaram de fora" in caplog.text
