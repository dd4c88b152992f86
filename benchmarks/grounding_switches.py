"""Rules of `lunagpt.chat.grounding` that can be switched off one at a time, and who has used one.

A rule is a function or a pattern of a module. Switched off, a function gives what it gives where the rule has
nothing to say, and a pattern never matches. Watched, it works as ever and notes when it says something else:
where no rule speaks up, switching it off cannot change the answer.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

PACKAGE = "lunagpt.chat"
_NEVER = re.compile(r"(?!)")


@dataclass(frozen=True)
class Rule:
    """Something that can be switched off.

    Attributes:
        step: the step of the way of a question that it belongs to, as the results page calls it.
        name: what it does, as the results page calls it.
        place: "module.name" or "module.Class.property" below `lunagpt.chat.grounding`.
        off: a function's result without the rule, given the same arguments; patterns have none.
    """

    step: str
    name: str
    place: str
    off: Callable[..., Any] | None = None


@contextmanager
def switched_off(rule: Rule) -> Iterator[None]:
    """Without a rule."""
    with _replaced(rule, lambda original: _NEVER if rule.off is None else _like(original, rule.off)):
        yield


@contextmanager
def watched(rules: list[Rule], note: Callable[[Rule], None]) -> Iterator[None]:
    """With all rules at work; `note` hears of one whenever it says something."""
    if not rules:
        yield
        return
    first, *rest = rules
    with _replaced(first, lambda original: _watch(original, first, note)), watched(rest, note):
        yield


@contextmanager
def _replaced(rule: Rule, change: Callable[[Any], Any]) -> Iterator[None]:
    """Puts something in the place of a rule: wherever the package has imported it; only in the module that
    the rule names, if that one has it from another."""
    module_name, *owners, name = rule.place.split(".")
    module = importlib.import_module(f"{PACKAGE}.grounding.{module_name}")
    if owners:
        holders: list[Any] = [getattr(module, owners[0])]
        original = vars(holders[0])[name]
    else:
        original = vars(module)[name]
        holders = [module]
        if getattr(original, "__module__", module.__name__) == module.__name__:
            loaded = [m for key, m in sys.modules.items() if key.startswith(PACKAGE)]
            holders = [m for m in loaded if vars(m).get(name) is original]
    new = change(original)
    for holder in holders:
        setattr(holder, name, new)
    try:
        yield
    finally:
        for holder in holders:
            setattr(holder, name, original)


def _like(original: Any, function: Callable[..., Any]) -> Any:
    return property(function) if isinstance(original, property) else function


def _watch(original: Any, rule: Rule, note: Callable[[Rule], None]) -> Any:
    if isinstance(original, re.Pattern):
        return _WatchedPattern(original, lambda: note(rule))
    function = original.fget if isinstance(original, property) else original
    off = rule.off
    assert off is not None

    def call(*args: Any, **named: Any) -> Any:
        result = function(*args, **named)
        if isinstance(result, Iterator):
            result = list(result)
        if result != off(*args, **named):
            note(rule)
        return result

    return _like(original, call)


class _WatchedPattern:
    """A pattern that tells when it has matched."""

    def __init__(self, pattern: re.Pattern[str], note: Callable[[], None]) -> None:
        self._pattern, self._note = pattern, note

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._pattern, name)
        if not callable(value):
            return value

        def call(*args: Any, **named: Any) -> Any:
            result = value(*args, **named)
            if isinstance(result, Iterator):
                result = list(result)
            if result if name != "sub" else result != args[1]:
                self._note()
            return result

        return call


def gives(value: Any) -> Callable[..., Any]:
    """A function that gives the same whatever it is asked."""
    return lambda *_, **__: value


RULES: tuple[Rule, ...] = (
    # Is it to be looked up at all?
    *(
        Rule("conversa ou pergunta", name, f"router.{place}")
        for name, place in (
            ("cumprimentos", "_GREETING"),
            ("sobre a Luna", "_ABOUT_LUNA"),
            ("tarefas", "_TASK"),
            ("sentimentos", "_FEELINGS"),
            ("perigo", "_HARM"),
            ("aqui e agora", "_HERE_AND_NOW"),
            ("contas", "_CALCULATION"),
            ("“está” não é “esta”", "_IS"),
            ("escolha entre dois", "_CHOICE"),
            ("“me fale de…”", "_ASKS_ABOUT"),
            ("cumprimento antes da pergunta", "_SOCIAL_OPENERS"),
            ("pergunta no fim da frase", "_FACT_LAST"),
            ("contas, sem fonte", "_SUM"),
        )
    ),
    Rule("conversa ou pergunta", "o que a pessoa contou", "router._was_told", gives(False)),
    Rule("conversa ou pergunta", "“você” que é qualquer um", "router._mentions_only", gives(False)),
    Rule("conversa ou pergunta", "palavras soltas que contam", "router._has_verb_of_telling", gives(False)),
    # A follow-up in full.
    Rule("continuação", "toda a reescrita", "follow_up.rewrite_follow_up", lambda question, _: question),
    Rule("continuação", "pronomes", "pronouns.has_pronoun", gives(False)),
    Rule("continuação", "possessivos", "pronouns._POSSESSIVE"),
    Rule("continuação", "“quem o pintou”", "pronouns._OBJECT"),
    Rule("continuação", "troca de uma parte", "ellipsis.replace_part", lambda base, part: f"{part}, {base}"),
    Rule("continuação", "troca do oposto", "ellipsis.exclude", gives(False)),
    Rule("continuação", "troca do mesmo tipo de valor", "ellipsis._same_fact", gives(None)),
    Rule("continuação", "“E a população?”", "follow_up._asks_attribute", gives(False)),
    Rule("continuação", "“a cidade” pelo nome dela", "follow_up._BY_ITS_KIND"),
    Rule("continuação", "“por quê?”", "follow_up._BARE_WHY"),
    Rule("continuação", "“sobre o que é?”", "follow_up._ABOUT_WHAT"),
    Rule("continuação", "só a palavra de pergunta", "follow_up._is_bare", gives(False)),
    Rule("continuação", "pergunta sem sujeito", "follow_up._lacks_subject", gives(False)),
    Rule("continuação", "só preposição e nome", "follow_up._is_fragment", gives(False)),
    Rule("continuação", "“quais” antes de vários", "follow_up._SINGULAR_ASKED"),
    Rule("continuação", "eles: o que se contou", "topic.counted", gives("")),
    Rule("continuação", "nome com artigo e tipo", "topic._named_in_full", lambda _, name: name.text),
    Rule("continuação", "obra e não autor", "topic._MADE"),
    Rule("continuação", "“o maior…” por inteiro", "topic._SUPERLATIVE"),
    # Passages cut into sentences.
    Rule("frases", "títulos numerados", "units._is_numbered_heading", gives(False)),
    Rule("frases", "“Não.” com o que segue", "units._BARE_ANSWER"),
    Rule("frases", "frases muito longas", "units._pieces", lambda _, start, end: [(start, end)]),
    # What the words tell.
    Rule("palavras", "palavras parentes", "synonyms.related", gives(False)),
    Rule("palavras", "nova busca com parentes", "synonyms.other_words", gives([])),
    Rule("palavras", "lista de perguntas", "ranking._answers_question_before", gives(0.0)),
    Rule("palavras", "frase que apresenta", "ranking._introduces", gives(False)),
    Rule("palavras", "tipo de resposta", "ranking._fit_of_kind", gives({})),
    Rule("palavras", "quem faz, sem nome próprio", "ranking.names_agent", gives(False)),
    Rule("palavras", "relevância da busca", "extractive._priors", lambda found: [0.0] * len(found)),
    # Sentences that cannot answer.
    Rule("frases de fora", "sem o nascimento ou a morte", "ranking.lacks_event", gives(False)),
    Rule("frases de fora", "só compara", "contradictions.only_compares", gives(False)),
    Rule("frases de fora", "outro ano", "contradictions._tells_another_year", gives(False)),
    Rule("frases de fora", "o oposto", "contradictions._tells_the_opposite", gives(False)),
    Rule("frases de fora", "outro da espécie", "contradictions._tells_of_another", gives(False)),
    Rule("frases de fora", "uma parte", "contradictions._tells_of_a_part", gives(False)),
    Rule("frases de fora", "sem a relação", "relations.Relation.is_decisive", gives(False)),
    # Sentences that answer for certain.
    Rule("frases certas", "datas entre parênteses", "life_spans.date_in", gives(None)),
    Rule("frases certas", "todas as relações", "relations.relation_asked", gives(None)),
    Rule("frases certas", "relação enunciada", "extractive._best_stated", gives(None)),
    Rule("frases certas", "nascimento de outro", "life_spans.is_of_another", gives(False)),
    Rule("frases certas", "medidas", "measures.measure_asked", gives(None)),
    Rule("frases certas", "a mesma pergunta antes", "relations._is_asked_before", gives(False)),
    Rule("frases certas", "pergunta sobre outro antes", "relations._answers_for_another", gives(False)),
    Rule("frases certas", "regra ou agente do assunto", "plain_answers._tells_matter", gives(False)),
    Rule("frases certas", "só o que permite ou proíbe", "plain_answers._gives_rule", gives(True)),
    Rule("frases certas", "verbete e valor", "plain_answers._gives_entry", gives(False)),
    # What is shown.
    Rule("o que se mostra", "lista depois de “:”", "extractive._extent", lambda u, _: (u.start, u.end)),
    Rule("o que se mostra", "palavras: o fato mais perto", "spans._nearest_fact", gives(None)),
    Rule("o que se mostra", "“Nasceu em…” antes da frase", "extractive._lead", gives("")),
)  # fmt: skip
