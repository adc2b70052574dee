package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/verify"
)

// verifying are the options of the command.
type verifying struct {
	access   access
	images   []string
	limit    int
	timeout  time.Duration
	output   string
	insecure []string
	cas      map[string]string
	loopback bool
	operator string
}

const verifyExample = `  # Does the registry accept the value in use, for each image in use?
  kubectl regcred verify company-registry

  # May it pull this image?
  kubectl regcred verify company-registry --image registry.company.io/shop/web:1.2

  # With the value in the Secret of one namespace, where you may not read the others
  kubectl regcred verify company-registry -n shop`

func newVerify(a access) *cobra.Command {
	v := &verifying{access: a}
	command := &cobra.Command{
		Use:   "verify NAME",
		Short: "Ask the registry now, image by image, whether it accepts the value in use",
		Long: "Ask the registry now, image by image, whether it accepts the value in use. This machine asks, with the value from a pull Secret of\n" +
			"regcred that you may read; the value is not shown. Beside it stands what the operator last heard, who asks from the cluster. Images are\n" +
			"asked for by HEAD, which counts as no pull. Exit codes: 0 the registry accepts it; 1 the command failed; 2 the registry refuses it;\n" +
			"3 the registry gave no clear answer.",
		Example:           verifyExample,
		Args:              takesName(),
		ValidArgsFunction: a.credentialNames,
		RunE: func(command *cobra.Command, args []string) error {
			return v.run(command.Context(), command.OutOrStdout(), args[0])
		},
	}
	flags := command.Flags()
	flags.StringSliceVar(&v.images, "image", nil, "an image to ask for, instead of those of the spec and those in use. May be given several times")
	flags.IntVar(&v.limit, "limit", 20, "how many images in use are asked for at most")
	flags.DurationVar(&v.timeout, "timeout", time.Minute, "how long one registry is asked at most")
	flags.StringVarP(&v.output, "output", "o", "text", "text, wide, json or yaml")
	flags.StringSliceVar(&v.insecure, "insecure-registries", nil, "registries, as host[:port], that may be spoken to over plain http")
	flags.StringToStringVar(&v.cas, "registry-ca", nil, "certificate authorities of a registry, as host[:port]=file. May be given several times")
	flags.BoolVar(&v.loopback, "allow-loopback-registries", false, "ask registries on this machine, too, such as behind kubectl port-forward")
	operatorNamespace(flags, &v.operator)
	return command
}

// verified is what registries said. Its JSON form is stable. It holds no secret.
type verified struct {
	Name string `json:"name"`
	// Namespace and Secret are where the value was read, Revision is the source's name for it.
	Namespace string `json:"namespace"`
	Secret    string `json:"secret"`
	Revision  string `json:"revision"`
	// AskedFrom is where the question came from: this machine.
	AskedFrom string         `json:"askedFrom"`
	Answers   []verifyAnswer `json:"answers"`
	// Operator is what the operator last heard from the cluster.
	Operator verifiedBefore `json:"operator"`
	Notes    []string       `json:"notes,omitempty"`
}

// verifyAnswer is what a registry said about one image, or about the login.
type verifyAnswer struct {
	Registry string `json:"registry"`
	// Image is empty for the login.
	Image string `json:"image,omitempty"`
	// Verdict is Accepted, Rejected or Unknown, Reason says why.
	Verdict verify.Verdict `json:"verdict"`
	Reason  verify.Reason  `json:"reason"`
	Message string         `json:"message"`
	Digest  string         `json:"digest,omitempty"`
}

// verifiedBefore is the condition Verified, and when the registry last accepted the value.
type verifiedBefore struct {
	Status  metav1.ConditionStatus `json:"status"`
	Reason  string                 `json:"reason"`
	Message string                 `json:"message"`
	Time    *time.Time             `json:"time,omitempty"`
}

func (v *verifying) run(ctx context.Context, out io.Writer, name string) error {
	if !slices.Contains([]string{"text", "wide", "json", "yaml"}, v.output) {
		return fmt.Errorf("-o %s: write text, wide, json or yaml", v.output)
	}
	roots, err := verify.RootCAs(v.cas)
	if err != nil {
		return err
	}
	c, err := v.access.client()
	if err != nil {
		return err
	}
	object, err := readCredential(ctx, c, name)
	if err != nil {
		return err
	}
	value, err := v.valueOf(ctx, c, object)
	if err != nil {
		return err
	}
	images, notes, err := v.imagesFor(ctx, c, object, value.keys())
	if err != nil {
		return err
	}
	verifier := verify.New(verify.Options{
		InsecureRegistries: v.insecure, AllowLoopback: v.loopback, RootCAs: roots, Timeout: v.timeout, UserAgent: "kubectl-regcred",
	})
	answered := verified{
		Name: object.Name, Namespace: value.namespace, Secret: value.secret, Revision: foreign.Name(value.revision), AskedFrom: "this machine",
		Answers: value.ask(ctx, verifier, images), Operator: heardByOperator(object), Notes: slices.Concat(value.notes, notes, value.outdated(object)),
	}
	answered.Notes = append(answered.Notes, hintsFor(answered.Answers)...)
	if v.output == "json" || v.output == "yaml" {
		err = printObject(out, v.output, answered)
	} else {
		err = printVerified(out, answered, v.output == "wide", v.access.now())
	}
	return errors.Join(err, answered.failure())
}

// failure is why the command does not end with 0.
func (v *verified) failure() error {
	verdicts, images, denied := map[verify.Verdict]int{}, 0, 0
	for _, a := range v.Answers {
		verdicts[a.Verdict]++
		if a.Image != "" {
			images++
		}
		if a.Reason == verify.PullDenied {
			denied++
		}
	}
	switch {
	case verdicts[verify.ValueRejected] > denied:
		return exit{exitProblem, fmt.Errorf("a registry refuses the value of RegistryCredential %s", foreign.Name(v.Name))}
	case denied > 0: // the people of a namespace choose which images are in use there
		return exit{exitProblem, fmt.Errorf("the value of RegistryCredential %s may not pull %d of %s", foreign.Name(v.Name), denied, countOf(images, "image"))}
	case verdicts[verify.ValueUnknown] > 0:
		return exit{exitTimeout, fmt.Errorf("a registry gave no clear answer about the value of RegistryCredential %s", foreign.Name(v.Name))}
	}
	return nil
}
