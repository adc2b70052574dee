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

test-vault: ## Run the tests of logins, outcomes and events against one version of Vault (BOX_VAULT_VERSION=1.21)
	hack/test.sh vault

test-oldest: ## Run install, admission, main path and recovery against the API server of the oldest Kubernetes that is supported
	hack/test.sh oldest

test-e2e: ## Run the tests on a real node
	hack/test.sh e2e

# 2000x50 is with 50 RegistryCredentials, and 5000+ beside many Secrets and Pods of others.
NAMESPACES ?= 500,2000,5000,10000,2000x50,5000+

bench: ## Measure beside a plain client, and write docs/benchmarks.md (NAMESPACES=500,2000x50,5000+)
	eval "$$(go -C hack/cluster run . build --only kubernetes,vault)"; CGO_ENABLED=0 go test -trimpath -count=1 -timeout 2h -v -run '^TestBenchmark$$' \
	  ./test/bench/ -namespaces $(NAMESPACES) -page $(CURDIR)/docs/benchmarks.md

fuzz: ## Fuzz every parser for 60 seconds (FUZZTIME=10s for another time)
	hack/fuzz.sh $(or $(FUZZTIME),60s)

mutate: ## Change the code that decides, one change at a time, and see that a test notices (MUTATE_SAMPLE=200, MUTATE_SEED=2, MUTATE_CHANGED=origin/main, MUTATE_ONLY=judge, PACKAGES=internal/removal)
	CGO_ENABLED=0 nice -n 10 go run -trimpath ./hack/mutate $(if $(MUTATE_SAMPLE),-sample $(MUTATE_SAMPLE)) $(if $(MUTATE_SEED),-seed $(MUTATE_SEED)) $(if $(MUTATE_CHANGED),-changed $(MUTATE_CHANGED)) $(if $(MUTATE_ONLY),-only '$(MUTATE_ONLY)') $(if $(MUTATE_GOAL),-goal $(MUTATE_GOAL)) $(PACKAGES)

flakes: ## Run the unit tests many times, in other orders, with 1, 2 and 8 processors (RUNS=3, PACKAGES=./internal/rotation)
	hack/flakes.sh $(or $(RUNS),3) $(PACKAGES)

demo-down: ## End the demo that KEEP=1 left up
	$(CLUSTER) down --name demo

cluster-up: ## Start a cluster in a box to play with
	$(CLUSTER) up

cluster-down: ## End it
	$(CLUSTER) down

##@ Release

VERSION ?= v0.0.0-dev
# Where the image of a release is pushed to. REGISTRY stands for what is not decided.
IMAGE ?= REGISTRY/regcred
PLATFORMS ?= all
# A release is built with the toolchain that go.mod names, wherever it is built: other versions give other bytes.
RELEASE := CGO_ENABLED=0 GOTOOLCHAIN=$$(sed -n 's/^toolchain //p' go.mod) go -C hack/release run -trimpath . -version $(VERSION) -image $(IMAGE) -platforms $(PLATFORMS)

release: ## Build a release into dist/ (VERSION=v1.2.3 IMAGE=registry.company.io/platform/regcred PLATFORMS=linux/amd64)
	$(RELEASE)

push: ## The same, and push the image to IMAGE
	$(RELEASE) -push

reproducible: ## Build a release twice, in two folders, and compare
	CGO_ENABLED=0 VERSION=$(VERSION) hack/reproducible.sh -image $(IMAGE) -platforms $(PLATFORMS)

##@ Development

build: ## Build the operator and the kubectl plugin into bin/
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o bin/ ./cmd/...

generate: ## Write deepcopy functions, CRDs, the chart's copy of them and docs/api.md again
	$(GENERATE) object crd:crdVersions=v1 paths=$(CURDIR)/api/... output:crd:dir=$(CURDIR)/config/crd
	hack/chart.sh
	hack/monitoring.sh
	hack/apidocs.sh

dashboard: ## Draw the picture of the dashboard (RECORD=1 plays the demo before and records its metrics)
	hack/dashboard.sh $(RECORD)

lint: ## Run the linters
	hack/lint.sh

verify: ## See that generated code, modules and manifests are up to date
	hack/verify.sh

site: ## Build the documentation as a site into dist/site; needs mkdocs-material
	hack/site.sh

vulncheck: ## Look for known vulnerabilities in what the programs use (VULNDB=https://vuln.go.dev for the newest)
	hack/vulncheck.sh

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo test bench test-unit test-integration test-vault test-oldest test-e2e fuzz mutate flakes demo-down cluster-up cluster-down build release push reproducible generate dashboard lint verify site vulncheck help
