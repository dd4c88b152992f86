"""The language in which behaviours are checked: small conditions on an answer, with reasons in Portuguese.

A condition is one ``name: argument`` of a YAML list; this table is their reference:

===============  ===============================  =======================================================
name             argument                         holds when
===============  ===============================  =======================================================
contains         text or list                     every text occurs as whole words (case and accents do
                                                  not count; ``cozinh*`` stands for any ending)
contains_any     list                             one of them occurs
not_contains     text or list                     none of them occurs
regex            pattern or list                  every pattern is found (case ignored, ^ $ at each line)
not_regex        pattern or list                  no pattern is found
starts_with      text or list                     the answer begins with one of them
ends_with        text or list                     the answer ends with one of them
equals           text or list                     the answer is one of them, outer punctuation apart
in_order         list                             the texts occur in this order
words            number or {min, max}             it has so many words
sentences, lines, paragraphs, characters          likewise
items            number or {min, max}             … items of a list, bulleted or numbered
numbered         number or {min, max}             … numbered lines
max_words        number                           short for ``words: {max: …}``
min_words        number                           short for ``words: {min: …}``
unique_items     true                             no two items of the list are the same
letter_case      upper or lower                   every letter is of that case
json             true or {keys, values, items}    the answer (or its code block) is JSON: an object with
                                                  exactly these keys, with these values; a list of n items
table            {columns, rows}                  it has a Markdown table of that size (header not counted)
first_letters    text                             the lines begin with these letters (acrostic)
number           number                           it is the first or last number, or follows the last ``=``
citation         number or list                   exactly these passages are cited as [n]
no_citation      true or false                    no passage is cited
asks             true or false                    there is a question in it, or none
refuses          true or false                    it refuses; false: it does not plainly refuse
admits_absence   true or false                    it says that the text lacks what was asked, or does not
language         pt, en, es or any                it is in that language (or too short to tell)
differs          true                             it is none of Luna's earlier answers of the dialogue
emoji            true or false                    it has an emoji, or none
any_of           list of conditions or lists      one alternative holds (a list: all of its conditions)
===============  ===============================  =======================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lunagpt.evaluation.behaviours import conditions_of_form as form
from lunagpt.evaluation.behaviours import conditions_of_text as text
from lunagpt.evaluation.behaviours.answer import Answer
from lunagpt.evaluation.behaviours.arguments import (
    ArgumentError,
    Checker,
    flag,
    one_of,
    pattern_list,
    span,
    text_list,
)

Condition = Callable[[Answer, Any], str | None]


@dataclass(frozen=True, slots=True)
class Check:
    """One condition with its argument, ready to judge an answer."""

    name: str
    argument: Any

    def problem(self, answer: Answer) -> str | None:
        """Why `answer` fails, a Portuguese phrase; None if the condition holds."""
        if self.name == "any_of":
            return _any_of(self.argument, answer)
        return CONDITIONS[self.name][0](answer, self.argument)


def parse_checks(raw: Any) -> tuple[Check, ...]:
    """The checks of a YAML list of conditions (or of one condition).

    Raises:
        ArgumentError: a condition is unknown or its argument does not fit.
    """
    entries = raw if isinstance(raw, list) else [raw]
    checks: list[Check] = []
    for entry in entries:
        if not isinstance(entry, Mapping) or not entry:
            raise ArgumentError(f"uma condição precisa ser um par nome: valor, e não {entry!r}")
        checks.extend(_parse_one(str(name), argument) for name, argument in entry.items())
    return tuple(checks)


def problems(checks: Sequence[Check], answer: Answer) -> list[str]:
    """Reasons of every check that `answer` fails, in the order of the checks."""
    return [problem for check in checks if (problem := check.problem(answer)) is not None]


def _parse_one(name: str, argument: Any) -> Check:
    if name == "any_of":
        if not isinstance(argument, list) or len(argument) < 2:
            raise ArgumentError("any_of precisa de uma lista com pelo menos duas alternativas")
        return Check(name, tuple(parse_checks(alternative) for alternative in argument))
    if name not in CONDITIONS:
        raise ArgumentError(
            f'a condição "{name}" não existe; as que existem: any_of, {", ".join(sorted(CONDITIONS))}'
        )
    try:
        return Check(name, CONDITIONS[name][1](argument))
    except ArgumentError as error:
        raise ArgumentError(f'em "{name}": {error}') from None


def _any_of(alternatives: Sequence[Sequence[Check]], answer: Answer) -> str | None:
    reasons = []
    for checks in alternatives:
        found = problems(checks, answer)
        if not found:
            return None
        reasons.append(" e ".join(found))
    return "nenhuma das alternativas vale: " + "; ou ".join(reasons)


def _language_argument(value: Any) -> str:
    return one_of(value, ("pt", "en", "es", "any"))


CONDITIONS: dict[str, tuple[Condition, Checker]] = {
    "contains": (text.contains, text_list),
    "contains_any": (text.contains_any, text_list),
    "not_contains": (text.not_contains, text_list),
    "regex": (text.regex, pattern_list),
    "not_regex": (text.not_regex, pattern_list),
    "starts_with": (text.starts_with, text_list),
    "ends_with": (text.ends_with, text_list),
    "equals": (text.equals, text_list),
    "in_order": (text.in_order, text_list),
    "number": (text.number, lambda value: float(form.number_argument(value))),
    "citation": (text.citation, form.numbers_argument),
    "no_citation": (text.no_citation, flag),
    "asks": (text.asks, flag),
    "refuses": (text.refuses, flag),
    "admits_absence": (text.admits_no_answer, flag),
    "language": (text.language, _language_argument),
    "differs": (text.differs, flag),
    "emoji": (text.emoji, flag),
    "words": (form.words, span),
    "max_words": (form.words, lambda value: span({"max": value})),
    "min_words": (form.words, lambda value: span({"min": value})),
    "sentences": (form.sentences, span),
    "lines": (form.lines, span),
    "paragraphs": (form.paragraphs, span),
    "items": (form.items, span),
    "numbered": (form.numbered, span),
    "characters": (form.characters, span),
    "unique_items": (form.unique_items, flag),
    "letter_case": (form.letter_case, lambda value: one_of(value, ("upper", "lower"))),
    "json": (form.json_form, form.json_argument),
    "table": (form.table, form.table_argument),
    "first_letters": (form.first_letters, lambda value: re.sub(r"\s", "", text_list(value)[0])),
}
