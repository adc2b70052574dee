package main

import (
	"context"
	"fmt"
	"io"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/scenario"
)

const (
	shops         = 12
	refreshPeriod = 5
)

// demo is one performance. Its acts come in the order in which main calls them.
type demo struct {
	*scenario.Scenario
	out        io.Writer
	begun      time.Time
	namespaces []string
	times      []measured
}

// measured is how long one rotation took, from the change in Vault or the RegistryCredential on.
type measured struct {
	what                    string
	visible, fresh, running time.Duration
}

func (d *demo) say(format string, values ...any) {
	fmt.Fprintf(d.out, "%7.1fs  %s\n", time.Since(d.begun).Seconds(), fmt.Sprintf(format, values...))
}

// prepare makes the world of old: namespaces with a Secret that somebody made by hand, and applications that run.
func (d *demo) prepare(ctx context.Context) error {
	d.say("A cluster of one real node, a real Vault, a private registry at %s", d.Registry)
	if err := d.SetRegistryPassword(ctx, "password-of-spring"); err != nil {
		return err
	}
	image, err := d.PushApp(ctx, "v1")
	if err != nil {
		return err
	}
	for i := range shops {
		namespace := fmt.Sprintf("shop-%02d", i+1)
		if err := d.openShop(ctx, namespace, image, i%2 == 0); err != nil {
			return fmt.Errorf("namespace %s: %w", namespace, err)
		}
		d.namespaces = append(d.namespaces, namespace)
	}
	if err := scenario.Await(ctx, 3*time.Minute, d.Running("web", image, d.namespaces...)); err != nil {
		return err
	}
	d.say("%d namespaces hold a hand-made Secret %s; an application runs in each", shops, scenario.OldSecret)
	return nil
}

// openShop makes a namespace whose pods name the Secret in their spec, or get it through their ServiceAccount.
func (d *demo) openShop(ctx context.Context, namespace, image string, inSpec bool) error {
	if err := d.CreateNamespace(ctx, namespace, map[string]string{"team": "shop"}); err != nil {
		return err
	}
	secret, err := d.PullSecret(namespace, "password-of-spring")
	if err != nil {
		return err
	}
	if err := d.Client.Create(ctx, secret, client.FieldOwner("kubectl-create")); err != nil {
		return err
	}
	template := scenario.Template("web", image)
	if inSpec {
		template = scenario.Template("web", image, scenario.OldSecret)
	} else if err := scenario.Await(ctx, 30*time.Second, func(ctx context.Context) error { return d.AttachByHand(ctx, namespace) }); err != nil {
		return err
	}
	return d.Client.Create(ctx, scenario.Deployment(namespace, "web", template))
}

// incident rotates the password at the registry. Nothing happens, until a release needs an image that no node has.
func (d *demo) incident(ctx context.Context) error {
	if err := d.SetRegistryPassword(ctx, "password-of-summer"); err != nil {
		return err
	}
	if err := d.SetVaultPassword(ctx, "password-of-summer"); err != nil {
		return err
	}
	d.say("The password is rotated, at the registry and in Vault. Nobody updates the Secrets; everything runs on")
	if err := d.release(ctx, "v2"); err != nil {
		return err
	}
	if err := scenario.Await(ctx, 2*time.Minute, d.Stuck("web", "401 Unauthorized", d.namespaces...)); err != nil {
		return err
	}
	pods, err := d.Pods(ctx, d.namespaces[0], "web")
	if err != nil {
		return err
	}
	for i := range pods {
		if message := scenario.WaitingMessage(&pods[i]); message != "" {
			d.say("The next release is stuck in all %d namespaces. The kubelet says: %s", shops, message)
		}
	}
	return nil
}

// cure installs regcred and applies one RegistryCredential.
func (d *demo) cure(ctx context.Context) error {
	if err := d.Install(ctx); err != nil {
		return err
	}
	if err := d.record(ctx); err != nil {
		return err
	}
	if err := d.ConnectVault(ctx); err != nil {
		return err
	}
	d.say("regcred is installed, and logs in at Vault with tokens of its own ServiceAccount")
	object := d.credential()
	begun := time.Now()
	if err := d.Client.Create(ctx, object); err != nil {
		return err
	}
	d.say("One RegistryCredential is applied")
	return d.watch(ctx, "the cure", begun, "password-of-summer", "v2", d.namespaces)
}

func (d *demo) credential() *v1alpha1.RegistryCredential {
	period := int32(refreshPeriod)
	return &v1alpha1.RegistryCredential{
		ObjectMeta: metav1.ObjectMeta{Name: "company-registry"},
		Spec: v1alpha1.RegistryCredentialSpec{
			Registries:           []v1alpha1.Registry{v1alpha1.Registry(d.Registry)},
			Source:               v1alpha1.Source{Vault: &v1alpha1.VaultSource{Mount: "secret", Path: scenario.VaultPath}},
			RefreshPeriodSeconds: &period,
			Target: v1alpha1.Target{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}},
				SecretName:        scenario.OldSecret,
				ExistingSecrets:   v1alpha1.ExistingAdopt,
			},
		},
	}
}

// rotation rotates again, in Vault, and opens one more namespace meanwhile. Nobody notices.
func (d *demo) rotation(ctx context.Context) error {
	begun := time.Now()
	if err := d.SetRegistryPassword(ctx, "password-of-autumn"); err != nil {
		return err
	}
	if err := d.SetVaultPassword(ctx, "password-of-autumn"); err != nil {
		return err
	}
	d.say("The password is rotated again, at the registry and in Vault; at once the next release is rolled out")
	if err := d.release(ctx, "v3"); err != nil {
		return err
	}
	newcomer := fmt.Sprintf("shop-%02d", shops+1)
	if err := d.CreateNamespace(ctx, newcomer, map[string]string{"team": "shop"}); err != nil {
		return err
	}
	image := d.Registry + "/shop/app:v3"
	if err := d.Client.Create(ctx, scenario.Deployment(newcomer, "web", scenario.Template("web", image))); err != nil {
		return err
	}
	d.say("A namespace is created meanwhile, with an application that names no pull secret at all")
	return d.watch(ctx, "the next rotation", begun, "password-of-autumn", "v3", append(d.namespaces, newcomer))
}

func (d *demo) release(ctx context.Context, tag string) error {
	image, err := d.PushApp(ctx, tag)
	if err != nil {
		return err
	}
	for _, namespace := range d.namespaces {
		if err := d.SetImage(ctx, namespace, "web", image); err != nil {
			return err
		}
	}
	return nil
}

// watch measures how long it takes until the first Secret is new, all are, and all pods run.
func (d *demo) watch(ctx context.Context, what string, begun time.Time, password, tag string, namespaces []string) error {
	m := measured{what: what}
	for _, step := range []struct {
		into  *time.Duration
		says  string
		until func(context.Context) error
	}{
		{&m.visible, "regcred saw the new password: the first Secret holds it", d.anyFresh(password, namespaces)},
		{&m.fresh, fmt.Sprintf("All %d Secrets hold it", len(namespaces)), d.Fresh(scenario.OldSecret, password, namespaces...)},
		{&m.running, fmt.Sprintf("All %d applications run the release", len(namespaces)), d.Running("web", d.Registry+"/shop/app:"+tag, namespaces...)},
	} {
		if err := scenario.Await(ctx, 2*time.Minute, step.until); err != nil {
			return err
		}
		*step.into = time.Since(begun)
		d.say("%s, %.1f s after", step.says, step.into.Seconds())
	}
	d.times = append(d.times, m)
	return nil
}

func (d *demo) anyFresh(password string, namespaces []string) func(context.Context) error {
	return func(ctx context.Context) error {
		var last error
		for _, namespace := range namespaces {
			if last = d.Fresh(scenario.OldSecret, password, namespace)(ctx); last == nil {
				return nil
			}
		}
		return last
	}
}

// table ends the demo: what was measured, beside what a kubelet does on its own.
func (d *demo) table(context.Context) error {
	fmt.Fprintf(d.out, "\n%-20s %22s %22s %22s\n", "", "rotation visible after", "all Secrets fresh after", "all pods running after")
	for _, m := range d.times {
		fmt.Fprintf(d.out, "%-20s %20.1f s %21.1f s %20.1f s\n", m.what, m.visible.Seconds(), m.fresh.Seconds(), m.running.Seconds())
	}
	fmt.Fprintf(d.out, "%-20s %22s %23s %20s\n", "without regcred", "-", "when somebody does it", fmt.Sprintf("+ up to %.0f s", scenario.NodeWait.Seconds()))
	fmt.Fprintf(d.out, "\nThe source is read every %d s here (60 s by default). The last line is the kubelet's own back-off after the Secret is\n"+
		"fixed, and only for pods that name the Secret: those that lack the reference never recover automatically.\n", refreshPeriod)
	return nil
}
