"""Whether an answer says only what its passages say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lunagpt.chat.grounding.answers import Citation, Problem, ProblemKind
from lunagpt.chat.grounding.facts import Fact, FactBase, find_facts
from lunagpt.chat.grounding.ranking import coverage
from lunagpt.chat.grounding.units import Unit, cut_passages
from lunagpt.chat.grounding.word_weights import is_common_word, weight
from lunagpt.chat.grounding.words import fold, words
from lunagpt.data.sentences import split_sentences

_CITATION = re.compile(r"\s*\[(\d{1,3})\]")
_LINK = re.compile(
    r"!?\[[^\]\n]{0,300}\]\([^)\n]{0,2000}\)|!\[[^\]\n]{0,300}\]|https?://\S+|www\.\S+|<(?:img|a|script|iframe)\b",
    re.I,
)
_NEGATIONS = frozenset(
    ["nao", "nunca", "jamais", "nem", "nenhum", "nenhuma", "ninguem", "nada", "sem", "tampouco"]
)
_REFUSAL = re.compile(
    r"\bnao (?:\w+ )?(?:traz|trazem|informa|informam|consta|constam|menciona|mencionam|diz|dizem|fala|falam|"
    r"trata|tratam|cobre|cobrem|aparece|aparecem|encontrei|achei|cita|citam|explica|explicam|especifica|"
    r"especificam|indica|indicam|registra|registram|identifica|identificam|lista|listam|mencionad[oa]s?|"
    r"tratad[oa]s?|indicad[oa]s?|citad[oa]s?|identificad[oa]s?|informad[oa]s?)\b|\bnao (?:ha|existe|tenho|"
    r"tem|possui) (?:\w+ )?(?:informac\w+|mencao|mencoes|dados?|registros?|resposta|referencias?)\b|"
    r"\bnao (?:esta|estao) (?:n[oa]s?|entre|incluid\w+)\b|\bnao da para (?:responder|saber|dizer)\b|"
    r"\b(?:nada|nenhuma? \w+) (?:consta|sobre|a respeito|diz)\b|\bsem (?:informac\w+|mencao)\b"
)
# Of a sentence's words (by weight), what must occur in the passages it cites or in the question; found on our
# training documents, where answers written by people stay above it in 98 of 100 sentences.
_LEAST_SUPPORT = 0.55
# "Não há…" needs a passage sentence on the matter that denies something too.
_DENIES = re.compile(r"^\W*(?:nao (?:ha|havia|existe|existem|houve|tem)|nunca|nenhuma? )\b")
# Below this weight, a sentence says nothing but its facts ("Nos outros dias, das 8h às 21h").
_LEAST_CONTENT = 4.0
# A passage sentence says the same as one of the answer from this overlap on; then negation must agree.
_SAME_STATEMENT = 0.85


def check_answer(answer: str, passages: Sequence[Mapping[str, Any]], *, question: str = "") -> list[Problem]:
    """What an answer says that the passages it cites do not carry; empty if all is well.

    Every sentence must cite, or stand before a sentence that does; every cited number must exist; figures,
    dates, times and names must occur in the cited passages, in whatever form ("dois" is 2, "22/04/1500" is
    "22 de abril de 1500"); a sentence that nearly repeats one of a passage must agree in negation. Links,
    images and what answers an order instead of the question are refused.

    Args:
        answer: the whole answer.
        passages: the passages that were given; the first is [1].
        question: what was asked; names in it may be repeated where the answer says that it found nothing.
    """
    evidence = Evidence(passages, question)
    problems = []
    refused = False
    for sentence in cut_answer(answer):
        refused = refused or is_refusal(sentence.text)
        problems += evidence.check(sentence, refused=refused)
    return problems


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of an answer: its text without citations, and the numbers it leans on."""

    text: str
    numbers: tuple[int, ...]


def cut_answer(answer: str) -> list[Sentence]:
    """The sentences of an answer. Citations behind the full stop belong to the sentence before; a sentence
    without any leans on those of the next one that has some."""
    pieces: list[str] = []
    for start, end in split_sentences(answer):
        piece = answer[start:end]
        while pieces and (match := _CITATION.match(piece)):
            pieces[-1] += match[0]
            piece = piece[match.end() :].lstrip(" .")
        if re.search(r"\w", piece):
            pieces.append(piece)
    sentences = []
    following: tuple[int, ...] = ()
    for piece in reversed(pieces):
        numbers = tuple(dict.fromkeys(int(number) for number in _CITATION.findall(piece)))
        following = numbers or following
        sentences.append(Sentence(_CITATION.sub("", piece).strip(), following))
    return sentences[::-1]


def is_refusal(answer: str) -> bool:
    """Whether an answer says that the documents do not have it."""
    return _REFUSAL.search(fold(answer)) is not None


class Evidence:
    """Passages prepared for checking several sentences against them."""

    def __init__(self, passages: Sequence[Mapping[str, Any]], question: str = "") -> None:
        self.passages = passages
        self._question = question
        self._bases: dict[tuple[int, ...], FactBase] = {}

    @cached_property
    def units(self) -> list[list[Unit]]:
        """The sentences of each passage."""
        return cut_passages(self.passages)

    @cached_property
    def _asked(self) -> FactBase:
        return FactBase.of([self._question])

    def check(self, sentence: Sentence, *, refused: bool = False) -> list[Problem]:
        """The problems of one sentence.

        Args:
            sentence: the sentence.
            refused: it says, or one before it said, that the passages do not have the answer; what they are
                about may then be told in other words.
        """
        problems = [
            Problem("link", match) for match in _LINK.findall(sentence.text) if not self._is_quoted(match)
        ]
        unknown = [number for number in sentence.numbers if not 1 <= number <= len(self.passages)]
        if unknown:
            return problems + [Problem("citation", f"[{number}]") for number in unknown]
        refusal = refused or is_refusal(sentence.text)
        if not sentence.numbers and not refusal:
            return [*problems, Problem("uncited", sentence.text)]
        numbers = sentence.numbers or tuple(range(1, len(self.passages) + 1))
        base = self._base(numbers)
        for fact in [*find_facts(sentence.text), *_opening_names(sentence.text, base, self._asked)]:
            if not base.has(fact) and not (refusal and self._asked.has(fact)):
                problems.append(Problem(fact.kind, fact.text))
        if not refusal:
            problems += self._unsupported(sentence, numbers)
        return problems

    def shared(self, text: str, source: Citation) -> float:
        """Share (0..1, by weight) of a text's words that stand in the place it is said to come from."""
        return coverage(
            _stems(text), frozenset(_stems(f"{source.passage.get('title') or ''} {source.quote}"))
        )

    def best_source(self, text: str, number: int | None = None) -> Citation | None:
        """The sentence of the passages (of one, if `number` is given) that a text most likely comes from."""
        stems = _stems(text)
        best: tuple[float, Unit | None] = (-1.0 if number else 0.0, None)
        for units in self.units if number is None else [self.units[number - 1]]:
            for unit in units:
                if not unit.commands_the_reader:
                    shared = coverage(stems, unit.stems | unit.context)
                    if shared > best[0]:
                        best = (shared, unit)
        found = best[1]
        if found is None:
            return None
        passage = self.passages[found.passage]
        return Citation(found.passage + 1, passage, found.text, found.start, found.end)

    def _unsupported(self, sentence: Sentence, numbers: tuple[int, ...]) -> list[Problem]:
        stems = _told_stems(_LINK.sub(" ", sentence.text))
        told = [unit for n in numbers for unit in self.units[n - 1] if not unit.commands_the_reader]
        orders = [unit for n in numbers for unit in self.units[n - 1] if unit.commands_the_reader]
        if sum(map(weight, stems)) < _LEAST_CONTENT:
            return []
        context = frozenset().union(*(unit.context for unit in told)) if told else frozenset()
        everything = frozenset().union(*(unit.stems for unit in told)) | context
        known = everything | self._asked.stems
        problems = []
        if coverage(stems, known) < _LEAST_SUPPORT:
            ordered = frozenset().union(*(unit.stems for unit in orders)) if orders else frozenset()
            kind: ProblemKind = "command" if coverage(stems, ordered) > _LEAST_SUPPORT else "unsupported"
            problems.append(Problem(kind, sentence.text))
        elif orders and self._obeys(stems, orders, told):
            problems.append(Problem("command", sentence.text))
        if _DENIES.search(fold(sentence.text)) and not any(
            _is_negated(unit.text) for unit in told if coverage(stems, unit.stems | unit.context) > 0
        ):
            problems.append(Problem("negation", sentence.text))
        for unit in told:
            back = tuple(unit.stems)
            if (
                coverage(stems, unit.stems) >= _SAME_STATEMENT
                and coverage(back, frozenset(stems)) >= _SAME_STATEMENT
                and _is_negated(sentence.text) != _is_negated(unit.text)
            ):
                problems.append(Problem("negation", sentence.text))
        return problems

    def _obeys(self, stems: tuple[str, ...], orders: list[Unit], told: list[Unit]) -> bool:
        """Whether a sentence has from the orders in the passages what nothing else in them or asked says."""
        plain = frozenset().union(*(unit.stems | unit.context for unit in told)) if told else frozenset()
        ordered = frozenset().union(*(unit.stems for unit in orders))
        only_ordered = [name for name in stems if name in ordered and name not in plain]
        asked = self._asked.stems
        return any(name not in asked for name in only_ordered)

    def _base(self, numbers: tuple[int, ...]) -> FactBase:
        if numbers not in self._bases:
            texts = []
            for number in numbers:
                passage = self.passages[number - 1]
                told = [unit.text for unit in self.units[number - 1] if not unit.commands_the_reader]
                headings = passage.get("heading_path") or ()
                texts.append("\n".join([str(passage.get("title") or ""), *map(str, headings), *told]))
            self._bases[numbers] = FactBase.of(texts)
        return self._bases[numbers]

    def _is_quoted(self, link: str) -> bool:
        """Whether an address stands in a passage as plain text; images and link marks never pass."""
        if link.startswith(("!", "[", "<")):
            return False
        address = link.rstrip(".,;:!?)\"'”»")
        return any(
            address in unit.text for units in self.units for unit in units if not unit.commands_the_reader
        )


def _stems(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.stem for word in words(text) if not word.is_stop and not word.is_number))


def _told_stems(text: str) -> tuple[str, ...]:
    """Stems of what a sentence says beside its figures, dates and names, which are looked at one by one."""
    facts = find_facts(text)
    return tuple(
        dict.fromkeys(
            word.stem
            for word in words(text)
            if not word.is_stop
            and not word.is_number
            and not (word.is_capitalised and not is_common_word(word.stem))
            and not any(fact.start <= word.start < fact.end for fact in facts)
        )
    )


def _opening_names(text: str, base: FactBase, asked: FactBase) -> list[Fact]:
    """The first word of a sentence if it seems to be a name: no ordinary word, and nowhere else."""
    found = words(text)
    if not found or not found[0].is_capitalised or found[0].is_stop or len(found[0].text) < 3:
        return []
    first = found[0]
    if is_common_word(first.stem) or first.stem in base.stems or first.stem in asked.stems:
        return []
    return [Fact("name", first.text, first.start, first.end)]


def _is_negated(text: str) -> bool:
    return any(word.folded in _NEGATIONS for word in words(text))
