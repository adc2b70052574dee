package rotation

import (
	"cmp"
	"fmt"
	"slices"
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
	if request := w.state.Reads.Request; request != "" && !w.answered[request] {
		return fmt.Errorf("the request %q counts as answered, and the source gave nothing since", request)
	}
	switch step.Do {
	case Read:
		return w.checkMint(step)
	case Renew:
		return w.checkRenew(step)
	case Ask:
		return w.checkAsk(step.Account)
	case Publish:
		if err := w.checkRotation(); err != nil {
			return err
		}
		return w.checkPublish()
	case Restore:
		return w.checkRestore()
	case DropPrevious:
		return w.checkEnd(step.End)
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
		if !w.asked[account.Print+w.spec.Question(account)] {
			return fmt.Errorf("%s was not asked about version %d", account.Host, candidate.Version)
		}
		if candidate.Digest == w.state.RestoredOver && w.spec.PublishRevision != candidate.Revision {
			return fmt.Errorf("version %d did not work when it was in use, and %s did not accept it since", candidate.Version, account.Host)
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

// checkAge: an older version is published only if it was given for long, or works where the one in use does not, or if the source said of
// it that it is not older.
func (w *world) checkAge(candidate *Waiting) error {
	version, inUse := versionOf(&candidate.Value), versionOf(&w.state.Value)
	if !w.state.Published() || candidate.Version == 0 || version >= inUse || candidate.Place != w.state.Place || w.seemsNewer(version, inUse) {
		return nil
	}
	if candidate.Digest == w.state.RestoredOver { // it was in use already, for one of these reasons
		return nil
	}
	if w.olderReads >= olderReads || version == w.believed || version == w.askedFor || w.spec.PublishRevision == candidate.Revision {
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
	return fmt.Errorf("version %d is published after %d; the source gave it %d times", version, inUse, w.olderReads)
}

// seemsNewer reports whether the source's count and clock leave nobody a chance to know that a version is older than another one: the
// place was removed, or the clock was wrong. Where count and clock say the opposite, the source has to give it twice.
func (w *world) seemsNewer(version, than int) bool {
	one, other := w.written(version), w.written(than)
	count, clock := cmp.Compare(one.Version, other.Version), one.CreatedTime.Compare(other.CreatedTime)
	switch {
	case count >= 0 && clock > 0:
		return true
	case count*clock < 0:
		return w.olderReads >= disputedReads
	}
	return false
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
	after := w.state.Clone()
	after.Restore(&w.spec, w.now)
	if waits := w.state.Waiting; waits != nil && waits.Digest != after.Digest && waits.Digest != after.Waiting.Digest {
		return fmt.Errorf("version %d waits, and is forgotten", versionOf(&waits.Value))
	}
	if after.VerdictUnnoted(&w.spec) {
		return fmt.Errorf("version %d is in use again because registries accept it, and that is not noted", versionOf(&after.Value))
	}
	return nil
}

// checkRotation: a value of which each password stays in use is not said to be the one before, which may be revoked.
func (w *world) checkRotation() error {
	after := w.state.Clone()
	after.Publish(&w.spec, w.now)
	if after.Previous == nil || after.Previous.Digest != w.state.Digest || w.state.Minted || after.Minted {
		return nil
	}
	if before := versionOf(&w.state.Value); before == versionOf(&after.Value) {
		return fmt.Errorf("the password of version %d is in use, and counts as the one before", before)
	}
	return nil
}

// checkEnd: the value before counts as refused only where registries refuse all of it that is not in use, and took the value in use before
// and after that.
func (w *world) checkEnd(end End) error {
	if end != EndRefused {
		return nil
	}
	for _, account := range w.state.Previous.Accounts {
		if w.state.has(account.Print) {
			continue
		}
		refused := w.said(account)
		if refused.verdict != Rejected {
			return fmt.Errorf("%s last said %q of the value before", account.Host, refused.verdict)
		}
		for _, mine := range w.state.Accounts {
			if taken := w.said(mine); mine.Host == account.Host && (taken.verdict != Accepted || taken.since.After(refused.at) || taken.at.Before(refused.at)) {
				return fmt.Errorf("%s refused the value before when it did not take the one in use either", account.Host)
			}
		}
	}
	return nil
}

// checkAsk: a registry that asked to be left alone is, also about other logins.
func (w *world) checkAsk(account Account) error {
	for print, until := range w.alone {
		if test, kept := w.state.Tests[print]; kept && test.Registry == account.Host && until.After(w.now) {
			return fmt.Errorf("%s asked to be left alone for another %s", account.Host, until.Sub(w.now))
		}
	}
	return nil
}

// countOlder counts how often in a row the source answered with a version older than the newest that the machine knows.
func (w *world) countOlder() {
	if w.minted {
		return
	}
	newest := versionOf(&w.state.Value)
	if w.state.Waiting != nil {
		newest = max(newest, versionOf(&w.state.Waiting.Value))
	}
	if w.given >= newest {
		if w.state.Older == nil {
			w.olderReads = 0
		}
		return
	}
	w.olderReads++
	if w.olderReads >= olderReads || w.state.Published() && w.seemsNewer(w.given, versionOf(&w.state.Value)) {
		w.believed = w.given
	}
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
	known := w.heldLeases()
	for i, id := range known {
		if slices.Contains(known[:i], id) {
			return fmt.Errorf("lease %s is in use or waits, and is to be given back, too", id)
		}
		if w.released[id] {
			return fmt.Errorf("lease %s was given back, and is still held", id)
		}
	}
	for id, obtained := range w.obtained {
		switch {
		case slices.Contains(known, id):
		case w.clockSet && w.tries[id] > 0: // it was tried, and seems to have ended
			delete(w.obtained, id)
		case w.released[id], w.gaveUp[id], w.now.After(obtained.Add(lifetime)), len(w.state.Obsolete) == maxObsolete:
			delete(w.obtained, id)
		default:
			return fmt.Errorf("lease %s is lost", id)
		}
	}
	return nil
}
