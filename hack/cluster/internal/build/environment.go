package build

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Environment tells a shell and its tests where the binaries are. Folders are those that Ensure returned.
func Environment(folders map[string]string) map[string]string {
	variables := map[string]string{}
	for name, folder := range folders {
		switch name {
		case "oldest":
			variables["BOX_OLDEST_BIN"] = filepath.Join(folder, name)
		case "kubernetes":
			variables["KUBEBUILDER_ASSETS"] = folder
			fallthrough
		case "vault", "registry", "pause":
			variables["BOX_"+strings.ToUpper(name)+"_BIN"] = filepath.Join(folder, name)
		}
	}
	return variables
}

// Exports renders variables as lines that any POSIX shell can eval, sorted by name.
func Exports(variables map[string]string) string {
	var lines []string
	for name, value := range variables {
		lines = append(lines, fmt.Sprintf("export %s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`)))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}
