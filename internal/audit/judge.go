package audit

import (
	"time"
)

// Words of a status: see the API's types. The last two are what a registry said of the value before.
const (
	provenByLogin    = "Login"
	previousRejected = "Rejected"
	previousEnded    = "Ended"
)

// judge settles an image for which a kubelet would use an entry.
func (p *pod) judge(row Row, e entry) Row {
	row.Secret, row.From, row.Owner = e.name, e.from, e.secret.Owner.Manager
	if !e.secret.Owner.Ours {
		return row.as(Unproven, NotTested, "Secret %s belongs to %s, and nobody tests it", e.name, row.Owner)
	}
	row.Owner = "regcred"
	c := e.wrote.by
	if c == nil {
		return row.as(Unproven, NotTested, "no RegistryCredential that you may read keeps this entry of Secret %s up to date", e.name)
	}
	row.Credential = c.object.Name
	if e.wrote.revision != c.revision() {
		return c.older(row, e.wrote.revision)
	}
	return c.judge(row, p.facts)
}

// judge settles what the value in use of a RegistryCredential can pull.
func (c *Credential) judge(row Row, f *Facts) Row {
	if ends := c.ends(); !ends.IsZero() {
		utc := ends.UTC()
		row.Until = &utc
	}
	switch {
	case c.standing.Rejected != "":
		return row.as(Fails, CredentialRejected, "the registry refuses the value: %s", c.standing.Rejected)
	case row.Until != nil && !f.Now.Before(*row.Until):
		return row.as(Fails, CredentialEnded, "the value ended at %s: store a new one in the source", row.Until.Format(time.RFC3339))
	case c.object.Status.Credential == nil || c.object.Status.Credential.ProvenBy == "":
		return row.as(Unproven, NotTested, "nobody tested the value of RegistryCredential %s. Ask now: kubectl regcred verify %s", c.object.Name, c.object.Name)
	case c.object.Status.Credential.ProvenBy == provenByLogin:
		return row.as(Accepted, LoginAccepted, "")
	}
	return row.as(Accepted, PullAccepted, "")
}

// older settles what a value can pull that the Secret has and that is not in use any more.
func (c *Credential) older(row Row, revision string) Row {
	previous := c.object.Status.Previous
	switch {
	case previous == nil || previous.Revision != revision:
		return row.as(Unproven, OlderValue, "Secret %s has revision %s, and revision %s is in use: it is on its way, or see kubectl regcred status %s", row.Secret, revision, c.revision(), c.object.Name)
	case previous.Registry == previousRejected, previous.Registry == previousEnded:
		return row.as(Fails, OlderValue, "Secret %s still has revision %s, which no longer works. See why: kubectl regcred status %s", row.Secret, revision, c.object.Name)
	}
	return row.as(Unproven, OlderValue, "Secret %s still has revision %s. See why: kubectl regcred status %s", row.Secret, revision, c.object.Name)
}
