#!/usr/bin/env bash
# Fails where something that is generated, or that must agree with something else, is not up to date.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Everything but the tests is built in one way, so that builds are shared.
export CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -trimpath"

fail() { echo "verify: $*" >&2; exit 1; }
generated=$(mktemp -d)
trap 'rm -rf "$generated"' EXIT

# Code and CRDs are what the types say.
go -C hack/tools/controller-gen tool controller-gen crd:crdVersions=v1 "paths=$PWD/api/..." "output:crd:dir=$generated/crd"
go -C hack/tools/controller-gen tool controller-gen object "paths=$PWD/api/..." "output:object:dir=$generated/deepcopy"
for file in "$generated"/crd/*.yaml; do
  cmp -s "$file" "config/crd/$(basename "$file")" || fail "config/crd/$(basename "$file") is not what the types say: run make generate"
done
find "$generated/deepcopy" -name 'zz_generated*.go' | while read -r file; do
  cmp -s "$file" api/v1alpha1/zz_generated.deepcopy.go || fail "api/v1alpha1/zz_generated.deepcopy.go is not what the types say: run make generate"
done

# The chart says what config/ says, and the alerts of the docs are those of the chart.
hack/chart.sh "$generated/chart"
for file in "$generated"/chart/*.yaml; do
  cmp -s "$file" "charts/regcred/templates/generated/$(basename "$file")" || fail "charts/regcred/templates/generated/$(basename "$file") is not what config/ says: run make generate"
done
hack/monitoring.sh "$generated/monitoring"
for file in prometheus-rule/prometheusrule.yaml dashboard/regcred.json; do
  cmp -s "$generated/monitoring/$file" "config/$file" || fail "config/$file is not what charts/regcred/files says: run make generate"
done
hack/apidocs.sh "$generated/api.md"
cmp -s "$generated/api.md" docs/api.md || fail "docs/api.md is not what the types say: run make generate"
# Never from the cache of results (-count=1): Go does not see that a file outside a test's module changed.
go -C hack/release test -count=1 ./...
# Alerts fire when they should, and alerts and dashboard ask for metrics that exist.
go -C hack/monitoring test -count=1 ./...
# Health checks and actions judge each state that the operator writes.
go -C hack/gitops test -count=1 ./...

# The modules are tidy, and the operator's own stays small.
go mod tidy -diff >/dev/null || fail "go.mod or go.sum is not tidy: run go mod tidy"
for module in hack/release hack/monitoring hack/gitops; do
  (cd "$module" && go mod tidy -diff >/dev/null) || fail "$module/go.mod is not tidy: run go mod tidy there"
done
go mod verify >/dev/null
for forbidden in k8s.io/kubernetes github.com/hashicorp/vault; do
  if go list -m all | grep -q "^$forbidden "; then fail "the operator's module must not need $forbidden"; fi
done

# The manifests render.
eval "$(go -C hack/cluster run . build --only kubernetes)"
for folder in config/default config/samples; do
  "$KUBEBUILDER_ASSETS/kubectl" kustomize "$folder" >/dev/null || fail "$folder does not render"
done
CGO_ENABLED=0 go vet ./...
echo "verify: all is up to date"
