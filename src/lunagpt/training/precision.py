"""Which number format is fastest here: measured, never assumed.

A CPU with AVX512-BF16 or AMX multiplies bfloat16 about four times as fast as float32; one without them ten
times slower.
"""

from __future__ import annotations

import functools
import time

import torch
from torch import nn

WORTHWHILE = 1.3  # bfloat16 loses digits; a smaller gain is not worth them


def matmul_seconds(dtype: torch.dtype, device: torch.device, rows: int, inner: int, columns: int) -> float:
    """Seconds for a (rows, inner) × (inner, columns) product, the best of a few."""
    left = torch.randn(rows, inner, device=device).to(dtype)
    right = torch.randn(inner, columns, device=device).to(dtype)
    best = float("inf")
    for _ in range(3):  # the first one warms up
        start = time.perf_counter()
        product = left @ right
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - start)
    del product
    return best


@functools.cache
def bfloat16_gain(device: torch.device, rows: int = 512, inner: int = 256, columns: int = 384) -> float:
    """How many times faster bfloat16 products are than float32 ones."""
    with torch.random.fork_rng():
        slow = matmul_seconds(torch.float32, device, rows, inner, columns)
        return slow / matmul_seconds(torch.bfloat16, device, rows, inner, columns)


def fastest_dtype(
    device: torch.device, rows: int = 1024, inner: int = 256, columns: int = 512
) -> torch.dtype:
    """bfloat16 where it is clearly faster than float32, else float32."""
    return torch.bfloat16 if bfloat16_gain(device, rows, inner, columns) > WORTHWHILE else torch.float32


def choose_compute_dtype(model: nn.Module, requested: str, device: torch.device) -> torch.dtype:
    """The format for the model's matrix products: as requested, or measured on its largest inner matrix."""
    if requested != "auto":
        return torch.bfloat16 if requested == "bfloat16" else torch.float32
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    if not matrices:
        return torch.float32
    columns, inner = max(matrices, key=lambda p: p.numel()).shape
    return fastest_dtype(device, 512, inner, columns)
