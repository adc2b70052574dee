package cloudregistry

import (
	"slices"
	"strings"
	"testing"
)

func TestParseACR(t *testing.T) {
	for host, login := range map[string]string{
		"company.azurecr.io": "login.microsoftonline.com", "Company.AzureCR.io": "login.microsoftonline.com", "company-a1b2c3d4.azurecr.io": "login.microsoftonline.com",
		"company.eastus2.geo.azurecr.io": "login.microsoftonline.com", "company-a1b2c3d4.eastus2.geo.azurecr.io": "login.microsoftonline.com",
		"company.usgovvirginia.geo.azurecr.us": "login.microsoftonline.us", "company.azurecr.cn": "login.chinacloudapi.cn", "company.azurecr.us": "login.microsoftonline.us",
	} {
		got, ok := ParseACR(host)
		if !ok || got.Login != login || got.Host != strings.ToLower(host) || !strings.HasSuffix(got.Scope, "/.default") {
			t.Errorf("%s is %+v (%t), want a login at %s", host, got, ok, login)
		}
	}
	for _, host := range []string{
		"", "azurecr.io", ".azurecr.io", "abc.azurecr.io", "*.azurecr.io", "company.azurecr.de", "company.azurecr.io.evil.example", "evil.example/company.azurecr.io",
		"evil.company.azurecr.io", "company.azurecr.io:443", "company.eastus.data.azurecr.io", "com_pany.azurecr.io", "company.azurecr.io\n", "company@evil.azurecr.io",
		strings.Repeat("a", 51) + ".azurecr.io", "company-.azurecr.io", "company.azurecr.io/",
		"company.geo.azurecr.io", "company.eastus2.azurecr.io", "company.evil.example.geo.azurecr.io", "company.east-us.geo.azurecr.io", "company..geo.azurecr.io",
		"company.eastus2.geo.geo.azurecr.io", "company.eastus2.geo.azurecr.io.evil.example",
	} {
		if got, ok := ParseACR(host); ok {
			t.Errorf("%q is taken for %+v", host, got)
		}
	}
}

func FuzzParseACR(f *testing.F) {
	f.Add("company.azurecr.io")
	f.Add("company-a1b2c3d4.azurecr.cn")
	f.Add("company.eastus2.geo.azurecr.io")
	f.Fuzz(func(t *testing.T, host string) {
		got, ok := ParseACR(host)
		if !ok {
			return
		}
		name, suffix, _ := strings.Cut(got.Host, ".")
		if region, rest, regional := strings.Cut(suffix, ".geo."); regional {
			name, suffix = name+region, rest
		}
		if got.Host != strings.ToLower(host) || strings.ContainsAny(name, "./@:?#% *") || !slices.Contains([]string{"azurecr.io", "azurecr.cn", "azurecr.us"}, suffix) {
			t.Errorf("%q is %+v", host, got)
		}
	})
}

func TestIsTenant(t *testing.T) {
	for text, want := range map[string]bool{
		"11111111-2222-3333-4444-555555555555": true, "company.onmicrosoft.com": true, "company.io": true, "organizations": true,
		"": false, "a/b": false, "..": false, "a..b": false, ".a": false, "a?b": false, "a#b": false, "-a": false, "a b": false, "a%2fb": false, strings.Repeat("a.", 70) + "a": false,
		strings.Repeat(strings.Repeat("a", 42)+".", 2) + strings.Repeat("a", 42): true, strings.Repeat(strings.Repeat("a", 42)+".", 2) + strings.Repeat("a", 43): false, // 128 and 129 letters
	} {
		if got := IsTenant(text); got != want {
			t.Errorf("%q: %t, want %t", text, got, want)
		}
	}
}
