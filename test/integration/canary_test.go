package integration

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/box"
	"regcred.dev/regcred/test/collector"
)

// canary is a password that looks different in each form, and that nothing else contains.
const canary = `7Rk"q\x<wQ&+/e=Zp'4v`

// canaryRun is the operator's own program, at the level debug, with everything between it and its servers in the test's hand.
type canaryRun struct {
	*operatorRun
	metrics    string
	manifest   string
	vault, api *echo
	plugin     *plugin
	traces     *collector.Collector
	namespaces []string
	token      string
	seen       strings.Builder // what people and other programs can read
	step       int
}

// TestACanaryPasswordIsFoundNowhere has registry, Vault and API server quote a password in all they answer, in each form, and looks for it
// in logs, events, objects, metrics, traces, what the plugin prints, and the dump of all goroutines.
func TestACanaryPasswordIsFoundNowhere(t *testing.T) {
	t.Parallel()
	r := startCanaryRun(t)
	r.registryQuotes(t)
	r.vaultQuotes(t)
	r.apiServerQuotes(t)
	r.gather(t)
	r.dump(t)
	seen := r.seen.String()
	for what, words := range map[string]string{
		"the log at debug": `"level":"debug"`, "the goroutines": "goroutine 1 ", "metrics": "regcred_build_info", "an event": "reason: ", "a status": "CredentialAvailable", "the plugin": "VALUE AGE",
		"a trace": "regcred.outcome",
	} {
		if !strings.Contains(seen, words) {
			t.Errorf("%s was not looked at", what)
		}
	}
	for what, secret := range map[string]string{"the password": canary, "Vault's token": r.token} {
		if form := leaked(seen, secret); form != "" {
			at := strings.Index(seen, form)
			t.Errorf("%s is shown as %q: ...%s...", what, form, seen[max(0, at-300):min(len(seen), at+300)])
		}
	}
}

func startCanaryRun(t *testing.T) *canaryRun {
	t.Helper()
	r := &canaryRun{operatorRun: startOperatorRun(t), metrics: freeAddress(t)}
	var secret corev1.Secret
	vaultMust(t, r.admin.Get(t.Context(), client.ObjectKey{Namespace: operatorNamespace, Name: "vault-token"}, &secret))
	r.token = string(secret.Data["token"])
	r.vault = startEcho(t, r.operatorRun.vault.Address, http.DefaultTransport, httptest.NewServer)
	r.changeAddress(t, r.vault.URL)
	r.api = r.throughEcho(t)
	r.plugin = pluginOf(t, r.installation)
	r.namespaces = r.makeNamespaces(t, 2)
	r.rotate(t, canary)
	r.traces = collector.Start(t)
	r.flags = []string{"--log-level=debug", "--metrics-bind-address=" + r.metrics, "--metrics-insecure", "--otlp-endpoint=" + r.traces.URL}
	r.env = []string{"OTEL_BSP_SCHEDULE_DELAY=100"}
	r.start(t)
	r.applyCredential(t)
	object := r.credential(t)
	object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("RegistryCredential"))
	manifest, err := json.Marshal(object)
	vaultMust(t, err)
	r.manifest = writeManifest(t, string(manifest))
	awaitAPI(t, "the password is delivered", func() error { return r.allHold(t.Context(), r.namespaces, canary) })
	return r
}

// quotedForms is a text that holds the password in each form in which a server could quote it.
func quotedForms(user string) string {
	quoted, _ := json.Marshal(canary) // a string always marshals
	return fmt.Sprintf("the login %s:%s (%s, %s, %s, Basic %s) is wrong", user, canary, quoted, url.QueryEscape(canary), url.PathEscape(canary),
		base64.StdEncoding.EncodeToString([]byte(user+":"+canary)))
}

// registryQuotes has the registry answer each test of a new value with the password.
func (r *canaryRun) registryQuotes(t *testing.T) {
	t.Helper()
	for _, fault := range []box.Fault{
		{Status: http.StatusUnauthorized}, {Status: http.StatusForbidden}, {Status: http.StatusBadRequest},
		{RedirectTo: "http://" + url.UserPassword("robot", canary).String() + "@127.0.0.1:1/" + url.PathEscape(canary)}, {Garbage: true},
		{Status: http.StatusInternalServerError}, {Status: http.StatusTooManyRequests, RetryAfter: canary},
	} {
		r.step++
		user := fmt.Sprintf("robot-%d", r.step)
		fault.User = user
		if fault.Status != 0 {
			fault.Body, fault.ContentType = fmt.Sprintf(`{"errors":[{"code":"DENIED","message":%q,"detail":%q}]}`, quotedForms(user), quotedForms(user)), "application/json"
		}
		r.setFaults(t, fault)
		r.setVaultAs(t, user, canary)
		r.requestRefresh(t, fmt.Sprint("step-", r.step))
		awaitWithin(t, 45*time.Second, func(ctx context.Context) error {
			requests, err := r.registry.Requests(ctx, 0)
			for _, request := range requests.Requests {
				if request.User == user && request.Fault {
					return err
				}
			}
			return errors.Join(err, fmt.Errorf("the registry did not quote the password of %s yet", user))
		})
	}
	r.gather(t)
	r.setFaults(t)
}

// vaultQuotes has Vault answer reads with the token and the password, and with values of a wrong form.
func (r *canaryRun) vaultQuotes(t *testing.T) {
	t.Helper()
	refusal := func(token string) string {
		return fmt.Sprintf(`{"errors":[%q,%q]}`, "token "+token+" must not read", quotedForms("robot"))
	}
	wrapped := func(data string) func(string) string {
		return func(string) string { return `{"data":{"data":` + data + `,"metadata":{"version":9}}}` }
	}
	quoted, _ := json.Marshal(canary) // a string always marshals
	for _, c := range []struct {
		status int
		body   func(token string) string
	}{
		{http.StatusForbidden, refusal}, {http.StatusBadRequest, refusal}, {http.StatusInternalServerError, refusal}, {http.StatusTooManyRequests, refusal},
		{http.StatusOK, func(token string) string { return "{" + token + canary }},
		{http.StatusOK, wrapped(`{"username":"robot","secret":` + string(quoted) + `}`)},
		{http.StatusOK, wrapped(`{"username":"robot","password":[` + string(quoted) + `]}`)},
		{http.StatusOK, wrapped(`{` + string(quoted) + `:"robot","password":""}`)},
		{http.StatusOK, wrapped(`{"username":` + string(quoted) + `,"password":"a\nb` + inner(string(quoted)) + `"}`)},
	} {
		r.vault.quote(quotingVault(c.status, c.body))
		before := r.vault.echoed.Load()
		r.connectAgain(t)
		awaitWithin(t, 45*time.Second, func(context.Context) error {
			if r.vault.echoed.Load() == before {
				return errors.New("vault was not asked yet")
			}
			return nil
		})
		awaitWithin(t, 45*time.Second, func(ctx context.Context) error {
			if err := r.condition(v1alpha1.ConditionCredentialAvailable, metav1.ConditionTrue, v1alpha1.ReasonRead)(ctx); err == nil {
				return errors.New("the status says that the source gives a usable credential")
			}
			return nil
		})
	}
	r.gather(t)
	r.vault.quote(nil)
	r.connectAgain(t)
}

// connectAgain has the source read now, whatever waits its answers before asked for: a connection that is changed knows nothing of them.
func (r *canaryRun) connectAgain(t *testing.T) {
	t.Helper()
	r.step++
	r.changeConnection(t, func(spec *v1alpha1.VaultConnectionSpec) { spec.TimeoutSeconds = ptr.To(int32(10 + r.step)) })
}

// apiServerQuotes has the API server refuse writes of Secrets: of the record, and of the pull Secrets.
func (r *canaryRun) apiServerQuotes(t *testing.T) {
	t.Helper()
	for i, namespace := range []string{operatorNamespace, "team-"} {
		for _, status := range []int{http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusInternalServerError} {
			r.api.quote(refusedWrites(status, namespace))
			before := r.api.echoed.Load()
			r.step++
			user := fmt.Sprintf("robot-%d", r.step)
			vaultMust(t, r.registry.SetUser(t.Context(), box.User{Name: user, Password: canary, Pull: []string{""}}))
			r.setVaultAs(t, user, canary)
			r.requestRefresh(t, fmt.Sprint("step-", r.step))
			awaitWithin(t, 40*time.Second, func(context.Context) error {
				if r.api.echoed.Load() == before {
					return fmt.Errorf("no write of a Secret was refused in place %d with %d", i, status)
				}
				return nil
			})
		}
		r.gather(t)
		r.api.quote(nil)
	}
}

// gather adds what can be read now.
func (r *canaryRun) gather(t *testing.T) {
	t.Helper()
	for _, arguments := range [][]string{{"status"}, {"status", "-o", "json"}, {"doctor"}, {"plan", "-f", r.manifest}, {"verify", "company"}, {"audit"}} {
		out, complaint, _ := r.plugin.says(t, arguments...)
		r.seen.WriteString(out + complaint)
	}
	response, err := http.Get("http://" + r.metrics + "/metrics") //nolint:noctx // ends with the operator
	vaultMust(t, err)
	defer response.Body.Close()
	metrics, err := io.ReadAll(response.Body)
	vaultMust(t, err)
	r.seen.Write(metrics)
	r.seen.WriteString(r.traces.Raw())
	var secrets corev1.SecretList
	vaultMust(t, r.admin.List(t.Context(), &secrets))
	for i := range secrets.Items { // the password is there, and nowhere else
		secrets.Items[i].Data = nil
	}
	for _, list := range []client.ObjectList{&v1alpha1.RegistryCredentialList{}, &v1alpha1.VaultConnectionList{}, &corev1.EventList{}, &eventsv1.EventList{},
		&corev1.ConfigMapList{}, &corev1.ServiceAccountList{}, &corev1.NamespaceList{}} {
		vaultMust(t, r.admin.List(t.Context(), list))
		r.show(t, list)
	}
	r.show(t, &secrets)
}

// show adds an object as JSON and as Go prints it, with quotes as they are.
func (r *canaryRun) show(t *testing.T, object any) {
	t.Helper()
	data, err := json.Marshal(object)
	vaultMust(t, err)
	r.seen.Write(data)
	fmt.Fprintf(&r.seen, "%+v", object)
	if events, is := object.(*corev1.EventList); is {
		for _, event := range events.Items {
			fmt.Fprintf(&r.seen, "reason: %s, %s\n", event.Reason, event.Message)
		}
	}
}

// dump ends the operator as a person does who wants to know why it stands still: with a dump of all goroutines. Then it adds the log.
func (r *canaryRun) dump(t *testing.T) {
	t.Helper()
	vaultMust(t, r.process.Process.Signal(syscall.SIGQUIT))
	_ = r.ended() // it was ended by a signal: its error says so
	r.process = nil
	log, err := os.ReadFile(r.logs)
	vaultMust(t, err)
	r.seen.Write(log)
}
