package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/pullerror"
)

// meanings say what the classes of failed pulls mean.
var meanings = map[pullerror.Class]string{
	pullerror.AuthFailed:       "a credential was sent, and the registry refused it",
	pullerror.NoCredentials:    "no credential was sent, and the registry asks for one",
	pullerror.Forbidden:        "the registry says that whoever asks may not pull this",
	pullerror.NotFoundOrDenied: "the registry does not say whether the image is missing or not allowed",
	pullerror.NotFound:         "the registry does not have the image",
	pullerror.RateLimited:      "the registry allows no more pulls for now",
	pullerror.KubeletThrottled: "the kubelet holds its own pulls back",
	pullerror.Network:          "the node did not reach the registry",
	pullerror.TLS:              "the node and the registry do not agree on TLS",
	pullerror.Registry5xx:      "the registry failed",
	pullerror.PlatformManifest: "the image is not there for the node's platform",
	pullerror.MalformedSecret:  "the kubelet cannot read one of the pod's pull secrets",
	pullerror.Other:            "not known to be a matter of credentials",
}

// does says what regcred does, by action.
var does = map[diagnosis.Action]string{
	diagnosis.Restart: "regcred restarts the pod, within its limits: its owner recreates it",
	diagnosis.Repull:  "regcred pins the image to its own digest, within its limits: the kubelet then pulls at once",
	diagnosis.Wait:    "regcred waits, and looks at the pod again",
	diagnosis.Report:  "regcred leaves the pod to you",
	diagnosis.None:    "regcred does nothing about the pod",
}

// doing says what regcred does about a pod. Without RegistryCredentials the plugin cannot know that, and the operator's events can tell.
func doing(p podReport) string {
	if p.Reason == diagnosis.CredentialsUnread {
		return foreign.Command("not known here; what it decided is in its events: kubectl get events -n %s --field-selector reportingComponent=regcred", p.Namespace)
	}
	return does[p.Action]
}

// maxMessage is how much of a kubelet's message is shown, in bytes. JSON has all of it.
const maxMessage = 600

// writer keeps the first error, so that not every line must look at it.
type writer struct {
	out     io.Writer
	colours bool
	// terminal says that somebody looks at the output.
	terminal bool
	// width is that of the terminal, 0 where there is none: then nothing is wrapped.
	width int
	err   error
}

func newWriter(out io.Writer) *writer {
	return &writer{out: out, colours: hasColours(out), terminal: isTerminal(out), width: widthOf(out)}
}

func (w *writer) line(format string, args ...any) {
	if w.err == nil {
		_, w.err = io.WriteString(w.out, shown(fmt.Sprintf(format, args...))+"\n")
	}
}

// maxLine is the longest line that reaches the terminal, in bytes.
const maxLine = 4000

// shown is a text without what others could do to a terminal. Only an empty line before it is kept: the command's own.
func shown(text string) string {
	if rest, ok := strings.CutPrefix(text, "\n"); ok {
		return "\n" + foreign.Text(rest, maxLine)
	}
	return foreign.Text(text, maxLine)
}

// field is one line of a pod's report: a name and a value, which may be empty.
func (w *writer) field(name, value string) {
	if value != "" {
		w.line("  %-12s %s", name, value)
	}
}

func printText(out io.Writer, r report) error {
	w := newWriter(out)
	switch {
	case len(r.Pods) == 0:
		w.line("No pod%s waits for an image%s.%s", prefixed(" of ", r.of), prefixed(" in namespace ", r.namespace), map[bool]string{true: " All namespaces: kubectl regcred explain pods -A"}[r.namespace != ""])
	case r.single:
		w.pod(r.Pods[0])
	default:
		w.groups(r)
	}
	for _, note := range r.Notes {
		w.line("\nNote: %s", note)
	}
	return w.err
}

func (w *writer) pod(p podReport) {
	w.line("Pod %s in namespace %s: %s (%s)", p.Name, p.Namespace, p.Action, p.Reason)
	for _, c := range p.Containers {
		w.container(c)
	}
	w.line("")
	w.field("Verdict:", p.Message)
	what := doing(p)
	if p.Action == diagnosis.Wait && p.LooksAgainSeconds > 0 {
		what += fmt.Sprintf(" in %s at the latest", time.Duration(p.LooksAgainSeconds)*time.Second)
	}
	w.field("regcred:", what)
	w.field("You can:", p.Advice)
	for i, e := range p.Events {
		w.field([]string{"It said:", ""}[min(i, 1)], e.Time.Format(time.RFC3339)+" "+e.Reason+": "+e.Message)
	}
}

func (w *writer) container(c containerReport) {
	w.line("\nContainer %s", c.Name)
	image := c.Image
	if c.Volume != "" {
		image += " (image volume " + c.Volume + ")"
	}
	w.field("Image:", image)
	w.field("Cause:", fmt.Sprintf("%s: %s", c.Cause, meanings[c.Cause]))
	w.field("State:", c.State)
	w.field("Message:", shortened(c.Message))
	if len(c.Secrets) == 0 {
		w.field("Secrets:", "the pod has no pull secret")
	}
	for i, s := range c.Secrets {
		w.field([]string{"Secrets:", ""}[min(i, 1)], s.words())
	}
	w.field("Provided by:", prefixed("RegistryCredential ", c.Credential))
	w.field("Finding:", c.Finding)
}

// words say whose a Secret is and what it does for the image.
func (s secretReport) words() string {
	parts := []string{}
	switch s.State {
	case "Missing":
		parts = append(parts, "does not exist")
	case "Unreadable":
		parts = append(parts, "you may not read it")
	default:
		parts = append(parts, "belongs to "+cmp.Or(s.Owner, "nobody known"))
		parts = append(parts, map[bool]string{true: fmt.Sprintf("key %q matches the image", s.Key), false: "no key matches the image"}[s.Key != ""])
	}
	if s.Changed != nil {
		parts = append(parts, "changed "+s.Changed.UTC().Format(time.RFC3339))
	}
	if s.Ignored != "" {
		parts = append(parts, "a kubelet ignores it, for it is of type "+s.Ignored)
	}
	if s.Breaks != "" {
		parts = append(parts, "a kubelet cannot read it: "+s.Breaks)
	}
	if !s.Referenced {
		parts = append(parts, "the pod does not refer to it")
	}
	return s.Name + " (" + strings.Join(parts, "; ") + ")"
}

func (w *writer) groups(r report) {
	w.line("%s cannot pull %s.", count(len(r.Pods)), map[bool]string{true: "its image", false: "their images"}[len(r.Pods) == 1])
	for _, g := range r.groups() {
		w.line("\n%s: %s (%s)", count(len(g.pods)), g.first.Action, g.first.Reason)
		w.field("For one:", g.first.Message)
		w.field("regcred:", doing(g.first))
		w.field("You can:", g.first.Advice)
		for i, pod := range g.pods {
			w.field([]string{"Pods:", " "}[min(i, 1)], pod.Namespace+"/"+pod.Name)
		}
	}
	w.line("\nFor more of one pod: kubectl regcred explain pod NAME -n NAMESPACE")
}

func count(pods int) string { return counted(pods, "pod") }

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

func shortened(message string) string {
	message = strings.Join(strings.Fields(message), " ")
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage], "") + " ..."
}
