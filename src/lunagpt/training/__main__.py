"""`python -m lunagpt.training RECEITA --run-dir PASTA`: the same as `luna train` with one recipe."""

from __future__ import annotations

import argparse
import sys

from lunagpt.errors import LunaError
from lunagpt.training.command import train_command


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m lunagpt.training", description="Treina um modelo Luna.")
    add = options.add_argument
    add("recipe_path", metavar="RECEITA", help="arquivo como configs/treino/nano-pretreino.yaml")
    add("--run-dir", required=True, help="pasta da execução: registro, curvas, pontos de retomada, modelo")
    add("--preset", help="tamanho do modelo: test, nano, small ou mini")
    add("--data-root", help="pasta em que estão os dados")
    add("--base-model", help="pasta do modelo de partida")
    add(
        "--resume",
        nargs="?",
        const=True,
        default=False,
        help="continua do último ponto de retomada, ou de um",
    )
    add("--max-steps", type=int, help="passos ao todo")
    add("--max-minutes", type=float, help="minutos desta vez")
    add("--decay-now", type=int, metavar="PASSOS", help="desce a taxa em tantos passos e termina")
    add("--threads", type=int, help="linhas de execução da CPU")
    add(
        "--set",
        dest="changes",
        action="append",
        default=[],
        metavar="SEÇÃO.CHAVE=VALOR",
        help="muda um ajuste da receita",
    )
    return options


def main() -> int:
    """0 at the end, 1 after an error, 130 if a signal ended the training (it can be resumed)."""
    try:
        result = train_command(**vars(parser().parse_args()))
    except LunaError as error:
        print(f"Erro: {error}", file=sys.stderr)
        return 1
    return 130 if result["stop_reason"] == "signal" else 0


if __name__ == "__main__":
    sys.exit(main())
