"""LunaChat: a conversation with memory, on top of any engine."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, overload

from lunagpt.chat import stages
from lunagpt.chat.stages import Turn
from lunagpt.engines import AnswerReport, Engine, LunaEngine, Message
from lunagpt.errors import GenerationError
from lunagpt.generation import SamplingParams

if TYPE_CHECKING:
    from lunagpt.config import LunaConfig
    from lunagpt.models import LunaModel

_ROLES = ("system", "user", "assistant")


class LunaChat:
    """A conversation.

    Attributes:
        engine: who answers.
        params: how answers are chosen; may be replaced at any time.
        report: facts about the last answer.
    """

    def __init__(
        self,
        model: LunaModel | Engine,
        *,
        config: LunaConfig | None = None,
        system_prompt: str | None = None,
        params: SamplingParams | None = None,
    ) -> None:
        """
        Args:
            model: a `LunaModel`, or any engine.
            config: the user's settings.
            system_prompt: instructions that stand before the conversation.
            params: how answers are chosen; None takes the defaults of `SamplingParams`.
        """
        self.engine: Engine = model if isinstance(model, Engine) else LunaEngine(model, config=config)
        self.params = params or SamplingParams()
        self.report = AnswerReport()
        self._system_prompt = _cleaned(system_prompt)
        self._initial = (self._system_prompt, self.params)
        self._history: list[Message] = []

    @property
    def history(self) -> list[dict[str, str]]:
        """The messages so far (a copy), oldest first, without the system prompt."""
        return [dict(message) for message in self._history]

    @property
    def system_prompt(self) -> str | None:
        """The instructions that stand before the conversation."""
        return self._system_prompt

    def set_system_prompt(self, system_prompt: str | None) -> None:
        """Changes the instructions from the next message on; None or blank text removes them."""
        self._system_prompt = _cleaned(system_prompt)

    def set_params(self, **changes: Any) -> None:
        """Changes some fields of `params`, e.g. ``set_params(temperature=0.2)``.

        Raises:
            GenerationError: a value is outside its range.
            TypeError: there is no such field.
        """
        self.params = replace(self.params, **changes)

    def clear(self) -> None:
        """Forgets the conversation; the settings stay."""
        self._history.clear()

    def reset(self) -> None:
        """Forgets the conversation and takes the settings back to those of the start."""
        self.clear()
        self._system_prompt, self.params = self._initial

    @overload
    def send_message(
        self, message: str, *, stream: Literal[False] = ..., cancel: threading.Event | None = ...
    ) -> str: ...
    @overload
    def send_message(
        self, message: str, *, stream: Literal[True], cancel: threading.Event | None = ...
    ) -> Iterator[str]: ...
    def send_message(
        self, message: str, *, stream: bool = False, cancel: threading.Event | None = None
    ) -> str | Iterator[str]:
        """Sends a message and remembers it with its answer.

        Args:
            message: what the user says.
            stream: return the pieces of the answer as they come. The answer is remembered when the iterator
                ends or is closed; an answer that is stopped keeps what was said, a failed one leaves no
                trace.
            cancel: when set, the answer stops where it is.

        Returns:
            The answer, or an iterator over its pieces.

        Raises:
            GenerationError: the message is empty or cannot be answered (with `stream`, while iterating).
        """
        turn = self._turn(message, self._history, self._system_prompt, cancel)
        return self._deliver(turn, stream=stream, remember=True)

    @overload
    def send_message_with_history(
        self,
        message: str,
        messages: Sequence[Message],
        *,
        stream: Literal[False] = ...,
        cancel: threading.Event | None = ...,
    ) -> str: ...
    @overload
    def send_message_with_history(
        self,
        message: str,
        messages: Sequence[Message],
        *,
        stream: Literal[True],
        cancel: threading.Event | None = ...,
    ) -> Iterator[str]: ...
    def send_message_with_history(
        self,
        message: str,
        messages: Sequence[Message],
        *,
        stream: bool = False,
        cancel: threading.Event | None = None,
    ) -> str | Iterator[str]:
        """Answers a message within a conversation that the caller keeps; `history` is neither read nor
        changed.

        Args:
            message: what the user says.
            messages: the conversation, oldest first: ``{"role": ..., "content": ...}`` with role system, user
                or assistant. May already end with `message`. A system message in it replaces the chat's own
                prompt.
            stream, cancel: as for `send_message`.

        Raises:
            GenerationError: as for `send_message`, or a message of the list has another form.
        """
        checked = [_checked(entry) for entry in messages]
        if checked and checked[-1] == {"role": "user", "content": message}:
            checked.pop()
        system = "\n\n".join(entry["content"] for entry in checked if entry["role"] == "system")
        history = [entry for entry in checked if entry["role"] != "system"]
        turn = self._turn(message, history, _cleaned(system) or self._system_prompt, cancel)
        return self._deliver(turn, stream=stream, remember=False)

    def _turn(
        self,
        message: str,
        history: Sequence[Message],
        system_prompt: str | None,
        cancel: threading.Event | None,
    ) -> Turn:
        return Turn(message, list(history), system_prompt, self.engine, self.params, cancel)

    def _deliver(self, turn: Turn, *, stream: bool, remember: bool) -> str | Iterator[str]:
        pieces = self._converse(turn, remember)
        if stream:
            return pieces
        for _ in pieces:
            pass
        return turn.answer

    def _converse(self, turn: Turn, remember: bool) -> Iterator[str]:
        try:
            yield from stages.run(turn)
        except GeneratorExit:
            self._finish(turn, remember)
            raise
        self._finish(turn, remember)

    def _finish(self, turn: Turn, remember: bool) -> None:
        self.report = turn.report
        if remember and turn.answer:
            self._history += [
                {"role": "user", "content": turn.message},
                {"role": "assistant", "content": turn.answer},
            ]


def _cleaned(system_prompt: str | None) -> str | None:
    return (system_prompt or "").strip() or None


def _checked(message: Message) -> dict[str, str]:
    """The role and content of a message.

    Raises:
        GenerationError: one of them is missing or of the wrong kind.
    """
    role, content = message.get("role"), message.get("content")
    if role not in _ROLES or not isinstance(content, str):
        raise GenerationError(
            f"Uma mensagem do histórico não serve: {dict(message)!r}. "
            'Cada uma precisa de "role" (system, user ou assistant) e de "content" com o texto.'
        )
    return {"role": role, "content": content}
