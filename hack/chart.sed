# From a manifest of config/ to a template of the chart: each literal that the values of the chart decide becomes a reference to them.

# Every object gets the labels of the chart. CRDs have annotations, to which the one that keeps them is added.
/^metadata:$/,/^(spec|rules|roleRef):$/s|^  name: [a-z.-]+$|&\n  labels: {{- include "regcred.labels" $ \| nindent 4 }}|
/^    controller-gen\.kubebuilder\.io\/version:/a\
    {{- if .Values.crds.keep }}\
    helm.sh/resource-policy: keep\
    {{- end }}

# Where and as whom the operator runs.
s|^  namespace: regcred-system$|  namespace: {{ .Release.Namespace \| quote }}|
/^- kind: ServiceAccount$/{
n
s|^  name: regcred$|  name: {{ include "regcred.serviceAccountName" . \| quote }}|
}
s|system:serviceaccount:regcred-system:regcred'|system:serviceaccount:{{ .Release.Namespace }}:{{ include "regcred.serviceAccountName" . }}'|
s|'regcred-system'|'{{ .Release.Namespace }}'|

# The limits, as lists in roles and as text in policies.
s|^  resourceNames: \[regcred\]$|  resourceNames: {{ toJson .Values.secretNames }}|
s|^  resourceNames: \[default\]$|  resourceNames: {{ toJson .Values.serviceAccountNames }}|
s|^  resourceNames: \[regcred-vault\]$|  resourceNames: {{ toJson .Values.vault.serviceAccountNames }}|
s|'regcred'\.split|'{{ join "," .Values.secretNames }}'.split|
s|'default'\.split|'{{ join "," .Values.serviceAccountNames }}'.split|
s|'regcred-vault'\.split|'{{ join "," .Values.vault.serviceAccountNames }}'.split|
s|'vault'\.split|'{{ join "," .Values.vault.audiences }}'.split|
s|"''\.split|"'{{ include "regcred.ownerKinds" . }}'.split|
s|^- apiGroups: \[none\.regcred\.dev\]$|- apiGroups: {{ include "regcred.ownerGroups" . }}|
s|^  resources: \[none\]$|  resources: {{ include "regcred.ownerResources" . }}|
s|'kube-system,kube-public,kube-node-lease'\.split|'{{ join "," .Values.protectedNamespaces }}'.split|

# The optional policy about labels of namespaces.
s|^    expression: "'regcred.dev/'"$|    expression: "'{{ .Values.namespaceLabels.prefix }}'"|
s|'system:masters,platform-team'\.split|'{{ join "," .Values.namespaceLabels.groups }}'.split|
