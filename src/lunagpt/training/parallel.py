"""Several micro-batches at once on a CPU: one thread of torch per micro-batch instead of all threads on one.

On a machine that does other things as well this was 1.4 times as fast for nano, because no thread waits for
another inside a product; on an idle one the two were alike (docs/LOG.md). The gradients are summed in a fixed
order, so a run is repeatable, but not bit-equal to one with another number of workers. Where training drops
something at random the workers race for the draws; such models train with one unless told otherwise.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn

LossOf = Callable[[int], Tensor]


class GradientWorkers:
    """Threads that compute gradients side by side.

    Args:
        num_workers: threads; each runs torch single-threaded.
    """

    def __init__(self, num_workers: int) -> None:
        self.num_workers = num_workers
        self._pool = ThreadPoolExecutor(num_workers, initializer=torch.set_num_threads, initargs=(1,))

    def add_gradients(self, parameters: Sequence[nn.Parameter], loss_of: LossOf, num_losses: int) -> Tensor:
        """Adds the gradients of all losses to `.grad` and returns the sum of the losses.

        Args:
            loss_of: number of the micro-batch -> its loss, a scalar with gradient.
        """

        def work(worker: int) -> tuple[list[Tensor], Tensor] | None:
            total: list[Tensor] | None = None
            value = torch.zeros(())
            for i in range(worker, num_losses, self.num_workers):
                loss = loss_of(i)
                gradients = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
                value += loss.detach()
                if total is None:
                    total = list(gradients)
                else:
                    torch._foreach_add_(total, gradients)
            return None if total is None else (total, value)

        results = [result for result in self._pool.map(work, range(self.num_workers)) if result is not None]
        first, value = results[0]
        for gradients, more in results[1:]:
            torch._foreach_add_(first, gradients)
            value = value + more
        for parameter, gradient in zip(parameters, first, strict=True):
            parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
        return value

    def close(self) -> None:
        self._pool.shutdown()


def keep_freed_memory() -> bool:
    """Lets the process keep the memory that tensors free, on Linux with glibc; True if it could.

    By default glibc gives every large block back to the system at once, and each new one costs a page fault
    per 4 KiB: a fifth of a training step on a CPU (docs/LOG.md).
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8  # malloc.h
    settings = ((M_ARENA_MAX, 1), (M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1), (M_TOP_PAD, 64 << 20))
    return all(mallopt(option, value) == 1 for option, value in settings)
