package arm_test

import (
	"testing"
	"time"

	"trimtab/tests/armemu/arm"
)

func TestParseClock(t *testing.T) {
	wall := time.UnixMilli(1_760_000_000_000)
	now, err := arm.ParseClock("720,2025-11-01T00:00:00Z,1760000000000", func() time.Time { return wall })
	if err != nil {
		t.Fatal(err)
	}
	for after, want := range map[time.Duration]string{0: "2025-11-01T00:00:00Z", 2 * time.Minute: "2025-11-02T00:00:00Z"} {
		wall = time.UnixMilli(1_760_000_000_000).Add(after)
		if got := now().Format(time.RFC3339); got != want {
			t.Errorf("after %v: got %s, want %s", after, got, want)
		}
	}
	for _, bad := range []string{"", "1", "1,2025-11-01T00:00:00Z", "0,2025-11-01T00:00:00Z,1", "-1,2025-11-01T00:00:00Z,1", "NaN,2025-11-01T00:00:00Z,1", "1,today,1", "1,2025-11-01T00:00:00Z,now"} {
		if _, err := arm.ParseClock(bad, time.Now); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	for _, host := range []string{"0.0.0.0", "192.0.2.1", "localhost", "::"} {
		if s, err := arm.Start(arm.Config{}, arm.Options{Host: host}); err == nil {
			_ = s.Close()
			t.Errorf("it listens on %s", host)
		}
	}
	if _, err := arm.Start(arm.Config{Sets: []arm.SetConfig{{ID: "x"}}}, arm.Options{}); err == nil {
		t.Error("a set without a resource ID was taken")
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(`{"sets":[{"id":"` + web + `","capacity":3,"priority":"Spot","mix":{"base":1,"regular_percent":50}}],"boot_seconds":90}`))
	f.Add([]byte(`{"sets":null,"page_size":-1}`))
	f.Add([]byte(`{} {}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := arm.ParseConfig(data)
		if err != nil && (len(c.Sets) > 0 || c.BootSeconds != 0) {
			t.Errorf("got %+v with error %v", c, err)
		}
	})
}
