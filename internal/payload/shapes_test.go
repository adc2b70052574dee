package payload

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
)

// A key of a Google service account as it is downloaded, and on one line.
const (
	downloaded = "{\n  \"type\": \"service_account\",\n  \"project_id\": \"company\",\n  \"private_key\": \"-----BEGIN PRIVATE KEY-----\\nMIIE<>&=\\n-----END PRIVATE KEY-----\\n\",\n  \"client_email\": \"pull@company.iam.gserviceaccount.com\"\n}\n"
	oneLine    = `{"type":"service_account","project_id":"company","private_key":"-----BEGIN PRIVATE KEY-----\nMIIE<>&=\n-----END PRIVATE KEY-----\n","client_email":"pull@company.iam.gserviceaccount.com"}`
	sorted     = `{"client_email":"pull@company.iam.gserviceaccount.com","private_key":"-----BEGIN PRIVATE KEY-----\nMIIE<>&=\n-----END PRIVATE KEY-----\n","project_id":"company","type":"service_account"}`
	config     = `{"auths":{"registry.example":{"auth":"YTox"},"quay.io":{"username":"b","password":"2"}}}`
)

var (
	asConfig = Keys{DockerConfig: "config"}
	asAuth   = Keys{Auth: "auth"}
	inKey    = Keys{Password: "key"}
)

// shape is something that people keep, and what is delivered of it.
type shape struct {
	name       string
	keys       Keys
	username   string
	registries []v1alpha1.Registry
	fields     string
	want       map[string]string
	found      []dockerconfig.Reason
}

func one(login string) map[string]string { return map[string]string{"registry.example": login} }

func shapes() []shape {
	manifest := `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"pull"},"type":"kubernetes.io/dockerconfigjson","data":{".dockerconfigjson":` + quote(base64Of(config)) + `}}`
	yaml := "apiVersion: v1\nkind: Secret\nmetadata:\n  name: pull\ndata:\n  .dockerconfigjson: " + base64Of(config) + "\n"
	newline := []dockerconfig.Reason{dockerconfig.ReasonTrailingNewline}
	return []shape{
		{name: "user name and password", fields: `{"username":"robot$ci","password":"pw","other":"x"}`, want: one("robot$ci:pw")},
		{name: "keys of other names", keys: Keys{Username: "user", Password: "access_token"}, fields: `{"user":"robot","access_token":"pw","password":"not this"}`, want: one("robot:pw")},
		{name: "one key of another name", keys: Keys{Password: "token"}, fields: `{"username":"robot","token":"pw"}`, want: one("robot:pw")},
		{name: "a user name of the spec", username: "oauth2accesstoken", keys: Keys{Password: "token"}, fields: `{"token":"ya29.x"}`, want: one("oauth2accesstoken:ya29.x")},
		{name: "a line break behind the password", fields: `{"username":"robot","password":"pw\n"}`, want: one("robot:pw"), found: newline},
		{name: "auth", keys: asAuth, fields: `{"auth":"` + base64Of("robot:pw:with:colons") + `"}`, want: one("robot:pw:with:colons")},
		{name: "auth with a line break inside", keys: asAuth, fields: `{"auth":"` + base64Of("robot:pw\n") + `"}`, want: one("robot:pw"), found: newline},
		{name: "several registries with one credential", registries: []v1alpha1.Registry{"registry.example:5000/team", "docker.io", "ghcr.io/company"},
			fields: `{"username":"robot","password":"pw"}`,
			want:   map[string]string{"registry.example:5000/team": "robot:pw", "https://index.docker.io/v1/": "robot:pw", "ghcr.io/company": "robot:pw"}},

		{name: "a downloaded Google key as password", username: "_json_key", keys: inKey, fields: `{"key":` + quote(downloaded) + `}`, want: one("_json_key:" + oneLine)},
		{name: "a downloaded Google key of Windows", username: "_json_key", keys: inKey, fields: `{"key":` + quote(strings.ReplaceAll(downloaded, "\n", "\r\n")) + `}`, want: one("_json_key:" + oneLine)},
		{name: "a downloaded Google key behind a byte order mark", username: "_json_key", keys: inKey, fields: `{"key":` + quote("\ufeff"+downloaded) + `}`, want: one("_json_key:" + oneLine)},
		{name: "a downloaded key of another cloud", username: "json_key", keys: inKey, fields: `{"key":` + quote("{\n  \"private_key\": \"x\",\n\t\"id\": 1\n}\n") + `}`, want: one(`json_key:{"private_key":"x","id":1}`)},
		{name: "a downloaded Google key inside auth", keys: asAuth, fields: `{"auth":"` + base64Of("_json_key:"+downloaded) + `"}`, want: one("_json_key:" + oneLine)},
		{name: "a downloaded Google key inside wrapped auth", keys: asAuth, fields: `{"auth":` + quote(wrapped("_json_key:"+downloaded)) + `}`, want: one("_json_key:" + oneLine)},
		{name: "a downloaded Google key inside a docker config", keys: asConfig,
			fields: `{"config":` + quote(`{"auths":{"registry.example":{"username":"_json_key","password":`+quote(downloaded)+`,"auth":"`+base64Of("_json_key:"+downloaded)+`"}}}`) + `}`,
			want:   one("_json_key:" + oneLine)},
		{name: "base64 of a Google key, wrapped", username: "_json_key_base64", keys: inKey, fields: `{"key":` + quote(wrapped(downloaded)) + `}`, want: one("_json_key_base64:" + base64Of(downloaded))},
		{name: "base64 of a Google key, wrapped, for the user name of JSON", username: "_json_key", keys: inKey, fields: `{"key":` + quote(wrapped(downloaded)) + `}`, want: one("_json_key:" + oneLine)},
		{name: "base64 of a Google key for the user name of JSON", username: "_json_key", keys: inKey, fields: `{"key":"` + base64Of(oneLine) + `"}`, want: one("_json_key:" + oneLine)},
		{name: "a downloaded Google key for the user name of base64", username: "_json_key_base64", keys: inKey, fields: `{"key":` + quote(downloaded) + `}`, want: one("_json_key_base64:" + base64Of(oneLine))},
		{name: "a Google key stored as an object under a key", username: "_json_key", keys: inKey, fields: `{"key":` + downloaded + `}`, want: one("_json_key:" + sorted)},
		{name: "a Google key stored as an object, for base64", username: "_json_key_base64", keys: inKey, fields: `{"key":` + downloaded + `}`, want: one("_json_key_base64:" + base64Of(sorted))},
		{name: "a Google key as the secret itself", fields: downloaded, want: one("_json_key:" + sorted)},
		{name: "a Google key as the secret itself, with its user name", username: "_json_key", fields: downloaded, want: one("_json_key:" + sorted)},
		{name: "a Google key as the secret itself, for base64", username: "_json_key_base64", fields: downloaded, want: one("_json_key_base64:" + base64Of(sorted))},

		{name: "a docker config", keys: asConfig, fields: `{"config":` + quote(config) + `}`, want: one("a:1")},
		{name: "base64 of a docker config", keys: asConfig, fields: `{"config":"` + base64Of(config) + `"}`, want: one("a:1")},
		{name: "wrapped base64 of a docker config", keys: asConfig, fields: `{"config":` + quote(wrapped(config)) + `}`, want: one("a:1")},
		{name: "unpadded base64 of a docker config", keys: asConfig, fields: `{"config":"` + strings.TrimRight(base64Of(config+" "), "=") + `"}`, want: one("a:1")},
		{name: "base64 of base64 of a docker config", keys: asConfig, fields: `{"config":"` + base64Of(base64Of(config)) + `"}`, want: one("a:1")},
		{name: "base64 of a docker config in quotes", keys: asConfig, fields: `{"config":` + quote(`"`+base64Of(config)+`"`) + `}`, want: one("a:1")},
		{name: "base64 of a docker config in single quotes", keys: asConfig, fields: `{"config":"'` + base64Of(config) + `'"}`, want: one("a:1")},
		{name: "a docker config as a JSON string in JSON", keys: asConfig, fields: `{"config":` + quote(quote(config)) + `}`, want: one("a:1")},
		{name: "a docker config behind a byte order mark", keys: asConfig, fields: `{"config":` + quote("\ufeff"+config+"\n") + `}`, want: one("a:1")},
		{name: "a docker config stored as an object under a key", keys: asConfig, fields: `{"config":` + config + `}`, want: one("a:1")},
		{name: "a docker config as the secret itself", keys: asConfig, fields: config, want: one("a:1")},
		{name: "a docker config as the secret itself, where no key was named", fields: config, want: one("a:1")},
		{name: "the data of a pull Secret, where no key was named", fields: `{".dockerconfigjson":"` + base64Of(config) + `"}`, want: one("a:1")},
		{name: "a docker config under its name in Kubernetes, where no key was named", fields: `{".dockerconfigjson":` + quote(config) + `}`, want: one("a:1")},
		{name: "a manifest of a pull Secret as text", keys: asConfig, fields: `{"config":` + quote(manifest) + `}`, want: one("a:1")},
		{name: "a manifest of a pull Secret in YAML", keys: asConfig, fields: `{"config":` + quote(yaml) + `}`, want: one("a:1")},
		{name: "base64 of a manifest of a pull Secret", keys: asConfig, fields: `{"config":"` + base64Of(manifest) + `"}`, want: one("a:1")},
		{name: "a manifest of a pull Secret as the secret itself", keys: asConfig, fields: manifest, want: one("a:1")},
		{name: "a manifest with stringData", keys: asConfig, fields: `{"kind":"Secret","stringData":{".dockerconfigjson":` + quote(config) + `}}`, want: one("a:1")},
		{name: "a manifest of the old kind of pull Secret", keys: asConfig, fields: `{"kind":"Secret","data":{".dockercfg":"` + base64Of(`{"registry.example":{"auth":"YTox"}}`) + `"}}`, want: one("a:1")},
		{name: "user name and password beside a docker config", fields: `{"username":"u","password":"p","auths":{"registry.example":{"auth":"YTox"}}}`, want: one("u:p")},

		{name: "a credential store beside a usable entry", keys: asConfig, fields: `{"config":` + quote(`{"credsStore":"desktop","auths":{"registry.example":{"auth":"YTox"},"quay.io":{}}}`) + `}`, want: one("a:1")},
		{name: "credential helpers beside a usable entry", keys: asConfig, fields: `{"config":` + quote(`{"credHelpers":{"registry.example":"gcloud"},"auths":{"registry.example":{"auth":"YTox"}}}`) + `}`, want: one("a:1")},
		{name: "faults in fields that are not used", keys: asConfig, fields: `{"config":` + quote(`{"credsStore":5,"credHelpers":[],"HttpHeaders":{"a":1},"auths":{"registry.example":{"auth":"YTox"}}}`) + `}`, want: one("a:1")},
		{name: "a broken entry that nobody asked for", keys: asConfig, fields: `{"config":` + quote(`{"auths":{"other.example":{"auth":"?"},"":{},"%":5,"registry.example":{"auth":"YTox"}}}`) + `}`, want: one("a:1")},
		{name: "a line break behind a password", keys: asConfig, fields: `{"config":` + quote(`{"auths":{"registry.example":{"username":"a","password":"1\n"}}}`) + `}`, want: one("a:1"), found: newline},
	}
}

func allShapes() []shape {
	return slices.Concat(shapes(), encodedShapes(), nestedShapes(), reportedShapes(), answeredShapes())
}

func TestEveryShapeBecomesADockerConfig(t *testing.T) {
	for _, test := range allShapes() {
		t.Run(test.name, func(t *testing.T) {
			made, err := Render(fieldsOf(t, test.fields), wants(test.keys, test.username, test.registries...))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, plain(made.Config)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.found, reasonsOf(made.Findings)); diff != "" {
				t.Errorf("%v\n%s", made.Findings, diff)
			}
		})
	}
}

func TestWhatIsNoCredentialIsNamedWithoutShowingIt(t *testing.T) {
	const password = "s3cr3t-value"
	docker := func(text string) string { return `{"config":` + quote(text) + `}` }
	for _, test := range []struct {
		name     string
		keys     Keys
		username string
		fields   string
		reason   error
		says     string
	}{
		{"a missing key", Keys{}, "", `{"username":"a"}`, ErrKeyMissing, `no key "password"`},
		{"a missing key beside a docker config", Keys{}, "", `{"username":"a","pull":` + quote(config) + `}`, ErrKeyMissing, `set keys: {dockerConfig: "pull"}`},
		{"a Google key as the secret itself, for another user name", Keys{}, "AWS", downloaded, ErrKeyMissing, "set username: _json_key"},
		{"a user name with a colon", Keys{}, "", `{"username":"a:b","password":"` + password + `"}`, ErrMalformed, "colon"},
		{"an empty user name", Keys{}, "", `{"username":"","password":"` + password + `"}`, ErrMalformed, "empty"},
		{"two line breaks", Keys{}, "", `{"username":"a","password":"` + password + `\n\n"}`, ErrMalformed, "control character"},
		{"a number", Keys{}, "", `{"username":"a","password":123456}`, ErrMalformed, "as text, in quotes"},
		{"true", Keys{}, "", `{"username":"a","password":true}`, ErrMalformed, "true or false"},
		{"a list", Keys{}, "", `{"username":"a","password":["` + password + `"]}`, ErrMalformed, "a JSON list"},
		{"an object", Keys{}, "", `{"username":"a","password":{"value":"` + password + `"}}`, ErrMalformed, "a JSON object"},
		{"a docker config as password", Keys{}, "", `{"username":"a","password":` + quote(config) + `}`, ErrMalformed, "holds a docker config and no password"},
		{"base64 of a docker config as password", Keys{}, "", `{"username":"a","password":"` + base64Of(config) + `"}`, ErrMalformed, "holds a docker config and no password"},
		{"a docker config as an object for a password", Keys{}, "", `{"username":"a","password":` + config + `}`, ErrMalformed, "holds a docker config"},
		{"auth that is none", asAuth, "", `{"auth":"` + password + `"}`, ErrMalformed, "base64 of username:password"},
		{"auth that was not encoded", asAuth, "", `{"auth":"robot:` + password + `"}`, ErrMalformed, "seems to be username:password"},
		{"auth that is a docker config", asAuth, "", `{"auth":` + quote(config) + `}`, ErrMalformed, "keys.dockerConfig"},
		{"a word for a docker config", asConfig, "", docker(password), ErrMalformed, "vault kv patch -mount=secret a config=@config.json"},
		{"nothing for a docker config", asConfig, "", docker(" "), ErrMalformed, "is empty"},
		{"the name of a file", asConfig, "", docker("@config.json"), ErrMalformed, "the name of a file"},
		{"half a docker config", asConfig, "", docker(`{"auths":{"registry.example":{"auth":"` + password), ErrMalformed, "begins like JSON and is none"},
		{"a docker config without its quotes", asConfig, "", docker(`{auths:{registry.example:{auth:` + password + `}}}`), ErrMalformed, "begins like JSON and is none"},
		{"a Google key for a docker config", asConfig, "", docker(downloaded), ErrMalformed, "set username: _json_key"},
		{"a Google key as an object for a docker config", asConfig, "", `{"config":` + downloaded + `}`, ErrMalformed, "set username: _json_key"},
		{"base64 of a Google key for a docker config", asConfig, "", docker(base64Of(downloaded)), ErrMalformed, "_json_key_base64"},
		{"auth for a docker config", asConfig, "", docker(base64Of("robot:" + password)), ErrMalformed, "keys.auth"},
		{"username:password for a docker config", asConfig, "", docker("robot:" + password), ErrMalformed, "username:password"},
		{"one entry for a docker config", asConfig, "", docker(`{"username":"a","password":"` + password + `"}`), ErrMalformed, "names no registry"},
		{"the old form with names that are no registries", asConfig, "", docker(`{"prod":{"username":"a","password":"` + password + `"}}`), ErrMalformed, ".dockercfg"},
		{"a PEM file", asConfig, "", docker("-----BEGIN PRIVATE KEY-----\n" + password), ErrMalformed, "PEM"},
		{"a number for a docker config", asConfig, "", `{"config":5}`, ErrMalformed, "a number"},
		{"a list for a docker config", asConfig, "", `{"config":[]}`, ErrMalformed, "a JSON list"},
		{"helpers alone", asConfig, "", docker(`{"credHelpers":{"registry.example":"gcloud"}}`), ErrMalformed, "credHelpers"},
		{"a credential store and an empty entry", asConfig, "", docker(`{"credsStore":"desktop","auths":{"registry.example":{}}}`), ErrMalformed, "credential store"},
		{"a credential store and no entry", asConfig, "", docker(`{"credsStore":"desktop","auths":{}}`), ErrRegistryMissing, "credential store"},
		{"an identity token alone", asConfig, "", docker(`{"auths":{"registry.example":{"identitytoken":"` + password + `"}}}`), ErrMalformed, "identity token"},
		{"two entries that differ", asConfig, "", docker(`{"auths":{"registry.example":{"username":"a","password":"` + password + `"},"https://registry.example":{"username":"b","password":"` + password + `"}}}`), ErrMalformed, "two different entries"},
		{"the entry that was asked for is broken", asConfig, "", docker(`{"auths":{"other.example":{"auth":"?"},"registry.example":{"auth":"` + password + `"}}}`), ErrMalformed, `entry "registry.example"`},
		{"a registry twice", asConfig, "", docker(`{"auths":{"registry.example":{"auth":"YTox"},"registry.example":{"auth":"YToy"}}}`), ErrMalformed, "twice"},
		{"the body of a request to Vault as the secret", Keys{}, "", `{"data":{"username":"a","password":"` + password + `"},"options":{}}`, ErrKeyMissing, `"data" holds an object with that key`},
		{"two pull Secrets in a list", asConfig, "", docker(`{"items":[{"data":{".dockerconfigjson":"` + base64Of(config) + `"}},{"data":{".dockerconfigjson":"` + base64Of(config) + `"}}]}`), ErrMalformed, `no "auths"`},
		{"auth with an empty user name", asAuth, "", `{"auth":"` + base64Of(":"+password) + `"}`, ErrMalformed, "user name is empty"},
		{"auth with an empty password", asAuth, "", `{"auth":"` + base64Of("robot:") + `"}`, ErrMalformed, "password is empty"},
		{"an entry whose auth has an empty user name", asConfig, "", docker(`{"auths":{"registry.example":{"auth":"` + base64Of(":"+password) + `"}}}`), ErrMalformed, "user name is empty"},
		{"a registry token alone", asConfig, "", docker(`{"auths":{"registry.example":{"registrytoken":"` + password + `"}}}`), ErrMalformed, "registry token"},
		{"an identity token beside a user name without password", asConfig, "", docker(`{"auths":{"registry.example":{"auth":"` + base64Of("00000000-0000-0000-0000-000000000000:") + `","identitytoken":"` + password + `"}}}`), ErrMalformed, "identity token"},
		{"an entry that is null", asConfig, "", docker(`{"auths":{"registry.example":null}}`), ErrMalformed, `entry "registry.example"`},
		{"an entry that is text", asConfig, "", docker(`{"auths":{"registry.example":"` + password + `"}}`), ErrMalformed, "not a JSON object"},
		{"an entry with a number for a password", asConfig, "", docker(`{"auths":{"registry.example":{"username":"a","password":123456}}}`), ErrMalformed, "wrong JSON type"},
		{"auths that is a list", asConfig, "", docker(`{"auths":[{"registry.example":{"auth":"YTox"}}]}`), ErrMalformed, `"auths" is not a JSON object`},
		{"auths that is null", asConfig, "", docker(`{"auths":null}`), ErrMalformed, `no "auths"`},
		{"a number for a user name", Keys{}, "", `{"username":12345,"password":"` + password + `"}`, ErrMalformed, "as text, in quotes"},
		{"null for a password", Keys{}, "", `{"username":"a","password":null}`, ErrKeyMissing, `no key "password"`},
		{"a user name with a colon in a docker config", asConfig, "", docker(`{"auths":{"registry.example":{"username":"a:b","password":"` + password + `"}}}`), ErrMalformed, "colon"},
		{"a tab in a password", Keys{}, "", `{"username":"a","password":"` + password + `\t"}`, ErrMalformed, "control character"},
		{"a docker config in the words of Python", asConfig, "", docker(`{'auths': {'registry.example': {'auth': '` + password + `'}}}`), ErrMalformed, "begins like JSON and is none"},
		{"a password in the place of its key", asConfig, "", `{"` + password + `!":"x","other":"y"}`, ErrKeyMissing, `no key "config"; it has "other"`},
		{"a docker config that is not there", asConfig, "", `{"other":"` + password + `"}`, ErrKeyMissing, `no key "config"; it has "other"`},
		{"names as kubectl create secret docker-registry has them", Keys{}, "", `{"docker-server":"registry.example","docker-username":"a","docker-password":"` + password + `"}`, ErrKeyMissing, `it has "docker-password", "docker-server", "docker-username"`},
		{"what GitLab answers for a new deploy token", Keys{}, "", `{"id":1,"name":"x","username":"a","expires_at":null,"token":"` + password + `","revoked":false,"scopes":[]}`, ErrKeyMissing, `"id", "name", "revoked", "scopes" and 2 more`},
		{"the answer of vault kv get -format=json for user name and password", Keys{}, "", `{"request_id":"x","data":{"data":{"username":"a","password":"` + password + `"},"metadata":{}}}`, ErrKeyMissing, `"data" holds an object with that key`},
		{"two docker configs in one answer", asConfig, "", docker(`{"data":` + config + `,"value":` + config + `}`), ErrMalformed, `no "auths"`},
		{"a user name of which a shell made nothing", Keys{}, "", `{"username":"","password":"` + password + `"}`, ErrMalformed, `key "username": the user name is empty: store it, in single quotes`},
		{"auth that is not encoded", asConfig, "", docker(`{"auths":{"registry.example":{"auth":"a:` + password + `"}}}`), ErrMalformed, "leave it out, and store username and password"},
		{"auth that is not encoded beside another password", asConfig, "", docker(`{"auths":{"registry.example":{"username":"a","password":"other","auth":"a:` + password + `"}}}`), ErrMalformed, "leave it out"},
		{"a Google key that a template put in without escaping it", asConfig, "", docker(`{"auths":{"registry.example":{"username":"_json_key","password":"` + downloaded + `"}}}`), ErrMalformed, "a template put in a value without escaping it"},
		{"a key of Yandex Cloud as the secret itself, for another user name", Keys{}, "AWS", yandex, ErrKeyMissing, "set username: json_key"},
		{"a key of Yandex Cloud for a docker config", asConfig, "", docker(yandex), ErrMalformed, "set username: json_key"},
		{"the answer for a credential of ACR, which names no registry", Keys{}, "", `{"username":"company","passwords":[{"name":"password","value":"` + password + `"}]}`, ErrKeyMissing, `it has "passwords"`},
		{"an answer of Amazon without a token", asConfig, "", docker(`{"authorizationData":[{"expiresAt":"2026-05-01T12:30:00Z"}]}`), ErrMalformed, `no "auths"`},
		{"an answer of a credential helper for another registry", Keys{}, "", `{"ServerURL":"https://quay.io","Username":"a","Secret":"` + password + `"}`, ErrRegistryMissing, "quay.io"},
		{"the settings of k3s without a login", asConfig, "", docker("configs:\n  registry.example:\n    tls: {}\n"), ErrMalformed, "neither JSON nor base64"},
		{"a Secret that holds something else", Keys{}, "", `{"kind":"Secret","type":"Opaque","data":{"token":"` + base64Of(password) + `"}}`, ErrKeyMissing, `it has "token"`},
		{"a docker config that SOPS encrypted", asConfig, "", docker(`{"auths":{"registry.example":{"auth":"ENC[AES256_GCM,data:` + password + `,iv:x,tag:y,type:str]"}}}`), ErrMalformed, "still encrypted"},
		{"a docker config whose auth no template replaced", asConfig, "", docker(`{"auths":{"registry.example":{"auth":"{{ .auth | b64enc }}"}}}`), ErrMalformed, "no template replaced"},
		{"half of the base64 of a docker config", asConfig, "", docker(base64Of(`{"auths":{"registry.example":{"auth":"` + password)), ErrMalformed, "a part was cut off"},
		{"a list of two docker configs", asConfig, "", docker("[" + config + "," + config + "]"), ErrMalformed, "neither JSON nor base64"},
		{"a variable that holds something else", asConfig, "", docker("PASSWORD=" + password), ErrMalformed, "neither JSON nor base64"},
		{"auth that no shell replaced", asAuth, "", `{"auth":"$REGISTRY_AUTH"}`, ErrMalformed, "no template replaced"},
		{"what jq printed for a docker config", asConfig, "", docker("null"), ErrMalformed, "where there is no value"},
		{"an entry of Docker Hub under its registry's host", asConfig, "", docker(`{"auths":{"https://registry-1.docker.io/v2/":{"auth":"YTox"}}}`), ErrRegistryMissing, "it has 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			made, err := Render(fieldsOf(t, test.fields), wants(test.keys, test.username))
			if err == nil {
				t.Fatalf("it became %v", plain(made.Config))
			}
			if !errors.Is(err, test.reason) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v; want %q", err, test.says)
			}
			for _, secret := range []string{password, base64Of(password), "MIIE", "YTox"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("it shows the value: %s", err)
				}
			}
			if strings.Contains(err.Error(), "not valid JSON") {
				t.Errorf("it does not say what the value is: %s", err)
			}
			if len(err.Error()) > 300 {
				t.Errorf("%d bytes: %s", len(err.Error()), err)
			}
		})
	}
}
