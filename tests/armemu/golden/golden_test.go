package golden_test

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"trimtab/tests/armemu/arm"
	"trimtab/tests/armemu/golden"
)

const (
	subscription = "/subscriptions/5a1f0000-0000-4000-8000-000000000001"
	group        = subscription + "/resourceGroups/rg"
	set          = group + "/providers/Microsoft.Compute/virtualMachineScaleSets/golden"
)

// replay replays a transcript against a fresh emulator.
func replay(t *testing.T, transcript string) []golden.Difference {
	t.Helper()
	steps, err := golden.Parse(strings.NewReader(transcript))
	if err != nil {
		t.Fatal(err)
	}
	emu, err := arm.Start(arm.Config{Polls: 1}, arm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	transport := emu.Transport()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := emu.Close(); err != nil {
			t.Error(err)
		}
	})
	found, err := golden.Replay(t.Context(), golden.Server{
		Endpoint: emu.Endpoints().ARM, Token: emu.Token(), Client: &http.Client{Transport: transport}, Pause: time.Millisecond, Most: 100,
	}, steps, map[string]string{"subscription": subscription, "group": group, "set": set, "location": "westeurope"})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestTheEmulatorAnswersAsTheGoldenTranscript(t *testing.T) {
	text, err := os.ReadFile("testdata/transcript.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range replay(t, string(text)) {
		t.Errorf("line %d: %s: %s: got %q, want %q", d.Line, d.Call, d.What, d.Got, d.Want)
	}
}

// A replay that finds nothing must be able to find something.
func TestDifferencesAreFound(t *testing.T) {
	for name, c := range map[string]struct{ transcript, what string }{
		"another status":             {"> GET {set}?api-version=2026-04-01\n< 200", "status"},
		"another code":               {"> GET {set}?api-version=2026-04-01\n< 404\n< {\"error\": {\"code\": \"Gone\"}}", "body.error.code"},
		"a header that is not there": {"> GET {set}?api-version=2026-04-01\n< 404\n< Retry-After: *", "header Retry-After"},
		"a list that is too short":   {"> GET {group}/providers/Microsoft.Compute/virtualMachineScaleSets?api-version=2026-04-01\n< 200\n< {\"value\": [{}]}", "body.value"},
	} {
		if found := replay(t, c.transcript); len(found) != 1 || found[0].What != c.what {
			t.Errorf("%s: got %+v", name, found)
		}
	}
}

func TestATranscriptIsReadStrictly(t *testing.T) {
	for name, text := range map[string]string{
		"an answer without a call": "< 200", "a call without a path": "> GET", "a line of no kind": "GET /",
		"a body that is no JSON": "> GET /\n< {\"a\":", "a header that is none": "> GET /\n> nothing",
	} {
		if _, err := golden.Parse(strings.NewReader(text)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
