package dockerconfig

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"regcred.dev/regcred/test/racedetector"
)

// sound is an entry in which nothing is to be found.
var sound = `{"auth":"` + auth("u:"+sesame) + `"}`

func TestADocumentOfATenantIsLookedAtWithinBounds(t *testing.T) {
	racedetector.Skip(t)
	repeated := func(form string, times int) string {
		var members []string
		for i := range times {
			members = append(members, fmt.Sprintf(form, i))
		}
		return `{"auths":{` + strings.Join(members, ",") + `}}`
	}
	arrays := `{"auths":{"r.example":{"identitytoken":[` + strings.TrimSuffix(strings.Repeat("[],", 340_000), ",") + `]}}}`
	for _, test := range []struct {
		name     string
		document string
		crowded  bool
	}{
		{"45,000 entries", repeated(`"%05d.io":{"auth":"x"}`, 45_000), true},
		{"100,000 entries that are no objects", repeated(`"%05d":0`, 100_000), true},
		{"as many fields as are looked at", repeated(`"%04d.io":{"auth":"x"}`, mostMembers/2-1), false},
		{"a token of a megabyte of arrays", arrays, false},
		{"five hundred sound entries", repeated(`"https://%03d.example:5000/v1/":{"username":"u","password":"p","email":"e","auth":"dTpw"}`, 500), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			findings := Lint([]byte(test.document))
			if crowded := slices.ContainsFunc(findings, func(f Finding) bool { return f.Reason == ReasonTooLarge && f.Key == "" }); crowded != test.crowded {
				t.Errorf("it is found to be too large: %t, wanted %t", crowded, test.crowded)
			}
			// Allocations do not depend on how busy the machine is.
			if allocations := testing.AllocsPerRun(1, func() { Lint([]byte(test.document)) }); allocations > 400_000 {
				t.Errorf("a look takes %.0f allocations", allocations)
			} else {
				t.Logf("%.0f allocations", allocations)
			}
		})
	}
}

func TestAKeyThatAKubeletNeverUsesIsFound(t *testing.T) {
	for _, c := range []struct {
		key  string
		want Reason
	}{
		{"", ReasonEmptyKey},
		{"https://", ReasonEmptyKey},
		{"hub.docker.com", ReasonDockerHubKey},
		{"https://hub.docker.com/r/team", ReasonDockerHubKey},
		{"https://index.docker.io/v1", ReasonDockerHubKey},
		{"index.docker.io/team", ReasonDockerHubKey},
		{"https://quay.io/v2", ReasonVersionWithoutSlash},
		{"*", ReasonMisleadingWildcard},
		{"*:5000", ReasonMisleadingWildcard},
		{"**.example.com", ReasonMisleadingWildcard},
		{"quay.io/*", ReasonMisleadingWildcard},
		{"https://quay.io/team*", ReasonMisleadingWildcard},
		{"*.example.com/team*", ReasonMisleadingWildcard},
		{"quay.io:0", ReasonInvalidPort},
		{"quay.io:70000", ReasonInvalidPort},
		{"quay.io:*", ReasonInvalidPort},
		{"robot:pw@quay.io:70000", ReasonInvalidPort},
		{"https://robot:pw@quay.io/v2", ReasonVersionWithoutSlash},
		{"registry", ReasonUnmatchable},
		{"[::1]", ReasonUnmatchable},
		{"[fe80::1%25eth0]:5000", ReasonUnmatchable},
		{"qu[ay.io", ReasonUnmatchable},
		{"quay.io/Team", ReasonUnmatchable},
		{"quay.io//team", ReasonUnmatchable},
		{"oci://quay.io", ReasonUnmatchable},
		{"%", ReasonUnmatchable},
		{"quay.io/%zz", ReasonUnmatchable},
	} {
		t.Run(c.key, func(t *testing.T) {
			findings := Lint([]byte(fmt.Sprintf(`{"auths":{%q:%s}}`, c.key, sound)))
			if len(findings) != 1 || findings[0].Reason != c.want || findings[0].Key != c.key || findings[0].BreaksPulls {
				t.Errorf("%+v, want one of %s", findings, c.want)
			}
		})
	}
}

func TestAKeyThatAKubeletUsesIsNotFound(t *testing.T) {
	for _, key := range []string{
		"quay.io", "https://quay.io", "quay.io/", "https://quay.io/v1/", "quay.io/v2/team", "quay.io/team/", "quay.io/team/v1", "https://quay.io/team/v1", "https://quay.io/v1/team/v2", "robot:pw@quay.io/team/v2", "docker.io", "docker.io/team",
		"index.docker.io", "https://index.docker.io/v1/", "http://index.docker.io/v2/", "*.example.com", "*.dkr.ecr.*.amazonaws.com",
		"registry:5000", "Quay.io", "registry-1.docker.io", "https://registry-1.docker.io/v2/", "registry-1.docker.io/bitnami", "localhost", "[::1]:5000", "10.0.0.1:5000", "my_registry.io",
		"https://robot:pw@quay.io/v2/", "robot:70000@quay.io/team", "https://robot:pw@index.docker.io/v1/", "quay.io?x",
	} {
		if findings := Lint([]byte(fmt.Sprintf(`{"auths":{%q:%s}}`, key, sound))); len(findings) > 0 {
			t.Errorf("%q: %+v", key, findings)
		}
	}
}

// What docker login writes for Docker Hub since it asks in a browser.
func TestTheTokensOfDockerLoginAreToBeTakenOut(t *testing.T) {
	findings := Lint([]byte(fmt.Sprintf(`{"auths":{"https://index.docker.io/v1/":%[1]s,"https://index.docker.io/v1/access-token":%[1]s,"https://index.docker.io/v1/refresh-token":%[1]s}}`, sound)))
	if len(findings) != 2 {
		t.Fatalf("%+v", findings)
	}
	for _, finding := range findings {
		if finding.Reason != ReasonDockerHubKey || !strings.Contains(finding.Message, "take the entry out") || strings.Contains(finding.Message, "write") {
			t.Errorf("%+v", finding)
		}
	}
}

// The keys and what they match were written by the kubelet's own code: see hack/cluster/kubernetes/keyring.
func TestTheLinterAgreesWithTheKubelet(t *testing.T) {
	matched := map[string]bool{}
	for _, line := range kubeletSays(t, "kubelet-keyring.tsv") {
		key, _, _ := strings.Cut(line, "\t")
		matched[unquoted(t, key)] = true
	}
	// These match, and something else than what was meant.
	misleading := []Reason{ReasonDockerHubKey, ReasonVersionWithoutSlash, ReasonMisleadingWildcard}
	// These could match images that are not among those of the comparison.
	sound := []string{"*.amazonaws.com", "index.*.io", "quay.io/v1/v2/coreos", "quay.io/v1x/", strings.Repeat("*.", 40) + "io"}
	for _, line := range kubeletSays(t, "keys.txt") {
		key := unquoted(t, line)
		findings := LintKey(key)
		switch {
		case len(findings) == 0 && !matched[key] && !slices.Contains(sound, key):
			t.Errorf("%q matches nothing, and that is not found", key)
		case len(findings) > 0 && matched[key] && !slices.Contains(misleading, findings[0].Reason):
			t.Errorf("%q works, and is said to be %s", key, findings[0].Reason)
		}
	}
}

func kubeletSays(t *testing.T, file string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "registry", "testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "#") })
}

func unquoted(t *testing.T, text string) string {
	t.Helper()
	value, err := strconv.Unquote(text)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestAnEntryThatAKubeletCannotUseIsFound(t *testing.T) {
	for _, c := range []struct {
		shows, fields string
		want          Reason
		breaks, kept  bool
	}{
		{"auth that is no base64", `"auth":"` + sesame + `!"`, ReasonMalformed, true, false},
		{"a password that is a list", `"username":"u","password":["` + sesame + `"]`, ReasonMalformed, true, false},
		{"rule 6: an identity token alone is ignored", `"identitytoken":"` + sesame + `"`, ReasonTokenOnly, false, false},
		{"rule 6: a registry token alone is ignored", `"registrytoken":"` + sesame + `"`, ReasonTokenOnly, false, false},
		{"an empty entry", ``, ReasonIncomplete, false, false},
		{"an empty password", `"username":"u","password":""`, ReasonIncomplete, false, false},
		{"an empty user name", `"auth":"` + auth(":"+sesame) + `"`, ReasonIncomplete, false, false},
		{"a line break after the password", `"username":"u","password":"` + sesame + `\n"`, ReasonTrailingNewline, false, true},
		{"a line break at the end of auth", `"auth":"` + auth("u:"+sesame+"\n") + `"`, ReasonTrailingNewline, false, true},
		{"a tab in the password", `"username":"u","password":"` + sesame + `\t"`, ReasonUnusableCharacters, false, false},
		{"a colon in the user name", `"username":"u:v","password":"` + sesame + `"`, ReasonUnusableCharacters, false, false},
		{"another password than in auth", `"password":"x","auth":"` + auth("u:"+sesame) + `"`, ReasonConflictingLogin, false, true},
		{"a field twice", `"username":"x","username":"u","password":"` + sesame + `"`, ReasonDuplicateKey, false, true},
	} {
		t.Run(c.shows, func(t *testing.T) {
			config, findings := ParseLenient([]byte(`{"auths":{"quay.io":{` + c.fields + `}}}`))
			if len(findings) != 1 || findings[0].Reason != c.want || findings[0].Key != "quay.io" || findings[0].BreaksPulls != c.breaks {
				t.Fatalf("%+v, want one of %s", findings, c.want)
			}
			for _, secret := range []string{sesame, auth("u:" + sesame), auth(":" + sesame)} {
				if strings.Contains(findings[0].Message, secret) {
					t.Errorf("the message shows the value: %s", findings[0].Message)
				}
			}
			kept := config["quay.io"]
			if kept.IsZero() == c.kept || (c.kept && !kept.Equal(credential(t, "u", sesame))) {
				t.Errorf("usable: %v, want %v", !kept.IsZero(), c.kept)
			}
		})
	}
}

func TestADocumentThatAKubeletCannotUseIsFound(t *testing.T) {
	for _, c := range []struct {
		shows, document string
		want            []Reason
		breaks          bool
	}{
		{"no JSON", `{"auths":`, []Reason{ReasonMalformed}, true},
		{"something after it", `{"auths":{"a.b":` + sound + `}} x`, []Reason{ReasonMalformed}, true},
		{"a list", `[]`, []Reason{ReasonMalformed}, true},
		{"headers that are no strings", `{"auths":{"a.b":` + sound + `},"HttpHeaders":{"a":1}}`, []Reason{ReasonMalformed}, true},
		{"nothing", ``, []Reason{ReasonNoEntries}, false},
		{"no entries", `{"auths":{}}`, []Reason{ReasonNoEntries}, false},
		{"the old form", `{"quay.io":` + sound + `}`, []Reason{ReasonLegacyFormat}, false},
		{"a registry twice", `{"auths":{"a.b":` + sound + `,"a.b":` + sound + `}}`, []Reason{ReasonDuplicateKey}, false},
		{"a credential store", `{"auths":{"a.b":` + sound + `},"credsStore":"x"}`, []Reason{ReasonCredentialStore}, false},
		{"credential helpers alone", `{"credHelpers":{"gcr.io":"x"}}`, []Reason{ReasonCredentialStore}, false},
		{"invalid UTF-8", "{\"auths\":{\"a.b\":" + sound + "},\"x\":\"\xff\"}", []Reason{ReasonUnusableCharacters}, false},
		{"too large", `{"x":"` + strings.Repeat("x", MaxSize) + `"}`, []Reason{ReasonTooLarge}, false},
		{"Docker Hub twice", `{"auths":{"docker.io":` + sound + `,"https://index.docker.io/v1/":` + sound + `}}`, []Reason{ReasonShadowed}, false},
		{"two entries at fault", `{"auths":{"a.b":{"auth":"!"},"hub.docker.com":{}}}`,
			[]Reason{ReasonMalformed, ReasonDockerHubKey, ReasonIncomplete}, true},
		{"one entry at fault in two ways", `{"auths":{"hub.docker.com":{"auth":"!"}}}`, []Reason{ReasonMalformed, ReasonDockerHubKey}, true},
		{"Docker Hub twice, of which one cannot be used", `{"auths":{"docker.io":{},"https://index.docker.io/v1/":` + sound + `}}`, []Reason{ReasonIncomplete, ReasonShadowed}, false},
		{"a registry twice, beside a credential store", `{"auths":{"a.b":` + sound + `,"a.b":` + sound + `},"credsStore":"x"}`, []Reason{ReasonCredentialStore, ReasonDuplicateKey}, false},
		{"a token beside a password in auth", `{"auths":{"a.b":{"auth":"` + auth("u:"+sesame) + `","identitytoken":"t"}}}`, nil, false},
		{"nothing at fault", `{"auths":{"a.b":` + sound + `}}`, nil, false},
	} {
		t.Run(c.shows, func(t *testing.T) {
			findings := Lint([]byte(c.document))
			var got []Reason
			for _, f := range findings {
				got = append(got, f.Reason)
			}
			if diff := cmp.Diff(c.want, got); diff != "" || breaksPulls(findings) != c.breaks {
				t.Errorf("breaks pulls: %v\n%s", breaksPulls(findings), diff)
			}
		})
	}
}

func TestADockerHubFindingSaysWhatToWrite(t *testing.T) {
	for key, want := range map[string]string{
		"https://index.docker.io/v1": `write "https://index.docker.io/v1/"`,
		"index.docker.io/team":       `write "docker.io/team"`, "https://quay.io/v2": `write "quay.io"`,
	} {
		findings := Lint([]byte(fmt.Sprintf(`{"auths":{%q:%s}}`, key, sound)))
		if len(findings) != 1 || !strings.Contains(findings[0].Message, want) {
			t.Errorf("%s: %+v, want %s", key, findings, want)
		}
	}
}

func breaksPulls(findings []Finding) bool {
	for _, f := range findings {
		if f.BreaksPulls {
			return true
		}
	}
	return false
}

// A kubelet passes over what stands before the host of a key, so that it may be there, and work.
func TestAPasswordInAKeyIsNotShown(t *testing.T) {
	const key = "https://robot:s3cr3t@r.example"
	document := []byte(`{"auths":{"` + key + `":{"username":"a","password":"1\n"},"robot:s3cr3t@docker.io":{},"https://index.docker.io/v1/":{}}}`)
	findings := Lint(document)
	if len(findings) < 3 {
		t.Errorf("%d findings", len(findings))
	}
	for _, finding := range findings {
		if strings.Contains(finding.String(), "s3cr3t") {
			t.Error(finding.String())
		}
	}
	if _, err := Parse([]byte(`{"auths":{"` + key + `":{}}}`)); err == nil || strings.Contains(err.Error(), "s3cr3t") || !strings.Contains(err.Error(), "r.example") {
		t.Error(err)
	}
}

func TestNothingIsAdvisedForAKeyWhoseRegistryCannotBeRead(t *testing.T) {
	for _, key := range []string{"/v1", "https:///v1", "https://a b/v2", "http://%zz/v1", "[::1/v1"} {
		if advice := versionWithoutSlash(key); advice != "" {
			t.Errorf("%q: %s", key, advice)
		}
	}
}
