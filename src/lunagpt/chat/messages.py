"""Messages that a caller hands over, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lunagpt.errors import GenerationError

_ROLES = ("system", "user", "assistant")


def checked_message(message: Mapping[str, Any]) -> dict[str, str]:
    """The role and content of a message, and of an assistant's the thinking.

    Raises:
        GenerationError: one of them is missing or of the wrong kind.
    """
    role, content, thinking = message.get("role"), message.get("content"), message.get("thinking")
    if role not in _ROLES or not isinstance(content, str) or not isinstance(thinking, str | None):
        raise GenerationError(
            f"Uma mensagem do histórico não serve: {dict(message)!r}. "
            'Cada uma precisa de "role" (system, user ou assistant) e de "content" com o texto; '
            '"thinking", se houver, também é texto.'
        )
    if thinking and role == "assistant":
        return {"role": role, "content": content, "thinking": thinking}
    return {"role": role, "content": content}
