package box

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"regcred.dev/regcred/hack/cluster/internal/network"
)

// startTimeout is for a machine that is busy with other things; an idle one needs a tenth of it.
const startTimeout = 3 * time.Minute

// supervisor owns the processes of a running box.
type supervisor struct {
	folder    Folder
	spec      Spec
	network   *network.Network
	addresses addresses
	users     users
	report    io.Writer

	started time.Time
	// life ends when the box is to end.
	life context.Context
	// failed gets the first unexpected end of a server: a box with a part missing is no use to anybody.
	failed chan error
	ended  sync.WaitGroup

	mu        sync.Mutex
	stopping  bool
	processes []*exec.Cmd
}

// supervise runs the box until the context ends or one of its servers does. Ready is called once the box is up.
func supervise(ctx context.Context, folder Folder, spec Spec, report io.Writer, ready func() error) error {
	ctx, cancel := context.WithCancel(ctx)
	s := &supervisor{
		folder: folder, spec: spec, users: newUsers(), report: report, life: ctx,
		started: time.Now(), failed: make(chan error, 1),
	}
	up := make(chan error, 1)
	var starting sync.WaitGroup
	starting.Go(func() { up <- s.start(ctx) })
	defer func() {
		cancel()
		s.stop()
		starting.Wait() // or it could still make what is about to be cleaned up
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-s.failed:
			return err
		case err := <-up:
			if err == nil {
				err = ready()
			}
			if err != nil {
				return err
			}
			up = nil
		}
	}
}

// start brings everything up, side by side where one does not need the other.
func (s *supervisor) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := s.prepare(); err != nil {
		return err
	}
	info := Info{Spec: s.spec, Supervisor: os.Getpid()}
	var known backends
	var parallel errgroup.Group
	parallel.Go(func() (err error) {
		known, err = s.startBackends(ctx)
		return err
	})
	parallel.Go(func() (err error) {
		if err = s.startControlPlane(ctx); err == nil && s.spec.Node {
			info.Node, err = s.startNode()
		}
		return err
	})
	err := parallel.Wait()
	if err != nil {
		return err
	}
	if info.Variables, err = s.variables(known); err != nil {
		return err
	}
	if err := s.waitUsable(ctx); err != nil {
		return err
	}
	return writeJSON(s.folder.infoFile(), info)
}

// prepare makes the network and every file that the servers read.
func (s *supervisor) prepare() (err error) {
	if s.spec.Node {
		s.addresses = nodeAddresses()
		s.network, err = network.Private()
	} else {
		s.network = network.Host()
		s.addresses, err = loopbackAddresses()
	}
	if err != nil {
		return err
	}
	if err := writePKI(s.folder); err != nil {
		return err
	}
	server := "https://" + s.addresses.local(s.addresses.apiServer)
	ca := s.folder.pkiFile("ca.crt")
	return errors.Join(
		os.WriteFile(s.folder.pkiFile("tokens.csv"), []byte(s.users.tokenFile()), 0o600),
		writeKubeconfig(s.folder.path("controller-manager.kubeconfig"), server, ca, s.users.controllerManager),
		writeKubeconfig(s.folder.path("scheduler.kubeconfig"), server, ca, s.users.scheduler),
		writeKubeconfig(s.folder.path("kubelet.kubeconfig"), server, ca, s.users.kubelet),
	)
}

// run starts a server that has to live as long as the box.
func (s *supervisor) run(name, binary string, arguments ...string) error {
	_, err := s.runCommand(name, exec.Command(binary, arguments...))
	return err
}

func (s *supervisor) runCommand(name string, command *exec.Cmd) (pid int, err error) {
	log, err := os.OpenFile(s.folder.log(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	command.Stdout, command.Stderr = log, log
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return 0, context.Canceled
	}
	if err := s.network.Start(command); err != nil {
		return 0, fmt.Errorf("start %s: %w", name, err)
	}
	s.processes = append(s.processes, command)
	s.ended.Go(func() {
		err := command.Wait()
		if err == nil {
			err = errors.New("exit status 0")
		}
		select {
		case s.failed <- fmt.Errorf("%s ended: %w; its log: %s", name, err, log.Name()):
		default:
		}
	})
	return command.Process.Pid, nil
}

// stop ends everything at once. Nobody wants the data, so nobody gets time to save it; and killing the node's first
// process ends all of the node, mounts included.
func (s *supervisor) stop() {
	s.mu.Lock()
	s.stopping = true
	for _, process := range s.processes {
		process.Process.Kill()
	}
	s.mu.Unlock()
	s.ended.Wait()
}

func (s *supervisor) step(format string, arguments ...any) {
	fmt.Fprintf(s.report, "%6.1fs  %s\n", time.Since(s.started).Seconds(), fmt.Sprintf(format, arguments...))
}
