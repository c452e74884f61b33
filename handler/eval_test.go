package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trimtab/internal/scale"
)

// desk runs a command with no environment and gives what it wrote and its exit code.
func desk(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs, nil)
	return out.String(), errs.String(), code
}

func TestEvalAnswersWhatWouldBe(t *testing.T) {
	question := []string{
		"eval", "--policies", "../policies", "--pool", "web", "--capacity", "6", "--at", "2026-05-04T20:00:00Z",
		"--set", "signals.cpu.value=90", "--set", "signals.requests.value=40",
	}
	text, errs, code := desk(t, question...)
	if code != exitDone || !strings.Contains(text, "Grow from 6 to 9 instances, because of track") ||
		!strings.Contains(text, "What would change it\n  cpu at or below") {
		t.Fatalf("exit %d: %s%s", code, text, errs)
	}
	asJSON, errs, code := desk(t, append(question, "--json")...)
	var x explanation
	if err := json.Unmarshal([]byte(asJSON), &x); code != exitDone || err != nil || x.Decision.To.Instances != 9 || len(x.Turns) == 0 || len(x.Rails) < 10 {
		t.Fatalf("exit %d, %v: %s%s", code, err, asJSON, errs)
	}
	// What it prints it takes back.
	file := filepath.Join(t.TempDir(), "view.json")
	if err := os.WriteFile(file, []byte(asJSON), 0o600); err != nil {
		t.Fatal(err)
	}
	asJSON, errs, code = desk(t, "eval", "--policies", "../policies", "--json", "--set", "signals.cpu.value=60", file)
	if err := json.Unmarshal([]byte(asJSON), &x); code != exitDone || err != nil || x.Decision.Action != scale.Hold {
		t.Fatalf("exit %d, %v: %s%s", code, err, asJSON, errs)
	}
}

func TestEvalRefusesWhatIsNoQuestion(t *testing.T) {
	for name, args := range map[string][]string{
		"neither file nor pool": {"eval"},
		"an unknown pool":       {"eval", "--policies", "../policies", "--pool", "wbe"},
		"a file that is none":   {"eval", "--policies", "../policies", "nowhere.json"},
		"a change that is none": {"eval", "--policies", "../policies", "--pool", "web", "--set", "signals.cpu.value"},
		"an unknown signal":     {"eval", "--policies", "../policies", "--pool", "web", "--set", "signals.gpu.value=1"},
	} {
		if _, errs, code := desk(t, args...); code == exitDone || errs == "" {
			t.Errorf("%s: exit %d, %q", name, code, errs)
		}
	}
}

func TestImportAutoscaleWritesAPoolThatLoads(t *testing.T) {
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS("../policies")); err != nil {
		t.Fatal(err)
	}
	file := "../internal/autoscale/testdata/portal_weekend.json"
	out, errs, code := desk(t, "import", "autoscale", file, "--into", folder)
	if code != exitDone || !strings.Contains(out, "weekend: pool weekend in ") {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	if _, errs, code := desk(t, "eval", "--policies", folder, "--pool", "weekend", "--set", "signals.percentage_cpu.value=90"); code != exitDone {
		t.Errorf("exit %d: %s", code, errs)
	}
	if _, errs, code := desk(t, "import", "autoscale", file, "--into", folder); code != exitFailed || !strings.Contains(errs, "already") {
		t.Errorf("a pool that is there is written over: exit %d: %s", code, errs)
	}
	// Printed, it is the same, and what is lost fails only where that was asked for.
	lost := "../internal/autoscale/testdata/dimensions.json"
	if out, errs, code := desk(t, "import", "autoscale", lost); code != exitDone || !strings.Contains(out, "package pools.dimensions") || !strings.Contains(errs, "lost") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	if _, _, code := desk(t, "import", "autoscale", lost, "--strict"); code != exitFailed {
		t.Errorf("--strict ends with %d", code)
	}
}
