"""Was a model trained on what it is measured on? Its card says what it read; a report says what is shared.

The card is the README.md of the model folder. Its YAML header lists the training files under `datasets`, as
cards on Hugging Face do. A model without such a list is not called clean: nothing is known about it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lunagpt.config.reading import parse_yaml
from lunagpt.errors import ConfigError
from lunagpt.evaluation.results import Contamination, Result, recompute

if TYPE_CHECKING:
    from lunagpt.evaluation.contamination_report import ContaminationReport
    from lunagpt.evaluation.evaluation_data import DataFile
    from lunagpt.evaluation.language_models import LanguageModel

CARD = "README.md"


@dataclass(frozen=True, slots=True)
class Provenance:
    """What is known about a model's training data.

    Attributes:
        sources: training files that its card names; None if it names none.
        report: shared text of training and evaluation files, or None if nobody looked.
    """

    sources: list[str] | None
    report: ContaminationReport | None

    @classmethod
    def of(cls, model: LanguageModel, report: ContaminationReport | None) -> Provenance:
        """What the card of a model says."""
        path = getattr(model, "path", None)
        return cls(None if path is None else training_sources(path), report)

    def checked(self, result: Result, file: DataFile) -> Result:
        """The result with its note on contamination."""
        if self.sources is None or self.report is None:
            return result
        overlap = self.report.task(file.stem)
        if overlap is None or not overlap.checked:
            return result
        found = self.report.overlapping(file.stem, self.sources)
        dirty = set(overlap.dirty_ids)
        clean = [i for i, name in enumerate(result.item_ids) if name not in dirty]
        if not found or len(clean) == result.n:
            return replace(result, checked=True)
        note = Contamination(
            sources=dict(found),
            dirty=result.n - len(clean),
            clean_value=recompute(result, clean) if clean else None,
        )
        return replace(result, checked=True, contamination=note)


def training_sources(folder: str | Path) -> list[str] | None:
    """The training files that the card in a model folder names; None if it names none."""
    path = Path(folder) / CARD
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    if not lines or lines[0].strip() != "---":
        return None
    end = next((i for i, line in enumerate(lines[1:], start=1) if line.strip() == "---"), None)
    if end is None:
        return None
    try:
        header = parse_yaml("\n".join(lines[1:end]))
    except ConfigError:  # a card of another project may hold anything
        return None
    datasets = header.get("datasets") if isinstance(header, dict) else None
    return [str(name) for name in datasets] if isinstance(datasets, list) and datasets else None
