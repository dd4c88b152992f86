"""The chat template that a foreign tokenizer brings, and where in its text the messages stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from lunagpt.errors import TokenizerError
from lunagpt.tokenizer.dialogue import Message, segments

_PRIVATE_USE = range(0xF0000, 0xFFFFE)  # code points that no text has a use for


class Content(NamedTuple):
    """A message inside the rendered text: `text[start:end]`.

    Attributes:
        learned: whether the model is to learn it.
    """

    start: int
    end: int
    learned: bool


class ChatTemplate:
    """A template as text.

    Args:
        tokenizer: of transformers, with a `chat_template`.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        probe = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
        try:
            self._takes_system = "s" in self._text(probe, False)
        except TokenizerError:
            self._takes_system = False

    def render(
        self, messages: Iterable[Message], thinking: bool = False, add_generation_prompt: bool = False
    ) -> str:
        """The dialogue as text; `thinking` hands earlier thoughts to templates that know them.

        Raises:
            TokenizerError: a message is malformed, or the template refuses the dialogue.
        """
        return self._text(self._known(list(messages), thinking), add_generation_prompt)

    def render_with_contents(
        self, messages: Iterable[Message], thinking: bool = False, add_generation_prompt: bool = False
    ) -> tuple[str, list[Content]]:
        """The dialogue as text, and where its messages stand.

        They are found by rendering a second time with a mark before and after each.

        Raises:
            TokenizerError: as `render`; or the template rewrites the messages, so that they cannot be found.
        """
        known = self._known(list(messages), thinking)
        used = {char for message in known for char in message["content"]}
        free = (chr(code) for code in _PRIVATE_USE if chr(code) not in used)
        given, learned, close = (next(free) for _ in range(3))
        for trimmed in (False, True):  # many templates trim what they are given
            contents = [message["content"].strip() if trimmed else message["content"] for message in known]
            marks = [learned if message["role"] == "assistant" else given for message in known]
            plain = [{**m, "content": text} for m, text in zip(known, contents, strict=True)]
            marked = [
                {**m, "content": mark + text + close}
                for m, text, mark in zip(known, contents, marks, strict=True)
            ]
            text = self._text(plain, add_generation_prompt)
            found, spans = _take_out(self._text(marked, add_generation_prompt), given, learned, close)
            if found == text:
                return text, spans
        raise TokenizerError(
            "O modelo de conversa desta base reescreve as mensagens, e não dá para saber onde cada uma fica "
            "no texto. Use uma base com outro modelo de conversa, ou uma sem nenhum: o LunaGPT põe o seu."
        )

    def _known(self, messages: Sequence[Message], thinking: bool) -> list[dict[str, str]]:
        """The messages in the roles that templates know."""
        segments(messages)  # says what is wrong with them
        known: list[dict[str, str]] = []
        waiting = ""
        for message in messages:
            role, content = message["role"], message["content"]
            if role == "system" and not self._takes_system:
                waiting += content + "\n\n"
                continue
            entry = {"role": "assistant" if role == "proactive" else role, "content": content}
            if waiting and role == "user":
                entry["content"], waiting = waiting + content, ""
            if thinking and message.get("thinking"):
                entry["reasoning_content"] = message["thinking"]
            known.append(entry)
        return [*known, {"role": "user", "content": waiting.strip()}] if waiting else known

    def _text(self, messages: list[dict[str, str]], add_generation_prompt: bool) -> str:
        from jinja2 import TemplateError

        if not messages:
            return ""
        try:
            text: str = self._tokenizer.apply_chat_template(
                messages,
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                enable_thinking=False,  # of Qwen3 and others: the answer comes at once
            )
        except TemplateError as error:
            raise TokenizerError(
                f"O modelo de conversa desta base não aceita este diálogo: {error}. Em geral as mensagens "
                "devem alternar entre user e assistant, a começar por user."
            ) from error
        return text


def _take_out(text: str, given: str, learned: str, close: str) -> tuple[str, list[Content]]:
    """The text without its marks, and the stretches that they marked."""
    kept: list[str] = []
    length = start = 0
    opened = ""
    spans: list[Content] = []
    for char in text:
        if char in (given, learned):
            opened, start = char, length
        elif char == close:
            spans.append(Content(start, length, opened == learned))
        else:
            kept.append(char)
            length += 1
    return "".join(kept), spans
