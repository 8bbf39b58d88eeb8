# nbdrag needs Python 3.10 or newer, Node 20 or newer, and make; everything else is put into .venv
# and js/node_modules. A target that is up to date costs nothing.
#
#   make lab      open the quickstart in JupyterLab        (PORT=8888, ARGS="--no-browser")
#   make test     every test, the browser's among them     (ARGS="-k drag")
#   make lint     formatting, types, import arrows
#   make bench    measure speed and quality                (ARGS="speed")
#   make build    wheel and sdist, checked, in dist/
#   make clean    remove what was built

PYTHON ?= python3
VENV ?= .venv
PORT ?= 8888
ARGS ?=

BIN := $(VENV)/bin
BUNDLE := nbdrag/assets/js/drag.js nbdrag/assets/js/paint.js nbdrag/assets/js/batch.js
JS_SOURCES := $(shell find js -name node_modules -prune -o -type f -print 2>/dev/null)
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help lab test test-js test-python lint bench build clean chromium
.DELETE_ON_ERROR:

help:
	@sed -n '/^#   make/s/^#  //p' Makefile

lab: $(VENV)/.lab $(BUNDLE)
	$(BIN)/nbdrag lab notebooks/quickstart.ipynb --port $(PORT) $(ARGS)

# The Python tests come last, so that a run ends with their count.
test: test-js test-python

test-js: js/node_modules/.package-lock.json
	cd js && npm run --silent check && npm test --silent

# The tests' networks are small: threads that wait for each other would only spin.
test-python: $(VENV)/.test $(BUNDLE) chromium
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --nbmake tests notebooks/quickstart.ipynb notebooks/lessons $(ARGS)

lint: $(VENV)/.lint
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.test $(BUNDLE)
	$(BIN)/nbdrag bench $(ARGS)

build: $(VENV)/.test $(BUNDLE)
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist
	$(BIN)/python tools/release_check.py dist/*.whl

clean:
	rm -rf dist nbdrag/assets/js js/node_modules test-artifacts $(VENV)/.lab $(VENV)/.test $(VENV)/.lint
	find nbdrag tests tools benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# --------------------------------------------------------------------------- what the above needs

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	  || { echo "nbdrag needs Python 3.10 or newer: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { echo "could not make $(VENV); on Debian and Ubuntu: apt install python3-venv" >&2; rm -rf $(VENV); exit 1; }

$(VENV)/.lab: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) -e '.[lab]'
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) -e '.[test,hosts]'
	@touch $@ $(VENV)/.lab

$(VENV)/.lint: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) -e '.[lint]'
	@touch $@

js/node_modules/.package-lock.json: js/package-lock.json
	@command -v npm >/dev/null || { echo "nbdrag's browser half is built with Node 20 or newer: install Node with npm" >&2; exit 1; }
	cd js && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# One build makes all.
nbdrag/assets/js/drag.js: js/node_modules/.package-lock.json $(JS_SOURCES)
	cd js && npm run --silent build
	@touch $@

nbdrag/assets/js/paint.js nbdrag/assets/js/batch.js: nbdrag/assets/js/drag.js
	@test -f $@ || (cd js && npm run --silent build)

chromium:
	@sh tools/chromium.sh
