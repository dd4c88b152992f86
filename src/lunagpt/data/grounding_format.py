"""How evidence is laid out in front of a question: one convention for training data, chat and retrieval.

A grounded question reads::

    Documentos:
    [1] Título: texto do primeiro trecho

    [2] Título: texto do segundo trecho

    Pergunta: a pergunta da pessoa

and an answer names the passages it leans on by number: ``Fecha às 20h [2].``
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

NO_ANSWER = "Os documentos não trazem essa informação."

_HEADER = "Documentos:\n"
_QUESTION = "Pergunta: "
_MULTI_PROMPT = re.compile(
    r"\ADocumentos:\n(?P<evidence>.*)\n\nPergunta: (?P<question>.*?)"
    r"(?:\nResponda com base nos documentos e indique o número do documento\.)?\Z",
    re.DOTALL,
)
_CONTEXT_PROMPT = re.compile(r"\AContexto:\n(?P<evidence>.*)\n\nPergunta: (?P<question>.*)\Z", re.DOTALL)
_BARE_PROMPT = re.compile(r"\A(?P<evidence>\[1\] .*)\n\n(?P<question>(?!\[\d).*)\Z", re.DOTALL)
_NEXT_PASSAGE = re.compile(r"\n+(?=\[\d+\] )")
_CITATION_AT_END = re.compile(r"\[\d+\][.!?]?\Z")
_CLOSING_MARK = re.compile(r"[.!?]\Z")


def format_evidence(documents: Sequence[Mapping[str, object]], question: str) -> str:
    """Text of a user turn that asks `question` over `documents`.

    Args:
        documents: passages with ``content`` and, if they have one, ``title``. They are numbered from 1 in the
            order given, unless every one carries an integer ``id`` (then that number is kept, so that
            citations written elsewhere still point at the right passage).
        question: the question, as the person typed it.

    Returns:
        The turn's content; `question` unchanged when there is no document.
    """
    if not documents:
        return question
    ids = [document.get("id") for document in documents]
    numbers = ids if all(type(number) is int for number in ids) and len(set(ids)) == len(ids) else None
    passages = []
    for position, document in enumerate(documents):
        number = numbers[position] if numbers else position + 1
        title = str(document.get("title") or "").strip()
        content = str(document.get("content") or "").strip()
        passages.append(f"[{number}] {title}: {content}" if title else f"[{number}] {content}")
    return _HEADER + "\n\n".join(passages) + "\n\n" + _QUESTION + question.strip()


def heading_of(title: str, content: str) -> str:
    """`title`, or "" where the passage begins with it already, so that it is not said twice."""
    return "" if title and content.lstrip("# ").startswith(title.rstrip("…")) else title


def cite(answer: str, number: int) -> str:
    """`answer` with ``[number]`` before its final mark: ``"Às 20h."`` becomes ``"Às 20h [2]."``."""
    answer = answer.strip()
    if _CITATION_AT_END.search(answer):
        return answer
    mark = _CLOSING_MARK.search(answer)
    if mark:
        return f"{answer[: mark.start()]} [{number}]{mark.group()}"
    return f"{answer} [{number}]."


def unify_grounded_turns(question: str, answer: str) -> tuple[str, str]:
    """Bring a question with evidence written in another known layout, and its answer, to `format_evidence`'s.

    Known layouts: ``Contexto:`` with one passage and a bare span as answer (the citation is added, the span
    gets a capital and a full stop), ``Documentos:`` with an instruction after the question, and passages
    ``[1] …`` with nothing before them and the question after a blank line. Other text comes back unchanged.
    """
    if match := _CONTEXT_PROMPT.match(question):
        passage = {"content": match["evidence"]}
        unified = format_evidence([passage], match["question"])
        answer = answer.strip()
        if answer == "O contexto não traz essa informação.":
            return unified, NO_ANSWER
        return unified, cite(answer[:1].upper() + answer[1:], 1)
    if match := _MULTI_PROMPT.match(question):
        return f"{_HEADER}{match['evidence']}\n\n{_QUESTION}{match['question'].strip()}", answer.strip()
    if match := _BARE_PROMPT.match(question):
        evidence = "\n\n".join(part.strip() for part in _NEXT_PASSAGE.split(match["evidence"]))
        return f"{_HEADER}{evidence}\n\n{_QUESTION}{match['question'].strip()}", answer.strip()
    return question, answer
