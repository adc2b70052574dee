package integration

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// needles are the forms in which a secret can be found in a text: as it is, as JSON, as a part of a URL, as Go quotes it, and within
// anything that was encoded by base64, once or twice: a docker config holds it encoded, and the API server encodes a Secret's data.
func needles(secret string) []string {
	quoted, _ := json.Marshal(secret) // a string always marshals
	escaped, plain := inner(string(quoted)), inner(strconv.Quote(secret))
	forms := []string{secret, escaped, plain, inner(strconv.Quote(plain)), url.QueryEscape(secret), url.PathEscape(secret)}
	var found []string
	for _, form := range forms {
		found = append(found, form)
		for _, once := range encoded(form) {
			found = append(found, once)
			found = append(found, encoded(once)...)
		}
	}
	return found
}

// inner is what stands between quotes.
func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

// encoded is what a text looks like within a longer one that was encoded by base64: at each of three places, without the characters at
// both ends that the neighbours have a part in.
func encoded(text string) []string {
	var forms []string
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 3 {
			long := encoding.EncodeToString([]byte(strings.Repeat("\x00", shift) + text))
			first := (shift*8 + 5) / 6
			last := (shift + len(text)) * 8 / 6
			forms = append(forms, long[first:last])
		}
	}
	return forms
}

// leaked is the first form of a secret that a text has, or empty.
func leaked(text, secret string) string {
	for _, form := range needles(secret) {
		if strings.Contains(text, form) {
			return form
		}
	}
	return ""
}

func TestASecretIsFoundInEachForm(t *testing.T) {
	const secret = `7Rk"q\x<wQ&+/e=Zp'4v`
	quoted, err := json.Marshal(map[string]string{"password": secret})
	vaultMust(t, err)
	auth := base64.StdEncoding.EncodeToString([]byte("robot:" + secret))
	for name, text := range map[string]string{
		"as it is":                         "user robot " + secret + ".",
		"as JSON":                          "body: " + string(quoted),
		"as a log line has it":             `{"error":"refused: ` + inner(strconv.Quote(secret)) + `"}`,
		"as a log line of a quoted text":   strconv.Quote(strconv.Quote(secret)),
		"in a query":                       "https://x.example/?password=" + url.QueryEscape(secret),
		"in a path":                        "https://x.example/" + url.PathEscape(secret) + "/y",
		"in a Basic header":                "Authorization: Basic " + auth,
		"in a header without padding":      base64.RawURLEncoding.EncodeToString([]byte("a:" + secret)),
		"in the data of a Secret":          base64.StdEncoding.EncodeToString(quoted),
		"in a docker config, by auth only": base64.StdEncoding.EncodeToString([]byte(`{"auths":{"x":{"auth":"` + auth + `"}}}`)),
		"in a docker config, shifted":      base64.StdEncoding.EncodeToString([]byte(`{"auths":{"xyz":{"auth":"` + auth + `"}}}`)),
	} {
		if leaked(text, secret) == "" {
			t.Errorf("%s it is not found: %s", name, text)
		}
	}
	if form := leaked("the password is not shown", secret); form != "" {
		t.Errorf("%q is found where nothing is", form)
	}
}
