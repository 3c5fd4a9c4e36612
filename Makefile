# Everything that is done with the project. `make help` lists it.

GO ?= go

# A linter is not part of the product: it runs from the module proxy at this version and stays out of go.mod.
GOLANGCI_LINT ?= $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# A program with the race detector sleeps for a second at its end; the tests have no goroutine left by then.
# https://go.dev/doc/articles/race_detector#Options
export GORACE ?= atexit_sleep_ms=0

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Look for Go and PostgreSQL. Offer to install PostgreSQL if it is missing
	@GO="$(GO)" scripts/setup go $(if $(DATABASE_URL),,postgresql)

# The flag of go test for the race detector. Where it is first used, eval replaces it by what the script prints.
RACE = $(eval RACE := $$(or $$(shell GO="$$(GO)" scripts/setup race),$$(error no race detector)))$(RACE)

.PHONY: run
run: setup ## Run the demo on a private PostgreSQL, or on DATABASE_URL (ARGS=--echo prints the SQL)
	$(GO) run ./cmd/musicstore demo $(ARGS)

# The first time, a test builds sqlc. That takes minutes, and go test ends a package after ten, unless it is told otherwise.
.PHONY: test
test: setup ## Run the tests on a real PostgreSQL, with the race detector. Of many similar cases it runs a few
	$(GO) test $(RACE) -vet=off -parallel 4 -timeout 30m ./...
	cd examples/library && $(GO) test $(RACE) -vet=off -parallel 4 ./...

.PHONY: soak
soak: setup ## Run all cases of all tests, and the long tests of faults and races: each operation is cut at each message
	MUSICSTORE_SOAK=1 $(GO) test $(RACE) -timeout 60m ./...
	cd examples/library && MUSICSTORE_SOAK=1 $(GO) test $(RACE) ./...
	cd bench && MUSICSTORE_SOAK=1 $(GO) test -timeout 45m -run 'Soak' ./...

.PHONY: torture
torture: ## Run the tests that take hours: 5,000 random changes of a schema, and each kind of change to a million rows in use
	MUSICSTORE_TORTURE=1 $(GO) test -run TestTorture -timeout 0 ./layer/schema

FUZZTIME ?= 30s

.PHONY: fuzz
fuzz: ## Look for input that breaks something, FUZZTIME (30s) for each fuzz test. make test runs the inputs that were found
	@set -e; for package in ./layer/dbtx ./internal/repo ./cmd/musicstore; do \
		for fuzz in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "--- $$fuzz"; $(GO) test -run '^$$' -fuzz "^$$fuzz\$$" -fuzztime $(FUZZTIME) $$package; \
		done; \
	done

.PHONY: cover
cover: ## Print how much of repo, dbtx and schema their tests cover. Fail below 90 %
	@MUSICSTORE_SOAK=parts $(GO) test -cover ./internal/repo ./layer/dbtx | \
		awk '{ print } $$1 != "ok" || $$5 + 0 < 90 { failed = 1 } END { exit failed || NR == 0 }'
	@set -e; profile=$$(mktemp); trap 'rm -f "$$profile"' EXIT; \
		MUSICSTORE_SOAK=parts $(GO) test -coverpkg=./layer/schema -coverprofile="$$profile" ./layer/schema ./layer/generate; \
		$(GO) tool cover -func="$$profile" | awk '$$1 == "total:" { print; total = $$3 } END { exit total + 0 < 90 }'

# bench/ is a module of its own: what it measures the store beside is no part of go.mod.

.PHONY: bench
bench: ## Measure the store and other libraries, and write bench/results (ARGS="-ops=account-by-email -cycles=20": a part)
	cd bench && $(GO) run . $(ARGS)

.PHONY: bench-net
bench-net: ## Measure over links of 0.5 and 2 ms with TLS, and write bench/results/net.md (ARGS="-delays=1ms -ops=buy": a part)
	cd bench && $(GO) run . -net $(ARGS)

SCALE ?= 1

.PHONY: bench-scale
bench-scale: ## Measure with ten million accounts and thirty million purchases (SCALE=0.01: a hundredth)
	cd bench && $(GO) run ./scale -scale=$(SCALE)

.PHONY: bench-check
bench-check: ## Fail if an operation needs more allocations, statements or messages than bench/budget says
	cd bench && $(GO) vet ./... && $(GO) test ./...

.PHONY: bench-update
bench-update: ## Write bench/budget again
	cd bench && $(GO) test ./budget -update

.PHONY: bench-generate
bench-generate: ## Generate the code of those libraries that need it, from the tables that Bootstrap makes
	cd bench && $(GO) run ./generate

.PHONY: generate
generate: ## Generate Go code from the SQL in db/, and say what is wrong with the SQL
	$(GO) run ./layer/generate
	cd layer/internal/testdb && $(GO) run ../../generate
	cd examples/library && $(GO) run musicstore/layer/generate

# What `make generate` writes.
GENERATED := internal/dbgen internal/repo/store.go internal/repo/types.go internal/repo/sentinels.go internal/repo/derived.go internal/repo/pages.go layer/internal/testdb examples/library

.PHONY: verify
verify: generate ## Fail if the generated code or the picture in docs/graph.md is out of date, or go.mod is not tidy
	@changes=$$(git status --porcelain --untracked-files=all -- $(GENERATED)) && \
		if [ -n "$$changes" ]; then git --no-pager diff -- $(GENERATED); \
		echo "These files are as 'make generate' writes them, but are not committed. Commit them:"; echo "$$changes"; exit 1; fi
	$(GO) test -tags verify -list '^TestDocs_Show' ./internal/schema | grep -q '^TestDocs_Show' # go test passes where there is none
	$(GO) test -count 1 -tags verify -run '^TestDocs_Show' ./internal/schema
	$(GO) mod tidy -diff
	cd bench && $(GO) mod tidy -diff
	cd examples/library && $(GO) mod tidy -diff
	$(GO) mod verify

.PHONY: graph
graph: generate ## Draw the picture in docs/graph.md again
	@cd internal/schema && MUSICSTORE_GRAPH=draw $(GO) test -count 1 -tags verify -run '^TestDocs_ShowTheSchemaAsItIs$$'

SYSTEMS ?= linux/amd64 linux/arm64 linux/386 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64 freebsd/amd64 freebsd/arm64

.PHONY: cross
cross: ## Build for each operating system without cgo, and compile the tests for each kind of Unix
	@set -e; for system in $(SYSTEMS); do \
		echo "$$system"; export CGO_ENABLED=0 GOOS=$${system%/*} GOARCH=$${system#*/}; \
		$(GO) build ./cmd/... ./internal/... ./layer/...; \
		if [ "$$GOARCH" = amd64 ] && [ "$$GOOS" != windows ]; then $(GO) vet ./cmd/... ./internal/... ./layer/...; fi; \
	done

.PHONY: plans
plans: generate ## Print the index by which each query reads each table. Fail if one is missing or not needed
	@cd internal/schema && MUSICSTORE_PLANS=all $(GO) test -count=1 -run '^TestQueries_UseAnIndexEach$$'

.PHONY: lint
lint: ## Run the linters
	$(GOLANGCI_LINT) run ./...
	cd bench && $(GOLANGCI_LINT) run ./...
	cd examples/library && $(GOLANGCI_LINT) run ./...

.PHONY: fmt
fmt: ## Format the Go code
	$(GOLANGCI_LINT) fmt ./...
	cd bench && $(GOLANGCI_LINT) fmt ./...
	cd examples/library && $(GOLANGCI_LINT) fmt ./...
