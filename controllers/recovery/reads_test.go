package recovery

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/config"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/verify"
	"regcred.dev/regcred/internal/wakeup"
	"regcred.dev/regcred/test/manager"
)

// causeless has the status of the pod hold no cause, as kubelets before 1.32 write it, and its events what is given.
func causeless(t *testing.T, r *Reconciler, events []corev1.Event, err error) {
	t.Helper()
	pod := thePod(t, r.Writer)
	pod.Status.ContainerStatuses[0].State.Waiting = &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: `Back-off pulling image "c-00.example/web:1"`}
	if err := r.Writer.Status().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	r.Writer = interceptor.NewClient(r.Writer.(client.WithWatch), interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			if into, is := list.(*corev1.EventList); is {
				into.Items = events
				return err
			}
			return c.List(ctx, list, options...)
		},
	})
}

func TestTheCauseIsTakenFromEventsWhereTheStatusHoldsNone(t *testing.T) {
	said := []corev1.Event{{Message: `Failed to pull image "c-00.example/web:1": 401 Unauthorized`}}
	away := errors.New("away")
	for _, test := range []struct {
		name    string
		events  []corev1.Event
		answer  error
		deleted int
		fails   bool
	}{
		{"they tell of a refused login", said, nil, 1, false},
		{"they tell nothing", nil, nil, 0, false},
		{"they may not be read", nil, apierrors.NewForbidden(schema.GroupResource{Resource: "events"}, "", nil), 0, false},
		{"nobody answers: what is not known restarts nothing", said, away, 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, seen := cured(t)
			causeless(t, r, test.events, test.answer)
			_, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: looked})
			if len(seen.deleted) != test.deleted || (err != nil) != test.fails || test.fails && !errors.Is(err, away) {
				t.Errorf("%d deletions: %v", len(seen.deleted), err)
			}
		})
	}
}

func TestAPodWhoseNamespaceIsGoneIsLeftAlone(t *testing.T) {
	r, seen := cured(t)
	r.Cluster = unread{r.Cluster, "Namespace", apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, looked.Namespace)}
	if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: looked}); err != nil || len(seen.deleted) > 0 {
		t.Errorf("%d deletions: %v", len(seen.deleted), err)
	}
}

func TestOnlyAProtectedNamespaceIsSaidToBeProtected(t *testing.T) {
	r, _ := cured(t)
	if err := r.Writer.Delete(t.Context(), &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "c-00"}}); err != nil {
		t.Fatal(err)
	}
	for protected, want := range map[string]bool{"kube-system": false, looked.Namespace: true} {
		for _, own := range []bool{false, true} {
			if r.Protected, r.OwnNamespace = []string{protected}, ""; own {
				r.Protected, r.OwnNamespace = nil, protected
			}
			if g, err := r.gather(t.Context(), thePod(t, r.Writer)); err != nil || len(g.Credentials) > 0 || g.Protected != want {
				t.Errorf("where %s is protected (%t: it is the operator's own): %t, with %d RegistryCredentials: %v", protected, own, g.Protected, len(g.Credentials), err)
			}
		}
	}
}

// Each question is a login, and perhaps a wrong one: none is asked whose answer changes nothing.
func TestARegistryIsNotAskedWhereTheVerdictIsKnown(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*corev1.Pod)
		asked  int
	}{
		{"all depends on the answer", func(*corev1.Pod) {}, 1},
		{"another container waits for what no credential cures", func(pod *corev1.Pod) {
			pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "side", Image: "Not/An/Image"})
			pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{Name: "side", State: corev1.ContainerState{
				Waiting: &corev1.ContainerStateWaiting{Reason: "InvalidImageName", Message: "couldn't parse image name"}}})
		}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, seen := cured(t)
			asked := 0
			r.Prober = answers(func(string) verify.Result {
				asked++
				return verify.Result{Reason: verify.PullAllowed}
			})
			pod := thePod(t, r.Writer)
			test.change(pod)
			status := pod.Status
			if err := r.Writer.Update(t.Context(), pod); err != nil {
				t.Fatal(err)
			}
			pod.Status = status
			if err := r.Writer.Status().Update(t.Context(), pod); err != nil {
				t.Fatal(err)
			}
			look(t, r)
			if asked != test.asked || len(seen.deleted) != test.asked {
				t.Errorf("%d questions, %d deletions, told %q", asked, len(seen.deleted), seen.told)
			}
		})
	}
}

// One delivery is no news for the pods of other namespaces, and none for those that were looked at since.
func TestWhereADeliveryIsNews(t *testing.T) {
	r := &Reconciler{Board: delivered.NewBoard(func(string) {})}
	object := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "company"}}
	object.Spec.Target.SecretName = "pull"
	post := func(namespace, secret, revision string) {
		r.Board.Post(delivered.Place{Namespace: namespace, Name: secret}, map[string]delivered.Delivery{"company": {Selected: true, Observed: 1, Version: delivered.Version{Revision: revision}}})
	}
	lacks := func(namespace string) {
		r.Board.Post(delivered.Place{Namespace: namespace, Name: "pull"}, map[string]delivered.Delivery{"company": {Selected: true, Observed: 1,
			Version: delivered.Version{Revision: "2"}, Reason: v1alpha1.ReasonServiceAccountNotFound, ServiceAccounts: true}})
	}
	news := func() string {
		test, where := r.whereNews(), ""
		for _, namespace := range []string{"a", "a", "b"} { // a has two pods
			where += fmt.Sprint(test(object, namespace), " ")
		}
		return where
	}
	post("a", "pull", "1")
	post("b", "pull", "1")
	for _, step := range []struct {
		name string
		do   func()
		want string
	}{
		{"at first", func() {}, "true true true "},
		{"nothing changed", func() {}, "false false false "},
		{"one has a new value", func() { post("a", "pull", "2") }, "true true false "},
		{"it was looked at since", func() {}, "false false false "},
		{"a Secret of another name changed", func() { post("b", "other", "3") }, "false false false "},
		{"the other has it, too", func() { post("b", "pull", "2") }, "false false true "},
		{"no ServiceAccount of one names it any more", func() { lacks("a") }, "true true false "},
		{"it does again", func() { post("a", "pull", "2") }, "true true false "},
	} {
		step.do()
		if got := news(); got != step.want {
			t.Errorf("%s: %s", step.name, got)
		}
	}
}

// pods are a list of pods in pages of one.
type pods struct {
	items []corev1.Pod
	asked []metav1.ListOptions
}

func (p *pods) ListWithContext(_ context.Context, options metav1.ListOptions) (runtime.Object, error) {
	p.asked = append(p.asked, options)
	at := len(options.Continue)
	list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: fmt.Sprint(7 + at)}, Items: p.items[at : at+1]}
	if at+1 < len(p.items) {
		list.Continue = strings.Repeat("x", at+1)
	}
	return list, nil
}

func (p *pods) WatchWithContext(context.Context, metav1.ListOptions) (watch.Interface, error) {
	return nil, errors.New("no watch")
}

// A namespace's people decide how large their pods are: nothing of a page stays in memory that no diagnosis needs.
func TestOfEachPageOfPodsOnlyWhatADiagnosisNeedsIsKept(t *testing.T) {
	whole := everything()
	p := &pods{items: []corev1.Pod{*whole, *whole.DeepCopy(), *whole.DeepCopy()}}
	read, err := pagedPods{ListerWatcherWithContext: p}.List(metav1.ListOptions{ResourceVersion: "0", ResourceVersionMatch: "NotOlderThan"})
	if err != nil {
		t.Fatal(err)
	}
	list := read.(*corev1.PodList)
	if len(list.Items) != 3 || list.ResourceVersion != "7" || list.Continue != "" {
		t.Errorf("%d pods of version %q, then %q", len(list.Items), list.ResourceVersion, list.Continue)
	}
	for _, pod := range list.Items {
		if len(pod.ManagedFields) > 0 || pod.Annotations["other"] != "" || len(pod.Spec.InitContainers[0].Env) > 0 || pod.Name != whole.Name {
			t.Errorf("more is kept: %+v", pod.ObjectMeta)
		}
	}
	for _, options := range p.asked {
		if options.Limit != page || options.ResourceVersion != "" || options.ResourceVersionMatch != "" {
			t.Errorf("it is asked for with %+v, which has the API server send everything at once", options)
		}
	}
}

func TestThatRepullIsMissingIsToldWhereTheRegistryCredentialIs(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer error
		fails  bool
	}{
		{"it is gone: nobody is told", apierrors.NewNotFound(schema.GroupResource{Resource: "registrycredentials"}, "c-00"), false},
		{"it cannot be read: it is told later", errors.New("away"), true},
	} {
		r, seen := cured(t)
		r.Cluster = unread{r.Cluster, "RegistryCredential", test.answer}
		err := r.tellOfRepull(t.Context(), diagnosis.Verdict{Findings: []diagnosis.Finding{{Credential: "c-00"}}}, errors.New("forbidden"))
		if (err != nil) != test.fails || len(seen.told) > 0 {
			t.Errorf("%s: told %q, %v", test.name, seen.told, err)
		}
	}
	r, seen := cured(t)
	both := []diagnosis.Finding{{Credential: "gone", Action: diagnosis.Repull}, {Credential: "c-00", Action: diagnosis.Repull}}
	if err := r.tellOfRepull(t.Context(), diagnosis.Verdict{Findings: both}, errors.New("forbidden")); err != nil || len(seen.told) != 1 {
		t.Errorf("of two of which one is gone the other is told: %q, %v", seen.told, err)
	}
}

// Nothing watches pods that run: one that cannot be read now must not be forgotten.
func TestAPodInPhaseRunningThatCannotBeReadIsNotForgotten(t *testing.T) {
	away, key := errors.New("away"), client.ObjectKey{Namespace: looked.Namespace, Name: "runner"}
	for _, answer := range []error{away, apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, key.Name)} {
		r, _ := cured(t)
		r.runners.add(key)
		r.Writer = interceptor.NewClient(r.Writer.(client.WithWatch), interceptor.Funcs{
			Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
				return answer
			},
		})
		_, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: key})
		if fails := errors.Is(answer, away); (err != nil) != fails || r.runners.knows(key) != fails {
			t.Errorf("%v: %v, and it is known is %t", answer, err, r.runners.knows(key))
		}
	}
}

func TestALoginWithWhichSomebodyAsksIsNotForgotten(t *testing.T) {
	l := newLogin()
	if _, known, wait := l.begin("n", start); known || wait > 0 {
		t.Fatal(known, wait)
	}
	if l.idle(start.Add(time.Hour)) {
		t.Error("the answer is still to come, and the login is forgotten")
	}
	if l.end("n", false, verify.PullAllowed, &answer{}); !l.idle(start.Add(time.Hour)) {
		t.Error("nobody asks, and it is not forgotten")
	}
}

// unlisted are names of which no caches are given.
type unlisted struct {
	everyName
	err error
}

func (u unlisted) Each(func(cache.Cache) error) error { return u.err }

// strict is a manager that takes no two controllers of one name.
type strict struct{ ctrl.Manager }

func (strict) GetControllerOptions() config.Controller { return config.Controller{} }

func TestAControllerThatCannotBeMadeIsAnError(t *testing.T) {
	away := errors.New("away")
	setup := func(within func(ctrl.Manager) ctrl.Manager, change func(*Reconciler)) error {
		r := stuckCluster(t, 1, 1)
		mgr := manager.New(t, r.Writer.(client.WithWatch))
		r.Pods = started{mgr.GetCache()}
		change(r)
		return r.SetupWithManager(within(mgr), &wakeup.Notifier{}, &wakeup.Notifier{})
	}
	plain := func(mgr ctrl.Manager) ctrl.Manager { return mgr }
	if err := setup(plain, func(*Reconciler) {}); err != nil {
		t.Fatal(err)
	}
	if err := setup(plain, func(r *Reconciler) { r.Secrets = unlisted{r.Secrets.(everyName), away} }); !errors.Is(err, away) {
		t.Errorf("without Secrets: %v", err)
	}
	if err := setup(plain, func(r *Reconciler) { r.ServiceAccounts = unlisted{r.ServiceAccounts.(everyName), away} }); !errors.Is(err, away) {
		t.Errorf("without ServiceAccounts: %v", err)
	}
	var err error
	for range 2 {
		err = setup(func(mgr ctrl.Manager) ctrl.Manager { return strict{mgr} }, func(*Reconciler) {})
	}
	if err == nil || !strings.Contains(err.Error(), "recovery already exists") {
		t.Errorf("a second one of the name: %v", err)
	}
}
