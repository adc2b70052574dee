package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

func TestTheTimeIsThatOfTheAPIServer(t *testing.T) {
	for _, test := range []struct {
		name  string
		ahead time.Duration // this machine's clock
		dated bool
		want  time.Duration
	}{
		{"this machine is a day ahead", 24 * time.Hour, true, 24 * time.Hour},
		{"this machine is ten minutes behind", -10 * time.Minute, true, -10 * time.Minute},
		{"the API server does not tell", 24 * time.Hour, false, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Date"] = nil
				if test.dated {
					w.Header().Set("Date", time.Now().Add(-test.ahead).UTC().Format(http.TimeFormat))
				}
			}))
			defer server.Close()
			a := access{clientcmd.NewDefaultClientConfig(clientcmdapi.Config{}, &clientcmd.ConfigOverrides{ClusterInfo: clientcmdapi.Cluster{Server: server.URL}}), &serverClock{}}
			config, err := a.restConfig()
			if err != nil {
				t.Fatal(err)
			}
			client, err := rest.HTTPClientFor(config)
			if err != nil {
				t.Fatal(err)
			}
			if off := time.Since(a.now()); off > time.Minute {
				t.Errorf("before an answer it is off by %s", off)
			}
			answer, err := client.Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if off := time.Since(a.now()) - test.want; off.Abs() > time.Minute {
				t.Errorf("it is off by %s more than %s", off, test.want)
			}
		})
	}
}

func TestClocksMayDifferByWhatAnAnswerTakes(t *testing.T) {
	clock := &serverClock{}
	for _, ahead := range []time.Duration{time.Hour, clocksAgree, clocksAgree + time.Second, -clocksAgree, -clocksAgree - time.Second} {
		clock.hear(http.Header{"Date": {noon.Add(-ahead).Format(http.TimeFormat)}}, noon)
		want := ahead
		if ahead.Abs() <= clocksAgree {
			want = 0
		}
		if got := time.Duration(clock.ahead.Load()); got != want {
			t.Errorf("%s ahead counts as %s", ahead, got)
		}
	}
}

// measuring are the files that measure how long something takes, or compare clocks.
var measuring = []string{"serverclock.go", "follow.go", "refresh.go", "gatherserver.go"}

func TestNothingIsJudgedByTheClockOfThisMachine(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(file, "_test.go") && !slices.Contains(measuring, file) && strings.Contains(string(text), "time.Now()") {
			t.Errorf("%s asks the clock of this machine: access.now has that of the API server", file)
		}
	}
}

func TestTheTimeIsTakenAfterTheAPIServerHasAnswered(t *testing.T) {
	for name, read := range map[string]func(*recorded, func() time.Time) error{
		"explain": func(r *recorded, now func() time.Time) error {
			_, err := (&look{reader: r.client(), now: now}).stuck(t.Context(), "shop")
			return err
		},
		"audit": func(r *recorded, now func() time.Time) error {
			_, err := (&survey{reader: r.client(), pods: r.podServer(t, nil), now: now}).facts(t.Context())
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			var r recorded
			asked := 0
			err := read(&r, func() time.Time {
				if asked++; r.requests == 0 {
					t.Error("it is taken before")
				}
				return noon
			})
			if err != nil || asked == 0 {
				t.Errorf("%v; asked %d times", err, asked)
			}
		})
	}
}
