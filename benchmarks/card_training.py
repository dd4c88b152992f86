"""What a card says of the training, from the folders of its runs: `run.json`, `log.jsonl`, `config.yaml`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from lunagpt.errors import DataError
from lunagpt.reporting.numbers import decimal, in_words, number
from lunagpt.training.journal import FILE as JOURNAL
from lunagpt.training.journal import read_journal
from lunagpt.training.recipe import read_recipe
from lunagpt.training.run_record import RunRecord, read_record

RECIPES = Path(__file__).parents[1] / "configs" / "treino"


def training(runs: Sequence[Path]) -> str:
    """A line for each run."""
    lines = [
        "| etapa | passos | tokens | tempo | onde | perda de treino, início → fim |",
        "|---|---:|---:|---:|---|---:|",
    ]
    for run in runs_given(runs):
        record = record_of(run)
        losses = [row["loss"] for row in read_journal(run / JOURNAL) if row["kind"] == "train"]
        lines.append(
            f"| `configs/treino/{record.recipe}.yaml` | {number(record.steps, 0)} "
            f"| {number(record.tokens, 0)} | {_duration(record.seconds)} | {record.device} "
            f"| {number(losses[0])} → {number(losses[-1])} |"
        )
    return "\n".join(lines)


def total(runs: Sequence[Path]) -> str:
    """Tokens and time of all runs, in words."""
    records = [record_of(run) for run in runs_given(runs)]
    tokens = in_words(sum(record.tokens for record in records), "tokens")
    places = " e ".join(dict.fromkeys(record.device for record in records))
    return f"{tokens} em {_duration(sum(record.seconds for record in records))} ({places})"


def curves(runs: Sequence[Path]) -> str:
    """The pictures of the runs, which lie beside the card."""
    return "\n\n".join(f"![Curvas de {run.name}](curvas-{run.name}.png)" for run in runs_given(runs))


def sources(runs: Sequence[Path]) -> str:
    """What was read, in tokens of all runs: a line for each file or group of files, the largest first."""
    tokens: dict[str, float] = defaultdict(float)
    for run in runs_given(runs):
        record = record_of(run)
        recipe = read_recipe(RECIPES / f"{record.recipe}.yaml")
        weights = [float(source["weight"]) for source in recipe.sources]
        for source, weight in zip(recipe.sources, weights, strict=True):
            paths = source["path"] if isinstance(source["path"], list) else [source["path"]]
            tokens[", ".join(paths)] += record.tokens * weight / sum(weights)
    whole = sum(tokens.values())
    lines = ["| dados | tokens lidos | parte |", "|---|---:|---:|"]
    for path, count in sorted(tokens.items(), key=lambda entry: -entry[1]):
        lines.append(f"| `{path}` | {in_words(round(count))} | {number(100 * count / whole, 1)} % |")
    return "\n".join(lines)


def runs_given(runs: Sequence[Path]) -> Sequence[Path]:
    """The runs.

    Raises:
        DataError: there are none.
    """
    if not runs:
        raise DataError("O modelo do cartão fala do treino: diga as pastas dos treinos com --runs.")
    return runs


def record_of(run: Path) -> RunRecord:
    """The record of a finished run.

    Raises:
        DataError: it has none, or has not come to its end.
    """
    record = read_record(run)
    if record is None or record.model is None:
        raise DataError(f"Não há treino terminado em “{run}” (o run.json dele diz o modelo que gravou).")
    return record


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{decimal(seconds / 3600, 1)} h"
