package main

import (
	"encoding/json"
	"fmt"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/adoption"
	"regcred.dev/regcred/internal/preview"
)

// write makes the manifest, and notes what whoever applies it should know.
func (d *adopt) write(registry string, limits preview.Limits, result *adoptable) {
	taken, left := adoption.InManifest(result.Secrets, d.unused)
	result.Notes = append(result.Notes, givenPassword(taken)...)
	if len(left) > 0 {
		result.Notes = append(result.Notes, fmt.Sprintf("The manifest leaves out %s that no pod and no ServiceAccount is known to name: %s. Where a CronJob or a workload without pods names one, take it over with --include-unused",
			countOf(len(left), "hand-made Secret"), firstOf(placesOf(left))))
	}
	source := v1alpha1.Source{Vault: &v1alpha1.VaultSource{Connection: d.vault, Mount: d.mount, Path: d.path}}
	result.Manifests = adoption.Manifests(registry, source, taken)
	for i := range result.Manifests {
		if left := adoption.LeftOut(&result.Manifests[i], taken); left > 0 {
			result.Notes = append(result.Notes, fmt.Sprintf("RegistryCredential %s of the manifest lists the ServiceAccounts that most namespaces have, and one may list no more: %s that also name the Secret are left out",
				result.Manifests[i].Name, countOf(left, "ServiceAccount")))
		}
		for _, missing := range limits.NotGiven(&result.Manifests[i]) {
			result.Notes = append(result.Notes, fmt.Sprintf("RegistryCredential %s of the manifest would be Stalled, because %s", result.Manifests[i].Name, missing))
		}
	}
}

// givenPassword names the namespaces that get another password than they have: whoever applies the manifest decides that they may.
func givenPassword(taken []adoption.Found) []string {
	var other, unknown []adoption.Found
	for _, one := range taken {
		switch one.Current {
		case adoption.CurrentNo:
			other = append(other, one)
		case adoption.CurrentUnknown:
			unknown = append(unknown, one)
		}
	}
	var notes []string
	for _, part := range []struct {
		found []adoption.Found
		with  string
	}{
		{other, "with another password than the one in use"},
		{unknown, "whose password may be another than the one in use"},
	} {
		if len(part.found) > 0 {
			notes = append(notes, fmt.Sprintf("The manifest takes over %s %s: %s. Whoever applies it gives these namespaces the one in use: see that each may have it",
				countOf(len(part.found), "Secret"), part.with, firstOf(placesOf(part.found))))
		}
	}
	return notes
}

func placesOf(found []adoption.Found) []string {
	var places []string
	for _, one := range found {
		places = append(places, one.Namespace+"/"+one.Name)
	}
	return places
}

// manifestText is a RegistryCredential as a person would write it.
func manifestText(object *v1alpha1.RegistryCredential) (string, error) {
	encoded, err := json.Marshal(map[string]any{
		"apiVersion": object.APIVersion, "kind": object.Kind, "metadata": map[string]string{"name": object.Name}, "spec": object.Spec,
	})
	if err != nil {
		return "", err
	}
	text, err := visibleYAML(encoded)
	return string(text), err
}
