# The front door of Reprise. Each target first makes .venv from constraints.txt when it is missing or stale.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3.11
PYTHON := $(shell command -v $(PYTHON) || command -v python3)
VENV := .venv
PY := $(VENV)/bin/python
REPRISE := $(VENV)/bin/reprise
STAMP := $(VENV)/.stamp
CONFIG ?= paper

NETWORK ?= digits
TARGET ?= ecp5
# The hand-off's default is the preset that fits a small FPGA.
FPGA_CONFIG = $(if $(filter command line environment,$(origin CONFIG)),$(CONFIG),small)
IMAGES ?= 8
SEED ?= 0
COSIM_OPTIONS = --config $(CONFIG) --images $(IMAGES) --seed $(SEED) $(if $(WAVES),--waves)

# One line that counts the packages as pip finds them, then says that it installs them.
SHOW_PACKAGES = sed -un 's/^ *Collecting \([^ ]*\).*/\1/p; s/^ *Installing collected.*/all found, installing/p' | \
	{ n=0; while read -r name; do n=$$((n + 1)); printf '\r\033[K[setup] %d of about %d: %s' \
	$$n $$(grep -c == constraints.txt) "$$name"; done; echo; }

.PHONY: help setup verilog cosim fpga fpga-check check test lint format bench replay soak mutate clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

setup: $(STAMP)  ## make the environment (.venv), two to five minutes

$(STAMP): pyproject.toml constraints.txt
	@echo "[setup] making $(VENV) with $(PYTHON): two to five minutes, once"
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v == (3, 11) else f"Python 3.11 is needed, this is {v}: set PYTHON=/path/to/python3.11")'
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@set -o pipefail; $(PY) -m pip install --disable-pip-version-check --progress-bar off -c constraints.txt \
		-e '.[import,fpga,dev]' | $(SHOW_PACKAGES)
	@touch $@
	@echo "[setup] done"

verilog: $(STAMP)  ## build/verilog/CONFIG/reprise.v and its JSON sidecar  [CONFIG=paper]
	$(REPRISE) verilog --config $(CONFIG)

cosim: $(STAMP)  ## a network, or recorded spikes, in RTL against the model  [NETWORK=digits CONFIG=paper IMAGES=8 SEED=0 WAVES=1 CAPTURE=file]
	$(REPRISE) cosim $(if $(CAPTURE),--capture $(CAPTURE),$(NETWORK)) $(COSIM_OPTIONS)

fpga: $(STAMP)  ## build/handoff/CONFIG: RTL, constraints, drivers, testbench  [CONFIG=small TARGET=ecp5]
	$(REPRISE) fpga handoff --config $(FPGA_CONFIG) --target $(TARGET)

fpga-check: $(STAMP)  ## synthesize and route `small`; delta against the committed baseline
	$(REPRISE) fpga check

test: $(STAMP)  ## all tests (about 20 minutes on two cores when nothing is cached)
	@echo "[test] pytest on two cores"
	OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 -m "not slow"

check: lint  ## what to run before a commit, under two minutes: lint, then the quick tests
	OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 -m quick

lint: $(STAMP)  ## ruff: rules and format; YAML and whitespace; the order of the rooms; types
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .
	$(PY) -m tools.check_files $$(git ls-files)
	$(VENV)/bin/lint-imports
	$(VENV)/bin/mypy

format: $(STAMP)  ## rewrite with the formatter
	$(VENV)/bin/ruff check --fix . ; $(VENV)/bin/ruff format .

bench: $(STAMP)  ## benchmarks, JSON and table
	$(PY) -m tools.bench

replay: $(STAMP)  ## recorded spikes through the core's RTL at the paper's size  [CAPTURE=file]
	$(PY) -m tools.replay_core $(CAPTURE) $(if $(DOCS),--docs $(DOCS))

soak: $(STAMP)  ## long random and real-network co-simulation
	$(REPRISE) soak

mutate: $(STAMP)  ## deliberate faults in the sources, each must be caught by its test
	$(PY) -m tests.mutation.runner

clean:  ## remove build products (not .venv)
	rm -rf build
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
