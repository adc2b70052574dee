package network

// Addresses within the private network. Each box has the same: nobody outside of it sees them.
const (
	// NodeIP is the node's address and the pods' gateway.
	NodeIP = "10.88.0.1"
	// PodSubnet holds the pods and the node.
	PodSubnet = "10.88.0.0/24"
	// ServiceIP is the cluster IP of the Service default/kubernetes. Being an address of the node, it leads to the
	// API server without a kube-proxy.
	ServiceIP = "10.96.0.1"
	// ServiceSubnet holds the cluster IPs.
	ServiceSubnet = "10.96.0.0/24"
	// Bridge is what the pods' interfaces are attached to.
	Bridge = "cni0"
)
