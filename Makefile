# Needs Python >= 3.11, make and git; everything else is put into .venv.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
# Their tests run side by side, each process with installations of its own: those that wait leave the machine to others.
# The few that must have it to themselves say why by their marker `alone`; they come first, so that one process compiles
# the tests for all.
SUITES = $(wildcard $(addprefix tests/,unit contract integration acceptance browser faults))

# Certificates of the system, so that it works behind a proxy that has its own; pip, with the machine's own
# configuration, where uv cannot reach an index.
UV_SYSTEM_CERTS ?= 1
UV_HTTP_TIMEOUT ?= 60
export UV_SYSTEM_CERTS UV_HTTP_TIMEOUT
fetch = $(BIN)/uv pip install -q --python $(BIN)/python $(1) || $(BIN)/python -m pip install -q $(1)
# Without bytecode every start takes three times as long, and tests are compiled by each process that runs some.
unexport PYTHONDONTWRITEBYTECODE
compile = $(BIN)/python -m compileall -q -j 0 $(1) || true

# Servers that tests talk to, and a browser, from Debian where one is missing and may be installed.
SERVERS = nats-server rabbitmq-server chromium
server = PATH="$$PATH:/usr/sbin" command -v $(1) >/dev/null

.PHONY: help install up test proof check spec docs bench lock servers

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*  ## /\1\t/p' $(MAKEFILE_LIST)

install: .venv/runtime.stamp  ## the product and what it needs, into .venv
	@$(call compile,src migrations)

up: install  ## run Crosstie with a demo tenant
	@exec $(BIN)/crosstie up --demo

test: .venv/test.stamp tests/judges/node_modules/.stamp servers  ## every test in its short form
	@$(call compile,src migrations tests)
	$(BIN)/pytest -m 'alone and not proof' $(SUITES)
	$(BIN)/pytest -m 'not proof and not alone' -n 4 --dist worksteal $(SUITES)

proof: .venv/test.stamp tests/judges/node_modules/.stamp servers  ## the long forms of fault, fuzz and load runs
	$(BIN)/pytest -m proof --timeout 3600 $(SUITES)

check: .venv/test.stamp  ## format, lint, types, import contracts and freshness of spec/
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m crosstie.spec --check

spec: .venv/runtime.stamp  ## write spec/ and docs/reference/ from the declarations
	@$(BIN)/python -m crosstie.spec

docs: .venv/runtime.stamp  ## the documentation and the API reference as files for any web server, in build/site
	@$(BIN)/python -m crosstie.publish build/site

bench: .venv/test.stamp  ## every figure, as a ratio against a bare reference of the same run
	@$(BIN)/python bench/table.py

# --- installing ---------------------------------------------------------------------------------------------------

.venv/install.stamp: requirements/install.lock
	@test -n "$(PYTHON)" || { echo "Crosstie needs Python 3.11 or newer; set PYTHON=/path/to/python3" >&2; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "This Python cannot make virtual environments: install its venv package (Debian: python3-venv)" >&2; exit 1; }
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv/runtime.stamp: .venv/install.stamp requirements/runtime.lock pyproject.toml
	@echo "Installing Crosstie into .venv"
	@$(call fetch,--no-deps --require-hashes -r requirements/runtime.lock)
	@$(call fetch,--no-deps --no-build-isolation -e .)
	@$(call compile,.venv/lib)
	@touch $@

.venv/test.stamp: .venv/runtime.stamp requirements/test.lock
	@echo "Installing what tests need into .venv"
	@$(call fetch,--no-deps --require-hashes -r requirements/test.lock)
	@$(call compile,.venv/lib)
	@touch $@

# Implementations of other people that judge ours, run with the machine's Node or one from PyPI.
tests/judges/node_modules/.stamp: tests/judges/package-lock.json requirements/node.lock .venv/install.stamp
	@echo "Installing the judges into tests/judges"
	@command -v npm >/dev/null || $(call fetch,--require-hashes -r requirements/node.lock)
	@cd tests/judges && PATH="$$PATH:$(CURDIR)/$(BIN)" npm ci --silent --no-audit --no-fund
	@touch $@

servers:
	@for each in $(SERVERS); do $(call server,$$each) && continue; \
		{ test "$$(id -u)" = 0 && command -v apt-get >/dev/null && echo "Installing $$each" && apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$each >/dev/null; } || \
		echo "$$each is missing and cannot be installed here: its tests are skipped" >&2; done

# Locks are complete, and installed as they stand. They hold names, versions and hashes only, no addresses, so that they
# work behind any mirror.
COMPILE = $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links $(UPGRADE)

lock: .venv/install.stamp  ## rewrite the lock files (UPGRADE=--upgrade takes newer versions)
	$(COMPILE) requirements/install.in -o requirements/install.lock
	$(COMPILE) pyproject.toml --extra embedded -c requirements/install.lock -o requirements/runtime.lock
	$(COMPILE) requirements/test.in -c requirements/install.lock -c requirements/runtime.lock -o requirements/test.lock
	$(COMPILE) requirements/node.in -o requirements/node.lock
