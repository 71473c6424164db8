# Sets up, runs and checks the program.  Everything is installed into .venv, and .venv
# is brought up to date only when a lock file or pyproject.toml has changed.

VENV := .venv
CARD_VENV := .venv-card
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# What pytest is given besides; `make test PYTEST_ARGS="-k login"`.
PYTEST_ARGS ?=
# What the benchmarks are given besides; `make bench BENCH_ARGS="--only data"`.
BENCH_ARGS ?=

.PHONY: help demo demo-reset test test-card test-postgresql check bench bench-quick snapshots docs lock \
	wheel clean
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

help:
	@echo "make demo        run the program with a demo database and demo cards"
	@echo "make demo-reset  the same, starting afresh"
	@echo "make test        run the tests"
	@echo "make test-card   run the tests over a real PC/SC daemon (see docs/readers.md)"
	@echo "make test-postgresql  run the tests of store, services and ledger on a PostgreSQL server too"
	@echo "make check       run ruff, pyright and import-linter"
	@echo "make bench       measure terminal and data against yardsticks (ten minutes; see docs/performance.md)"
	@echo "make bench-quick the same with small databases and one round, to try it out"
	@echo "make snapshots   take the screens of the snapshot tests anew"
	@echo "make docs        make the page of keys and the screenshots of the docs anew"
	@echo "make lock        resolve the dependencies anew into requirements/"
	@echo "make wheel       build the wheel into dist/"
	@echo "make clean       remove what was installed and built; demo data stays"

demo: $(VENV)/run.stamp
	@$(BIN)/eport-tui demo

demo-reset: $(VENV)/run.stamp
	@$(BIN)/eport-tui demo --reset

# Two workers, for two cores; all tests on a pty go to the same one.
test: $(VENV)/dev.stamp
	@$(BIN)/python -m pytest -n 2 --dist loadgroup $(PYTEST_ARGS)

# Each worker starts a server of its own, as an ordinary user; without one they fail.
test-postgresql: $(VENV)/dev.stamp
	@$(BIN)/python -m pytest -n 2 -m postgresql tests/store tests/services tests/ledger tests/ui \
		tests/pty/test_outage.py \
		$(PYTEST_ARGS)

# In an environment of its own: an ordinary one has neither pyscard nor a daemon.
test-card: $(CARD_VENV)/stamp
	@tests/card/in_namespace.sh $(CARD_VENV)/bin/python -m pytest -m card -p no:cacheprovider \
		tests/card/test_pcsc.py tests/card/test_program.py tests/card/test_ssh.py \
		tests/card/test_acceptance.py $(PYTEST_ARGS)

$(CARD_VENV)/stamp: $(VENV)/dev.stamp requirements/card-tests.lock
	@echo "Installing what the card tests need."
	@$(BIN)/python -m venv $(CARD_VENV)
	@for lock in dev card-tests; do \
		$(CARD_VENV)/bin/python -m pip --disable-pip-version-check --quiet install \
			--require-hashes --requirement requirements/$$lock.lock || exit 1; \
	done
	@$(CARD_VENV)/bin/python -m pip --disable-pip-version-check --quiet install \
		--no-build-isolation --no-deps --editable .
	@touch $@

check: $(VENV)/dev.stamp
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright
	@$(BIN)/lint-imports

bench: $(VENV)/dev.stamp
	@$(BIN)/python -m benchmarks $(BENCH_ARGS)

bench-quick: $(VENV)/dev.stamp
	@$(BIN)/python -m benchmarks --quick $(BENCH_ARGS)

snapshots: $(VENV)/dev.stamp
	@$(BIN)/python -m pytest tests/snapshots --snapshot-update $(PYTEST_ARGS)

docs: $(VENV)/dev.stamp
	@$(BIN)/python -m docs.keys
	@$(BIN)/python -m docs.screenshots

# For every Python from 3.11 on Linux and macOS; names no index, so that a mirror can serve it.
# `run` is what the program needs, `card`, `control` and `postgresql` what its extras need besides.
COMPILE = UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile \
	--universal --python-version 3.11 --generate-hashes --no-annotate --upgrade --quiet
EXTRA = $(BIN)/python -c 'import sys, tomllib; \
	print(*tomllib.load(sys.stdin.buffer)["project"]["optional-dependencies"][sys.argv[1]], sep="\n")'
AS_DEV = --constraint requirements/dev.lock --output-file

lock: $(BIN)/python
	@$(PIP) install uv==0.13.9
	@$(COMPILE) pyproject.toml --output-file requirements/run.lock
	@$(COMPILE) pyproject.toml --group build --group dev --constraint requirements/run.lock \
		--output-file requirements/dev.lock
	@$(COMPILE) --group build $(AS_DEV) requirements/build.lock
	@$(EXTRA) card <pyproject.toml | $(COMPILE) - $(AS_DEV) requirements/card.lock
	@$(EXTRA) control <pyproject.toml | $(COMPILE) - $(AS_DEV) requirements/control.lock
	@$(COMPILE) --group postgresql $(AS_DEV) requirements/postgresql.lock
	@echo 'yubikey-manager>=5.9' | $(COMPILE) - requirements/card.lock $(AS_DEV) requirements/card-tests.lock

# An older wheel beside it would be installed as readily.
wheel: $(VENV)/run.stamp
	@rm -f dist/eport_tui-*.whl
	@$(PIP) wheel --no-build-isolation --no-deps --wheel-dir dist .

clean:
	@rm -rf $(VENV) $(CARD_VENV) .bench-venvs build dist .pytest_cache .hypothesis .ruff_cache .import_linter_cache \
		snapshot_report.html
	@find eport_tui tests -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/run.stamp: requirements/run.lock requirements/build.lock pyproject.toml $(BIN)/python
	@echo "Installing the program and what it needs into $(VENV) ..."
	@$(PIP) install --require-hashes -r requirements/run.lock -r requirements/build.lock
	@$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.lock $(VENV)/run.stamp
	@echo "Installing the tools for tests and checks into $(VENV) ..."
	@$(PIP) install --require-hashes -r requirements/dev.lock
	@touch $@

$(BIN)/python:
	@for python in python3 python3.14 python3.13 python3.12 python3.11; do \
		$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		$$python -c 'import ensurepip, venv' 2>/dev/null || { bare="$$bare $$python"; continue; }; \
		echo "Making $(VENV) with $$($$python --version) ..."; \
		$$python -m venv --clear $(VENV) || { rm -rf $(VENV); exit 1; }; \
		exit 0; \
	done; \
	for python in $$bare; do \
		echo "$$python has no venv. On Debian or Ubuntu: apt-get install $$python-venv" >&2; \
		exit 1; \
	done; \
	echo "There is no Python 3.11 or newer." \
		"On Debian or Ubuntu: apt-get install python3 python3-venv" >&2; \
	exit 1
