# Everything a fresh machine needs: `make demo` runs the main job, `make test` the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS := constraints.txt
INSTALLED := $(VENV)/.installed

.PHONY: demo test check fmt lint type layers wheel clean

demo: $(INSTALLED)
	$(BIN)/remamber-bench ablate scans

test: $(INSTALLED)
	$(BIN)/python -m pytest -n auto

check: lint type layers test wheel

# torch comes first and pinned: left to itself pip takes a CUDA build of several gigabytes.
$(INSTALLED): pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint $(CONSTRAINTS) torch
	$(BIN)/python -m pip install --quiet --constraint $(CONSTRAINTS) --editable ".[png,parquet]" --group dev
	touch $(INSTALLED)

fmt: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

type: $(INSTALLED)
	$(BIN)/mypy

layers: $(INSTALLED)
	$(BIN)/lint-imports

wheel: $(INSTALLED)
	rm -rf dist
	$(BIN)/python -m build --quiet --outdir dist
	$(BIN)/check-wheel-contents dist/*.whl

clean:
	rm -rf $(VENV) dist runs
