package box

import (
	"maps"
	"path/filepath"
)

// Spec is what a box is to be.
type Spec struct {
	// Name is the name of the box.
	Name string
	// Node says whether there is one.
	Node bool
	// Binaries maps each artifact to the folder it is in.
	Binaries map[string]string
	// CNIBinaries is the folder of the network plugins.
	CNIBinaries string
	// APIServerFlags are added to those of the API server.
	APIServerFlags []string
	// Controllers are the cgroup controllers that had to be handed down for this box.
	Controllers []string
}

func (s Spec) binary(name string) string { return filepath.Join(s.Binaries[name], name) }

// Info is a running box.
type Info struct {
	// Spec is what it was asked to be.
	Spec Spec
	// Variables are what Environment returns, without those of the build.
	Variables map[string]string
	// Supervisor and Node are process ids; Node is 0 where there is none.
	Supervisor, Node int
}

// Environment is all that a test or a script needs to use the box.
func (i Info) Environment(built map[string]string) map[string]string {
	variables := maps.Clone(built)
	maps.Copy(variables, i.Variables)
	return variables
}
