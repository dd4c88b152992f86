"""Weights → numbers, tables and pictures.

Names are loaded when first asked for: models need torch, tables do not.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lunagpt.evaluation.comparator import ModelComparator as ModelComparator
    from lunagpt.evaluation.evaluator import ModelEvaluator as ModelEvaluator
    from lunagpt.evaluation.evaluator import evaluate as evaluate
    from lunagpt.evaluation.language_models import LanguageModel as LanguageModel
    from lunagpt.evaluation.language_models import LogLikelihood as LogLikelihood
    from lunagpt.evaluation.language_models import open_language_model as open_language_model
    from lunagpt.evaluation.performance import PerformanceBenchmark as PerformanceBenchmark
    from lunagpt.evaluation.results import Evaluation as Evaluation
    from lunagpt.evaluation.results import Result as Result
    from lunagpt.evaluation.results import load_evaluation as load_evaluation
    from lunagpt.evaluation.results import save_evaluation as save_evaluation
    from lunagpt.evaluation.suites import load_suite as load_suite
    from lunagpt.evaluation.task import Task as Task
    from lunagpt.evaluation.task import load_tasks as load_tasks

_HOME_OF = {
    "Evaluation": "lunagpt.evaluation.results",
    "LanguageModel": "lunagpt.evaluation.language_models",
    "LogLikelihood": "lunagpt.evaluation.language_models",
    "ModelComparator": "lunagpt.evaluation.comparator",
    "ModelEvaluator": "lunagpt.evaluation.evaluator",
    "PerformanceBenchmark": "lunagpt.evaluation.performance",
    "Result": "lunagpt.evaluation.results",
    "Task": "lunagpt.evaluation.task",
    "evaluate": "lunagpt.evaluation.evaluator",
    "load_evaluation": "lunagpt.evaluation.results",
    "load_suite": "lunagpt.evaluation.suites",
    "load_tasks": "lunagpt.evaluation.task",
    "open_language_model": "lunagpt.evaluation.language_models",
    "save_evaluation": "lunagpt.evaluation.results",
}

__all__ = [
    "Evaluation",
    "LanguageModel",
    "LogLikelihood",
    "ModelComparator",
    "ModelEvaluator",
    "PerformanceBenchmark",
    "Result",
    "Task",
    "evaluate",
    "load_evaluation",
    "load_suite",
    "load_tasks",
    "open_language_model",
    "save_evaluation",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use.

    Raises:
        AttributeError: the package has no such name.
    """
    if name not in _HOME_OF:
        raise AttributeError(f"module 'lunagpt.evaluation' has no attribute '{name}'")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value
