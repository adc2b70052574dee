package payload

import (
	"encoding/base64"
	"unicode/utf8"
)

// answerIn makes a docker config of what certainly is the login of registries in the words of another program: what it answered when it
// was asked, or what it is configured with, as it is stored with `vault kv put PATH @answer.json`. It is nil where an object is neither.
func answerIn(object map[string]any) map[string]any {
	for _, of := range []func(map[string]any) map[string]any{ofAmazon, ofAzure, ofHelper, ofProvider, ofNode} {
		if entries := of(object); entries != nil {
			return map[string]any{"auths": entries}
		}
	}
	return nil
}

// ofAmazon is for `aws ecr get-authorization-token`, of a list of registries, and of `aws ecr-public`, of one that has no address
// (https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_AuthorizationData.html).
func ofAmazon(object map[string]any) map[string]any {
	const public = "public.ecr.aws"
	tokens, _ := object["authorizationData"].([]any)
	if one, is := object["authorizationData"].(map[string]any); is {
		tokens = []any{one}
	}
	entries := map[string]any{}
	for _, token := range tokens {
		data, _ := token.(map[string]any)
		auth, address := textAt(data, "authorizationToken"), textAt(data, "proxyEndpoint")
		if address == "" {
			address = public
		}
		if auth == "" {
			return nil
		}
		entries[address] = map[string]any{"auth": auth}
	}
	return orNil(entries)
}

// ofAzure is for `az acr login --expose-token`: the user name of a token is always the same
// (https://learn.microsoft.com/azure/container-registry/container-registry-authentication#az-acr-login-with---expose-token).
func ofAzure(object map[string]any) map[string]any {
	const user = "00000000-0000-0000-0000-000000000000"
	address, token := textAt(object, "loginServer"), textAt(object, "accessToken")
	if address == "" || token == "" {
		return nil
	}
	return map[string]any{address: map[string]any{"username": user, "password": token}}
}

// ofHelper is for a credential helper of docker, such as docker-credential-ecr-login
// (https://github.com/docker/docker-credential-helpers#development).
func ofHelper(object map[string]any) map[string]any {
	address, username, password := textAt(object, "ServerURL"), textAt(object, "Username"), textAt(object, "Secret")
	if address == "" || username == "" || password == "" {
		return nil
	}
	return map[string]any{address: map[string]any{"username": username, "password": password}}
}

// ofProvider is for a credential provider of kubelets
// (https://kubernetes.io/docs/reference/config-api/kubelet-credentialprovider.v1/#CredentialProviderResponse).
func ofProvider(object map[string]any) map[string]any {
	entries, _ := object["auth"].(map[string]any)
	if object["kind"] != "CredentialProviderResponse" || !isDockercfg(entries) {
		return nil
	}
	return entries
}

// ofNode is for the file registries.yaml of k3s and RKE2 (https://docs.k3s.io/installation/private-registry).
func ofNode(object map[string]any) map[string]any {
	configs, _ := object["configs"].(map[string]any)
	entries := map[string]any{}
	for host, config := range configs {
		settings, _ := config.(map[string]any)
		if settings["auth"] != nil { // others are about TLS alone
			entries[host] = settings["auth"]
		}
	}
	if !isDockercfg(entries) {
		return nil
	}
	return entries
}

func textAt(object map[string]any, name string) string {
	text, _ := object[name].(string)
	return text
}

func orNil(entries map[string]any) map[string]any {
	if len(entries) == 0 {
		return nil
	}
	return entries
}

// opened are the fields of a secret that is the manifest of a Secret of Kubernetes as a whole: what is in data and stringData. Others are
// as they are.
func opened(fields Fields) Fields {
	data, _ := fields["data"].(map[string]any)
	stringData, _ := fields["stringData"].(map[string]any)
	if fields["kind"] != "Secret" || len(data)+len(stringData) == 0 {
		return fields
	}
	inner := Fields{}
	for name, value := range data {
		text, _ := value.(string)
		decoded, err := base64.StdEncoding.DecodeString(text)
		if err != nil || !utf8.Valid(decoded) {
			continue
		}
		inner[name] = string(decoded)
	}
	for name, value := range stringData {
		inner[name] = value
	}
	return inner
}
