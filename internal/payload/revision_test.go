package payload

import "testing"

func TestARevisionNamesTheValueAndDependsOnTheSalt(t *testing.T) {
	revision := func(password, salt string) string {
		made, err := Render(Fields{"username": "u", "password": password}, wants(Keys{}, ""))
		if err != nil {
			t.Fatal(err)
		}
		return Revision([]byte(salt), made.Config)
	}
	first := revision("pw-1", "salt-1")
	if first != revision("pw-1", "salt-1") || first == revision("pw-2", "salt-1") || first == revision("pw-1", "salt-2") {
		t.Error("equal values have equal revisions, and others have others")
	}
}
