#!/usr/bin/env bash
# Prints the tests that leave themselves out where the race detector is on (test/racedetector), each as "FOLDER NAME", for runs without it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

grep -rl --include='*_test.go' 'racedetector\.Skip' api cmd controllers hack/mutate internal | sort | xargs awk '
  /^func (Test|Fuzz|Benchmark)/ { name = $2; sub(/\(.*/, "", name) }
  /^}/ { name = "" }
  /racedetector\.Skip/ {
    if (name == "") { print FILENAME ": racedetector.Skip is for tests themselves to call" > "/dev/stderr"; exit 1 }
    folder = FILENAME; sub(/\/[^\/]*$/, "", folder)
    print "./" folder, name
  }'
