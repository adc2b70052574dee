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
# Rules in CEL are for machines: their messages are what people see. Blank lines and blanks at ends are taken away, as editors do. A value of
# an enum is known by what one writes, and not by its constant in Go. The tool takes a pointer to a list for one element of it.
sed -i -E -e 's/^# API Reference$/# All fields of the API\n\nThis page is generated from `api\/v1alpha1`. [RegistryCredential](registrycredential.md) and [VaultConnection](vaultconnection.md) have examples and explanations./' \
  -e 's/ <br \/>/\x01/g; s/ ?(items:)?XValidation: [^\x01]*\x01//g; s/ ?\x01 ?\|/ |/g; s/\x01 ?/<br \/>/g' \
  -e 's/^\| `serviceAccounts` _string_ /| `serviceAccounts` _string array_ /' \
  -e 's/^\| `([^`]+)` \| [A-Z][[:alnum:]]* (.*[^ ]) ?<br \/> ?\|$/| `\1` | `\1` \2 |/' \
  -e 's/[[:space:]]*$//' "$page"
# Defaults are said in the descriptions, and never by a marker: the column for those is empty. One that is not stays, and fails.
cat -s "$page" | awk -F '|' '
  /^\| (Field|---) \|/ || /^\| `/ {
    if (NF == 6) {
      if ($4 !~ /^( *| Default | --- )$/) { print "apidocs: a default that would be lost: " $0 >"/dev/stderr"; lost = 1 }
      $0 = "|" $2 "|" $3 "|" ($5 ~ /^ *$/ ? " " : $5) "|"
    } else if (NF != 4) { print "apidocs: a row with other columns: " $0 >"/dev/stderr"; lost = 1 }
  }
  { print }
  END { exit lost }' >"$log"
cat "$log" >"$page"
