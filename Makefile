PYTHON ?= python3
BIN := .venv/bin
DEV := .venv/.dev-installed
# Settings with production strictness and throw-away secrets, for checks that never serve.
STRICT := DATA_DIR=$$(mktemp -d) DEBUG= ALLOWED_HOSTS=mainstay.example

.PHONY: run test check bench

run: .venv/.installed
	@$(BIN)/python manage.py up

test: $(DEV)
	$(BIN)/python -m coverage erase
	$(BIN)/pytest -n 2 --cov --cov-report= --database sqlite
	$(BIN)/pytest -n 2 --cov --cov-append --database postgres -m django_db

check: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	DEBUG=1 $(BIN)/mypy
	$(BIN)/lint-imports
	DEBUG=1 $(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python -m config.secrets $(BIN)/python manage.py check --deploy --fail-level WARNING

.venv/.installed: requirements.txt
	@test -d .venv || $(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(DEV): requirements-dev.txt
	@test -d .venv || $(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ .venv/.installed
