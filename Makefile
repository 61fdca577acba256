# The project's commands; each sets up what it needs first.
SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow check docs bench clean

BIN := .venv/bin
# a virtual screen where there is none
SCREEN := $(if $(or $(DISPLAY),$(WAYLAND_DISPLAY)),,xvfb-run -a -s "-screen 0 1920x1200x24")

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

setup:  ## make .venv and install what is needed
	@scripts/setup.sh

demo: setup  ## run the main job on a phantom, from CT and maps to liberation curves
	$(BIN)/slagseg demo demo $(DEMO)

test: setup  ## run the test suite, the window's tests included
	NUMBA_NUM_THREADS=2 $(SCREEN) $(BIN)/python -m pytest -n 2 $(TESTS)

test-slow: setup  ## run the slow tests, too
	NUMBA_NUM_THREADS=2 $(SCREEN) $(BIN)/python -m pytest -n 2 -m "slow or not slow" $(TESTS)

check: setup  ## lint, types, import contracts, manifest, docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/npe2 validate napari-slagseg
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

docs: setup  ## serve the docs on this machine
	$(BIN)/mkdocs serve

bench: setup  ## print speed and memory beside what a user would pick instead (BENCH=--quick)
	$(SCREEN) $(BIN)/python -m benchmarks $(BENCH)

clean:  ## remove the demo, caches and built docs
	rm -rf demo site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
