#!/usr/bin/env bash
# Runs the unit tests many times with the race detector, each time in another order, with 1, 2 and 8 processors in turn. The tests are built
# once. Stops at the first failure with its output, in which "-test.shuffle" says how to have the same order again.
# Usage: hack/flakes.sh RUNS [PACKAGE...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

runs=${1:?how many runs}
shift
packages=("$@")
if [ ${#packages[@]} = 0 ]; then packages=(./api/... ./cmd/... ./controllers/... ./hack/mutate/... ./internal/... ./test/style/...); fi
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
export built

go test -race -trimpath -c -o "$built/" "${packages[@]}"
go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.Dir}}{{end}}' "${packages[@]}" | sed '/^$/d' >"$built/folders"

# run_in FOLDER PROCESSORS runs the tests of one package once.
run_in() {
  local name
  name=$(basename "$1")
  cd "$1"
  "$built/$name.test" -test.shuffle=on -test.cpu="$2" -test.timeout=20m >"$built/$name.output" 2>&1 && return
  cat "$built/$name.output"
  echo "flakes: $1 failed with $2 processors" >&2
  return 255 # xargs starts no other
}
export -f run_in

processors=(1 2 8)
for ((run = 1; run <= runs; run++)); do
  from=$SECONDS
  xargs -a "$built/folders" -P "$(nproc)" -I {} bash -c 'run_in "$@"' run_in {} "${processors[run % 3]}"
  echo "flakes: run $run of $runs passed with ${processors[run % 3]} processors in $((SECONDS - from)) s"
done
