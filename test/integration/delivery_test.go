package integration

import (
	"context"
	"testing"
)

// deliveryPart is something that is said of pull Secrets and ServiceAccounts.
type deliveryPart struct {
	name string
	run  func(*testing.T, *deliveryRig)
}

// TestDelivery runs most of what is said of pull Secrets and ServiceAccounts on one API server. What takes longest has its own, so that nobody
// waits for all of it.
func TestDelivery(t *testing.T) {
	t.Parallel()
	runDelivery(t, []deliveryPart{
		{"a namespace is served, and again after a rotation", servedAndRotated},
		{"whose a Secret is", ownership},
		{"what a Secret looks like", wantedForm},
		{"rivals", contestedPlaces},
		{"ServiceAccounts", serviceAccounts},
		{"attachment", attachments},
		{"removal", removal},
		{"published revisions", resumes},
		{"watches that say nothing any more", silentWatches},
		{"isolation", isolation},
		{"what is said", whatIsSaid},
		{"protected namespaces", protectedNamespaces},
	})
}

func TestDeliveryWithFaults(t *testing.T) {
	t.Parallel()
	runDelivery(t, []deliveryPart{{"faults at every write", faultsAtEveryWrite}})
}

func TestDeliveryInOrders(t *testing.T) {
	t.Parallel()
	runDelivery(t, []deliveryPart{{"uninstall in six orders", uninstalls}, {"200 histories from caches that lag", laggingCaches}})
}

func runDelivery(t *testing.T, parts []deliveryPart) {
	t.Helper()
	rig := startDeliveryRig(t)
	for _, part := range parts {
		t.Run(part.name, func(t *testing.T) { part.run(t, rig) })
	}
}

func servedAndRotated(t *testing.T, rig *deliveryRig) {
	values := &shelf{}
	rig.start(t, runOptions{shelf: values})
	team := rig.team(t, nil)
	values.put("first", "one")
	rig.credential(t, "first", "registry.example", inNamespaces(team))
	eventually(t, "the namespace is served", func(ctx context.Context) error { return rig.served(ctx, team, "registry.example", "one") })
	eventually(t, "the status says so", func(ctx context.Context) error { return rig.ready(ctx, "first") })
	rig.rotate(t, values, "first", "two")
	eventually(t, "the new value is there", func(ctx context.Context) error { return rig.served(ctx, team, "registry.example", "two") })
}
