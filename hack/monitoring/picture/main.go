// Command picture draws the dashboard for the documentation. It has Prometheus' engine evaluate the queries of the dashboard over metrics that
// the operator had during `make demo`, and lays the panels out as the dashboard says. It is no Grafana: colours and letters are its own.
//
//	go -C hack/monitoring run ./picture                      draws docs/images/dashboard.svg from demo.yaml
//	go -C hack/monitoring run ./picture -record FOLDER       writes demo.yaml before, from what DEMO_METRICS=FOLDER make demo left
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// files that are read and written, by the folder of the module.
type files struct{ dashboard, recording, picture string }

func filesIn(module string) files {
	return files{
		dashboard: filepath.Join(module, "..", "..", "charts", "regcred", "files", "dashboard.json"),
		recording: filepath.Join(module, "picture", "demo.yaml"),
		picture:   filepath.Join(module, "..", "..", "docs", "images", "dashboard.svg"),
	}
}

func main() {
	folder := flag.String("record", "", "folder of metrics that a demo recorded; they become the recording that is drawn")
	flag.Parse()
	if err := run(context.Background(), filesIn("."), *folder); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, f files, folder string) error {
	d, err := readDashboard(f.dashboard)
	if err != nil {
		return err
	}
	if folder != "" {
		recorded, err := record(folder, d)
		if err != nil {
			return err
		}
		if err := os.WriteFile(f.recording, recorded, 0o644); err != nil {
			return err
		}
	}
	r, err := readRecording(f.recording)
	if err != nil {
		return err
	}
	picture, err := draw(ctx, d, r)
	if err != nil {
		return err
	}
	return os.WriteFile(f.picture, picture, 0o644)
}
