package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// registryAdmin is the admin API of the box's registry. With no address nothing is called.
type registryAdmin struct {
	Address string
}

func registryAdminOf(ctx context.Context, storage logical.Storage) (registryAdmin, error) {
	admin, err := load[registryAdmin](ctx, storage, "config")
	if err != nil || admin == nil {
		return registryAdmin{}, err
	}
	return *admin, nil
}

func (a registryAdmin) putUser(ctx context.Context, name, password string, pull []string) error {
	body, err := json.Marshal(map[string]any{"password": password, "pull": pull})
	if err != nil {
		return err
	}
	return a.do(ctx, http.MethodPut, name, body)
}

func (a registryAdmin) deleteUser(ctx context.Context, name string) error {
	return a.do(ctx, http.MethodDelete, name, nil)
}

func (a registryAdmin) do(ctx context.Context, method, user string, body []byte) error {
	if a.Address == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, a.Address+"/users/"+url.PathEscape(user), bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("the registry's admin API: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 && !(method == http.MethodDelete && response.StatusCode == http.StatusNotFound) {
		return fmt.Errorf("the registry's admin API: %s /users/%s: %s", method, user, response.Status)
	}
	return nil
}
