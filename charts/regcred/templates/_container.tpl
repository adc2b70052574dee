{{/* The operator's flags. */}}
{{- define "regcred.args" -}}
- --leader-elect
- --metrics-bind-address=:8443
- --health-probe-bind-address=:8081
- --secret-names=$(SECRET_NAMES)
- --service-account-names=$(SERVICE_ACCOUNT_NAMES)
- --protected-namespaces=$(PROTECTED_NAMESPACES)
- --vault-service-account-names=$(VAULT_SERVICE_ACCOUNT_NAMES)
- --recovery-owner-kinds=$(RECOVERY_OWNER_KINDS)
{{- with .Values.vault.addresses }}
- {{ printf "--vault-addresses=%s" (join "," .) | quote }}
{{- end }}
{{- with .Values.registries.insecure }}
- {{ printf "--insecure-registries=%s" (join "," .) | quote }}
{{- end }}
{{- range $host, $ca := .Values.registries.cas }}
- {{ printf "--registry-ca=%s=/etc/regcred/%s/%s" $host (include "regcred.caVolume" $host) ($ca.key | default "ca.crt") | quote }}
{{- end }}
{{- range .Values.registries.proxies }}
- {{ printf "--registry-proxy=url=%s;hosts=%s%s" .url (join "," .hosts) (ternary (printf ";secret=%s" .secret) "" (hasKey . "secret")) | quote }}
{{- end }}
{{- with .Values.podRecovery }}
{{- range $flag, $value := dict "node-pulls-per-second" .nodePullsPerSecond "node-burst" .nodeBurst "namespace-pods-per-minute" .namespacePodsPerMinute "pods-per-minute" .podsPerMinute }}
{{- if not (kindIs "invalid" $value) }}
- --recovery-{{ $flag }}={{ toJson $value }}
{{- end }}
{{- end }}
{{- end }}
{{- if .Values.podRecovery.successorFirst }}
- --successor-first
{{- end }}
{{- if not .Values.admissionPolicies.require }}
- --require-fence=false
{{- end }}
{{- with .Values.traces.endpoint }}
- {{ printf "--otlp-endpoint=%s" . | quote }}
{{- end }}
{{- if ne .Values.logLevel "info" }}
- --log-level={{ .Values.logLevel }}
{{- end }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end -}}

{{/* The limits, as the role and the policies have them, and where the operator runs. */}}
{{- define "regcred.ownEnv" -}}
- name: SECRET_NAMES
  value: {{ join "," .Values.secretNames | quote }}
- name: SERVICE_ACCOUNT_NAMES
  value: {{ join "," .Values.serviceAccountNames | quote }}
- name: PROTECTED_NAMESPACES
  value: {{ join "," .Values.protectedNamespaces | quote }}
- name: VAULT_SERVICE_ACCOUNT_NAMES
  value: {{ join "," .Values.vault.serviceAccountNames | quote }}
- name: RECOVERY_OWNER_KINDS
  value: {{ include "regcred.ownerKinds" . | quote }}
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- end -}}

{{- define "regcred.env" -}}
{{ include "regcred.ownEnv" . }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
