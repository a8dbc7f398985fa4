# sendit: bare `make` lists the targets.
.DEFAULT_GOAL := help
.PHONY: site docs-heavy help setup demo demo-web screenshots up down health test test-unit check docs lint bench bench-pixels fuzz scale soak faults growing corpus wheel licences lock clean
SHELL := /bin/bash
# Where it is set, each of the many processes that tests start would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# No tool may write into the operator's var/ by importing the settings.
SCRATCH := $(CURDIR)/build/var
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock" pyproject.toml

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv with everything in it (done by the others when needed)

$(STAMP): requirements-dev.lock pyproject.toml CHANGELOG.md
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "sendit needs Python 3.11 or newer as '$(PYTHON)' (or: make PYTHON=/path/to/python3.11)."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "Python's venv is missing. On Debian: apt-get install python3-venv"; exit 1; }
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements-dev.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## a dozen studies through the whole job, explained
	@$(BIN)/python -m demo

screenshots: setup ## the pictures of docs/web.md, taken by the test in Chromium
	@$(BIN)/python -m pytest -q tests/e2e/test_chromium.py tests/e2e/test_reviewing.py --screenshots docs/screenshots

demo-web: setup ## the pages, in a browser, with what `make demo` made
	@$(BIN)/python -m demo.web

up: setup ## the whole production topology on loopback: a line for each server that is well
	@$(BIN)/python -m topology up

health: setup ## the same lines again
	@$(BIN)/python -m topology health

down: setup ## stop it
	@$(BIN)/python -m topology down

test-unit: setup ## the unit tests, in under a minute: each room by itself, without other processes
	@$(BIN)/python -m pytest tests/unit -n auto --dist loadgroup

test: setup ## all tests; a few with servers that fail among the others run once more, alone
	@$(BIN)/python -m pytest -n auto --dist loadgroup || $(BIN)/python -m tests.again

docs: setup ## write the pages that are tables of the code
	@SENDIT_VAR=$(SCRATCH) $(BIN)/python docs/generate.py

site: setup ## docs/ as a site in build/site, its links checked
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

docs-heavy: setup ## the block of docs/researchers.md that brings torch (some 2 GB, once)
	@test -x build/heavy/bin/python || $(PYTHON) -m venv build/heavy
	@build/heavy/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 monai itk
	@HEAVY_PYTHON=$(CURDIR)/build/heavy/bin/python $(BIN)/python -m pytest tests/integration/test_researchers_page.py

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	SENDIT_VAR=$(SCRATCH) $(BIN)/mypy
	SENDIT_VAR=$(SCRATCH) $(BIN)/lint-imports --no-cache

growing: setup ## 100 studies that grow, are taken back and made again while workers are killed at random
	@$(BIN)/python -m pytest tests/fault/pipeline/test_growing_kills.py -k random --growing 100 --timeout 3600

check: lint test ## what CI runs: format, ruff, mypy --strict, import-linter, tests

bench: setup ## the bars of the design, measured; writes docs/benchmarks.md
	@$(BIN)/python -m bench

bench-pixels: setup ## how much text in pixels is found, by height and contrast; writes the table of docs/pixels.md
	@$(BIN)/python -m bench.pixels

fuzz: setup ## 100,000 mutated files, 20,000 of illegal values, 20,000 mutated recipes, 100,000 frames
	@$(BIN)/python -m tests.fuzz && $(BIN)/python -m tests.fuzz.frames

scale: setup ## a study of 100,000 images, 30,000 frames, and what is heavy: peak memory of each
	@$(BIN)/python -m tests.long scale

soak: setup ## 10,000 batches through one watcher: memory and open files stay as they were
	@$(BIN)/python -m tests.long soak

faults: setup ## ten rounds of kills, full disks and lost answers
	@$(BIN)/python -m tests.long faults

corpus: setup ## planted identifiers: both corpora with five seeds, and their scores
	@$(BIN)/python -m tests.corpus --seeds 5

wheel: setup ## dist/sendit-VERSION.whl, which the Dockerfile installs, and its bill of materials
	@rm -rf dist
	@$(BIN)/python -m hatchling build -t wheel

licences: setup ## THIRD-PARTY.md: the licence of each package in the lock files
	@$(BIN)/python -m bom

lock: ## bring the lock files up to date with pyproject.toml
	@test -x $(BIN)/uv || { $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet uv; }
	@$(LOCK) --output-file requirements.lock
	@$(LOCK) --extra postgres --extra celery --extra dasher --extra google --extra s3 --extra azure --extra sftp --extra age --extra web --extra sentry --extra pixels \
		--output-file requirements-production.lock
	@$(LOCK) --all-extras --output-file requirements-dev.lock

clean: ## remove .venv, var/demo and what tools leave behind
	@rm -rf $(VENV) var/demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
