"""The encoder of the reader, forward only, in numpy.

The architecture is BERT's (Devlin et al., 2018): learned positions, attention in both directions, layer norm
after each sum. The weights come from multilingual-e5-small (Wang et al., "Multilingual E5 Text Embeddings",
2024), trained on for reading by `benchmarks/reader_fit.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Weights = Mapping[str, Floats]

# Coefficients of formula 7.1.26 of Abramowitz and Stegun, from t to t⁵.
_ERF = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)


class Encoder:
    """Token ids → hidden states.

    Args:
        weights: matrices (outputs, inputs) and vectors in float32, named as in `transformers.BertModel`, and
            the `scores` that a layer of its own reads off the last states.
        num_heads: attention heads of a layer.
        norm_eps: what the layer norms add to the variance.
    """

    def __init__(self, weights: Weights, num_heads: int, norm_eps: float = 1e-12) -> None:
        self.weights = weights
        self.num_heads = num_heads
        self.norm_eps = np.float32(norm_eps)
        self.num_layers = sum(name.endswith("intermediate.dense.weight") for name in weights)
        self.max_length = len(weights["embeddings.position_embeddings.weight"])

    def __call__(self, ids: NDArray[np.int64]) -> Floats:
        """Hidden states (T, H) of a sequence (T,), at most `max_length` long."""
        weights = self.weights
        states = (
            weights["embeddings.word_embeddings.weight"][ids]
            + weights["embeddings.position_embeddings.weight"][: len(ids)]
            + weights["embeddings.token_type_embeddings.weight"][0]
        )
        states = self._norm(states, "embeddings.LayerNorm")
        for index in range(self.num_layers):
            layer = f"encoder.layer.{index}"
            mixed = self._linear(self._attention(states, layer), f"{layer}.attention.output.dense")
            states = self._norm(states + mixed, f"{layer}.attention.output.LayerNorm")
            inner = gelu(self._linear(states, f"{layer}.intermediate.dense"))
            states = self._norm(
                states + self._linear(inner, f"{layer}.output.dense"), f"{layer}.output.LayerNorm"
            )
        return states

    def _attention(self, states: Floats, layer: str) -> Floats:
        length, width = states.shape
        size = width // self.num_heads

        def heads(name: str) -> Floats:
            projected = self._linear(states, f"{layer}.attention.self.{name}")
            return projected.reshape(length, self.num_heads, size).transpose(1, 0, 2)

        scores = heads("query") @ heads("key").transpose(0, 2, 1) * np.float32(1 / math.sqrt(size))
        scores -= scores.max(axis=-1, keepdims=True)
        shares = np.exp(scores)
        shares /= shares.sum(axis=-1, keepdims=True)
        return (shares @ heads("value")).transpose(1, 0, 2).reshape(length, width)

    def _linear(self, states: Floats, name: str) -> Floats:
        out: Floats = states @ self.weights[f"{name}.weight"].T
        out += self.weights[f"{name}.bias"]
        return out

    def _norm(self, states: Floats, name: str) -> Floats:
        centred = states - states.mean(axis=-1, keepdims=True)
        spread = np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + self.norm_eps)
        out: Floats = centred / spread * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
        return out


def gelu(values: Floats) -> Floats:
    """x · Φ(x), with erf by a formula of Abramowitz and Stegun, "Handbook of Mathematical Functions" (1964),
    whose error is below 1.5e-7."""
    scaled = np.abs(values) * np.float32(math.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * scaled)
    polynomial = sum(np.float32(c) * t**power for power, c in enumerate(_ERF, 1))
    erf = np.copysign(1 - polynomial * np.exp(-np.square(scaled)), values)
    out: Floats = np.float32(0.5) * values * (1 + erf)
    return out
