"""Rebuilds the leaderboard from the stored results: Luna models beside others, measured by the same code.

    python benchmarks/leaderboard.py

Results come from `luna evaluate MODEL --suite completa --json benchmarks/results/avaliacao/MODEL.json`.
"""

from __future__ import annotations

from pathlib import Path

from lunagpt.evaluation.leaderboard import leaderboard, read_results
from lunagpt.files import atomic_write_text

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    page = leaderboard(read_results(RESULTS / "avaliacao"), "python benchmarks/leaderboard.py")
    atomic_write_text(RESULTS / "placar.md", page)
    print(page)


if __name__ == "__main__":
    main()
