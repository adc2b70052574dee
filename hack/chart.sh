#!/usr/bin/env bash
# Writes the templates of the chart that say the same as config/: CRDs, admission policies and roles. What config/ says as a literal, the
# chart takes from its values. hack/release/charttest renders both and compares them, so a literal that this script does not find is noticed there.
# Usage: hack/chart.sh [FOLDER], by default charts/regcred/templates/generated.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=${1:-charts/regcred/templates/generated}
mkdir -p "$folder"

# template NAME CONDITION FILE...: one template that is rendered where a value is true.
template() {
  local name=$1 condition=$2
  shift 2
  {
    echo "{{- /* Written by hack/chart.sh from config/. Do not edit: run make generate. */ -}}"
    echo "{{- if $condition }}"
    for file in "$@"; do
      echo "---"
      sed -E -e '1{/^---$/d}' -f hack/chart.sed "$file"
    done
    echo "{{- end }}"
  } >"$folder/$name.yaml"
}

template crds .Values.crds.enabled config/crd/regcred.dev_*.yaml
template admission .Values.admissionPolicies.enabled config/admission/{secrets,records,serviceaccounts,tokens,pod_delete,pod_update,kinds,leases,events}.yaml
template namespace-labels .Values.namespaceLabels.enabled config/namespace-labels/policy.yaml
template roles .Values.rbac.create config/rbac/{role,own_namespace_role,metrics_reader_role,people_roles,role_binding,own_namespace_role_binding}.yaml
# A role is one, whatever turns it on.
template repull 'and .Values.rbac.create .Values.podRecovery.repull' config/repull/role.yaml
template successor 'and .Values.rbac.create .Values.podRecovery.successorFirst' config/successor/role.yaml
template owners 'and .Values.rbac.create .Values.podRecovery.ownerKinds' config/owners/role.yaml
template injection .Values.injection.enabled config/injection/policy.yaml
template injection-role 'and .Values.rbac.create .Values.injection.enabled' config/injection/role.yaml
