# PyKube's commands. `make` alone lists them.
.DEFAULT_GOAL := help
unexport PYTHONDONTWRITEBYTECODE  # servers start three times as fast from bytecode
.PHONY: help install up down test unit check format generate lock bench conformance
BIN := .venv/bin
PATHS := apimachinery apiserver bootstrap cli client controllers dns kubelet kubeproxy scheduler serving scripts tests bench conformance

help: ## list the commands
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|'

install: ## install what is missing: Debian packages (root), the virtual environment
	@scripts/install.sh

up: install ## make a one-node cluster with the demo, or say that it runs
	@$(BIN)/pykubeadm up --demo

down: install ## take the cluster away without a trace
	@$(BIN)/pykubeadm down

test: ## run every test, on clusters of its own
	@scripts/install.sh tests
	@$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile tests/unit tests/cluster tests/contract
	@$(BIN)/python -m pytest tests/e2e tests/kubectl

unit: install ## run the tests that need no server
	@$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile tests/unit tests/cluster

check: install ## ruff, mypy, import-linter
	@$(BIN)/ruff format --check $(PATHS)
	@$(BIN)/ruff check $(PATHS)
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: install ## format the code
	@$(BIN)/ruff format $(PATHS)
	@$(BIN)/ruff check --fix-only $(PATHS)

generate: install ## write the generated files anew (apimachinery/objects, docs/compatibility.md)
	@$(BIN)/python -m scripts.generate_objects
	@$(BIN)/python -m tests.contract.kinds_table

lock: ## pin every package anew (needs uv)
	@uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --group dev pyproject.toml -o requirements.lock

bench: install ## measure, and print a table
	@$(BIN)/python -m bench

conformance: install ## run upstream's own conformance tests (needs Go, gcc and debootstrap; an hour)
	@$(BIN)/python -m conformance
