# The first target that needs it makes .venv; nothing outside this folder is touched.

PYTHON  ?= python3
WORKERS ?= 2
ARGS    ?=
QUICK   ?=

VENV  := .venv
BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH := $(VENV)/.bench-installed

.DEFAULT_GOAL := help
.PHONY: help setup test lint bench benchmark results constraints clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  PYTHON=python3.12 picks the interpreter; ARGS=... is passed on to test, benchmark and bench."

setup: $(STAMP) ## make .venv with everything, at the pinned versions

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "cointer_gym needs Python 3.11 or newer, and '$(PYTHON)' is not one. Try: make setup PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[agents,dev]'
	@touch $@

test: lint ## every check: lint, types, import floors, tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

lint: $(STAMP) ## lint, format, types and import floors only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

benchmark: $(STAMP) ## train PPO and DQN and compare them with the optimum
	$(BIN)/cointer-gym benchmark $(ARGS)

# A whole run is committed. QUICK=1 is a short one, ARGS="-k vector" a part of one, which is only printed.
RUN := $(if $(QUICK),--quick --out runs/speed,$(if $(ARGS),,--out results/speed))

bench: $(BENCH) ## measure the speed beside that of peers (five minutes; QUICK=1 is shorter)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -c benchmarks/pytest.ini benchmarks $(RUN) $(ARGS)
	$(if $(filter results/speed,$(RUN)),$(BIN)/cointer-gym report results/speed --into docs/speed.md)

$(BENCH): $(STAMP)
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[bench]'
	@touch $@

results: $(STAMP) ## regenerate every committed number and picture (about ten minutes)
	$(BIN)/cointer-gym benchmark alexnet-pi --out results/alexnet-pi --fresh
	$(BIN)/cointer-gym benchmark alexnet-pi --joint --out results/alexnet-pi-joint --fresh
	$(BIN)/cointer-gym benchmark mlp-pi --joint --out results/mlp-pi-joint --fresh
	$(BIN)/cointer-gym report results/alexnet-pi --into README.md
	$(BIN)/cointer-gym show --seed 40 --decisions 4 --out docs/figures/task.png
	$(BIN)/cointer-gym study all --out docs/studies
	$(BIN)/cointer-gym claims --check

constraints: $(STAMP) ## pin what .venv holds now (first: .venv/bin/pip install --upgrade ...)
	{ sed -n '/^#/p' constraints.txt; \
	  $(BIN)/python -m pip freeze --all --exclude-editable --exclude pip --exclude cointer-gym | sed 's/+cpu$$//'; } > constraints.new
	mv constraints.new constraints.txt

clean: ## remove .venv, builds and caches
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis ./*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
