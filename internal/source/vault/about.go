package vault

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"regcred.dev/regcred/api/v1alpha1"
)

// isVersion2 is what to change where a mount is KV version 2 and the spec says otherwise.
const isVersion2 = "the mount is KV version 2: set engine KVv2, and leave data/ out of the path"

// withPath adds to a denied read what Vault was asked for: the path that a policy must name, which has data/ in it with KV v2.
func (f *failure) withPath(path string) *failure {
	if f == nil || f.Outcome != outcomeDenied || f.detail != "" {
		return f
	}
	told := *f
	return told.saying("Vault answers 403 to a read of " + path + ", for which a policy has to grant read")
}

// enginePaths begin the paths at which engines make credentials, and hardly a path of KV.
var enginePaths = []string{"creds/", "static-creds/", "sts/"}

// forgottenEngine adds to a denied read of KV that the path looks like that of an engine: Vault refuses unknown paths as it refuses others.
func forgottenEngine(place *v1alpha1.VaultSource, path string, f *failure) *failure {
	if f == nil || f.Outcome != outcomeDenied || !slices.ContainsFunc(enginePaths, func(start string) bool { return strings.HasPrefix(place.Path, start) }) {
		return f
	}
	told := *f
	return told.saying("Vault answers 403 to a read of " + path + ": if the engine there makes credentials, set engine: Dynamic")
}

// aboutRequest adds to a refusal what spec.source.vault.request has to do with it.
func aboutRequest(place *v1alpha1.VaultSource, path string, a *answer, f *failure) *failure {
	switch {
	case f == nil:
	case f.Outcome == outcomeDenied && place.Posts():
		f.saying("Vault answers 403 to a POST to " + path + ", for which a policy has to grant update")
	case f.Outcome == outcomeDenied:
		return f.withPath(path)
	case f.Outcome == outcomeBadRequest && place.Posts():
		f.saying("the engine does not take this POST: compare spec.source.vault.request with its documentation")
	case a != nil && a.status == http.StatusMethodNotAllowed:
		f.saying("the engine does not take GET here: where it documents POST, set spec.source.vault.request")
	}
	return f
}

// aboutRole tells that an engine knows no such role from other refusals. Engines say so in words of their own, with 400 or 404.
func aboutRole(a *answer, f *failure) *failure {
	switch {
	case f == nil:
	case f.Outcome == outcomeNeverWritten:
		return outcomeNoRole.at(f.place)
	case f.Outcome == outcomeBadRequest && a != nil && a.status == http.StatusBadRequest && saysNoRole(a.content.Errors):
		return outcomeNoRole.at(f.place)
	}
	return f
}

// saysNoRole reports whether an engine says that it does not have what was asked for, as those of AWS (Role "a" not found), of databases
// (unknown role: a), of Azure and Google Cloud (role 'a' does not exist) and of JFrog (no such role: a) do.
func saysNoRole(errors []string) bool {
	return slices.ContainsFunc(errors, func(text string) bool {
		text = strings.ToLower(text)
		return strings.Contains(text, "role") && slices.ContainsFunc([]string{"not found", "unknown role", "does not exist", "no such role", "not recognised"},
			func(part string) bool { return strings.Contains(text, part) })
	})
}

// secondLook tells a secret that was never written, or may not be read, from one in an engine of another kind, which answers the same.
// Vault's own command line asks the same endpoint; where the policy does not allow it, the first look stands.
func (c *connection) secondLook(ctx context.Context, place *v1alpha1.VaultSource, first *failure) *failure {
	if first == nil || first.Outcome != outcomeNeverWritten && first.Outcome != outcomeDenied {
		return first
	}
	s, failure := c.tokens.acquire(ctx)
	if failure != nil {
		return first
	}
	defer s.users.Done()
	a, failure := c.sendOnce(ctx, first.place, func(ctx context.Context) (*answer, error) {
		return get(ctx, s.client, "sys/internal/ui/mounts/"+place.Mount, nil)
	})
	if failure != nil || a.content.Data == nil {
		return first
	}
	kind, _ := a.content.Data["type"].(string)
	options, _ := a.content.Data["options"].(map[string]any)
	version, _ := options["version"].(string)
	return byMount(place, first, kind, version)
}

// byMount is the first look again, or that the mount is of another kind than the spec says.
func byMount(place *v1alpha1.VaultSource, first *failure, kind, version string) *failure {
	engine, isKV := place.EngineKind(), kind == "kv" || kind == "generic"
	if engine == v1alpha1.EngineDynamic {
		if kind == "kv" && version == "2" {
			return outcomeWrongEngine.at(first.place).saying(isVersion2)
		}
		return first
	}
	switch {
	case !isKV:
		return outcomeWrongEngine.at(first.place).saying(fmt.Sprintf("the mount is of type %q: set engine Dynamic", kind))
	case engine == v1alpha1.EngineKVv2 && version != "2":
		return outcomeWrongEngine.at(first.place).saying("the mount is KV version 1: set engine KVv1")
	case engine == v1alpha1.EngineKVv1 && version == "2":
		return outcomeWrongEngine.at(first.place).saying("the mount is KV version 2: set engine KVv2")
	case engine == v1alpha1.EngineKVv2 && strings.HasPrefix(place.Path, "data/"):
		return first.Outcome.at(first.place).saying("spec.source.vault.path is written without data/")
	}
	return first
}
