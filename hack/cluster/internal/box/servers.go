package box

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"regcred.dev/regcred/hack/cluster/internal/network"
	"regcred.dev/regcred/hack/cluster/internal/node"
)

// backends are what Vault and the registry tell about themselves once they are ready.
type backends struct {
	Vault struct {
		Address   string `json:"address"`
		RootToken string `json:"rootToken"`
		UnsealKey string `json:"unsealKey"`
	}
	Registry struct {
		Basic string `json:"basic"` // host:port
		Token string `json:"token"` // host:port
		Admin string `json:"admin"` // URL
	}
}

func (s *supervisor) startBackends(ctx context.Context) (b backends, err error) {
	vaultInfo, registryInfo := s.folder.path("vault.json"), s.folder.path("registry.json")
	if err := errors.Join(
		s.run("vault", s.spec.binary("vault"), s.addresses.vaultFlags(vaultInfo)...),
		s.run("registry", s.spec.binary("registry"), s.addresses.registryFlags(s.folder, registryInfo)...),
	); err != nil {
		return b, err
	}
	if err := waitJSON(ctx, vaultInfo, &b.Vault); err != nil {
		return b, fmt.Errorf("Vault: %w", err)
	}
	if err := waitJSON(ctx, registryInfo, &b.Registry); err != nil {
		return b, fmt.Errorf("registry: %w", err)
	}
	s.step("Vault and registry are ready")
	return b, nil
}

func (s *supervisor) startControlPlane(ctx context.Context) error {
	kubernetes := s.spec.binary("kubernetes")
	a := s.addresses
	if err := s.run("etcd", kubernetes, a.etcdFlags(s.folder)...); err != nil {
		return err
	}
	apiServer := a.apiServerFlags(s.folder, s.spec.Node, s.spec.APIServerFlags)
	if err := s.run("kube-apiserver", kubernetes, apiServer...); err != nil {
		return err
	}
	if err := s.waitAPIServer(ctx); err != nil {
		return err
	}
	s.step("etcd and kube-apiserver are ready")
	return errors.Join(
		s.run("kube-controller-manager", kubernetes, a.controllerManagerFlags(s.folder)...),
		s.run("kube-scheduler", kubernetes, a.schedulerFlags(s.folder)...),
	)
}

func (s *supervisor) startNode() (pid int, err error) {
	if err := node.MakeCgroup(s.folder.cgroup()); err != nil {
		return 0, err
	}
	dns, err := s.network.ListenPacket(network.NodeIP + ":53")
	if err != nil {
		return 0, err
	}
	go network.ServeDNS(dns)
	config, err := node.Config{
		Folder:          s.folder.path("node"),
		Logs:            s.folder.Logs(),
		Containerd:      s.spec.Binaries["containerd"],
		Kubernetes:      s.spec.binary("kubernetes"),
		Pause:           s.spec.binary("pause"),
		CNIBinaries:     s.spec.CNIBinaries,
		Kubeconfig:      s.folder.path("kubelet.kubeconfig"),
		CAFile:          s.folder.pkiFile("ca.crt"),
		Cgroup:          s.folder.cgroup(),
		PlainRegistries: []string{s.addresses.at(s.addresses.registryBasic), s.addresses.at(s.addresses.registryToken)},
		Names:           namesOf(s.addresses.at(s.addresses.registryBasic)),
	}.Write()
	if err != nil {
		return 0, err
	}
	return s.runCommand("node", node.Command(config, nodeVerb))
}

// variables makes the servers reachable from the host and says under which addresses they are.
func (s *supervisor) variables(known backends) (map[string]string, error) {
	vault, err := url.Parse(known.Vault.Address)
	if err != nil {
		return nil, err
	}
	admin, err := url.Parse(known.Registry.Admin)
	if err != nil {
		return nil, err
	}
	variables := map[string]string{
		"KUBECONFIG":                    s.folder.Kubeconfig(),
		"BOX_NAME":                      s.spec.Name,
		"BOX_NODE":                      fmt.Sprint(s.spec.Node),
		"BOX_VAULT_TOKEN":               known.Vault.RootToken,
		"BOX_VAULT_UNSEAL_KEY":          known.Vault.UnsealKey,
		"BOX_VAULT_ADDR_IN_CLUSTER":     known.Vault.Address,
		"BOX_REGISTRY_BASIC_IN_CLUSTER": known.Registry.Basic,
		"BOX_REGISTRY_TOKEN_IN_CLUSTER": known.Registry.Token,
	}
	for _, forwarded := range []struct{ variable, scheme, address string }{
		{"BOX_VAULT_ADDR", "http://", vault.Host},
		{"BOX_REGISTRY_BASIC", "", known.Registry.Basic},
		{"BOX_REGISTRY_TOKEN", "", known.Registry.Token},
		{"BOX_REGISTRY_ADMIN", "http://", admin.Host},
	} {
		address, err := s.fromHost(forwarded.address)
		if err != nil {
			return nil, err
		}
		variables[forwarded.variable] = forwarded.scheme + address
	}
	variables["BOX_APISERVER_IN_CLUSTER"], err = s.publishAPIServer()
	return variables, err
}

// publishAPIServer writes the administrator's kubeconfig and returns the API server's address for node and pods.
func (s *supervisor) publishAPIServer() (string, error) {
	address, err := s.fromHost(s.addresses.local(s.addresses.apiServer))
	if err != nil {
		return "", err
	}
	inCluster := "https://" + address
	if s.spec.Node {
		inCluster = "https://" + network.ServiceIP
	}
	return inCluster, writeKubeconfig(s.folder.Kubeconfig(), "https://"+address, s.folder.pkiFile("ca.crt"), s.users.admin)
}

// fromHost is where the host reaches an address of the box.
func (s *supervisor) fromHost(address string) (string, error) {
	if !s.spec.Node {
		return address, nil
	}
	return s.network.Forward(s.life, address)
}

// namesOf are other hosts under which the node reaches the registry with basic auth; test/e2e uses them. Two are such as clouds have, for
// logins that the stand-ins of clouds give.
func namesOf(registry string) map[string]string {
	names := map[string]string{}
	for _, name := range []string{
		"registry-1.box.example", "REGISTRY.BOX.EXAMPLE", "111122223333.dkr.ecr.eu-west-1.amazonaws.com", "company.azurecr.io",
	} {
		names[name] = registry
	}
	return names
}
