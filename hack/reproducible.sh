#!/usr/bin/env bash
# Builds a release twice, from copies of this clone in two folders, and fails where a byte differs. The second time nothing that was
# compiled before is used, as on another machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
GOTOOLCHAIN=$(sed -n 's/^toolchain //p' go.mod)
export GOTOOLCHAIN

runs="one a-folder-with-a-longer-name"
for run in $runs; do # both copies before the first build: somebody may work on in this clone
  mkdir -p "$work/$run/clone"
  git ls-files -z --cached --others --exclude-standard | xargs -0 tar cf - | tar xf - -C "$work/$run/clone"
done
for run in $runs; do
  if [ "$run" != one ]; then export GOCACHE="$work/$run/cache"; fi
  go -C "$work/$run/clone/hack/release" run -trimpath . -version "${VERSION:-v0.0.0-dev}" "$@" -output "$work/$run/dist"
done
diff -r "$work/one/dist" "$work/a-folder-with-a-longer-name/dist" || {
  echo "reproducible: the two releases differ" >&2
  exit 1
}
echo "reproducible: two releases from two folders are the same, $(wc -l <"$work/one/dist/checksums.txt") files; image $(cat "$work/one/dist/image.digest")"
