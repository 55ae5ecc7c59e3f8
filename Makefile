# Short targets; `make` alone lists them. Needs make and Python 3.11 or newer, nothing else.
.DEFAULT_GOAL := help
.PHONY: help run test soak check fuzz bench services services-stop migrate lock clean

# Where it is set, every program that a test starts would be compiled anew.
unexport PYTHONDONTWRITEBYTECODE

INSTALLED := .venv/.installed
SERVICES := .venv/bin/python -m infra.services
# What tests need of the services. Where Aorist finds them, and as whom, is not for tests.
FOUND := set -a && . ./.services/env && unset AORIST_REDIS_URL AORIST_DATABASE_URL \
	AORIST_DATABASE_OWNER AORIST_DATABASE_OWNER_PASSWORD
# Tests wait a third of their time, for disks and for processes that they start.
TESTERS = $$(( $$(getconf _NPROCESSORS_ONLN) + 1 ))

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | awk -F'|' '{printf "make %-14s %s\n", $$1, $$2}'

run: $(INSTALLED) ## start the whole system in one process on a SQLite file
	@.venv/bin/aorist serve --development

test: check services ## run every check and every test, PostgreSQL, Kafka and Redis included
	@$(FOUND) && .venv/bin/python -m pytest --numprocesses $(TESTERS)

soak: $(INSTALLED) ## kill writers, readers and PostgreSQL hundreds of times, and check the logs
	@.venv/bin/python -m tests.soak --kills 300

check: $(INSTALLED) ## check format, lint, types, import contracts, security, and that no secret is in it
	@.venv/bin/ruff format --check --quiet . || (echo "format: run .venv/bin/ruff format ." && false)
	@.venv/bin/ruff check --quiet .
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-logo
	@.venv/bin/bandit --quiet --configfile pyproject.toml --recursive api commands domain infra projections sagas
	@.make/secrets

fuzz: $(INSTALLED) ## call every route with what its documentation allows, and with what it does not
	@.venv/bin/python -m tests.fuzz $(ARGS)

bench: services ## measure speed beside references (some of it: make bench ARGS="--only hot")
	@$(FOUND) && .venv/bin/python -m tests.bench $(ARGS)

services: $(INSTALLED) ## start PostgreSQL, Kafka and Redis, in containers or without
	@$(SERVICES) start

services-stop: $(INSTALLED) ## stop what `make services` started; its data stays
	@$(SERVICES) stop

migrate: $(INSTALLED) ## bring the database's tables up to date
	@.venv/bin/aorist migrate

lock: $(INSTALLED) ## pin the dependencies of pyproject.toml (newer ones: make lock UPGRADE=--upgrade)
	@.venv/bin/python -m pip install --quiet uv
	@.venv/bin/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --no-annotate --quiet $(UPGRADE) \
		--output-file requirements.lock

clean: ## remove what can be made again; data and services stay
	rm -rf .venv .mypy_cache .ruff_cache .import_linter_cache .grimp_cache .hypothesis build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Made anew when the lock changes, so that nothing of an older lock is left in it.
$(INSTALLED): requirements.lock .make/venv
	@.make/venv
