package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"regcred.dev/regcred/hack/cluster/internal/box"
	"regcred.dev/regcred/hack/cluster/internal/build"
	"regcred.dev/regcred/hack/cluster/internal/network"
	"regcred.dev/regcred/hack/cluster/internal/node"
)

// options are the flags of all verbs.
type options struct {
	name           string
	noNode         bool
	apiServerFlags []string
	only           []string
	withLogs       bool
}

func newCommand() *cobra.Command {
	o := &options{}
	root := &cobra.Command{
		Use:           "cluster",
		Short:         "A real Kubernetes, Vault and registry from Go modules",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&o.name, "name", "default", "name of the box; several run side by side")
	verb := func(use, short string, run func(*cobra.Command, []string) error) *cobra.Command {
		command := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: run}
		root.AddCommand(command)
		return command
	}
	building := verb("build", "Build what is missing and print where it is, as export lines", o.build)
	building.Flags().StringSliceVar(&o.only, "only", nil, "build only these: pause, registry, vault, containerd, kubernetes, oldest")
	up := verb("up", "Build what is missing and start the box", o.up)
	up.Flags().BoolVar(&o.noNode, "no-node", false, "control plane, Vault and registry only, on loopback")
	up.Flags().StringArrayVar(&o.apiServerFlags, "apiserver-flag", nil, "one more flag for kube-apiserver; repeatable")
	down := verb("down", "End the box; nothing is left but its logs", o.down)
	down.Flags().BoolVar(&o.withLogs, "with-logs", false, "remove the logs, too")
	verb("status", "Say whether the box runs and where everything is; fails if it does not run", o.status)
	verb("kubeconfig", "Print the path of the administrator's kubeconfig", o.kubeconfig)
	verb("env", "Print all that tests need to use the box, as export lines", o.env)
	root.AddCommand(o.nodeCommand())
	return root
}

func (o *options) nodeCommand() *cobra.Command {
	command := &cobra.Command{Use: "node", Short: "Disturb the node's kubelet"}
	for _, one := range []struct {
		use, short string
		signal     syscall.Signal
	}{
		{"restart-kubelet", "End the kubelet and start a new one; pods go on running", node.RestartKubelet},
		{"stop-kubelet", "End the kubelet; pods go on running, the Node becomes NotReady", node.StopKubelet},
		{"start-kubelet", "Start the kubelet again", node.StartKubelet},
	} {
		command.AddCommand(&cobra.Command{Use: one.use, Short: one.short, Args: cobra.NoArgs,
			RunE: func(command *cobra.Command, _ []string) error {
				folder, err := o.folder()
				if err != nil {
					return err
				}
				return folder.SignalNode(command.Context(), one.signal)
			}})
	}
	return command
}

func (o *options) folder() (box.Folder, error) {
	root, err := box.DefaultRoot()
	if err != nil {
		return "", err
	}
	return box.FolderOf(root, o.name)
}

// withoutNode is why there can be no node, or empty.
func (o *options) withoutNode() string {
	if o.noNode {
		return "--no-node"
	}
	if os.Geteuid() != 0 {
		return "a node needs root on Linux"
	}
	if err := network.CanIsolate(); err != nil {
		return fmt.Sprintf("this machine does not allow new namespaces (%v)", err)
	}
	return ""
}

// ensure builds into the cache. The sources are in the working folder: go -C hack/cluster run . makes it so.
func ensure(command *cobra.Command, only []string, withNode bool) (map[string]string, error) {
	source, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(source, "kubernetes", "go.mod")); err != nil {
		return nil, errors.New("run this where the sources of the box are: go -C hack/cluster run . VERB")
	}
	artifacts, err := build.Select(only, withNode, os.Getenv("BOX_VAULT_VERSION"))
	if err != nil {
		return nil, err
	}
	root, err := build.DefaultRoot()
	if err != nil {
		return nil, err
	}
	return build.Cache{Root: root, Source: source, Progress: command.ErrOrStderr()}.Ensure(command.Context(), artifacts)
}

func (o *options) build(command *cobra.Command, _ []string) error {
	folders, err := ensure(command, o.only, o.withoutNode() == "")
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(command.OutOrStdout(), build.Exports(build.Environment(folders)))
	return err
}

func (o *options) up(command *cobra.Command, _ []string) error {
	progress := command.ErrOrStderr()
	folder, err := o.folder()
	if err != nil {
		return err
	}
	if done, err := o.runsAlready(command, folder); done || err != nil {
		return err
	}
	spec := box.Spec{Name: o.name, APIServerFlags: o.apiServerFlags}
	reason := o.withoutNode()
	if spec.Node = reason == ""; spec.Node {
		if spec.CNIBinaries, err = node.Packages(command.Context(), progress); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(progress, "without a node (%s): control plane, Vault and registry only, on loopback; pods stay Pending\n",
			reason)
	}
	if spec.Binaries, err = ensure(command, nil, spec.Node); err != nil {
		return err
	}
	start := time.Now()
	err = folder.Up(command.Context(), spec, progress)
	if errors.Is(err, box.ErrRunning) { // somebody else was quicker
		_, err = o.runsAlready(command, folder)
		return err
	}
	if err != nil {
		return fmt.Errorf("start the box %q: %w (logs: %s)", o.name, err, folder.Logs())
	}
	fmt.Fprintf(progress, "the box %q is up after %.1fs; kubeconfig: %s\n",
		o.name, time.Since(start).Seconds(), folder.Kubeconfig())
	return nil
}

func (o *options) runsAlready(command *cobra.Command, folder box.Folder) (bool, error) {
	info, err := folder.Running(command.Context())
	if errors.Is(err, box.ErrNotRunning) {
		return false, nil
	}
	if err == nil {
		fmt.Fprintf(command.ErrOrStderr(), "the box %q is running already (node: %t)\n", o.name, info.Spec.Node)
	}
	return err == nil, err
}

func (o *options) down(command *cobra.Command, _ []string) error {
	folder, err := o.folder()
	if err != nil {
		return err
	}
	wasRunning, err := folder.Down(command.Context())
	if err != nil {
		return err
	}
	if o.withLogs {
		if err := folder.Forget(); err != nil {
			return err
		}
	}
	if !wasRunning {
		fmt.Fprintf(command.ErrOrStderr(), "the box %q was not running\n", o.name)
		return nil
	}
	if o.withLogs {
		fmt.Fprintf(command.ErrOrStderr(), "the box %q is gone\n", o.name)
		return nil
	}
	fmt.Fprintf(command.ErrOrStderr(), "the box %q is gone; its logs stay until it starts again: %s\n",
		o.name, folder.Logs())
	return nil
}

func (o *options) status(command *cobra.Command, _ []string) error {
	folder, err := o.folder()
	if err != nil {
		return err
	}
	out := command.OutOrStdout()
	fmt.Fprintf(out, "box:    %s\nstate:  %s\nlogs:   %s\n", o.name, folder, folder.Logs())
	info, err := folder.Running(command.Context())
	if err != nil {
		return errors.Join(err, folder.LastWords())
	}
	fmt.Fprintf(out, "runs:   yes, supervisor has process id %d\nnode:   %t\n\n", info.Supervisor, info.Spec.Node)
	_, err = fmt.Fprint(out, build.Exports(info.Variables))
	return err
}

func (o *options) kubeconfig(command *cobra.Command, _ []string) error {
	folder, err := o.folder()
	if err != nil {
		return err
	}
	if _, err := folder.Running(command.Context()); err != nil {
		return err
	}
	_, err = fmt.Fprintln(command.OutOrStdout(), folder.Kubeconfig())
	return err
}

func (o *options) env(command *cobra.Command, _ []string) error {
	folder, err := o.folder()
	if err != nil {
		return err
	}
	info, err := folder.Running(command.Context())
	if err != nil {
		return err
	}
	variables := info.Environment(build.Environment(info.Spec.Binaries))
	_, err = fmt.Fprint(command.OutOrStdout(), build.Exports(variables))
	return err
}
