"""Typed errors of LunaGPT. Their messages are Portuguese sentences written for the user:
what happened, then what to do about it."""

from __future__ import annotations


class LunaError(Exception):
    """Base of every error that LunaGPT raises on purpose; `str(error)` can be shown to the user as it is."""


class ConfigError(LunaError, ValueError):
    """A setting is unknown, has a wrong type or value, or its file cannot be read."""


class ModelFolderError(LunaError):
    """A model folder is missing, incomplete, altered or made by something else."""


class TokenizerError(LunaError, ValueError):
    """Tokenizer files are missing or inconsistent, or a text cannot be tokenised as asked."""


class DataError(LunaError, ValueError):
    """A training or document file cannot be read, or has no usable rows."""


class StoreError(LunaError):
    """A base of documents cannot be opened, read or changed as asked."""


class GenerationError(LunaError):
    """Text generation was asked for something impossible (empty prompt, bad sampling, full context)."""


class EvaluationError(LunaError, ValueError):
    """A model cannot be measured as asked, or a task, a result file or evaluation data cannot be used."""


class MissingDependencyError(LunaError, ImportError):
    """An optional package is not installed; the message says which extra brings it."""


def missing_extra(package: str, extra: str, purpose: str) -> MissingDependencyError:
    """Build the error for an absent optional package.

    Args:
        package: name of the package that could not be imported, e.g. ``"torch"``.
        extra: extra of LunaGPT that installs it, e.g. ``"torch"``.
        purpose: what it is needed for, a Portuguese phrase that fits after "para".
    """
    return MissingDependencyError(
        f'O pacote "{package}" é necessário para {purpose}, mas não está instalado. '
        f'Instale com: pip install "lunagpt[{extra}]"'
    )
