PYTHON ?= $(shell command -v python3.11 || command -v python3)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
READY := .venv/ready
DOCS_READY := .venv/docs-ready
OTHERS := .venv-others/tools.json
# a process for each core; the tests of a file stay together, and TensorFlow is imported once in each
BESIDE := --numprocesses auto --dist loadfile

.PHONY: help setup demo fast check test test-all fuzz bench growth docs clean

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

fast: $(READY)  ## tests that need neither TensorFlow nor seconds
	pytest -q $(BESIDE) -m "not slow and not long and not tensorflow" tests/unit tests/contract zoo

test: check  ## everything but what takes minutes
	pytest -q $(BESIDE) -m "not slow"

test-all: check  ## everything
	pytest -q

fuzz: SECONDS ?= 60
fuzz: $(READY)  ## attack every reader: SECONDS=600 for each, TARGETS="bundle hdf5" for some
	python -m tests.fuzz $(SECONDS) $(TARGETS)

bench: $(READY) $(OTHERS)  ## speed and memory beside the tools of others; QUICK=1: in three minutes
	python -m benchmarks $(if $(QUICK),--quick) --json benchmarks/results/$(if $(QUICK),quick,full).json

growth: $(READY) $(OTHERS)  ## measure how cost grows with size, and draw the plots of docs/ anew
	python -m benchmarks.growth

$(OTHERS): benchmarks/theirs.py | $(READY)
	python -m benchmarks.theirs .venv-others

docs: $(DOCS_READY)  ## the pages as a site, in docs/_build; each warning is an error
	python -m sphinx --fresh-env --fail-on-warning --keep-going --nitpicky --quiet docs docs/_build

$(DOCS_READY): $(READY)
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $(DOCS_READY)

clean:     ## remove what the other targets made
	rm -rf .venv .venv-others benchmarks/results demo-output docs/_build
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
