package exchange

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/internal/cloudregistry"
	"regcred.dev/regcred/internal/payload"
)

// naming gives at each endpoint of AWS the endpoint's name as the password.
type naming struct{}

func (naming) RoundTrip(r *http.Request) (*http.Response, error) {
	body := fmt.Sprintf(`{"authorizationData":[{"authorizationToken":%q,"expiresAt":%d}]}`,
		base64.StdEncoding.EncodeToString([]byte("AWS:"+r.URL.Host)), time.Now().Add(12*time.Hour).Unix())
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// A registry gets the login of its own endpoint, which no other one takes: there are several in a region.
func TestEachRegistryGetsTheLoginOfItsEndpoint(t *testing.T) {
	for _, hosts := range [][]string{
		{
			"111122223333.dkr.ecr.eu-west-1.amazonaws.com", "111122223333.dkr.ecr.eu-west-2.amazonaws.com", "111122223333.dkr.ecr.us-east-1.amazonaws.com",
			"111122223333.dkr.ecr.us-east-2.amazonaws.com",
		},
		{"public.ecr.aws", "111122223333.dkr.ecr.us-east-1.amazonaws.com", "111122223333.dkr.ecr-fips.us-east-1.amazonaws.com", "111122223333.dkr-ecr.us-east-1.on.aws"},
		{"111122223333.dkr.ecr.us-east-1.amazonaws.com", "444455556666.dkr.ecr.us-east-1.amazonaws.com", "*.dkr.ecr.us-east-1.amazonaws.com"},
	} {
		got, err := New(naming{}, time.Now).ecr(t.Context(), hosts, ofAWS)
		if err != nil {
			t.Fatal(err)
		}
		for _, host := range hosts {
			if at, is := cloudregistry.ParseECR(host); !is || got.logins[host].Password != at.Endpoint {
				t.Errorf("%s has that of %s, want that of %s", host, got.logins[host].Password, at.Endpoint)
			}
		}
	}
}

// The token of one cloud is sent to no registry of another.
func TestRegistriesOfTwoCloudsOfAzureAreRefusedBeforeAnythingIsAsked(t *testing.T) {
	for name, test := range map[string]struct {
		hosts []string
		want  error
		says  string
	}{
		"one cloud":            {[]string{"company.azurecr.io", "others.azurecr.io"}, ErrUnavailable, ""},
		"two clouds":           {[]string{"company.azurecr.io", "company.azurecr.cn"}, ErrRegistry, "registries company.azurecr.io and company.azurecr.cn are in two clouds"},
		"another is the third": {[]string{"company.azurecr.us", "others.azurecr.us", "others.azurecr.io"}, ErrRegistry, "registries company.azurecr.us and others.azurecr.io are in two clouds"},
	} {
		cloud := &away{}
		_, err := New(cloud, time.Now).acr(t.Context(), "company.io", test.hosts, payload.Fields{"client_id": "a", "client_secret": "b"})
		if !errors.Is(err, test.want) || !strings.HasPrefix(err.Message, test.says) || (cloud.asked == 0) != errors.Is(test.want, ErrRegistry) {
			t.Errorf("%s: %v after %d questions", name, err, cloud.asked)
		}
	}
}
