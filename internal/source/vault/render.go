package vault

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/registry"
)

// rendering makes docker config entries of a secret's keys.
type rendering struct {
	where      string
	place      *v1alpha1.VaultSource
	data       map[string]any
	registries []v1alpha1.Registry
	findings   []dockerconfig.Finding
}

// config gives one entry for each registry of the spec, under its canonical key.
func (r *rendering) config() (dockerconfig.Config, *failure) {
	keys, f := r.canonicalKeys()
	if f != nil {
		return nil, f
	}
	names := r.place.KeyNames()
	if names.DockerConfig != "" {
		return r.fromDockerConfig(names.DockerConfig, keys)
	}
	credential, f := r.credential(names)
	if f != nil {
		return nil, f
	}
	config := make(dockerconfig.Config, len(keys))
	for key := range keys {
		config[key] = credential
	}
	return config, nil
}

// canonicalKeys are the docker config keys of the spec's registries, each with the spelling of the spec.
func (r *rendering) canonicalKeys() (map[string]string, *failure) {
	keys := make(map[string]string, len(r.registries))
	for _, name := range r.registries {
		key, err := registry.CanonicalKey(string(name))
		if err != nil {
			return nil, outcomeBadRegistry.at("spec.registries").because(err).saying(err.Error())
		}
		keys[key] = string(name)
		r.noteKey("spec.registries", string(name), key)
	}
	return keys, nil
}

func (r *rendering) credential(names v1alpha1.VaultKeys) (dockerconfig.Credential, *failure) {
	if names.Auth != "" {
		value, f := r.value(names.Auth)
		if f != nil {
			return dockerconfig.Credential{}, f
		}
		credential, err := dockerconfig.FromAuth(value)
		return r.checked(credential, err, names.Auth)
	}
	username := r.place.Username
	if username == "" {
		var f *failure
		if username, f = r.value(names.Username); f != nil {
			return dockerconfig.Credential{}, f
		}
	}
	password, f := r.value(names.Password)
	if f != nil {
		return dockerconfig.Credential{}, f
	}
	credential, err := dockerconfig.NewCredential(username, password)
	return r.checked(credential, err, names.Password)
}

func (r *rendering) checked(credential dockerconfig.Credential, err error, key string) (dockerconfig.Credential, *failure) {
	if err != nil {
		return credential, outcomeMalformed.at(r.where).because(err).saying(err.Error())
	}
	if credential.Trimmed() {
		r.noteTrimmed(fmt.Sprintf("key %q", key))
	}
	return credential, nil
}

func (r *rendering) noteTrimmed(what string) {
	r.findings = append(r.findings, dockerconfig.Finding{
		Reason:  dockerconfig.ReasonTrailingNewline,
		Message: fmt.Sprintf("%s: the password in %s ends in a line break, which was taken off: store it without", r.where, what),
	})
}

// noteKey notes a spelling of a registry that a kubelet never uses. It is published under its canonical key.
func (r *rendering) noteKey(where, name, canonical string) {
	for _, finding := range dockerconfig.LintKey(name) {
		finding.Key, finding.Message = "", fmt.Sprintf("%s: %s. It is published as %q", where, finding, canonical)
		r.findings = append(r.findings, finding)
	}
}

// value takes a key as it is. Only text is taken: JSON numbers lose digits on their way through many tools, and nobody
// can say what was meant.
func (r *rendering) value(key string) (string, *failure) {
	value, found := r.data[key]
	if !found || value == nil {
		return "", outcomeKeyMissing.at(r.where).saying(fmt.Sprintf("it has no key %q", key))
	}
	switch value := value.(type) {
	case string:
		return value, nil
	case json.Number:
		return "", outcomeMalformed.at(r.where).saying(fmt.Sprintf("key %q holds a number: store it as text, in quotes", key))
	default:
		return "", outcomeMalformed.at(r.where).saying(fmt.Sprintf("key %q holds no text: store it as text", key))
	}
}

// fromDockerConfig takes the listed registries out of a whole docker config.
func (r *rendering) fromDockerConfig(key string, wanted map[string]string) (dockerconfig.Config, *failure) {
	text, f := r.value(key)
	if f != nil {
		return nil, f
	}
	stored, err := r.parse([]byte(text), wanted)
	if err != nil {
		return nil, outcomeMalformed.at(r.where).because(err).saying(fmt.Sprintf("key %q: %v", key, err))
	}
	config := make(dockerconfig.Config, len(wanted))
	for _, name := range sortedKeys(stored) {
		canonical, err := registry.CanonicalKey(name)
		if _, listed := wanted[canonical]; err != nil || !listed {
			continue
		}
		if before, twice := config[canonical]; twice && !before.Equal(stored[name]) {
			return nil, outcomeMalformed.at(r.where).saying(fmt.Sprintf("key %q has two different entries for %s", key, wanted[canonical]))
		}
		config[canonical] = stored[name]
		r.noteKey(fmt.Sprintf("%s, key %q", r.where, key), name, canonical)
		if stored[name].Trimmed() {
			r.noteTrimmed(fmt.Sprintf("the entry %q", name))
		}
	}
	if missing := missing(wanted, config); len(missing) > 0 {
		return nil, outcomeRegistryMissing.at(r.where).saying(fmt.Sprintf("key %q has no entry for %s%s", key, strings.Join(missing, ", "), nearMiss(stored, missing)))
	}
	return config, nil
}

// parse reads a docker config strictly, but lets the faults of entries that nobody asked for be.
func (r *rendering) parse(text []byte, wanted map[string]string) (dockerconfig.Config, error) {
	config, strict := dockerconfig.Parse(text)
	var fault *dockerconfig.EntryError
	if strict == nil || !errors.As(strict, &fault) {
		return config, strict
	}
	entries, err := dockerconfig.ParseRaw(text)
	if err != nil {
		return nil, strict
	}
	before := len(entries)
	for key := range entries {
		canonical, err := registry.CanonicalKey(key)
		if _, listed := wanted[canonical]; err != nil || !listed {
			delete(entries, key)
		}
	}
	document, err := dockerconfig.RenderRaw(entries)
	if err != nil || len(entries) == before {
		return nil, strict
	}
	return dockerconfig.Parse(document)
}

// nearMiss names an entry that was probably meant for one of the missing registries, and why a kubelet would not use it.
func nearMiss(stored dockerconfig.Config, missing []string) string {
	for _, name := range sortedKeys(stored) {
		for _, listed := range missing {
			host, is := registry.Host(listed), registry.Host(name)
			switch {
			case registry.MissesByPort(name, host+"/x/x"):
				return fmt.Sprintf("; its entry %q lacks the port, without which a kubelet takes it for another registry: store it as %q", name, listed)
			case is != host && strings.EqualFold(is, host):
				return fmt.Sprintf("; its entry %q has other letters, and a kubelet compares letter by letter: store it as %q", name, listed)
			}
		}
	}
	return ""
}

func missing(wanted map[string]string, config dockerconfig.Config) []string {
	var names []string
	for key, name := range wanted {
		if _, found := config[key]; !found {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func sortedKeys(config dockerconfig.Config) []string {
	keys := make([]string, 0, len(config))
	for key := range config {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
