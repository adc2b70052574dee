package server

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/vault/helper/namespace"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/vault"
)

// setUp initialises the storage, makes the root token, mounts secret/ as KV version 2, and returns the unseal key in
// hex. It leaves the standby as a standby, or everything sealed where that was asked for.
func (c *cluster) setUp(o options) (string, error) {
	ctx := namespace.RootContext(context.Background())
	core := c.active.core
	result, err := core.Initialize(ctx, &vault.InitParams{
		BarrierConfig: &vault.SealConfig{SecretShares: 1, SecretThreshold: 1},
	})
	if err != nil {
		return "", fmt.Errorf("initialising: %w", err)
	}
	key := result.SecretShares[0]
	if err := unseal(core, key); err != nil {
		return "", err
	}
	if err := waitUntilActive(core); err != nil {
		return "", err
	}
	if err := makeRootToken(ctx, core, result.RootToken, o.rootToken); err != nil {
		return "", fmt.Errorf("making the root token: %w", err)
	}
	kv2 := map[string]any{"type": "kv", "options": map[string]string{"version": "2"}}
	if err := write(ctx, core, o.rootToken, "sys/mounts/secret", kv2); err != nil {
		return "", fmt.Errorf("mounting secret/: %w", err)
	}
	if o.leaveSealed {
		return hex.EncodeToString(key), core.Seal(o.rootToken)
	}
	if c.standby != nil {
		err = unseal(c.standby.core, key)
	}
	return hex.EncodeToString(key), err
}

func unseal(core *vault.Core, key []byte) error {
	// Unseal zeroes the key that it is given.
	unsealed, err := core.Unseal(append([]byte(nil), key...))
	if err != nil {
		return fmt.Errorf("unsealing: %w", err)
	}
	if !unsealed {
		return errors.New("unsealing: the core is still sealed after its only key share")
	}
	return nil
}

// waitUntilActive waits for the HA lock and the setup that follows it. A single node is active at once.
func waitUntilActive(core *vault.Core) error {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if standby, err := core.Standby(); err == nil && !standby {
			return nil
		}
	}
	return errors.New("no active node after 10 s")
}

// makeRootToken replaces the random root token of the initialisation by the wanted one.
func makeRootToken(ctx context.Context, core *vault.Core, initial, wanted string) error {
	token := map[string]any{
		"id": wanted, "policies": []string{"root"}, "no_parent": true, "no_default_policy": true,
	}
	if err := write(ctx, core, initial, "auth/token/create", token); err != nil {
		return err
	}
	return write(ctx, core, initial, "auth/token/revoke-self", nil)
}

func write(ctx context.Context, core *vault.Core, token, path string, data map[string]any) error {
	response, err := core.HandleRequest(ctx, &logical.Request{
		Operation: logical.UpdateOperation, ClientToken: token, Path: path, Data: data,
	})
	if err != nil {
		return err
	}
	if response.IsError() {
		return response.Error()
	}
	return nil
}
