{{/* The labels of every object. */}}
{{- define "regcred.labels" -}}
app.kubernetes.io/name: regcred
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ include "regcred.labelValue" .Chart.AppVersion }}
app.kubernetes.io/part-of: regcred
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ include "regcred.labelValue" (printf "%s-%s" .Chart.Name .Chart.Version) }}
{{- end -}}

{{/* A version or a name as the value of a label, which has 63 letters at most and no plus sign. */}}
{{- define "regcred.labelValue" -}}
{{ . | replace "+" "_" | trunc 63 | trimAll "-_." | quote }}
{{- end -}}

{{/* Labels or annotations: the chart's, as text, and those of a value, which win. Both under one key would be a key that is there twice. */}}
{{- define "regcred.merged" -}}
{{- toYaml (merge dict (last . | default dict) (first . | fromYaml)) -}}
{{- end -}}

{{/* What selects the operator's pods. It cannot be changed by an upgrade. */}}
{{- define "regcred.selector" -}}
app.kubernetes.io/name: regcred
{{- end -}}

{{- define "regcred.serviceAccountName" -}}
{{ .Values.serviceAccount.name }}
{{- end -}}

{{/* The image as the release was pushed, REPOSITORY@DIGEST, or nothing. It is no value: `--reuse-values` would keep it over an upgrade, and so the
program of the release before. */}}
{{- define "regcred.pushed" -}}
{{ index (.Chart.Annotations | default dict) "regcred.dev/image" | default "" }}
{{- end -}}
{{- define "regcred.repository" -}}
{{ .Values.image.repository | default (include "regcred.pushed" . | splitList "@" | first) }}
{{- end -}}
{{- define "regcred.image" -}}
{{- $pushed := include "regcred.pushed" . | splitList "@" | last -}}
{{- if .Values.image.digest -}}
{{ include "regcred.repository" . }}@{{ .Values.image.digest }}
{{- else if or .Values.image.tag (not $pushed) -}}
{{ include "regcred.repository" . }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- else -}}
{{ include "regcred.repository" . }}@{{ $pushed }}
{{- end -}}
{{- end -}}

{{/* The name of the volume with the certificates of a registry. */}}
{{- define "regcred.caVolume" -}}
{{ printf "registry-ca-%s" (sha256sum . | trunc 10) }}
{{- end -}}

{{/* What is behind the last colon of host[:port], or what scheme or registry have without one. */}}
{{- define "regcred.port" -}}
{{ regexFind ":[0-9]+$" (first .) | trimPrefix ":" | default (last .) }}
{{- end -}}

{{/* scheme://host:port of a URL, by which the operator compares servers. */}}
{{- define "regcred.origin" -}}
{{- $url := urlParse . -}}
{{- $port := include "regcred.port" (list $url.host (ternary "80" "443" (eq $url.scheme "http"))) -}}
{{ $url.scheme }}://{{ regexReplaceAll ":[0-9]*$" $url.host "" | lower }}:{{ $port }}
{{- end -}}

{{/* The ports that the operator connects to, without DNS: a JSON list. */}}
{{- define "regcred.egressPorts" -}}
{{- $ports := list -}}
{{- range .Values.networkPolicy.egress.ports }}{{ $ports = append $ports (int .) }}{{ end -}}
{{- $servers := concat (.Values.vault.addresses | default list) (compact (list .Values.traces.endpoint)) -}}
{{- range .Values.registries.proxies }}{{ $servers = append $servers .url }}{{ end -}}
{{- range .Values.vaultConnections }}{{ $servers = concat $servers (compact (list .address (.proxy | default dict).url)) }}{{ end -}}
{{- range $servers }}
{{- $ports = append $ports (int (include "regcred.port" (list (include "regcred.origin" .) ""))) -}}
{{- end -}}
{{- range .Values.registries.insecure }}{{ $ports = append $ports (int (include "regcred.port" (list . "80"))) }}{{ end -}}
{{- $registries := keys (.Values.registries.cas | default dict) | sortAlpha -}}
{{- range .Values.registryCredentials }}{{ $registries = concat $registries (.registries | default list) }}{{ end -}}
{{- range $registries }}
{{- $ports = append $ports (int (include "regcred.port" (list (splitList "/" . | first) "443"))) -}}
{{- end -}}
{{ $ports | uniq | toJson }}
{{- end -}}

{{/* podRecovery.ownerKinds as the flag and a policy have them, and as a role has them. */}}
{{- define "regcred.ownerKinds" -}}
{{- $kinds := list }}
{{- range .Values.podRecovery.ownerKinds }}
{{- $kinds = append $kinds (printf "%s/%s" .group .kind) }}
{{- end }}
{{- join "," $kinds }}
{{- end -}}
{{- define "regcred.ownerGroups" -}}
{{- $groups := list }}
{{- range .Values.podRecovery.ownerKinds }}
{{- $groups = append $groups .group }}
{{- end }}
{{- toJson (uniq $groups) }}
{{- end -}}
{{- define "regcred.ownerResources" -}}
{{- $resources := list }}
{{- range .Values.podRecovery.ownerKinds }}
{{- $resources = append $resources .resource }}
{{- end }}
{{- toJson (uniq $resources) }}
{{- end -}}
