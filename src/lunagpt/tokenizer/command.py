"""``luna tokenizer train``: the training of a vocabulary as the command line offers it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lunagpt.reporting.numbers import in_bytes, number
from lunagpt.tokenizer.trainer import Recipe, WordTable, train_tokenizer

_STAGES = {
    "ler": "Lendo e contando palavras",
    "aprender": "Aprendendo o vocabulário",
    "gravar": "Gravando os arquivos",
}


@dataclass(frozen=True)
class Summary:
    """What ``luna tokenizer train`` made.

    Attributes:
        output: folder with the files.
        vocab_size: ids of the vocabulary, control tokens included.
        message: the result in Portuguese, one fact a line.
    """

    output: Path
    vocab_size: int
    message: str


def run_training(
    paths: Sequence[str | Path],
    vocab_size: int = 16_384,
    output: str | Path = "tokenizer",
    *,
    recipe: str | Path | None = None,
    held_out: Sequence[str | Path] = (),
    progress: Callable[[str], None] | None = None,
) -> Summary:
    """Trains a vocabulary on ``paths`` and writes its folder.

    Args:
        paths: files (``.txt``, ``.md``, ``.jsonl``, ``.parquet``) and folders.
        vocab_size: ids in all.
        output: folder to write.
        recipe: JSON file with the shares of the groups and of the morpheme stage; see
            :meth:`lunagpt.tokenizer.trainer.Recipe.from_file`.
        held_out: text files whose passages must not be learned.
        progress: receives lines in Portuguese such as ``"Lendo e contando palavras: 40%"``.

    Raises:
        LunaError: unreadable data or recipe, nothing to train on, a size that is too small, or a missing
            package.
    """

    def notify(stage: str, done: float) -> None:
        if progress is not None:
            progress(f"{_STAGES[stage]}: {done:.0%}")

    method = Recipe() if recipe is None else Recipe.from_file(recipe)
    table = WordTable.from_files(paths, held_out, notify)
    tokenizer = train_tokenizer(table, vocab_size, output, recipe=method, progress=notify)
    report = table.report
    lines = [
        f'Vocabulário de {number(tokenizer.vocab_size, 0)} tokens gravado em "{output}".',
        f"Textos lidos: {number(report.documents, 0)} ({in_bytes(sum(report.bytes_by_group.values()))}).",
    ]
    if held_out:
        lines.append(
            "Textos deixados de fora por repetirem trechos reservados: "
            f"{number(report.held_out_documents, 0)}."
        )
    if tokenizer.vocab_size < vocab_size:
        lines.append(
            f"O texto é pequeno demais para {number(vocab_size, 0)} tokens; use mais dados para um "
            "vocabulário maior."
        )
    return Summary(Path(output), tokenizer.vocab_size, "\n".join(lines))
