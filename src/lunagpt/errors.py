"""Typed errors of LunaGPT. Their messages are Portuguese sentences written for the user:
what happened, then what to do about it."""

from __future__ import annotations

import errno
import json
import re


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


def reason_of(error: Exception) -> str:
    """Why a file could not be read or written, as a Portuguese clause without a full stop.

    Knows the errors of the system and of SQLite, text that is not UTF-8, and badly written JSON, YAML and
    XML; of other errors it gives their own words.
    """
    if isinstance(error, UnicodeDecodeError):
        return f"não está em UTF-8 (byte {error.start})"
    if isinstance(error, json.JSONDecodeError):
        return f"JSON mal escrito na linha {error.lineno}, coluna {error.colno}"
    if (mark := getattr(error, "problem_mark", None)) is not None:  # PyYAML's, which this does not import
        return f"YAML mal escrito na linha {mark.line + 1}, coluna {mark.column + 1}"
    if isinstance(place := getattr(error, "position", None), tuple):  # ElementTree's
        return f"XML mal escrito na linha {place[0]}, coluna {place[1] + 1}"
    if (name := getattr(error, "sqlite_errorname", None)) is not None:
        return _SQLITE_REASONS.get(name.split("_")[1], str(error))
    if isinstance(error, RecursionError):
        return "há grupos demais uns dentro dos outros"
    if isinstance(error, EOFError):
        return "o arquivo acaba antes da hora"
    return system_reason(error) or str(error)


def system_reason(error: Exception) -> str | None:
    """Why the system refused something, in Portuguese; None if the error is not the system's."""
    if isinstance(inner := getattr(error, "reason", None), OSError):  # a URLError tells it so
        return system_reason(inner)
    if isinstance(error, OSError):
        return _SYSTEM_REASONS.get(error.errno or 0, error.strerror)
    told = re.search(r"\(os error (\d+)\)", str(error))  # from a library in Rust (safetensors, tokenizers)
    return _SYSTEM_REASONS.get(int(told[1])) if told else None


_SYSTEM_REASONS = {
    errno.ENOENT: "não existe",
    errno.EACCES: "falta permissão",
    errno.EPERM: "falta permissão",
    errno.EROFS: "o disco só permite leitura",
    errno.ENOSPC: "não há mais espaço em disco",
    errno.EDQUOT: "acabou a cota de espaço em disco",
    errno.EFBIG: "o arquivo passaria do tamanho permitido",
    errno.EISDIR: "é uma pasta, não um arquivo",
    errno.ENOTDIR: "o caminho passa por um arquivo como se fosse uma pasta",
    errno.EEXIST: "já existe um arquivo com esse nome",
    errno.ENOTEMPTY: "já existe e não está vazia",
    errno.ENAMETOOLONG: "o nome é longo demais",
    errno.ELOOP: "os atalhos (links simbólicos) andam em círculos",
    errno.EMFILE: "há arquivos demais abertos",
    errno.ENFILE: "há arquivos demais abertos",
    errno.ENOMEM: "falta memória",
    errno.EBUSY: "está em uso por outro programa",
    errno.EIO: "houve um erro de leitura ou gravação no disco",
    errno.ECONNREFUSED: "ninguém atende nesse endereço",
    errno.ETIMEDOUT: "a resposta demorou demais",
    errno.EINVAL: "o sistema não aceita esta operação ou este nome",
}

_SQLITE_REASONS = {
    "BUSY": "está em uso por outro programa",
    "LOCKED": "está em uso por outro programa",
    "READONLY": "falta permissão de escrita",
    "PERM": "falta permissão",
    "FULL": "não há mais espaço em disco",
    "CANTOPEN": "o arquivo não abre; falta permissão, ou a pasta não existe",
    "IOERR": "houve um erro de leitura ou gravação no disco",
    "CORRUPT": "o arquivo está danificado",
    "NOTADB": "o arquivo não é uma base",
}
