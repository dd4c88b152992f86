"""What a `PerformanceBenchmark` measured, as Markdown tables in Portuguese."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lunagpt.reporting.machine import describe_machine
from lunagpt.reporting.markdown import escaped, table
from lunagpt.reporting.numbers import number, significant
from lunagpt.reporting.wording import listing

Measurements = Mapping[str, Mapping[str, float]]

#: CPU time over wall time under which a measurement says more about the machine than about the model.
BUSY = 0.5


def performance_report(
    name: str,
    latency: Measurements | None = None,
    memory: Measurements | None = None,
    energy: Mapping[str, float | str] | None = None,
) -> str:
    """The tables of what was measured, with the machine and what limits the numbers.

    Args:
        name: of the model. latency, memory, energy: results of the methods of `PerformanceBenchmark`.
    """
    return "\n\n".join(_blocks(name, latency or {}, memory or {}, energy)) + "\n"


def _blocks(
    name: str, latency: Measurements, memory: Measurements, energy: Mapping[str, float | str] | None
) -> Iterator[str]:
    yield f"# Desempenho: {escaped(name)}"
    if latency:
        yield "## Latência e vazão"
        headers = ("Texto × lote", "Primeiro token", "p50", "p95", "Por token", "p95", "Leitura", "Escrita")
        rows = [
            [
                escaped(label) + ("\\*" if m["beyond_context"] else ""),
                f"{significant(m['mean_latency_ms'])} ± {significant(m['std_latency_ms'], 2)} ms",
                f"{significant(m['p50_latency_ms'])} ms",
                f"{significant(m['p95_latency_ms'])} ms",
                f"{significant(m['mean_token_ms'])} ± {significant(m['std_token_ms'], 2)} ms",
                f"{significant(m['p95_token_ms'])} ms",
                f"{significant(m['prompt_tokens_per_second'])} tokens/s",
                f"{significant(m['tokens_per_second'])} tokens/s",
            ]
            for label, m in latency.items()
        ]
        yield table(headers, rows, right=range(1, len(headers)))
        if any(m["beyond_context"] for m in latency.values()):
            yield "\\* Além do contexto para o qual o modelo foi feito."
        busy = [label for label, m in latency.items() if m["cpu_share"] < BUSY]
        if busy:
            yield (
                f"A máquina estava ocupada com outra coisa em {escaped(listing(busy))}: o processo teve "
                "menos da metade de um núcleo, e os tempos são maiores do que numa máquina livre."
            )
    if memory:
        yield "## Memória"
        columns = ("Texto × lote", "Pico do processo", "A mais que antes", "Pesos", "GPU")
        rows = [
            [
                escaped(label),
                f"{'' if m['exact'] else 'até '}{number(m['peak_memory_mb'], 0)} MiB",
                f"{number(m['growth_mb'], 0)} MiB",
                f"{number(m['model_mb'], 0)} MiB",
                f"{number(m['device_peak_mb'], 0)} MiB" if m["device_peak_mb"] else "–",
            ]
            for label, m in memory.items()
        ]
        yield table(columns, rows, right=range(1, len(columns)))
    if energy is not None:
        yield "## Energia"
        if "problem" in energy:
            yield escaped(str(energy["problem"]))
        else:
            joules, watts = float(energy["joules_per_token"]), float(energy["watts"])
            yield (
                f"{significant(joules)} J por token escrito, a {significant(watts)} W: o processador "
                "inteiro, com tudo o que a máquina fazia."
            )
    yield "## Máquina"
    yield table(("Dado", "Valor"), [[escaped(k), escaped(v)] for k, v in describe_machine().items()])
