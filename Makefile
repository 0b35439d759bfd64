# `make` lists what there is to do.

VENV := .venv
BIN := $(VENV)/bin
# Lambda's own version first: with it, the same environment builds, too.
PYTHONS := 3.13 3.14 3.12 3.11
# What the functions run in on Lambda, for the tests of what was built.
RUNTIME := .local/runtime

# Options, for the command line alone: the environment's PORT or FILE is meant for something else.
PYTHON :=
PORT :=
SEED :=
SEEDS :=
DAYS :=
MINUTES :=
LIVE :=
FILE :=
SET :=
PROVIDER :=
DAY :=
STACK :=
QUEUE :=
FUNCTION :=
TABLE :=
FROM :=
DRY :=
NUMBER :=
CUSTOMER :=
REASON :=
HOURS :=
ARCH := arm64

export SAM_CLI_TELEMETRY := 0

# Who is meant by `make erase` and `make export-person`, and why.
PERSON = "$(or $(NUMBER),$(CUSTOMER),$(error Whose? Say NUMBER=… or CUSTOMER=…))" \
	$(if $(NUMBER),,--customer) --reason "$(or $(REASON),$(error Why? Say REASON=…))" \
	$(STACK:%=--stack %)

.DEFAULT_GOAL := help
.PHONY: help setup run up deploy status logs down replay replay-unreadable \
	report-voicemail apply-retention failures redrive look-again copy-back erase export-person \
	test test-unit faults bench bench-starts lint format openapi architecture build check-build \
	check clean

# Shows what a command says only if it fails.
quietly = said=$$($(1) 2>&1) || { printf '%s\n' "$$said"; exit 1; }

# $(1): arm64 or x86_64. $(2): the folder in .aws-sam. sam runs what is called python3.13.
sam-build = python=$$(tools/find_python.sh 3.13) || exit 1; \
	PATH="$$(dirname "$$python"):$$PATH"; \
	$(call quietly,LAYER_ARCH=$(1:arm64=aarch64) $(BIN)/sam build --parallel \
		--parameter-overrides Architecture=$(1) --build-dir .aws-sam/$(2)); \
	for code in .aws-sam/$(2)/*/functions; do \
		"$$python" -m compileall -q --invalidation-mode unchecked-hash \
			-s "$${code%/functions}" -p /var/task "$$code" || exit 1; \
	done; \
	echo "Built for $(1): .aws-sam/$(2)"

help: ## Lists the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/ready ## Makes .venv with all that is needed; PYTHON= to choose with which Python
	@echo "Ready: $$($(BIN)/python --version) in $(VENV)"

$(VENV)/ready: pyproject.toml
	@$(BIN)/python -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null || { \
		python="$(or $(PYTHON),$$(tools/find_python.sh $(PYTHONS)))" && \
		"$$python" -m venv --clear $(VENV); }
	@echo "Installing the tools into $(VENV), once…"
	@$(call quietly,$(BIN)/python -m pip install --editable '.[dev]')
	@touch $@

run: $(VENV)/ready ## Simulates a call centre; Ctrl-C stops it all; SEED= DAYS= MINUTES= LIVE= PORT=
	@trap 'trap "" INT; $(BIN)/python -m local down; exit 0' INT; \
	$(BIN)/python -m local up $(PORT:%=--port %) && \
	$(BIN)/python -m local.simulate $(SEED:%=--seed %) $(DAYS:%=--days %) $(MINUTES:%=--minutes %) \
		$(LIVE:%=--live %) && \
	echo "The stack stays up; make down stops it."

up: $(VENV)/ready ## Starts the embedded cloud, with the stack in it; PORT=, SET="AreaCode=11 …"
	@$(BIN)/python -m local up $(PORT:%=--port %) $(SET:%=--set %)

deploy: $(VENV)/ready ## Brings the running stack up to date with the files
	@$(BIN)/python -m local deploy

status: $(VENV)/ready ## Says whether the embedded cloud runs, and where
	@$(BIN)/python -m local status

logs: $(VENV)/ready ## Shows what the functions wrote in the last ten minutes
	@$(BIN)/python -m local logs

down: $(VENV)/ready ## Stops the embedded cloud; its state is kept
	@$(BIN)/python -m local down

replay: $(VENV)/ready ## Sends an Asterisk queue_log to the running stack; FILE=
	@$(BIN)/python -m local.replay "$(or $(FILE),$(error Which file? Say FILE=…))"

replay-unreadable: $(VENV)/ready ## Reads kept payloads again; PROVIDER=, and STACK= for one in AWS
	@$(BIN)/python -m tools.replay_unreadable $(or $(PROVIDER),$(error Whose? Say PROVIDER=…)) \
		$(STACK:%=--stack %)

report-voicemail: $(VENV)/ready ## Writes the voicemail reports now; DAY= for its week, STACK= in AWS
	@$(BIN)/python -m tools.report_voicemail $(DAY) $(STACK:%=--stack %)

apply-retention: $(VENV)/ready ## Has what was stored before expire, too; STACK= in AWS
	@$(BIN)/python -m tools.apply_retention $(STACK:%=--stack %)

failures: $(VENV)/ready ## Shows what failed in a stack in AWS; STACK=, HOURS=
	@$(BIN)/python -m tools.show_failures $(or $(STACK),$(error Where? Say STACK=…)) \
		$(HOURS:%=--hours %)

redrive: $(VENV)/ready ## Has done what dead letters stand for; QUEUE=, DRY=1 to look, STACK= in AWS
	@$(BIN)/python -m tools.redrive $(or $(QUEUE),$(error Which? Say QUEUE=…)) \
		$(if $(DRY),--dry) $(STACK:%=--stack %)

look-again: $(VENV)/ready ## Has a function look again at all that it follows; FUNCTION=, STACK= in AWS
	@$(BIN)/python -m tools.look_again $(or $(FUNCTION),$(error Which? Say FUNCTION=…)) \
		$(STACK:%=--stack %)

copy-back: $(VENV)/ready ## Puts back what a table lost; TABLE=, FROM= a restored one, DRY=1, STACK=
	@$(BIN)/python -m tools.copy_back $(or $(TABLE),$(error Which? Say TABLE=…)) \
		$(or $(FROM),$(error Whence? Say FROM=…)) $(if $(DRY),--dry) $(STACK:%=--stack %)

erase: $(VENV)/ready ## Erases one person; NUMBER= or CUSTOMER=, REASON=, and STACK= in AWS
	@$(BIN)/python -m tools.personal_data erase $(PERSON)

export-person: $(VENV)/ready ## Writes one person's data into a file; as erase
	@$(BIN)/python -m tools.personal_data export $(PERSON)

test: $(VENV)/ready ## Runs all tests, those in the embedded cloud included
	@$(BIN)/pytest --quiet --numprocesses auto

test-unit: $(VENV)/ready ## Runs the tests that take no cloud
	@$(BIN)/pytest --quiet tests/unit

bench: $(VENV)/ready ## Measures CPU, and counts requests and dollars: docs/performance.md
	@for part in ingestion budgets growth dollars; do \
		echo "$$part:"; $(BIN)/python -m benchmarks.$$part || exit 1; echo; \
	done
	@[ "$$(uname)" != Linux ] || $(MAKE) --no-print-directory bench-starts

bench-starts: $(VENV)/ready $(RUNTIME)/ready ## Measures cold starts, and shows what they load for nothing: Linux
	@$(call sam-build,$(patsubst aarch64,arm64,$(shell uname -m)),host)
	@$(BIN)/python -m benchmarks.cold_start
	@$(BIN)/python -m benchmarks.unused_imports

faults: $(VENV)/ready ## Plays random histories through deaths and failures; SEEDS=200-260
	@PYTHONHASHSEED=0 FAULT_SEEDS="$(or $(SEEDS),0-30)" $(BIN)/pytest --quiet --show-capture=no \
		tests/faults/test_histories.py tests/faults

lint: $(VENV)/ready ## Checks style, types, who imports whom, and the template
	@$(BIN)/ruff check --quiet
	@$(call quietly,$(BIN)/ruff format --check)
	@$(call quietly,$(BIN)/mypy)
	@$(call quietly,$(BIN)/lint-imports --no-logo)
	@$(call quietly,$(BIN)/sam validate --lint --config-env dev)
	@echo "Style, types, imports and template are in order."

format: $(VENV)/ready ## Formats the code
	@$(BIN)/ruff check --quiet --select I --fix
	@$(BIN)/ruff format --quiet

openapi: $(VENV)/ready ## Writes the description of the API, from its routes
	@$(BIN)/python -m tools.describe_api

architecture: $(VENV)/ready ## Draws docs/architecture.md, from the template
	@$(BIN)/python -m tools.draw_architecture

build: $(VENV)/ready ## Builds what sam deploy takes; ARCH=x86_64 for stacks of that Architecture
	@$(call sam-build,$(ARCH),build)

check-build: $(VENV)/ready $(RUNTIME)/ready ## Asks each function as Lambda does, built for this machine: Linux
	@$(call sam-build,$(patsubst aarch64,arm64,$(shell uname -m)),host)
	@$(BIN)/pytest --quiet tests/artefact

$(RUNTIME)/ready: tests/artefact/requirements.txt
	@python=$$(tools/find_python.sh 3.13) && "$$python" -m venv --clear $(RUNTIME)
	@$(call quietly,$(RUNTIME)/bin/python -m pip install --requirement $<)
	@touch $@

check: lint test ## Runs all checks, as CI does
	@if [ "$$(uname)" = Linux ] && tools/find_python.sh 3.13 >/dev/null 2>&1; then \
		$(MAKE) --no-print-directory build check-build; \
	else \
		echo "Not checked: what is built for Lambda. That takes Linux and Python 3.13."; \
	fi

clean: ## Stops the embedded cloud, and removes all that was made here, .venv included
	@$(BIN)/python -m local down >/dev/null 2>&1 || true
	@rm -rf $(VENV) .aws-sam .local .hypothesis .import_linter_cache .mypy_cache .pytest_cache \
		.ruff_cache
	@find . -name __pycache__ -prune -exec rm -r {} +
