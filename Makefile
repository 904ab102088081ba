# Everything from a fresh machine that has only Python >= 3.11: each target sets up what it needs, once.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help demo test test-fast test-exhaustive lint types check schema architectures gallery pictures bench clean

help: ## List the targets.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "e360 needs Python >= 3.11: make PYTHON=python3.11 ..."; exit 1; }
	@echo "Setting up $(VENV) (PyTorch is large: a few minutes, once) ..."
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade 'pip>=25.1'
	$(PIP) --editable .
	@touch $@

$(VENV)/.developer: $(VENV)/.installed
	$(PIP) --group dev
	@touch $@

demo: $(VENV)/.installed ## Audit the model that comes with e360; the report is e360-out/demo/report.html.
	$(BIN)/e360 demo

test: $(VENV)/.developer ## Run all tests.
	$(BIN)/python -m pytest -n 2

test-fast: $(VENV)/.developer ## Run the tests that take no more than a few seconds each.
	$(BIN)/python -m pytest -n 2 -m "not slow and not exhaustive"

test-exhaustive: $(VENV)/.developer ## Run the tests that take minutes to say what the others say of fewer cases.
	$(BIN)/python -m pytest -n 2 -m exhaustive

lint: $(VENV)/.developer ## Check style and who imports whom.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

types: $(VENV)/.developer ## Check types.
	$(BIN)/mypy

check: lint types test ## What CI runs.

schema: $(VENV)/.installed ## Write the JSON Schema of scorecards anew.
	$(BIN)/python -m efficiency360.schema > efficiency360/scorecard.schema.json

architectures: $(VENV)/.installed ## Write the index of architectures that e360 inspect compares with anew (minutes).
	$(BIN)/python -m efficiency360.subject.inspection.index > efficiency360/subject/inspection/architectures.json.new
	mv efficiency360/subject/inspection/architectures.json.new efficiency360/subject/inspection/architectures.json

gallery: $(VENV)/.installed ## Render the kept reports anew from their scorecards, and their front page.
	for card in reports/*/scorecard.json reports/*/search/search.json; do $(BIN)/e360 report $$(dirname $$card) || exit 1; done
	$(BIN)/e360 gallery reports

pictures: $(VENV)/.installed ## Take the README's pictures and the figures of its demo anew (after `make demo`; Chromium).
	$(BIN)/python docs/pictures.py

bench: $(VENV)/.developer ## Print the ratios that the project promises; see benchmarks/.
	$(PIP) --group bench
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

clean: ## Remove the environment and caches.
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
