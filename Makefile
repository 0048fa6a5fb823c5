PYTHON ?= $(shell command -v python3.11 || command -v python3)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
READY := .venv/ready
OTHERS := .venv-others/tools.json

.PHONY: help setup demo fast check test test-all bench growth clean

help:      ## list what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY)  ## make .venv and install zoo with everything that its tests need

$(READY): pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(READY)

demo: export ZOO_HOME := $(CURDIR)/demo-output/home
demo: $(READY)  ## which digit is this? and the same net in three formats
	@rm -rf demo-output && mkdir -p demo-output
	zoo list
	zoo info vgg-digits
	zoo run vgg-digits -i images=@plugins/zoo_architectures/seven.png
	zoo convert vgg-digits demo-output/checkpoint/digits --to checkpoint
	zoo convert vgg-digits demo-output/digits.pb --to frozen
	zoo convert vgg-digits demo-output/saved_model --to saved_model
	zoo inspect demo-output/digits.pb
	zoo run toy-adder -i w1=13 -i w2=17
	zoo convert toy-adder demo-output/adder.pb --to frozen
	zoo run demo-output/adder.pb -i w1=4 -i w2=8

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

bench: $(READY) $(OTHERS)  ## speed and memory beside the tools of others; QUICK=1: in three minutes
	python -m benchmarks $(if $(QUICK),--quick) --json benchmarks/results/$(if $(QUICK),quick,full).json

growth: $(READY) $(OTHERS)  ## measure how cost grows with size, and draw the plots of docs/ anew
	python -m benchmarks.growth

$(OTHERS): benchmarks/theirs.py | $(READY)
	python -m benchmarks.theirs .venv-others

clean:     ## remove what the other targets made
	rm -rf .venv .venv-others benchmarks/results demo-output .pytest_cache .mypy_cache .ruff_cache .hypothesis
