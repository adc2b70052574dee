package policycheck

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	"regcred.dev/regcred/internal/foreign"
)

const (
	period      = time.Hour
	whileClosed = 15 * time.Second
	// whileUnasked is how often it is asked where a policy could not be asked, or had nothing to refuse.
	whileUnasked = 5 * time.Minute
	oneProbe     = 10 * time.Second
)

// soon are the waits after answers that differ from those before. What is installed or removed reaches what enforces it with a lag, that
// of RBAC and that of each API server: the first answer may be one of before.
var soon = []time.Duration{15 * time.Second, time.Minute, 5 * time.Minute}

// Probe is a request that RBAC allows as a rule, that one policy must refuse, and that changes nothing because it is a dry run.
type Probe struct {
	Policy string
	// Ask gives the answer of the API server.
	Ask func(ctx context.Context) error
}

// Runner asks at its start, a few times in the minutes after, and then hourly; more often while the policies do not stand or cannot be
// asked. It is a manager.Runnable of the leader: a standby writes nothing, not even a dry run.
type Runner struct {
	Gate   *Gate
	Probes []Probe
	// TooWide says what the operator's role grants beyond its limits, or nothing. The policies cannot refuse reads.
	TooWide func(ctx context.Context) (finding string, err error)
	// Changed is called after each round whose outcome differs from that of the round before.
	Changed func(State)
}

// Start runs until the context ends.
func (r *Runner) Start(ctx context.Context) error {
	var before map[string]Answer
	same := 0
	for {
		answers := r.round(ctx)
		if same++; !maps.Equal(answers, before) {
			before, same = answers, 0
		}
		state := Decide(r.Gate.State(), answers)
		if r.Gate.Set(state) {
			r.say(state)
			r.Changed(state)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(waitAfter(state, answers, same)):
		}
	}
}

// waitAfter says when to ask again after answers that were the same some times in a row.
func waitAfter(state State, answers map[string]Answer, same int) time.Duration {
	switch {
	case !state.Standing():
		return whileClosed
	case same < len(soon):
		return soon[same]
	case !settled(answers):
		return whileUnasked
	}
	return period
}

func (r *Runner) round(ctx context.Context) map[string]Answer {
	answers := map[string]Answer{}
	for _, probe := range r.Probes {
		bounded, cancel := context.WithTimeout(ctx, oneProbe)
		answers[probe.Policy] = Judge(probe.Policy, probe.Ask(bounded))
		cancel()
	}
	bounded, cancel := context.WithTimeout(ctx, oneProbe)
	defer cancel()
	switch finding, err := r.TooWide(bounded); {
	case err != nil:
		answers["the limits of the role"] = Answer{Kind: Unknown}
	case finding != "":
		answers[finding] = Answer{Kind: Missing}
	}
	return answers
}

func (r *Runner) say(state State) {
	log := ctrl.Log.WithName("policycheck")
	if message := Message(state, r.Gate.Required); message != "" {
		log.Error(nil, message)
	} else if state.Standing() {
		log.Info("The admission policies that limit the operator are in effect")
	}
}

// roomForNames is how many bytes of names a message has room for, beside what is to be done.
const roomForNames = 600

// Message tells people what is missing or cannot be asked, and what to do. It is empty where they need not know anything: the policies
// stand, or nobody refuses the answer. Others chose some of the names.
func Message(state State, required bool) string { return foreign.Message(message(state, required)) }

func message(state State, required bool) string {
	written := "no Secret is written"
	switch {
	case !required:
		written = "Secrets are written all the same (--require-fence=false)"
	case state.Standing():
		written = "Secrets are written, because the policies were in effect when last asked, until the operator restarts"
	}
	hidden := fmt.Sprintf("%s cannot be asked for, because %s refuses the operator's dry runs",
		foreign.Text(strings.Join(state.Hidden, ", "), roomForNames/2), foreign.Text(strings.Join(state.HiddenBy, ", "), roomForNames/2))
	switch {
	case len(state.Missing) > 0:
		return fmt.Sprintf("admission policies do not limit the operator as they must: %s; %s. Install the chart again, or apply config/default with its transformers and limits",
			foreign.Text(strings.Join(state.Missing, ", "), roomForNames), written)
	case len(state.Hidden) > 0:
		return fmt.Sprintf("whether admission policies limit the operator is not known: %s; %s. Exempt the operator's ServiceAccount there, or set --require-fence=false", hidden, written)
	}
	return ""
}
