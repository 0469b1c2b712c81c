# Two commands set everything up: `make demo` and `make test`.
PYTHON ?= python3
BIN = .venv/bin
# The locked files are complete, so nothing is left for pip to resolve.
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps

.PHONY: demo test lint bench lock clean

demo: .venv/run
	$(BIN)/penult extract examples/photos
	$(BIN)/python examples/demo.py photos.lance examples/photos

test: .venv/dev lint
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist worksteal --cov --cov-report=term:skip-covered --cov-fail-under=90

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The peers' environments, several GB
CACHE ?= .peers

bench: .venv/dev
	$(BIN)/python benchmarks/peers.py $(CACHE)

COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --group build

lock: .venv/dev
	$(COMPILE) pyproject.toml --output-file requirements/run.txt
	$(COMPILE) pyproject.toml --all-extras --group dev --constraints requirements/run.txt --output-file requirements/dev.txt

.venv/run: requirements/run.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(PIP) -r requirements/run.txt
	$(PIP) --no-build-isolation --editable .
	$(BIN)/python -m compileall -q src
	touch $@

.venv/dev: .venv/run requirements/dev.txt
	$(PIP) -r requirements/dev.txt
	touch $@

clean:
	rm -rf .venv photos.lance
