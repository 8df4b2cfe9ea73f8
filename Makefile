# Everything one types in this repository. `make help` lists it.

SHELL   := /bin/bash
LINT    := .tools/golangci-lint-v2.15.0
BUF     := .tools/buf-v1.75.0
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
# The version of gVisor that ambit-runsc reports: that of go.mod.
GVISOR  = $(shell go list -m -f '{{.Version}}' gvisor.dev/gvisor 2>/dev/null)
# Where ambit begins: internal/entry says why. The others begin where Go programs do.
BEGIN   := -E=ambit.dev/ambit/internal/entry.Entry
# Modules beside the main one: tools that the product must never contain.
BESIDE  := test/report test/bench test/guest
FUZZTIME ?= 60s
ARGS    ?=

# A Go that an earlier command fetched, when the host has none that fits.
ifneq ($(wildcard .tools/go/bin/go),)
export PATH := $(CURDIR)/.tools/go/bin:$(PATH)
endif

.DEFAULT_GOAL := help
.PHONY: help build deb demo test test-guest test-microvm test-tiers check lint api sdk console pictures bench fuzz clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/ambit, and what it starts, beside it
	@[ -e bin/ambit-runsc ] || echo "The first build has a second kernel (gVisor) to compile: two to three minutes of processor time." >&2
	$(call GOBUILD,) -o bin/ ./cmd/...

# What is linked with more flags, and how.
define GOBUILD
CGO_ENABLED=0 go build -trimpath -buildvcs=false \
		-ldflags "$(1) -X main.version=$(VERSION) -X gvisor.dev/gvisor/runsc/version.version=$(GVISOR)" \
		-ldflags "ambit.dev/ambit/cmd/ambit=$(1) -X main.version=$(VERSION) $(BEGIN)"
endef

deb: ## make a package for Debian and Ubuntu of this version, in dist/
	@mkdir -p dist/bin
	$(call GOBUILD,-s -w) -o dist/bin/ ./cmd/...
	@AMBIT_VERSION=$(VERSION) scripts/deb.sh dist/bin dist

demo: ## run a program that misbehaves, see what it could not do, read what it wrote
	@scripts/demo.sh

test: ## run every test, as root and as an ordinary user, and count what was skipped
	@scripts/test.sh

test-microvm: ## try in machines of their own what CI tries in one
	AMBIT_TEST_MICROVM=all go test -count=1 -timeout 30m -run 'TestDenied' ./internal/enforce/microvm

test-tiers: ## make every attack of test/escape against gVisor and an emulated machine
	@scripts/tiers.sh

test-guest: ## boot Debian's kernels in an emulator, as root, and run the tests of the tier there
	@scripts/guest.sh

check: lint ## check format, vet, lint, import rules and the documents
	@unformatted=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
		if [ -n "$$unformatted" ]; then echo "Not formatted (run gofmt -w):"; echo "$$unformatted"; exit 1; fi
	@if git grep -nE 'exec\.Command(Context)?\(.*"(/bin/)?(ba|da)?sh"' -- 'cmd/*.go' 'internal/*.go' ':!*_test.go' ':!internal/enforce/enforcetest'; then \
		echo "No shell in the product: argv reaches a program as it is"; exit 1; fi
	CGO_ENABLED=0 go vet ./...
	CGO_ENABLED=0 GOARCH=arm64 go vet ./cmd/... ./internal/...
	@for m in $(BESIDE); do echo "go -C $$m vet ./..."; CGO_ENABLED=0 go -C $$m vet ./... || exit 1; done
	CGO_ENABLED=0 go test ./internal/archtest
	python3 docs/dev/check.py

lint: $(LINT)
	CGO_ENABLED=0 $(LINT) run ./...
	@for m in $(BESIDE); do echo "$(LINT) run # in $$m"; (cd $$m && CGO_ENABLED=0 $(CURDIR)/$(LINT) run ./...) || exit 1; done

# The pinned linter, built once. This takes some minutes.
$(LINT):
	@mkdir -p .tools
	CGO_ENABLED=0 GOBIN=$(CURDIR)/.tools go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT:.tools/golangci-lint-%=%)
	@mv .tools/golangci-lint $@

api: $(BUF) ## check the API's contract, also against main's, and generate its code anew
	cd api && PATH=$(CURDIR)/.tools:$$PATH $(CURDIR)/$(BUF) lint
	@if git cat-file -e main:api/buf.yaml 2>/dev/null; then \
		cd api && $(CURDIR)/$(BUF) breaking --against '$(shell git rev-parse --path-format=absolute --git-common-dir)#branch=main,subdir=api'; fi
	cd api && CGO_ENABLED=0 PATH=$(CURDIR)/.tools:$$PATH $(CURDIR)/$(BUF) generate
	@$(MAKE) --no-print-directory sdk

# The pinned generator with its plugins, built once. This takes some minutes.
$(BUF):
	@mkdir -p .tools
	CGO_ENABLED=0 GOBIN=$(CURDIR)/.tools go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
	CGO_ENABLED=0 GOBIN=$(CURDIR)/.tools go install connectrpc.com/connect/cmd/protoc-gen-connect-go@v1.21.1
	CGO_ENABLED=0 GOBIN=$(CURDIR)/.tools go install github.com/bufbuild/buf/cmd/buf@$(BUF:.tools/buf-%=%)
	@mv .tools/buf $@

sdk: ## build the client for TypeScript anew, which is committed
	cd sdk/typescript && npm ci --no-audit --no-fund && npm run build

console: ## build the console anew, which is embedded
	cd console && npm ci --no-audit --no-fund && npm run build

pictures: ## take the pictures of docs/console anew, by its test
	mkdir -p docs/console
	CONSOLE_PICTURES=$(CURDIR)/docs/console CGO_ENABLED=0 go test -count=1 -run TestViews ./test/console

bench: ## measure beside other sandboxes and write docs/bench (ARGS="--only start --rounds 5")
	@scripts/bench.sh $(ARGS)

fuzz: ## fuzz every parser for FUZZTIME each (60s)
	@for p in $$(go list ./...); do for f in $$(go test -list '^Fuzz' $$p | grep '^Fuzz'); do \
		echo "$$p $$f"; CGO_ENABLED=0 go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$p || exit 1; done; done

clean: ## remove what was built
	rm -rf bin dist report
