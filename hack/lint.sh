#!/usr/bin/env bash
# Runs the linters over every module that is ours to keep clean.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Everything but the tests is built in one way, so that builds are shared.
export CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -trimpath"

cache=${REGCRED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/regcred}/tools
key=$(cat hack/tools/golangci-lint/go.sum <(go version) | sha256sum | cut -c1-16)
lint=$cache/golangci-lint-$key
if [ ! -x "$lint" ]; then
  echo "building golangci-lint: up to about 6 minutes on 2 cores, once" >&2
  mkdir -p "$cache"
  go -C hack/tools/golangci-lint build -o "$lint.tmp" github.com/golangci/golangci-lint/v2/cmd/golangci-lint
  mv "$lint.tmp" "$lint"
fi
# One that runs elsewhere on this machine is waited for.
"$lint" run --allow-serial-runners ./...
for module in hack/release hack/monitoring hack/gitops hack/cluster hack/cluster/vault hack/cluster/vault121 hack/cluster/registry hack/cluster/kubernetes hack/cluster/oldest; do
  unformatted=$(gofmt -l "$module")
  if [ -n "$unformatted" ]; then
    echo "not gofmt'ed: $unformatted" >&2
    exit 1
  fi
done
for script in hack/*.sh .ci/run; do bash -n "$script"; done
