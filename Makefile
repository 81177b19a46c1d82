# What can be done with this tree: make help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO ?= go
# Go files outside the module's packages are formatted and vetted as well.
TOOLS := ./.ci/arrows ./.ci/reference ./.ci/suites
# Packages that start servers of their own run at most this many at once.
TEST_P ?= 2
TEST_TIMEOUT ?= 20m
FUZZTIME ?= 5s

.PHONY: help build run test lint arrows fuzz e2e suites suite-regress suite-pipeline suite-pgx pgbouncer-suite vuln bench bench-peers

help: ## list the targets
	@sed -nE 's/^([a-z0-9-]+):[^#]*## (.*)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '  make %-15s %s\n' "$$name" "$$text"; done

build: ## compile bin/poolerd
	$(GO) build -o bin/poolerd ./cmd/poolerd

run: build ## serve the sample data of a private PostgreSQL through poolerd, until Ctrl-C
	bin/poolerd serve --demo

test: ## run all tests with the race detector, seeds of the fuzz targets included
	$(GO) test -race -timeout $(TEST_TIMEOUT) -p $(TEST_P) ./...

lint: ## formatting, vet, staticcheck, and README.md's reference of settings
	@unformatted=$$($(GO) tool gofumpt -l .ci bench cmd configs pool wire); \
	if [ -n "$$unformatted" ]; then echo "not formatted (go tool gofumpt -w FILE):"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./... $(TOOLS)
	$(GO) tool staticcheck ./... $(TOOLS)
	$(GO) run ./.ci/reference -check README.md

arrows: ## check which package imports which
	$(GO) run ./.ci/arrows

fuzz: ## run every fuzz target for FUZZTIME (5s)
	@FUZZTIME=$(FUZZTIME) .ci/fuzz

e2e: ## drive poolerd with every client there is, node-postgres and pgjdbc too, and print what each can do
	@mkdir -p bin; rm -f bin/drivers.txt; failed=0; \
	POOLERD_E2E_ALL=1 POOLERD_E2E_TABLE=$(CURDIR)/bin/drivers.txt $(GO) test -timeout 30m -count 1 ./cmd/poolerd/e2e/... || failed=1; \
	cat bin/drivers.txt; exit $$failed

suites: build ## run PostgreSQL's, libpq_pipeline's and pgx's own tests directly and through poolerd, and compare; ARGS="-mode transaction" and others, see --help
	$(GO) run ./.ci/suites $(ARGS)

suite-regress: build ## of these, PostgreSQL's regression tests alone
	$(GO) run ./.ci/suites -suite regress $(ARGS)

suite-pipeline: build ## of these, libpq_pipeline's tests alone
	$(GO) run ./.ci/suites -suite pipeline $(ARGS)

suite-pgx: build ## of these, pgx's tests alone
	$(GO) run ./.ci/suites -suite pgx $(ARGS)

pgbouncer-suite: build ## run PgBouncer's own tests on poolerd; SUITE=checkout of PgBouncer at tag pgbouncer_1_25_2; ARGS="-mode direct,poolerd" runs PgBouncer too
	@test -n "$(SUITE)" || { echo "SUITE is missing: give make pgbouncer-suite SUITE=path, a checkout of https://github.com/pgbouncer/pgbouncer at tag pgbouncer_1_25_2"; exit 1; }
	$(GO) run ./.ci/suites -suite pgbouncer -pgbouncer $(SUITE) -mode poolerd -limit 60s $(ARGS)

vuln: ## look for known vulnerabilities in what this builds on; VULNDB=file:///path for a copy of the Go vulnerability database
	$(GO) run golang.org/x/vuln/cmd/govulncheck@latest $(if $(VULNDB),-db $(VULNDB)) ./...

bench: build ## how large should the pool be: half a minute of PostgREST's requests; ARGS="--server-latency 1ms" and others, see poolerd help bench
	bin/poolerd bench --quick --out bin/bench --force $(ARGS)

bench-peers: build ## measure beside PgBouncer and PostgreSQL alone; ARGS="--quick" and others, see --help
	$(GO) run ./bench/peers $(ARGS)
