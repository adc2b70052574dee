package keyring

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"k8s.io/kubernetes/pkg/credentialprovider"
)

// documents are contents of pull Secrets.
func documents() []string {
	b64 := base64.StdEncoding.EncodeToString
	raw := base64.RawStdEncoding.EncodeToString
	entry := func(fields string) string { return `{"auths":{"quay.io":{` + fields + `}}}` }
	return []string{
		``, ` `, `null`, `{}`, `[]`, `""`, `1`, `true`, `{`, `}`, `{}{}`, `{} x`, "\ufeff{}", `{"auths":{}}`, `{"auths":null}`, `{"auths":[]}`, `{"auths":""}`, `{"auths":1}`,
		`{"auths":{"quay.io":null}}`, `{"auths":{"quay.io":{}}}`, `{"auths":{"quay.io":[]}}`, `{"auths":{"quay.io":""}}`, `{"auths":{"quay.io":"x"}}`, `{"auths":{"quay.io":1}}`, `{"auths":{"quay.io":false}}`,
		`{"AUTHS":{"quay.io":{"username":"u","password":"p"}}}`, `{"Auths":{"quay.io":{"Username":"u","PASSWORD":"p"}}}`, `{"authſ":{"quay.io":{"username":"u","password":"p"}}}`,
		`{"auths":{"quay.io":{"username":"u","password":"p"}},"auths":{"ghcr.io":{"username":"u2","password":"p2"}}}`,
		`{"auths":{"quay.io":{"username":"u","password":"p"}},"auths":null}`, `{"auths":{"quay.io":{"username":"u","password":"p"},"quay.io":{"username":"u2"}}}`,
		`{"auths":{"quay.io":{"auth":"!"},"quay.io":{"username":"u","password":"p"}}}`, `{"auths":{"quay.io":{"username":"u","password":"p"},"quay.io":null}}`,
		`{"auths":{"quay.io":{"username":"u","password":"p"}},"HttpHeaders":{"a":"b"}}`, `{"auths":{"quay.io":{"username":"u","password":"p"}},"HttpHeaders":{"a":1}}`,
		`{"auths":{},"httpheaders":[]}`, `{"auths":{},"HttpHeaders":null}`, `{"auths":{},"HttpHeaders":"x"}`, `{"auths":{},"HttpHeaders":{"a":null}}`,
		`{"auths":{},"credsStore":"desktop"}`, `{"auths":{},"credHelpers":{"gcr.io":"gcloud"}}`, `{"auths":{},"credsStore":1,"x":[{}]}`, `{"credHelpers":{"gcr.io":"gcloud"}}`,
		`{"quay.io":{"username":"u","password":"p"}}`, `{"quay.io":{"auth":"!"}}`,
		entry(`"username":"u","password":"p"`), entry(`"username":"u"`), entry(`"password":"p"`), entry(`"username":"","password":""`), entry(`"username":null,"password":null`),
		entry(`"username":1`), entry(`"username":{}`), entry(`"username":["u"]`), entry(`"password":1`), entry(`"password":true`), entry(`"email":1`), entry(`"email":false,"auth":""`), entry(`"email":null`),
		entry(`"auth":1`), entry(`"auth":{}`), entry(`"auth":null`), entry(`"auth":""`), entry(`"auth":" "`), entry(`"auth":"="`), entry(`"auth":"!"`), entry(`"auth":"pants"`), entry(`"auth":"cGFudHM="`),
		entry(`"auth":"` + b64([]byte("u:p")) + `"`), entry(`"auth":"` + raw([]byte("u:p")) + `"`), entry(`"auth":"` + b64([]byte("us:pw")) + `"`), entry(`"auth":"` + raw([]byte("us:pw")) + `"`),
		entry(`"auth":"` + b64([]byte("user:p")) + `"`), entry(`"auth":"` + b64([]byte("us:pw")) + ` "`), entry(`"auth":" ` + b64([]byte("us:pw")) + `"`), entry(`"auth":"` + b64([]byte("us:pw")) + `\n"`),
		entry(`"auth":"dXM6\nd\r\nA=="`), entry(`"auth":"dXM6\td"`), entry(`"auth":"dXM6dA==\n="`), entry(`"auth":"dXM6dA="`), entry(`"auth":"dXM6dA==="`), entry(`"auth":"dXM6_-8="`),
		entry(`"auth":"` + b64([]byte(":")) + `"`), entry(`"auth":"` + b64([]byte("u:")) + `"`), entry(`"auth":"` + b64([]byte(":p")) + `"`), entry(`"auth":"` + b64([]byte("u:p:q")) + `"`),
		entry(`"auth":"` + b64([]byte("u:p\n")) + `"`), entry(`"auth":"` + b64([]byte("u:p\r\n")) + `"`), entry(`"auth":"` + b64([]byte("u\n:p")) + `"`), entry(`"auth":"` + b64([]byte("up")) + `"`),
		entry(`"username":"a","password":"b","auth":"` + b64([]byte("u:p")) + `"`), entry(`"username":"a","password":"b","auth":""`), entry(`"username":"a","auth":"!"`),
		entry(`"username":"u","password":"p\n"`), entry(`"username":"u:v","password":"p"`), entry(`"username":"u","password":"\ud800"`), entry(`"username":"u","password":"\u0000"`),
		entry(`"identitytoken":"t"`), entry(`"registrytoken":"t"`), entry(`"identitytoken":1,"username":"u","password":"p"`), entry(`"username":"u","identitytoken":"t","auth":"` + b64([]byte("u:")) + `"`),
		entry(`"serveraddress":1,"username":"u","password":"p"`), entry(`"x":{"y":[1]},"username":"u","password":"p"`), entry(`"username":"a","username":"u","password":"p"`), entry(`"username":"u","Username":"U","password":"p"`),
		`{"auths":{"":{"username":"u","password":"p"}}}`, `{"auths":{"%":{"username":"u","password":"p"}}}`, `{"auths":{"a":{"username":"u","password":"p"},"b":{"auth":"!"}}}`, "{\"auths\":{\"a\":{\"username\":\"u\xff\",\"password\":\"p\"}}}",
		"{\"auths\":{\"a\":{\"username\":\"u\n\",\"password\":\"p\"}}}", `{"auths":{"a":{"username":'u'}}}`, `{"auths":{"a":{"username":"u","password":"p",}}}`, `{"auths":{"a":{"auth":"` + b64([]byte("u:\xff")) + `"}}}`,
	}
}

// entriesOf are the entries of a document that the kubelet can read.
func entriesOf(t *testing.T, document string) [][3]string {
	t.Helper()
	entries := [][3]string{}
	if document == "" {
		return entries
	}
	var file credentialprovider.DockerConfigJSON
	if err := json.Unmarshal([]byte(document), &file); err != nil {
		t.Fatalf("%q: %v", document, err)
	}
	for _, key := range slices.Sorted(maps.Keys(file.Auths)) {
		entries = append(entries, [3]string{key, file.Auths[key].Username, file.Auths[key].Password})
	}
	return entries
}
