# Two commands set everything up: `make demo` and `make test`.
# Another Python has an environment of its own: make test PYTHON=python3.13
PYTHON ?= python3
VENV = .venv$(if $(filter-out python3,$(PYTHON)),-$(notdir $(PYTHON)))
BIN = $(VENV)/bin
# The locked files are complete, so nothing is left for pip to resolve.
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps

.PHONY: demo test short lint docs dist bench lock clean

demo: $(VENV)/run
	$(BIN)/penult extract examples/photos
	$(BIN)/python examples/demo.py photos.lance examples/photos

test: $(VENV)/dev lint
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist worksteal --cov --cov-report=term:skip-covered --cov-fail-under=90

# A twentieth of the tests, for Pythons beside the one that all of them run on
short: $(VENV)/dev demo
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist worksteal --share 20

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/dev
	$(BIN)/python tools/build_site.py build

dist: $(VENV)/dev
	rm -rf dist
	$(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python --out-dir dist
	$(BIN)/python -m twine check --strict dist/*.whl dist/*.tar.gz

# The peers' environments, several GB
CACHE ?= .peers

bench: $(VENV)/dev
	$(BIN)/python benchmarks/peers.py $(CACHE)

COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --group build

lock: $(VENV)/dev
	$(COMPILE) pyproject.toml --output-file requirements/run.txt
	$(COMPILE) pyproject.toml --all-extras --group dev --constraints requirements/run.txt --output-file requirements/dev.txt

$(VENV)/run: requirements/run.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) -r requirements/run.txt
	$(PIP) --no-build-isolation --editable .
	$(BIN)/python -m compileall -q src
	touch $@

$(VENV)/dev: $(VENV)/run requirements/dev.txt
	$(PIP) -r requirements/dev.txt
	touch $@

clean:
	rm -rf .venv* build dist photos.lance
