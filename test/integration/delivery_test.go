package integration

import (
	"context"
	"testing"
)

// TestDelivery runs all that is said of pull Secrets and ServiceAccounts on one API server.
func TestDelivery(t *testing.T) {
	t.Parallel()
	rig := startDeliveryRig(t)
	for _, c := range []struct {
		name string
		run  func(*testing.T, *deliveryRig)
	}{
		{"a namespace is served, and again after a rotation", servedAndRotated},
		{"whose a Secret is", ownership},
		{"what a Secret looks like", wantedForm},
		{"rivals", contestedPlaces},
		{"ServiceAccounts", serviceAccounts},
		{"removal", removal},
		{"published revisions", resumes},
		{"watches that say nothing any more", silentWatches},
		{"isolation", isolation},
		{"what is said", whatIsSaid},
		{"protected namespaces", protectedNamespaces},
		{"uninstall in six orders", uninstalls},
		{"faults at every write", faultsAtEveryWrite},
		{"200 histories from caches that lag", laggingCaches},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, rig) })
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
