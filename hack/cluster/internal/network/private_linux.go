package network

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Private makes a network namespace with the node's bridge. It has no name: it ends with the last process in it.
func Private() (*Network, error) {
	n, err := start(func() error { return unix.Unshare(unix.CLONE_NEWNET) })
	if err != nil {
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	n.do(func() { err = addInterfaces() })
	if err != nil {
		return nil, fmt.Errorf("set up the box's network: %w", err)
	}
	return n, nil
}

func addInterfaces() error {
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	attributes := netlink.NewLinkAttrs()
	attributes.Name = Bridge
	// Without an address of its own a bridge takes the lowest of its ports and changes it as pods come and go; all pods would lose
	// the node until their neighbour entries expire.
	attributes.HardwareAddr = net.HardwareAddr{0x0a, 0x58, 10, 88, 0, 1}
	bridge := &netlink.Bridge{LinkAttrs: attributes}
	if err := netlink.LinkAdd(bridge); err != nil {
		return fmt.Errorf("add bridge %s: %w", Bridge, err)
	}
	_, everywhere, _ := net.ParseCIDR("0.0.0.0/0")
	return errors.Join(
		addAddress(loopback, ServiceIP+"/32"),
		addAddress(bridge, NodeIP+"/24"),
		netlink.LinkSetUp(loopback),
		netlink.LinkSetUp(bridge),
		// The kubelet wants a default route. Nothing is there: the box reaches no other network.
		netlink.RouteAdd(&netlink.Route{LinkIndex: bridge.Attrs().Index, Dst: everywhere, Scope: netlink.SCOPE_LINK}),
	)
}

func addAddress(link netlink.Link, cidr string) error {
	address, err := netlink.ParseAddr(cidr)
	if err != nil {
		return err
	}
	return netlink.AddrAdd(link, address)
}

// CanIsolate tries what a node needs and leaves no trace of it: the namespaces end with the thread that made them.
func CanIsolate() error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // for good, so the thread ends with this function
		result <- unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS)
	}()
	return <-result
}

func dieWithParent(command *exec.Cmd) { atParentsDeath(command, syscall.SIGKILL) }

func stopWithParent(command *exec.Cmd) { atParentsDeath(command, syscall.SIGTERM) }

func atParentsDeath(command *exec.Cmd, signal syscall.Signal) {
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	command.SysProcAttr.Pdeathsig = signal
}
