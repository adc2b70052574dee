#!/usr/bin/env bash
# Fuzzes every fuzz target of the module, one after the other, each for the given time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Everything but the tests is built in one way, so that builds are shared.
export CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -trimpath"

time=${1:-60s}
grep -rlE '^func Fuzz[A-Z]' --include='*_test.go' api cmd controllers internal | while read -r file; do
  package=./$(dirname "$file")
  for target in $(sed -nE 's/^func (Fuzz[A-Za-z0-9_]+)\(.*/\1/p' "$file"); do
    echo "== $package $target for $time"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 10x "$package"
  done
done
