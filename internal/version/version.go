// Package version says which version of regcred a program is.
package version

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the linker for a release: -ldflags "-X regcred.dev/regcred/internal/version.version=v1.2.3".
var version = ""

// Development is the version of a program that was built from a clone.
const Development = "(devel)"

// Info about the program that runs.
type Info struct {
	// Version of the release, or of the module where go install built the program, or Development.
	Version string
	// Commit that the program was built from, where the build noted it.
	Commit string
	// Go is the version of the compiler.
	Go string
}

// Get says what is known of this program.
func Get() Info {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		build = &debug.BuildInfo{}
	}
	return of(version, build)
}

// of prefers what the linker was told to what the build noted of its module.
func of(linked string, build *debug.BuildInfo) Info {
	info := Info{Version: linked, Go: runtime.Version()}
	if info.Version == "" {
		info.Version = build.Main.Version
	}
	if info.Version == "" {
		info.Version = Development
	}
	for _, setting := range build.Settings {
		if setting.Key == "vcs.revision" {
			info.Commit = setting.Value
		}
	}
	return info
}

// String is one line for people.
func (i Info) String() string {
	text := "regcred " + i.Version
	if i.Commit != "" {
		text += ", commit " + i.Commit
	}
	return fmt.Sprintf("%s, %s, %s/%s", text, i.Go, runtime.GOOS, runtime.GOARCH)
}
