package rotation

import (
	"fmt"
	"time"
)

// check holds a step against what the registries and the source said, as the model noted it.
func (w *world) check(step Step) error {
	if err := w.checkVerdict(); err != nil {
		return err
	}
	if err := w.checkLeases(step); err != nil {
		return err
	}
	switch step.Do {
	case Read:
		return w.checkMint(step)
	case Renew:
		return w.checkRenew(step)
	case Publish:
		return w.checkPublish()
	case Restore:
		return w.checkRestore()
	case GiveUp:
		if since := step.Lease.Since.Add(ReleaseGivenUp); w.tries[step.Lease.ID] == 0 || w.now.Before(since) {
			return fmt.Errorf("lease %s is given up after %d attempts, %s too soon", step.Lease.ID, w.tries[step.Lease.ID], since.Sub(w.now))
		}
	}
	return nil
}

// said is the last definite answer about an account, to the present question.
func (w *world) said(account Account) heard {
	return w.heard[account.Print+w.spec.Question(account)]
}

// checkVerdict: what is said of the value in use is what registries last said of it.
func (w *world) checkVerdict() error {
	if !w.state.Published() || !w.spec.verifies() || w.pending != nil {
		return nil
	}
	got, _ := w.state.Of(&w.spec, &w.state.Value)
	for _, account := range w.state.Accounts {
		if verdict := w.said(account).verdict; verdict == Rejected && got != Rejected {
			return fmt.Errorf("%s refuses the value in use, and it counts as %s", account.Host, got)
		} else if verdict == "" && got == Accepted {
			return fmt.Errorf("%s did not say that it accepts the value in use, and it counts as accepted", account.Host)
		}
	}
	return nil
}

// checkPublish: nothing that is refused is published while something better is known, nothing unproven over what is accepted, and
// nothing goes back.
func (w *world) checkPublish() error {
	candidate := w.state.candidate(&w.spec)
	if candidate == nil {
		return fmt.Errorf("there is nothing to publish")
	}
	if err := w.checkAge(candidate); err != nil {
		return err
	}
	if !w.spec.verifies() {
		return nil
	}
	for _, account := range candidate.Accounts {
		said := w.said(account)
		if said.verdict == Accepted && !said.at.Before(candidate.FirstSeen) || w.state.Published() && w.state.has(account.Print) {
			continue
		}
		if said.verdict == Accepted { // before it came back: that proves nothing
			said = heard{}
		}
		if !w.asked[account.Print+w.spec.Question(account)] && w.spec.PublishRevision != candidate.Revision {
			return fmt.Errorf("%s was not asked about version %d", account.Host, candidate.Version)
		}
		for _, old := range w.state.Accounts {
			before := w.said(old)
			switch {
			case !w.state.Published() || old.Host != account.Host:
			case said.verdict == Rejected && before.verdict != Rejected:
				return fmt.Errorf("%s refuses version %d, and last said %q of the one in use", account.Host, candidate.Version, before.verdict)
			case w.spec.PublishRevision == candidate.Revision && said.verdict == "":
			case before.verdict == Accepted && !before.at.Before(candidate.FirstSeen):
				return fmt.Errorf("%s says nothing of version %d and accepted the one in use since", account.Host, candidate.Version)
			}
		}
		if said.verdict == Rejected && !w.state.Published() {
			return fmt.Errorf("%s refuses the first version", account.Host)
		}
	}
	return nil
}

// checkAge: an older version is published only if it was given for long, or works where the one in use does not.
func (w *world) checkAge(candidate *Waiting) error {
	if !w.state.Published() || candidate.Version == 0 || candidate.Version >= w.state.Version || candidate.Place != w.state.Place {
		return nil
	}
	if candidate.Digest == w.state.RestoredOver { // it was in use already, for one of these reasons
		return nil
	}
	if w.olderReads >= olderReads || int(candidate.Version) == w.askedFor || w.spec.PublishRevision == candidate.Revision {
		return nil
	}
	works, refused := true, false
	for _, account := range candidate.Accounts {
		works = works && w.said(account).verdict == Accepted
	}
	for _, account := range w.state.Accounts {
		refused = refused || w.said(account).verdict == Rejected
	}
	if works && refused && w.spec.verifies() {
		return nil
	}
	return fmt.Errorf("version %d is published after %d; the source gave it %d times", candidate.Version, w.state.Version, w.olderReads)
}

// checkRestore: it goes back only to what registries take, from what one refuses.
func (w *world) checkRestore() error {
	refused := time.Time{}
	for _, account := range w.state.Accounts {
		if said := w.said(account); said.verdict == Rejected {
			refused = said.at
		}
	}
	if refused.IsZero() {
		return fmt.Errorf("no registry refuses the value in use")
	}
	for _, account := range w.state.Previous.Accounts {
		if !w.state.has(account.Print) && w.said(account).verdict != Accepted {
			return fmt.Errorf("%s did not say that it takes the value before", account.Host)
		}
	}
	return nil
}

// countOlder counts how often in a row the source answered with a version older than the newest that the machine knows.
func (w *world) countOlder() {
	if w.minted {
		return
	}
	newest := int(w.state.Version)
	if w.state.Waiting != nil {
		newest = max(newest, int(w.state.Waiting.Version))
	}
	if w.given >= newest {
		if w.state.Older == nil {
			w.olderReads = 0
		}
		return
	}
	w.olderReads++
}

// heldLeases are all that the machine knows of.
func (w *world) heldLeases() []string {
	var ids []string
	for _, lease := range w.state.held() {
		if lease != nil {
			ids = append(ids, lease.ID)
		}
	}
	for _, lease := range w.state.Obsolete {
		ids = append(ids, lease.ID)
	}
	return ids
}

// checkLeases: each lease is known once until it was given back or has ended, and none is given back that is in use or waits.
func (w *world) checkLeases(step Step) error {
	if w.pending != nil {
		return nil
	}
	known := map[string]bool{}
	for _, id := range w.heldLeases() {
		if known[id] {
			return fmt.Errorf("lease %s is in use or waits, and is to be given back, too", id)
		}
		known[id] = true
		if w.released[id] {
			return fmt.Errorf("lease %s was given back, and is still held", id)
		}
	}
	for id, obtained := range w.obtained {
		switch {
		case known[id]:
		case w.released[id], w.gaveUp[id], w.now.After(obtained.Add(lifetime)), len(w.state.Obsolete) == maxObsolete:
			delete(w.obtained, id)
		default:
			return fmt.Errorf("lease %s is lost", id)
		}
	}
	return nil
}
