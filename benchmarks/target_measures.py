"""What is measured of a model for the table of targets, each thing once for each set of weights.

A `Measurement` says what decides its results (prompts, data, sample), so that stored ones can be taken up;
how it measures is the evaluation's own code and that of `grounded.py`.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from grounded import (
    Item,
    Reply,
    System,
    comprehension,
    extractive,
    model_alone,
    own_documents,
    plain_reply,
    sampled,
    score,
    whole_chain,
)
from lunagpt.chat.grounding.check import is_refusal
from lunagpt.data.readers import ReadReport, read_rows
from lunagpt.engines import LunaEngine
from lunagpt.evaluation.behaviours import run_behaviours
from lunagpt.evaluation.evaluation_data import DataFile
from lunagpt.evaluation.evaluator import Planned, measure
from lunagpt.evaluation.language_models import LanguageModel, PartialModel
from lunagpt.evaluation.results import Result, interval_of, recompute
from lunagpt.evaluation.task import Task, select_tasks, shipped_tasks
from lunagpt.files import atomic_write_text, sha256_file
from lunagpt.generation import SamplingParams
from lunagpt.reading import load_reader

TASKS = ("pares_minimos_pt", "cloze_reap", "proverbios", "winograd_pt", "show_do_milhao")
MODELS = frozenset({"luna", "gguf", "transformers"})
ALONE, CHECKED = "só o modelo", "com conferência"
BEHAVIOURS = "comportamentos"
CHARACTERS = 2_000  # of a piece of held-out text: else a single book would be all of the literature
_ANSWER = SamplingParams(temperature=0.0, max_new_tokens=60)
_SEED = 0


@dataclass(frozen=True)
class Measurement:
    """Something to measure.

    Attributes:
        name: under which its results are stored.
        prompt_hash, data_sha256: of what a model is shown, and of the data.
        run: the model and the number of items (None: all) -> results.
        kinds: of the models that can be measured so; see `LanguageModel.kind`.
    """

    name: str
    prompt_hash: str
    data_sha256: str
    run: Callable[[LanguageModel, int | None], list[Result]]
    kinds: frozenset[str]

    def serves(self, result: Result, limit: int | None) -> bool:
        """Whether a stored result is of this measurement, on at least so many items."""
        same = (result.task, result.prompt_hash, result.data_sha256)
        enough = result.limit is None or (limit is not None and result.limit >= limit)
        return same == (self.name, self.prompt_hash, self.data_sha256) and enough


def measurements(data: Path, scratch: Path) -> list[Measurement]:
    """Everything, in the order of cost.

    Args:
        data: the folder that has `pretrain/`, `eval/` and `luna/`. scratch: a folder for texts cut to length.
    """
    return [*_tasks(data), *_texts(data, scratch), *_answers(data), _behaviours()]


class Quotation(PartialModel):
    """The answer that needs no language model: the sentence found, quoted, or the refusal."""

    name = "citacao"
    kind = "quotation"

    def describe(self) -> dict[str, Any]:
        return {"sha256": _chain_hash()}


def _tasks(data: Path) -> list[Measurement]:
    made = []
    for task in select_tasks(list(TASKS), shipped_tasks()):
        file = DataFile(str(task.file), data / "eval" / f"{task.file}.jsonl.gz")
        made.append(_of_task(task, file))
    return made


def _texts(data: Path, scratch: Path) -> list[Measurement]:
    """Held-out text, a task for each domain."""
    domains: dict[str, list[str]] = defaultdict(list)
    for path in sorted((data / "pretrain").glob("valid-*.parquet")):
        for _, row in read_rows(path, ReadReport()):
            text = str(row["text"])
            pieces = [text[start : start + CHARACTERS] for start in range(0, len(text), CHARACTERS)]
            domains[str(row["domain"])] += [piece for piece in pieces if piece.strip()]
    general = next(task for task in shipped_tasks() if task.method == "text")
    made = []
    for domain, texts in sorted(domains.items()):
        path = scratch / f"{domain}.jsonl"
        lines = [json.dumps({"id": str(i), "text": text}) for i, text in enumerate(texts)]
        atomic_write_text(path, "\n".join(lines) + "\n")
        made.append(_of_task(general.for_file(f"texto/{domain}"), DataFile(domain, path)))
    return made


def _of_task(task: Task, file: DataFile) -> Measurement:
    def run(model: LanguageModel, limit: int | None) -> list[Result]:
        return measure(model, Planned(task, file, limit), _SEED, lambda done, total: None)

    return Measurement(task.name, task.prompt_hash, file.sha256, run, MODELS)


def _question_sets(data: Path) -> dict[str, tuple[Path, list[Item]]]:
    made: dict[str, tuple[Path, list[Item]]] = {}
    for name in ("squad_pt_dev", "faquad_dev"):
        path = data / "eval" / f"{name}.jsonl.gz"
        made[name] = path, comprehension(path)
    path = data / "luna" / "documentos.jsonl"
    made["documentos"] = path, own_documents(path)
    return made


def _answers(data: Path) -> list[Measurement]:
    """Each set of questions, to a Luna alone and in the whole chain, to another model after one example."""
    made = []
    for name, (path, items) in _question_sets(data).items():
        sha = sha256_file(path)
        for way in (ALONE, CHECKED):
            made.append(_of_questions(f"{name}, {way}", way, items, sha))
    return made


def _of_questions(title: str, way: str, items: list[Item], sha: str) -> Measurement:
    told = f"{title} {_ANSWER} {_instruction()}" + (_chain_hash() if way == CHECKED else "")
    prompt_hash = hashlib.sha256(told.encode()).hexdigest()[:12]

    def run(model: LanguageModel, limit: int | None) -> list[Result]:
        chosen = _chosen(items, limit)
        if model.kind == Quotation.kind:
            system = extractive(reader=load_reader())
            if title.startswith("documentos"):
                system = whole_sentences(system)
        elif model.kind == "luna":
            engine = LunaEngine(model.model)  # type: ignore[attr-defined]
            system = (model_alone if way == ALONE else whole_chain)(engine, _ANSWER)
        else:
            taken = {id(item) for item in chosen}
            rest = [item for item in items if item.answers and id(item) not in taken]
            system = one_shot(model, (rest or items)[0])
        return _scored(title, system, chosen, prompt_hash, sha, limit)

    kinds = MODELS if way == ALONE else frozenset({"luna", Quotation.kind})
    return Measurement(title, prompt_hash, sha, run, kinds)


def whole_sentences(system: System) -> System:
    """A system whose whole sentence is compared with the reference, which is one too."""

    def answer(item: Item) -> Reply:
        reply = system(item)
        return replace(reply, words=reply.sentence)

    return answer


def one_shot(model: LanguageModel, example: Item) -> System:
    """A model that only continues texts: the instruction, one answered question, and the question."""
    shown = f"{_instruction()}\n\n{_written(example)} {example.answers[0]}\n\n"

    def answer(item: Item) -> Reply:
        text = model.generate([shown + _written(item)], max_new_tokens=48, stop=["\n"])[0].strip()
        return plain_reply(text, (), refused=not text or is_refusal(text))

    return answer


def _chain_hash() -> str:
    """Of the code and the weights that check, quote and refuse: the answers are theirs too."""
    package = Path(str(resources.files("lunagpt")))
    files = [
        path
        for folder in ("chat", "reading", "assets/grounding", "assets/reader")
        for path in sorted((package / folder).rglob("*"))
        if path.is_file() and path.suffix in (".py", ".json", ".safetensors")
    ]
    return hashlib.sha256("".join(map(sha256_file, files)).encode()).hexdigest()


def _instruction() -> str:
    return select_tasks(["squad_pt_dev"], shipped_tasks())[0].system


def _written(item: Item) -> str:
    passages = "\n".join(passage["content"] for passage in item.passages)
    return f"Texto: {passages}\nPergunta: {item.question}\nResposta:"


def _chosen(items: list[Item], limit: int | None) -> list[Item]:
    return items if limit is None else sampled(items, limit, _SEED)


def _scored(
    name: str, system: System, items: Sequence[Item], prompt_hash: str, sha: str, limit: int | None
) -> list[Result]:
    scores = score(system, items)
    by_metric = {"f1": scores.f1, "exact_match": scores.em, "refused": scores.refused, "cited": scores.cited}
    return [
        _result(name, metric, values, prompt_hash, sha, limit, scores.seconds)
        for metric, values in by_metric.items()
        if values
    ]


def _behaviours() -> Measurement:
    folder = Path(str(resources.files("lunagpt.evaluation") / "behaviours"))
    parts = [sha256_file(path) for path in sorted(folder.glob("*.yaml"))]
    sha = hashlib.sha256(" ".join(parts).encode()).hexdigest()

    def run(model: LanguageModel, limit: int | None) -> list[Result]:
        report = run_behaviours(LunaEngine(model.model), limit=limit, seed=_SEED)  # type: ignore[attr-defined]
        passed = [float(transcript.passed) for transcript in report.transcripts]
        result = _result(BEHAVIOURS, "accuracy", passed, "", sha, limit, report.seconds)
        return [replace(result, constant=report.overall.trivial)]

    return Measurement(BEHAVIOURS, "", sha, run, frozenset({"luna"}))


def _result(
    name: str, metric: str, values: list[float], prompt_hash: str, sha: str, limit: int | None, seconds: float
) -> Result:
    n = len(values)
    blank = [""] * n
    result = Result(
        task=name,
        title=name,
        metric=metric,
        value=0.0,
        low=0.0,
        high=0.0,
        n=n,
        chance=None,
        constant=None,
        prompt_hash=prompt_hash,
        per_item=values,
        item_ids=[str(i) for i in range(n)],
        expected=blank,
        predictions=blank,
        limit=limit,
        seconds=seconds,
        data_sha256=sha,
    )
    low, high = interval_of(result, _SEED)
    return replace(result, value=recompute(result, np.arange(n)), low=low, high=high)
