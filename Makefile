# Everything lives in this checkout: the environment in .venv, caches and state in dot folders.
PYTHON ?= python3
BIN := .venv/bin
export XDG_CACHE_HOME := $(CURDIR)/.cache

BENCH_DIR ?=
MIRRORS ?= .mirrors

.PHONY: install demo serve test lint format rules-page picture bench accuracy

install: .venv/installed

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

demo: install
	$(BIN)/meteraudit demo

serve: install
	$(BIN)/meteraudit serve

# pytest would keep its last temporary folders outside the checkout.
test: install lint
	@$(BIN)/python tests/browser/chromium.py
	@folder=$$(mktemp -d) && { $(BIN)/pytest --basetemp $$folder/pytest; code=$$?; rm -rf $$folder; exit $$code; }

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

rules-page: install
	$(BIN)/python -m bot.rule_pages

picture: install
	PYTHONPATH=. $(BIN)/python deploy/picture.py
	PYTHONPATH=. $(BIN)/python deploy/screenshots.py

bench: install
	$(BIN)/python -m tests.bench $(BENCH_DIR)

# Bare mirrors of the repositories that tests/accuracy/*.jsonl name, as MIRRORS/OWNER+NAME/repo or MIRRORS/OWNER/NAME.git.
accuracy: install
	$(BIN)/python tests/accuracy/score.py labels --mirrors $(MIRRORS) -- $(BIN)/meteraudit
	$(BIN)/python tests/accuracy/score.py replay --mirrors $(MIRRORS) -- $(BIN)/meteraudit
