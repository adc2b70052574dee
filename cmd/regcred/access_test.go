package main

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"regcred.dev/regcred/test/inmemory"
)

// granting is an API server by whose roles some of what it is asked may be done.
func granting(may func(authorizationv1.ResourceAttributes) (bool, error)) *fake.Clientset {
	clientset := inmemory.Clientset()
	clientset.PrependReactor("create", "selfsubjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview).DeepCopy()
		var err error
		review.Status.Allowed, err = may(*review.Spec.ResourceAttributes)
		return true, review, err
	})
	return clientset
}

// A cache of a name that the role lacks would never be filled, and the operator would not start.
func TestWhichNamesTheRoleGrants(t *testing.T) {
	clientset := granting(func(asked authorizationv1.ResourceAttributes) (bool, error) {
		return asked.Verb == "watch" && asked.Resource == "secrets" && asked.Namespace == "" && slices.Contains([]string{"regcred", ""}, asked.Name), nil
	})
	granted, lacking, err := access(t.Context(), clientset, "secrets", []string{"regcred", "pull", "*"})
	if err != nil || !slices.Equal(granted, []string{"regcred", "*"}) || !slices.Equal(lacking, []string{"pull"}) {
		t.Errorf("granted are %q, and %q are not: %v", granted, lacking, err)
	}
	away := errors.New("away")
	clientset = granting(func(authorizationv1.ResourceAttributes) (bool, error) { return true, away })
	if granted, lacking, err := access(t.Context(), clientset, "secrets", []string{"regcred"}); !errors.Is(err, away) || granted != nil || lacking != nil {
		t.Errorf("granted are %q, and %q are not: %v", granted, lacking, err)
	}
}

func TestTheOperatorRestartsWhenItIsGrantedWhatItLacked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var may atomic.Bool
		var stops atomic.Int32
		clientset := granting(func(authorizationv1.ResourceAttributes) (bool, error) { return may.Load(), nil })
		waiting := restartWhenGranted(clientset, "secrets", []string{"pull"}, func() { stops.Add(1) })
		ended := make(chan error, 1)
		go func() { ended <- waiting.Start(t.Context()) }()
		time.Sleep(lookForRights)
		synctest.Wait()
		if stops.Load() != 0 {
			t.Error("it restarts, and is granted nothing")
		}
		may.Store(true)
		time.Sleep(lookForRights)
		synctest.Wait()
		if stops.Load() != 1 || len(ended) != 1 {
			t.Errorf("it restarts %d times, and looks no more: %t", stops.Load(), len(ended) == 1)
		}
	})
}
