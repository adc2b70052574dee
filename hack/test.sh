#!/usr/bin/env bash
# Runs the tests: unit, integration, e2e, or all of them. Ends with one line that sums them up.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

what=${1:-all}
results=$(mktemp -d)
box=
cleanup() {
  if [ -n "$box" ]; then go -C hack/cluster run . down --name "$box" >&2 || true; fi
  rm -rf "$results"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# The race detector needs cgo, and cgo a C compiler.
race=
if command -v "$(go env CC)" >/dev/null; then race=-race; else echo "no C compiler: the tests run without the race detector" >&2; fi

gotest() { # NAME ARGUMENTS...: go test with one line for each package and all details of failures
  local name=$1
  shift
  echo "== $name" >&2
  go -C hack/tools/gotestsum tool gotestsum --raw-command --format pkgname --format-hide-empty-pkg --jsonfile "$results/$name.json" -- \
    go -C "$PWD" test -json -count=1 $race "$@"
}

binaries() {
  eval "$(go -C hack/cluster run . build)"
}

unit() {
  gotest unit ./api/... ./cmd/... ./controllers/... ./internal/...
  (cd hack/cluster/kubernetes && CGO_ENABLED=0 race='' && gotest_kubernetes)
}

gotest_kubernetes() {
  echo "== the kubelet's keyring" >&2
  CGO_ENABLED=0 go test -count=1 -trimpath -tags grpcnotrace -json ./keyring/... >"$results/keyring.json" || { cat "$results/keyring.json"; return 1; }
}

integration() {
  binaries
  gotest integration -timeout 30m ./test/box/... ./test/integration/...
  gotest cluster -timeout 20m -C hack/cluster ./...
}

e2e() {
  binaries
  if [ "${USE_EXISTING_CLUSTER:-}" != true ]; then
    box="e2e-$$"
    go -C hack/cluster run . up --name "$box" >&2
    eval "$(go -C hack/cluster run . env --name "$box")"
  fi
  CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "$results/regcred" ./cmd/regcred
  REGCRED_BIN="$results/regcred" gotest e2e -timeout 30m ./test/e2e/...
}

summary() {
  local passed failed skipped
  passed=$(cat "$results"/*.json | grep -c '"Action":"pass".*"Test":' || true)
  failed=$(cat "$results"/*.json | grep -c '"Action":"fail".*"Test":' || true)
  skipped=$(cat "$results"/*.json | grep -c '"Action":"skip".*"Test":' || true)
  echo "$passed passed, $failed failed, $skipped skipped"
}

status=0
case $what in
  all) for stage in unit integration e2e; do ( : ); $stage || status=1; done ;;
  unit | integration | e2e) $what || status=1 ;;
  *) echo "usage: hack/test.sh [all|unit|integration|e2e]" >&2; exit 2 ;;
esac
summary
exit $status
