#!/usr/bin/env bash
# The demo: a box of its own, the operator built from this tree, the incident played on them. KEEP=1 leaves all of it up. DEMO_METRICS names a
# folder into which the operator's metrics are recorded.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

box=demo
folder=$(mktemp -d)
cleanup() {
  local status=$? down=(go -C hack/cluster run . down --name "$box")
  rm -rf "$folder"
  if [ "$status" = 0 ]; then down+=(--with-logs); fi # else somebody may want to know why
  if [ "${KEEP:-}" != 1 ]; then "${down[@]}" >&2 || true; fi
}
trap cleanup EXIT
trap 'exit 130' INT TERM

if [ "$(uname)" != Linux ] || [ "$(id -u)" != 0 ]; then
  echo "The demo pulls images on a real node, which needs Linux and root: run it as root, in a virtual machine if you like." >&2
  exit 1
fi
go -C hack/cluster run . down --name "$box" >/dev/null 2>&1 || true
echo "building regcred: up to about 4 minutes on 2 cores the first time" >&2
CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "$folder/" ./cmd/regcred ./hack/demo
go -C hack/cluster run . up --name "$box" >&2
eval "$(go -C hack/cluster run . env --name "$box")"
REGCRED_BIN="$folder/regcred" "$folder/demo"
if [ "${KEEP:-}" = 1 ]; then
  cat <<TXT

It is all still up. To look around:
  eval "\$(go -C hack/cluster run . env --name $box)"
  \$KUBEBUILDER_ASSETS/kubectl get regcred,vaultconnections
  \$KUBEBUILDER_ASSETS/kubectl -n shop-01 get pods,secrets,serviceaccounts -o wide
  \$KUBEBUILDER_ASSETS/kubectl -n regcred-system logs -l app.kubernetes.io/name=regcred
To end it: make demo-down
TXT
fi
