package policycheck

import (
	"context"
	"fmt"
	"strings"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
)

const (
	period      = time.Hour
	whileClosed = 15 * time.Second
	oneProbe    = 10 * time.Second
)

// Probe is a request that RBAC allows as a rule, that one policy must refuse, and that changes nothing because it is a dry run.
type Probe struct {
	Policy string
	// Ask gives the answer of the API server.
	Ask func(ctx context.Context) error
}

// Runner asks at its start and then hourly, and each 15 s while the policies do not stand or are not known to. It is a
// manager.Runnable of the leader: a standby writes nothing, not even a dry run.
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
	for {
		state := Decide(r.Gate.State(), r.round(ctx))
		if r.Gate.Set(state) {
			r.say(state)
			r.Changed(state)
		}
		wait := period
		if !state.Standing() {
			wait = whileClosed
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
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
		answers["the limits of the role"] = Unknown
	case finding != "":
		answers[finding] = Missing
	}
	return answers
}

func (r *Runner) say(state State) {
	log := ctrl.Log.WithName("policycheck")
	if state.Standing() {
		log.Info("The admission policies that bound the operator stand")
		return
	}
	log.Error(nil, Message(state, r.Gate.Required))
}

// Message tells people what is missing and what to do.
func Message(state State, required bool) string {
	what := "Secrets are written all the same (--require-fence=false)"
	if required {
		what = "no Secret is written"
	}
	return fmt.Sprintf("the operator is not bounded as it must be: %s; %s. Install the chart, or config/default with its transformers and limits",
		strings.Join(state.Missing, ", "), what)
}
