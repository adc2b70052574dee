#!/usr/bin/env bash
# Writes what config/ says of alerts and dashboard from the files of the chart: a kustomization reads no file outside of its folder.
# Usage: hack/monitoring.sh [FOLDER], by default config.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=${1:-config}
mkdir -p "$folder/prometheus-rule" "$folder/dashboard"
{
  cat <<'HEAD'
# Written by hack/monitoring.sh from charts/regcred/files/alerts.yaml. Do not edit: run make generate.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: regcred
  namespace: regcred-system
spec:
HEAD
  sed 's/^/  /' charts/regcred/files/alerts.yaml
} >"$folder/prometheus-rule/prometheusrule.yaml"
cp charts/regcred/files/dashboard.json "$folder/dashboard/regcred.json"
