# `make` alone lists what can be done. Each target sets up what it needs.

SHELL := /bin/sh
BIN := .venv/bin
INSTALLED := .venv/.installed
ARGS ?=
NAME ?=

# The real fragments, where someone laid them beside the repository. Nothing depends on them.
ifndef DANSEO_DATA
ifneq ($(wildcard ../shared/data/.),)
export DANSEO_DATA := $(abspath ../shared/data)
endif
endif

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench docs figures slither format constraints sandbox fonts node solidity contracts clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: $(INSTALLED) sandbox fonts ## Play one whole challenge in demo/ (options: ARGS="--help")
	@$(BIN)/danseo demo $(ARGS)

test: $(INSTALLED) sandbox fonts node solidity ## Run the tests (one file: ARGS=tests/repo/test_docs.py)
	@$(BIN)/pytest -n auto --maxprocesses 8 --durations=10 $(ARGS)

lint: $(INSTALLED) ## Check style, types, layers, and that the generated pages are fresh
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m scripts.reference --check
	@$(BIN)/python -m scripts.figures --check

bench: $(INSTALLED) sandbox fonts node ## Measure every published figure (one: NAME=verify)
	@$(BIN)/python -m benchmarks $(NAME)
	@$(BIN)/python -m scripts.figures

docs: $(INSTALLED) ## Write the reference pages anew from the code
	@$(BIN)/python -m scripts.reference

figures: $(INSTALLED) ## Write docs/figures.md anew from benchmarks/results/
	@$(BIN)/python -m scripts.figures

slither: $(INSTALLED) ## Look the contracts over with Slither; every finding must be explained
	@$(BIN)/python -m scripts.slither

format: $(INSTALLED) ## Format the code and mend what can be mended
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

constraints: ## Pin today's newest versions that pyproject.toml allows
	@scripts/refresh-constraints

contracts: $(INSTALLED) solidity ## Compile the contracts anew into the package
	@$(BIN)/python -m scripts.contracts

solidity: $(INSTALLED) ## Fetch the compiler and the libraries of the contracts, or say how
	@$(BIN)/python -m scripts.contracts --install

node: $(INSTALLED) ## Install anvil, a local node, where that is allowed, or say how
	@scripts/setup-anvil

sandbox: ## Install bubblewrap where that is allowed, or say how
	@scripts/setup-sandbox

fonts: ## Install fonts near an ancient hand where that is allowed, or say how
	@scripts/setup-fonts

$(INSTALLED): pyproject.toml constraints.txt scripts/setup-venv
	@scripts/setup-venv

clean: ## Remove everything that was set up or made
	rm -rf .venv .mypy_cache .ruff_cache .import_linter_cache .hypothesis demo build dist benchmarks/work contracts/node_modules
	find src tests benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} +
