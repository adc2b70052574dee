#!/usr/bin/env bash
# Draws docs/images/dashboard.svg: the dashboard's own queries over the metrics of a demo, by Prometheus' engine. With an argument it plays the demo
# before, and records its metrics into hack/monitoring/picture/demo.yaml.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ -n "${1:-}" ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  DEMO_METRICS="$folder" hack/demo.sh
  CGO_ENABLED=0 go -C hack/monitoring run -trimpath ./picture -record "$folder"
else
  CGO_ENABLED=0 go -C hack/monitoring run -trimpath ./picture
fi
