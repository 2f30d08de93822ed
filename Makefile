# What one does here: run · build · check · test · bench · sim · fuzz · link · compare · interop-doc · doc. Everything that is missing is
# installed, or named (scripts/need.sh).

TARGET := $(or $(CARGO_TARGET_DIR),target)
BINARY := $(TARGET)/release/countersign

.PHONY: run build console check test bench sim fuzz link compare interop-doc doc rust-needs

## run: build, start with defaults, print one link to open.
run: build
	@exec $(BINARY) serve

## build: the pages, then the binary that embeds them.
build: rust-needs console
	@cargo build --release --locked --package countersign

console: console/dist/index.html

console/dist/index.html: console/node_modules/.installed $(shell find console -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -path '*/tests/*')
	@cd console && npm run --silent build -- --logLevel warn >&2
	@touch $@

console/node_modules/.installed tests/browser/node_modules/.installed tests/interop/node_modules/.installed tests/rtcd/node_modules/.installed tests/verto/node_modules/.installed: %/node_modules/.installed: %/package-lock.json
	@scripts/need.sh node
	@echo "installing the npm packages of $*" >&2
	@cd $* && npm ci --no-audit --no-fund --loglevel=error >&2
	@touch $@

.venv/.installed: tests/browser/requirements.txt
	@scripts/need.sh python
	@echo "installing the Python packages of $< into .venv" >&2
	@python3 -m venv .venv >&2
	@.venv/bin/pip install --quiet --disable-pip-version-check --requirement $< >&2
	@touch $@

rust-needs:
	@scripts/need.sh rust cc

## check: format, lints, types, and that the fuzz targets compile.
check: rust-needs console/node_modules/.installed
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- --deny warnings
	cd console && npm run --silent check
	@scripts/need.sh c++
	RUSTFLAGS="--cfg fuzzing" cargo check --locked --manifest-path fuzz/Cargo.toml --target-dir $(TARGET)/fuzz-check

## test: everything; the last line has the counts of all runners together.
test: build tests/browser/node_modules/.installed tests/interop/node_modules/.installed tests/rtcd/node_modules/.installed tests/verto/node_modules/.installed .venv/.installed
	@scripts/need.sh chromium firefox iproute2 coturn
	@scripts/test.sh

## interop-doc: docs/interop.md, written from a run of real clients.
interop-doc: build tests/browser/node_modules/.installed tests/interop/node_modules/.installed .venv/.installed
	@scripts/need.sh chromium firefox iproute2
	@cd tests/interop && npm run doc --silent

## link: how a viewer fares whose link shrinks to 300 kbit/s and grows again.
link: build tests/browser/node_modules/.installed tests/interop/node_modules/.installed
	@scripts/need.sh chromium iproute2
	@cd tests/interop && npm run link --silent

## compare: CPU for a forwarded packet, beside Janus with the same browsers. Some minutes.
compare: build tests/browser/node_modules/.installed tests/interop/node_modules/.installed
	@scripts/need.sh chromium iproute2 janus
	@cd tests/interop && npm run compare --silent

## bench: numbers with names.
bench: rust-needs
	cargo bench --locked --package testkit --bench forward

## sim: whole calls out of SEEDS seeds (or the one called SEED), with an adversary; names those that fail.
SEEDS ?= 500
SEED ?=
sim: rust-needs
	SEEDS=$(SEEDS) SEED=$(SEED) cargo test --release --locked --package sfu --test seeds -- stories_

## fuzz: every target for FUZZ_SECONDS, from its corpus.
FUZZ_SECONDS ?= 60
fuzz: rust-needs
	@scripts/need.sh c++
	@scripts/fuzz.sh $(FUZZ_SECONDS)

## doc: the documentation of the crates.
doc: rust-needs
	cargo doc --workspace --no-deps --locked
