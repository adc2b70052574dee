#!/usr/bin/env bash
# Writes docs/api.md, the reference of all fields, from the comments of api/v1alpha1. An argument names another file to write.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -trimpath"

root=$PWD
page=$(realpath -m "${1:-docs/api.md}")
log=$(mktemp)
trap 'rm -f "$log"' EXIT
go -C hack/tools/crd-ref-docs tool crd-ref-docs --source-path="$root/api/v1alpha1" --config=config.yaml --renderer=markdown \
  --output-path="$page" >"$log" 2>&1 || {
  cat "$log" >&2
  exit 1
}
# Rules in CEL are for machines: their messages are what people see. Blank lines and blanks at ends are taken away, as editors do.
sed -i -E -e 's/^# API Reference$/# All fields of the API\n\nThis page is generated from `api\/v1alpha1`. [RegistryCredential](registrycredential.md) and [VaultConnection](vaultconnection.md) have examples and explanations./' \
  -e 's/ <br \/>/\x01/g; s/ ?(items:)?XValidation: [^\x01]*\x01//g; s/ ?\x01 ?\|/ |/g; s/\x01 ?/<br \/>/g' \
  -e 's/[[:space:]]*$//' "$page"
cat -s "$page" >"$log"
cat "$log" >"$page"
