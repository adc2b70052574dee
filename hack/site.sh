#!/usr/bin/env bash
# Builds the documentation as a site into dist/site, and checks its links. Needs mkdocs and its theme (Debian: mkdocs-material).
# VERSION=v1.2.3 builds into dist/site/v1.2.3 and lists it in versions.json, from which the theme makes a menu of versions.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! command -v mkdocs >/dev/null; then
  echo "mkdocs is not installed: apt-get install mkdocs-material" >&2
  exit 1
fi
pages=dist/site-pages
site=dist/site${VERSION:+/$VERSION}
rm -rf "$pages" "$site"
# Everything that a page links to, at its own path.
git ls-files -z --cached --others --exclude-standard -- '*.md' docs config charts/regcred/values.yaml LICENSE |
  grep -zv '^\(.*/testdata/\|\.\)' | while IFS= read -r -d '' file; do
  mkdir -p "$pages/$(dirname "$file")"
  cp "$file" "$pages/$file"
done
mkdocs --quiet build --strict --site-dir "$site"
CGO_ENABLED=0 go run -trimpath ./hack/sitelinks "$site"
if [ -n "${VERSION:-}" ]; then
  for version in $(cd dist/site && ls -d v* | sort -rV); do
    printf '{"version": "%s", "title": "%s", "aliases": []}\n' "$version" "$version"
  done | paste -sd, | sed 's/.*/[&]/' >dist/site/versions.json
fi
