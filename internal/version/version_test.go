package version

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestWhichVersionIsSaid(t *testing.T) {
	commit := []debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: "895d7e6"}}
	for _, test := range []struct {
		name, linked string
		build        debug.BuildInfo
		want         string
	}{
		{"a release has the version of its linker flags", "v1.2.3", debug.BuildInfo{Main: debug.Module{Version: "v1.0.0"}}, "regcred v1.2.3, go"},
		{"go install has the version of the module", "", debug.BuildInfo{Main: debug.Module{Version: "v1.0.0"}}, "regcred v1.0.0, go"},
		{"a build without any says that it is none", "", debug.BuildInfo{}, "regcred (devel), go"},
		{"a build that notes the commit says it", "v1.2.3", debug.BuildInfo{Settings: commit}, "regcred v1.2.3, commit 895d7e6, go"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := of(test.linked, &test.build).String(); !strings.HasPrefix(got, test.want) {
				t.Errorf("got %q, want it to begin with %q", got, test.want)
			}
		})
	}
}

func TestTheProgramKnowsItsVersion(t *testing.T) {
	if info := Get(); info.Version == "" || !strings.HasPrefix(info.Go, "go") {
		t.Errorf("got %+v", info)
	}
}
