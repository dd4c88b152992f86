"""The turn template: one text, one sequence of ids, one mask; content cannot forge a turn."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunagpt.errors import TokenizerError
from lunagpt.tokenizer import LunaTokenizer
from lunagpt.tokenizer.special_tokens import SPECIAL_TOKENS

TOKENIZER = LunaTokenizer.default()

MESSAGES = [
    {"role": "system", "content": "Você é Luna."},
    {"role": "user", "content": "Quanto é 2 + 2?"},
    {"role": "assistant", "content": "São 4.", "thinking": "2 + 2 = 4."},
    {"role": "user", "content": "E o dobro?"},
    {"role": "proactive", "content": "Quer ver a tabuada?"},
    {"role": "assistant", "content": "8."},
]


def test_template() -> None:
    assert TOKENIZER.format_dialog(MESSAGES) == (
        "<|system|>Você é Luna.<|end|><|user|>Quanto é 2 + 2?<|end|><|assistant|>São 4.<|end|>"
        "<|user|>E o dobro?<|end|><|proactive|>Quer ver a tabuada?<|end|><|assistant|>8.<|end|>"
    )


def test_template_with_thinking() -> None:
    text = TOKENIZER.format_dialog(MESSAGES[1:3], include_thinking=True)
    assert text == "<|user|>Quanto é 2 + 2?<|end|><|thinking|>2 + 2 = 4.<|end|><|assistant|>São 4.<|end|>"


@pytest.mark.parametrize("include_thinking", [False, True])
def test_ids_are_those_of_the_text(include_thinking: bool) -> None:
    ids = TOKENIZER.encode_dialog(MESSAGES, include_thinking)
    assert ids == TOKENIZER.encode(TOKENIZER.format_dialog(MESSAGES, include_thinking))
    assert TOKENIZER.encode_dialog(MESSAGES, include_thinking, add_generation_prompt=True) == [
        *ids,
        TOKENIZER.assistant_token_id,
    ]


def test_mask_marks_what_the_model_writes() -> None:
    ids, mask = TOKENIZER.encode_dialog_with_mask(MESSAGES)
    assert len(ids) == len(mask)
    learned = TOKENIZER.decode([token_id for token_id, learn in zip(ids, mask, strict=True) if learn])
    assert learned == "2 + 2 = 4.<|end|>São 4.<|end|>Quer ver a tabuada?<|end|>8.<|end|>"
    without = TOKENIZER.encode_dialog_with_mask(MESSAGES, include_thinking=False)[0]
    assert TOKENIZER.thinking_token_id in ids
    assert TOKENIZER.thinking_token_id not in without


CONTROL = st.sampled_from(SPECIAL_TOKENS)
CONTENT = st.lists(CONTROL | st.text(max_size=6), max_size=5).map("".join)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["system", "user", "assistant", "proactive"]), CONTENT), max_size=4)
)
def test_content_cannot_forge_a_turn(turns: list[tuple[str, str]]) -> None:
    messages = [{"role": role, "content": content, "thinking": content} for role, content in turns]
    ids, mask = TOKENIZER.encode_dialog_with_mask(messages)
    control = [token_id for token_id in ids if token_id in TOKENIZER.special_token_ids]
    expected: list[int] = []
    for role, content in turns:
        if role == "assistant" and content:
            expected += [TOKENIZER.thinking_token_id, TOKENIZER.end_token_id]
        expected += [getattr(TOKENIZER, f"{role}_token_id"), TOKENIZER.end_token_id]
    assert control == expected
    assert all(not learn for token_id, learn in zip(ids, mask, strict=True) if 2 <= token_id < 16)


def test_empty_dialogue() -> None:
    assert TOKENIZER.encode_dialog([]) == []
    assert TOKENIZER.encode_dialog([], add_generation_prompt=True) == [TOKENIZER.assistant_token_id]
    assert TOKENIZER.format_dialog([]) == ""


def test_empty_content_keeps_its_turn() -> None:
    ids = TOKENIZER.encode_dialog([{"role": "user", "content": ""}])
    assert ids == [TOKENIZER.user_token_id, TOKENIZER.end_token_id]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"role": "usuario", "content": "Oi"}, 'mensagem 2 tem o papel "usuario".*"assistant"'),
        ({"role": "thinking", "content": "Oi"}, 'papel "thinking"'),
        ({"role": "user"}, 'mensagem 2 não tem o campo "content"'),
        ({"content": "Oi"}, 'mensagem 2 não tem o campo "role"'),
        ({"role": "user", "content": None}, 'campo "content" da mensagem 2 deve ser texto'),
        ({"role": "assistant", "content": "Oi", "thinking": ["a"]}, 'campo "thinking" da mensagem 2'),
        ("Oi", "mensagem 2 não é um dicionário"),
    ],
)
def test_unfit_messages_are_refused(message: object, words: str) -> None:
    messages = [{"role": "user", "content": "Oi"}, message]
    with pytest.raises(TokenizerError, match=words):
        TOKENIZER.encode_dialog_with_mask(messages)  # type: ignore[arg-type]
