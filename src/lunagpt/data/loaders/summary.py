"""`LoadSummary`: what a folder gave, in Portuguese sentences: what was read, what was not, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from lunagpt.data.loaders.cleaning import clean_line
from lunagpt.data.loaders.loading import FileResult
from lunagpt.reporting.numbers import counted

_NAMES_SHOWN = 3
_FILES_SHOWN = 20
_NAME_CHARACTERS = 100


@dataclass
class LoadSummary:
    """Counts results as they come; `str()` tells them.

    Attributes:
        read, documents, characters: files that were read, and what they gave.
        problems: name and problem of every file that could not be read.
        notes: name and notice of files that were read, but not as it may seem.
        skipped: names of files that nobody tried to read, by reason.
    """

    read: int = 0
    documents: int = 0
    characters: int = 0
    problems: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    skipped: dict[str, list[str]] = field(default_factory=dict)
    kinds: Counter[str] = field(default_factory=Counter)

    @property
    def files(self) -> int:
        """Files seen."""
        return self.read + len(self.problems) + sum(map(len, self.skipped.values()))

    def add(self, result: FileResult) -> None:
        """Count a result."""
        name = shown_name(result.id)
        if result.skipped is not None:
            self.skipped.setdefault(result.skipped, []).append(name)
            return
        if result.problem is not None:
            self.problems.append((name, result.problem))
            return
        self.read += 1
        self.documents += len(result.documents)
        self.characters += sum(len(document.content) for document in result.documents)
        if result.documents:
            self.kinds[str(result.documents[0].metadata.get("file_type", ""))] += 1
        self.notes.extend((name, note) for note in result.notes)

    def __str__(self) -> str:
        lines = [self._headline()]
        if self.problems:
            count = counted(len(self.problems), "arquivo não pôde ser lido", "arquivos não puderam ser lidos")
            lines.append(f"\n{count}:")
            lines += _listed(self.problems)
        if self.notes:
            lines.append(f"\n{counted(len(self.notes), 'aviso', 'avisos')} sobre o que foi lido:")
            lines += _listed(self.notes)
        if self.skipped:
            total = sum(map(len, self.skipped.values()))
            lines.append(f"\n{counted(total, 'arquivo pulado', 'arquivos pulados')}:")
            for reason, names in sorted(self.skipped.items(), key=lambda item: (-len(item[1]), item[0])):
                shown = ", ".join(names[:_NAMES_SHOWN])
                more = len(names) - _NAMES_SHOWN
                rest = f" e mais {more}" if more > 0 else ""
                lines.append(f"  {reason}: {shown}{rest}")
        return "\n".join(lines)

    def _headline(self) -> str:
        if not self.files:
            return "Não há arquivos nesta pasta."
        read = counted(self.read, "arquivo lido", "arquivos lidos")
        if not self.read:
            return "Nenhum arquivo foi lido."
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.kinds.items()))
        documents = counted(self.documents, "documento", "documentos")
        characters = counted(self.characters, "caractere", "caracteres")
        return f"{read} ({kinds}): {documents}, {characters}."


def shown_name(name: str) -> str:
    """A file name that is safe to print: no control characters or tricks with the direction of the text."""
    name = clean_line(name) or "(nome sem letras)"
    return name if len(name) <= _NAME_CHARACTERS else f"…{name[-_NAME_CHARACTERS:]}"


def _listed(items: list[tuple[str, str]]) -> list[str]:
    lines = [f"  {name}: {text}" for name, text in items[:_FILES_SHOWN]]
    more = len(items) - _FILES_SHOWN
    return [*lines, f"  e mais {more}"] if more > 0 else lines
