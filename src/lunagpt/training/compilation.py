"""torch.compile where it pays: tried on the model's layers, measured, kept only if faster."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from lunagpt.reporting.numbers import number

WORTH_COMPILING = 900.0  # seconds of training; compiling takes one to three minutes on two cores
WORTHWHILE = 1.05  # compiled code must win by more than the noise of the measurement


def compile_layers(model: nn.Module) -> None:
    """Compile each of the model's `layers` in place; layers of one kind share one compiled body."""
    for module in _layers(model):
        module.compile(dynamic=False)


def restore_layers(model: nn.Module) -> None:
    """Undo `compile_layers`."""
    for module in _layers(model):
        module._compiled_call_impl = None  # what Module.compile sets; torch has no public way back


def is_compiled(model: nn.Module) -> bool:
    return any(getattr(module, "_compiled_call_impl", None) is not None for module in _layers(model))


@contextmanager
def uncompiled(model: nn.Module) -> Iterator[None]:
    """A context without compiled code, for shapes that training does not have: each would be compiled."""
    if is_compiled(model):
        with torch.compiler.set_stance("force_eager"):
            yield
    else:
        yield


def compile_if_faster(
    model: nn.Module,
    mode: str,
    run: Callable[[], None],
    notice: Callable[[str], None],
    num_runs: float = math.inf,
    max_seconds: float = math.inf,
) -> None:
    """Leave the model compiled if `mode` is "on" and it works, or "auto" and it is faster; else as it was.

    Args:
        run: one forward and backward pass on real data; it must clean up after itself.
        notice: told what was decided and why.
        num_runs, max_seconds: bounds on the work to come; "auto" does not compile for a few minutes of it.
    """
    if mode == "on" and getattr(model, "on_base", False):
        notice("torch.compile não se aplica a um modelo sobre uma base de outra família; sigo sem ele.")
    if mode == "off" or not _layers(model):
        return
    plain = _seconds(run) if mode == "auto" else None
    if plain is not None and min(plain * num_runs, max_seconds) < WORTH_COMPILING:
        return
    notice("Compilando o modelo com torch.compile; a primeira vez leva alguns minutos.")
    try:
        compile_layers(model)
        run()  # the compilation itself
        compiled = _seconds(run) if mode == "auto" else None
    except Exception as error:  # the compiler fails in many ways: none installed, an unsupported operation…
        restore_layers(model)
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
        notice(f"torch.compile não funciona aqui ({reason}); sigo sem ele.")
        return
    if plain is None or compiled is None:
        notice("torch.compile ligado.")
        return
    comparison = f"{number(compiled)} s contra {number(plain)} s por passada"
    if plain < compiled * WORTHWHILE:
        restore_layers(model)
        notice(f"torch.compile não ajuda aqui ({comparison}); sigo sem ele.")
    else:
        notice(f"torch.compile ligado ({comparison}).")


def _layers(model: nn.Module) -> list[nn.Module]:
    if getattr(model, "on_base", False):  # its `layers` hold parts, which act inside layers that are not ours
        return []
    return list(getattr(model, "layers", []))


def _seconds(run: Callable[[], None], repetitions: int = 2) -> float:
    best = float("inf")
    for _ in range(repetitions):
        start = time.perf_counter()
        run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return best
