package payload

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
)

func TestWhatIsProbablyNotMeantIsNotedAndPublishedAsItIs(t *testing.T) {
	for _, test := range []struct {
		name, value string
		want        dockerconfig.Reason
	}{
		{"a word", "s3cr3t", ""},
		{"a space inside", "s3c r3t", ""},
		{"letters of other scripts", "pässwörd-пароль-パス", ""},
		{"one quote", `"s3cr3t`, ""},
		{"quotes inside", `s3"cr"3t`, ""},
		{"a quote alone", `"`, ""},
		{"a byte order mark", "\ufeffs3cr3t", dockerconfig.ReasonHiddenCharacter},
		{"a byte order mark inside", "s3c\ufeffr3t", dockerconfig.ReasonHiddenCharacter},
		{"a no-break space", "s3c\u00a0r3t", dockerconfig.ReasonHiddenCharacter},
		{"a no-break space at its end", "s3cr3t\u00a0", dockerconfig.ReasonHiddenCharacter},
		{"a narrow no-break space", "s3c\u202fr3t", dockerconfig.ReasonHiddenCharacter},
		{"a zero-width space", "s3cr3t\u200b", dockerconfig.ReasonHiddenCharacter},
		{"a zero-width joiner", "s3c\u200dr3t", dockerconfig.ReasonHiddenCharacter},
		{"a word joiner", "s3c\u2060r3t", dockerconfig.ReasonHiddenCharacter},
		{"a soft hyphen", "s3c\u00adr3t", dockerconfig.ReasonHiddenCharacter},
		{"a mark of direction", "s3c\u202er3t", dockerconfig.ReasonHiddenCharacter},
		{"a line separator", "s3cr3t\u2028", dockerconfig.ReasonHiddenCharacter},
		{"quotes", `"s3cr3t"`, dockerconfig.ReasonQuotesOrEscapes},
		{"single quotes", `'s3cr3t'`, dockerconfig.ReasonQuotesOrEscapes},
		{"quotes of a word processor", "“s3cr3t”", dockerconfig.ReasonQuotesOrEscapes},
		{"a dollar sign", "s3c$r3t", ""},
		{"a brace", "s3c${r3t", ""},
		{"a comparison", "<s3c", ""},
		// https://github.com/argoproj-labs/argocd-vault-plugin/issues/479
		{"a placeholder of Argo CD Vault Plugin", "<s3cr3t>", dockerconfig.ReasonPlaceholder},
		{"a variable of a shell", "${s3cr3t}", dockerconfig.ReasonPlaceholder},
		{"a variable of Kubernetes", "$(s3cr3t)", dockerconfig.ReasonPlaceholder},
		{"an expression of a template", "{{ .s3cr3t }}", dockerconfig.ReasonPlaceholder},
		{"a variable without braces", "$S3CR3T", dockerconfig.ReasonPlaceholder},
		{"a variable of Windows", "%S3CR3T%", dockerconfig.ReasonPlaceholder},
		{"NVIDIA's user name", "$oauthtoken", ""},
		{"what jq prints of a key that is not there", "null", dockerconfig.ReasonPlaceholder},
		{"what a script prints of an object", "[object Object]", dockerconfig.ReasonPlaceholder},
		{"what a template prints of nothing", "<no value>", dockerconfig.ReasonPlaceholder},
		{"the name of a file", "@/run/secrets/s3cr3t", dockerconfig.ReasonPlaceholder},
		{"the name of a file in this folder", "@s3cr3t.txt", dockerconfig.ReasonPlaceholder},
		{"a word after an at sign", "@s3cr3t", ""},
		{"a word with null in it", "nullify", ""},
		// https://github.com/nuclio/nuclio/issues/1636
		{"an escape of JSON", `s3c\u0026r3t`, dockerconfig.ReasonQuotesOrEscapes},
		{"an escape of HTML", `s3c&amp;r3t`, dockerconfig.ReasonQuotesOrEscapes},
		{"a quote as HTML has it", `s3c&#39;r3t`, dockerconfig.ReasonQuotesOrEscapes},
		{"a word between & and ;", `s3c&r3t;`, ""},
		{"a backslash", `s3c\r3t`, ""},
		{"a backslash before a dollar sign", `s3c\$r3t`, dockerconfig.ReasonQuotesOrEscapes},
		{"a space at its end", "s3cr3t ", dockerconfig.ReasonSurroundingSpace},
		{"a space before it", " s3cr3t", dockerconfig.ReasonSurroundingSpace},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, fields := range []Fields{{"username": "u", "password": test.value}, {"username": test.value, "password": "p"}} {
				made, err := Render(fields, wants(Keys{}, "", "registry.example", "quay.io"))
				if err != nil {
					t.Fatal(err)
				}
				credential := made.Config["registry.example"]
				if credential.Username() != fields["username"] || credential.Password() != fields["password"] {
					t.Errorf("published as %q", plain(made.Config))
				}
				var want []dockerconfig.Reason
				if test.want != "" {
					want = []dockerconfig.Reason{test.want}
				}
				if diff := cmp.Diff(want, reasonsOf(made.Findings)); diff != "" {
					t.Error(diff)
				}
				for _, finding := range made.Findings {
					if strings.Contains(finding.Message, "s3c") {
						t.Errorf("it shows the value: %s", finding.Message)
					}
				}
			}
		})
	}
}

// https://github.com/kubesphere/kubesphere/issues/2881: of a password nobody knows whether that is meant.
func TestAUserNameThatWasEscapedForAnotherProgramIsNoted(t *testing.T) {
	for value, want := range map[string]string{
		"robot$$ci": "two $", "$$oauthtoken": "two $", "robot%24ci": "URLs", "ci%40company": "URLs", "company%2bci": "URLs", "company%2Fci": "URLs", `robot\$$ci`: "backslash",
		"robot$ci": "", "$oauthtoken": "", "ci@company": "", "100%ci": "", "a%b": "",
	} {
		made, err := Render(Fields{"username": value, "password": "pw"}, wants(Keys{}, ""))
		if err != nil || (len(made.Findings) == 1) != (want != "") || want != "" && (made.Findings[0].Reason != dockerconfig.ReasonQuotesOrEscapes || !strings.Contains(made.Findings[0].Message, want)) {
			t.Errorf("%s: %v, %v", value, made.Findings, err)
		}
		if made, err = Render(Fields{"username": "ci", "password": value}, wants(Keys{}, "")); err != nil || len(made.Findings) > 0 && want != "backslash" {
			t.Errorf("as a password %s: %v, %v", value, made.Findings, err)
		}
	}
}

// https://github.com/bank-vaults/bank-vaults/pull/489 and tools like it: what they put in was not put in.
func TestAReferenceOrACipherForAPasswordIsNoted(t *testing.T) {
	for name, value := range map[string]string{
		"of a webhook": "vault:secret/data/dockerrepo#s3cr3t", "of SOPS": "ENC[AES256_GCM,data:s3cr3t,iv:x,tag:y,type:str]", "of Vault's engine transit": "vault:v1:s3cr3t==",
		"of 1Password": "op://s3cr3t/registry/password", "of vals": "ref+vault://secret/s3cr3t#/password", "of AWS": "arn:aws:secretsmanager:eu-west-1:1:secret:s3cr3t",
		"of Azure": "@Microsoft.KeyVault(SecretUri=https://s3cr3t.vault.azure.net/secrets/x)",
	} {
		made, err := Render(Fields{"username": "u", "password": value}, wants(Keys{}, ""))
		if err != nil || len(made.Findings) != 1 || made.Findings[0].Reason != dockerconfig.ReasonPlaceholder || strings.Contains(made.Findings[0].Message, "s3cr3t") {
			t.Errorf("%s: %v, %v", name, made.Findings, err)
		}
	}
}

func TestEntriesOfADockerConfigAreNotedToo(t *testing.T) {
	document := `{"auths":{"registry.example":{"username":"a","password":"1 "},"quay.io":{"auth":"` + base64Of(`b:"2"`) + `"},"other.example":{"username":"c","password":"3 "}}}`
	made, err := Render(Fields{"config": document}, wants(asConfig, "", "registry.example", "quay.io"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]dockerconfig.Reason{dockerconfig.ReasonQuotesOrEscapes, dockerconfig.ReasonSurroundingSpace}, reasonsOf(made.Findings)); diff != "" {
		t.Error(diff)
	}
}

func TestSpellingsThatNoKubeletUsesAreNoted(t *testing.T) {
	for _, test := range []struct {
		name   string
		listed v1alpha1.Registry
		fields Fields
		keys   Keys
		want   dockerconfig.Reason
	}{
		{"in the spec", "hub.docker.com", Fields{"username": "a", "password": "1"}, Keys{}, dockerconfig.ReasonDockerHubKey},
		{"in a docker config", "docker.io", Fields{"config": entries("hub.docker.com")}, asConfig, dockerconfig.ReasonDockerHubKey},
		{"a version without a slash", "registry.example", Fields{"config": entries("https://registry.example/v2", "Quay.io", "other.example/*")}, asConfig, dockerconfig.ReasonVersionWithoutSlash},
	} {
		t.Run(test.name, func(t *testing.T) {
			made, err := Render(test.fields, wants(test.keys, "", test.listed))
			if err != nil || len(made.Findings) != 1 || made.Findings[0].Reason != test.want {
				t.Errorf("%v, %v", made.Findings, err)
			}
		})
	}
}
