# Every target installs what is missing (Debian 12 packages; as root), configures, builds, then does its job.
# `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

CONFIG ?= configs/flights.yaml
DATA ?=
FUZZ_SECONDS ?= 60
TESTS ?=
QUICK ?=
# As many compilers as cores, but not more than one per 1.5 GiB of free memory: CAF and RocksDB headers are heavy.
JOBS ?= $(shell awk -v cores="$$(nproc)" '/^MemAvailable/ { n = int($$2 / 1572864) } \
  END { if (n < 1) n = 1; print n < cores ? n : cores }' /proc/meminfo)

# ccache needs a place to write; a home that cannot be written to is no reason to fail.
ifeq ($(CCACHE_DIR),)
  ifneq ($(shell test -w "$$HOME" && echo yes),yes)
    export CCACHE_DIR := $(CURDIR)/build/ccache
  endif
endif

# $(call build,PRESET,TARGETS): configures once (Ninja itself sees later changes of the CMake files) and builds.
define build
if [ ! -e build/$(1)/build.ninja ] || [ CMakePresets.json -nt build/$(1)/build.ninja ]; then cmake --preset $(1); fi
nice ninja -C build/$(1) -j $(JOBS) $(2)
endef
# $(call ctest,PRESET,OPTIONS): the tests' scratch directories go under build/, not into /tmp.
define ctest
mkdir -p build/tmp && TMPDIR=$(CURDIR)/build/tmp ctest --test-dir build/$(1) -j $(JOBS) --output-on-failure \
  --no-tests=error $(if $(TESTS),-R '$(TESTS)') $(2)
endef

.PHONY: help
help:  ## This list
	@echo "make TARGET, with:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "Variables: CONFIG=configs/x.yaml DATA=directory (run) · QUICK=1 (bench-peers, bench-learning) · TESTS=regex (test…) · FUZZ_SECONDS=60 (fuzz) · JOBS=n"

.PHONY: run
run:  ## Replay the stream of CONFIG (two months of flights), then print the report (DATA=dir keeps and goes on)
	@scripts/install_dependencies.sh build
	@$(call build,release,weir)
	@scripts/run.sh '$(CONFIG)' '$(DATA)'

.PHONY: build
build:  ## Build everything: the program, tests and benchmarks
	@scripts/install_dependencies.sh build
	@$(call build,release,all)

.PHONY: test
test:  ## Build and run every test, unit and slow
	@scripts/install_dependencies.sh build test
	@$(call build,release,all)
	@$(call ctest,release)

.PHONY: test-unit
test-unit:  ## Build everything and run the quick tests only
	@scripts/install_dependencies.sh build test
	@$(call build,release,all)
	@$(call ctest,release,-L unit)

.PHONY: test-sanitizers
test-sanitizers:  ## Every test under address+undefined, the unit and fault tests under thread sanitizer; less input
	@scripts/install_dependencies.sh build test
	@$(call build,asan,all)
	@export ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1; $(call ctest,asan)
	@$(call build,tsan,all)
	@export TSAN_OPTIONS=suppressions=$(CURDIR)/tests/support/tsan.supp:second_deadlock_stack=1; $(call ctest,tsan,-L 'unit|faults')

.PHONY: test-faults
test-faults:  ## The fault tests at full length, at most 30 minutes: every crash point, random kills, power cuts, brokers
	@scripts/install_dependencies.sh build test
	@$(call build,release,all)
	@export WEIR_FAULTS=full; $(call ctest,release,-L faults --stop-time "$$(date -d '+30 minutes' +%H:%M:%S)")

.PHONY: bench
bench:  ## Run the benchmarks and their rivals: a table, and build/bench.json (rivals need PyPI once)
	@scripts/install_dependencies.sh build bench kafka
	@$(call build,release,weir benches)
	@bench/rivals.py --venv build/rivals --out build/rivals.json
	@bench/run.py --build build/release --out build/bench.json --rivals build/rivals.json

.PHONY: bench-learning
bench-learning:  ## What networks of hashtrons learn, every way to train them, and simple rivals: tables (rivals need PyPI once)
	@scripts/install_dependencies.sh build bench
	@$(call build,release,hashtron_learning)
	@build/release/bench/hashtron_learning $(if $(QUICK),8,100)
	@$(if $(QUICK),true,build/release/bench/hashtron_learning matrix)
	@bench/learning/rivals.py --samples build/release/bench/hashtron_learning --venv build/learning-rivals

.PHONY: bench-peers
bench-peers:  ## The same job in Weir, Kafka Streams and Flink on a real broker: a table, and build/bench_peers.json (QUICK=1: short)
	@scripts/install_dependencies.sh build kafka peers
	@$(call build,release,weir peers_bench)
	@bench/peers/build.sh >build/peers.txt || [ $$? -eq 77 ]
	@build/release/bench/peers_bench $(if $(QUICK),--quick) --peers build/peers.txt --out build/bench_peers.json

.PHONY: fuzz
fuzz:  ## Fuzz each parser for FUZZ_SECONDS
	@scripts/install_dependencies.sh build test
	@scripts/fuzz.sh $(FUZZ_SECONDS)

.PHONY: data
data:  ## Make the whole year of flights in build/flights (needs PyPI)
	@scripts/install_dependencies.sh build data
	@scripts/make_data.sh build/flights

.PHONY: year
year:  ## Both flight tasks on the whole year, checked against their goals (needs PyPI)
	@scripts/install_dependencies.sh build data
	@$(call build,release,weir)
	@scripts/flights_year.sh

.PHONY: ablation
ablation:  ## The table of what each group of features is worth (needs PyPI)
	@scripts/install_dependencies.sh build data
	@$(call build,release,weir)
	@scripts/ablation.sh

.PHONY: format
format:  ## Format the C++ files that differ from main
	@scripts/install_dependencies.sh build format
	@scripts/format.sh

.PHONY: tidy
tidy:  ## Run clang-tidy over the C++ files that differ from main
	@scripts/install_dependencies.sh build tidy
	@$(call build,release,all)
	@scripts/format.sh --tidy

.PHONY: clean
clean:  ## Remove build/
	rm -rf build
