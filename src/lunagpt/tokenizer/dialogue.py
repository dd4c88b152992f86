"""The one template that turns messages into a sequence, for training, chat and server alike.

A turn is ``<|role|>`` + content + ``<|end|>`` with nothing in between; a plain document is content +
``<|end|>``. Thinking is a segment of its own before the answer it prepares, in every turn that has some: what
the model reads in a conversation is what it read in training. Whoever generates appends ``<|assistant|>``, or
``<|thinking|>`` and when that has ended ``<|assistant|>``, and stops at ``<|end|>``. A system message stands
where the caller puts it, by custom first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from lunagpt.errors import TokenizerError
from lunagpt.tokenizer.special_tokens import (
    ASSISTANT_TOKEN,
    END_TOKEN,
    PROACTIVE_TOKEN,
    SYSTEM_TOKEN,
    THINKING_TOKEN,
    USER_TOKEN,
)

#: Role of a message → control token that opens its turn.
ROLE_TOKENS: Mapping[str, str] = {
    "system": SYSTEM_TOKEN,
    "user": USER_TOKEN,
    "assistant": ASSISTANT_TOKEN,
    "proactive": PROACTIVE_TOKEN,
}

#: Control tokens whose turns the model itself writes, and therefore learns.
LEARNED_TOKENS = frozenset({ASSISTANT_TOKEN, THINKING_TOKEN, PROACTIVE_TOKEN})

Message = Mapping[str, Any]


class Segment(NamedTuple):
    """One turn: the control token that opens it and the text up to its ``<|end|>``."""

    token: str
    content: str

    @property
    def learned(self) -> bool:
        """Whether the model is to learn the content and the end of this turn."""
        return self.token in LEARNED_TOKENS


def segments(messages: Iterable[Message], include_thinking: bool = False) -> list[Segment]:
    """The turns of a dialogue in order.

    Args:
        messages: mappings with ``role`` (one of :data:`ROLE_TOKENS`) and ``content``; an assistant message
            may carry ``thinking``.
        include_thinking: whether the thinking of assistant messages becomes a segment before the answer.

    Raises:
        TokenizerError: a message without role or content, an unknown role, or content that is not text.
    """
    found: list[Segment] = []
    for number, message in enumerate(messages, start=1):
        role = _field(message, "role", number)
        token = ROLE_TOKENS.get(role)
        if token is None:
            roles = ", ".join(f'"{known}"' for known in ROLE_TOKENS)
            raise TokenizerError(
                f'A mensagem {number} tem o papel "{role}", que não existe. Use um destes: {roles}.'
            )
        content = _field(message, "content", number)
        if include_thinking and role == "assistant" and message.get("thinking"):
            found.append(Segment(THINKING_TOKEN, _field(message, "thinking", number)))
        found.append(Segment(token, content))
    return found


def render(turns: Sequence[Segment], add_generation_prompt: bool = False) -> str:
    """The template as text. Content goes in verbatim, so only trusted content may be parsed back."""
    text = "".join(f"{turn.token}{turn.content}{END_TOKEN}" for turn in turns)
    return text + ASSISTANT_TOKEN if add_generation_prompt else text


def _field(message: Message, name: str, number: int) -> str:
    if not isinstance(message, Mapping):
        raise TokenizerError(
            f"A mensagem {number} não é um dicionário. "
            'Escreva cada mensagem como {"role": "user", "content": "Olá"}.'
        )
    if name not in message:
        raise TokenizerError(
            f'A mensagem {number} não tem o campo "{name}". Cada mensagem precisa de "role" e "content".'
        )
    value = message[name]
    if not isinstance(value, str):
        raise TokenizerError(
            f'O campo "{name}" da mensagem {number} deve ser texto, mas é {type(value).__name__}.'
        )
    return value
