"""Weights on disk: one safetensors file, or several with an index where one would be too large for Git hosts.

    model.safetensors                                    small enough
    model-00001-of-00003.safetensors … + model.safetensors.index.json   larger

The names and the index are those that transformers and huggingface_hub use: `weight_map` says which file
holds which tensor. Tensors are never split: one larger than the limit gets a file of its own.
"""

import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from lunagpt.errors import ModelFolderError, reason_of
from lunagpt.files import atomic_write_text

# GitHub refuses files of 100 MB (100 · 2^20 bytes) and warns from 50.
MAX_SHARD_BYTES = 95_000_000
_METADATA = {"format": "pt"}


def write_weights(path: Path, tensors: dict[str, Tensor], max_bytes: int = MAX_SHARD_BYTES) -> list[Path]:
    """Writes `path`, or its shards and its index; returns the files. The folder is created.

    Args:
        path: ends in .safetensors. max_bytes: of the tensors in one file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    shards = _shards(tensors, max_bytes)
    if len(shards) == 1:
        save_file(tensors, path, metadata=_METADATA)
        return [path]
    files: list[Path] = []
    places: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        file = path.with_name(f"{path.stem}-{number:05d}-of-{len(shards):05d}{path.suffix}")
        save_file(shard, file, metadata=_METADATA)
        places |= dict.fromkeys(shard, file.name)
        files.append(file)
    total = sum(tensor.nbytes for tensor in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": places}
    atomic_write_text(_index(path), json.dumps(index, indent=2, sort_keys=True) + "\n")
    return [*files, _index(path)]


def has_weights(path: Path) -> bool:
    """Whether `path` was written, whole or in shards."""
    return path.exists() or _index(path).exists()


def read_weights(path: Path) -> dict[str, Tensor]:
    """What `write_weights` wrote.

    Raises:
        ModelFolderError: a file is missing or broken, or the index does not fit the shards.
    """
    if path.exists():
        return _read(path)
    try:
        places: dict[str, str] = json.loads(_index(path).read_text(encoding="utf-8"))["weight_map"]
        names = sorted(set(places.values()))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise _broken(_index(path), error) from None
    tensors: dict[str, Tensor] = {}
    for name in names:
        shard = _read(path.with_name(name))
        if shard.keys() != {key for key, place in places.items() if place == name}:
            raise _broken(_index(path), f"não combina com {name}")
        tensors |= shard
    return tensors


def _shards(tensors: dict[str, Tensor], max_bytes: int) -> list[dict[str, Tensor]]:
    """The tensors in their order, cut where the next one would not fit."""
    shards: list[dict[str, Tensor]] = [{}]
    filled = 0
    for name, tensor in tensors.items():
        if shards[-1] and filled + tensor.nbytes > max_bytes:
            shards.append({})
            filled = 0
        shards[-1][name] = tensor
        filled += tensor.nbytes
    return shards


def _index(path: Path) -> Path:
    return path.with_name(f"{path.name}.index.json")


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise _broken(path, error) from None


def _broken(path: Path, reason: Exception | str) -> ModelFolderError:
    told = reason if isinstance(reason, str) else reason_of(reason)
    return ModelFolderError(
        f'Não consegui ler os pesos em "{path}" ({told}). Copie a pasta de novo da origem.'
    )
