# Every target works in a fresh clone: it makes the virtual environment it needs, once. V=1 shows what the tools say.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help dev test check lock clean

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Options for `heimdall dev` and `pytest`: make dev ARGS="--link-hours 0.001", make test ARGS="-k tap".
ARGS ?=
# Test processes at a time: most tests wait for processes and clocks, not for a core. In the order of the files the few
# long tests (tests/e2e) begin first, and the many short ones fill up the end.
JOBS ?= 3
export HEIMDALL_STARTED_AT := $(shell date +%s)

help:
	@echo "make dev      everything in one terminal: server, workers, demo page (ARGS=\"--link-hours 0.001\", ...)"
	@echo "make test     all tests that this machine can run (ARGS=\"-k tap\", ...)"
	@echo "make check    ruff, mypy, import-linter, and that generated files are up to date"
	@echo "make lock     pin the newest dependencies that pyproject.toml allows"
	@echo "make clean    remove the virtual environment and the caches; .heimdall, the data, stays"
	@echo "PYTHON=python3.13 takes another interpreter (3.11 or newer); V=1 shows what the tools say"

dev: $(VENV)/installed-dev-server
	@exec $(BIN)/heimdall dev $(ARGS)

test: $(VENV)/installed-test
	@$(BIN)/python -m pytest $(if $(V),-v,-q) -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/installed-test
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy $(if $(V),,--no-error-summary)
	@said=$$($(BIN)/lint-imports 2>&1) || { echo "$$said" >&2; exit 1; }
	@$(BIN)/python -m broker.contract --check
	@echo "heimdall: ruff, mypy, import-linter and generated files are in order"

lock: $(VENV)/installed-test
	@$(BIN)/pip install --quiet pip-tools
	@$(call compile,requirements.txt,--extra dev-server)
	@$(call compile,requirements-dev.txt,--extra dev-server --extra test)

clean:
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find broker workers tests -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is written last, so an interrupted installation is simply repeated.
$(VENV)/installed-dev-server: deploy/requirements.txt pyproject.toml | $(VENV)/made
	@$(call install,deploy/requirements.txt)
	@touch $@

$(VENV)/installed-test: deploy/requirements-dev.txt pyproject.toml | $(VENV)/made
	@$(call install,deploy/requirements-dev.txt)
	@touch $@ $(VENV)/installed-dev-server

$(VENV)/made:
	@command -v $(PYTHON) >/dev/null || { echo "heimdall: no $(PYTHON) here: install Python 3.11 or newer," \
	    "or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "heimdall: $(PYTHON) is" \
	    "$$($(PYTHON) --version 2>&1): Python 3.11 or newer is needed, name one: make PYTHON=python3.13" >&2; exit 1; }
	@echo "heimdall: making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV) || { echo "heimdall: $(PYTHON) cannot make a virtual environment:" \
	    "on Debian and Ubuntu install python3-venv" >&2; exit 1; }
	@touch $@

# Pinned packages by hash, then the project itself, editable, built by the pinned hatchling.
define install
  total=$$(grep -c '^[a-z].*==' $(1)); \
  echo "heimdall: installing $$total packages of $(1)"; \
  $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -r $(1) 2>&1 | \
    tee $(VENV)/install.log | $(if $(V),cat,$(call progress)) || \
    { printf '\n' >&2; tail -n 20 $(VENV)/install.log >&2; exit 1; }; \
  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
endef

# One line that counts on a terminal, nothing in a pipe.
define progress
{ if [ -t 1 ]; then count=0; while read -r word name _; do case "$$word" in \
    Collecting) count=$$((count + 1)); printf '\r  %3d of %d  %-40.40s' $$count $$total "$$name" ;; \
    Installing) printf '\r  unpacking %d packages %-30s' $$total ' ' ;; \
  esac; done; printf '\r%-60s\r' ' '; else cat >/dev/null; fi; }
endef

define compile
$(BIN)/pip-compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-emit-trusted-host \
    --no-emit-find-links --strip-extras --build-deps-for editable $(2) -o deploy/$(1) pyproject.toml
endef
