package main

import (
	"strings"
	"testing"
)

func TestOwnerKindsAreReadFromTheFlag(t *testing.T) {
	for _, test := range []struct {
		name      string
		arguments []string
		want      string
		wrong     []string
	}{
		{name: "none"},
		{name: "an empty value, as the manifests give it", arguments: []string{"--recovery-owner-kinds="}},
		{name: "two in one", arguments: []string{"--recovery-owner-kinds=core.strimzi.io/StrimziPodSet,apps.kruise.io/CloneSet"}, want: "core.strimzi.io/StrimziPodSet,apps.kruise.io/CloneSet"},
		{name: "the flag given twice", arguments: []string{"--recovery-owner-kinds=core.strimzi.io/StrimziPodSet", "--recovery-owner-kinds=apps.kruise.io/CloneSet"},
			want: "core.strimzi.io/StrimziPodSet,apps.kruise.io/CloneSet"},
		{name: "a version", arguments: []string{"--recovery-owner-kinds=core.strimzi.io/v1beta2/StrimziPodSet"}, wrong: []string{"--recovery-owner-kinds", "group/Kind", "core.strimzi.io/StrimziPodSet"}},
		{name: "a kind of Kubernetes", arguments: []string{"--recovery-owner-kinds=batch/Job"}, wrong: []string{"--recovery-owner-kinds", `"batch/Job" is a kind of Kubernetes`}},
		{name: "a comma at the end", arguments: []string{"--recovery-owner-kinds=core.strimzi.io/StrimziPodSet,"}, wrong: []string{`"" is not of the form group/Kind`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			command := newCommand()
			err := command.ParseFlags(test.arguments)
			for _, word := range test.wrong {
				if err == nil || !strings.Contains(err.Error(), word) {
					t.Errorf("%v does not say %q", err, word)
				}
			}
			if got := command.Flags().Lookup("recovery-owner-kinds").Value.String(); test.wrong == nil && (err != nil || got != test.want) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}
