package box

import (
	"fmt"
	"net"

	"regcred.dev/regcred/hack/cluster/internal/network"
)

// addresses are where the servers of a box listen, in the network of the box.
type addresses struct {
	// ip is where pods and node find a server; without a node it is loopback.
	ip string
	// Ports. With a node they are the usual ones; without, free ones of the host.
	apiServer, etcd, etcdPeer, controllerManager, scheduler int
	vault, registryBasic, registryToken, registryAdmin      int
}

// nodeAddresses can be the same for every box: each has a network of its own. The API server takes the port of the
// Service default/kubernetes, whose cluster IP is the node's, so nothing has to stand between the two.
func nodeAddresses() addresses {
	return addresses{
		ip:        network.NodeIP,
		apiServer: 443, etcd: 2379, etcdPeer: 2380, controllerManager: 10257, scheduler: 10259,
		vault: 8200, registryBasic: 5000, registryToken: 5001, registryAdmin: 5002,
	}
}

// loopbackAddresses takes free ports. Vault and registry choose their own, the others cannot.
func loopbackAddresses() (addresses, error) {
	a := addresses{ip: "127.0.0.1"}
	for _, port := range []*int{&a.apiServer, &a.etcd, &a.etcdPeer, &a.controllerManager, &a.scheduler} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return a, err
		}
		defer listener.Close() // together at the end, so that no port is given twice
		*port = listener.Addr().(*net.TCPAddr).Port
	}
	return a, nil
}

// at is a port where pods and node find it, local one that only the box's own processes use.
func (a addresses) at(port int) string    { return fmt.Sprintf("%s:%d", a.ip, port) }
func (a addresses) local(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

func (a addresses) etcdFlags(f Folder) []string {
	client, peer := "http://"+a.local(a.etcd), "http://"+a.local(a.etcdPeer)
	return []string{
		"etcd",
		"--name=box",
		"--data-dir=" + f.path("etcd"),
		"--listen-client-urls=" + client,
		"--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer,
		"--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=box=" + peer,
		"--log-level=warn",
		"--unsafe-no-fsync", // the data is not to survive the box
	}
}

func (a addresses) apiServerFlags(f Folder, node bool, more []string) []string {
	flags := []string{
		"kube-apiserver",
		"--etcd-servers=http://" + a.local(a.etcd),
		fmt.Sprintf("--secure-port=%d", a.apiServer),
		"--tls-cert-file=" + f.pkiFile("apiserver.crt"),
		"--tls-private-key-file=" + f.pkiFile("apiserver.key"),
		"--client-ca-file=" + f.pkiFile("ca.crt"),
		"--token-auth-file=" + f.pkiFile("tokens.csv"),
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + f.pkiFile("service-accounts.key"),
		"--service-account-signing-key-file=" + f.pkiFile("service-accounts.key"),
		"--service-cluster-ip-range=" + network.ServiceSubnet,
		"--kubelet-client-certificate=" + f.pkiFile("apiserver-kubelet.crt"),
		"--kubelet-client-key=" + f.pkiFile("apiserver-kubelet.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--allow-privileged",
	}
	if node {
		flags = append(flags, "--bind-address=0.0.0.0", "--advertise-address="+a.ip)
	} else {
		// Loopback is no address to advertise, and there is no pod to read it.
		flags = append(flags, "--bind-address=127.0.0.1", "--endpoint-reconciler-type=none")
	}
	return append(flags, more...)
}

func (a addresses) controllerManagerFlags(f Folder) []string {
	return []string{
		"kube-controller-manager",
		"--kubeconfig=" + f.path("controller-manager.kubeconfig"),
		"--leader-elect=false",
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", a.controllerManager),
		"--service-account-private-key-file=" + f.pkiFile("service-accounts.key"),
		"--root-ca-file=" + f.pkiFile("ca.crt"),
		"--use-service-account-credentials",
		"--kube-api-qps=200", "--kube-api-burst=200", // the default makes the first seconds slow
		"--flex-volume-plugin-dir=" + f.path("volume-plugins"), // its default is a folder of the system
	}
}

func (a addresses) schedulerFlags(f Folder) []string {
	return []string{
		"kube-scheduler",
		"--kubeconfig=" + f.path("scheduler.kubeconfig"),
		"--leader-elect=false",
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", a.scheduler),
	}
}

func (a addresses) vaultFlags(infoFile string) []string {
	return []string{"-listen", a.at(a.vault), "-root-token", "root", "-info-file", infoFile, "-allow-any-address"}
}

func (a addresses) registryFlags(f Folder, infoFile string) []string {
	return []string{
		"-basic", a.at(a.registryBasic),
		"-token", a.at(a.registryToken),
		"-admin", a.at(a.registryAdmin),
		"-data", f.path("registry"),
		"-info-file", infoFile,
		"-allow-any-address",
	}
}
