PYTHON ?= python3
BIN := .venv/bin
# The tests wait more than they work.
PYTEST := $(BIN)/pytest -n 4 --dist loadgroup

# Whatever the shell says: else each of the many processes of a run compiles the product again.
export PYTHONDONTWRITEBYTECODE :=

# Right and wrong requests to each operation, and rows of requests.
FUZZ_EXAMPLES ?= 100

.PHONY: run test coverage check bench faults fuzz

run: .venv/installed
	@exec $(BIN)/python manage.py up

test: .venv/installed-dev
	$(PYTEST)
	TEST_DATABASE=postgres $(PYTEST) -m 'not live'

# Apart from the tests, because to watch each line doubles their work; and without those whose time
# matters. Whether they pass is told by `make test`: watched, one of 6,500 is sometimes too slow. What
# counts here is how much they reach.
coverage: .venv/installed-dev
	-$(BIN)/pytest -n 3 --dist loadgroup -q -m 'not live and not race' --cov --cov-report=
	$(BIN)/coverage report

check: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	DEBUG=1 $(BIN)/mypy
	$(BIN)/lint-imports
	@# As strict as in production, on secrets of its own that nobody will use.
	@export DATA_DIR=$$(mktemp -d) ALLOWED_HOSTS=mainstay.example; trap 'rm -r $$DATA_DIR' EXIT; \
	set -ex; $(BIN)/python -m config.secrets; \
	$(BIN)/python manage.py makemigrations --check --dry-run; \
	$(BIN)/python manage.py check --deploy --fail-level WARNING

faults: .venv/installed-dev
	@$(BIN)/python -m tests.faults
	@$(BIN)/python -m tests.faults.health
	@$(BIN)/python -m tests.faults.monitoring

fuzz: .venv/installed-dev
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(BIN)/pytest -q -n 3 tests/config/test_fuzz.py
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) TEST_DATABASE=postgres $(BIN)/pytest -q -n 3 tests/config/test_fuzz.py

bench: .venv/installed-bench
	@$(BIN)/python -m benchmarks

.venv/installed: requirements.txt
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	@echo "installing requirements.txt into .venv"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/installed-dev: requirements-dev.txt
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	@echo "installing requirements-dev.txt into .venv"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ .venv/installed

.venv/installed-bench: requirements-bench.txt
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	@echo "installing requirements-bench.txt into .venv"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-bench.txt
	@touch $@ .venv/installed
