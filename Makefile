# `make demo` and `make test` set everything up by themselves. Pip users: see README, "Without make".
PYTHON ?= python3
OUT ?= reports/gpu
BIN := .venv/bin
FIND := $(if $(PIP_FIND_LINKS),--find-links $(PIP_FIND_LINKS))
BACKEND := $(if $(TORCH_BACKEND),--torch-backend=$(TORCH_BACKEND))

.PHONY: setup demo test check docs bench soak gpu

setup: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python $(FIND) $(BACKEND) -c constraints.txt -e '.[all,dev,docs]'
	touch $@

demo: setup
	$(BIN)/bench run --pipeline direct --pipeline cascade --corpus demo

test: setup
	$(BIN)/pytest

check: setup docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest

# The documents as a site in build/site.
docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: setup
	$(BIN)/pytest tests/benchmarks --benchmark-only --benchmark-sort=name -m 'not cuda'

soak: setup
	$(BIN)/pytest -m soak --timeout 3600

# CUDA tests and GPU runs with the Python that is there; installs nothing. The run is kept in OUT.
gpu:
	FIRSTPACKET_OUT=$(OUT) $(PYTHON) -m pytest -m cuda --timeout 1800 -rs -s
