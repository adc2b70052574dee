#!/usr/bin/env bash
# Fuzzes every fuzz target of the module, one after the other, each for the given time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Everything but the tests is built in one way, so that builds are shared.
export CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -trimpath"

time=${1:-60s}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

fuzz() { # PACKAGE TARGET
  echo "== $1 $2 for $time"
  if go test -run '^$' -fuzz "^$2\$" -fuzztime "$time" -fuzzminimizetime 10x "$1" >"$log" 2>&1; then
    tail -n 3 "$log" | head -n 1
    return
  fi
  # A worker that is in the middle of an input when the time is over makes go test fail with these words alone. A finding is
  # written to a file, and a panic is printed.
  if grep -q 'context deadline exceeded' "$log" && ! grep -qE 'Failing input written|panic:|testing.go' "$log"; then
    echo "the time was over in the middle of an input"
    return
  fi
  cat "$log"
  return 1
}

grep -rlE '^func Fuzz[A-Z]' --include='*_test.go' api cmd controllers internal | sort | while read -r file; do
  for target in $(sed -nE 's/^func (Fuzz[A-Za-z0-9_]+)\(.*/\1/p' "$file"); do
    fuzz "./$(dirname "$file")" "$target"
  done
done
