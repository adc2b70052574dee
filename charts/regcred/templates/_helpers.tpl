{{/* The labels of every object. */}}
{{- define "regcred.labels" -}}
app.kubernetes.io/name: regcred
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: regcred
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") | quote }}
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

{{- define "regcred.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* The name of the volume with the certificates of a registry. */}}
{{- define "regcred.caVolume" -}}
{{ printf "registry-ca-%s" (sha256sum . | trunc 10) }}
{{- end -}}

{{/* The ports that the operator connects to, without DNS: a JSON list. */}}
{{- define "regcred.egressPorts" -}}
{{- $ports := list -}}
{{- range .Values.networkPolicy.egress.ports }}{{ $ports = append $ports (int .) }}{{ end -}}
{{- range concat (.Values.vault.addresses | default list) (compact (list .Values.traces.endpoint)) }}
{{- $url := urlParse . -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (ternary "80" "443" (eq $url.scheme "http")) -}}
{{- $ports = append $ports (int $port) -}}
{{- end -}}
{{- range .Values.registries.proxies }}
{{- $ports = append $ports (int (regexFind ":[0-9]+$" (urlParse .url).host | trimPrefix ":")) -}}
{{- end -}}
{{- range .Values.registries.insecure }}
{{- $ports = append $ports (int (regexFind ":[0-9]+$" . | trimPrefix ":" | default "80")) -}}
{{- end -}}
{{- range $host, $_ := .Values.registries.cas }}
{{- $ports = append $ports (int (regexFind ":[0-9]+$" $host | trimPrefix ":" | default "443")) -}}
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
