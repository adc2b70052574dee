package payload

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/internal/dockerconfig"
)

func tokenUntil(header string, end any) string {
	part := func(text string) string {
		return strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(base64Of(text)), "=")
	}
	return part(header) + "." + part(fmt.Sprintf(`{"exp":%v}`, end)) + ".c2ln"
}

func TestEveryEndIsRead(t *testing.T) {
	day := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	noon := day.Add(12*time.Hour + 30*time.Minute)
	none := time.Time{}
	ecr := func(fields string) string {
		return base64Of(`{"payload":"x","datakey":"y","version":"2",` + fields + `}`)
	}
	for _, test := range []struct {
		name, field string // of JSON, beside user name and password
		want        time.Time
		found       bool // a finding
	}{
		{"RFC 3339", `"expires_at":"2026-05-01T14:30:00+02:00"`, noon, false},
		{"of another key", `"expiresAt":"2026-05-01T12:30:00.123Z"`, noon.Add(123 * time.Millisecond), false},
		{"expiry", `"expiry":"2026-05-01T12:30:00Z"`, noon, false},
		{"expires", `"expires":"2026-05-01T12:30:00Z"`, noon, false},
		{"expires_on", `"expires_on":"2026-05-01T12:30:00Z"`, noon, false},
		{"expiration", `"Expiration":"2026-05-01T12:30:00Z"`, noon, false},
		{"with whose end it is", `"token-expires-at":"2026-05-01T12:30:00Z"`, noon, false},
		{"not_after", `"notAfter":"2026-05-01T12:30:00Z"`, noon, false},
		{"a day", `"expires_at":"2026-05-01"`, day, false},
		{"a day without separators", `"expires_at":"20260501"`, day, false},
		{"a day that became a number", `"expires_at":20260501`, day, false},
		{"a day with slashes, year first", `"expires_at":"2026/05/01"`, day, false},
		{"a time with a zone's name", `"expires_at":"2026-05-01 12:30:00 UTC"`, noon, false},
		{"a time without zone", `"expires_at":"2026-05-01 12:30:00"`, noon, false},
		{"a time without seconds", `"expires_at":"2026-05-01T12:30Z"`, noon, false},
		{"a time as Go prints it", `"expires_at":"2026-05-01 12:30:00.5 +0000 UTC m=+0.01"`, noon.Add(500 * time.Millisecond), false},
		{"a time as date prints it", `"expires_at":"Fri May  1 12:30:00 UTC 2026"`, noon, false},
		{"RFC 1123", `"expires_at":"Fri, 01 May 2026 12:30:00 GMT"`, noon, false},
		{"a day in words", `"expires_at":"May 1, 2026"`, day, false},
		{"with space around it", `"expires_at":" 2026-05-01T12:30:00Z\n"`, noon, false},
		{"seconds since 1970", `"expires_at":1777638600`, noon, false},
		{"seconds since 1970, as text", `"expires_at_seconds":"1777638600"`, noon, false},
		{"milliseconds", `"expires_at":1777638600000`, noon, false},
		{"microseconds", `"expires_at":1777638600000000`, noon, false},
		{"nanoseconds", `"expires_at":1777638600000000000`, noon, false},
		{"seconds with a fraction", `"expires_at":1777638600.7`, noon, false},
		{"a lifetime in seconds", `"expires_in":3600`, written.Add(time.Hour), false},
		{"a lifetime in seconds, as text", `"ttl":"3600"`, written.Add(time.Hour), false},
		{"a lifetime of Go", `"ttl":"1h30m"`, written.Add(90 * time.Minute), false},
		{"days", `"expiry":"30d"`, written.Add(30 * 24 * time.Hour), false},
		{"days in words", `"valid_for":"30 days"`, written.Add(30 * 24 * time.Hour), false},
		{"weeks and days", `"ttl":"1w2d"`, written.Add(9 * 24 * time.Hour), false},
		{"ISO 8601", `"expires_in":"P1DT12H"`, written.Add(36 * time.Hour), false},
		{"seconds under the name of a moment", `"expires":3600`, written.Add(time.Hour), false},
		{"never", `"expires_at":"never"`, none, false},
		{"Harbor's never", `"expires_at":"-1"`, none, false},
		{"Artifactory's never", `"expires_in":0`, none, false},
		{"null", `"expires_at":null`, none, false},
		{"nothing", `"expires_at":""`, none, false},
		{"Go's zero time", `"expires_at":"0001-01-01T00:00:00Z"`, none, false},
		{"a negative number", `"expires_at":-5`, none, false},
		{"RFC 3339 in small letters", `"expires_at":"2026-05-01t12:30:00z"`, noon, false},
		{"RFC 1123 with a number for the zone", `"expires_at":"Fri, 01 May 2026 14:30:00 +0200"`, noon, false},
		{"RFC 850", `"expires_at":"Friday, 01-May-26 12:30:00 GMT"`, noon, false},
		{"PostgreSQL", `"expires_at":"2026-05-01 12:30:00.123+00"`, noon.Add(123 * time.Millisecond), false},
		{"ISO 8601 with hours alone for the zone", `"expires_at":"2026-05-01T14:30:00+02"`, noon, false},
		{"ISO 8601 with a comma for the fraction", `"expires_at":"2026-05-01T12:30:00,5Z"`, noon.Add(500 * time.Millisecond), false},
		{"ISO 8601 in its basic form", `"expires_at":"20260501T123000Z"`, noon, false},
		{"JavaScript", `"expires_at":"Fri May 01 2026 12:30:00 GMT+0000 (Coordinated Universal Time)"`, noon, false},
		{"Azure", `"expiresOn":"2026-05-01 12:30:00.000000"`, noon, false},
		{"Azure, with an engine of Vault", `"end_date_time":"2026-05-01T12:30:00Z"`, noon, false},
		{"Oracle", `"time-expires":"2026-05-01T12:30:00.000000+00:00"`, noon, false},
		{"seconds since 1970 in the notation of Excel", `"expires_at":1.7776386e9`, noon, false},
		{"a day with a zone", `"expires_at":"2026-05-01 UTC"`, day, false},
		{"a day in words, as people say it", `"expires_at":"1st May 2026"`, day, false},
		{"a lifetime with a space", `"ttl":"36 h"`, written.Add(36 * time.Hour), false},
		{"a lifetime of years", `"valid_for":"1 year"`, written.Add(365 * 24 * time.Hour), false},
		{"a lifetime as Go writes it with a fraction", `"ttl":"1.5h"`, written.Add(90 * time.Minute), false},
		{"ISO 8601 with a fraction", `"ttl":"PT1.5H"`, written.Add(90 * time.Minute), false},
		{"a lifetime in small letters of ISO 8601", `"ttl":"p30d"`, written.Add(30 * 24 * time.Hour), false},
		{"a lifetime with a plus", `"ttl":"+1h"`, written.Add(time.Hour), false},
		{"openssl", `"notAfter":"May  1 12:30:00 2026 GMT"`, noon, false},
		{"a day as GitHub writes it", `"expires_at":"Fri, May 1 2026"`, day, false},
		{"a day in words with its weekday", `"expires_at":"Friday, May 1, 2026"`, day, false},
		{"of a personal access token", `"pat_expires_at":"2026-05-01"`, day, false},
		{"of a deploy token", `"deploy_token_expiry":"2026-05-01"`, day, false},
		{"of a client secret", `"client_secret_expires":"2026-05-01"`, day, false},
		{"of an API key", `"apiKeyExpirationDate":"2026-05-01"`, day, false},
		{"with the zone in its name", `"expiryUtc":"2026-05-01T12:30:00"`, noon, false},
		{"of a refresh token, which is no credential of a registry", `"refresh_token_expires_at":"2026-05-01"`, none, false},
		{"of the AppRole that reads it", `"secret_id_ttl":"1h"`, none, false},
		{"a lifetime of the clock, of which nobody knows the units", `"ttl":"12:00"`, none, true},
		{"a lifetime whose unit is in its name", `"expires_in_days":30`, written.Add(30 * 24 * time.Hour), false},
		{"a lifetime in hours, as text", `"ttl_hours":"12"`, written.Add(12 * time.Hour), false},
		{"a lifetime in minutes, of a token", `"tokenTtlMinutes":90`, written.Add(90 * time.Minute), false},
		{"a lifetime in milliseconds", `"expires_in_ms":3600000`, written.Add(time.Hour), false},
		{"a lifetime in milliseconds under the name of a moment", `"expiryMs":3600000`, written.Add(time.Hour), false},
		{"a lifetime whose unit is in its name and in its value", `"ttl_seconds":"1h"`, written.Add(time.Hour), false},
		{"days for which it is valid", `"valid_days":90`, written.Add(90 * 24 * time.Hour), false},
		{"whether it is valid", `"valid":true`, none, false},
		{"a moment in milliseconds, as its name says", `"expires_at_ms":1777638600000`, noon, false},
		{"a moment since 1970, as its name says", `"expires_at_epoch":"1777638600"`, noon, false},
		{"a moment whose name says its form", `"expiryTimestamp":"2026-05-01T12:30:00Z"`, noon, false},
		{"the duration of a lease of Vault", `"lease_duration":3600`, written.Add(time.Hour), false},
		{"a lease of Vault that is none", `"lease_duration":0`, none, false},
		{"date and time in digits alone", `"expires_at":"20260501123000"`, noon, false},
		{"date and time in digits that became a number", `"expires_at":20260501123000`, noon, false},
		{"the time of a directory", `"expires_at":"20260501123000Z"`, noon, false},
		{"the time of a directory with a fraction", `"expires_at":"20260501123000.0Z"`, noon, false},
		{"date and time in digits without seconds", `"expires_at":"202605011230"`, noon, false},
		{"date and time in digits with milliseconds, which is no number since 1970", `"expires_at":20260501123000000`, none, true},
		{"a day without zeros", `"expires_at":"2026-5-1"`, day, false},
		{"PowerShell", `"ExpiresOn":"/Date(1777638600000)/"`, noon, false},
		{"PowerShell with a zone", `"ExpiresOn":"\/Date(1777638600000+0200)\/"`, noon, false},
		{"Java", `"expires_at":"2026-05-01T14:30:00+02:00[Europe/Berlin]"`, noon, false},
		{"the clock of twelve hours", `"expires_at":"May 1, 2026, 12:30:00 PM"`, noon, false},
		{"a negative lifetime", `"expires_in":"-1h"`, none, true},
		{"a lifetime of nothing", `"ttl":"0s"`, none, false},
		{"false", `"expires":false`, none, false},
		{"forever", `"expires_at":"Forever"`, none, false},
		{"the last second of all years, in seconds", `"expires_at":253402300799`, none, false},
		{"the last second of all years, in the West, which is the year 10000", `"expires_at":"9999-12-31T23:59:59-05:00"`, none, true},
		{"the largest number", `"expires_at":9223372036854775807`, none, false},
		{"a week of ISO 8601", `"expires_at":"2026-W18-5"`, none, true},
		{"a day of the year", `"expires_at":"2026-121"`, none, true},
		{"a word", `"expires_at":"soon"`, none, true},
		{"a day in an order that nobody knows", `"expires_at":"01/02/2026"`, none, true},
		{"a zone whose name says nothing", `"expires_at":"2026-05-01 12:30:00 IST"`, none, true},
		{"an object", `"expires_at":{"s3cr3t":1}`, none, true},
		{"true", `"expires_at":true`, none, true},
		{"a year before there was any", `"expires_at":"1026-05-01T12:30:00Z"`, none, true},
		{"a unit that is none", `"ttl":"3 s3cr3t"`, none, true},
		{"more years than anybody lives", `"ttl":"900y"`, none, true},
		{"a number between seconds and milliseconds", `"expires_at":100000000000`, none, true},
		{"a number that is none", `"expires_at":"NaN"`, none, true},
		{"a field of something else", `"refresh_policy":"soon","expired":"no"`, none, false},
		{"the earliest of several", `"expires_at":"2026-05-01T12:30:00Z","ttl":"1h","expiry":"2027-01-01"`, written.Add(time.Hour), false},
		{"a JSON Web Token as password", `"password":"` + tokenUntil(`{"alg":"RS256"}`, noon.Unix()) + `"`, noon, false},
		{"three parts that are no token", `"password":"` + tokenUntil(`{}`, noon.Unix()) + `"`, none, false},
		{"a password of Amazon ECR", `"password":"` + ecr(fmt.Sprintf(`"type":"DATA_KEY","expiration":%d`, noon.Unix())) + `"`, noon, false},
		{"base64 of other JSON as password", `"password":"` + base64Of(fmt.Sprintf(`{"expiration":%d}`, noon.Unix())) + `"`, none, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := `{"username":"u",` + test.field + `}`
			if !strings.Contains(text, `"password"`) {
				text = `{"username":"u","password":"p",` + test.field + `}`
			}
			made, err := Render(fieldsOf(t, text), wants(Keys{}, ""))
			if err != nil {
				t.Fatal(err)
			}
			if !made.Expire.Equal(test.want) {
				t.Errorf("ends %s, want %s", made.Expire, test.want)
			}
			if found := len(made.Findings) > 0; found != test.found {
				t.Errorf("findings %v", made.Findings)
			}
			for _, finding := range made.Findings {
				if finding.Reason != dockerconfig.ReasonUnreadableEnd || strings.Contains(finding.Message, "s3cr3t") || strings.Contains(finding.Message, "soon") {
					t.Errorf("%s: %s", finding.Reason, finding.Message)
				}
			}
		})
	}
}

func TestALifetimeOfWhichNobodyKnowsTheBeginningIsNoEnd(t *testing.T) {
	want := wants(Keys{}, "")
	want.Written = time.Time{}
	for field, found := range map[string]bool{`"ttl":"1h"`: false, `"expiry":"30d"`: true, `"expires_in":3600`: true, `"expires_in":0`: false} {
		made, err := Render(fieldsOf(t, `{"username":"u","password":"p",`+field+`}`), want)
		if err != nil || !made.Expire.IsZero() || (len(made.Findings) > 0) != found {
			t.Errorf("%s: ends %s, %v, %v", field, made.Expire, made.Findings, err)
		}
	}
}

func TestNotesOfTheSourceTellTheEndToo(t *testing.T) {
	want := wants(Keys{}, "")
	want.About = Fields{"expires_at": "2026-05-01", "owner": "team", "rotation-expiry": "soon", "expiry": "soon"}
	made, err := Render(Fields{"username": "u", "password": "p"}, want)
	if err != nil || !made.Expire.Equal(time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)) || len(made.Findings) != 1 {
		t.Errorf("ends %s, %v, %v", made.Expire, made.Findings, err)
	}
}

func TestTheKeyOfThePasswordIsNoEndWhateverItsName(t *testing.T) {
	made, err := Render(Fields{"username": "u", "expires": "pw"}, wants(Keys{Password: "expires"}, ""))
	if err != nil || len(made.Findings) != 0 {
		t.Errorf("%v, %v", made.Findings, err)
	}
}

func TestFindingsOfEndsAreFew(t *testing.T) {
	fields := Fields{"username": "u", "password": "p"}
	for i := range 1000 {
		fields[strings.Repeat("_", i%60)+"expires"+strings.Repeat("-", i/60)] = "soon"
	}
	made, err := Render(fields, wants(Keys{}, ""))
	if err != nil || len(made.Findings) > 4 {
		t.Errorf("%d findings, %v", len(made.Findings), err)
	}
}

// No end that somebody writes makes trouble, and none is in the far past or future.
func FuzzEnd(f *testing.F) {
	for _, seed := range []string{"", "2026-05-01T00:00:00Z", "1777586400", "1777586400000", "1e400", "-1", "NaN", "Inf", "3600", "1h", " 5 ", "0x10",
		"9223372036854775807", "30d", "P1DT12H", "P", "PT", "1.5 days", "99999999999y", "20260501", "Fri, 01 May 2026 12:30:00 GMT", "2026-05-01 m=+1", "100000000000", "1st May 2026 (x)"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, value := range []any{text, json.Number(text)} {
			for _, name := range []string{"expires_at", "ttl"} {
				made, err := Render(Fields{"username": "u", "password": "p", name: value}, wants(Keys{}, ""))
				if err != nil {
					t.Fatal(err)
				}
				if end := made.Expire; !end.IsZero() && (end.UTC().Year() < firstYear || end.UTC().Year() > lastYear) {
					t.Errorf("%q is %s", text, end)
				}
			}
		}
		if life, ok := duration(text, time.Second); ok && (life > longestLife || life < -longestLife) {
			t.Errorf("%q lasts %s", text, life)
		}
		_ = EndOfPassword(text)
		_ = EndOfPassword("eyJhbGciOiJ4In0." + text + ".c")
		_ = EndOfPassword(base64Of(text))
	})
}
