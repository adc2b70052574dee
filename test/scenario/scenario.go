// Package scenario puts the incident that regcred ends on a running box: an installed operator, namespaces with hand-made pull
// secrets, workloads that need them, and rotations at the registry and in Vault. The demo and the end-to-end tests share it.
package scenario

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/box"
)

const (
	// SystemNamespace is where the operator is installed.
	SystemNamespace = "regcred-system"
	// OldSecret is the name of the hand-made pull secret.
	OldSecret = "registry-creds"
	// RobotUser is the registry account whose password is rotated.
	RobotUser = "robot"
	// VaultPath is where its password is kept, below the mount secret.
	VaultPath = "platform/registries/company"
	// NodeWait is how long a kubelet that is left alone may wait before it tries a pull again: 300 s of back-off and 15 s until
	// it looks.
	NodeWait = 315 * time.Second
)

// Scheme of the objects that scenarios read and write.
var Scheme = runtime.NewScheme()

func init() {
	utilruntime.Must(clientgoscheme.AddToScheme(Scheme))
	utilruntime.Must(v1alpha1.AddToScheme(Scheme))
}

// Scenario is a box and what is needed to play on it.
type Scenario struct {
	Box    *box.Box
	Config *rest.Config
	Client client.WithWatch
	// Registry is host:port as nodes and pods name it.
	Registry string
	// Binary and Pause are the operator's program and the one that workloads run.
	Binary, Pause string
}

// New connects to the box that the environment describes. binary is the operator's static program.
func New(binary string) (*Scenario, error) {
	b, err := box.FromEnv()
	if err != nil {
		return nil, err
	}
	pause, err := box.Pause()
	if err != nil {
		return nil, err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	c, err := client.NewWithWatch(config, client.Options{Scheme: Scheme})
	if err != nil {
		return nil, err
	}
	return &Scenario{Box: b, Config: config, Client: c, Registry: b.Registry.BasicInCluster, Binary: binary, Pause: pause}, nil
}

// Await asks again and again until a condition holds. The error of a condition that never holds says what was missing at last.
func Await(ctx context.Context, within time.Duration, condition func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	var missing error
	for {
		err := condition(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || missing == nil { // an answer that was cut off says nothing
			missing = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %w", within, missing)
		case <-ticker.C:
		}
	}
}
