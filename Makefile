# Every step that a person or CI takes is a target here; `make` lists them. Needed at hand: Go, Node with npm, git and
# make; for the race detector also a C compiler. Linters and the opa program are built by Go from go.tools.mod and
# go.opa.mod, which hold their versions apart from the product's; nothing is installed outside this folder and the
# caches of Go and npm.

.NOTPARALLEL:
.DEFAULT_GOAL := help

# Where there is no home, the caches of Go and npm have no place either: they get one here.
ifeq ($(strip $(HOME)),)
export HOME := $(CURDIR)/.trimtab/home
endif

# All but the tests are compiled in one way, the one that ships, so that each package is compiled once: without C, with
# paths trimmed. The tests keep their paths, and the race detector needs C.
TEST_GOFLAGS := $(GOFLAGS)
export GOFLAGS := $(strip $(GOFLAGS) -trimpath)
export CGO_ENABLED := 0

VERSION ?= $(or $(shell git describe --tags --always --dirty 2>/dev/null),dev)
# ARGS goes to the program that a target runs, as in: make run ARGS='-h'
ARGS ?=
# FUZZ is how many inputs each fuzz target tries. A count ends where a time limit on a busy machine may fail.
FUZZ ?= 20000

# go_dirs is where our Go lies: tools that walk folders would walk node_modules and caches too.
go_dirs := handler internal policies tests

tool := go tool -modfile=go.tools.mod
opa  := go tool -modfile=go.opa.mod opa
npm  := tests/node_modules/.package-lock.json
chart := internal/report/chart/dist/uPlot.iife.min.js

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: build
build: $(chart) ## build bin/trimtab: static, paths trimmed, stripped, version stamped
	go build -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)' -o bin/trimtab ./handler

.PHONY: run
run: build ## run the demonstration: emulator, handler and a day of load in fast time, no Azure needed
	go run ./tests/demo $(ARGS)

# Packages without tests are left to vet, so that the output ends with what was tested.
has_tests := {{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}

.PHONY: test
test: build $(npm) ## run every test: units, fuzz seeds, policies, the built binary with Azurite and the emulator
	go vet ./...
	@race=; cgo=0; if command -v "$$(go env CC)" >/dev/null; then race=-race; cgo=1; \
	else echo 'test: no C compiler at hand, so the race detector stays off' >&2; fi; \
	tested=$$(go list -f '$(has_tests)' ./...) && echo "go test $$race -shuffle=on ./..." && \
	CGO_ENABLED=$$cgo GOFLAGS='$(TEST_GOFLAGS)' go test $$race -shuffle=on $$tested

.PHONY: lint
lint: policy ## check formatting and code (gofumpt, staticcheck), then everything that `make policy` checks
	@files=$$($(tool) gofumpt -l $(go_dirs)); test -z "$$files" || \
	{ printf 'gofumpt would change these; run: make format\n%s\n' "$$files" >&2; exit 1; }
	$(tool) staticcheck ./...

.PHONY: format
format: ## rewrite Go and Rego files in their standard form
	$(tool) gofumpt -l -w $(go_dirs)
	$(opa) fmt --write policies

.PHONY: policy
policy: ## check the policies with stock tools (opa fmt, opa check, opa test, Regal), then with trimtab check
	$(opa) fmt --list --fail policies
	$(opa) check --strict --schema policies/schemas --capabilities docs/policies/capabilities.json policies
	$(opa) test policies
	$(opa) test --threshold 98 policies >/dev/null
	$(tool) regal lint policies
	go run ./handler check --regal off --threshold 98 policies

.PHONY: fuzz
fuzz: ## fuzz each target for FUZZ inputs
	@grep -rlE '^func Fuzz' --include='*_test.go' --exclude-dir=node_modules $(go_dirs) | sort | while read -r file; do \
	  for name in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$$file"); do \
	    echo "fuzz: $$name in $$(dirname "$$file"), $(FUZZ) inputs"; \
	    go test -run '^$$' -fuzz "^$$name\$$" -fuzztime '$(FUZZ)x' "./$$(dirname "$$file")" </dev/null || exit 1; \
	  done; \
	done

.PHONY: mutants
mutants: ## break the product in many places and expect the simulation, or the test of the trap, to find each: the tables, then killed and survived
	go run ./tests/mutants $(ARGS)

.PHONY: bench
bench: build ## measure, and close with one line for each figure: bench: NAME VALUE UNIT
	go run ./tests/bench $(ARGS)

.PHONY: replicate
replicate: ## hold published results against ours, row by row, and close with: replicate: rows=N within=N
	go run ./tests/replicate $(ARGS)

.PHONY: soak
soak: $(npm) ## simulate many histories and kill processes for minutes, and close with one line of what was broken
	go run ./tests/soak $(ARGS)

.PHONY: page
page: build $(npm) ## look at the report in a real Chromium, light and dark, and leave screenshots in .trimtab/page
	mkdir -p .trimtab/page
	go run ./tests/page .trimtab/page/report.html
	node tests/page/look.mjs .trimtab/page/report.html .trimtab/page

# SETS is how many scale sets want a change in the same minute.
SETS ?= 500

.PHONY: storm
storm: ## let 500 scale sets want a change in the same minute, in virtual time, and close with how long it took
	@mkdir -p .trimtab
	go test -count=1 -timeout 9m -run '^TestStorm' ./tests/storm -args -sets $(SETS) -report $(CURDIR)/.trimtab/storm.txt
	@cat .trimtab/storm.txt

.PHONY: package
package: ## write trimtab.zip, as `func azure functionapp publish` would make it
	GOOS=linux GOARCH=amd64 $(MAKE) --no-print-directory build
	go run ./tests/pack/zip -o trimtab.zip $(ARGS)

.PHONY: ci
ci: lint test ## what CI runs: lint, then test

.PHONY: clean
clean: ## remove what was built, installed and written here
	@if test -d .trimtab; then chmod -R u+w .trimtab; fi
	rm -rf bin .trimtab trimtab.zip tests/node_modules internal/report/chart/node_modules
	find internal/report/chart/dist -type f ! -name .gitignore -delete

# The chart library of the report: taken from npm by lock file, built in, never committed.
$(chart): internal/report/chart/package-lock.json
	cd internal/report/chart && npm ci --no-progress
	cd internal/report/chart && cp node_modules/uplot/dist/uPlot.min.css node_modules/uplot/LICENSE dist/ && \
	cp node_modules/uplot/dist/uPlot.iife.min.js dist/

# npm writes its own lock file last, so a broken installation leaves none behind.
$(npm): tests/package-lock.json tests/package.json
	cd tests && npm ci --no-progress
	@touch $@
