"""`luna evaluate --suite comportamentos`: plays the scripted dialogues, and asks a judge if there is one."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from lunagpt.commands import texts
from lunagpt.commands.evaluation_models import distinct_names, opened, output_file
from lunagpt.commands.progress import ProgressLine
from lunagpt.commands.usage import UsageProblem
from lunagpt.engines import LunaEngine
from lunagpt.evaluation.behaviours import run_behaviours
from lunagpt.evaluation.behaviours.judge import Judgement, OpenAIServer, judge_report
from lunagpt.evaluation.behaviours.report import BehaviourReport
from lunagpt.files import atomic_write_text
from lunagpt.model_folders import fingerprint, shipped_models
from lunagpt.reporting.numbers import number

#: Where the judge's key is looked for; it is no option, so that it does not stay in the shell's history.
KEYS = ("LUNA_JUDGE_API_KEY", "OPENAI_API_KEY")


def judge_server(address: str | None, model: str | None) -> OpenAIServer | None:
    """The judge that `--judge` and `--judge-model` name; None without them.

    Raises:
        UsageProblem: only one of the two was given.
        EvaluationError: the address is none.
    """
    if address is None and model is None:
        return None
    if address is None or model is None:
        raise UsageProblem(texts.EVALUATE_JUDGE_BOTH)
    key = next((os.environ[name] for name in KEYS if os.environ.get(name)), None)
    return OpenAIServer(address, model, api_key=key)


def evaluate_behaviours(
    models: Sequence[str],
    limit: int | None,
    seed: int,
    output: Path | None,
    threads: int | None,
    judge: OpenAIServer | None,
) -> int:
    """Plays the scripted dialogues of `lunagpt.evaluation.behaviours` with each model and prints the report.

    Raises:
        LunaError: a model cannot be used, or the judge cannot be reached; what was played until then is
            printed and written before.
    """
    for place, (name, model) in enumerate(zip(distinct_names(models), models, strict=True)):
        report = _played(model, name, limit, seed, threads)
        if place:
            print()
        print(report.to_text(), end="")
        path = None if output is None else output_file(output, name, many=len(models) > 1)
        _save(report, model, None, path)
        if judge is not None:
            judgement = _judged(report, judge, seed)
            print(judgement_text(judgement, judge.model))
            _save(report, model, judgement, path)
        if path is not None:
            print(texts.EVALUATE_SAVED.format(path=path))
    return 0


def judgement_text(judgement: Judgement, judge: str) -> str:
    """The judge's opinion in two or three lines."""
    lines = [
        "",
        texts.EVALUATE_JUDGE.format(
            judge=judge,
            mean=number(judgement.mean),
            low=number(judgement.low),
            high=number(judgement.high),
            n=len(judgement.grades),
        ),
    ]
    if judgement.agreement is not None:
        lines.append(texts.EVALUATE_JUDGE_AGREEMENT.format(agreement=number(judgement.agreement)))
    if judgement.unreadable:
        lines.append(texts.EVALUATE_JUDGE_UNREADABLE.format(n=judgement.unreadable))
    return "\n".join(lines)


def _played(word: str, name: str, limit: int | None, seed: int, threads: int | None) -> BehaviourReport:
    model = opened(word, name, threads)
    progress = ProgressLine()
    # through its engine a Luna also tells how each answer ended
    speaker = LunaEngine(model.model) if model.kind == "luna" else model  # type: ignore[attr-defined]
    try:
        return run_behaviours(
            speaker,
            limit=limit,
            seed=seed,
            on_progress=lambda done, total: progress.show(
                texts.EVALUATE_BEHAVIOURS.format(percent=100 * done // max(1, total))
            ),
        )
    finally:
        progress.finish()


def _judged(report: BehaviourReport, judge: OpenAIServer, seed: int) -> Judgement:
    progress = ProgressLine()
    try:
        return judge_report(
            report,
            judge,
            seed=seed,
            on_progress=lambda done, total: progress.show(
                texts.EVALUATE_JUDGING.format(percent=100 * done // max(1, total))
            ),
        )
    finally:
        progress.finish()


def _save(report: BehaviourReport, model: str, judgement: Judgement | None, path: Path | None) -> None:
    """Writes the report, with the weights it is of: `lunagpt.model_folders.default_model` wants to know."""
    if path is not None:
        weights = fingerprint(shipped_models().get(model, Path(model)))
        content = report.to_dict() | ({} if weights is None else {"weights": weights})
        content |= {} if judgement is None else {"judge": asdict(judgement)}
        atomic_write_text(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")
