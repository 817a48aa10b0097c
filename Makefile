# The front door: `make` alone prints the targets.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAGE  := ./scripts/stage
HOT    := $(wildcard $(addprefix msrprelay/,*.pxd chance.py commands.py dataplane.py strain.py process/state.py $(addsuffix /*.p*,loop net offer_answer rpc sdp sessions)))
# Tests of hot modules that do not themselves run both ways.
TWICE  := $(wildcard $(addprefix tests/unit/test_,admission.py ports.py restore*.py rpc_ng.py rpc_re*.py sessions*.py strain.py timers.py))
RUST   := $(shell find native -name '*.rs' -o -name 'Cargo.*' | grep -v /target/)

.DEFAULT_GOAL := help
.PHONY: help setup demo test check docs ci fmt lint types rust wheel bench bench-quick chaos chaos-quick fuzz soak valgrind clean

help: ## print the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## build everything and install it into .venv/

$(VENV)/.ready: pyproject.toml setup.py Makefile $(RUST) $(HOT)
	@PYTHON=$(PYTHON) ./scripts/prerequisites
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	MSRPRELAY_PROFILE=record $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	$(BIN)/python -m bench.training
	$(BIN)/python setup.py --quiet build_ext --inplace
	touch $@

demo: setup ## watch two endpoints that both dial in chat through the relay
	$(BIN)/msrprelay-ctl demo

test: setup ## run the tests: the crates' and the package's
	$(STAGE) cargo-test cargo test --quiet --manifest-path native/Cargo.toml --locked --workspace --exclude msrprelay-native
	$(STAGE) kill-points cargo test --quiet --manifest-path native/Cargo.toml --locked -p msrp-relay --features kill-points --test kill_points --test kill_points_moving --test survival
	$(STAGE) bench-test cargo test --quiet --manifest-path bench/Cargo.toml --locked
	$(STAGE) bench-build cargo build --quiet --release --manifest-path bench/Cargo.toml --locked
	$(STAGE) pytest $(BIN)/python -m pytest --quiet --benchmark-disable
	$(STAGE) pytest-uncompiled $(BIN)/python -m bench.uncompiled pytest --quiet $(TWICE)
	$(STAGE) chaos-quick $(BIN)/python -m tests.chaos --quick
	$(STAGE) fuzz-smoke ./scripts/fuzz 4
	$(STAGE) valgrind ./scripts/valgrind

check: fmt lint types rust wheel ## everything but the tests

fmt: setup
	$(STAGE) cargo-fmt cargo fmt --manifest-path native/Cargo.toml --all --check
	$(STAGE) bench-fmt cargo fmt --manifest-path bench/Cargo.toml --all --check
	$(STAGE) ruff-format $(BIN)/ruff format --check .

lint: setup
	$(STAGE) clippy cargo clippy --quiet --manifest-path native/Cargo.toml --workspace --all-targets --locked -- -D warnings
	$(STAGE) bench-clippy cargo clippy --quiet --manifest-path bench/Cargo.toml --all-targets --locked -- -D warnings
	$(STAGE) ruff $(BIN)/ruff check .

types: setup
	$(STAGE) mypy $(BIN)/python -m mypy
	$(STAGE) stubtest $(BIN)/python -m mypy.stubtest msrprelay._native

rust: setup
	$(STAGE) cargo-doc env RUSTDOCFLAGS=-Dwarnings cargo doc --quiet --manifest-path native/Cargo.toml --workspace --no-deps --locked

wheel: setup
	$(STAGE) wheel env PYTHON=$(PYTHON) ./scripts/check-wheel

docs: setup ## write the generated parts of the manual again
	WRITE_DOCS=1 $(BIN)/python -m pytest --quiet tests/docs

ci: setup ## what CI runs: all checks, then the tests
	@$(MAKE) --no-print-directory check test
	@cat .stages && rm -f .stages

bench: setup ## compare with HAProxy, nginx, Kamailio ...: every work, all rounds; see bench/README.md
	$(BIN)/python -m bench

bench-quick: setup ## the same in a minute: the works that matter most
	$(BIN)/python -m bench --quick

chaos: setup ## kill the relay under load for half an hour: nothing may be lost; see docs/reliability.md
	$(BIN)/python -m tests.chaos --keep
	WRITE_DOCS=1 $(BIN)/python -m pytest --quiet tests/docs -k reliability

chaos-quick: setup ## the same in a minute
	$(BIN)/python -m tests.chaos --quick

fuzz: ## run every fuzz target for SECONDS (600); see native/fuzz/README.md
	./scripts/fuzz $(or $(SECONDS),600)

soak: setup ## a million sessions through the engine, 20,000 calls through the daemon
	LIFECYCLES=1000000 cargo test --release --manifest-path native/Cargo.toml --locked -p msrp-relay --test lifecycles -- --nocapture
	LIFECYCLES=20000 $(BIN)/python -m pytest --quiet tests/relay/test_leaks.py

valgrind: ## the engine's tests under valgrind: no invalid access, no leak
	./scripts/valgrind

clean: ## remove what was built
	rm -rf $(VENV) build dist native/target native/fuzz/target bench/target msrprelay/*.so msrprelay/*/*.so *.egg-info .stages
