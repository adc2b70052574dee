package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/test/box"
	"regcred.dev/regcred/test/scenario"
)

// scrapeEvery is how often metrics are recorded.
const scrapeEvery = time.Second

// recorder scrapes the operator's pods as Prometheus does, and keeps what they say in a folder: hack/monitoring/picture draws the dashboard with it.
type recorder struct {
	*scenario.Scenario
	folder, token string
	http          *http.Client
	// ways are the URLs on this machine by which pods are reached, by their names.
	ways map[string]string
}

// record begins to record, if the environment variable DEMO_METRICS names a folder, until the context ends.
func (d *demo) record(ctx context.Context) error {
	folder := os.Getenv("DEMO_METRICS")
	if folder == "" {
		return nil
	}
	r := &recorder{Scenario: d.Scenario, folder: folder, http: &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the operator makes its certificate itself, and Prometheus is told the same
	}}}
	if err := r.allow(ctx); err != nil {
		return fmt.Errorf("allow to scrape: %w", err)
	}
	if err := r.forward(ctx); err != nil {
		return fmt.Errorf("reach the operator's pods: %w", err)
	}
	go func() {
		ticker := time.NewTicker(scrapeEvery)
		defer ticker.Stop()
		for at := time.Now(); ; {
			if err := r.scrape(ctx, at); err != nil && ctx.Err() == nil {
				fmt.Fprintln(os.Stderr, "demo: record metrics:", err)
			}
			select {
			case <-ctx.Done():
				return
			case at = <-ticker.C:
			}
		}
	}()
	return nil
}

// allow makes a ServiceAccount that may read the metrics, and takes a token of it.
func (r *recorder) allow(ctx context.Context) error {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: scenario.SystemNamespace, Name: "scraper"}}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "regcred-scraper"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "regcred-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: account.Namespace, Name: account.Name}},
	}
	for _, object := range []client.Object{account, binding} {
		if err := r.Client.Create(ctx, object); err != nil {
			return err
		}
	}
	request := &authenticationv1.TokenRequest{}
	if err := r.Client.SubResource("token").Create(ctx, account, request); err != nil {
		return err
	}
	r.token = request.Status.Token
	return nil
}

// forward opens a way to each pod: the network of the pods is not this machine's.
func (r *recorder) forward(ctx context.Context) error {
	assets, err := box.Assets()
	if err != nil {
		return err
	}
	var pods corev1.PodList
	err = r.Client.List(ctx, &pods, client.InNamespace(scenario.SystemNamespace), client.MatchingLabels{"app.kubernetes.io/name": "regcred"})
	if err != nil {
		return err
	}
	r.ways = map[string]string{}
	for _, pod := range pods.Items {
		command := exec.CommandContext(ctx, filepath.Join(assets, "kubectl"), "-n", pod.Namespace, "port-forward", "pod/"+pod.Name, ":8443")
		out, err := command.StdoutPipe()
		if err != nil {
			return err
		}
		if err := command.Start(); err != nil {
			return err
		}
		lines := bufio.NewReader(out)
		first, err := lines.ReadString('\n')
		port := forwarded.FindStringSubmatch(first)
		if port == nil {
			return fmt.Errorf("kubectl port-forward said %q: %w", first, err)
		}
		go io.Copy(io.Discard, lines) //nolint:errcheck // it ends with the command
		r.ways[pod.Name] = "https://127.0.0.1:" + port[1] + "/metrics"
	}
	return nil
}

// forwarded is what kubectl says of the port that it chose.
var forwarded = regexp.MustCompile(`^Forwarding from 127\.0\.0\.1:(\d+) -> `)

// scrape writes what each pod says now into a file that is named after the time and the pod.
func (r *recorder) scrape(ctx context.Context, at time.Time) error {
	var failed error
	for pod, url := range r.ways {
		text, err := r.get(ctx, url)
		if err == nil {
			err = os.WriteFile(filepath.Join(r.folder, fmt.Sprintf("%d_%s.txt", at.UnixMilli(), pod)), text, 0o600)
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

func (r *recorder) get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+r.token)
	answer, err := r.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", url, answer.Status)
	}
	return io.ReadAll(answer.Body)
}
