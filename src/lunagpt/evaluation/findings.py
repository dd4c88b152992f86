"""What a comparison found, in Portuguese sentences: shared by the Markdown and the HTML report."""

from __future__ import annotations

import math

from lunagpt.evaluation.comparison import Comparison, Duel, TaskComparison, floor
from lunagpt.evaluation.results import Result
from lunagpt.reporting.numbers import count, number, p_value, percent, points
from lunagpt.reporting.wording import listing

_MOST_NAMED = 4  # tasks named in a sentence before it says how many more there are

METHOD = (
    "Cada valor vem com o intervalo de 95 % (bootstrap sobre os itens). Todas as diferenças são pareadas: "
    "os modelos respondem aos mesmos itens. Itens certos ou errados passam pelo teste exato de McNemar; as "
    "outras notas, pelo teste de permutação com troca de sinais; correlações e F1, por bootstrap pareado. As "
    "probabilidades são corrigidas pelo "
    "método de Holm sobre todas as tarefas, e uma diferença conta como demonstrada com p corrigido abaixo "
    "de 0,05. O intervalo é o de cada tarefa por si: pode deixar o zero de fora numa diferença que, entre "
    "tantas tarefas, ainda cabe no acaso."
)
CHANCE_NOTE = (
    "“Acaso” é o que se acerta chutando ou, se for mais, repetindo sempre a resposta mais comum. Um modelo "
    "só mostrou saber alguma coisa quando o intervalo inteiro passa desse nível."
)


def heading(comparison: Comparison) -> str:
    """Title of the report."""
    return f"Comparação: {listing([model.name for model in comparison.models])}"


def summary(comparison: Comparison) -> list[str]:
    """The result in a few sentences, the most important first."""
    if not comparison.tasks:
        return ["Não há nenhuma tarefa que todos os modelos tenham respondido: nada pôde ser comparado."]
    sentences = [duel_sentence(comparison, other) for other in range(1, len(comparison.models))]
    return [*sentences, chance_sentence(comparison)]


def duel_sentence(comparison: Comparison, other: int) -> str:
    """How a model does against the first one, told from the side of the one that wins more."""
    first, second = comparison.models[0].name, comparison.models[other].name
    found = comparison.findings(other)
    better, worse, untested = found["melhor"], found["pior"], found["sem teste"]
    total = len(comparison.tasks)
    if not better and not worse:
        if len(untested) == total:
            return f"Entre {first} e {second} nenhuma tarefa pôde ser testada."
        tested = total - len(untested)
        return (
            f"Entre {first} e {second} não há diferença demonstrada: "
            + (f"nas {tested} tarefas" if tested > 1 else "na única tarefa")
            + " ela cabe no acaso."
        )
    winner, loser = second, first
    if len(worse) > len(better):
        winner, loser, better, worse = first, second, worse, better
    sentence = f"{winner} é melhor que {loser} em {_out_of(len(better), total)}: {_named(better)}"
    sentence += f"; e pior em {len(worse)}: {_named(worse)}" if worse else ""
    ties = len(found["empate"])
    if ties:
        place = "na outra" if ties == 1 else f"nas outras {ties}"
        sentence += f"; {place} a diferença cabe no acaso"
    if untested:
        sentence += f"; {count(len(untested), 'tarefa não pôde', 'tarefas não puderam')} ser testada"
        sentence += "" if len(untested) == 1 else "s"
    return sentence + "."


def chance_sentence(comparison: Comparison) -> str:
    """In how many tasks each model has shown anything at all."""
    with_level = [task for task in comparison.tasks if task.results[0].verdict]
    if not with_level:
        return "Nenhuma destas tarefas tem um nível de acaso."
    parts = []
    for i, model in enumerate(comparison.models):
        above = [task for task in with_level if task.results[i].says_something]
        parts.append(f"{model.name}, {len(above)} ({_named(above)})" if above else f"{model.name}, nenhuma")
    among = "" if len(with_level) == len(comparison.tasks) else f", das {len(with_level)} que têm esse nível"
    return f"Tarefas acima do acaso{among}: {'; '.join(parts)}."


def hollow_wins(comparison: Comparison) -> list[str]:
    """Demonstrated differences between models that are both no better than chance."""
    sentences = []
    for other in range(1, len(comparison.models)):
        found = comparison.findings(other)
        odd = [
            task
            for task in (*found["melhor"], *found["pior"])
            if not (task.results[0].says_something or task.results[other].says_something)
        ]
        if odd:
            pair = f"{comparison.models[0].name} e {comparison.models[other].name}"
            sentences.append(
                f"Em {_named(odd)}, {pair} diferem, mas nenhum dos dois passa do acaso: "
                "a diferença mostra um viés, não um conhecimento."
            )
    return sentences


def write_value(result: Result, value: float) -> str:
    """A value of the result's metric."""
    return percent(value) if result.is_share else number(value, 3)


def write_difference(result: Result, value: float) -> str:
    """A difference of two values of the result's metric."""
    return points(value) if result.is_share else number(value, 3, signed=True)


def write_interval(result: Result, low: float, high: float) -> str:
    """An interval, e.g. "de 43,1 % a 47,0 %"."""
    if math.isnan(low) or math.isnan(high):
        return "sem intervalo"
    return f"de {write_value(result, low)} a {write_value(result, high)}"


def verdict_words(duel: Duel) -> str:
    """What a duel shows, in a few words."""
    if duel.test is None:
        return "sem teste: os itens ou o prompt não são os mesmos"
    words = {"melhor": "melhor", "pior": "pior", "empate": "cabe no acaso"}[duel.verdict]
    return f"{words} ({p_value(duel.adjusted_p)})"


def spoken(task: TaskComparison, names: list[str]) -> str:
    """The values of a task in words, for those who cannot see the chart."""
    parts = [
        f"{name} {write_value(m, m.value)}, intervalo {write_interval(m, m.low, m.high)}"
        for name, m in zip(names, task.results, strict=True)
    ]
    level = floor(task.results[0])
    if not math.isnan(level):
        parts.append(f"acaso {write_value(task.results[0], level)}")
    return "; ".join(parts)


def _out_of(part: int, total: int) -> str:
    if total == 1:
        return "1 tarefa, a única"
    return f"todas as {total} tarefas" if part == total else f"{part} das {total} tarefas"


def _named(tasks: list[TaskComparison]) -> str:
    titles = [task.title for task in tasks]
    if len(titles) <= _MOST_NAMED + 1:
        return listing(titles)
    return f"{', '.join(titles[:_MOST_NAMED])} e mais {len(titles) - _MOST_NAMED}"
