#!/usr/bin/env bash
# Runs the tests: unit, integration, vault, oldest, e2e, or all of them but vault and oldest. Ends with one line that sums them up.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

what=${1:-all}
results=$(mktemp -d)
box=
failed=0
units=
cleanup() {
  if [ $? != 0 ]; then failed=1; fi
  if [ -n "$units" ]; then kill -- "-$units" 2>/dev/null || true; fi
  node_ends
  rm -rf "$results"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# The race detector needs cgo, and cgo a C compiler.
race="-race -trimpath"
if ! command -v "$(go env CC)" >/dev/null; then
  race=-trimpath
  echo "no C compiler: the tests run without the race detector" >&2
fi

# gotest NAME MODULE ARGUMENTS...: a line for each package, and all details of failures. A failure is noted; what comes next
# still runs.
gotest() {
  local name=$1 module=$2
  shift 2
  echo "== $name" >&2
  go -C hack/tools/gotestsum tool gotestsum --raw-command --format pkgname --format-hide-empty-pkg --hide-summary=skipped \
    --jsonfile "$results/$name.json" -- go -C "$PWD/$module" test -json -count=1 "$@" || failed=1
}

unit() {
  gotest unit . $race ./api/... ./cmd/... ./controllers/... ./hack/mutate/... ./internal/...
  local plain
  plain=$(hack/left-out.sh)
  # shellcheck disable=SC2046
  CGO_ENABLED=0 gotest plain . -trimpath -run "^($(cut -d ' ' -f 2 <<<"$plain" | paste -sd '|'))\$" $(cut -d ' ' -f 1 <<<"$plain" | sort -u)
  # Nor does what only reads the tree gain from the race detector.
  CGO_ENABLED=0 gotest tree . -trimpath ./test/cputime/... ./test/style/... ./hack/picture/... ./hack/sitelinks/...
  # What is compared with Kubernetes' own code is built as the box is, so that the two share what they compile.
  CGO_ENABLED=0 gotest kubernetes hack/cluster/kubernetes -trimpath -tags grpcnotrace ./keyring/... ./manifests/...
}

integration() {
  eval "$(go -C hack/cluster run . build)"
  # Built before, so that no test waits for it.
  CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -trimpath" go -C hack/tools/helm tool -n helm >/dev/null
  # Tests that measure time run alone; those that mostly wait are marked parallel and share the processors.
  gotest integration . $race -parallel 5 -timeout 50m ./test/box/... ./test/bench/... ./test/integration/...
  gotest cluster hack/cluster -timeout 20m ./...
}

# What depends on the version of Vault that BOX_VAULT_VERSION names.
vault() {
  eval "$(go -C hack/cluster run . build)"
  gotest vault . $race -timeout 20m -parallel 3 -skip '^TestVault(AtScale|SealedForHours)$' \
    -run '^Test(Vault|NoAnswerOfVault|ALeasedCredential|ARenewableLease|DocsLogins)' ./test/integration/...
}

# What depends on the version of the API server, on the oldest Kubernetes that is supported: CRDs and their rules, roles, admission policies, the
# chart, the way of a password from Vault into namespaces, cures, and the plugin. etcd and kubectl are those of the newest.
oldest() {
  eval "$(go -C hack/cluster run . build --only registry,vault,pause,kubernetes,oldest)"
  mkdir "$results/assets"
  ln -s "$KUBEBUILDER_ASSETS/etcd" "$KUBEBUILDER_ASSETS/kubectl" "$results/assets/"
  ln -s "$BOX_OLDEST_BIN" "$results/assets/kube-apiserver"
  export KUBEBUILDER_ASSETS="$results/assets"
  CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -trimpath" go -C hack/tools/helm tool -n helm >/dev/null
  "$KUBEBUILDER_ASSETS/kube-apiserver" --version >&2
  local tests=AdmissionPolicies,OperatorRole,OperatorWithoutItsPolicies,LimitsReachFlagsRoleAndPolicies,ASpecThatCannotWorkIsRefusedWithASentence
  tests+=,TheChartUnderAnyName,AnAPIServerWithoutPoliciesForPods,RotationIsCompleteOnceTheOldPasswordIsRefused
  tests+=,StuckPods,APodIsNotRestartedWhereItsSuccessorWouldBeRefused,Plugin
  CGO_ENABLED=0 gotest oldest . -trimpath -timeout 20m -parallel 3 -run "^Test(${tests//,/|})\$" ./test/integration/
}

# node starts a cluster of its own with a real node, NAME in the box's name; node_ends stops it, and keeps its logs where tests failed.
node() {
  box="$1-$$"
  go -C hack/cluster run . up --name "$box" >&2
  eval "$(go -C hack/cluster run . env --name "$box")"
}

node_ends() {
  local down=(go -C hack/cluster run . down --name "$box")
  if [ "$failed" = 0 ]; then down+=(--with-logs); fi # else somebody may want to know why
  if [ -n "$box" ]; then "${down[@]}" >&2 || true; fi
  box=
}

# can_have_node says whether tests can have a node of their own, and not one of a cluster that somebody uses.
can_have_node() { [ "${USE_EXISTING_CLUSTER:-}" != true ] && [ "$(uname)" = Linux ] && [ "$(id -u)" = 0 ]; }

# install begins and ends with a cluster without regcred.
install() {
  if ! can_have_node; then return; fi
  node install
  CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -trimpath" go -C hack/tools/helm tool -n helm >/dev/null
  CGO_ENABLED=0 gotest install . -trimpath -timeout 15m ./test/install/...
  say_measured install
  node_ends
}

e2e() {
  if [ "${USE_EXISTING_CLUSTER:-}" = true ]; then
    eval "$(go -C hack/cluster run . build --only pause,kubernetes)"
  elif can_have_node; then
    node e2e
  else
    echo "== install and e2e are left out: they need a node that runs pods, which needs root on Linux" >&2
    return
  fi
  CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "$results/" ./cmd/regcred ./cmd/kubectl-regcred
  REGCRED_BIN="$results/regcred" gotest e2e . $race -timeout 30m ./test/e2e/...
  say_measured e2e
  node_ends
}

# How fast pods recover is worth a look, whether or not it was fast enough.
say_measured() { sed -n 's/.*"Output":".*\(measured: [^\\"]*\).*/\1/p' "$results/$1.json" >&2; }

# all has the unit tests, which need the processors, run beside the install tests, which mostly wait. The e2e tests measure time: alone.
all() {
  go -C hack/cluster run . build >/dev/null
  set -m # a process group of its own, which ends with this script
  (
    unit
    exit "$failed"
  ) &
  units=$!
  set +m
  install
  wait "$units" || failed=1
  units=
  integration
  e2e
}

count() { cat "$results"/*.json | grep "\"Action\":\"$1\"" | grep -c '"Test":' || true; }

case $what in
  all | unit | integration | vault | oldest) $what ;;
  e2e)
    install
    e2e
    ;;
  *)
    echo "usage: hack/test.sh [all|unit|integration|vault|oldest|e2e]" >&2
    exit 2
    ;;
esac
echo "$(count pass) passed, $(count fail) failed, $(count skip) skipped"
exit $failed
