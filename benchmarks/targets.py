"""The table of targets: what luna-mini is to reach, what each model reaches, and what is missing.

    python benchmarks/targets.py MODELO... --data-root PASTA [--limit 100] [--peer-limit 20]

MODELO is what `luna evaluate` takes (a folder, a name, a .gguf file), the word aleatorio (random weights in
the shape of the preset after a colon: aleatorio:mini), or a file of stored results (.json), which is only
read. The first is the one that is held against the targets; put the untuned model and the peers after it. The
quotation without a model and the answer that is always the same stand beside them.

Every result is stored as soon as it is there, in a folder beside the page (`results/alvos/`) in the form of
`luna evaluate --json`, and taken up in the next run where weights, prompts and data are the same (also from
`results/avaliacao/`): what was interrupted goes on where it was. Evaluation sets are read, never tuned on.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from lunagpt.commands.evaluation_models import distinct_names, file_stem, is_stored, meant
from lunagpt.commands.opening import set_threads
from lunagpt.errors import EvaluationError
from lunagpt.evaluation import open_language_model
from lunagpt.evaluation.language_models import LanguageModel
from lunagpt.evaluation.results import Evaluation, Result, load_evaluation, save_evaluation
from lunagpt.files import atomic_write_text
from lunagpt.reporting.markdown import escaped, table
from lunagpt.reporting.numbers import number
from machine import describe_machine
from target_measures import ALONE, BEHAVIOURS, CHECKED, Measurement, Quotation, measurements

RESULTS = Path(__file__).parent / "results"
OTHER_STORES = (RESULTS / "avaliacao",)


@dataclass(frozen=True)
class Target:
    """A line of the table.

    Attributes:
        name, metric: of the results, see `Result`.
        level: what is to be reached; None: only reported.
        must: a condition for shipping, and not an aim.
        constant: what an answer that is always the same reaches, where the result does not say it.
    """

    title: str
    name: str
    metric: str
    level: float | None = None
    must: bool = False
    constant: float | None = None

    @property
    def lower_is_better(self) -> bool:
        return self.metric == "bits_per_byte"


# The levels of bits per byte, cloze and proverbs are what Gemma 3 270M (Q4_K_M) reached when the targets were
# set; its own column tells what it reaches in this run. A model that knows nothing needs 8 bits for a byte.
TARGETS = [
    Target("bits por byte, discursos", "texto/speech", "bits_per_byte", 1.08, True, 8.0),
    Target("bits por byte, literatura", "texto/literature", "bits_per_byte", 1.38, True, 8.0),
    Target("bits por byte, documentação", "texto/docs", "bits_per_byte", 0.90, False, 8.0),
    Target("bits por byte, enciclopédia", "texto/encyclopedia", "bits_per_byte", 1.20, False, 8.0),
    Target("bits por byte, leis", "texto/law", "bits_per_byte", 1.12, False, 8.0),
    Target("bits por byte, frases", "texto/sentences", "bits_per_byte", 1.44, False, 8.0),
    Target("frases certas e erradas", "pares_minimos_pt", "accuracy", 0.92, True),
    Target("palavra que falta", "cloze_reap", "accuracy", 0.78),
    Target("fim do provérbio", "proverbios", "accuracy", 0.42),
    Target("Winograd", "winograd_pt", "accuracy"),
    Target("Show do Milhão", "show_do_milhao", "accuracy"),
    Target("SQuAD, na conversa: F1", f"squad_pt_dev, {CHECKED}", "f1", 0.60, True, 0.0),
    Target("SQuAD, na conversa: exatas", f"squad_pt_dev, {CHECKED}", "exact_match", None, False, 0.0),
    Target("SQuAD, na conversa: recusa", f"squad_pt_dev, {CHECKED}", "refused", 0.80, True, 1.0),
    Target("SQuAD, só o modelo: F1", f"squad_pt_dev, {ALONE}", "f1", None, False, 0.0),
    Target("SQuAD, só o modelo: exatas", f"squad_pt_dev, {ALONE}", "exact_match", None, False, 0.0),
    Target("SQuAD, só o modelo: recusa", f"squad_pt_dev, {ALONE}", "refused", None, False, 1.0),
    Target("FaQuAD, na conversa: F1", f"faquad_dev, {CHECKED}", "f1", None, False, 0.0),
    Target("FaQuAD, só o modelo: F1", f"faquad_dev, {ALONE}", "f1", None, False, 0.0),
    Target("documentos, na conversa: F1", f"documentos, {CHECKED}", "f1", 0.60, True, 0.0),
    Target("documentos, na conversa: recusa", f"documentos, {CHECKED}", "refused", 0.80, True, 1.0),
    Target("documentos, na conversa: citação certa", f"documentos, {CHECKED}", "cited", 0.95, True),
    Target("documentos, só o modelo: F1", f"documentos, {ALONE}", "f1", None, False, 0.0),
    Target("diálogos com roteiro", BEHAVIOURS, "accuracy", 0.85, True),
]


class Column:
    """A model with what is known of it.

    Args:
        given: what the command line says, or a model.
        name: for the table.
        store: the folder for its results.

    Attributes:
        found: its results.
    """

    def __init__(self, given: str | LanguageModel, name: str, store: Path) -> None:
        self.name = name
        self.model: LanguageModel | None = None
        if isinstance(given, str) and is_stored(given):
            self.found = load_evaluation(given).results
            return
        self.model = open_language_model(meant(given) if isinstance(given, str) else given, name)
        mark = _mark(self.model)
        self._path = store / f"{file_stem(name)}.json"
        self._record = Evaluation({}, created=datetime.now(UTC).isoformat(timespec="seconds"))
        if self._path.exists():
            kept = load_evaluation(self._path)
            if kept.model.get("weights") == mark:
                self._record = kept
        facts = self.model.describe()
        self._record.model = {"name": self.name, "kind": self.model.kind, **facts, "weights": mark}
        self.found = [*self._record.results, *_from_elsewhere(facts.get("sha256"))]

    def complete(self, wanted: Sequence[Measurement], limit: int | None, peer_limit: int | None) -> None:
        """Measures what is not known yet, and stores it."""
        model = self.model
        if model is None:
            return
        at_most = limit if model.kind in ("luna", Quotation.kind) else peer_limit
        for measurement in wanted:
            known = any(measurement.serves(result, at_most) for result in self.found)
            if known or model.kind not in measurement.kinds:
                continue
            started = time.process_time()
            results = measurement.run(model, at_most)
            self._record.results = [r for r in self._record.results if r.task != measurement.name] + results
            save_evaluation(self._record, self._path)
            self.found = [r for r in self.found if r.task != measurement.name] + results
            seconds = time.process_time() - started
            print(f"{self.name}: {measurement.name}, {seconds:.0f} s de CPU", file=sys.stderr, flush=True)

    def of(self, target: Target) -> Result | None:
        """The result on a line, the one on most items."""
        fitting = [r for r in self.found if (r.task, r.metric) == (target.name, target.metric)]
        return max(fitting, key=lambda result: result.n, default=None)


def _mark(model: LanguageModel) -> str:
    """What tells the weights of a model from all others."""
    mark = model.describe().get("sha256")
    if mark is None and model.kind == "luna":  # random weights are nowhere on disk
        table = model.model.embedding.weight  # type: ignore[attr-defined]
        mark = hashlib.sha256(table.detach().numpy().tobytes()).hexdigest()
    if mark is None:
        raise EvaluationError(f'Não sei distinguir os pesos de "{model.name}" dos de outro modelo.')
    return str(mark)


def _from_elsewhere(sha256: str | None) -> list[Result]:
    """Results of the same weights among those of `luna evaluate`."""
    if sha256 is None:
        return []
    stored = [load_evaluation(path) for store in OTHER_STORES for path in sorted(store.glob("*.json"))]
    return [r for record in stored if record.model.get("sha256") == sha256 for r in record.results]


def page(columns: Sequence[Column], quotation: Sequence[Result], command: str) -> str:
    """The table in Markdown, and in words what the first model misses."""
    headers = [
        "medida",
        "alvo",
        *(escaped(c.name) for c in columns),
        "só a citação",
        "resposta fixa",
        "falta",
    ]
    rows = []
    missed: list[str] = []
    for target in TARGETS:
        results = [column.of(target) for column in columns]
        quoted = [r for r in quotation if (r.task, r.metric) == (target.name, target.metric)]
        told = next((r.constant for r in results if r is not None and r.constant is not None), None)
        constant = target.constant if told is None else told
        gap = missing(target, results[0])
        if target.level is not None and gap != "cumpre":
            missed.append(f"{target.title} ({gap})")
        rows.append(
            [
                target.title,
                _level(target),
                *(_cell(target, result) for result in results),
                _cell(target, quoted[0] if quoted else None),
                "–" if constant is None else _shown(target, constant),
                gap,
            ]
        )
    held = sum(target.level is not None for target in TARGETS)
    lines = [
        "# Alvos da luna-mini",
        "",
        f"`{command}`, {date.today().isoformat()}; {describe_machine()}.",
        "",
        "Ao lado de cada valor, metade do intervalo de 95 % e o número de itens. **Alvo em negrito**: "
        "condição para distribuir; os outros são o que se quer alcançar. *na conversa*: o modelo responde "
        "pelos trechos, e vale a resposta se passa na conferência, senão a citação, senão a recusa; *só o "
        "modelo*: o que ele diz, ou, num modelo que só continua textos, o que escreve depois de um exemplo; "
        "*só a citação*: o que o LunaGPT responde com um modelo que não lê bem trechos, como a luna-nano. "
        "F1 e exatas são das perguntas que têm resposta no texto; recusa, das que não têm. –: não medido.",
        "",
        table(headers, rows, right=range(2, len(headers) - 1)),
        "",
        f"{escaped(columns[0].name)} cumpre {held - len(missed)} de {held} alvos."
        + (f" Não cumpre: {'; '.join(missed)}." if missed else ""),
    ]
    return "\n".join(lines) + "\n"


def missing(target: Target, result: Result | None) -> str:
    """By how much a result misses its target."""
    if target.level is None:
        return ""
    if result is None:
        return "não medido"
    short = result.value - target.level if target.lower_is_better else target.level - result.value
    reached = short < 0 if target.lower_is_better else short <= 0
    return "cumpre" if reached else f"faltam {_shown(target, short)}"


def _level(target: Target) -> str:
    if target.level is None:
        return ""
    text = f"{'<' if target.lower_is_better else '≥'} {_shown(target, target.level)}"
    return f"**{text}**" if target.must else text


def _cell(target: Target, result: Result | None) -> str:
    if result is None:
        return "–"
    half = (result.high - result.low) / 2
    return f"{_shown(target, result.value)} ±{_shown(target, half)} ({result.n})"


def _shown(target: Target, value: float) -> str:
    return number(value) if target.lower_is_better else number(100 * value, 1)


def main(arguments: Sequence[str] | None = None) -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("models", nargs="+", metavar="MODELO")
    options.add_argument("--data-root", type=Path, required=True)
    options.add_argument("--limit", type=int, help="itens de cada medida; sem ela, todos")
    options.add_argument("--peer-limit", type=int, help="o mesmo para os modelos que não são Lunas")
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--output", type=Path, default=RESULTS / "alvos.md")
    args = options.parse_args(arguments)
    set_threads(args.threads)
    with tempfile.TemporaryDirectory() as scratch:
        wanted = measurements(args.data_root, Path(scratch))
        store = args.output.with_suffix("")
        columns = []
        for given, name in zip(args.models, distinct_names(args.models), strict=True):
            column = Column(given, name, store)
            column.complete(wanted, args.limit, args.peer_limit or args.limit)
            columns.append(column)
        quotation = Column(Quotation(), Quotation.name, store)
        quotation.complete(wanted, args.limit, None)
    limits = "" if args.limit is None else f" --limit {args.limit}"
    limits += "" if args.peer_limit is None else f" --peer-limit {args.peer_limit}"
    names = " ".join(Path(model).name for model in args.models)
    text = page(columns, quotation.found, f"python benchmarks/targets.py {names} --data-root PASTA{limits}")
    atomic_write_text(args.output, text)
    print(text)


if __name__ == "__main__":
    main()
