"""Writes what decides which shipped model answers when nobody says: `models/comportamentos.json`.

    luna evaluate luna-nano luna-mini --suite comportamentos --json PASTA
    python benchmarks/default_model.py PASTA

The rule itself is `lunagpt.model_folders.default_model`: a model of `models/` takes the place of luna-nano
if, on the same dialogues, the lower end of its 95 % interval lies above luna-nano's rate. It holds for the
weights that were measured: after another training, measure again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from lunagpt.errors import EvaluationError
from lunagpt.files import atomic_write_text
from lunagpt.model_folders import VERDICTS, checkout, default_model, fingerprint, shipped_models


def verdict(report: Path) -> tuple[str, dict[str, object]]:
    """The name of the model of a report, and what the rule wants to know.

    Raises:
        EvaluationError: it is no report of the dialogues, or not of a shipped model.
    """
    content = json.loads(report.read_text(encoding="utf-8"))
    name = report.stem
    weights = content.get("weights")
    if weights is None or name not in shipped_models() or weights != fingerprint(shipped_models()[name]):
        raise EvaluationError(
            f'"{report}" não é o relatório dos diálogos de um modelo que vem com o LunaGPT, com os pesos de '
            f"agora. Gere-o com: luna evaluate {name} --suite comportamentos --json PASTA"
        )
    overall = content["overall"]
    return name, {
        "model": weights,
        "suite": content["suite"],
        **{key: overall[key] for key in ("n", "passed", "value", "low", "high")},
    }


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("reports", type=Path, help="pasta com um NOME.json por modelo")
    args = options.parse_args()
    root = checkout()
    if root is None:
        raise SystemExit("Rode isto num clone do repositório.")
    verdicts = dict(verdict(path) for path in sorted(args.reports.glob("*.json")))
    atomic_write_text(root / "models" / VERDICTS, json.dumps(verdicts, indent=2) + "\n")
    for name, told in verdicts.items():
        print(f"{name}: {told['passed']} de {told['n']} diálogos")
    print(f"Sem --model, responde {default_model().name}.")


if __name__ == "__main__":
    main()
