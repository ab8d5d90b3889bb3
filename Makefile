# The front door of Reprise. Each target first brings .venv to the level that it needs (base, fpga or all), when
# constraints.txt or pyproject.toml is newer.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3.11
PYTHON := $(shell command -v $(PYTHON) || command -v python3)
VENV := .venv
PY := $(VENV)/bin/python
# A file's tests stay on one core: what they share (simulators, models, networks) is made once.
PYTEST := $(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder
REPRISE := $(VENV)/bin/reprise
BASE := $(VENV)/.stamp-base
FPGA := $(VENV)/.stamp-fpga
ALL := $(VENV)/.stamp-all
FRAMEWORKS := .venv-frameworks/.stamp
CONFIG ?= paper

NETWORK ?= digits
TARGET ?= ecp5
# The hand-off's default is the preset that fits a small FPGA.
FPGA_CONFIG = $(if $(filter command line environment,$(origin CONFIG)),$(CONFIG),small)
# ... and a small network of fixed random weights, which every preset runs.
FPGA_NETWORK = $(if $(filter command line environment,$(origin NETWORK)),$(NETWORK),sample)
IMAGES ?= 8
SEED ?= 0
COSIM_OPTIONS = --config $(CONFIG) $(if $(CAPTURE),,--images $(IMAGES)) --seed $(SEED) $(if $(WAVES),--waves) $(if $(TRACE),--trace)

.PHONY: help setup verilog cosim asic energy energy-check fpga fpga-check check test frameworks lint format bench docs screenshot replay fuzz soak mutate handoff-faults clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

setup: $(ALL)  ## everything into the environment (.venv), two to five minutes; other targets install what they need

$(VENV)/.stamp-%: pyproject.toml constraints.txt
	@$(PYTHON) tools/setup_environment.py $*

verilog: $(BASE)  ## build/verilog/CONFIG/reprise.v and its JSON sidecar  [CONFIG=paper]
	$(REPRISE) verilog --config $(CONFIG)

cosim: $(BASE)  ## a network, or recorded spikes, in RTL against the model  [NETWORK=digits CONFIG=paper IMAGES=8 SEED=0 WAVES=1 TRACE=1 CAPTURE=file]
	$(REPRISE) cosim $(if $(CAPTURE),--capture $(CAPTURE),$(NETWORK)) $(COSIM_OPTIONS)

asic: $(FPGA)  ## area by block, memory macros and clock of the accelerator as a chip (IHP SG13G2, 130 nm)  [CONFIG=paper]
	$(REPRISE) asic --config $(CONFIG)

energy: $(FPGA)  ## energy of a network by layer and block, from the RTL's switching  [NETWORK=digits CONFIG=paper]
	$(REPRISE) energy $(NETWORK) --config $(CONFIG)

energy-check: $(ALL)  ## the replay that energy rests on against a gate-level simulation of `tiny`; minutes
	OMP_NUM_THREADS=1 $(PY) -m pytest -m slow tests/flow/chip

fpga: $(FPGA)  ## build/handoff/CONFIG: RTL, constraints, drivers, testbench, image  [NETWORK=sample CONFIG=small TARGET=ecp5]
	$(REPRISE) fpga handoff --config $(FPGA_CONFIG) --target $(TARGET) --network $(FPGA_NETWORK)

fpga-check: $(FPGA)  ## synthesize and route `small`; delta against the committed baseline
	$(REPRISE) fpga check

test: $(ALL)  ## all tests (about 11 minutes on two cores when nothing is cached)
	@echo "[test] pytest on two cores"
	OMP_NUM_THREADS=1 $(PYTEST) -m "not slow"

frameworks: $(FRAMEWORKS)  ## snnTorch, Brevitas and others in .venv-frameworks, an environment of their own, and the tests of their imports
	OMP_NUM_THREADS=1 $(dir $(FRAMEWORKS))bin/python -m pytest tests/frameworks -p no:cacheprovider -o filterwarnings=default

$(FRAMEWORKS): constraints-frameworks.txt
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet --no-deps --no-compile -r constraints-frameworks.txt
	echo "import sys; sys.path.insert(0, '$(CURDIR)')" > $$(echo $(@D)/lib/python3*/site-packages)/reprise-here.pth
	touch $@

check: lint  ## what to run before a commit, under two minutes: lint, then the quick tests
	OMP_NUM_THREADS=1 $(PYTEST) -m quick

lint: $(ALL)  ## ruff: rules and format; YAML and whitespace; the order of the rooms; types
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .
	$(PY) -m tools.check_files $$(git ls-files)
	$(VENV)/bin/lint-imports
	$(VENV)/bin/mypy

format: $(ALL)  ## rewrite with the formatter
	$(VENV)/bin/ruff check --fix . ; $(VENV)/bin/ruff format .

bench: $(ALL)  ## benchmarks, JSON and table
	$(PY) -m tools.bench

replay: $(BASE)  ## recorded spikes through the core's RTL at the paper's size  [CAPTURE=file JSON=file]
	$(PY) -m tools.replay_core $(CAPTURE) $(if $(JSON),--json $(JSON))

docs: $(ALL)  ## tables and pictures of the pages, from sources and docs/measured
	$(PY) -m tools.doc_tables --write
	$(PY) -m reprise.hw.csr.generate --write
	$(PY) -m tools.screenshot --write

screenshot: $(ALL)  ## docs/img/report.png by a browser (Chromium or Chrome), where there is one
	$(PY) -m tools.screenshot --write --again

fuzz: $(BASE)  ## mutated programs: 100,000 on tiny and 10,000 on small, RTL and interpreter must end alike; goes on where it stopped
	OMP_NUM_THREADS=1 $(REPRISE) fuzz --config tiny --cases 100000
	OMP_NUM_THREADS=1 $(REPRISE) fuzz --config small --cases 10000

soak: $(BASE)  ## co-simulation of 10,000 random networks and of real ones; goes on where it stopped
	$(REPRISE) soak --networks 10000

mutate: $(ALL)  ## deliberate faults in the sources, each must be caught by its test
	$(PY) -m tests.mutation.runner

handoff-faults: $(ALL)  ## random faults in the delivered Verilog, and which of them the delivered testbench finds
	OMP_NUM_THREADS=1 $(PY) -m tests.flow.delivered.measure --seed 1 --count 50

clean:  ## remove build products (not .venv)
	rm -rf build
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
