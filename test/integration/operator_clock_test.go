package integration

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/pullsecret"
)

// TestChangesAreDatedByTheAPIServersClock runs the operator before an API server whose clock is an hour ahead of its own.
func TestChangesAreDatedByTheAPIServersClock(t *testing.T) {
	t.Parallel()
	const ahead = time.Hour
	r := startOperatorRun(t)
	r.kubeconfig = writeKubeconfig(t, throughSkew(t, r.withToken(t), ahead))
	namespace := r.makeNamespaces(t, 1)
	r.rotate(t, "password")
	r.start(t)
	begin := time.Now()
	r.applyCredential(t)
	awaitAPI(t, "the namespace is served", func() error { return r.allHold(t.Context(), namespace, "password") })
	var secret corev1.Secret
	var account corev1.ServiceAccount
	for key, object := range map[string]client.Object{"regcred": &secret, "default": &account} {
		if err := r.admin.Get(t.Context(), client.ObjectKey{Namespace: namespace[0], Name: key}, object); err != nil {
			t.Fatal(err)
		}
	}
	for what, noted := range map[string]time.Time{
		"the change of the Secret": pullsecret.SourcesOf(secret.Annotations)["company"].Changed.Time,
		"the attachment":           diagnosis.NewAccount(&account).Attached["regcred"],
	} {
		// Dates have whole seconds.
		if noted.Before(begin.Add(ahead-2*time.Second)) || noted.After(time.Now().Add(ahead+2*time.Second)) {
			t.Errorf("%s is dated %s, the API server's clock says %s", what, noted.UTC(), time.Now().Add(ahead).UTC())
		}
	}
}

// throughSkew leads to an API server whose answers are dated ahead.
func throughSkew(t *testing.T, config *rest.Config, ahead time.Duration) *rest.Config {
	t.Helper()
	transport, err := rest.TransportFor(rest.AnonymousClientConfig(config))
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(withScheme(config.Host))
	if err != nil {
		t.Fatal(err)
	}
	silent := log.New(io.Discard, "", 0) // the operator is killed in the middle of things
	server := httptest.NewUnstartedServer(&httputil.ReverseProxy{
		Rewrite: func(request *httputil.ProxyRequest) { request.SetURL(target) }, Transport: transport,
		FlushInterval: -1, ErrorLog: silent,
		ModifyResponse: func(response *http.Response) error {
			date, err := http.ParseTime(response.Header.Get("Date"))
			response.Header.Set("Date", date.Add(ahead).Format(http.TimeFormat))
			return err
		},
	})
	server.Config.ErrorLog = silent
	server.StartTLS()
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	skewed := rest.CopyConfig(config)
	skewed.Host = server.URL
	skewed.TLSClientConfig = rest.TLSClientConfig{CAData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})}
	return skewed
}
