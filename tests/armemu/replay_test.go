package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trimtab/tests/armemu/arm"
	"trimtab/tests/armemu/golden"
)

func TestReplayWritesWhatDiffersAndFails(t *testing.T) {
	emu, err := arm.Open(arm.Config{Polls: 1}, arm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(emu.Handler())
	defer server.Close()
	dir := t.TempDir()
	token, out := filepath.Join(dir, "token"), filepath.Join(dir, "out.json")
	if err := os.WriteFile(token, []byte(emu.Token()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		transcript string
		found      int
	}{
		"as it should be": {"> GET /subscriptions/{sub}/providers/Microsoft.Compute/locations/x/usages?api-version=2026-04-01\n< 200", 0},
		"otherwise":       {"> GET /subscriptions/{sub}/providers/Microsoft.Compute/locations/x/usages\n< 200", 1},
	} {
		file := filepath.Join(dir, "transcript.txt")
		if err := os.WriteFile(file, []byte(c.transcript), 0o600); err != nil {
			t.Fatal(err)
		}
		err := run(t.Context(), []string{"replay", "-endpoint", server.URL, "-token-file", token, "-out", out, "-var", "sub=s", file}, io.Discard, io.Discard)
		if (err != nil) != (c.found > 0) {
			t.Errorf("%s: got %v", name, err)
		}
		var found []golden.Difference
		data, err := os.ReadFile(out)
		if err != nil || json.Unmarshal(data, &found) != nil || len(found) != c.found {
			t.Errorf("%s: got %s, %v; want %d differences", name, data, err, c.found)
		}
		if strings.Contains(string(data), emu.Token()) {
			t.Errorf("%s: the token is written down", name)
		}
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	file := filepath.Join(dir, "transcript.txt")
	for name, args := range map[string][]string{
		"no token": {"replay", file}, "no transcript": {"replay", "-token-file", token}, "a variable without a value": {"replay", "-token-file", token, "-var", "x", file},
		"a server that is gone": {"replay", "-token-file", token, "-out", out, "-endpoint", gone.URL, file},
	} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%s: it ran", name)
		}
	}
}
