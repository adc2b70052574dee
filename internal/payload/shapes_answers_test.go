package payload

import "strings"

// yandex is a key of a service account as Yandex Cloud gives it for download.
const yandex = `{"id":"ajek","service_account_id":"ajep","created_at":"2026-01-02T03:04:05Z","key_algorithm":"RSA_2048","public_key":"x","private_key":"-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"}`

// answeredShapes are what programs answer that are asked for a login, and what other programs are configured with, stored as it is.
func answeredShapes() []shape {
	docker := func(text string) string { return `{"config":` + quote(text) + `}` }
	sortedYandex := string(encode(must(decodeObject([]byte(yandex)))))
	amazon := `{"authorizationData":[{"authorizationToken":"` + base64Of("AWS:ey.pw") + `","expiresAt":"2026-05-01T12:30:00.000000+00:00","proxyEndpoint":"https://registry.example"}]}`
	helper := `{"ServerURL":"https://registry.example","Username":"AWS","Secret":"pw"}`
	basic := `{"apiVersion":"v1","kind":"Secret","type":"kubernetes.io/basic-auth","data":{"username":"` + base64Of("robot") + `","password":"` + base64Of("pw") + `"}}`
	node := "mirrors:\n  docker.io:\n    endpoint: [https://registry.example]\nconfigs:\n  registry.example:\n    auth:\n      username: a\n      password: \"1\"\n  quay.io:\n    tls: {}\n"
	return []shape{
		{name: "the answer of aws ecr get-authorization-token as the secret", fields: amazon, want: one("AWS:ey.pw")},
		{name: "the answer of aws ecr get-authorization-token as text", keys: asConfig, fields: docker(amazon), want: one("AWS:ey.pw")},
		{name: "the answer of aws ecr-public get-authorization-token", registries: registriesOf("public.ecr.aws"),
			fields: `{"authorizationData":{"authorizationToken":"` + base64Of("AWS:ey.pw") + `","expiresAt":"2026-05-01T12:30:00Z"}}`, want: map[string]string{"public.ecr.aws": "AWS:ey.pw"}},
		{name: "the answer of az acr login --expose-token", fields: `{"accessToken":"ey.a.b","loginServer":"registry.example"}`, want: one("00000000-0000-0000-0000-000000000000:ey.a.b")},
		{name: "the answer of a credential helper", fields: helper, want: one("AWS:pw")},
		{name: "the answer of a credential helper in base64", keys: asConfig, fields: `{"config":"` + base64Of(helper) + `"}`, want: one("AWS:pw")},
		{name: "the answer of a credential provider of kubelets", keys: asConfig,
			fields: docker(`{"kind":"CredentialProviderResponse","apiVersion":"credentialprovider.kubelet.k8s.io/v1","cacheKeyType":"Registry","cacheDuration":"6h0m0s","auth":{"registry.example":{"username":"AWS","password":"pw"}}}`),
			want:   one("AWS:pw")},
		{name: "the settings of k3s", keys: asConfig, fields: docker(node), want: one("a:1")},
		{name: "the settings of k3s, with auth", keys: asConfig, fields: docker("configs:\n  registry.example:\n    auth:\n      auth: YTox\n"), want: one("a:1")},
		{name: "a key of Yandex Cloud as the secret itself", fields: yandex, want: one("json_key:" + sortedYandex)},
		{name: "a key of Yandex Cloud as the secret itself, with its user name", username: "json_key", fields: yandex, want: one("json_key:" + sortedYandex)},
		{name: "a manifest of user name and password as the secret itself", fields: basic, want: one("robot:pw")},
		{name: "a manifest of user name and password in plain text", fields: `{"kind":"Secret","stringData":{"username":"robot","password":"pw"}}`, want: one("robot:pw")},
		{name: "a manifest of a token as the secret itself", username: "oauth2accesstoken", keys: Keys{Password: "token"}, fields: `{"kind":"Secret","data":{"token":"` + base64Of("ya29.x") + `"}}`, want: one("oauth2accesstoken:ya29.x")},
		{name: "a manifest with a docker config under another name", keys: asConfig, fields: `{"kind":"Secret","type":"Opaque","data":{"config":"` + base64Of(config) + `"}}`, want: one("a:1")},
		{name: "a docker config in a list", keys: asConfig, fields: docker("[" + config + "]"), want: one("a:1")},
		{name: "a docker config in a list under a key", keys: asConfig, fields: `{"config":["` + base64Of(config) + `"]}`, want: one("a:1")},
		{name: "a docker config after the name of a variable", keys: asConfig, fields: docker("DOCKER_AUTH_CONFIG=" + config), want: one("a:1")},
		{name: "a docker config after the name of a variable, in quotes", keys: asConfig, fields: docker("export DOCKER_AUTH_CONFIG='" + config + "'\n"), want: one("a:1")},
		{name: "a docker config as a data URL", keys: asConfig, fields: docker("data:application/json;base64," + base64Of(config)), want: one("a:1")},
		{name: "the old form in YAML", keys: asConfig, fields: docker("registry.example:\n  auth: YTox\n  email: a@b.example\n"), want: one("a:1")},
		{name: "a manifest of the old kind in YAML", keys: asConfig, fields: docker("kind: Secret\ndata:\n  .dockercfg: " + base64Of(`{"registry.example":{"auth":"YTox"}}`) + "\n"), want: one("a:1")},
		{name: "a manifest in YAML with its keys in quotes", keys: asConfig, fields: docker("kind: Secret\ndata:\n  \".dockerconfigjson\": " + base64Of(config) + "\n"), want: one("a:1")},
		{name: "a manifest in YAML with the docker config as a block", keys: asConfig, fields: docker("kind: Secret\nstringData:\n  .dockerconfigjson: |\n    " + strings.ReplaceAll(config, ",", ",\n    ") + "\n"), want: one("a:1")},
	}
}
