package payload

import (
	"strings"

	"regcred.dev/regcred/internal/dockerconfig"
)

// reportedShapes are what people stored who then asked in public why it does not work. Before each is where.
func reportedShapes() []shape {
	const nested = `{"data":` + config + `,"metadata":{"version":1}}`
	manifest := "  data:\n    .dockerconfigjson: " + base64Of(config) + "\n  kind: Secret\n  type: kubernetes.io/dockerconfigjson\n"
	docker := func(text string) string { return `{"config":` + quote(text) + `}` }
	return []shape{
		// https://github.com/external-secrets/external-secrets/issues/2556
		{name: "auths as text inside a docker config", keys: asConfig, fields: docker(`{"auths":` + quote(`{"registry.example":{"username":"a","password":"1"}}`) + `}`), want: one("a:1")},
		// https://github.com/external-secrets/kubernetes-external-secrets/issues/535
		{name: "a docker config as text under value, inside the value", keys: asConfig, fields: docker(`{"value":` + quote(config) + `}`), want: one("a:1")},
		{name: "a docker config under value as the secret, where the spec names another key", keys: asConfig, fields: `{"value":` + quote(config) + `}`, want: one("a:1")},
		{name: "a docker config with a backslash before every quote", keys: asConfig, fields: docker(strings.ReplaceAll(config, `"`, `\"`)), want: one("a:1")},
		// https://github.com/hashicorp/vault-secrets-operator/issues/619, /pull/23
		{name: "the answer of vault kv get -format=json as text", keys: asConfig, fields: docker(`{"request_id":"x","lease_id":"","data":` + nested + `,"warnings":null}`), want: one("a:1")},
		{name: "the answer of vault kv get -format=json as the secret", keys: asConfig, fields: `{"request_id":"x","data":` + nested + `}`, want: one("a:1")},
		{name: "the field _raw of a Secret of Vault Secrets Operator", keys: asConfig, fields: `{"config":"` + base64Of(nested) + `"}`, want: one("a:1")},
		// https://github.com/external-secrets/external-secrets/issues/1651
		{name: "auth that is not encoded beside the user name and the password that it is", keys: asConfig,
			fields: docker(`{"auths":{"registry.example":{"username":"a","password":"1","email":"a@b.example","auth":"a:1"}}}`), want: one("a:1")},
		// https://github.com/external-secrets/external-secrets/issues/503
		{name: "a docker config with a line break inside a string", keys: asConfig,
			fields: docker("{\"auths\":{\"registry.example\":{\"username\":\"a\",\"password\":\"1\n\"}}}"), want: one("a:1"), found: []dockerconfig.Reason{dockerconfig.ReasonTrailingNewline}},
		{name: "a docker config with a Google key whose line breaks a shell expanded", keys: asConfig,
			fields: docker(strings.NewReplacer(`\\`, `\`, `\n`, "\n").Replace(`{"auths":{"registry.example":{"username":"_json_key","password":` + quote(downloaded) + `}}}`)), want: one("_json_key:" + oneLine)},
		// https://github.com/kubernetes/kubernetes/issues/43509 and what `kubectl get secrets -o yaml` prints
		{name: "a list of Secrets in YAML", keys: asConfig, fields: docker("apiVersion: v1\nitems:\n-" + manifest[1:] + "kind: List\n"), want: one("a:1")},
		{name: "base64 of a list of Secrets in YAML", keys: asConfig, fields: `{"config":"` + base64Of("apiVersion: v1\nitems:\n-"+manifest[1:]+"kind: List\n") + `"}`, want: one("a:1")},
		{name: "the one line of a manifest that holds the docker config", keys: asConfig, fields: docker(".dockerconfigjson: " + base64Of(config)), want: one("a:1")},
		{name: "a manifest in YAML before another", keys: asConfig, fields: docker("---\nkind: Secret\ndata:\n  .dockerconfigjson: " + base64Of(config) + "\n---\nkind: ServiceAccount\n"), want: one("a:1")},
		// https://github.com/goharbor/harbor/issues/15410, https://github.com/NVIDIA/DeepLearningExamples/issues/451
		{name: "a user name with the backslash that a shell wants", fields: `{"username":"robot\\$ci","password":"pw"}`, want: one(`robot\$ci:pw`), found: []dockerconfig.Reason{dockerconfig.ReasonQuotesOrEscapes}},
		// https://blog.woohoosvcs.com/2024/10/hashicorp-vault-vault-secret-operator-gcp-for-imagepullsecrets/
		{name: "a token of Vault's engine for Google Cloud", username: "oauth2accesstoken", keys: Keys{Password: "token"}, fields: `{"expires_at_seconds":1777638600,"token":"ya29.x","token_ttl":"59m59s"}`, want: one("oauth2accesstoken:ya29.x")},
		{name: "a key of Vault's engine for Google Cloud", username: "_json_key", keys: Keys{Password: "private_key_data"},
			fields: `{"key_type":"TYPE_GOOGLE_CREDENTIALS_FILE","private_key_data":"` + base64Of(downloaded) + `"}`, want: one("_json_key:" + oneLine)},
	}
}
