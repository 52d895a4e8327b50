# `make demo` and `make test` set everything up by themselves. Pip users: see README, "Without make".
PYTHON ?= python3
OUT ?= reports/gpu
MINUTES ?= 60
RUN ?= reports/reference
PICTURES ?= docs/pictures
CHROMIUM ?= chromium
BIN := .venv/bin
FIND := $(if $(PIP_FIND_LINKS),--find-links $(PIP_FIND_LINKS))
BACKEND := $(if $(TORCH_BACKEND),--torch-backend=$(TORCH_BACKEND))

.PHONY: setup demo test check docs pictures bench soak real-servers gate-check gpu

setup: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	@echo "Installing into .venv: several GB, which takes minutes over the network."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python $(FIND) $(BACKEND) -c constraints.txt -e '.[all,dev,docs]'
	touch $@

demo: setup
	$(BIN)/bench run --pipeline direct --pipeline cascade

# In parallel, then what must be alone; `.venv/bin/pytest` runs the same one by one.
test: setup
	$(BIN)/python tests/run_suite.py

check: setup docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tests/run_suite.py

# The documents as a site in build/site.
docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Pictures of the report on RUN, and of what `bench show` prints of it, for README and docs. (A page of our own needs no
# sandbox, and as root Chromium has none.)
PHOTO = $(CHROMIUM) --headless --no-sandbox --hide-scrollbars --force-device-scale-factor=2 --window-size=1280,900
PAGE = file://$(CURDIR)/build/report.html
pictures: setup
	$(BIN)/bench export $(RUN) --format svg -o $(PICTURES)/show.svg
	$(BIN)/bench report $(RUN) -o build/report.html
	$(PHOTO) --screenshot=$(PICTURES)/report.png $(PAGE)
	$(PHOTO) --blink-settings=preferredColorScheme=0 --screenshot=$(PICTURES)/report-dark.png $(PAGE)

bench: setup
	$(BIN)/pytest tests/benchmarks --benchmark-only --benchmark-sort=name -m 'not cuda'

soak: setup
	$(BIN)/pytest -m soak --timeout 3600

# Against servers that nobody here wrote. Their environments, 2 GB in .servers, are made where they are missing.
real-servers: setup
	$(BIN)/python tests/real_servers/environment.py $(FIND) $(BACKEND)
	$(BIN)/pytest -m real_server -rs --timeout 300 tests/real_servers

# Whole gates on known work, for MINUTES at most; called again, it continues the series in OUT.
gate-check: OUT = build/gate-check
gate-check: setup
	$(BIN)/python tests/benchmarks/gate/check.py --minutes $(MINUTES) --out $(OUT) $(ARGUMENTS)

# CUDA tests and GPU runs with the Python that is there; installs nothing. The run is kept in OUT.
gpu:
	FIRSTPACKET_OUT=$(OUT) $(PYTHON) -m pytest -m cuda --timeout 1800 -rs -s
