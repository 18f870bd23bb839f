# Each target makes what it needs: a fresh clone wants Python >= 3.11, pip and make, no more.
PYTHON ?= python3
BIN = .venv/bin
SHARD ?= 1/1

.PHONY: demo test test-all mutants lint benchmark benchmark-all clean

demo: .venv/installed
	$(BIN)/python launch.py --config=configs/ddpm_digits.py --workdir=runs/demo
	$(BIN)/python launch.py --workdir=runs/demo --mode=sample
	$(BIN)/python launch.py --workdir=runs/demo --mode=evaluate

test: .venv/tested lint
	$(BIN)/python -m pytest -n 2 --dist=worksteal -m "not slow"

# More than an hour on two cores; `make test-all SHARD=2/4` runs the second of four parts.
test-all: .venv/tested lint
	$(BIN)/python -m pytest -n 2 --dist=worksteal --shard=$(SHARD)

# Plants mistakes one by one: the tests must notice each (tests/mutants).
# More than an hour on two cores; in parts, too.
mutants: .venv/tested
	$(BIN)/python tests/mutants --shard=$(SHARD)

lint: .venv/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

benchmark: .venv/installed
	$(BIN)/python benchmarks/train_step.py

# Beside PyTorch, if that is installed (.venv/bin/pip install torch); it is no requirement.
benchmark-all: .venv/installed
	$(BIN)/python -m benchmarks.all --write=docs/performance.md

.venv/installed: setup.cfg constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

.venv/tested: .venv/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test]"
	touch $@

clean:
	rm -rf .venv runs
