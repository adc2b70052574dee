package payload

import (
	"regcred.dev/regcred/api/v1alpha1"
)

// nestedShapes are docker configs inside other documents, in old forms, and with entries of all kinds beside the one that is used.
func nestedShapes() []shape {
	const entry = `{"auth":"YTox"}`
	secret := func(name, data string) string {
		return `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"` + name + `"},"data":` + data + `}`
	}
	pull := secret("pull", `{".dockerconfigjson":"`+base64Of(config)+`"}`)
	list := `{"apiVersion":"v1","kind":"List","items":[` + secret("tls", `{"tls.crt":"`+base64Of("x")+`"}`) + `,` + pull + `]}`
	docker := func(text string) string { return `{"config":` + quote(text) + `}` }
	return []shape{
		{name: "the old form", keys: asConfig, fields: docker(`{"registry.example":` + entry + `}`), want: one("a:1")},
		{name: "the old form with an e-mail address, user name and password", keys: asConfig, fields: docker(`{"https://registry.example":{"username":"a","password":"1","email":"a@b.example"}}`), want: one("a:1")},
		{name: "base64 of the old form", keys: asConfig, fields: `{"config":"` + base64Of(`{"registry.example":`+entry+`}`) + `"}`, want: one("a:1")},
		{name: "the old form stored as an object under a key", keys: asConfig, fields: `{"config":{"registry.example":` + entry + `}}`, want: one("a:1")},
		{name: "the old form as the secret itself", keys: asConfig, fields: `{"registry.example":` + entry + `,"quay.io":` + entry + `}`, want: one("a:1")},
		{name: "the old form as the secret itself, where no key was named", fields: `{"registry.example":` + entry + `}`, want: one("a:1")},
		{name: "the old form with a manifest's stringData", keys: asConfig, fields: `{"kind":"Secret","stringData":{".dockercfg":` + quote(`{"registry.example":`+entry+`}`) + `}}`, want: one("a:1")},
		{name: "what is in auths, under the key auths", fields: `{"auths":` + quote(`{"registry.example":`+entry+`}`) + `}`, want: one("a:1")},
		{name: "what is in auths, as the value", keys: asConfig, fields: docker(`{"registry.example":` + entry + `}`), want: one("a:1")},
		{name: "auths in letters of another case", keys: asConfig, fields: docker(`{"Auths":{"registry.example":` + entry + `}}`), want: one("a:1")},
		{name: "auths in letters of another case, stored as an object", keys: asConfig, fields: `{"config":{"AUTHS":{"registry.example":` + entry + `}}}`, want: one("a:1")},
		{name: "fields of an entry in letters of another case", keys: asConfig, fields: docker(`{"auths":{"registry.example":{"Username":"a","PASSWORD":"1"}}}`), want: one("a:1")},
		{name: "a list of Secrets with one pull Secret", keys: asConfig, fields: docker(list), want: one("a:1")},
		{name: "a list of Secrets as the secret itself", keys: asConfig, fields: list, want: one("a:1")},
		{name: "the data of a pull Secret under the key of the spec", keys: asConfig, fields: `{"config":{".dockerconfigjson":"` + base64Of(config) + `"}}`, want: one("a:1")},
		{name: "the body of a request as the secret", keys: asConfig, fields: `{"data":{".dockerconfigjson":` + quote(config) + `}}`, want: one("a:1")},
		{name: "a docker config in YAML", keys: asConfig, fields: docker("auths:\n  registry.example:\n    auth: YTox\n"), want: one("a:1")},
		{name: "a docker config in YAML, in base64", keys: asConfig, fields: `{"config":"` + base64Of("auths:\n  registry.example:\n    username: a\n    password: \"1\"\n") + `"}`, want: one("a:1")},
		{name: "tokens beside user name and password", keys: asConfig, fields: docker(`{"auths":{"registry.example":{"username":"a","password":"1","identitytoken":"t","registrytoken":"r"}}}`), want: one("a:1")},
		{name: "fields that nobody knows", keys: asConfig, fields: docker(`{"auths":{"registry.example":{"auth":"YTox","serveraddress":"x","note":{"a":[1]}}},"currentContext":"x","plugins":{}}`), want: one("a:1")},
		{name: "an entry that is null beside one that is used", keys: asConfig, fields: docker(`{"auths":{"quay.io":null,"registry.example":` + entry + `}}`), want: one("a:1")},
		{name: "a key with scheme, version and port", keys: asConfig, registries: []v1alpha1.Registry{"registry.example:5000/team"},
			fields: docker(`{"auths":{"https://registry.example:5000/v2/":` + entry + `}}`), want: map[string]string{"registry.example:5000/team": "a:1"}},
		{name: "a key with a slash behind it", keys: asConfig, fields: docker(`{"auths":{"registry.example/":` + entry + `}}`), want: one("a:1")},
	}
}
