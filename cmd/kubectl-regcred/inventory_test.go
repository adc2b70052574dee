package main

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/adoption"
	"regcred.dev/regcred/internal/podlist"
	"regcred.dev/regcred/internal/preview"
	"regcred.dev/regcred/test/inmemory"
)

// expired is the answer of an API server that no longer knows how things were when a list began. next is where it would go on with it.
func expired(next string) error {
	err := apierrors.NewResourceExpired("The provided continue parameter is too old")
	err.ErrStatus.ListMeta.Continue = next
	return err
}

// slow is an API server that gives one object in each page, and has forgotten the first state by the second.
func slow(objects ...client.Object) (client.WithWatch, *[]string) {
	var asked []string
	return inmemory.ClusterOf(scheme).WithInterceptorFuncs(interceptor.Funcs{List: func(_ context.Context, _ client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
		o := (&client.ListOptions{}).ApplyOptions(options)
		asked = append(asked, o.Continue)
		if o.Continue == "1" {
			return expired("now 1")
		}
		at := 0
		fmt.Sscanf(o.Continue, "now %d", &at)
		switch l := list.(type) {
		case *corev1.PodList:
			l.Items = []corev1.Pod{*objects[at].(*corev1.Pod)}
		case *corev1.NamespaceList:
			l.Items = []corev1.Namespace{*objects[at].(*corev1.Namespace)}
		}
		switch {
		case at+1 == len(objects):
		case at == 0:
			list.SetContinue("1")
		default:
			list.SetContinue(fmt.Sprintf("now %d", at+1))
		}
		return nil
	}}).Build(), &asked
}

func TestAListThatTakesLongerThanTheAPIServerRemembersIsReadToItsEnd(t *testing.T) {
	names := []string{"a", "b", "c"}
	var namespaces, pods []client.Object
	for _, name := range names {
		namespaces = append(namespaces, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": "yes"}}})
		pods = append(pods, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Status: facts().Pod.Status})
	}
	for _, test := range []struct {
		name    string
		objects []client.Object
		read    func(client.WithWatch) ([]string, error)
	}{
		{"whatever is listed", namespaces, func(c client.WithWatch) (found []string, err error) {
			err = each(t.Context(), c, &corev1.NamespaceList{}, 1, func(o client.Object) { found = append(found, o.GetName()) })
			return found, err
		}},
		{"pods that cannot pull", pods, func(c client.WithWatch) (found []string, err error) {
			stuck, err := (&look{reader: c}).stuckPods(t.Context(), "")
			for i := range stuck {
				found = append(found, stuck[i].Name)
			}
			return found, err
		}},
		{"namespaces that a plan concerns", namespaces, func(c client.WithWatch) (found []string, err error) {
			object := &v1alpha1.RegistryCredential{Spec: v1alpha1.RegistryCredentialSpec{Target: v1alpha1.Target{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "yes"}}}}}
			selectors, err := preview.SelectorsOf(nil, object, preview.Limits{})
			if err != nil {
				return nil, err
			}
			concerned, err := (&look{reader: c}).concerned(t.Context(), object, selectors)
			for _, n := range concerned {
				found = append(found, n.Name)
			}
			return found, err
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, asked := slow(test.objects...)
			found, err := test.read(c)
			if diff := cmp.Diff(names, found); err != nil || diff != "" {
				t.Errorf("%v; it is read in %q: %s", err, *asked, diff)
			}
		})
	}
}

func TestAListThatCannotGoOnFails(t *testing.T) {
	for _, test := range []struct {
		name, next string
		asked      int
	}{
		{"the API server does not say where it would go on", "", 2},
		{"it would go on where it already is", "1", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			asked := []string{}
			c := inmemory.ClusterOf(scheme).WithInterceptorFuncs(interceptor.Funcs{List: func(_ context.Context, _ client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
				o := (&client.ListOptions{}).ApplyOptions(options)
				if asked = append(asked, o.Continue); o.Continue != "" {
					return expired(test.next)
				}
				list.SetContinue("1")
				return nil
			}}).Build()
			err := each(t.Context(), c, &corev1.NamespaceList{}, 1, func(client.Object) {})
			if !apierrors.IsResourceExpired(err) || len(asked) != test.asked || !slices.Equal(asked, []string{"", "1"}) {
				t.Errorf("%v after %q", err, asked)
			}
		})
	}
}

// What was not looked at counts as not there, unless that is said.
func TestAListOfPodsThatIsCutShortIsSaidToBe(t *testing.T) {
	pods := []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}, {ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "last"}}}
	objects := append(handMade("shop"), &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "x"}})
	for name, look := range map[string]func(r *recorded, pods *podlist.Lister, namespace string) []string{
		"audit": func(r *recorded, pods *podlist.Lister, namespace string) []string {
			s := &survey{reader: r.client(objects...), pods: pods, namespace: namespace, now: atNoon}
			if _, err := s.facts(t.Context()); err != nil {
				t.Error(err)
			}
			return s.sorted()
		},
		"adopt": func(r *recorded, pods *podlist.Lister, namespace string) []string {
			finder, err := adoption.New("registry.example.com")
			if err != nil {
				t.Fatal(err)
			}
			h := &hunt{reader: r.client(objects...), pods: pods, finder: finder, namespace: namespace}
			if err := h.run(t.Context(), ""); err != nil {
				t.Error(err)
			}
			return h.sorted()
		},
		"verify": func(r *recorded, pods *podlist.Lister, namespace string) []string {
			u := &usage{reader: r.client(objects...), pods: pods, namespace: namespace, limit: 5}
			if _, err := u.images(t.Context(), &v1alpha1.RegistryCredential{}, func(string) bool { return true }); err != nil {
				t.Error(err)
			}
			return u.sorted()
		},
	} {
		for namespace, note := range map[string]string{"": "There are more pods than are looked at: name a namespace with -n.", "shop": "There are more pods in namespace shop than are looked at."} {
			for _, bytes := range []int64{50, 1 << 20} {
				var r recorded
				lister := r.podServer(t, pods)
				lister.Bytes = bytes
				if notes := look(&r, lister, namespace); slices.Contains(notes, note) != (bytes == 50) {
					t.Errorf("%s in namespace %q with %d bytes notes %q", name, namespace, bytes, notes)
				}
			}
		}
	}
}
