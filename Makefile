# The words of this project. `make run` and `make test` need nothing but Python 3.11 to 3.13 and make.

PYTHON := $(shell for python in python3.12 python3.11 python3.13 python3; do \
	$$python -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
RUN := requirements/base.lock requirements/engine.lock
DEV := $(RUN) requirements/dev.lock
BENCH := $(DEV) requirements/bench.lock
PORT ?= 8000

.PHONY: run test prove bench check fix lock

run: .venv/.run  ## Start everything on this machine; Ctrl-C stops it
	@$(BIN)/python manage.py up --demo --port $(PORT)

test: .venv/.dev  ## All tests, on a real PostgreSQL and a real Redis
	$(BIN)/python -m pytest -n auto -m "not proof" $(ARGS)

prove: .venv/.dev  ## The same properties at full counts
	$(BIN)/python -m pytest -m proof $(ARGS)

bench: .venv/.bench  ## Ratios, each against a limit measured in the same run
	$(BIN)/python -m tests.bench

check: .venv/.dev  ## What needs no server: format, lint, imports, types, OpenAPI and migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy .
	$(BIN)/python manage.py check --fail-level WARNING
	LOG_LEVEL=ERROR $(BIN)/python -W ignore manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file .venv/openapi.yaml
	diff tests/openapi.yaml .venv/openapi.yaml

fix: .venv/.dev  ## Mend what can be mended by itself
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file tests/openapi.yaml

lock: .venv/.uv  ## Compile requirements/*.in again: hashes, no addresses
	@cd requirements && for name in base engine dev bench; do ../$(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate $$name.in -o $$name.lock; done

.venv/.uv:
ifeq ($(PYTHON),)
	@echo "Python 3.11, 3.12 or 3.13 with venv is needed: install python3 and python3-venv (Debian: apt-get install python3-venv)." >&2; exit 1
endif
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv || echo "no uv here; pip does it, more slowly"
	@touch $@

# $(call install,a.lock b.lock): with uv where it has a wheel, else with pip
define install
	@if [ -x $(BIN)/uv ]; then tool="$(BIN)/uv pip install --python $(BIN)/python"; \
	else tool="$(BIN)/python -m pip install --no-compile --disable-pip-version-check"; fi; \
	$$tool --quiet --require-hashes $(1:%=-r %)
	@touch $@
endef

.venv/.run: .venv/.uv $(RUN)
	$(call install,$(RUN))

.venv/.dev: .venv/.run $(DEV)
	$(call install,$(DEV))

.venv/.bench: .venv/.dev $(BENCH)
	$(call install,$(BENCH))
