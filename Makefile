# Everything that is done with this repository. `make help` lists it.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CLUSTER := go -C hack/cluster run .
GENERATE := go -C hack/tools/controller-gen tool controller-gen

##@ The two commands

demo: ## Watch the incident happen and end, on a cluster of its own (KEEP=1 leaves it up)
	hack/demo.sh

test: ## Run all tests: unit, integration and end to end on a real node
	hack/test.sh all

##@ Parts of them

test-unit: ## Run the tests that need no server
	hack/test.sh unit

test-integration: ## Run the tests against a real API server, Vault and registry
	hack/test.sh integration

test-e2e: ## Run the tests on a real node
	hack/test.sh e2e

fuzz: ## Fuzz every parser for 60 seconds (FUZZTIME=10s for another time)
	hack/fuzz.sh $(or $(FUZZTIME),60s)

demo-down: ## End the demo that KEEP=1 left up
	$(CLUSTER) down --name demo

cluster-up: ## Start a cluster in a box to play with
	$(CLUSTER) up

cluster-down: ## End it
	$(CLUSTER) down

##@ Development

build: ## Build the operator and the kubectl plugin into bin/
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o bin/ ./cmd/...

generate: ## Write deepcopy functions and CRDs anew
	$(GENERATE) object crd:crdVersions=v1 paths=$(CURDIR)/api/... output:crd:dir=$(CURDIR)/config/crd

lint: ## Run the linters
	hack/lint.sh

verify: ## See that generated code, modules and manifests are up to date
	hack/verify.sh

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo test test-unit test-integration test-e2e fuzz demo-down cluster-up cluster-down build generate lint verify help
