# Everything lives in this checkout: the environment in .venv, caches and state in dot folders.
PYTHON ?= python3
BIN := .venv/bin
export XDG_CACHE_HOME := $(CURDIR)/.cache

.PHONY: install demo serve test lint format

install: .venv/installed

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

demo: install
	$(BIN)/meteraudit demo

serve: install
	$(BIN)/meteraudit serve

test: install lint
	$(BIN)/pytest

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
