package main

import (
	"context"
	"os"

	"sigs.k8s.io/yaml"
)

// downloads is where archives of the plugin are fetched from. It is not decided yet: whoever publishes a release replaces it.
const downloads = "https://DOWNLOADS"

type krewPlatform struct {
	Selector map[string]map[string]string `json:"selector"`
	URI      string                       `json:"uri"`
	SHA256   string                       `json:"sha256"`
	Files    []map[string]string          `json:"files"`
	Bin      string                       `json:"bin"`
}

// buildKrew writes the manifest by which krew installs the plugin.
func (r *release) buildKrew(context.Context) error {
	var entries []krewPlatform
	for _, p := range r.platforms {
		name := r.archive(plugin, p)
		sum, err := checksum(r.path(name))
		if err != nil {
			return err
		}
		entries = append(entries, krewPlatform{
			Selector: map[string]map[string]string{"matchLabels": {"os": p.os, "arch": p.arch}},
			URI:      downloads + "/" + r.version + "/" + name, SHA256: sum, Bin: p.file(plugin),
			Files: []map[string]string{{"from": p.file(plugin), "to": "."}, {"from": "LICENSE", "to": "."}},
		})
	}
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": "krew.googlecontainertools.github.com/v1alpha2", "kind": "Plugin",
		"metadata": map[string]any{"name": "regcred"},
		"spec": map[string]any{
			"version": r.version, "homepage": "https://regcred.dev/regcred",
			"shortDescription": "Explain why pods cannot pull their images",
			"description":      "Shows why pods cannot pull their images, and what the operator regcred does about it. It changes nothing.",
			"platforms":        entries,
		},
	})
	if err != nil {
		return err
	}
	return os.WriteFile(r.path("regcred.krew.yaml"), text, 0o644)
}
