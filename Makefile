PYTHON ?= $(shell command -v python3.11 || command -v python3)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
READY := .venv/ready

.PHONY: help setup demo fast check test test-all bench clean

help:      ## list what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY)  ## make .venv and install zoo with everything that its tests need

$(READY): pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(READY)

demo: export ZOO_HOME := $(CURDIR)/demo-output/home
demo: $(READY)  ## fetch, look inside, run and convert a model by name
	@rm -rf demo-output && mkdir -p demo-output
	zoo list
	zoo fetch toy-adder
	zoo run toy-adder -i w1=13 -i w2=17
	zoo convert toy-adder demo-output/checkpoint/adder --to checkpoint
	zoo convert toy-adder demo-output/adder.pb --to frozen
	zoo convert toy-adder demo-output/saved_model --to saved_model
	zoo run demo-output/checkpoint/adder -i w1=13 -i w2=17
	zoo run demo-output/adder.pb -i w1=13 -i w2=17
	zoo run demo-output/saved_model -i w1=13 -i w2=17
	zoo inspect demo-output/saved_model

check: $(READY)  ## ruff and mypy
	ruff format --check .
	ruff check .
	mypy

fast: $(READY)  ## tests that need no TensorFlow
	pytest -q tests/unit tests/contract zoo

test: check  ## everything but what takes minutes
	pytest -q -m "not slow"

test-all: check  ## everything
	pytest -q

bench: $(READY)  ## speed and memory beside TensorFlow's own tools
	python -m benchmarks

clean:     ## remove what the other targets made
	rm -rf .venv demo-output .pytest_cache .mypy_cache .ruff_cache .hypothesis
