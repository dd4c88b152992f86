"""The stage that looks things up: which source is searched, and when what it finds is taken for an answer."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from lunagpt.chat.grounding.extractive import extractive_answer, renumbered
from lunagpt.chat.grounding.questions import asks_who_or_what
from lunagpt.chat.grounding.refusal import Searched
from lunagpt.chat.grounding.router import Intent, asks_for_a_rule
from lunagpt.chat.search import Source
from lunagpt.chat.turn import Turn
from lunagpt.reading import load_reader

logger = logging.getLogger("lunagpt.chat")

# An article of the encyclopaedia is taken for an answer from this relevance and certainty on: chosen on 200
# questions used for fitting (0.6 answers 111, 82 of them rightly; 0.5: 126 and 89; 0.7: 89 and 71). On held-
# out questions fewer are right, see benchmarks/results/grounded.md.
_LEAST_RELEVANCE = 0.3
_LEAST_CERTAINTY = 0.6
# Asked who or what the very title of an article is, most of its sentences are a fair answer.
_TITLE_ASKED, _LEAST_TITLE_CERTAINTY = 0.99, 0.42
# Where the caller's own search engine has already judged the passages: by the words alone, and after reading.
_TRUSTED_CERTAINTY, _TRUSTED_READ_CERTAINTY = 0.35, 0.15
# A personal message is answered from documents only if the quotation is this certain; else it is talk.
_PERSONAL_CERTAINTY = 0.6


def retrieve(turn: Turn) -> Turn:
    """Searches the sources one after the other, up to the first that has an answer.

    Talk is not looked up. Documents are the user's own: if nothing has the answer, it is a refusal, unless
    the message was personal and did not ask for a rule. The encyclopaedia is only used if it has the answer;
    else the model speaks, unless it is a small one that would have to invent a fact.
    """
    if turn.intent is Intent.TALK:
        return turn
    for source in turn.sources:
        if source.built_in and turn.intent is Intent.PERSONAL:
            continue
        found = source.search(turn.query)
        turn.searched.append(Searched(source.place, source.documents, found, source.built_in))
        logger.debug("[buscar] %d trechos %s", len(found), source.place)
        if found and _has_answer(turn, source, found):
            turn.passages = found
            break
        others = source.search_other_words(turn.query)
        if _adds(others, found) and _has_answer(turn, source, others):
            turn.passages = others
            break
    if turn.intent is Intent.PERSONAL and not turn.passages and not asks_for_a_rule(turn.query):
        turn.searched.clear()
    turn.report.query = turn.query if turn.searched else None
    turn.report.passages = tuple(turn.passages or (turn.searched[0].passages if turn.searched else ()))
    return turn


def _adds(more: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a search brings a passage that another one has not."""
    known = {str(passage["content"]) for passage in found}
    return any(str(passage["content"]) not in known for passage in more)


def _has_answer(turn: Turn, source: Source, found: list[Mapping[str, Any]]) -> bool:
    """Whether passages are worth answering from; keeps the quotation that shows it, its passage first."""
    if source.built_in and float(found[0].get("score") or 0.0) < _LEAST_RELEVANCE:
        return False
    # In the encyclopaedia the reader does no better than the rules made for it, at ten times the cost.
    reader = load_reader() if turn.use_reader and not source.built_in else None
    threshold = None
    if source.trusted:
        threshold = _TRUSTED_CERTAINTY if reader is None else _TRUSTED_READ_CERTAINTY
    if source.built_in:
        exact = float(found[0].get("score") or 0.0) >= _TITLE_ASKED and asks_who_or_what(turn.query)
        threshold = _LEAST_TITLE_CERTAINTY if exact else _LEAST_CERTAINTY
    if turn.intent is Intent.PERSONAL:
        threshold = _PERSONAL_CERTAINTY
    turn.quotation = extractive_answer(turn.query, found, threshold=threshold, reader=reader)
    if turn.quotation is not None:
        best = turn.quotation.citations[0].number - 1
        found.insert(0, found.pop(best))
        turn.quotation = renumbered(turn.quotation)
    return turn.quotation is not None or (
        turn.model_reads_passages and not source.built_in and turn.intent is Intent.QUESTION
    )
