package credential

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/policycheck"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/source"
)

// maxSteps bounds one pass: the next one goes on.
const maxSteps = 24

// work carries out steps until the machine rests. What goes wrong is noted in the run, for the status, as is what becomes of a value that
// waits: that does not depend on how far the pass came.
func (r *Reconciler) work(ctx context.Context, run *run) error {
	err := r.carryOn(ctx, run)
	run.judgement, _ = run.state.Judge(run.spec, r.Now())
	if err == nil {
		r.tellOfWaiting(run)
	}
	return err
}

func (r *Reconciler) carryOn(ctx context.Context, run *run) error {
	if err := r.keepPending(ctx, run); err != nil {
		r.renewUnkept(ctx, run)
		return err
	}
	if err := r.keepCorrected(ctx, run); err != nil {
		return err
	}
	if err := r.takeAnswers(ctx, run); err != nil {
		return err
	}
	if err := r.keepVerdict(ctx, run); err != nil {
		return err
	}
	for range maxSteps {
		step := rotation.Next(run.spec, &run.state, r.Now())
		if run.until = step.Until; step.Do == rotation.Rest {
			return nil
		}
		if err := r.carryOut(ctx, run, step); err != nil {
			return err
		}
	}
	run.until = r.Now().Add(time.Second)
	return nil
}

func (r *Reconciler) carryOut(ctx context.Context, run *run, step rotation.Step) error {
	switch step.Do {
	case rotation.Read:
		return r.read(ctx, run, step.Cause)
	case rotation.Renew:
		return r.renew(ctx, run, step.Lease)
	case rotation.Ask:
		return r.ask(ctx, run, step.Account)
	case rotation.Publish:
		return r.publish(ctx, run, step.Judgement)
	case rotation.Restore:
		return r.restore(ctx, run)
	case rotation.DropPrevious:
		next := run.state.Clone()
		next.DropPrevious(step.End)
		return r.keep(ctx, run, next, nil)
	case rotation.Release:
		return r.release(ctx, run, step.Lease)
	case rotation.GiveUp:
		return r.giveUp(ctx, run, step.Lease)
	}
	return nil
}

// keep makes next the state, and then tells people. What must survive is written first; where that fails, the state stays as it was, and
// next is written by the next pass: a value that was minted, or an answer, is not lost. tell may be nil.
func (r *Reconciler) keep(ctx context.Context, run *run, next rotation.State, tell func()) error {
	base := r.Store.Get(run.object.Name)
	if err := r.write(ctx, run, next); err != nil {
		run.memory.pending = &pending{base, next.Kept, tell}
		run.memory.remembered, run.memory.waiting = next.Memory, next.Waiting
		return err
	}
	if tell != nil {
		tell()
	}
	return nil
}

func (r *Reconciler) write(ctx context.Context, run *run, next rotation.State) error {
	record := run.recordOf(next.Kept)
	next.Format = record.Format
	if !records.Same(r.Store.Get(run.object.Name), record) {
		if err := r.Store.Save(ctx, record); err != nil {
			run.fault = &fault{v1alpha1.ReasonRecordNotKept, notKept(err)}
			return fmt.Errorf("keep the record of %s: %w", run.object.Name, err)
		}
	}
	run.state = next
	run.remember()
	return nil
}

// notKept says why a record is not kept, without which nothing new is published.
func notKept(err error) string {
	if errors.Is(err, policycheck.ErrNotFenced) {
		return "the operator's record of this credential: " + policycheck.NextStep
	}
	return "the operator cannot write its record of this credential, without which nothing new is published: see its log, and what may refuse " +
		"Secrets in its namespace"
}

func (run *run) recordOf(kept rotation.Kept) records.Record {
	kept.Format = records.Format
	return records.Record{Credential: run.object.Name, UID: run.object.UID, Kept: kept}
}

// keepPending writes what an earlier pass could not, unless somebody else has written since: of that, the leases are given back. Where it
// was written and only the answer was lost, people are still to be told.
func (r *Reconciler) keepPending(ctx context.Context, run *run) error {
	p := run.memory.pending
	if p == nil {
		return nil
	}
	run.memory.pending = nil
	switch current := r.Store.Get(run.object.Name); {
	case records.Same(current, run.recordOf(p.next)):
		if p.tell != nil {
			p.tell()
		}
		return nil
	case !records.Same(current, p.base):
		dropped, next := rotation.State{Kept: p.next}, run.state.Clone()
		next.Discard(dropped.Leases(), r.Now())
		return r.keep(ctx, run, next, nil)
	}
	next := rotation.State{Kept: p.next, Memory: run.memory.remembered}.Clone()
	r.learn(run, &next)
	return r.keep(ctx, run, next, p.tell)
}

// keepCorrected keeps times that a wrong clock had noted ahead as they were corrected. Else each pass would correct them, and they would
// never pass.
func (r *Reconciler) keepCorrected(ctx context.Context, run *run) error {
	if !run.corrected {
		return nil
	}
	return r.keep(ctx, run, run.state.Clone(), nil)
}

// keepVerdict notes that registries accept or refuse the value in use, where they did so before it was in use, or while the spec asked something else.
// Delivery takes no hand-made Secret over before it is noted that they accept it.
func (r *Reconciler) keepVerdict(ctx context.Context, run *run) error {
	if run.spec.Suspended || !run.state.VerdictUnnoted(run.spec) {
		return nil
	}
	next := run.state.Clone()
	next.NoteVerdict(run.spec, r.Now())
	return r.keep(ctx, run, next, nil)
}

// read asks the source.
func (r *Reconciler) read(ctx context.Context, run *run, cause rotation.Cause) error {
	next, began := run.state.Clone(), r.Now()
	request := source.NewRequest(&run.object.Spec, next.Salt, next.MaxAge(run.spec, cause, began))
	request.Forward, request.State = next.Insists(cause), next.StateWanted(began)
	span := r.Traces.Read(run.object.Name)
	snapshot, err := r.Source.Read(ctx, request)
	if err != nil {
		known := next.Reads.Fault
		problem := source.AsError(err)
		span.End(problem.Reason, true)
		next.NoteFault(run.spec, problem, began)
		if known == nil || known.Reason != problem.Reason {
			log.FromContext(ctx).Info("The source gave no usable credential; what is published stays", "reason", problem.Reason, "message", problem.Message)
		}
		return r.keep(ctx, run, next, nil)
	}
	if known := next.Reads.Fault; known != nil {
		log.FromContext(ctx).Info("The source gives a usable credential again", "before", known.Reason)
	}
	value := valueOf(run.spec, next.Salt, snapshot)
	next.NoteRead(run.spec, value, snapshot.Findings, cause, began, r.Now())
	if next.Waiting != nil && next.Waiting.Digest == value.Digest {
		r.Traces.Found(run.object.Name, traced(&value), span)
	}
	span.End(v1alpha1.ReasonRead, false)
	return r.keep(ctx, run, next, nil)
}
