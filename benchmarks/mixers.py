"""What the two mixers are worth: hybrid, attention alone and state space alone, at the same compute.

All three have the preset nano's width, depth and weights per layer: what a missing mixer would have cost goes
to the feed-forward network.

    python benchmarks/mixers.py --data-root CORPUS
"""

import argparse
from pathlib import Path

from machine import describe_machine, write_table
from short_training import Run, compare

RUNS = [
    Run("híbrido (atenção ao lado do espaço de estados)", None, {}),
    Run("só atenção", None, {"use_state_space": False, "intermediate_size": 864}),
    Run("só espaço de estados", None, {"use_attention": False, "intermediate_size": 640}),
]


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--data-root", required=True)
    options.add_argument("--teraflops", type=float, default=12.0, help="operations of each run, in 10^12")
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args()
    lines = [describe_machine(), "", *compare(RUNS, args.data_root, args.teraflops, args.seed)]
    write_table(Path(__file__).parent / "results" / "mixers.md", "Misturadores", lines)


if __name__ == "__main__":
    main()
