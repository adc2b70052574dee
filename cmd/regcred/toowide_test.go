package main

import (
	"context"
	"slices"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/test/inmemory"
)

// Nothing but RBAC keeps a stolen token from reading or deleting Secrets of any name: each right that the role has without a name is told.
func TestEachRightToSecretsOfAnyNameIsFound(t *testing.T) {
	for _, resource := range []string{"secrets", "serviceaccounts"} {
		for _, verb := range []string{"get", "list", "watch", "create", "update", "patch", "delete"} {
			p := parted()
			p.Clientset = granting(func(asked authorizationv1.ResourceAttributes) (bool, error) {
				return asked == authorizationv1.ResourceAttributes{Verb: verb, Resource: resource}, nil
			})
			want := "the role grants " + resource + " of any name (" + verb + "), and the limits list names"
			if found, err := p.tooWide(t.Context()); err != nil || found != want {
				t.Errorf("%s of any %s: %q, %v", verb, resource, found, err)
			}
			p.options.secretNames, p.options.serviceAccountNames = []string{"*"}, []string{"*"}
			if found, err := p.tooWide(t.Context()); err != nil || found != "" {
				t.Errorf("the limits list no names, and %s of any %s is too much: %q, %v", verb, resource, found, err)
			}
		}
	}
}

// What the shipped role allows in the operator's namespace alone is asked for there: anywhere else RBAC refuses, whatever policies there are.
func TestPoliciesAreAskedForWhereTheRoleWouldAllowIt(t *testing.T) {
	p := parted()
	var asked []string
	note := func(ctx context.Context, object client.Object) {
		asked = append(asked, object.GetNamespace()+"/"+object.GetName())
	}
	p.Writer = interceptor.NewClient(inmemory.Cluster().Build(), interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, _ ...client.CreateOption) error {
			note(ctx, o)
			return nil
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, _ client.Patch, _ ...client.PatchOption) error {
			note(ctx, o)
			return nil
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, _ ...client.DeleteOption) error {
			note(ctx, o)
			return nil
		},
	})
	for _, probe := range p.probes() {
		if slices.Contains([]string{"regcred-secrets", "regcred-tokens", "regcred-kinds"}, probe.Policy) { // which ask otherwise
			continue
		}
		if err := probe.Ask(t.Context()); err != nil {
			t.Errorf("%s: %v", probe.Policy, err)
		}
	}
	own := "regcred-system/" + podName()
	probed := "regcred-system/" + probeName
	if want := []string{probed, "default/default", probed, probed, own, own}; !slices.Equal(asked, want) {
		t.Errorf("asked is for %q, want %q", asked, want)
	}
}

func TestNamespacesOfKubernetesAreProtectedWithoutAFlag(t *testing.T) {
	if got := defaults().protectedNamespaces; !slices.Equal(got, []string{"kube-system", "kube-public", "kube-node-lease"}) {
		t.Errorf("%q", got)
	}
}

// Without leader election there is one process: nothing keeps it from writing.
func TestWithoutLeaderElectionAllIsSent(t *testing.T) {
	if !(noFence{}).Open() || (noFence{}).Refused() != 0 {
		t.Error("it is fenced")
	}
}
