package main

import (
	"bytes"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// of is this module's folder, seen from here.
const of = ".."

// drawn is the picture as it would be drawn now.
func drawn(t *testing.T) (dashboard, []byte) {
	t.Helper()
	d, err := readDashboard(filesIn(of).dashboard)
	must(t, err)
	r, err := readRecording(filesIn(of).recording)
	must(t, err)
	picture, err := draw(t.Context(), d, r)
	must(t, err)
	return d, picture
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestThePictureIsWhatTheDashboardSays compares all but the numbers, which may differ in their last digit between processors.
func TestThePictureIsWhatTheDashboardSays(t *testing.T) {
	_, want := drawn(t)
	got, err := os.ReadFile(filesIn(of).picture)
	must(t, err)
	number := regexp.MustCompile(`-?\d+(\.\d+)?`)
	if diff := cmp.Diff(string(number.ReplaceAll(want, []byte("N"))), string(number.ReplaceAll(got, []byte("N")))); diff != "" {
		t.Errorf("docs/images/dashboard.svg is old: run make dashboard (-want +got):\n%.2000s", diff)
	}
}

// TestThePictureShowsSomething: a demo is an incident, so that few panels stay empty: nothing is lost, at risk or refused in it.
func TestThePictureShowsSomething(t *testing.T) {
	d, picture := drawn(t)
	panels := 0
	for _, p := range d.Panels {
		if !bytes.Contains(picture, []byte(html.EscapeString(p.Title)+"</text>")) {
			t.Errorf("%q is not in the picture", p.Title)
		}
		if p.Type != "row" {
			panels++
		}
	}
	if empty := bytes.Count(picture, []byte(">No data<")); empty > panels/3 {
		t.Errorf("%d of %d panels have no data", empty, panels)
	}
}

func TestARecordingGivesBackWhatWasScraped(t *testing.T) {
	folder := t.TempDir()
	for second, text := range []string{
		"regcred_credential_ready{credential=\"a\"} 0\nother 1\n", "regcred_credential_ready{credential=\"a\"} 1\n", "regcred_credential_ready{credential=\"a\"} 1\n",
		"other 2\n", "regcred_credential_ready{credential=\"b\"} 1\n",
	} {
		must(t, os.WriteFile(filepath.Join(folder, fmt.Sprintf("%d_10.1.2.3.txt", 1_800_000_000_000+1000*second+second)), []byte("# TYPE other counter\n"+text), 0o600))
	}
	d := dashboard{Panels: []panel{{Title: "a", Targets: []target{{Expr: "regcred_credential_ready"}}}}}
	written, err := record(folder, d)
	must(t, err)
	path := filepath.Join(t.TempDir(), "demo.yaml")
	must(t, os.WriteFile(path, written, 0o600))
	r, err := readRecording(path)
	must(t, err)
	if strings.Contains(string(written), "10.1.2.3") || strings.Contains(string(written), "other") {
		t.Errorf("the recording holds an address of the machine, or what nobody asks for: %s", written)
	}
	matrix, err := r.over(t.Context(), "regcred_credential_ready")
	must(t, err)
	got := map[string]string{}
	for _, series := range matrix {
		for _, point := range series.Floats {
			got[series.Metric.Get("credential")] += fmt.Sprintf("%d=%g ", (point.T-r.begin.UnixMilli())/1000, point.F)
		}
	}
	if diff := cmp.Diff(map[string]string{"a": "0=0 1=1 2=1 ", "b": "4=1 "}, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if r.interval != time.Second || r.end.Sub(r.begin) != 4*time.Second {
		t.Errorf("it lasts from %s to %s, every %s", r.begin, r.end, r.interval)
	}
}

func TestValuesAreWrittenInTheirUnit(t *testing.T) {
	for _, test := range []struct {
		value      float64
		unit, want string
	}{
		{0, "short", "0"}, {12, "short", "12"}, {1234, "short", "1.23 K"}, {0.333, "short", "0.33"}, {-3, "short", "-3"},
		{0, "s", "0 s"}, {0.0021, "s", "2.1 ms"}, {0.5, "s", "500 ms"}, {90, "s", "1.5 mins"}, {7200, "s", "2 hours"}, {-90, "s", "-1.5 mins"}, {172800, "s", "2 days"},
		{3 << 20, "bytes", "3 MiB"}, {1.5, "reqps", "1.5 req/s"}, {2, "ops", "2 ops/s"}, {0.000004, "s", "4 µs"}, {104.4, "none", "104"},
	} {
		if got := show(test.value, test.unit); got != test.want {
			t.Errorf("%g in %s is %q, want %q", test.value, test.unit, got, test.want)
		}
	}
}

func TestTicksHoldAllValues(t *testing.T) {
	for _, test := range [][2]float64{{0, 0}, {0, 1}, {0, 12}, {0, 0.0003}, {-5, 3}, {0, 1e9}, {-1e-9, 0}, {0, 0.1}, {0, 97}} {
		all := ticks(test[0], test[1])
		if all[0] > test[0] || all[len(all)-1] < test[1] || len(all) < 2 || len(all) > 8 {
			t.Errorf("%v: %v", test, all)
		}
	}
}

func TestAPanelOfAnotherTypeIsNotLeftOut(t *testing.T) {
	_, err := draw(t.Context(), dashboard{Panels: []panel{{Type: "gauge", Title: "New"}}}, &recorded{})
	if err == nil || !strings.Contains(err.Error(), "New") || !strings.Contains(err.Error(), "gauge") {
		t.Errorf("got %v", err)
	}
}
