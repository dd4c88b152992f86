"""Reading the training text of a vocabulary: files and folders → documents with a group name.

The group decides how much a document weighs (see :mod:`lunagpt.tokenizer.trainer`): ``domain`` of a row (with
``-historic`` behind it where ``era`` says so), or else the name of the folder that holds the file.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lunagpt.errors import DataError, missing_extra, reason_of

TEXT_SUFFIXES = (".txt", ".md")
SUFFIXES = (*TEXT_SUFFIXES, ".jsonl", ".parquet")

#: Files of a folder and rows of a file that are kept for measuring, never for training.
_HELD_OUT_PREFIXES = ("valid", "test", "eval")

#: Names of files that describe a corpus and are not part of it.
_ABOUT_DATA = ("readme", "manifest", "license")

_WORD = re.compile(r"\w+")


class Document(NamedTuple):
    """A text and the group it belongs to."""

    text: str
    group: str


def find_files(paths: Iterable[str | Path]) -> list[Path]:
    """Files to read: those named, and in order of name those of the named folders.

    Of a folder, files and folders called ``valid*``, ``test*`` or ``eval*`` are left out, and descriptions of
    the data.

    Raises:
        DataError: a path does not exist, has an unknown ending, or nothing was found.
    """
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if path.is_dir():
            inside = (file for file in sorted(path.rglob("*")) if file.is_file() and file.suffix in SUFFIXES)
            found.update(dict.fromkeys(file for file in inside if not _skipped(file.relative_to(path))))
        elif not path.exists():
            raise DataError(f'O caminho "{path}" não existe. Confira o nome do arquivo ou da pasta.')
        elif path.suffix not in SUFFIXES:
            raise DataError(f'Não sei ler "{path}". Tipos aceitos: {", ".join(SUFFIXES)}.')
        else:
            found[path] = None
    if not found:
        raise DataError(f"Não há arquivos de texto para ler. Tipos aceitos: {', '.join(SUFFIXES)}.")
    return list(found)


def read_documents(
    files: Sequence[Path], advance: Callable[[float], None] = lambda done: None
) -> Iterator[Document]:
    """The distinct texts of ``files``: a text that comes a second time in one group is left out.

    A ``.txt`` or ``.md`` file is one document. Rows of ``.jsonl`` and ``.parquet`` give the text of ``text``,
    ``content``, ``chosen``, of ``messages`` and ``prompt_messages`` (content and thinking), ``documents`` and
    ``qa``; rows whose ``split`` is not ``train`` are skipped.

    Args:
        files: what :func:`find_files` found.
        advance: hears, before each file and at the end, which part of the bytes is behind.

    Raises:
        DataError: a file cannot be read.
        MissingDependencyError: a parquet file, and pyarrow is not installed.
    """
    seen: set[bytes] = set()
    sizes = [file.stat().st_size for file in files]
    for number, file in enumerate(files):
        advance(sum(sizes[:number]) / (sum(sizes) or 1))
        for document in _read_file(file):
            key = hashlib.blake2b("\0".join(document).encode("utf-8", "replace"), digest_size=12).digest()
            if document.text and key not in seen:
                seen.add(key)
                yield document
    advance(1.0)


def read_text(path: str | Path) -> str:
    """Content of a UTF-8 text file.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f'Não consegui ler "{path}": {reason_of(error)}. Confira o caminho e se está em UTF-8.'
        ) from error


class PassageFilter:
    """Recognises documents that share a passage with texts that must stay unseen.

    Args:
        texts: the texts to keep out of training.
        length: words in a row, compared without case and punctuation, that count as the same passage.
    """

    def __init__(self, texts: Iterable[str], length: int = 13) -> None:
        self._length = length
        held_out = [_words(text) for text in texts]
        frequency: dict[str, int] = {}
        for words in held_out:
            for word in words:
                frequency[word] = frequency.get(word, 0) + 1
        # Each passage hangs on its rarest word, so that a document is compared only where such a word stands.
        self._passages: dict[str, set[tuple[int, tuple[str, ...]]]] = {}
        for words in held_out:
            for start in range(len(words) - length + 1):
                passage = tuple(words[start : start + length])
                anchor = min(
                    range(length), key=lambda index: (frequency[passage[index]], -len(passage[index]))
                )
                self._passages.setdefault(passage[anchor], set()).add((anchor, passage))

    def matches(self, text: str) -> bool:
        """Whether ``text`` contains one of the passages."""
        # The distinct lumps hold the same words as the text and are fewer.
        if self._passages.keys().isdisjoint(_words(" ".join(set(text.split())))):
            return False
        words = _words(text)
        for position, word in enumerate(words):
            for anchor, passage in self._passages.get(word, ()):
                start = position - anchor
                if start >= 0 and tuple(words[start : start + self._length]) == passage:
                    return True
        return False


def _words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFC", text).lower())


def _skipped(path: Path) -> bool:
    described = path.stem.lower().startswith(_ABOUT_DATA)
    return described or any(part.lower().startswith(_HELD_OUT_PREFIXES) for part in path.parts)


def _read_file(file: Path) -> Iterator[Document]:
    folder = file.resolve().parent.name
    try:
        if file.suffix in TEXT_SUFFIXES:
            yield Document(read_text(file), folder)
        else:
            rows = _jsonl_rows(file) if file.suffix == ".jsonl" else _parquet_rows(file)
            for row in rows:
                group = _group(row, folder)
                yield from (Document(text, group) for text in _texts(row))
    except DataError:
        raise
    except (OSError, ValueError) as error:
        raise DataError(
            f'Não consegui ler "{file}": {reason_of(error)}. Confira se o arquivo está inteiro.'
        ) from error


def _jsonl_rows(file: Path) -> Iterator[Mapping[str, Any]]:
    with file.open(encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream, start=1):
            if line.strip():
                row = json.loads(line)
                if not isinstance(row, Mapping):
                    raise ValueError(f"a linha {number} não é um objeto JSON")
                yield row


def _parquet_rows(file: Path) -> Iterator[Mapping[str, Any]]:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise missing_extra("pyarrow", "train", "ler arquivos parquet") from error
    for batch in pyarrow.parquet.ParquetFile(file).iter_batches(1000):
        yield from batch.to_pylist()


def _group(row: Mapping[str, Any], folder: str) -> str:
    # Only pre-training rows have an era; the domain of a dialogue is its subject, not a kind of text.
    if row.get("era"):
        domain = str(row.get("domain") or folder)
        return f"{domain}-historic" if row["era"] == "historic" else domain
    return folder


def _texts(row: Mapping[str, Any]) -> Iterator[str]:
    if row.get("split", "train") != "train":
        return
    body = row.get("text") or row.get("content")
    if body:
        yield f"{row['title']}\n{body}" if row.get("title") else str(body)
    for field in ("messages", "prompt_messages"):
        for message in _list(row.get(field)):
            yield str(message.get("content") or "")
            yield str(message.get("thinking") or "")
    yield str(row.get("chosen") or "")
    for document in _list(row.get("documents")):
        yield f"{document.get('title') or ''}\n{document.get('content') or ''}".strip()
    for pair in _list(row.get("qa")):
        yield str(pair.get("q") or "")
        yield str(pair.get("a") or "")


def _list(value: Any) -> Sequence[Mapping[str, Any]]:
    """A list of objects, also where a table keeps it as JSON text."""
    if isinstance(value, str):
        value = json.loads(value)
    return [item for item in value or [] if isinstance(item, Mapping)]
