package main

import (
	"context"
	"fmt"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"regcred.dev/regcred/internal/named"
)

// lookForRights is how often the operator looks whether it was granted names that it lacked.
const lookForRights = 30 * time.Second

// access says which names of a resource the operator may list and watch in all namespaces, and which it may not.
func access(ctx context.Context, clientset kubernetes.Interface, resource string, names []string) (granted, lacking []string, err error) {
	for _, name := range names {
		attributes := &authorizationv1.ResourceAttributes{Verb: "watch", Resource: resource, Name: name}
		if name == named.Any {
			attributes.Name = ""
		}
		review, err := clientset.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
			Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: attributes},
		}, metav1.CreateOptions{})
		if err != nil {
			return nil, nil, fmt.Errorf("ask the API server for the right to watch %s named %s: %w", resource, name, err)
		}
		if review.Status.Allowed {
			granted = append(granted, name)
		} else {
			lacking = append(lacking, name)
		}
	}
	return granted, lacking, nil
}

// restartWhenGranted stops the operator when it is granted a name that it lacked: its caches are made at the start.
func restartWhenGranted(clientset kubernetes.Interface, resource string, lacking []string, stop context.CancelFunc) manager.Runnable {
	return manager.RunnableFunc(func(ctx context.Context) error {
		ticker := time.NewTicker(lookForRights)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-ticker.C:
			}
			if granted, _, err := access(ctx, clientset, resource, lacking); err == nil && len(granted) > 0 {
				ctrl.Log.Info("The operator was granted names that it lacked, and restarts to use them", "resource", resource, "names", granted)
				stop()
				return nil
			}
		}
	})
}
