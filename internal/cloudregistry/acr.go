package cloudregistry

import (
	"regexp"
	"strings"
)

// ACR is a registry of Azure.
type ACR struct {
	// Host is the registry's, in lower case.
	Host string
	// Login is the host of the authority that gives access tokens in this cloud, Scope what they are asked for.
	Login, Scope string
}

// azureClouds are the clouds by the suffix of their registries, as the Azure CLI and the SDKs know them
// (azcore/cloud, and sdk/containers/azcontainerregistry/cloud_config.go of azure-sdk-for-go). Azure Germany has been closed.
var azureClouds = map[string]ACR{
	"azurecr.io": {Login: "login.microsoftonline.com", Scope: "https://containerregistry.azure.net/.default"},
	"azurecr.cn": {Login: "login.chinacloudapi.cn", Scope: "https://management.core.chinacloudapi.cn/.default"},
	"azurecr.us": {Login: "login.microsoftonline.us", Scope: "https://management.core.usgovcloudapi.net/.default"},
}

// acrHost: a registry has 5 to 50 letters and digits, and since 2025 perhaps a hash behind a hyphen. Each replica of a registry may have a
// host of its own with the region in it, such as company.eastus2.geo.azurecr.io, which logs in on its own, too
// (https://learn.microsoft.com/azure/container-registry/container-registry-geo-replication). Hosts for data (eastus2.data) are none: who is
// sent there brings no login.
var acrHost = regexp.MustCompile(`^[a-z0-9]{5,50}(?:-[a-z0-9]{4,32})?(?:\.[a-z0-9]{2,40}\.geo)?\.(azurecr\.(?:io|cn|us))$`)

// ParseACR reads the host of a registry, in any case of letters. It reports false for a host that is none of Azure's.
func ParseACR(host string) (ACR, bool) {
	host = strings.ToLower(host)
	match := acrHost.FindStringSubmatch(host)
	if match == nil {
		return ACR{}, false
	}
	registry := azureClouds[match[1]]
	registry.Host = host
	return registry, true
}

// tenant is a GUID or a domain of the tenant: a segment of a path, and nothing else.
var tenant = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?){0,8}$`)

// IsTenant reports whether a text names a tenant of Entra, by its GUID or one of its domains.
func IsTenant(text string) bool { return len(text) <= 128 && tenant.MatchString(text) }
