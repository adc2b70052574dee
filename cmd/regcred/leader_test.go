package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"regcred.dev/regcred/internal/fence"
	"regcred.dev/regcred/internal/source"
)

// releases counts what is given back.
type releases int

func (r *releases) Release(context.Context, source.Lease) error { *r++; return nil }

func (r *releases) Renew(_ context.Context, lease source.Lease) (source.Lease, error) {
	*r++
	return lease, nil
}

func TestOnlyTheLeaderGivesLeasesBackAndProlongsThem(t *testing.T) {
	for _, test := range []struct {
		name  string
		fence *fence.Fence
		want  releases
	}{
		{"a replica that never renewed the lease", fence.New(fence.Terms{Lease: 12 * time.Second, Write: 8 * time.Second}), 0},
		{"the only replica, which elects nobody", nil, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			var given releases
			err := fencedLeases{&given, test.fence}.Release(t.Context(), source.Lease{ID: "robots/creds/a/1"})
			if given != test.want || (test.want == 0) != errors.Is(err, fence.ErrClosed) {
				t.Errorf("%d given back, %v", given, err)
			}
			given = 0
			_, err = fencedLeases{&given, test.fence}.Renew(t.Context(), source.Lease{ID: "robots/creds/a/1"})
			if given != test.want || (test.want == 0) != errors.Is(err, fence.ErrClosed) {
				t.Errorf("%d prolonged, %v", given, err)
			}
		})
	}
}
