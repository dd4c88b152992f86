"""LunaChat: a conversation with memory, on top of any engine."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, overload

from lunagpt.chat import stages
from lunagpt.chat.abilities import decides_to_think, reads_passages
from lunagpt.chat.messages import checked_message
from lunagpt.chat.report import ChatReport
from lunagpt.chat.search import Augmenter, Retriever, Source, open_rag
from lunagpt.chat.turn import Turn
from lunagpt.conditions import Condition, DomainLike, StyleLike
from lunagpt.engines import AnswerStream, ConditionedEngine, Engine, LunaEngine, Message
from lunagpt.errors import GenerationError, StoreError
from lunagpt.generation import SamplingParams, Thought

if TYPE_CHECKING:
    from lunagpt.config import LunaConfig
    from lunagpt.models import LunaModel

_DOCUMENTS = "nos seus documentos"
_OWN_SEARCH = "na sua busca"


class LunaChat:
    """A conversation.

    Attributes:
        engine: who answers.
        params: how answers are chosen; may be replaced at any time.
        report: facts about the last answer, with the passages it leans on.
        show_thinking: whether whoever shows the answers also shows the thinking before them. It then comes
            from every model: from one that was trained to decide when it does, from any other always. If not,
            `params.thinking` says whether the model thinks.
        model_reads_passages: whether the model writes the answers that lean on documents (each sentence is
            checked before it is shown); if not, they are quotations.
        use_reader: whether passages of the user's are read (`lunagpt.reading`) before one is quoted, or only
            their words compared.
    """

    def __init__(
        self,
        model: LunaModel | Engine,
        rag_system: Retriever | Augmenter | None = None,
        *,
        config: LunaConfig | None = None,
        system_prompt: str | None = None,
        params: SamplingParams | None = None,
        encyclopedia: bool = False,
        show_thinking: bool | None = None,
    ) -> None:
        """
        Args:
            model: a `LunaModel`, or any engine.
            rag_system: where to look up what the user asks: a `RAGSystem` or any object with `retrieve`.
            config: the user's settings. With `rag.knowledge_base_path` and no `rag_system`, that base is
                used.
            system_prompt: instructions that stand before the conversation.
            params: how answers are chosen; None takes the defaults of `SamplingParams`, with the thinking as
                the settings have it.
            encyclopedia: look up in the built-in encyclopaedia too, after the documents.
            show_thinking: see `show_thinking` above; None takes it from the settings.

        Raises:
            StoreError: the base of the settings, or the encyclopaedia, cannot be opened.
        """
        self.engine: Engine = model if isinstance(model, Engine) else _own_engine(model, config)
        self.params = params or _params(config)
        if show_thinking is None:
            show_thinking = config is not None and config.thinking.show
        self.show_thinking = show_thinking
        self.report = ChatReport()
        self.model_reads_passages = reads_passages(self.engine)
        self.use_reader = config is None or config.rag.use_reader
        self._config = config
        self._rag = rag_system
        wanted = config is None or (config.rag.enabled and "rag" not in config.hardware.skip_components)
        self._rag_enabled = rag_system is not None and wanted
        self._encyclopedia: Source | None = None
        self._encyclopedia_enabled = False
        if rag_system is None and wanted and config is not None and config.rag.knowledge_base_path:
            self.enable_rag()
        if encyclopedia:
            self.enable_encyclopedia()
        self._system_prompt = _cleaned(system_prompt)
        self._condition: Condition | None = None
        self._initial = (self._system_prompt, self.params, self.show_thinking)
        self._history: list[Message] = []

    @property
    def history(self) -> list[dict[str, str]]:
        """The messages so far (a copy), oldest first, without the system prompt. What the model thought
        before an answer stands apart from it, in "thinking" beside "content"."""
        return [dict(message) for message in self._history]

    @property
    def system_prompt(self) -> str | None:
        """The instructions that stand before the conversation."""
        return self._system_prompt

    def set_system_prompt(self, system_prompt: str | None) -> None:
        """Changes the instructions from the next message on; None or blank text removes them."""
        self._system_prompt = _cleaned(system_prompt)

    def set_condition(self, *, style: StyleLike | None = None, domain: DomainLike | None = None) -> None:
        """Speaks in a style and about a domain from the next message on: the model's weights change with
        them. Without arguments, both are unknown again.

        Args:
            style: name of a persona, or the four numbers of a `Style`.
            domain: name of a domain, its probabilities, or "auto": found out from the first question.

        Raises:
            GenerationError: an unknown name or unfit number, or the model has no hypernetwork.
        """
        condition = Condition.of(style, domain) or None
        if condition and not (isinstance(self.engine, ConditionedEngine) and self.engine.takes_conditions):
            raise GenerationError(
                f"O modelo {self.engine.name} não muda de estilo nem de domínio: ele não tem hiper-rede."
            )
        self._condition = condition

    def set_params(self, **changes: Any) -> None:
        """Changes some fields of `params`, e.g. ``set_params(temperature=0.2)``.

        Raises:
            GenerationError: a value is outside its range.
            TypeError: there is no such field.
        """
        self.params = replace(self.params, **changes)

    @property
    def rag_enabled(self) -> bool:
        """Whether questions are looked up in documents."""
        return self._rag_enabled

    @property
    def rag_system(self) -> Retriever | Augmenter | None:
        """Where questions are looked up, also while that is off."""
        return self._rag

    def enable_rag(self, knowledge_base_path: str | os.PathLike[str] | None = None) -> None:
        """Looks questions up in documents from now on.

        Args:
            knowledge_base_path: a base made by `luna index`, or a folder with documents (which are then read
                now, into a base that lasts as long as this chat). None takes the one used before, else that
                of the settings.

        Raises:
            StoreError: there is nothing to search, or it cannot be opened.
        """
        path = knowledge_base_path
        if path is None and self._rag is None and self._config is not None:
            path = self._config.rag.knowledge_base_path
        if path is not None:
            self._rag = open_rag(path, self._config)
        if self._rag is None:
            raise StoreError(
                "Não há documentos para consultar. Indique onde estão: luna chat --knowledge-base BASE ou, "
                "em Python, enable_rag(knowledge_base_path=...)."
            )
        self._rag_enabled = True

    def disable_rag(self) -> None:
        """Looks nothing up in documents any more; `enable_rag` without arguments goes back to them."""
        self._rag_enabled = False

    @property
    def encyclopedia_enabled(self) -> bool:
        """Whether questions are looked up in the built-in encyclopaedia."""
        return self._encyclopedia_enabled

    def enable_encyclopedia(self) -> None:
        """Looks questions up in the built-in encyclopaedia too.

        Raises:
            StoreError: this installation has none.
        """
        if self._encyclopedia is None:
            from lunagpt.rag.encyclopedia import NAME, built_in

            self._encyclopedia = Source(built_in(), f"na {NAME}", built_in=True)
        self._encyclopedia_enabled = True

    def disable_encyclopedia(self) -> None:
        """Leaves the built-in encyclopaedia alone."""
        self._encyclopedia_enabled = False

    def clear(self) -> None:
        """Forgets the conversation; the settings stay."""
        self._history.clear()

    def reset(self) -> None:
        """Forgets the conversation and takes the settings back to those of the start."""
        self.clear()
        self._system_prompt, self.params, self.show_thinking = self._initial
        self._condition = None

    @overload
    def send_message(
        self, message: str, *, stream: Literal[False] = ..., cancel: threading.Event | None = ...
    ) -> str: ...
    @overload
    def send_message(
        self, message: str, *, stream: Literal[True], cancel: threading.Event | None = ...
    ) -> AnswerStream: ...
    def send_message(
        self, message: str, *, stream: bool = False, cancel: threading.Event | None = None
    ) -> str | AnswerStream:
        """Sends a message and remembers it with its answer.

        Args:
            message: what the user says.
            stream: return the pieces of the answer as they come. The answer is remembered when the iterator
                ends or is closed; an answer that is stopped keeps what was said, a failed one leaves no
                trace.
            cancel: when set, the answer stops where it is.

        Returns:
            The answer, or an iterator over its pieces; `AnswerStream.thoughts`, read before them, gives those
            of the thinking.

        Raises:
            GenerationError: the message is empty or cannot be answered (with `stream`, while iterating).
        """
        turn = self._turn(message, self._history, self._system_prompt, cancel)
        return self._deliver(turn, stream=stream, remember=True)

    def ask(self, question: str, *, cancel: threading.Event | None = None) -> str:
        """Answers from the documents or the encyclopaedia only, whatever the question sounds like, and
        refuses if they do not have it; remembered like any other turn.

        Args:
            question: what is asked.
            cancel: as for `send_message`.

        Raises:
            GenerationError: the question is empty or cannot be answered.
            StoreError: there is nothing to look it up in.
        """
        turn = self._turn(question, self._history, self._system_prompt, cancel)
        if not turn.sources:
            raise StoreError(
                "Não há onde procurar: ligue a busca em documentos (enable_rag) ou na enciclopédia "
                "(enable_encyclopedia)."
            )
        turn.must_look_up = True
        answer = self._deliver(turn, stream=False, remember=True)
        assert isinstance(answer, str)
        return answer

    def send_message_with_custom_rag(
        self, message: str, rag_system: Retriever | Augmenter, *, cancel: threading.Event | None = None
    ) -> str:
        """Sends a message that is looked up with a search engine of the caller's, this time only.

        Args:
            message: what the user says.
            rag_system: an object with ``retrieve(query)``, which returns dictionaries with "content" (and
                "title", "score") or pairs (document, score); or one with ``augment_context(query)``.
            cancel: as for `send_message`.

        Raises:
            GenerationError: as for `send_message`, or the search engine gives something else.
        """
        turn = self._turn(message, self._history, self._system_prompt, cancel)
        turn.sources = (Source(rag_system, _OWN_SEARCH, trusted=True),)
        turn.must_look_up = True
        answer = self._deliver(turn, stream=False, remember=True)
        assert isinstance(answer, str)
        return answer

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
    ) -> AnswerStream: ...
    def send_message_with_history(
        self,
        message: str,
        messages: Sequence[Message],
        *,
        stream: bool = False,
        cancel: threading.Event | None = None,
    ) -> str | AnswerStream:
        """Answers a message within a conversation that the caller keeps; `history` is neither read nor
        changed.

        Args:
            message: what the user says.
            messages: the conversation, oldest first: ``{"role": ..., "content": ...}`` with role system, user
                or assistant; of an assistant also "thinking", as in `history`. May already end with
                `message`. A system message in it replaces the chat's own prompt.
            stream, cancel: as for `send_message`.

        Raises:
            GenerationError: as for `send_message`, or a message of the list has another form.
        """
        checked = [checked_message(entry) for entry in messages]
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
        sources = []
        if self._rag_enabled and self._rag is not None:
            sources.append(Source(self._rag, _DOCUMENTS))
        if self._encyclopedia_enabled and self._encyclopedia is not None:
            sources.append(self._encyclopedia)
        return Turn(
            message,
            list(history),
            system_prompt,
            self.engine,
            self._turn_params(),
            cancel,
            tuple(sources),
            self.model_reads_passages,
            self._condition,
            use_reader=self.use_reader,
        )

    def _turn_params(self) -> SamplingParams:
        """`params`, with the thinking that showing it asks for."""
        if not self.show_thinking or self.params.thinking == "on":
            return self.params
        return replace(self.params, thinking="auto" if decides_to_think(self.engine) else "on")

    def _deliver(self, turn: Turn, *, stream: bool, remember: bool) -> str | AnswerStream:
        pieces = self._converse(turn, remember)
        if stream:
            return AnswerStream(pieces, turn.report)
        for _ in pieces:
            pass
        return turn.answer

    def _converse(self, turn: Turn, remember: bool) -> Iterator[str | Thought]:
        try:
            yield from stages.run(turn)
        except GeneratorExit:
            self._finish(turn, remember)
            raise
        self._finish(turn, remember)

    def _finish(self, turn: Turn, remember: bool) -> None:
        self.report = turn.report
        if remember and turn.answer:
            answer = {"role": "assistant", "content": turn.answer}
            if turn.thinking:
                answer["thinking"] = turn.thinking
            self._history += [{"role": "user", "content": turn.message}, answer]


def _own_engine(model: LunaModel, config: LunaConfig | None) -> LunaEngine:
    """An engine for this conversation alone: its condition may be merged into the weights."""
    return LunaEngine(model, config=config, merge_conditions=True)


def _cleaned(system_prompt: str | None) -> str | None:
    return (system_prompt or "").strip() or None


def _params(config: LunaConfig | None) -> SamplingParams:
    """The defaults, with what the settings say about thinking."""
    if config is None:
        return SamplingParams()
    thinking = config.thinking
    return SamplingParams(thinking=thinking.mode, max_thinking_tokens=thinking.max_thinking_tokens)
