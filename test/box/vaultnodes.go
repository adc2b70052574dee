package box

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/vault/api"
)

// Seal seals the active node. With a standby, that one takes over.
func (v *Vault) Seal(ctx context.Context) error {
	active, err := v.activeNode(ctx)
	if err != nil {
		return err
	}
	return active.Sys().SealWithContext(ctx)
}

// Unseal unseals every node that is sealed, and waits until Vault answers.
func (v *Vault) Unseal(ctx context.Context) error {
	nodes, err := v.nodes()
	if err != nil {
		return err
	}
	for _, node := range nodes {
		status, err := node.Sys().SealStatusWithContext(ctx)
		if err != nil {
			return err
		}
		if !status.Sealed {
			continue
		}
		if _, err := node.Sys().UnsealWithContext(ctx, v.UnsealKey); err != nil {
			return err
		}
	}
	return v.waitForActive(ctx, "")
}

// StepDown makes the active node give up, and waits until the other one is active. It needs a standby.
func (v *Vault) StepDown(ctx context.Context) error {
	if v.StandbyAddress == "" {
		return errors.New("this Vault has no standby")
	}
	active, err := v.activeNode(ctx)
	if err != nil {
		return err
	}
	if err := active.Sys().StepDownWithContext(ctx); err != nil {
		return err
	}
	return v.waitForActive(ctx, active.Address())
}

// ActiveAddress is the URL of the node that is active now.
func (v *Vault) ActiveAddress(ctx context.Context) (string, error) {
	active, err := v.activeNode(ctx)
	if err != nil {
		return "", err
	}
	return active.Address(), nil
}

func (v *Vault) nodes() ([]*api.Client, error) {
	if v.StandbyAddress == "" {
		return []*api.Client{v.client}, nil
	}
	second, err := v.newClient(v.StandbyAddress, v.Token, &tls.Config{MinVersion: tls.VersionTLS12})
	return []*api.Client{v.client, second}, err
}

func (v *Vault) activeNode(ctx context.Context) (*api.Client, error) {
	nodes, err := v.nodes()
	if err != nil {
		return nil, err
	}
	for _, node := range nodes {
		// A node is active when it is neither sealed nor a standby; without HA there is no leader to ask for.
		health, err := node.Sys().HealthWithContext(ctx)
		if err != nil {
			return nil, err
		}
		if health.Initialized && !health.Sealed && !health.Standby {
			return node, nil
		}
	}
	return nil, errNoActiveNode
}

var errNoActiveNode = errors.New("no node of this Vault is active")

// waitForActive waits for an active node whose address is not the given one.
func (v *Vault) waitForActive(ctx context.Context, not string) error {
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		active, err := v.activeNode(ctx)
		if err == nil && active.Address() != not {
			return nil
		}
		if err != nil && !errors.Is(err, errNoActiveNode) {
			return err
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for an active Vault node: %w", context.Cause(ctx))
		}
	}
}
