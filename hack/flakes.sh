#!/usr/bin/env bash
# Runs the unit tests many times with the race detector, each time in another order, with 1, 2 and 8 processors in turn, and those that are left out
# with it (test/racedetector, test/style) without. The tests are built once. Stops at the first failure with its output, in which "-test.shuffle" says
# how to have the same order again.
# Usage: hack/flakes.sh RUNS [PACKAGE...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

runs=${1:?how many runs}
shift
packages=("$@")
if [ ${#packages[@]} = 0 ]; then packages=(./api/... ./cmd/... ./controllers/... ./hack/mutate/... ./internal/...); fi
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
export built

mkdir "$built/race" "$built/plain"
go test -race -trimpath -c -o "$built/race/" "${packages[@]}"
go list -f '{{if or .TestGoFiles .XTestGoFiles}}race {{.Dir}} .{{end}}' "${packages[@]}" | sed '/^$/d' >"$built/list"
hack/left-out.sh | while read -r folder name; do
  if grep -qxF "race $PWD/${folder#./} ." "$built/list"; then echo "plain $PWD/${folder#./} ^$name\$"; fi
done >"$built/plain/list"
if [ $# = 0 ]; then echo "plain $PWD/test/style ." >>"$built/plain/list"; fi
cut -d ' ' -f 2 "$built/plain/list" | sort -u | CGO_ENABLED=0 xargs -r go test -trimpath -c -o "$built/plain/"
cat "$built/plain/list" >>"$built/list"

# run_in "HOW FOLDER TESTS" PROCESSORS runs these tests of one package once, as they are built in HOW.
run_in() {
  local how folder tests name output from=$SECONDS
  read -r how folder tests <<<"$1"
  name=$(basename "$folder") output=$(mktemp -p "$built")
  cd "$folder"
  "$built/$how/$name.test" -test.run="$tests" -test.shuffle=on -test.cpu="$2" -test.timeout=20m >"$output" 2>&1 && {
    rm "$output"
    echo "$((SECONDS - from)) $1" >>"$built/taken"
    return
  }
  cat "$output"
  echo "flakes: $folder ($how) failed with $2 processors" >&2
  return 255 # xargs starts no other
}
export -f run_in

processors=(1 2 8)
export GOGC=400 # a sixth less processor time; what tests measure, allocations, stays the same
export MODEL_STEPS=100000 MODEL_FIRST # of rotation's model, which walks through the same histories each time: each run takes others
for ((run = 1; run <= runs; run++)); do
  MODEL_FIRST=$((run * MODEL_STEPS))
  from=$SECONDS
  xargs -a "$built/list" -P "$(($(nproc) * 3))" -I {} bash -c 'run_in "$@"' run_in {} "${processors[run % 3]}"
  echo "flakes: run $run of $runs passed with ${processors[run % 3]} processors in $((SECONDS - from)) s"
  sort -rn "$built/taken" | cut -d ' ' -f 2- >"$built/list" # those that take long first, so that none is waited for at the end
  rm "$built/taken"
done
