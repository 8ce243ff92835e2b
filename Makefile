# The commands people type. CMake does the building, CMakePresets.json holds the settings.
.DEFAULT_GOAL := help
.PHONY: help demo build test conformance mutants bench abi debian asan tsan fuzz tidy format format-check clean

PRESET ?= dev
FUZZ_SECONDS ?= 60
JOBS ?= $(shell nproc)
CLANG_FORMAT ?= $(firstword $(shell command -v clang-format-14) clang-format)
CLANG_TIDY ?= $(firstword $(shell command -v clang-tidy-14) clang-tidy)
INSTALL := tests/support/install_dependencies.sh
SOURCES = $(shell find lib cli bindings tests docs -name '*.cpp' -o -name '*.hpp')

# $(call build,preset,target...): configure, silently unless that fails, and build.
define build
	@mkdir -p build
	@cmake --preset $(1) >build/$(1).log 2>&1 || { cat build/$(1).log; exit 1; }
	@cmake --build --preset $(1) --parallel $(JOBS) $(if $(2),--target $(2))
endef

# $(call programs,folder,pattern): what was built there.
programs = $$(find $(1) -maxdepth 1 -name '$(2)' -type f -perm -u+x)

help:  ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## /\1\t/p' Makefile | expand -t 15
	@echo "Variables: PRESET=$(PRESET) FUZZ_SECONDS=$(FUZZ_SECONDS) JOBS=$(JOBS) LBRESOLVE_SKIP_INSTALL=1"

demo:  ## install what is missing, build, and watch a race around dead addresses
	@$(INSTALL) build demo test
	$(call build,dev,lbresolve_cli)
	@python3 docs/demo/demo.py build/dev/cli/lbresolve

build:  ## install what is missing and build PRESET
	@$(INSTALL) build test
	$(call build,$(PRESET))

test: build  ## run every test of PRESET; the last line counts them
	@python3 tests/run.py build/$(PRESET) --except debian

conformance: build  ## run every test, print the matrix of rules, write docs/conformance.md
	@python3 tests/run.py build/$(PRESET) --except debian || echo "Some tests failed: the matrix names their rules."
	@python3 tests/conformance.py build/$(PRESET) --write docs/conformance.md

mutants:  ## plant known mistakes one by one and see that the tests find each
	@$(INSTALL) build test
	@python3 tests/mutants/run.py

bench:  ## run the benchmarks
	@$(INSTALL) build test ci
	$(call build,release)
	@for program in $(call programs,build/release/tests/bench,bench_*); do $$program || exit 1; done
	@python3 tests/bench/encrypted.py build/release/tests/bench/measure_lookups
	@python3 tests/support/python_environment.py build/release tests/bench/python.py

abi:  ## show how the interface of the shared library has changed since the last tag v*
	@$(INSTALL) build test
	$(call build,dev,lbresolve_shared)
	@python3 tests/install/abi_check.py build/dev/lib/liblbresolve.so

debian: build  ## build the Debian packages and check them (a whole build of their own, so not part of `test`)
	@$(INSTALL) ci
	@python3 tests/run.py build/$(PRESET) debian

asan:  ## every test of the library and the command under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(INSTALL) build test ci
	$(call build,asan)
	@python3 tests/run.py build/asan core sim io cli e2e

tsan:  ## the tests with threads under ThreadSanitizer
	@$(INSTALL) build test
	$(call build,tsan,io_tests)
	@python3 tests/run.py build/tsan io

fuzz:  ## fuzz every target for FUZZ_SECONDS
	@$(INSTALL) build ci
	$(call build,fuzz)
	@for program in $(call programs,build/fuzz/tests/fuzz,fuzz_*); do \
		$$program -max_total_time=$(FUZZ_SECONDS) -timeout=5 -max_len=4096 -print_final_stats=1 \
			-artifact_prefix=$$program- $${program}_found tests/fuzz/corpus || exit 1; done

# Eight sources at a time: most of the work is looking at the headers that all of them include. So what is in a source's
# unnamed namespace must not have the same name in another one.
tidy:  ## clang-tidy over the library and the command
	@$(INSTALL) build test ci
	@mkdir -p build
	@cmake --preset tidy >build/tidy.log 2>&1 || { cat build/tidy.log; exit 1; }
	@{ sed -n 's/^ *"file": "\(.*\)",*$$/\1/p' build/tidy/compile_commands.json; find lib -name '*_none.cpp'; } | \
		xargs -P $(JOBS) -n 1 $(CLANG_TIDY) -p build/tidy --quiet --checks=-bugprone-suspicious-include

format:  ## format the sources
	@$(INSTALL) ci
	@$(CLANG_FORMAT) -i $(SOURCES)

format-check:  ## fail where a source is not formatted
	@$(INSTALL) ci
	@$(CLANG_FORMAT) --dry-run --Werror $(SOURCES)

clean:  ## remove the builds
	rm -rf build
