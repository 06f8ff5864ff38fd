# make demo | test | test-long | lint | bench | bench-quick | docs: each makes its own environment in .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Byte code is kept: pytest would rewrite hundreds of modules anew on every run without it.
RUN := env -u PYTHONDONTWRITEBYTECODE
SCREEN := $(RUN) sh .ci/with-screen

.PHONY: demo test test-long lint bench bench-quick docs clean

demo: $(VENV)/.all
	sh .ci/system-packages
	$(BIN)/qsm-stroke demo --out demo-output

test: $(VENV)/.dev
	sh .ci/system-packages
	$(SCREEN) $(BIN)/python -m pytest -m "not long" -n auto --dist loadgroup

test-long: $(VENV)/.dev
	sh .ci/system-packages
	$(SCREEN) $(BIN)/python -m pytest -m long --timeout 3600

lint: $(VENV)/.dev
	$(BIN)/ruff check src tests benchmarks examples
	$(BIN)/ruff format --check src tests benchmarks examples
	$(BIN)/mypy
	$(BIN)/lint-imports

# Hours where nothing is cached; bench-quick takes minutes and writes nothing.
bench: $(VENV)/.dev
	$(RUN) $(BIN)/python -m benchmarks all --write

bench-quick: $(VENV)/.dev
	$(RUN) $(BIN)/python -m benchmarks accuracy --quick

docs: $(VENV)/.docs
	$(BIN)/sphinx-build -W -q docs docs/_build

clean:
	rm -rf $(VENV) docs/_build demo-output

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV) || { sh .ci/system-packages && $(PYTHON) -m venv --clear $(VENV); }
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.%: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[$*]"
	touch $@
