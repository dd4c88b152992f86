"""How fast a model reads and writes, how much memory and how much energy that takes.

Letters: B batch, T time.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lunagpt.errors import LunaError
from lunagpt.evaluation.energy import watch_energy
from lunagpt.evaluation.process_memory import watch_memory

if TYPE_CHECKING:
    from torch import Tensor

    from lunagpt.evaluation.token_reader import TokenReader

#: One line of numbers per configuration, e.g. {"128 tokens × 2": {"mean_latency_ms": …}}.
Measurements = dict[str, dict[str, float]]

_MEBIBYTE = 2.0**20


class PerformanceBenchmark:
    """Measures a model on this machine, with random tokens: only the time matters, not what is said."""

    def __init__(self, model: Any, *, seed: int = 0, notify: Callable[[str], None] | None = None) -> None:
        """
        Args:
            model: a `LunaModel`, a causal model of transformers, or an object that holds one as `.model`.
            seed: of the tokens. notify: is told, in a Portuguese sentence, which measurement comes next.

        Raises:
            LunaError: the model is none of these.
        """
        from lunagpt.evaluation.token_reader import token_reader

        self.reader: TokenReader = token_reader(model)
        self._seed = seed
        self._notify = notify or (lambda sentence: None)

    def measure_latency(
        self,
        sequence_lengths: Sequence[int] = (128, 512),
        batch_sizes: Sequence[int] = (1,),
        iterations: int = 10,
        *,
        new_tokens: int = 16,
    ) -> Measurements:
        """Times prompts of several lengths and batch sizes, each `iterations` times after one warm-up.

        The latency is that of the first token: the time from the prompt to the first token of the answer.

        Args:
            sequence_lengths: tokens of the prompt. batch_sizes: prompts read and answered side by side.
            new_tokens: tokens written after the first one in each iteration, for the time per token.

        Returns:
            For each configuration ("128 tokens × 2"): `mean_latency_ms`, `std_latency_ms`, `p50_latency_ms`,
            `p95_latency_ms` (to the first token); `mean_token_ms`, `std_token_ms`, `p50_token_ms`,
            `p95_token_ms` (each further token); `tokens_per_second` (written, all rows together);
            `prompt_tokens_per_second` (read, all rows together); `cpu_share` (CPU time over wall time: far
            under the number of threads, the machine was busy with something else); `sequence_length`,
            `batch_size`, `iterations`, `beyond_context` (1.0 if longer than what the model was made for).

        Raises:
            LunaError: a length, batch size or number of iterations is not positive, or memory runs out.
        """
        _require_positive(sequence_lengths=sequence_lengths, batch_sizes=batch_sizes, iterations=[iterations])
        _require_positive(new_tokens=[new_tokens])
        results: Measurements = {}
        for length, batch in _grid(sequence_lengths, batch_sizes):
            self._notify(f"Medindo a latência: {_label(length, batch)}…")
            firsts: list[float] = []
            tokens: list[float] = []
            started, busy = time.perf_counter(), time.process_time()
            for iteration in range(iterations + 1):
                first, rest = self._answer(length, batch, new_tokens, self._seed + iteration)
                if iteration == 0:  # warm-up: caches, thread pools, kernels
                    started, busy = time.perf_counter(), time.process_time()
                    continue
                firsts.append(first)
                tokens += rest
            share = (time.process_time() - busy) / (time.perf_counter() - started)
            results[_label(length, batch)] = {
                **_summary("latency", firsts),
                **_summary("token", tokens),
                "tokens_per_second": batch * len(tokens) / sum(tokens),
                "prompt_tokens_per_second": batch * length * len(firsts) / sum(firsts),
                "cpu_share": share,
                **self._shape(length, batch),
                "iterations": float(iterations),
            }
        return results

    def measure_memory_usage(
        self,
        sequence_lengths: Sequence[int] = (128, 512),
        include_forward_pass: bool = True,
        *,
        batch_sizes: Sequence[int] = (1,),
        new_tokens: int = 16,
    ) -> Measurements:
        """Peak memory while reading a prompt and writing `new_tokens` tokens.

        Args:
            include_forward_pass: False measures the process with the loaded model alone.

        Returns:
            For each configuration: `peak_memory_mb` (resident memory of the whole process, Python and
            libraries included, in MiB), `before_mb` (the same before it), `growth_mb`, `model_mb` (weights),
            `device_peak_mb` (memory on the GPU; 0 without one), `exact` (1.0 if the peak is of this
            configuration alone, 0.0 where the system only knows that of the process' whole life).

        Raises:
            LunaError: the system does not tell, or memory runs out.
        """
        import torch

        _require_positive(sequence_lengths=sequence_lengths, batch_sizes=batch_sizes, new_tokens=[new_tokens])
        on_gpu = self.reader.device.type == "cuda"
        results: Measurements = {}
        for length, batch in _grid(sequence_lengths, batch_sizes):
            self._notify(f"Medindo a memória: {_label(length, batch)}…")
            self.reader.forget()
            if on_gpu:
                torch.cuda.reset_peak_memory_stats(self.reader.device)
            with watch_memory() as use:
                if include_forward_pass:
                    self._answer(length, batch, new_tokens, self._seed)
            device_peak = torch.cuda.max_memory_allocated(self.reader.device) if on_gpu else 0
            results[_label(length, batch)] = {
                "peak_memory_mb": use.peak / _MEBIBYTE,
                "before_mb": use.before / _MEBIBYTE,
                "growth_mb": (use.peak - use.before) / _MEBIBYTE,
                "model_mb": self._weights() / _MEBIBYTE,
                "device_peak_mb": device_peak / _MEBIBYTE,
                "exact": float(use.exact),
                **self._shape(length, batch),
            }
        return results

    def measure_energy(
        self, sequence_length: int = 128, new_tokens: int = 128, iterations: int = 3
    ) -> dict[str, float | str]:
        """Energy of the processor per written token, everything else on the machine included.

        Returns:
            `joules`, `joules_per_token` and `watts`, or `problem`: a Portuguese sentence that says why this
            machine does not tell.
        """
        _require_positive(sequence_length=[sequence_length], new_tokens=[new_tokens], iterations=[iterations])
        self._notify("Medindo a energia…")
        with watch_energy() as use:
            if not use.problem:
                for iteration in range(iterations):
                    self._answer(sequence_length, 1, new_tokens, self._seed + iteration)
        if use.joules is None:
            return {"problem": use.problem}
        written = iterations * (new_tokens + 1)
        return {
            "joules": use.joules,
            "joules_per_token": use.joules / written,
            "watts": use.joules / use.seconds,
        }

    def generate_report(
        self,
        latency: Measurements | None = None,
        memory: Measurements | None = None,
        energy: dict[str, float | str] | None = None,
    ) -> str:
        """What the methods above returned, as Markdown tables with the machine beside them."""
        from lunagpt.evaluation.performance_report import performance_report

        return performance_report(self.reader.name, latency, memory, energy)

    def _answer(self, length: int, batch: int, new_tokens: int, seed: int) -> tuple[float, list[float]]:
        """Seconds to the first token, and of each one after it."""
        import torch

        generator = torch.Generator().manual_seed(seed)
        prompt = torch.randint(0, self.reader.vocab_size, (batch, length), generator=generator)
        prompt = prompt.to(self.reader.device)
        rest = []
        try:
            with torch.inference_mode():
                started = time.perf_counter()
                token = self._choose(self.reader.start(prompt))
                first = time.perf_counter() - started
                for _ in range(new_tokens):
                    started = time.perf_counter()
                    token = self._choose(self.reader.step(token))
                    rest.append(time.perf_counter() - started)
        except (MemoryError, torch.OutOfMemoryError) as error:
            raise LunaError(
                f"A memória acabou com {_label(length, batch)}. Meça com textos mais curtos ou lotes menores."
            ) from error
        finally:
            self.reader.forget()
        return first, rest

    def _choose(self, scores: Tensor) -> Tensor:
        """The best token of each row (B, 1); waits for a GPU, so that its work is on the clock."""
        token = scores.argmax(dim=-1, keepdim=True)
        token[:1].tolist()
        return token

    def _weights(self) -> int:
        parameters = self.reader.model.parameters()
        return sum(p.numel() * p.element_size() for p in parameters)

    def _shape(self, length: int, batch: int) -> dict[str, float]:
        context = self.reader.context
        return {
            "sequence_length": float(length),
            "batch_size": float(batch),
            "beyond_context": float(context is not None and length > context),
        }


def _summary(what: str, seconds: Sequence[float]) -> dict[str, float]:
    milliseconds = sorted(1000 * s for s in seconds)
    return {
        f"mean_{what}_ms": statistics.fmean(milliseconds),
        f"std_{what}_ms": statistics.stdev(milliseconds) if len(milliseconds) > 1 else 0.0,
        f"p50_{what}_ms": percentile(milliseconds, 0.5),
        f"p95_{what}_ms": percentile(milliseconds, 0.95),
    }


def percentile(ordered: Sequence[float], share: float) -> float:
    """Linear interpolation between the neighbours in sorted values (numpy's default)."""
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def _grid(lengths: Sequence[int], batches: Sequence[int]) -> list[tuple[int, int]]:
    return [(length, batch) for length in sorted(set(lengths)) for batch in sorted(set(batches))]


def _label(length: int, batch: int) -> str:
    return f"{length} tokens × {batch}"


def _require_positive(**values: Sequence[int]) -> None:
    for name, numbers in values.items():
        if not numbers or min(numbers) < 1:
            raise LunaError(f"{name} precisa de números inteiros a partir de 1, e recebeu {list(numbers)}.")
