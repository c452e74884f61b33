package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"trimtab/internal/scale"
)

func TestExplainShowsTrapsAndWhatToDo(t *testing.T) {
	e := &scale.Entry{Pool: "web", At: time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC), Decision: scale.Decision{
		Action: scale.Hold, Reason: "rival",
		Traps: []scale.Trap{
			{Code: scale.TrapAutoscale, Effect: scale.TrapRefuses, Says: "a setting writes the same count: /rival"},
			{Code: scale.TrapRepairs, Effect: scale.TrapAccepted, Says: "repairs are on"},
		},
	}}
	var out bytes.Buffer
	if err := explain(&out, e); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		"because of rival", "Traps about the scale set", "autoscale refuses a setting writes the same count: /rival to do: delete the setting", "repairs accepted repairs are on",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing:\n%s", want, out.String())
		}
	}
	if strings.Count(text, "to do:") != 1 {
		t.Errorf("what is accepted wants nothing done:\n%s", out.String())
	}
	e.Decision.Traps = nil
	out.Reset()
	if err := explain(&out, e); err != nil || strings.Contains(out.String(), "Traps") {
		t.Errorf("without a trap: %v\n%s", err, out.String())
	}
}
