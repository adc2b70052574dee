package pullerror

import "testing"

func TestWhichEventsAreAboutAFailedPull(t *testing.T) {
	const failed = `Failed to pull image "r.example/x:1": denied`
	for _, c := range []struct{ shows, event, want string }{
		{"one of a pull", failed, failed},
		{"one that others were joined with", "(combined from similar events): " + failed, failed},
		{"one of another image", `Failed to pull image "r.example/x:2": denied`, ""},
		{"joined ones of another image", `(combined from similar events): Failed to pull image "r.example/x:2": denied`, ""},
		{"one that gives no cause", `Failed to pull image "r.example/x:1"`, ""},
		{"one that says nothing of an image", "(combined from similar events): Error: ErrImagePull", ""},
		{"one that quotes another", `said: ` + failed, ""},
	} {
		if got := FailedPull(c.event, "r.example/x:1"); got != c.want {
			t.Errorf("%s: %q, want %q", c.shows, got, c.want)
		}
	}
}

func TestTheCauseOfJoinedEventsIsWhatTheKubeletSaid(t *testing.T) {
	if got := unwrap(`(combined from similar events): Failed to pull image "r.example/x:1": [rpc error: code = Unknown desc = denied]`); got != "[rpc error: code = Unknown desc = denied]" {
		t.Errorf("the cause is %q", got)
	}
}
