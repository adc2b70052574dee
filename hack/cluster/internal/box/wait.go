package box

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"regcred.dev/regcred/hack/cluster/internal/node"
)

// pollInterval is short against the seconds that a start takes.
const pollInterval = 50 * time.Millisecond

// poll tries until it works or the context ends, and then says why it did not work.
func poll(ctx context.Context, try func() error) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-ticker.C:
		}
	}
}

// waitJSON waits for a file that a server writes once it is ready.
func waitJSON(ctx context.Context, path string, into any) error {
	return poll(ctx, func() error { return readJSON(path, into) })
}

func (s *supervisor) waitAPIServer(ctx context.Context) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	if err := poll(ctx, func() error { return s.get(ctx, client, "/readyz", nil) }); err != nil {
		return fmt.Errorf("kube-apiserver is not ready, its log: %s: %w", s.folder.log("kube-apiserver"), err)
	}
	return nil
}

// waitUsable waits until pods can be made (the controller manager has made the default ServiceAccount) and, with a
// node, until they would run.
func (s *supervisor) waitUsable(ctx context.Context) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	const account = "/api/v1/namespaces/default/serviceaccounts/default"
	if err := poll(ctx, func() error { return s.get(ctx, client, account, nil) }); err != nil {
		return fmt.Errorf("kube-controller-manager does not work, its log: %s: %w",
			s.folder.log("kube-controller-manager"), err)
	}
	s.step("kube-controller-manager is ready")
	if !s.spec.Node {
		return nil
	}
	if err := poll(ctx, func() error { return s.nodeReady(ctx, client) }); err != nil {
		return fmt.Errorf("the node is not ready, its logs: %s, %s: %w",
			s.folder.log("kubelet"), s.folder.log("containerd"), err)
	}
	s.step("the node is ready")
	return nil
}

func (s *supervisor) nodeReady(ctx context.Context, client *http.Client) error {
	var object struct {
		Spec struct {
			Taints []struct{ Key string }
		}
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := s.get(ctx, client, "/api/v1/nodes/"+node.Name, &object); err != nil {
		return err
	}
	for _, taint := range object.Spec.Taints {
		return fmt.Errorf("node %s has the taint %s", node.Name, taint.Key)
	}
	for _, condition := range object.Status.Conditions {
		if condition.Type == "Ready" && condition.Status != "True" {
			return fmt.Errorf("node %s: %s", node.Name, condition.Message)
		}
	}
	return nil
}

// client speaks to the API server from within the box's network.
func (s *supervisor) client() (*http.Client, error) {
	ca, err := os.ReadFile(s.folder.pkiFile("ca.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &http.Client{
		Timeout: 5 * time.Second,
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots},
			DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
				return s.network.Dial(ctx, address)
			},
		},
	}, nil
}

// get asks the API server as the administrator and decodes the answer, if there is something to decode it into.
func (s *supervisor) get(ctx context.Context, client *http.Client, path string, into any) error {
	address := "https://" + s.addresses.local(s.addresses.apiServer) + path
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+s.users.admin.token)
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		io.Copy(io.Discard, response.Body)
		return fmt.Errorf("GET %s: %s", path, response.Status)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(into)
}
