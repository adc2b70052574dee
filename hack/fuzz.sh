#!/usr/bin/env bash
# Fuzzes every fuzz target of the module for the given time, as many at once as there are processors.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Everything but the tests is built in one way, so that builds are shared.
export CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -trimpath"

export TIME=${1:-60s}

fuzz() { # PACKAGE TARGET
  local log
  log=$(mktemp)
  if go test -run '^$' -fuzz "^$2\$" -fuzztime "$TIME" -timeout 30m -fuzzminimizetime 10x -parallel 1 "$1" >"$log" 2>&1; then
    printf '== %s %s for %s\n%s\n' "$1" "$2" "$TIME" "$(tail -n 3 "$log" | head -n 1)"
  # A worker that is in the middle of an input when the time is over makes go test fail with these words alone. A finding is
  # written to a file, and a panic is printed.
  elif grep -q 'context deadline exceeded' "$log" && ! grep -qE 'Failing input written|panic:|testing.go' "$log"; then
    printf '== %s %s for %s\nthe time was over in the middle of an input\n' "$1" "$2" "$TIME"
  else
    printf '== %s %s failed\n' "$1" "$2"
    cat "$log"
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
}
export -f fuzz

targets() {
  grep -rE '^func Fuzz[A-Z]' --include='*_test.go' api cmd controllers internal | sed -nE 's#^(.*)/[^/]+:func (Fuzz[A-Za-z0-9_]+)\(.*#./\1 \2#p' | sort
}
# Built one after the other before: two that are built at once compile what they share twice, and fuzzed code is compiled in a way of its own.
targets | cut -d ' ' -f 1 | uniq | while read -r package; do go test -c -fuzz . -o /dev/null "$package"; done
# shellcheck disable=SC2016 # the words are for the shell that xargs starts
targets | xargs -P "$(getconf _NPROCESSORS_ONLN)" -L 1 bash -euo pipefail -c 'fuzz "$@"' fuzz
