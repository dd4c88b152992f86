"""Rows → examples: one typed form for every layout of training data that LunaGPT knows.

==========================================  ================================================================
columns                                     example
==========================================  ================================================================
``messages`` (list or JSON string)          dialogue; with ``documents``, their text goes in front of the
                                            first question; with ``opportunities``, the last suggestion
                                            follows the last answer as a proactive turn
``prompt_messages`` + ``chosen``            dialogue that ends with the preferred answer
``instruction`` (+ ``input``) + ``output``  dialogue of two turns
``pergunta`` + ``resposta``                 dialogue of two turns (also ``question`` + ``answer``)
``title`` + ``text`` + ``qa``               encyclopaedia article: text, questions, summary, grounded
``text``, or ``content`` (+ ``title``)      text
==========================================  ================================================================
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from lunagpt.data.encyclopedia import PARTS, ArticleReader
from lunagpt.data.grounding_format import format_evidence, unify_grounded_turns

Message = dict[str, str]

ROLES = frozenset({"system", "user", "assistant", "proactive"})


@dataclass(frozen=True)
class TextExample:
    """A document; every token of it is learned."""

    text: str


@dataclass(frozen=True)
class DialogueExample:
    """A conversation: messages with ``role``, ``content`` and, for some answers, ``thinking``."""

    messages: tuple[Message, ...]


Example = TextExample | DialogueExample


class RowError(ValueError):
    """A row cannot become an example; the message is the reason, in Portuguese."""


class ExampleBuilder:
    """Turns the rows of one source into examples.

    Args:
        parts: which examples an encyclopaedia article gives (see `ArticleReader`).
        unify_evidence: rewrite evidence given in another layout in the one of `format_evidence`.
        persona_prompt: rows of a persona other than "balanced" without a system turn get the line
            ``Você é Luna, persona NOME.``, so that the manner of speaking has a cause the model can see.
    """

    def __init__(
        self,
        parts: Iterable[str] = PARTS,
        *,
        unify_evidence: bool = False,
        persona_prompt: bool = False,
    ) -> None:
        self._articles = ArticleReader(parts)
        self._unify_evidence = unify_evidence
        self._persona_prompt = persona_prompt

    def __call__(self, row: Mapping[str, Any]) -> Iterator[Example]:
        """Yield the examples of `row`.

        Raises:
            RowError: no known layout fits, or a column has a wrong type.
        """
        if row.get("qa") is not None and row.get("title"):
            for content in self._articles(row):
                yield TextExample(content) if isinstance(content, str) else DialogueExample(tuple(content))
            return
        messages = self._messages(row)
        if messages is None:
            yield TextExample(_text(row))
            return
        yield DialogueExample(tuple(self._finish(row, _checked(messages))))

    def _messages(self, row: Mapping[str, Any]) -> list[Any] | None:
        if row.get("messages") is not None:
            return _message_list(row["messages"])
        if row.get("prompt_messages") is not None:
            chosen = {"role": "assistant", "content": row.get("chosen")}
            return [*_message_list(row["prompt_messages"]), chosen]
        if row.get("instruction") is not None:
            request = str(row["instruction"])
            if row.get("input"):
                request = f"{request}\n\n{row['input']}"
            return _pair(request, row.get("output"))
        for question, answer in (("pergunta", "resposta"), ("question", "answer")):
            if row.get(question) is not None:
                return _pair(row[question], row.get(answer))
        return None

    def _finish(self, row: Mapping[str, Any], messages: list[Message]) -> list[Message]:
        if row.get("documents"):
            first = next(message for message in messages if message["role"] == "user")
            first["content"] = format_evidence(_documents(row["documents"]), first["content"])
        elif self._unify_evidence:
            _unify(messages)
        if row.get("opportunities"):
            suggestion = row["opportunities"][-1].get("suggestion")
            if suggestion:
                messages.append({"role": "proactive", "content": str(suggestion)})
        persona = row.get("persona") or "balanced"
        if self._persona_prompt and persona != "balanced" and messages[0]["role"] != "system":
            messages.insert(0, {"role": "system", "content": f"Você é Luna, persona {persona}."})
        return messages


def _text(row: Mapping[str, Any]) -> str:
    text = row.get("text") if row.get("text") is not None else row.get("content")
    if text is None:
        columns = ", ".join(map(str, row)) or "nenhuma"
        raise RowError(
            "não reconheço as colunas. Use messages, instruction/output, pergunta/resposta ou text. "
            f"Colunas desta linha: {columns}"
        )
    if not isinstance(text, str) or not text.strip():
        raise RowError("o texto está vazio ou não é texto")
    title = row.get("title") if row.get("text") is None else None
    return f"# {title}\n\n{text}" if title else text


def _pair(question: object, answer: object) -> list[dict[str, object]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def _message_list(value: object) -> list[Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise RowError("a coluna de mensagens não é um JSON válido") from error
    if not isinstance(value, list) or not value:
        raise RowError("a coluna de mensagens não é uma lista de mensagens")
    return value


def _checked(messages: list[Any]) -> list[Message]:
    clean: list[Message] = []
    for number, message in enumerate(messages, start=1):
        role = message.get("role") if isinstance(message, dict) else None
        if role not in ROLES:
            raise RowError(f'mensagem {number}: papel "{role}" desconhecido (use {", ".join(sorted(ROLES))})')
        content = message.get("content")
        if not isinstance(content, str) or not content.strip():
            raise RowError(f"mensagem {number}: conteúdo vazio")
        turn = {"role": role, "content": content.strip() if role != "user" else content}
        if message.get("thinking"):
            turn["thinking"] = str(message["thinking"])
        clean.append(turn)
    roles = [message["role"] for message in clean]
    if "user" not in roles or "assistant" not in roles:
        raise RowError("o diálogo precisa de ao menos uma pergunta e uma resposta")
    return clean


def _documents(value: object) -> list[Mapping[str, object]]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise RowError("a coluna documents não é um JSON válido") from error
    if not isinstance(value, list) or not all(isinstance(document, Mapping) for document in value):
        raise RowError("a coluna documents não é uma lista de documentos")
    return value


def _unify(messages: list[Message]) -> None:
    for turn, reply in pairwise(messages):
        if turn["role"] == "user" and reply["role"] == "assistant":
            turn["content"], reply["content"] = unify_grounded_turns(turn["content"], reply["content"])
