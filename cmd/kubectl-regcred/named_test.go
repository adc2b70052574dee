package main

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

// The API server checks neither the names in a list of pull secrets nor those of owners, and a client refuses to ask for some of them.
func TestAPodThatNamesWhatCannotExistKeepsNobodyFromAnAnswer(t *testing.T) {
	for name, impossible := range map[string]string{"nothing": "", "a path": "a/b", "the folder above": "..", "a part of an address": "a%2fb", "a megabyte": strings.Repeat("x", 1<<20)} {
		for _, namespaces := range []int{2, 2 * fewNamespaces} { // each read by itself, and all by lists
			t.Run(fmt.Sprint(name, " in ", namespaces, " namespaces"), func(t *testing.T) {
				pods := &corev1.PodList{}
				s := &apiServer{objects: map[string]runtime.Object{"/api/v1/pods": pods, "/apis/regcred.dev/v1alpha1/registrycredentials": &v1alpha1.RegistryCredentialList{}}}
				list := &corev1.NamespaceList{}
				for i := range namespaces {
					pod := facts().Pod
					pod.Namespace = fmt.Sprint("team-", i)
					if i == 0 {
						pod.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: impossible}}
						pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: impossible, UID: "1", Controller: ptr.To(true)}}
					}
					pods.Items = append(pods.Items, *pod)
					namespace := corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: pod.Namespace}}
					list.Items = append(list.Items, namespace)
					s.objects["/api/v1/namespaces/"+pod.Namespace] = &namespace
				}
				s.objects["/api/v1/namespaces"] = list
				s.objects["/api/v1/serviceaccounts"], s.objects["/api/v1/secrets"] = &corev1.ServiceAccountList{}, &corev1.SecretList{}
				c, err := s.start(t).client()
				if err != nil {
					t.Fatal(err)
				}
				r, err := (&look{reader: c, now: atNoon}).stuck(t.Context(), "")
				if err != nil || len(r.Pods) != namespaces {
					t.Fatalf("%.500v: it explains %d of %d pods", err, len(r.Pods), namespaces)
				}
			})
		}
	}
}

func TestWhatCannotExistIsNotThere(t *testing.T) {
	c, err := (&apiServer{}).start(t).client()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "a/b", ".", strings.Repeat("x", maxName+1)} {
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: name}, &corev1.Secret{}); !apierrors.IsNotFound(err) {
			t.Errorf("%.20q: %v", name, err)
		}
	}
}

// One pod can list as many pull secrets as an object has room for, and its people are not asked for each of them.
func TestAPodThatNamesThousandsOfSecretsIsNotLookedUpForAllOfThem(t *testing.T) {
	pod := facts().Pod
	for i := range 5000 {
		pod.Spec.ImagePullSecrets = append(pod.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: fmt.Sprint("pull-", i)})
	}
	s := &apiServer{objects: map[string]runtime.Object{"/api/v1/namespaces/prod/pods/web-1": pod, "/apis/regcred.dev/v1alpha1/registrycredentials": &v1alpha1.RegistryCredentialList{},
		"/api/v1/namespaces/prod": &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "prod"}}}}
	c, err := s.start(t).client()
	if err != nil {
		t.Fatal(err)
	}
	r, err := (&look{reader: c, now: atNoon}).pod(t.Context(), "prod", "web-1")
	if err != nil || len(r.Pods) != 1 || r.Pods[0].Reason != "TooLarge" {
		t.Fatalf("%v: %+v", err, r)
	}
	if len(s.asked) > 100 {
		t.Errorf("it asks %d times", len(s.asked))
	}
}

func TestThePeopleOfOneNamespaceDoNotChooseWhichSecretsAreListed(t *testing.T) {
	var pods []corev1.Pod
	for i := range 20 {
		pod := facts().Pod
		pod.Namespace = fmt.Sprint("team-", i)
		if i == 0 {
			pod.Spec.ImagePullSecrets = nil
			for n := range secretNamesListed {
				pod.Spec.ImagePullSecrets = append(pod.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: fmt.Sprint("0-", n)}, corev1.LocalObjectReference{Name: fmt.Sprint("0-", n)})
			}
		}
		pods = append(pods, *pod)
	}
	l := &look{credentials: []v1alpha1.RegistryCredential{{Spec: v1alpha1.RegistryCredentialSpec{Target: v1alpha1.Target{SecretName: "written"}}}}}
	if names := l.mostNeeded(pods, 20)[:4]; strings.Join(names, " ") != "regcred written theirs 0-0" {
		t.Errorf("listed first are %q", names)
	}
}
