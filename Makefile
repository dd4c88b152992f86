# LunaGPT: `make chat` para conversar, `make test` para testar. Precisa só de python3 (3.11 ou mais novo) e make.
#   PYTHON=python3.12   outro Python         ARGS="..."   argumentos para o comando (make test ARGS="-n 0": um processo só)
#   PIP_ARGS="..."      argumentos para o pip (por exemplo, outro índice de pacotes)

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
LOG := $(VENV)/instalacao.log
# As medições que não pedem dados de fora do repositório; as outras dizem no começo do arquivo o que pedem.
BENCHMARKS := $(sort $(wildcard benchmarks/data_*.py benchmarks/model_*.py))

# O primeiro Python que serve; se nenhum servir, python3, para que a mensagem de erro diga a versão dele.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; exit; }; \
	done; echo python3)

.PHONY: help chat test lint format bench clean
.DELETE_ON_ERROR:

help:
	@echo 'make chat    conversa com a Luna (instala o que falta na primeira vez)'
	@echo 'make test    verifica estilo e tipos e roda os testes'
	@echo 'make lint    só estilo e tipos'
	@echo 'make format  arruma o estilo do código'
	@echo 'make bench   mede velocidade e qualidade (demora)'
	@echo 'make clean   apaga o ambiente e os arquivos temporários'

# Tudo o que a instalação diz vai para o log e a saída de erro: a saída padrão é só da conversa.
chat: $(VENV)/.pronto-torch
	@$(BIN)/python -m lunagpt.cli chat $(ARGS)

test: lint
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal $(ARGS)

lint: $(VENV)/.pronto-test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(VENV)/.pronto-test
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.pronto-test
	@for script in $(BENCHMARKS); do echo "== $$script" >&2; $(BIN)/python $$script $(ARGS) || exit 1; done

clean:
	@rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage htmlcov
	@find . -type d -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.criado:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "O LunaGPT precisa do Python 3.11 ou mais novo, e \"$(PYTHON)\" não serve" \
			"($$($(PYTHON) --version 2>&1 || true)). Instale um mais novo ou diga qual usar: make PYTHON=python3.12" >&2; exit 1; }
	@echo 'Criando o ambiente em $(VENV)…' >&2
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV) >&2 </dev/null || { rm -rf $(VENV); \
		echo 'Não consegui criar o ambiente. No Debian e no Ubuntu, instale o pacote python3-venv e tente de novo.' >&2; exit 1; }
	@touch $@

$(VENV)/.pronto-%: $(VENV)/.criado pyproject.toml constraints.txt
	@echo 'Instalando o LunaGPT e o que ele usa [$*]: só na primeira vez, pode levar alguns minutos…' >&2
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input $(PIP_ARGS) \
		-c constraints.txt -e '.[$*]' >>$(LOG) 2>&1 </dev/null || { tail -n 15 $(LOG) >&2; \
		echo 'A instalação falhou. Confira a rede e o espaço em disco e tente de novo; o registro está em $(LOG).' >&2; exit 1; }
	@touch $@
	@echo 'Pronto.' >&2
