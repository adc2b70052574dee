package network

import "runtime"

// start runs the jobs of a new Network on a thread that is prepared once and never ends: a child whose death is
// bound to its parent's is, to be exact, bound to the thread that started it.
func start(prepare func() error) (*Network, error) {
	n := &Network{jobs: make(chan func())}
	prepared := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := prepare()
		prepared <- err
		if err != nil {
			return // still locked, so the runtime ends this half-prepared thread
		}
		for job := range n.jobs {
			job()
		}
	}()
	if err := <-prepared; err != nil {
		return nil, err
	}
	return n, nil
}
