package cloudregistry

import (
	"regexp"
	"strings"
	"testing"
)

func TestParseECR(t *testing.T) {
	for host, want := range map[string]ECR{
		"111122223333.dkr.ecr.eu-west-1.amazonaws.com":                    {"111122223333", "eu-west-1", "api.ecr.eu-west-1.amazonaws.com", false},
		"111122223333.DKR.ECR.EU-WEST-1.amazonaws.com":                    {"111122223333", "eu-west-1", "api.ecr.eu-west-1.amazonaws.com", false},
		"*.dkr.ecr.us-east-2.amazonaws.com":                               {"*", "us-east-2", "api.ecr.us-east-2.amazonaws.com", false},
		"111122223333.dkr.ecr-fips.us-gov-west-1.amazonaws.com":           {"111122223333", "us-gov-west-1", "api.ecr-fips.us-gov-west-1.amazonaws.com", false},
		"111122223333.dkr-ecr.ap-southeast-2.on.aws":                      {"111122223333", "ap-southeast-2", "ecr.ap-southeast-2.api.aws", false},
		"111122223333.dkr-ecr-fips.us-east-1.on.aws":                      {"111122223333", "us-east-1", "ecr-fips.us-east-1.api.aws", false},
		"111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn":                {"111122223333", "cn-north-1", "api.ecr.cn-north-1.amazonaws.com.cn", false},
		"111122223333.dkr-ecr.cn-northwest-1.on.amazonwebservices.com.cn": {"111122223333", "cn-northwest-1", "api.ecr.cn-northwest-1.amazonaws.com.cn", false},
		"111122223333.dkr.ecr.eusc-de-east-1.amazonaws.eu":                {"111122223333", "eusc-de-east-1", "api.ecr.eusc-de-east-1.amazonaws.eu", false},
		"111122223333.dkr.ecr.us-iso-east-1.c2s.ic.gov":                   {"111122223333", "us-iso-east-1", "api.ecr.us-iso-east-1.c2s.ic.gov", false},
		"111122223333.dkr.ecr.us-isob-east-1.sc2s.sgov.gov":               {"111122223333", "us-isob-east-1", "api.ecr.us-isob-east-1.sc2s.sgov.gov", false},
		"public.ecr.aws":     {"", "us-east-1", "api.ecr-public.us-east-1.amazonaws.com", true},
		"ecr-public.aws.com": {"", "us-east-1", "api.ecr-public.us-east-1.amazonaws.com", true},
	} {
		if got, ok := ParseECR(host); !ok || got != want {
			t.Errorf("%s is %+v (%t), want %+v", host, got, ok, want)
		}
	}
}

func TestWhatIsNoHostOfECR(t *testing.T) {
	for _, host := range []string{
		"", "ecr.eu-west-1.amazonaws.com", "registry.company.io",
		"111122223333.dkr.ecr.eu-west-1.amazonaws.com.evil.example", "evil.example/111122223333.dkr.ecr.eu-west-1.amazonaws.com",
		"evil.111122223333.dkr.ecr.eu-west-1.amazonaws.com", "111122223333.dkr.ecr.evil.example.amazonaws.com", "111122223333.dkr.ecr.eu-west-1.amazonaws.com:443",
		"111122223333.dkr.ecr.eu-west-1.evil.amazonaws.com", "11112222333.dkr.ecr.eu-west-1.amazonaws.com", "111122223333.dkr.ecr.*.amazonaws.com",
		"111122223333.dkr-ecr.eu-west-1.amazonaws.com", "111122223333.dkr.ecr.eu-west-1.on.aws", "111122223333.dkr.ecr.eu-west-1.amazonaws.com.cn",
		"111122223333.dkr.ecr.cn-north-1.amazonaws.com", "111122223333.dkr.ecr.eu-west-1.amazonaws.com\n", "x.public.ecr.aws", "public.ecr.aws.evil.example",
		"111122223333.dkr.ecr.eu-west-1@evil.example", "111122223333.dkr.ecr.eu-west-1.amazonaws.com#", "１11122223333.dkr.ecr.eu-west-1.amazonaws.com",
	} {
		if got, ok := ParseECR(host); ok {
			t.Errorf("%q is taken for %+v", host, got)
		}
	}
}

// amazons is what every endpoint looks like: nothing of the account, and one of Amazon's own domains.
var amazons = regexp.MustCompile(`^(api\.)?ecr(-fips|-public)?\.[a-z0-9-]+\.(api\.aws|amazonaws\.(com|com\.cn|eu)|c2s\.ic\.gov|sc2s\.sgov\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)$`)

func FuzzParseECR(f *testing.F) {
	f.Add("111122223333.dkr.ecr.eu-west-1.amazonaws.com")
	f.Add("111122223333.dkr-ecr-fips.us-east-1.on.aws")
	f.Add("public.ecr.aws")
	f.Fuzz(func(t *testing.T, host string) {
		got, ok := ParseECR(host)
		if !ok {
			if got != (ECR{}) {
				t.Errorf("%q is none, and %+v", host, got)
			}
			return
		}
		if !amazons.MatchString(got.Endpoint) || strings.ContainsAny(host, "/@:?#% \n") {
			t.Errorf("%q leads to %q", host, got.Endpoint)
		}
	})
}
