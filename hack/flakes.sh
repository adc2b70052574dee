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
alone=()
if [ ${#packages[@]} = 0 ]; then
  packages=(./api/... ./cmd/... ./controllers/... ./hack/mutate/... ./internal/...)
  alone=("$PWD/test/style")
fi
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
export built

mkdir "$built/race" "$built/plain"
go test -race -trimpath -c -o "$built/race/" "${packages[@]}"
go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.Dir}}{{end}}' "${packages[@]}" | sed '/^$/d; s/^/race /' >"$built/list"
mapfile -t plain < <(sed 's/^race //' "$built/list" | xargs grep -rlE --include='*_test.go' 'racedetector\.(Skip|On)' | xargs -r -n 1 dirname | sort -u)
plain+=("${alone[@]}")
if [ ${#plain[@]} != 0 ]; then
  CGO_ENABLED=0 go test -trimpath -c -o "$built/plain/" "${plain[@]}"
  printf 'plain %s\n' "${plain[@]}" >>"$built/list"
fi

# run_in "HOW FOLDER" PROCESSORS runs the tests of one package once, as they are built in HOW.
run_in() {
  local how=${1%% *} folder=${1#* } name from=$SECONDS
  name=$(basename "$folder")
  cd "$folder"
  "$built/$how/$name.test" -test.shuffle=on -test.cpu="$2" -test.timeout=20m >"$built/$how/$name.output" 2>&1 && {
    echo "$((SECONDS - from)) $1" >>"$built/taken"
    return
  }
  cat "$built/$how/$name.output"
  echo "flakes: $folder ($how) failed with $2 processors" >&2
  return 255 # xargs starts no other
}
export -f run_in

processors=(1 2 8)
export MODEL_STEPS=100000 MODEL_FIRST # of rotation's model, which walks through the same histories each time: each run takes others
for ((run = 1; run <= runs; run++)); do
  MODEL_FIRST=$((run * MODEL_STEPS))
  from=$SECONDS
  xargs -a "$built/list" -P "$(($(nproc) * 2))" -I {} bash -c 'run_in "$@"' run_in {} "${processors[run % 3]}"
  echo "flakes: run $run of $runs passed with ${processors[run % 3]} processors in $((SECONDS - from)) s"
  sort -rn "$built/taken" | cut -d ' ' -f 2- >"$built/list" # those that take long first, so that none is waited for at the end
  rm "$built/taken"
done
