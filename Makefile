# Every target sets up what it needs in .venv; a second run installs nothing.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help serve test test-clients test-oldest bench check fresh format clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: $(PYTHON) is older than 3.11"; echo "hint: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/installed-dev: pyproject.toml | .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

serve: .venv/installed ## Serve all providers on http://127.0.0.1:8000
	@$(BIN)/emulator serve

test: .venv/installed-dev ## Run all tests
	$(BIN)/python -m pytest -n auto

# One environment for each group of client libraries in pyproject.toml, since they do not agree with each other.
.venv-clients/%/installed: pyproject.toml | .venv/bin/python
	$(PYTHON) -m venv .venv-clients/$*
	.venv-clients/$*/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

# Without npm, the clients of its registry are skipped.
tests/sdk/clients/node/node_modules: tests/sdk/clients/node/package.json
	! command -v npm >/dev/null || npm install --prefix tests/sdk/clients/node --no-package-lock --no-audit --no-fund --loglevel=error
	@if [ -d $@ ]; then touch $@; fi

test-clients: .venv-clients/clients/installed .venv-clients/clients-openai2/installed tests/sdk/clients/node/node_modules ## Run all client libraries against the providers
	.venv-clients/clients/bin/python -m pytest -n auto tests/sdk/clients
	.venv-clients/clients-openai2/bin/python -m pytest -n auto tests/sdk/clients -k 'not npm'

# What pyproject.toml allows has to work, not only what is newest.
.venv-oldest/installed: pyproject.toml | .venv/bin/python
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python tests/oldest.py >.venv-oldest/constraints
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check --constraint .venv-oldest/constraints --editable '.[dev]'
	@touch $@

test-oldest: .venv-oldest/installed ## Run the tests of the command line and the plugin with the oldest versions allowed
	.venv-oldest/bin/python -m pytest -n auto tests/unit tests/cli tests/plugin/test_pytest_plugin.py

# All rows, or some: make bench ROWS=1,5. What a row needs beside is put into .bench; without it the row is skipped.
ROWS ?=
comma := ,
bench: .venv/installed ## Measure speed beside raw uvicorn and others, into docs/PERFORMANCE.md
	@$(BIN)/python -m tests.benchmarks $(subst $(comma), ,$(ROWS))

check: .venv/installed-dev ## Lint, types, data, and generated files that must be fresh
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/emulator check
	$(BIN)/python tests/freshness.py

fresh: .venv/installed-dev ## Write the generated files anew
	$(BIN)/python tests/freshness.py --write

format: .venv/installed-dev ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove the virtual environment and caches
	rm -rf .venv .venv-clients .venv-oldest .bench tests/sdk/clients/node/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
