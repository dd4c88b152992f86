"""Tokenised sources on disk: each source is tokenised once and read through memory maps ever after.

A cache folder holds flat files: ``tokens.bin`` (uint16, or uint32 for vocabularies above 65,536),
``mask.bin`` (uint8, 1 where a token belongs to an answer; only if the source has dialogues), ``offsets.npy``
(int64, E + 1 ends), ``dialogue.npy`` (bool, E), ``group.npy`` (int32, E), ``traits.npy`` (int8, E × 3) and
``info.json``. Its name carries
a hash of everything the content depends on: the tokenizer, the files' bytes and the source's options.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import numpy.typing as npt
import platformdirs

from lunagpt.data.examples import DialogueExample, Example
from lunagpt.data.readers import ReadReport
from lunagpt.data.sources import SourceSpec, read_examples, source_files
from lunagpt.data.traits import TRAITS
from lunagpt.errors import DataError, reason_of
from lunagpt.files import atomic_directory, sha256_file

logger = logging.getLogger(__name__)

# Raise it whenever the readers give other examples or the files another layout: old caches stay unused then.
# Encyclopaedia parts and exercises have versions of their own, which leave the other sources as they are.
FORMAT_VERSION = 3

#: Names the folder of the cache, to take it along to another machine.
CACHE_VARIABLE = "LUNA_TOKEN_CACHE"

_BATCH_EXAMPLES = 512

Ids = npt.NDArray[np.integer[Any]]


class DataTokenizer(Protocol):
    """What the data path asks of a tokenizer; `LunaTokenizer` has it."""

    end_token_id: int
    pad_token_id: int
    special_token_ids: frozenset[int]
    start_token_ids: tuple[int, ...]
    chat_template: str

    @property
    def vocab_size(self) -> int: ...
    @property
    def backend_tokenizer(self) -> Any: ...

    def token_bytes(self, token_id: int) -> bytes: ...
    def encode_batch_content(self, texts: Sequence[str]) -> list[list[int]]: ...
    def encode_dialog_with_mask(
        self, messages: Iterable[Any], include_thinking: bool = True, learn_when_to_think: bool = False
    ) -> tuple[list[int], list[int]]: ...


def token_byte_lengths(tokenizer: DataTokenizer) -> npt.NDArray[np.int64]:
    """(V,) UTF-8 bytes of text that each id stands for; control tokens stand for none."""
    special = tokenizer.special_token_ids
    return np.asarray(
        [0 if i in special else len(tokenizer.token_bytes(i)) for i in range(tokenizer.vocab_size)],
        dtype=np.int64,
    )


def tokenizer_fingerprint(tokenizer: DataTokenizer) -> str:
    """Hash of everything on which the ids of a text depend."""
    everything = tokenizer.backend_tokenizer.to_str() + tokenizer.chat_template
    return hashlib.sha256(everything.encode()).hexdigest()


@dataclass(frozen=True)
class TokenizedSource:
    """A source as token ids (E examples, N tokens).

    Attributes:
        name: the source's name.
        key: hash of the content; equal keys mean equal tokens.
        tokens: (N,) ids, memory-mapped; every example ends with the end token.
        mask: (N,) 1 where a token belongs to an answer, memory-mapped; None in a source without dialogues.
        learn_all: dialogues are learned whole, whatever the mask says.
        offsets: (E + 1,) example e lies in ``tokens[offsets[e]:offsets[e + 1]]``.
        dialogue: (E,) True for dialogues, which are never cut on the left.
        group: (E,) number of the example's ``sample_by`` value.
        groups: names of the groups.
        traits: (E, traits) number of each trait of `TRAITS`, in its order.
    """

    name: str
    key: str
    tokens: Ids
    mask: npt.NDArray[np.uint8] | None
    learn_all: bool
    offsets: npt.NDArray[np.int64]
    dialogue: npt.NDArray[np.bool_]
    group: npt.NDArray[np.int32]
    groups: tuple[str, ...]
    traits: npt.NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.offsets) - 1


def default_cache_dir() -> Path:
    """Where tokenised sources are kept unless told otherwise: `LUNA_TOKEN_CACHE`, else the user's cache."""
    if folder := os.environ.get(CACHE_VARIABLE):
        return Path(folder).expanduser()
    return platformdirs.user_cache_path("lunagpt") / "tokens"


def tokenize_source(
    spec: SourceSpec,
    tokenizer: DataTokenizer,
    *,
    cache_dir: str | Path | None = None,
    root: str | Path | None = None,
    fingerprint: str | None = None,
) -> TokenizedSource:
    """Tokens of a source, from the cache if it has them.

    Args:
        spec: the source.
        tokenizer: the tokenizer.
        cache_dir: folder of all caches, created if missing; by default `default_cache_dir`.
        root: folder to which the source's paths are relative.
        fingerprint: `tokenizer_fingerprint`, where many sources share a tokenizer; computed if None.

    Raises:
        DataError: the files are missing, unreadable or have no usable row.
    """
    key = _content_key(spec, fingerprint or tokenizer_fingerprint(tokenizer), root)
    base = default_cache_dir() if cache_dir is None else Path(cache_dir).expanduser()
    folder = base / f"{_slug(spec.label)}-{key[:16]}"
    if not (folder / "info.json").exists():
        try:
            _build(spec, tokenizer, root, folder, key)
        except OSError as error:
            raise DataError(
                f'Não consegui gravar os tokens de "{spec.label}" em "{folder}": {reason_of(error)}. '
                "Libere espaço ou indique outra pasta em cache_dir."
            ) from error
    return _open(spec, folder, key)


def tokenize_sources(
    specs: Sequence[SourceSpec],
    tokenizer: DataTokenizer,
    *,
    cache_dir: str | Path | None = None,
    root: str | Path | None = None,
) -> list[TokenizedSource]:
    """`tokenize_source` for every source of a mixture, in order."""
    fingerprint = tokenizer_fingerprint(tokenizer)
    return [
        tokenize_source(spec, tokenizer, cache_dir=cache_dir, root=root, fingerprint=fingerprint)
        for spec in specs
    ]


def _content_key(spec: SourceSpec, fingerprint: str, root: str | Path | None) -> str:
    description = {
        "format": FORMAT_VERSION,
        "tokenizer": fingerprint,
        "files": [(path.name, sha256_file(path)) for path in source_files(spec, root)],
        "options": spec.content_options(),
    }
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()


def _build(
    spec: SourceSpec, tokenizer: DataTokenizer, root: str | Path | None, folder: Path, key: str
) -> None:
    report = ReadReport()
    dtype = np.uint16 if tokenizer.vocab_size <= 1 << 16 else np.uint32
    offsets, dialogue, group, traits = array("q", [0]), array("b"), array("i"), array("b")
    groups: dict[str, int] = {}
    with atomic_directory(folder) as fresh:
        with open(fresh / "tokens.bin", "wb") as tokens, open(fresh / "mask.bin", "wb") as mask:
            examples = read_examples(spec, root, report)
            while batch := list(islice(examples, _BATCH_EXAMPLES)):
                for (example, group_name, example_traits), (ids, learned) in zip(
                    batch, _encode(batch, tokenizer, spec), strict=True
                ):
                    np.asarray(ids, dtype=dtype).tofile(tokens)
                    _write_mask(mask, learned, len(ids))
                    offsets.append(offsets[-1] + len(ids))
                    dialogue.append(isinstance(example, DialogueExample))
                    group.append(groups.setdefault(group_name, len(groups)))
                    traits.extend(example_traits[name] for name in TRAITS)
        if not any(dialogue):
            (fresh / "mask.bin").unlink()
        np.save(fresh / "offsets.npy", np.asarray(offsets, dtype=np.int64))
        np.save(fresh / "dialogue.npy", np.asarray(dialogue, dtype=np.bool_))
        np.save(fresh / "group.npy", np.asarray(group, dtype=np.int32))
        np.save(fresh / "traits.npy", np.asarray(traits, dtype=np.int8).reshape(-1, len(TRAITS)))
        info = {
            "key": key,
            "dtype": np.dtype(dtype).name,
            "examples": len(dialogue),
            "tokens": offsets[-1],
            "groups": list(groups),
            "rows": report.rows,
            "filtered": report.filtered,
            "broken": report.broken,
            "messages": report.messages,
        }
        (fresh / "info.json").write_text(json.dumps(info, ensure_ascii=False, indent=1), encoding="utf-8")
    logger.info('"%s": %d exemplos, %d tokens.', spec.label, len(dialogue), offsets[-1])


def _encode(
    batch: list[tuple[Example, str, dict[str, int]]], tokenizer: DataTokenizer, spec: SourceSpec
) -> Iterator[tuple[list[int], list[int] | None]]:
    """Ids of every example, in order, and the learned positions of dialogues (None: all are learned)."""
    texts = [example.text for example, *_ in batch if not isinstance(example, DialogueExample)]
    encoded = iter(tokenizer.encode_batch_content(texts) if texts else [])
    for example, *_ in batch:
        if isinstance(example, DialogueExample):
            messages = [dict(message) for message in example.messages]
            yield tokenizer.encode_dialog_with_mask(
                messages, include_thinking=spec.thinking, learn_when_to_think=spec.learn_when_to_think
            )
        else:
            yield [*tokenizer.start_token_ids, *next(encoded), tokenizer.end_token_id], None


def _write_mask(stream: IO[bytes], learned: list[int] | None, length: int) -> None:
    stream.write(b"\x01" * length if learned is None else bytes(learned))


def _open(spec: SourceSpec, folder: Path, key: str) -> TokenizedSource:
    try:
        info = json.loads((folder / "info.json").read_text(encoding="utf-8"))
        tokens = np.memmap(folder / "tokens.bin", dtype=info["dtype"], mode="r", shape=(info["tokens"],))
        mask = None
        if (folder / "mask.bin").exists():
            mask = np.memmap(folder / "mask.bin", dtype=np.uint8, mode="r", shape=(info["tokens"],))
        return TokenizedSource(
            name=spec.label,
            key=key,
            tokens=tokens,
            mask=mask,
            learn_all=spec.loss_on == "all",
            offsets=np.load(folder / "offsets.npy"),
            dialogue=np.load(folder / "dialogue.npy"),
            group=np.load(folder / "group.npy"),
            groups=tuple(info["groups"]),
            traits=np.load(folder / "traits.npy"),
        )
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f'O cache de dados "{folder}" está danificado ({reason_of(error)}). '
            "Apague essa pasta e rode de novo: ela é refeita."
        ) from error


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name)
