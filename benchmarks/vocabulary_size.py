"""Which vocabulary serves a small model best: held-out bits per byte after the same number of operations.

One nano per tokenizer: a larger vocabulary makes longer tokens, but its head costs more for each, so it sees
fewer.

    python benchmarks/vocabulary_size.py --data-root CORPUS --tokenizer PASTA...
"""

import argparse
from pathlib import Path

from machine import describe_machine, write_table
from short_training import Run, compare


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--data-root", required=True)
    options.add_argument("--tokenizer", nargs="+", required=True, help="tokenizer folders")
    options.add_argument("--teraflops", type=float, default=12.0, help="operations of each run, in 10^12")
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args()
    runs = [Run(Path(folder).name, folder, {}) for folder in args.tokenizer]
    lines = [describe_machine(), "", *compare(runs, args.data_root, args.teraflops, args.seed)]
    write_table(Path(__file__).parent / "results" / "vocabulary_size.md", "Tamanho do vocabulário", lines)


if __name__ == "__main__":
    main()
