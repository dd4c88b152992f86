"""What relevance means for each embedding model: fits the curves from cosine to relevance and checks them.

    python benchmarks/calibration.py [--model e5 --model e5-enpt --model PASTA] [--write]

Every second of the built-in questions is used for the fit, the others for the table. `--write` puts the
curves into the package (`assets/calibration/fits.json`), where `lunagpt.rag.thresholds.calibrate` finds them.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from lunagpt.files import atomic_write_text
from lunagpt.rag.calibration_pairs import calibration_set
from lunagpt.rag.embeddings import Embedder, open_embedder
from lunagpt.rag.thresholds import Calibration, fit_embedder
from lunagpt.reporting.numbers import number, percent

ROOT = Path(__file__).resolve().parent.parent
FITS = ROOT / "src/lunagpt/assets/calibration/fits.json"
RESULTS = ROOT / "benchmarks/results/calibration.md"

HEADER = """# O que a relevância quer dizer em cada modelo de vetores

Comando: `python benchmarks/calibration.py {models}`. {fitting} perguntas para o ajuste, {checking} para a
conferência (esta tabela). Cada pergunta tem um trecho que a responde ("certo"), um do mesmo documento que
não a responde ("vizinho") e todos os outros ("alheio"). `AUC`: quanto o cosseno separa certo de errado (0,5 é
acaso). `erro`: distância média entre a relevância e a parte de fato certa. As colunas ≥ 0,7 dizem que parte
dos trechos passa do limiar padrão.

| modelo | cosseno com relevância 0,7 | AUC | erro | certos ≥ 0,7 | vizinhos ≥ 0,7 | alheios ≥ 0,7 | CPU (s) |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", action="append", help="e5, e5-enpt or the folder of a model")
    parser.add_argument("--write", action="store_true", help="put the curves into the package")
    args = parser.parse_args()
    names = args.model or ["e5", "e5-enpt"]
    fits, rows = [], []
    for name in names:
        embedder = open_embedder(name)
        if embedder is None:
            raise SystemExit(f"{name}: não abriu")
        began = time.process_time()
        calibration = fit_embedder(embedder)
        rows.append(describe(embedder, calibration, time.process_time() - began))
        fits.append(calibration.to_dict())
    sizes = [len(calibration_set(held_out).questions) for held_out in (False, True)]
    models = " ".join(f"--model {name}" for name in names)
    table = HEADER.format(models=models, fitting=sizes[0], checking=sizes[1]) + "\n".join(rows) + "\n"
    print(table)
    atomic_write_text(RESULTS, table)
    if args.write:
        atomic_write_text(FITS, json.dumps(fits, ensure_ascii=False, indent=2) + "\n")


def describe(embedder: Embedder, calibration: Calibration, seconds: float) -> str:
    """Row of the table."""
    task = calibration_set(held_out=True)
    asked = np.stack([embedder.embed_query(question) for question in task.questions])
    relevance = calibration(asked @ embedder.embed_documents(task.passages).T)
    near = np.eye(*task.labels.shape, k=len(task.questions), dtype=bool)
    passed = [float((relevance[part] >= 0.7).mean()) for part in (task.labels, near, ~task.labels & ~near)]
    measures = (number(value, 3) for value in (calibration.to_score(0.7), calibration.auc, calibration.error))
    cells = [calibration.name, *measures, *map(percent, passed), number(seconds, 0)]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
